package kernels

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// UserDataDir returns the directory in which Jupyter looks for what one user
// installed: $JUPYTER_DATA_DIR, else ~/Library/Jupyter on macOS, else
// $XDG_DATA_HOME/jupyter, else ~/.local/share/jupyter.
func UserDataDir() (string, error) {
	if dir := os.Getenv("JUPYTER_DATA_DIR"); dir != "" {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no home directory: %w (set JUPYTER_DATA_DIR)", err)
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Jupyter"), nil
	}
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "jupyter"), nil
	}
	return filepath.Join(home, ".local", "share", "jupyter"), nil
}

// SysPrefix returns the prefix of the active Python environment, as Jupyter's
// --sys-prefix means it.
func SysPrefix() (string, error) {
	for _, name := range []string{"VIRTUAL_ENV", "CONDA_PREFIX"} {
		if dir := os.Getenv(name); dir != "" {
			return dir, nil
		}
	}
	for _, python := range []string{"python3", "python"} {
		out, err := exec.Command(python, "-c", "import sys; print(sys.prefix)").Output()
		if dir := strings.TrimSpace(string(out)); err == nil && dir != "" {
			return dir, nil
		}
	}
	return "", fmt.Errorf("no Python environment found for --sys-prefix: activate one, or use --prefix DIR")
}

// searchPath returns the directories in which Jupyter looks for kernelspecs,
// first match first.
func searchPath() []string {
	var dirs []string
	for _, dir := range filepath.SplitList(os.Getenv("JUPYTER_PATH")) {
		if dir != "" {
			dirs = append(dirs, dir)
		}
	}
	if dir, err := UserDataDir(); err == nil {
		dirs = append(dirs, dir)
	}
	for _, name := range []string{"VIRTUAL_ENV", "CONDA_PREFIX"} {
		if dir := os.Getenv(name); dir != "" {
			dirs = append(dirs, filepath.Join(dir, "share", "jupyter"))
		}
	}
	dirs = append(dirs, "/usr/local/share/jupyter", "/usr/share/jupyter")
	for i, dir := range dirs {
		dirs[i] = filepath.Join(dir, "kernels")
	}
	return dirs
}

// Find returns the installed kernelspec of a name, from where Jupyter would
// take it.
func Find(name string) (Spec, error) {
	if name != filepath.Base(name) || name == "." || name == ".." {
		return Spec{}, fmt.Errorf("kernelspec name %q is not a name", name)
	}
	path := searchPath()
	for _, dir := range path {
		spec, err := Read(filepath.Join(dir, name))
		if err == nil {
			return spec, nil
		}
		if !os.IsNotExist(err) {
			return Spec{}, err
		}
	}
	return Spec{}, fmt.Errorf("no kernelspec %q installed (looked in %s)", name, strings.Join(path, ", "))
}

// Read reads the kernelspec in a directory. Where there is none, the error is
// one of os.IsNotExist.
func Read(dir string) (Spec, error) {
	path := filepath.Join(dir, "kernel.json")
	data, err := os.ReadFile(path)
	if err != nil {
		return Spec{}, err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return Spec{}, err
	}
	spec := Spec{Name: filepath.Base(dir), Dir: dir}
	if err := json.Unmarshal(data, &spec); err != nil {
		return Spec{}, fmt.Errorf("%s: %w", path, err)
	}
	if len(spec.Argv) == 0 {
		return Spec{}, fmt.Errorf("%s: argv is empty", path)
	}
	return spec, nil
}
