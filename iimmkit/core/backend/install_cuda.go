//go:build cgo && !noxla && linux && amd64

package backend

import "github.com/gomlx/go-xla/installer"

func cudaInstall(dir string) error {
	return installer.CudaInstall("cuda13", cudaVersion, dir, true, installer.Quiet)
}
