package kernels

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// toolchain is the Go that builds the cells.
type toolchain struct {
	Root    string `json:"GOROOT"`
	Version string `json:"GOVERSION"`
	CC      string `json:"CC"`
	Proxy   string `json:"GOPROXY"`
}

// findGo asks the go command which toolchain it uses in a directory: the go
// line of the go.mod there may have chosen another than the one on the PATH.
func findGo(ctx context.Context, dir string) (toolchain, error) {
	path, err := exec.LookPath("go")
	if err != nil {
		return toolchain{}, errors.New("go is not on the PATH: install Go from https://go.dev/dl/")
	}
	cmd := exec.CommandContext(ctx, path, "env", "-json", "GOROOT", "GOVERSION", "CC", "GOPROXY")
	cmd.Dir = dir
	var t toolchain
	out, err := output(cmd)
	if err == nil {
		err = json.Unmarshal(out, &t)
	}
	if err != nil {
		return toolchain{}, fmt.Errorf("go env: %w", err)
	}
	// "go1.26.8 X:simd" where the user has set an experiment: cells have their own.
	t.Version, _, _ = strings.Cut(t.Version, " ")
	return t, nil
}

func (t toolchain) command() string { return filepath.Join(t.Root, "bin", "go") }

// compiler returns the C compiler that cgo would use, or an error saying that
// it is missing.
func (t toolchain) compiler() (string, error) {
	name, _, _ := strings.Cut(t.CC, " ")
	if name == "" {
		name = "gcc"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("XLA kernels need a C compiler, and %s is not on the PATH: install gcc or clang", name)
	}
	return path, nil
}

// environ returns the process environment with some variables set.
func environ(set ...string) []string { return append(os.Environ(), set...) }

// output runs a command and returns its standard output; its complaint becomes
// the error.
func output(cmd *exec.Cmd) ([]byte, error) {
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		if text := tail(complaint.String()+out.String(), 8); text != "" {
			return nil, fmt.Errorf("%w: %s", err, text)
		}
		return nil, err
	}
	return out.Bytes(), nil
}

// tail joins the last n non-empty lines of a text into one.
func tail(text string, n int) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "go: downloading ") {
			lines = append(lines, line)
		}
	}
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "; ")
}

var moduleLine = regexp.MustCompile(`(?m)^module\s+"?([^\s"]+)"?\s*(//.*)?$`)

// isModule reports whether a folder is the root of our module.
func isModule(dir string) bool {
	data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return false
	}
	m := moduleLine.FindSubmatch(data)
	return m != nil && string(m[1]) == Module
}

// FindClone returns the root of the clone of our module in which a folder
// lies, or "".
func FindClone(dir string) string {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	for {
		if isModule(dir) {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}

// findModule returns the folder of the module that a kernel started in dir
// would use, by the rule of start.sh: the clone around dir; IIMM_MODULE, a
// folder or a version; and what it is told at installation, the clone around the
// working directory or the version of the running binary.
func findModule(ctx context.Context, dir, version string) (string, error) {
	if root := FindClone(dir); root != "" {
		return root, nil
	}
	if m := os.Getenv("IIMM_MODULE"); m != "" {
		if isVersion(m) {
			return download(ctx, m)
		}
		if !isModule(m) {
			return "", fmt.Errorf("IIMM_MODULE=%s holds no module %s: set it to a clone or to a version (v1.2.3)", m, Module)
		}
		return filepath.Abs(m)
	}
	if root := FindClone("."); root != "" {
		return root, nil
	}
	if isVersion(version) {
		return download(ctx, version)
	}
	return "", fmt.Errorf("%s is not in a clone of %s: go into a clone, or set IIMM_MODULE to one or to a version (v1.2.3)", dir, Module)
}

var versionForm = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?(\+incompatible)?$`)

func isVersion(s string) bool { return versionForm.MatchString(s) }

// download returns the module cache's folder of a version of our module.
func download(ctx context.Context, version string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", Module+"@"+version)
	cmd.Dir = os.TempDir()
	cmd.Env = environ("GOWORK=off", "GOFLAGS=-mod=mod")
	if offline() {
		cmd.Env = append(cmd.Env, "GOPROXY=off")
	}
	var info struct{ Dir, Error string }
	out, err := output(cmd)
	if err == nil {
		err = json.Unmarshal(out, &info)
	}
	if err == nil && info.Error != "" {
		err = errors.New(info.Error)
	}
	if err != nil {
		return "", fmt.Errorf("fetching %s@%s: %w", Module, version, err)
	}
	return info.Dir, nil
}

func offline() bool { v := os.Getenv("IIMM_OFFLINE"); return v != "" && v != "0" }
