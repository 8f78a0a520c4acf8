package backend

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// libraryExt is the ending of a shared library here.
var libraryExt = map[string]string{"darwin": ".dylib", "windows": ".dll"}[runtime.GOOS]

func init() {
	if libraryExt == "" {
		libraryExt = ".so"
	}
}

// searchDirs returns where plugins are looked for, in this order.
func searchDirs() []string {
	var dirs []string
	add := func(d string) {
		if d != "" && !slices.Contains(dirs, d) {
			dirs = append(dirs, d)
		}
	}
	for _, d := range filepath.SplitList(os.Getenv("PJRT_PLUGIN_LIBRARY_PATH")) {
		if abs, err := filepath.Abs(d); err == nil && d != "" {
			add(abs)
		}
	}
	if d, err := gomlxDir(); err == nil {
		add(d)
		add(filepath.Join(d, "nvidia"))
	}
	if d, err := cacheDir(); err == nil {
		add(d)
	}
	if runtime.GOOS != "windows" {
		add("/usr/local/lib/go-xla")
		add("/usr/local/lib/go-xla/nvidia")
	}
	return dirs
}

// gomlxDir is where GoMLX's own installer puts plugins.
func gomlxDir() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	switch runtime.GOOS {
	case "darwin":
		return filepath.Join(home, "Library", "Application Support", "go-xla"), nil
	case "windows":
		return filepath.Join(home, "AppData", "Local", "go-xla"), nil
	}
	return filepath.Join(home, ".local", "lib", "go-xla"), nil
}

// cacheDir is where ours go.
func cacheDir() (string, error) {
	d, err := store.CacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(d, "xla"), nil
}

// The two spellings that GoMLX knows, with an optional version.
var pluginNames = []*regexp.Regexp{
	regexp.MustCompile(`^pjrt_c_api_(cpu|cuda)(?:_v?([0-9.]+))?_plugin\.(?:so|dylib|dll)$`),
	regexp.MustCompile(`^pjrt[-_]plugin[-_](cpu|cuda)(?:_v?([0-9.]+))?\.(?:so|dylib|dll)$`),
}

// parsePluginName tells kind ("cpu", "cuda", "" for others) and version.
func parsePluginName(file string) (kind, version string) {
	for _, re := range pluginNames {
		if m := re.FindStringSubmatch(filepath.Base(file)); m != nil {
			return m[1], m[2]
		}
	}
	return "", ""
}

func pluginKind(path string) string {
	kind, _ := parsePluginName(path)
	return kind
}

// findPlugin returns the absolute path of the plugin of a kind, "" for none.
// In one directory the file without a version goes first (GoMLX's installer
// links it to the newest), then the highest version.
func findPlugin(kind string) string {
	for _, dir := range searchDirs() {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		best, bestVersion := "", ""
		for _, e := range entries {
			k, version := parsePluginName(e.Name())
			path := filepath.Join(dir, e.Name())
			if k != kind || filepath.Ext(path) != libraryExt || checkPluginFile(path) != nil {
				continue
			}
			if best == "" || version == "" || bestVersion != "" && versionLess(bestVersion, version) {
				best, bestVersion = path, version
			}
		}
		if best != "" {
			return best
		}
	}
	return ""
}

func versionLess(a, b string) bool {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		x, _ := strconv.Atoi(as[i])
		y, _ := strconv.Atoi(bs[i])
		if x != y {
			return x < y
		}
	}
	return len(as) < len(bs)
}

// checkPluginFile refuses what cannot be a plugin of this machine before the
// dynamic loader sees it: to the loader a half-written library is a crash, not
// an error.
func checkPluginFile(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file", path)
	}
	if strings.Contains(path, ",") {
		return fmt.Errorf("%s: a comma in a plugin's path ends it for GoMLX; move the file", path)
	}
	if runtime.GOOS != "linux" {
		return nil
	}
	f, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("%s is not a shared library: %w", path, err)
	}
	defer f.Close()
	want := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[runtime.GOARCH]
	if f.Type != elf.ET_DYN || f.Machine != want {
		return fmt.Errorf("%s is a library for %v, this machine is %s", path, f.Machine, runtime.GOARCH)
	}
	for _, p := range f.Progs {
		if end := p.Off + p.Filesz; p.Type == elf.PT_LOAD && end > uint64(info.Size()) {
			return fmt.Errorf("%s is cut off: %d bytes of at least %d", path, info.Size(), end)
		}
	}
	return nil
}

// findGPU returns nil when an NVIDIA GPU is there. It asks the device files of
// the driver, then nvidia-smi (WSL has no such files).
var findGPU = func() error {
	if found, _ := filepath.Glob("/dev/nvidia[0-9]*"); len(found) > 0 {
		return nil
	}
	smi, err := exec.LookPath("nvidia-smi")
	if err == nil {
		out, err := exec.Command(smi, "-L").Output()
		if err == nil && strings.Contains(string(out), "GPU 0") {
			return nil
		}
	}
	return errors.New("no NVIDIA GPU found (neither /dev/nvidia0 nor nvidia-smi -L)")
}
