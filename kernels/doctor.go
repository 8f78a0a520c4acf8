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
// tools, module, installed kernelspecs and Jupyter. It changes nothing.
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
	found = append(found, toolsFinding())
	found = append(found, specFindings(t)...)
	if path, err := exec.LookPath("jupyter"); err != nil {
		add("jupyter", Note, "not on the PATH; iimm notebook run works without it", "pip install jupyterlab")
	} else {
		add("jupyter", OK, path, "")
	}
	return found
}

func toolsFinding() Finding {
	dir, err := toolsDir()
	if err == nil {
		err = checkTools(dir)
	}
	if err != nil {
		return Finding{"tools", Error, err.Error(), installCommand}
	}
	v := ToolVersions()
	return Finding{"tools", OK, fmt.Sprintf("gonb %s, goimports %s in %s", v["gonb"], v["goimports"], dir), ""}
}

// specFindings looks at each of our kernelspecs that Jupyter would find. The
// one for Go should be there; the others are a choice.
func specFindings(t toolchain) []Finding {
	var found []Finding
	for _, v := range variants {
		spec, err := Find(v.name)
		if err != nil {
			if v.backend == Go {
				found = append(found, Finding{v.name, Note, "not installed for Jupyter; iimm notebook run works without it", installCommand})
			}
			continue
		}
		fix := installCommand + " --backend " + v.backend
		if err := spec.check(v, t); err != nil {
			found = append(found, Finding{v.name, Error, spec.Dir + ": " + err.Error(), fix})
		} else {
			found = append(found, Finding{v.name, OK, spec.Dir, ""})
		}
	}
	return found
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
	dir, err := toolsDir()
	if err != nil {
		return err
	}
	if s.Env["IIMM_TOOLS"] != dir {
		return fmt.Errorf("its tools are in %s, this version's are in %s", s.Env["IIMM_TOOLS"], dir)
	}
	if err := checkTools(dir); err != nil {
		return err
	}
	if root := s.Env["IIMM_INSTALLED_MODULE"]; !isModule(root) {
		return fmt.Errorf("it was installed from %s, where the module is no more", root)
	}
	if !strings.Contains(s.Env["GOEXPERIMENT"], "simd") {
		return errors.New("GOEXPERIMENT=simd is not set: cells would compute 30 times slower")
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
