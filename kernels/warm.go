package kernels

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// warm does once, with the network allowed, what GoNB does for each cell
// without it: it makes a workspace around the module, imports every package of
// the library in a program and builds it. Afterwards the modules are in the
// module cache and the packages in the build cache, compiled with the flags of
// the cells. A mark in the cache saves the second time.
func warm(ctx context.Context, spec Spec, t toolchain, module string, opt Options) error {
	mark, err := warmMark(spec, t, module)
	if err != nil {
		return err
	}
	if _, err := os.Stat(mark); err == nil {
		return nil
	}
	bar := opt.Progress.Start("compiling the library for the cells of "+spec.Name+", once", 0)
	defer bar.Done()
	dir, err := os.MkdirTemp("", "iimm-warm-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	goRun := func(args ...string) ([]byte, error) {
		cmd := exec.CommandContext(ctx, t.command(), args...)
		cmd.Dir = dir
		cmd.Env = environ(cellEnv(spec)...)
		cmd.Env = append(cmd.Env, "PWD="+dir)
		if offline() {
			cmd.Env = append(cmd.Env, "GOPROXY=off", "GOSUMDB=off")
		}
		out, err := output(cmd)
		if err != nil {
			return nil, fmt.Errorf("compiling the library for the cells: go %s: %w", args[0], err)
		}
		return out, nil
	}
	for _, args := range [][]string{
		{"mod", "init", "iimm.warm"},
		{"work", "init"},
		{"work", "use", module, "."},
		{"mod", "edit", "-replace=" + Module + "=" + module},
	} {
		if _, err := goRun(args...); err != nil {
			return err
		}
	}
	packages, err := libraryPackages(goRun, module)
	if err != nil {
		return err
	}
	var program strings.Builder
	program.WriteString("package main\n\nimport (\n")
	for _, p := range packages {
		fmt.Fprintf(&program, "\t_ %q\n", p)
	}
	program.WriteString(")\n\nfunc main() {}\n")
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(program.String()), 0o644); err != nil {
		return err
	}
	if _, err := goRun("get"); err != nil {
		return err
	}
	if _, err := goRun("build", "-o", filepath.Join(dir, "program")); err != nil {
		if ctx.Err() != nil {
			return err
		}
		// In a clone being worked on one package may not compile; cells that do
		// not import it work all the same.
		opt.Warn(err.Error())
		return nil
	}
	return store.WriteFile(mark, []byte(module+"\n"))
}

// cellEnv is the environment in which start.sh lets GoNB build cells, but for
// GOPROXY.
func cellEnv(spec Spec) []string {
	flags := "-ldflags=-s"
	if user := strings.TrimSpace(os.Getenv("GOFLAGS")); user != "" {
		flags = user + " " + flags
	}
	return []string{
		"GOFLAGS=" + flags, "GOWORK=", "GOTOOLCHAIN=local",
		"GOEXPERIMENT=" + spec.Env["GOEXPERIMENT"], "CGO_ENABLED=" + spec.Env["CGO_ENABLED"],
	}
}

// libraryPackages lists what a cell may import of the module: all packages but
// commands, internal ones and those that do not build here.
func libraryPackages(goRun func(...string) ([]byte, error), module string) ([]string, error) {
	out, err := goRun("list", "-e", "-json=ImportPath,Name,Error,GoFiles,CgoFiles,DepsErrors", "-deps=false", Module+"/...")
	if err != nil {
		return nil, err
	}
	var paths []string
	d := json.NewDecoder(strings.NewReader(string(out)))
	for d.More() {
		var p struct {
			ImportPath, Name  string
			GoFiles, CgoFiles []string
			Error             *struct{ Err string }
		}
		if err := d.Decode(&p); err != nil {
			return nil, err
		}
		internal := slices.Contains(strings.Split(p.ImportPath, "/"), "internal")
		if p.Name != "main" && !internal && p.Error == nil && len(p.GoFiles)+len(p.CgoFiles) > 0 {
			paths = append(paths, p.ImportPath)
		}
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no packages of %s found in %s", Module, module)
	}
	slices.Sort(paths)
	return paths, nil
}

// warmMark is the file that says that the cells of a kernel can be built from a
// module as it is now.
func warmMark(spec Spec, t toolchain, module string) (string, error) {
	cache, err := store.CacheDir()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join(module, name))
		if err != nil && !os.IsNotExist(err) {
			return "", err
		}
		h.Write(data)
	}
	fmt.Fprintf(h, "%q %q %q %q %q", module, t.Version, t.Root, cellEnv(spec), os.Getenv("GOMODCACHE"))
	return filepath.Join(cache, "kernels", "warm", hex.EncodeToString(h.Sum(nil))[:24]), nil
}
