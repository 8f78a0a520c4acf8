package kernels

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// LabOptions says which JupyterLab to open, and on what.
type LabOptions struct {
	// Path is the notebook or folder to open; empty means the working directory.
	// The Lab shows the clone around it, or else its folder.
	Path string
	// Existing takes the JupyterLab that is on the PATH, with its own settings,
	// in place of one of our own.
	Existing bool
	// Port to listen on; 0 means 8888 or the next that is free. With another
	// port than a running Lab's, one more is started.
	Port int
	// Kernels says which kernels to install for the Lab. Prefix, Dir and
	// Completion are set by OpenLab.
	Kernels Options
	// Optional are backends to have a kernel for too, unless one cannot be built
	// here, of which Kernels.Warn is told.
	Optional []string
}

// Lab is a JupyterLab that runs.
type Lab struct {
	URL         string // opens it in a browser; holds the token
	Root        string // the folder it shows
	Port, PID   int
	Started     bool   // by this call; else it was running
	Environment string // the folder of its Python environment; empty for an existing one
	Kernels     []Spec

	server  server
	ended   chan error // of the process that this call started
	log     string
	runtime string
}

// OpenLab makes what a JupyterLab with our kernels needs, where it is not there
// yet, and starts one on the loopback interface, protected by a token; one that
// already shows the path is taken instead. Everything of it is in the cache, under
// lab/, and nothing outside is changed.
func OpenLab(ctx context.Context, opt LabOptions) (*Lab, error) {
	if err := checkPlatform(); err != nil {
		return nil, err
	}
	if opt.Kernels.Progress == nil {
		opt.Kernels.Progress = progress.Discard
	}
	root, file, err := labRoot(opt.Path)
	if err != nil {
		return nil, err
	}
	lab, err := labDir()
	if err != nil {
		return nil, err
	}
	unlock, err := waitLock(ctx, lab, opt.Kernels.Progress)
	if err != nil {
		return nil, err
	}
	defer unlock()
	var jupyter []string
	env := environment{}
	if opt.Existing {
		path, err := exec.LookPath("jupyter")
		if err != nil {
			return nil, errors.New("no jupyter is on the PATH for --use-existing: activate its environment, or leave the flag out")
		}
		jupyter = []string{path, "lab"}
	} else {
		env = labEnvironment(lab)
		if err := env.make(ctx, opt.Kernels.Progress); err != nil {
			return nil, err
		}
		if len(readServers(ctx, runtimeDir(lab, false))) == 0 {
			env.replaceOthers()
		}
		jupyter = []string{env.python(), "-m", "jupyterlab"}
	}
	opt.Kernels.Prefix, opt.Kernels.Dir, opt.Kernels.Completion = lab, root, true
	if opt.Kernels.Backends, err = opt.backends(ctx, root); err != nil {
		return nil, err
	}
	specs, err := Install(ctx, opt.Kernels)
	if err != nil {
		return nil, err
	}
	found := &Lab{Environment: env.dir, Kernels: specs, runtime: runtimeDir(lab, opt.Existing)}
	if err := os.MkdirAll(found.runtime, 0o700); err != nil {
		return nil, err
	}
	for _, s := range readServers(ctx, found.runtime) {
		if holds(s.Root, root) && (opt.Port == 0 || opt.Port == s.Port) {
			return found.at(s, filepath.Join(root, file)), nil
		}
	}
	if err := found.start(ctx, jupyter, lab, root, opt); err != nil {
		return nil, err
	}
	return found.at(found.server, filepath.Join(root, file)), nil
}

// backends are those to install kernels for.
func (opt LabOptions) backends(ctx context.Context, root string) ([]string, error) {
	chosen := slices.Clone(opt.Kernels.Backends)
	if len(chosen) == 0 {
		chosen = []string{Go}
	}
	if len(opt.Optional) == 0 {
		return chosen, nil
	}
	t, err := findGo(ctx, root)
	if err != nil {
		return nil, err
	}
	for _, name := range opt.Optional {
		v, err := byBackend(name)
		if err != nil {
			return nil, err
		}
		if slices.Contains(chosen, name) {
			continue
		}
		if v.cgo {
			if _, err := t.compiler(); err != nil {
				if opt.Kernels.Warn != nil {
					opt.Kernels.Warn("no kernel " + v.name + ": " + err.Error())
				}
				continue
			}
		}
		chosen = append(chosen, name)
	}
	return chosen, nil
}

// at completes a Lab by its server and the file or folder that it opens.
func (l *Lab) at(s server, path string) *Lab {
	rel, err := filepath.Rel(s.Root, path)
	if err != nil {
		rel = ""
	}
	l.server, l.Root, l.Port, l.PID, l.URL = s, s.Root, s.Port, s.PID, s.page(rel)
	return l
}

// runtimeDir is where the servers describe themselves: apart, so that those of
// others are not taken for ours.
func runtimeDir(lab string, existing bool) string {
	if existing {
		return filepath.Join(lab, "runtime-existing")
	}
	return filepath.Join(lab, "runtime")
}

// labRoot splits what is to be opened into the folder that the Lab shows and a
// path in it.
func labRoot(path string) (root, file string, err error) {
	if path == "" {
		path = "."
	}
	if path, err = filepath.Abs(path); err != nil {
		return "", "", err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", "", err
	}
	// Jupyter names its root without symbolic links.
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return "", "", err
	}
	root = path
	if !info.IsDir() {
		root = filepath.Dir(path)
	}
	if clone := FindClone(root); clone != "" {
		root = clone
	}
	file, err = filepath.Rel(root, path)
	return root, file, err
}

// holds reports whether a folder is, or lies in, another.
func holds(root, dir string) bool {
	rel, err := filepath.Rel(root, dir)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// waitLock takes the Lab's lock. Two at once would make the same environment.
func waitLock(ctx context.Context, lab string, report progress.Reporter) (unlock func(), err error) {
	for said := false; ; {
		unlock, err := store.Lock(lab + ".lock")
		if !errors.Is(err, store.ErrLocked) {
			return unlock, err
		}
		if !said {
			progress.Say(report, "waiting for another iimm lab that is just starting")
			said = true
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// start runs JupyterLab and waits until it answers.
func (l *Lab) start(ctx context.Context, jupyter []string, lab, root string, opt LabOptions) error {
	bar := opt.Kernels.Progress.Start("starting JupyterLab", 0)
	defer bar.Done()
	secret := make([]byte, 24)
	rand.Read(secret)
	token := hex.EncodeToString(secret)
	log, err := os.CreateTemp(l.runtime, "lab-*.log")
	if err != nil {
		return err
	}
	defer log.Close()
	args := append(jupyter[1:], "--no-browser", "--ServerApp.ip=127.0.0.1", "--ServerApp.root_dir="+root)
	if opt.Port != 0 {
		args = append(args, "--ServerApp.port="+strconv.Itoa(opt.Port), "--ServerApp.port_retries=0")
	}
	if os.Geteuid() == 0 {
		args = append(args, "--allow-root")
	}
	// The token is told by the environment, since others can read arguments.
	env := os.Environ()
	if !opt.Existing {
		// What is pinned stays so; looking for the language servers of other
		// languages takes time and finds none.
		args = append(args, "--LabApp.extension_manager=readonly", "--LanguageServerManager.autodetect=False")
		env = pythonEnviron("VIRTUAL_ENV="+l.Environment, "JUPYTER_CONFIG_DIR="+filepath.Join(lab, "config"),
			"PATH="+filepath.Join(l.Environment, "bin")+string(filepath.ListSeparator)+os.Getenv("PATH"))
	}
	kernels := filepath.Join(lab, "share", "jupyter")
	if more := os.Getenv("JUPYTER_PATH"); more != "" {
		kernels += string(filepath.ListSeparator) + more
	}
	cmd := exec.Command(jupyter[0], args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = root, log, log
	cmd.Env = append(env, "JUPYTER_TOKEN="+token, "JUPYTER_RUNTIME_DIR="+l.runtime, "JUPYTER_PATH="+kernels)
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting JupyterLab: %w", err)
	}
	l.log, l.ended, l.Started = log.Name(), make(chan error, 1), true
	l.server = server{PID: cmd.Process.Pid}
	go func() { l.ended <- cmd.Wait() }()
	if err := l.await(ctx, token); err != nil {
		l.forget()
		return err
	}
	return nil
}

// await waits until the server that was given the token answers.
func (l *Lab) await(ctx context.Context, token string) error {
	const patience = 2 * time.Minute
	for late := time.After(patience); ; {
		for _, s := range readServers(ctx, l.runtime) {
			if s.Token == token {
				l.server = s
				return nil
			}
		}
		select {
		case err := <-l.ended:
			return fmt.Errorf("JupyterLab did not start: %w", l.failure(err))
		case <-ctx.Done():
			return errors.Join(ctx.Err(), l.server.stop(context.WithoutCancel(ctx)))
		case <-late:
			err := fmt.Errorf("JupyterLab did not answer within %s: %s", patience, l.lastWords())
			return errors.Join(err, l.server.stop(context.WithoutCancel(ctx)))
		case <-time.After(30 * time.Millisecond):
		}
	}
}

func (l *Lab) lastWords() string {
	data, err := os.ReadFile(l.log)
	if err != nil {
		return err.Error()
	}
	return tail(string(data), 3)
}

// forget removes the files of a Lab that has ended; Jupyter removes its own only
// when it ends well.
func (l *Lab) forget() {
	for _, name := range []string{"jpserver-%d.json", "jpserver-%d-open.html", "open-%d.html"} {
		os.Remove(filepath.Join(l.runtime, fmt.Sprintf(name, l.server.PID)))
	}
	os.Remove(l.log)
}

// failure is how JupyterLab ended, with what it said last.
func (l *Lab) failure(err error) error {
	if err == nil {
		err = errors.New("it ended")
	}
	return fmt.Errorf("%w: %s", err, l.lastWords())
}

// Wait returns when the Lab that this call started was shut down from its own
// menu, with nil, or failed. When ctx ends first, the Lab and all that it started
// are stopped.
func (l *Lab) Wait(ctx context.Context) error {
	defer l.forget()
	select {
	case err := <-l.ended:
		if err != nil {
			return fmt.Errorf("JupyterLab ended: %w", l.failure(err))
		}
		return nil
	case <-ctx.Done():
		return l.server.stop(context.WithoutCancel(ctx))
	}
}

// Browse opens the Lab in the user's browser. The token is not given to it as an
// argument, which others on this machine could read, but by a page that only this
// user can read.
func (l *Lab) Browse() error {
	page := filepath.Join(l.runtime, fmt.Sprintf("open-%d.html", l.PID))
	target := html.EscapeString(l.URL)
	text := `<!DOCTYPE html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=` + target + `"><title>JupyterLab</title><a href="` + target + `">Open JupyterLab</a>` + "\n"
	if err := os.WriteFile(page, []byte(text), 0o600); err != nil {
		return err
	}
	open := "xdg-open"
	if runtime.GOOS == "darwin" {
		open = "open"
	}
	if _, err := exec.LookPath(open); err != nil {
		return errors.New("no browser is known here: open the address by hand")
	}
	cmd := exec.Command(open, page)
	if err := cmd.Start(); err != nil {
		return err
	}
	go cmd.Wait()
	return nil
}

// StopLabs stops every Lab that runs, whoever started it, and says how many.
func StopLabs(ctx context.Context) (int, error) {
	lab, err := labDir()
	if err != nil {
		return 0, err
	}
	running := slices.Concat(readServers(ctx, runtimeDir(lab, false)), readServers(ctx, runtimeDir(lab, true)))
	for i, s := range running {
		if err := s.stop(ctx); err != nil {
			return i, err
		}
	}
	return len(running), nil
}

// RemoveLab stops every Lab and removes all that OpenLab made for it alone: the
// environment, the kernelspecs and the settings. It returns the folder that it
// removed, or "" when there was none. What other kernels use too, gonb and the
// build cache, stays.
func RemoveLab(ctx context.Context) (string, error) {
	lab, err := labDir()
	if err != nil {
		return "", err
	}
	unlock, err := waitLock(ctx, lab, progress.Discard)
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := StopLabs(ctx); err != nil {
		return "", err
	}
	if _, err := os.Stat(lab); err != nil {
		return "", nil
	}
	return lab, os.RemoveAll(lab)
}
