// Package kernels installs and starts the Jupyter kernels of iimm: GoNB,
// pinned and tuned, one kernelspec per GoMLX backend.
//
// What a kernelspec needs is built from pins that are embedded here (tools.mod.txt
// and tools.sum.txt: GoNB and goimports) and kept in the cache, so that nothing
// but Go has to be there before. The cells import the library through the clone
// in which the notebook lies, or through the one the kernel was installed from.
package kernels

import (
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

// Module is the path of the module that cells import the library from.
const Module = "github.com/iimmkit/iimm"

// The backends that have a kernelspec of their own.
const (
	Go      = "go"
	XLACPU  = "xla:cpu"
	XLACUDA = "xla:cuda"
)

// variant is what distinguishes the kernelspecs.
type variant struct {
	backend, name, display string
	cgo                    bool
}

var variants = []variant{
	{Go, "iimm-go", "Go (iimm)", false},
	{XLACPU, "iimm-go-xla-cpu", "Go (iimm, XLA CPU)", true},
	{XLACUDA, "iimm-go-xla-cuda", "Go (iimm, XLA CUDA)", true},
}

// Backends returns the backends that a kernel can be installed for.
func Backends() []string {
	var names []string
	for _, v := range variants {
		names = append(names, v.backend)
	}
	return names
}

// Name returns the kernelspec's name of a backend: "iimm-go" of "go".
func Name(backend string) (string, error) {
	v, err := byBackend(backend)
	return v.name, err
}

// Backend returns the backend of a kernelspec's name, and whether it is ours.
func Backend(name string) (string, bool) {
	i := slices.IndexFunc(variants, func(v variant) bool { return v.name == name })
	if i < 0 {
		return "", false
	}
	return variants[i].backend, true
}

func byBackend(backend string) (variant, error) {
	i := slices.IndexFunc(variants, func(v variant) bool { return v.backend == backend })
	if i < 0 {
		return variant{}, fmt.Errorf("no kernel for backend %q: there are %s", backend, strings.Join(Backends(), ", "))
	}
	return variants[i], nil
}

// Spec is a kernelspec: how to start a kernel.
type Spec struct {
	Name          string            `json:"-"`
	Dir           string            `json:"-"` // where kernel.json lies: its resource_dir
	Argv          []string          `json:"argv"`
	DisplayName   string            `json:"display_name"`
	Language      string            `json:"language"`
	InterruptMode string            `json:"interrupt_mode,omitempty"`
	Env           map[string]string `json:"env,omitempty"`
	Metadata      map[string]any    `json:"metadata,omitempty"`
}

// Command returns the command that starts the kernel on a connection file. Its
// directory, output and further environment are the caller's to set.
func (s Spec) Command(connectionFile string) (*exec.Cmd, error) {
	if len(s.Argv) == 0 {
		return nil, fmt.Errorf("kernelspec %s in %s: empty argv", s.Name, s.Dir)
	}
	fill := strings.NewReplacer("{connection_file}", connectionFile, "{resource_dir}", s.Dir)
	argv := make([]string, len(s.Argv))
	for i, a := range s.Argv {
		argv[i] = fill.Replace(a)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = cmd.Environ()
	for _, k := range slices.Sorted(maps.Keys(s.Env)) {
		cmd.Env = append(cmd.Env, k+"="+s.Env[k])
	}
	return cmd, nil
}

// ErrPlatform is returned where GoNB cannot run.
var ErrPlatform = errors.New("GoNB does not run on " + runtime.GOOS + ": use the iimm command here, and notebooks on Linux or macOS")

func checkPlatform() error {
	if runtime.GOOS == "windows" || runtime.GOOS == "plan9" || runtime.GOOS == "js" {
		return ErrPlatform
	}
	return nil
}
