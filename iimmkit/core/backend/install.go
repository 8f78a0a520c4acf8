package backend

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/iimmkit/iimm/iimmkit/file/fetch"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// InstallOptions choose where a plugin comes from.
type InstallOptions struct {
	FromPyPI bool // xla:cpu from the pinned wheel of the Python index instead of GoMLX's release page
	Force    bool // although it is there already; xla:cuda although no GPU is seen
}

// Installed is what Install did.
type Installed struct {
	Provenance
	Path    string `json:"path"`    // of the plugin
	Already bool   `json:"already"` // it was there; nothing was fetched
}

// The version of the CUDA plugin whose PJRT API (0.104) is the one that the
// go-xla of our go.mod was written for.
const cudaVersion = "0.10.0"

// pypiCPU is a wheel that carries an XLA CPU plugin (PJRT API 0.106), for
// networks where the release pages of GoMLX cannot be reached.
var pypiCPU = wheel{
	project: "fastatomstruct-xla-cpu",
	version: "2026.6.23",
	sha256:  "88b1c430b341b4bea40a37420311c9c75db6e22b46d2ff95b6986577bee6afe9",
	member:  "fastatomstruct_xla_cpu/libpjrt_cpu.so",
	source:  "the Python package index; built by the fastatomstruct project, not by GoMLX",
}

// Source says what Install would fetch, without fetching it.
func Source(name string, opts InstallOptions) (Provenance, error) {
	p := Provenance{Schema: 1}
	switch {
	case name == Go:
		return p, errors.New("backend go is part of this binary: nothing to install")
	case name != XLACPU && name != XLACUDA:
		return p, fmt.Errorf("no installer for backend %q: choose %s or %s", name, XLACPU, XLACUDA)
	case xlaMissing != "":
		return p, fmt.Errorf("backend %s: %w: %s", name, ErrUnavailable, xlaMissing)
	case name == XLACUDA:
		if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
			return p, fmt.Errorf("backend %s exists for linux/amd64 only", name)
		}
		p.Package = "jax-cuda13-pjrt==" + cudaVersion
		p.Source = "pypi.org, by GoMLX's installer; built by the JAX team, with NVIDIA's libraries in the versions it asks for"
		p.SHA256 = "as pypi.org publishes it"
		p.Member = "xla_cuda_plugin.so"
	case opts.FromPyPI:
		if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
			return p, errors.New("the wheel on the Python index is for linux/amd64 only: leave out --from-pypi")
		}
		p = pypiCPU.provenance()
	default:
		p.Package = "pjrt-cpu-binaries==" + cpuVersion
		p.Source = "the release page github.com/gomlx/pjrt-cpu-binaries, by GoMLX's installer"
		p.SHA256 = fetch.Unpinned
	}
	return p, nil
}

// Install fetches the plugin of "xla:cpu" or "xla:cuda", lets it compute
// something, and puts it where Open finds it: what GoMLX's installer fetches
// into GoMLX's directory, a wheel into iimm's cache. Where it comes from is
// kept beside it, as PLUGIN.json. IIMM_OFFLINE=1 forbids it.
//
// GoMLX's installer cannot be interrupted half-way; on a cancelled context
// Install returns while it winds down.
func Install(ctx context.Context, name string, opts InstallOptions, report progress.Reporter) (*Installed, error) {
	source, err := Source(name, opts)
	if err != nil {
		return nil, err
	}
	if name == XLACUDA && !opts.Force {
		if err := findGPU(); err != nil {
			return nil, fmt.Errorf("%s not installed: %w; --force installs it all the same", name, err)
		}
	}
	if name == XLACPU && opts.FromPyPI {
		dir, err := cacheDir()
		if err != nil {
			return nil, err
		}
		return pypiCPU.install(ctx, dir, opts.Force, report, verify)
	}
	dir, err := gomlxDir()
	if err != nil {
		return nil, err
	}
	return installGoMLX(ctx, name, dir, source, opts.Force, report)
}

// verify opens a plugin and has it compute.
func verify(path string) error {
	b, err := Open("xla:" + path)
	if err != nil {
		return err
	}
	defer b.Finalize()
	return try(b)
}

func installGoMLX(ctx context.Context, name, dir string, source Provenance, force bool, report progress.Reporter) (*Installed, error) {
	file := "pjrt_c_api_cpu_plugin" + libraryExt
	if name == XLACUDA {
		file = filepath.Join("nvidia", "pjrt_c_api_cuda_plugin"+libraryExt)
	}
	path := filepath.Join(dir, file)
	earlier, recorded := readProvenance(path)
	if !force && recorded == nil && earlier.Package == source.Package && isPlugin(path, earlier.Plugin) {
		return &Installed{earlier, path, true}, nil
	}
	if fetch.Offline() {
		return nil, fmt.Errorf("%s not installed: %w", name, fetch.ErrOffline)
	}
	bar := report.Start("installing "+source.Package, 0)
	defer bar.Done()
	done := make(chan error, 1)
	go func() {
		// It draws a spinner on the standard output.
		done <- silently(func() error { return Guard(func() error { return gomlxInstall(name, dir) }) })
	}()
	var err error
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case err = <-done:
	}
	if err != nil {
		err = fmt.Errorf("%s not installed: %s", name, oneLine(err))
		if name == XLACPU && runtime.GOOS == "linux" && runtime.GOARCH == "amd64" {
			err = fmt.Errorf("%w (where release pages cannot be reached: iimm backends install xla:cpu --from-pypi)", err)
		}
		return nil, err
	}
	if source.Plugin, err = fetch.SHA256(path); err != nil {
		return nil, fmt.Errorf("%s: the installer left no plugin: %w", name, err)
	}
	if findGPU() == nil || name == XLACPU {
		if err := verify(path); err != nil {
			return nil, fmt.Errorf("installed, but it does not work; delete %s: %w", path, err)
		}
	}
	source.Installed = time.Now().UTC().Format(time.RFC3339)
	if err := source.write(path); err != nil {
		return nil, err
	}
	if recorded == nil && earlier.Package == source.Package && earlier.Plugin != source.Plugin {
		return &Installed{source, path, false}, fmt.Errorf("%s is installed, but its publisher changed it: sha256 %s instead of %s, recorded %s, for the same %s",
			path, source.Plugin, earlier.Plugin, earlier.Installed, source.Package)
	}
	return &Installed{source, path, false}, nil
}

// isPlugin reports whether the file is there with these bytes.
func isPlugin(path, sha256 string) bool {
	if _, err := os.Stat(path); err != nil {
		return false
	}
	got, err := fetch.SHA256(path)
	return err == nil && got == sha256
}
