package kernels

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// Finding is one thing that the doctor looked at.
type Finding struct {
	Name string `json:"name"`
	// Level is "ok", "note" (works, but could be better) or "error".
	Level  string `json:"level"`
	Detail string `json:"detail"`
	// Fix is what to do about it; empty when there is nothing to do.
	Fix string `json:"fix,omitempty"`
}

// The levels of a finding.
const (
	OK    = "ok"
	Note  = "note"
	Error = "error"
)

const installCommand = "iimm kernel install"

// Doctor looks at all that a notebook in a folder needs: platform, Go, bash, cache,
// C compiler, tools, module, installed kernelspecs, the build cache of their cells,
// the Lab and Jupyter. It changes nothing.
func Doctor(ctx context.Context, dir, version string) []Finding {
	var found []Finding
	add := func(name, level, detail, fix string) {
		found = append(found, Finding{name, level, detail, fix})
	}
	if err := checkPlatform(); err != nil {
		add("platform", Error, err.Error(), "")
		return found
	}
	if path, err := exec.LookPath("bash"); err != nil {
		add("bash", Error, "bash is not on the PATH; it starts the kernel", "install bash")
	} else {
		add("bash", OK, path, "")
	}
	if cache, err := store.CacheDir(); err != nil {
		add("cache", Error, err.Error(), "set IIMM_CACHE to a writable folder")
	} else {
		add("cache", OK, cache, "")
	}
	module, err := findModule(ctx, dir, version)
	if err != nil {
		add("module", Error, err.Error(), "")
	} else {
		add("module", OK, module, "")
	}
	where := module
	if where == "" {
		where = dir
	}
	t, err := findGo(ctx, where)
	if err != nil {
		add("go", Error, err.Error(), "install Go from https://go.dev/dl/")
	} else {
		add("go", OK, fmt.Sprintf("%s in %s", t.Version, t.Root), "")
	}
	if t.Root != "" {
		if path, err := t.compiler(); err != nil {
			add("cgo", Note, err.Error(), "install gcc or clang to use XLA in cells; the Go backend needs none")
		} else {
			add("cgo", OK, path, "")
		}
	}
	found = append(found, toolsFinding(), completionFinding())
	found = append(found, specFindings(t, module)...)
	return append(found, labFinding(ctx), jupyterFinding())
}

func completionFinding() Finding {
	if path, err := exec.LookPath("gopls"); err == nil {
		return Finding{"gopls", OK, path, ""}
	}
	dir, err := completionTools.dir()
	if err == nil {
		err = completionTools.check(dir)
	}
	if err != nil {
		return Finding{"gopls", Note, "cells work, but Tab completes no names: " + strings.TrimSuffix(err.Error(), ": run "+installCommand), installCommand + " --completion"}
	}
	return Finding{"gopls", OK, fmt.Sprintf("%s in %s", completionTools, dir), ""}
}

func labFinding(ctx context.Context) Finding {
	lab, err := labDir()
	if err != nil {
		return Finding{"lab", Error, err.Error(), "set IIMM_CACHE to a writable folder"}
	}
	env := labEnvironment(lab)
	err = env.check(ctx)
	if err == nil {
		return Finding{"lab", OK, "JupyterLab " + LabVersion() + " in " + env.dir, ""}
	}
	if !errors.Is(err, errNoEnvironment) {
		return Finding{"lab", Note, env.dir + ": " + err.Error(), "iimm lab makes it again"}
	}
	if python, err := findPython(ctx); err != nil {
		return Finding{"lab", Note, "iimm lab cannot make its environment: " + err.Error(), "install Python 3.10 or later with venv"}
	} else {
		return Finding{"lab", Note, "its environment is not made yet; " + python + " will do for it", "iimm lab"}
	}
}

func jupyterFinding() Finding {
	path, err := exec.LookPath("jupyter")
	if err != nil {
		return Finding{"jupyter", OK, "none on the PATH, and none needed: iimm lab brings its own", ""}
	}
	return Finding{"jupyter", OK, path, ""}
}

func toolsFinding() Finding {
	dir, err := kernelTools.dir()
	if err == nil {
		err = kernelTools.check(dir)
	}
	if err != nil {
		return Finding{"tools", Error, err.Error(), installCommand}
	}
	return Finding{"tools", OK, fmt.Sprintf("%s in %s", kernelTools, dir), ""}
}

// specFindings looks at each of our kernelspecs that Jupyter would find, and at
// those of the Lab. The one for Go should be there; the others are a choice.
func specFindings(t toolchain, module string) []Finding {
	var found []Finding
	lab, _ := labDir()
	for _, v := range variants {
		spec, err := Find(v.name)
		installed := err == nil
		if installed {
			found = append(found, v.finding(spec, t, module, installCommand+" --backend "+v.backend)...)
		}
		spec, err = Read(filepath.Join(lab, "share", "jupyter", "kernels", v.name))
		inLab := err == nil
		if inLab {
			found = append(found, v.finding(spec, t, module, "iimm lab")...)
		}
		if !installed && !inLab && v.backend == Go {
			found = append(found, Finding{v.name, Note, "not installed for Jupyter; iimm notebook run works without it", installCommand})
		}
	}
	return found
}

// finding looks at one kernelspec and at the build cache of its cells.
func (v variant) finding(spec Spec, t toolchain, module, fix string) []Finding {
	if err := spec.check(v, t); err != nil {
		return []Finding{{v.name, Error, spec.Dir + ": " + err.Error(), fix}}
	}
	found := []Finding{{v.name, OK, spec.Dir, ""}}
	if module == "" {
		return found
	}
	mark, err := warmMark(spec, t, module)
	if err == nil {
		_, err = os.Stat(mark)
	}
	if err != nil {
		return append(found, Finding{"build cache", Note, "the library is not compiled with the flags of " + v.name + "'s cells: the first cell will take longer", fix})
	}
	return append(found, Finding{"build cache", OK, v.name + ": " + strings.Join(cellEnv(spec), " "), ""})
}

// check says why an installed kernelspec would not start, or would start
// otherwise than this version means it to.
func (s Spec) check(v variant, t toolchain) error {
	if !slices.Contains(s.Argv, "{resource_dir}/start.sh") {
		return errors.New("not written by iimm")
	}
	script, err := os.ReadFile(filepath.Join(s.Dir, "start.sh"))
	if err != nil {
		return err
	}
	if startHash(script) != startHash(startScript) {
		return errors.New("its start script is of another version")
	}
	dir, err := kernelTools.dir()
	if err != nil {
		return err
	}
	if s.Env["IIMM_TOOLS"] != dir {
		return fmt.Errorf("its tools are in %s, this version's are in %s", s.Env["IIMM_TOOLS"], dir)
	}
	if err := kernelTools.check(dir); err != nil {
		return err
	}
	if root := s.Env["IIMM_INSTALLED_MODULE"]; !isModule(root) {
		return fmt.Errorf("it was installed from %s, where the module is no more", root)
	}
	if !strings.Contains(s.Env["GOEXPERIMENT"], "simd") {
		return errors.New("GOEXPERIMENT=simd is not set: cells would compute 30 times slower")
	}
	want := v.spec("", t, "", "").Env
	for _, name := range []string{"IIMM_BACKEND", "CGO_ENABLED", "GODEBUG"} {
		if s.Env[name] != want[name] {
			return fmt.Errorf("it sets %s=%s, not %s", name, s.Env[name], want[name])
		}
	}
	if v.cgo {
		if _, err := t.compiler(); err != nil {
			return err
		}
	}
	return nil
}

// Healthy reports whether no finding is an error.
func Healthy(found []Finding) bool {
	return !slices.ContainsFunc(found, func(f Finding) bool { return f.Level == Error })
}

// String is the finding as a line for people.
func (f Finding) String() string {
	line := fmt.Sprintf("%-6s %-16s %s", f.Level, f.Name, f.Detail)
	if f.Fix != "" {
		line += " -> " + f.Fix
	}
	return line
}
