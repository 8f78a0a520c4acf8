//go:build unix

package kernels

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary stand in for python and jupyter, by the name it
// is called by.
func TestMain(m *testing.M) {
	if stand := os.Getenv("IIMM_TEST_STAND_IN"); stand != "" {
		switch name := filepath.Base(os.Args[0]); {
		case strings.HasPrefix(name, "python"), name == "jupyter":
			os.Exit(standIn(os.Args[1:]))
		}
	}
	os.Exit(m.Run())
}

// standIn acts as far as the Lab needs: Python that says its version, makes an
// environment, "installs" JupyterLab and runs a server.
func standIn(args []string) int {
	line := strings.Join(args, " ")
	note := func(text string) {
		f, _ := os.OpenFile(os.Getenv("IIMM_TEST_STAND_IN"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		fmt.Fprintln(f, text)
		f.Close()
	}
	switch {
	case strings.HasPrefix(line, "-c import sys"):
		fmt.Println(os.Getenv("IIMM_TEST_PYTHON"))
	case strings.HasPrefix(line, "-c from importlib.metadata"):
		fmt.Println(LabVersion())
	case strings.HasPrefix(line, "-m venv "):
		note("venv")
		bin := filepath.Join(args[2], "bin")
		os.MkdirAll(bin, 0o755)
		self, _ := os.Executable()
		os.Symlink(self, filepath.Join(bin, "python"))
	case strings.HasPrefix(line, "-m pip install"):
		note("pip " + line + " PIP_USER=" + os.Getenv("PIP_USER") + " PYTHONPATH=" + os.Getenv("PYTHONPATH") + ".")
		fmt.Println("Collecting jupyterlab==" + LabVersion())
		if why := os.Getenv("IIMM_TEST_PIP_FAILS"); why != "" {
			fmt.Fprintln(os.Stderr, why)
			return 1
		}
	case strings.HasPrefix(line, "-m jupyterlab "), strings.HasPrefix(line, "lab "):
		note("jupyter " + line)
		return serve(args, note)
	default:
		note("unknown: " + line)
		return 2
	}
	return 0
}

// serve is a Jupyter server of which a kernel in a session of its own outlives
// the end, as real ones do when GoNB hangs.
func serve(args []string, note func(string)) int {
	if why := os.Getenv("IIMM_TEST_SERVER_FAILS"); why != "" {
		fmt.Println(why)
		return 1
	}
	var root string
	address := "127.0.0.1:0"
	for _, a := range args {
		if v, ok := strings.CutPrefix(a, "--ServerApp.root_dir="); ok {
			root = v
		}
		if v, ok := strings.CutPrefix(a, "--ServerApp.port="); ok {
			address = "127.0.0.1:" + v
		}
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	kernel := exec.Command("sleep", "600")
	kernel.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := kernel.Start(); err != nil {
		fmt.Println(err)
		return 1
	}
	note("kernel " + strconv.Itoa(kernel.Process.Pid))
	token := os.Getenv("JUPYTER_TOKEN")
	ended := make(chan bool)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/status", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /api/shutdown", func(http.ResponseWriter, *http.Request) { close(ended) })
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token == "" || r.Header.Get("Authorization") != "token "+token {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	about, _ := json.Marshal(map[string]any{"pid": os.Getpid(), "port": l.Addr().(*net.TCPAddr).Port, "base_url": "/", "root_dir": root, "token": token})
	file := filepath.Join(os.Getenv("JUPYTER_RUNTIME_DIR"), fmt.Sprintf("jpserver-%d.json", os.Getpid()))
	os.WriteFile(file, about, 0o600)
	<-ended
	time.Sleep(50 * time.Millisecond) // the answer is still being written
	os.Remove(file)
	return 0
}

// fake sets a machine up on which python3 and jupyter are stand-ins and all else
// that a Lab needs is there. It returns a clone and what the stand-ins did so far.
func fake(t *testing.T) (clone string, did func() string) {
	t.Helper()
	t.Setenv("IIMM_CACHE", t.TempDir())
	t.Setenv("IIMM_PYTHON", "")
	t.Setenv("IIMM_OFFLINE", "")
	t.Setenv("JUPYTER_PATH", "")
	clone, err := filepath.EvalSymlinks(module(t, Module))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(clone, "notebooks", "a b.ipynb"), "{}")
	bin := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"python3", "jupyter"} {
		if err := os.Symlink(self, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	log := filepath.Join(t.TempDir(), "log")
	t.Setenv("IIMM_TEST_STAND_IN", log)
	t.Setenv("IIMM_TEST_PYTHON", "3 11 able")
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))

	// Tools and build cache are as after an installation.
	for _, set := range []toolset{kernelTools, completionTools} {
		dir, err := set.dir()
		if err != nil {
			t.Fatal(err)
		}
		m := manifest{Schema: 1, SHA256: map[string]string{}}
		for _, tool := range set.tools {
			path := filepath.Join(dir, tool.name)
			write(t, path, "#!/bin/sh\n")
			if m.SHA256[tool.name], err = fileSum(path); err != nil {
				t.Fatal(err)
			}
		}
		data, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "manifest.json"), string(data))
	}
	tools, err := kernelTools.dir()
	if err != nil {
		t.Fatal(err)
	}
	goHere, err := findGo(t.Context(), clone)
	if err != nil {
		t.Fatal(err)
	}
	mark, err := warmMark(variants[0].spec("", goHere, tools, clone), goHere, clone)
	if err != nil {
		t.Fatal(err)
	}
	write(t, mark, clone)
	t.Cleanup(func() {
		if _, err := StopLabs(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return clone, func() string {
		data, _ := os.ReadFile(log)
		return string(data)
	}
}
