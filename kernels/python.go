package kernels

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/fetch"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/file/store"
)

//go:embed lab.requirements.txt
var labRequirements []byte

// environmentSize is what the Python environment takes on the disk, and what
// pip needs to unpack it, in bytes.
const environmentSize = 400 << 20

// LabVersion is the version of JupyterLab that the Lab's environment holds.
func LabVersion() string {
	m := regexp.MustCompile(`(?m)^jupyterlab==(\S+)`).FindSubmatch(labRequirements)
	return string(m[1])
}

// labDir is the cache's folder of all that is the Lab's.
func labDir() (string, error) {
	cache, err := store.CacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "lab"), nil
}

// environment is a Python environment with JupyterLab in it.
type environment struct{ dir string }

// labEnvironment is the Lab's own environment, whether it is there or not. Its
// name is that of all that it depends on.
func labEnvironment(lab string) environment {
	sum := sha256.Sum256(labRequirements)
	return environment{filepath.Join(lab, "python-"+hex.EncodeToString(sum[:6]))}
}

func (e environment) python() string { return filepath.Join(e.dir, "bin", "python") }

// complete is written last, after pip ended well.
func (e environment) complete() string { return filepath.Join(e.dir, "complete") }

var errNoEnvironment = errors.New("not made yet")

// check says what is wrong with the environment: errNoEnvironment when it is not
// there, another error when it is there and does not work, as after the Python
// that it was made of went away.
func (e environment) check(ctx context.Context) error {
	if _, err := os.Stat(e.complete()); err != nil {
		return errNoEnvironment
	}
	cmd := exec.CommandContext(ctx, e.python(), "-c", "from importlib.metadata import version; print(version('jupyterlab'))")
	cmd.Env = pythonEnviron()
	out, err := output(cmd)
	if err != nil {
		return fmt.Errorf("its Python does not run any more: %w", err)
	}
	if got := strings.TrimSpace(string(out)); got != LabVersion() {
		return fmt.Errorf("it holds JupyterLab %s, not %s", got, LabVersion())
	}
	return nil
}

// make builds the environment from the locked requirements, which pip takes only
// with the very bytes that the lock names.
func (e environment) make(ctx context.Context, report progress.Reporter) error {
	broken := e.check(ctx)
	if broken == nil {
		return nil
	}
	python, err := findPython(ctx)
	if err != nil {
		return err
	}
	title := "making a Python environment with JupyterLab " + LabVersion() + ", once"
	if !errors.Is(broken, errNoEnvironment) {
		title = "making the Python environment again: " + broken.Error()
	}
	bar := report.Start(title, 0)
	defer bar.Done()
	if err := os.MkdirAll(filepath.Dir(e.dir), 0o755); err != nil {
		return err
	}
	if err := fetch.EnoughSpace(filepath.Dir(e.dir), environmentSize); err != nil {
		return err
	}
	if err := os.RemoveAll(e.dir); err != nil {
		return err
	}
	venv := exec.CommandContext(ctx, python, "-m", "venv", e.dir)
	venv.Env = pythonEnviron()
	if _, err := output(venv); err != nil {
		return fmt.Errorf("%s -m venv: %w", python, err)
	}
	lock := filepath.Join(e.dir, "requirements.txt")
	if err := os.WriteFile(lock, labRequirements, 0o644); err != nil {
		return err
	}
	args := []string{"-m", "pip", "install", "--require-hashes", "--no-deps", "--only-binary", ":all:",
		"--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--requirement", lock}
	if offline() {
		args = append(args, "--no-index") // what PIP_FIND_LINKS names is still taken
	}
	pip := exec.CommandContext(ctx, e.python(), args...)
	pip.Env = pythonEnviron()
	if err := followPip(pip, bar); err != nil {
		if offline() {
			return fmt.Errorf("JupyterLab is not installed, and IIMM_OFFLINE is set (PIP_FIND_LINKS may name a folder of wheels): %w", err)
		}
		return fmt.Errorf("installing JupyterLab %s with pip: %w", LabVersion(), err)
	}
	if err := e.settings(); err != nil {
		return err
	}
	return store.WriteFile(e.complete(), []byte("JupyterLab "+LabVersion()+"\n"))
}

// replaceOthers removes the environments of other versions.
func (e environment) replaceOthers() {
	others, _ := filepath.Glob(filepath.Join(filepath.Dir(e.dir), "python-*"))
	for _, dir := range others {
		if dir != e.dir {
			os.RemoveAll(dir) // what remains takes room, no more, and is tried again
		}
	}
}

// settings keeps JupyterLab from asking for, and fetching, news of the network.
func (e environment) settings() error {
	dir := filepath.Join(e.dir, "share", "jupyter", "lab", "settings")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	const overrides = `{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}}` + "\n"
	return os.WriteFile(filepath.Join(dir, "overrides.json"), []byte(overrides), 0o644)
}

// followPip runs pip and notes on the bar what it is at.
func followPip(pip *exec.Cmd, bar progress.Bar) error {
	var complaint bytes.Buffer
	pip.Stderr = &complaint
	out, err := pip.StdoutPipe()
	if err != nil {
		return err
	}
	if err := pip.Start(); err != nil {
		return err
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) > 1 && (words[0] == "Collecting" || words[0] == "Installing") {
			name, _, _ := strings.Cut(words[1], "=")
			bar.Note(name)
		}
	}
	if err := pip.Wait(); err != nil {
		if text := tail(complaint.String(), 4); text != "" {
			return fmt.Errorf("%w: %s", err, text)
		}
		return err
	}
	return nil
}

// pythonEnviron is the process environment without what would have Python or pip
// take or put packages elsewhere than in the environment they run in. Mirrors,
// proxies and certificates stay.
func pythonEnviron(set ...string) []string {
	env := slices.DeleteFunc(os.Environ(), func(s string) bool {
		name, _, _ := strings.Cut(s, "=")
		return slices.Contains([]string{"PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIREMENT", "PIP_CONSTRAINT"}, name)
	})
	return append(append(env, "PIP_USER=0"), set...)
}

// aboutPython prints a Python's version and whether it can make environments.
const aboutPython = `import sys
try:
    import ensurepip, venv
    able = "able"
except ImportError:
    able = "unable"
print(sys.version_info[0], sys.version_info[1], able)`

// findPython returns a Python that an environment can be made of: IIMM_PYTHON,
// or the first on the PATH that is new enough.
func findPython(ctx context.Context) (string, error) {
	names := []string{"python3", "python3.13", "python3.12", "python3.11", "python3.10", "python3.14", "python"}
	if chosen := os.Getenv("IIMM_PYTHON"); chosen != "" {
		names = []string{chosen}
	}
	var found []string
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		cmd := exec.CommandContext(ctx, path, "-c", aboutPython)
		cmd.Env = pythonEnviron()
		out, err := output(cmd)
		if err != nil {
			if ctx.Err() != nil {
				return "", ctx.Err()
			}
			continue // a shim without a Python behind it
		}
		var major, minor int
		var able string
		if _, err := fmt.Sscan(string(out), &major, &minor, &able); err != nil {
			continue
		}
		switch {
		case major != 3 || minor < 10:
			found = append(found, fmt.Sprintf("%s is %d.%d", path, major, minor))
		case able != "able":
			found = append(found, fmt.Sprintf("%s has no venv (on Debian and Ubuntu: apt-get install python3-venv)", path))
		default:
			return path, nil
		}
	}
	if found == nil {
		found = []string{"none that runs is on the PATH"}
	}
	return "", fmt.Errorf("JupyterLab needs Python 3.10 or later, and %s: install one, set IIMM_PYTHON to one, or give --use-existing to use a JupyterLab that is installed", strings.Join(found, "; "))
}
