package kernels

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/file/store"
)

//go:embed start.sh
var startScript []byte

// Options says what to install, and where.
type Options struct {
	// Backends are the kernels to install; none means Go alone.
	Backends []string
	// Prefix is where share/jupyter/kernels is made; empty means for the user.
	Prefix string
	// Dir is the folder from which the module is looked for; empty means the
	// working directory.
	Dir string
	// Completion lets cells complete names and show documentation: gopls is built
	// when there is none on the PATH.
	Completion bool
	// Version is that of the running binary, used outside a clone: v1.2.3.
	Version string
	// Progress may be nil.
	Progress progress.Reporter
	// Warn is told, in one line each, what does not stop the installation; it
	// may be nil.
	Warn func(string)
}

// Install builds what the kernels need, warms the build cache and writes one
// kernelspec per backend for Jupyter to find. A kernelspec that is there
// already is replaced.
func Install(ctx context.Context, opt Options) ([]Spec, error) {
	root := filepath.Join(opt.Prefix, "share", "jupyter")
	if opt.Prefix == "" {
		var err error
		if root, err = UserDataDir(); err != nil {
			return nil, err
		}
	}
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	return prepare(ctx, opt, filepath.Join(root, "kernels"))
}

// Ready returns the kernelspec of a backend from the cache, after building what
// is missing. It needs no Jupyter and changes nothing outside the cache.
func Ready(ctx context.Context, backend string, opt Options) (Spec, error) {
	cache, err := store.CacheDir()
	if err != nil {
		return Spec{}, err
	}
	opt.Backends = []string{backend}
	specs, err := prepare(ctx, opt, filepath.Join(cache, "kernels"))
	if err != nil {
		return Spec{}, err
	}
	return specs[0], nil
}

func prepare(ctx context.Context, opt Options, root string) ([]Spec, error) {
	if err := checkPlatform(); err != nil {
		return nil, err
	}
	if len(opt.Backends) == 0 {
		opt.Backends = []string{Go}
	}
	if opt.Dir == "" {
		opt.Dir = "."
	}
	if opt.Progress == nil {
		opt.Progress = progress.Discard
	}
	if opt.Warn == nil {
		opt.Warn = func(string) {}
	}
	var chosen []variant
	for _, name := range opt.Backends {
		v, err := byBackend(name)
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, v)
	}
	module, err := findModule(ctx, opt.Dir, opt.Version)
	if err != nil {
		return nil, err
	}
	t, err := findGo(ctx, module)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(chosen, func(v variant) bool { return v.cgo }) {
		if _, err := t.compiler(); err != nil {
			return nil, err
		}
	}
	dir, err := Tools(ctx, opt.Progress)
	if err != nil {
		return nil, err
	}
	var gopls string
	if _, err := exec.LookPath("gopls"); err != nil && opt.Completion {
		if gopls, err = completionTools.ready(ctx, opt.Progress); err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			opt.Warn("no completion of names in cells: " + err.Error())
			gopls = ""
		}
	}
	var specs []Spec
	for _, v := range chosen {
		spec := v.spec(filepath.Join(root, v.name), t, dir, module)
		if gopls != "" {
			spec.Env["IIMM_GOPLS"] = gopls
		}
		if err := warm(ctx, spec, t, module, opt); err != nil {
			return nil, err
		}
		if err := spec.write(); err != nil {
			return nil, err
		}
		specs = append(specs, spec)
	}
	return specs, nil
}

// spec is the kernelspec of a variant. What the cells are built with is in its
// environment, to be seen and changed in one place.
func (v variant) spec(dir string, t toolchain, tools, module string) Spec {
	cgo := "0"
	if v.cgo {
		cgo = "1"
	}
	env := map[string]string{
		"IIMM_BACKEND":          v.backend,
		"IIMM_TOOLS":            tools,
		"IIMM_GOROOT":           t.Root,
		"IIMM_INSTALLED_MODULE": module,
		"GOEXPERIMENT":          "simd",
		"CGO_ENABLED":           cgo,
		// Keeps the Go backend's speed; see backend.Environment.
		"GODEBUG": "asyncpreemptoff=1",
	}
	if v.cgo && runtime.GOOS == "linux" {
		// XLA's, likewise.
		env["GLIBC_TUNABLES"] = fmt.Sprintf("glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=%d:glibc.malloc.arena_max=%d", 1<<40, 2*runtime.NumCPU())
	}
	// Jupyter may be started from another environment than this one.
	if cache := os.Getenv("IIMM_CACHE"); cache != "" {
		if abs, err := filepath.Abs(cache); err == nil {
			env["IIMM_CACHE"] = abs
		}
	}
	return Spec{
		Name:          v.name,
		Dir:           dir,
		Argv:          []string{"bash", "{resource_dir}/start.sh", "{connection_file}"},
		DisplayName:   v.display,
		Language:      "go",
		InterruptMode: "message",
		Env:           env,
		Metadata:      map[string]any{"iimm": map[string]any{"start": startHash(startScript)}},
	}
}

// startHash tells start scripts of different versions apart.
func startHash(script []byte) string {
	sum := sha256.Sum256(script)
	return hex.EncodeToString(sum[:6])
}

// write puts the kernelspec into its directory, kernel.json last, since with it
// Jupyter sees the kernel.
func (s Spec) write() error {
	var data strings.Builder
	e := json.NewEncoder(&data)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(s); err != nil {
		return err
	}
	if err := store.WriteFile(filepath.Join(s.Dir, "start.sh"), startScript); err != nil {
		return fmt.Errorf("kernelspec %s: %w", s.Name, err)
	}
	if err := store.WriteFile(filepath.Join(s.Dir, "kernel.json"), []byte(data.String())); err != nil {
		return fmt.Errorf("kernelspec %s: %w", s.Name, err)
	}
	return nil
}
