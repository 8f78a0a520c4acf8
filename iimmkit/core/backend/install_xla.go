//go:build cgo && !noxla && ((linux && (amd64 || arm64)) || (darwin && arm64) || (windows && amd64))

package backend

import (
	"fmt"
	"os"
	"runtime"

	"github.com/gomlx/go-xla/installer"
	"github.com/gomlx/go-xla/pjrt"
)

// cpuVersion is the release of the CPU plugin that go-xla is tested with.
var cpuVersion = pjrt.DefaultCPUVersion

// gomlxInstall runs GoMLX's installer, pinned.
func gomlxInstall(name, dir string) error {
	if name == XLACUDA {
		return cudaInstall(dir)
	}
	platform := runtime.GOOS + "_" + runtime.GOARCH
	err := installer.CPUInstall(platform, cpuVersion, dir, true, installer.Quiet)
	if err != nil {
		// It keeps whatever a server answered, an error page too, and would
		// unpack that again the next time.
		ext := ".tar.gz"
		if runtime.GOOS == "windows" {
			ext = ".zip"
		}
		if path, cached, e := installer.GetCachePath(fmt.Sprintf("%s_pjrt_cpu_%s%s", cpuVersion, platform, ext)); e == nil && cached {
			os.Remove(path)
		}
	}
	return err
}
