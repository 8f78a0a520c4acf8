package kernels

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// The tools modules: go get -tool github.com/janpfeifer/gonb@... wrote the first
// two, go get -tool golang.org/x/tools/gopls@... the others. They are text files
// and no nested modules, because a nested module would be left out of the
// published one.
var (
	//go:embed tools.mod.txt
	toolsMod []byte
	//go:embed tools.sum.txt
	toolsSum []byte
	//go:embed gopls.mod.txt
	goplsMod []byte
	//go:embed gopls.sum.txt
	goplsSum []byte
)

// toolset is programs that are built together from one module of pins.
type toolset struct {
	mod, sum []byte
	tools    []tool // the first names the folder in the cache
}

// tool is a program that the kernel runs.
type tool struct{ name, module string }

var (
	// kernelTools are what GoNB cannot do without.
	kernelTools = toolset{toolsMod, toolsSum, []tool{
		{"gonb", "github.com/janpfeifer/gonb"},
		{"goimports", "golang.org/x/tools"},
	}}
	// completionTools let GoNB complete names and show their documentation. They
	// are apart because gopls takes longer to build than all else, needs other
	// versions of its dependencies, and is of no use where no one types.
	completionTools = toolset{goplsMod, goplsSum, []tool{{"gopls", "golang.org/x/tools/gopls"}}}
)

// ToolVersions returns the pinned versions of gonb and goimports.
func ToolVersions() map[string]string { return kernelTools.versions() }

func (s toolset) versions() map[string]string {
	versions := map[string]string{}
	for _, t := range s.tools {
		re := regexp.MustCompile(`(?m)^\s*` + regexp.QuoteMeta(t.module) + `\s+(v\S+)`)
		if m := re.FindSubmatch(s.mod); m != nil {
			versions[t.name] = string(m[1])
		}
	}
	return versions
}

// String names the programs and their versions.
func (s toolset) String() string {
	versions := s.versions()
	var names []string
	for _, t := range s.tools {
		names = append(names, t.name+" "+versions[t.name])
	}
	return strings.Join(names, " and ")
}

// manifest records what was built, so that a damaged program is noticed.
type manifest struct {
	Schema   int               `json:"schema"`
	Go       string            `json:"go"`
	Versions map[string]string `json:"versions"`
	SHA256   map[string]string `json:"sha256"`
}

// dir is the cache's folder of the tools, named by all that they depend on.
func (s toolset) dir() (string, error) {
	cache, err := store.CacheDir()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	h.Write(s.mod)
	h.Write(s.sum)
	fmt.Fprintf(h, "%s/%s", runtime.GOOS, runtime.GOARCH)
	first := s.tools[0].name
	return filepath.Join(cache, "bin", first+"-"+s.versions()[first]+"-"+hex.EncodeToString(h.Sum(nil))[:12]), nil
}

var errNoTools = errors.New("not built yet: run iimm kernel install")

// check says what is wrong with the tools in a folder: errNoTools when they are
// not there, another error when they are damaged.
func (s toolset) check(dir string) error {
	data, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if os.IsNotExist(err) {
		return fmt.Errorf("%s: %w", s, errNoTools)
	}
	if err != nil {
		return err
	}
	var m manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(dir, "manifest.json"), err)
	}
	for _, t := range s.tools {
		path := filepath.Join(dir, t.name)
		sum, err := fileSum(path)
		if err != nil {
			return err
		}
		if sum != m.SHA256[t.name] {
			return fmt.Errorf("%s is not what was built (its checksum differs)", path)
		}
	}
	return nil
}

func fileSum(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// Tools returns the folder that holds the pinned gonb and goimports, building
// them when they are not in the cache (under a minute; their source is fetched
// through GOPROXY and checked against the embedded checksums).
func Tools(ctx context.Context, report progress.Reporter) (string, error) {
	return kernelTools.ready(ctx, report)
}

func (s toolset) ready(ctx context.Context, report progress.Reporter) (string, error) {
	if err := checkPlatform(); err != nil {
		return "", err
	}
	dir, err := s.dir()
	if err != nil {
		return "", err
	}
	broken := s.check(dir)
	if broken == nil {
		return dir, nil
	}
	title := fmt.Sprintf("building %s, once", s)
	if !errors.Is(broken, errNoTools) {
		title = fmt.Sprintf("building %s again: %v", s, broken)
		if err := os.RemoveAll(dir); err != nil {
			return "", err
		}
	}
	bar := report.Start(title, 0)
	defer bar.Done()
	return dir, s.build(ctx, dir)
}

func (s toolset) build(ctx context.Context, dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(filepath.Dir(dir), ".tools-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	source, bin := filepath.Join(work, "source"), filepath.Join(work, "bin")
	for _, d := range []string{source, bin} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return err
		}
	}
	for name, data := range map[string][]byte{"go.mod": s.mod, "go.sum": s.sum} {
		if err := os.WriteFile(filepath.Join(source, name), data, 0o644); err != nil {
			return err
		}
	}
	t, err := findGo(ctx, source)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, t.command(), "build", "-trimpath", "-ldflags=-s -w", "-o", bin, "tool")
	cmd.Dir = source
	// The same experiment and cgo as the cells, so that the standard library is
	// compiled once for both.
	cmd.Env = environ("PWD="+source, "GOWORK=off", "GOFLAGS="+buildParallelism(), "CGO_ENABLED=0", "GOEXPERIMENT=simd", "GOOS=", "GOARCH=")
	if offline() {
		cmd.Env = append(cmd.Env, "GOPROXY=off")
	}
	if _, err := output(cmd); err != nil {
		return fmt.Errorf("building %s: %w", s, err)
	}
	m := manifest{Schema: 1, Go: t.Version, Versions: s.versions(), SHA256: map[string]string{}}
	for _, t := range s.tools {
		if m.SHA256[t.name], err = fileSum(filepath.Join(bin, t.name)); err != nil {
			return err
		}
	}
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	if err := store.WriteFile(filepath.Join(bin, "manifest.json"), append(data, '\n')); err != nil {
		return err
	}
	if err := os.Rename(bin, dir); err != nil {
		// Another process may have built the same at the same time.
		if s.check(dir) == nil {
			return nil
		}
		return err
	}
	return nil
}

// buildParallelism keeps a -p flag of the user's GOFLAGS, and nothing else of them.
func buildParallelism() string {
	for _, f := range strings.Fields(os.Getenv("GOFLAGS")) {
		if strings.HasPrefix(f, "-p=") {
			return f
		}
	}
	return ""
}
