package kernels

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// server is a running Jupyter server, as it describes itself in the runtime
// folder in jpserver-PID.json, which only this user may read.
type server struct {
	PID      int    `json:"pid"`
	Port     int    `json:"port"`
	BaseURL  string `json:"base_url"`
	Root     string `json:"root_dir"`
	Token    string `json:"token"`
	Secure   bool   `json:"secure"`
	Password bool   `json:"password"`
}

// readServers returns the servers of a runtime folder that answer now.
func readServers(ctx context.Context, runtime string) []server {
	files, _ := filepath.Glob(filepath.Join(runtime, "jpserver-*.json"))
	var alive []server
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		var s server
		// A file being written does not parse yet: that server is not ready.
		if json.Unmarshal(data, &s) == nil && s.answers(ctx) {
			alive = append(alive, s)
		}
	}
	return alive
}

// url is the address of a path on the server, without the token.
func (s server) url(path string) *url.URL {
	scheme := "http"
	if s.Secure {
		scheme = "https"
	}
	return &url.URL{
		Scheme: scheme,
		Host:   net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)),
		Path:   strings.TrimSuffix(s.BaseURL, "/") + "/" + strings.TrimPrefix(path, "/"),
	}
}

// page is the address at which a browser opens a file of the server's root, or
// with "" or "." the root itself.
func (s server) page(file string) string {
	path := "lab"
	if file != "" && file != "." {
		path = "lab/tree/" + filepath.ToSlash(file)
	}
	u := s.url(path)
	u.RawQuery = url.Values{"token": {s.Token}}.Encode()
	return u.String()
}

// client asks the loopback interface only: a proxy would not find it there.
var client = http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}

func (s server) ask(ctx context.Context, method, path string) error {
	request, err := http.NewRequestWithContext(ctx, method, s.url(path).String(), nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "token "+s.Token)
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20))
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s", method, path, response.Status)
	}
	return nil
}

// answers reports whether the server is there and takes the token: another
// program may have its port by now.
func (s server) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return s.ask(ctx, http.MethodGet, "api/status") == nil
}

// stop ends the server and all that it started. Jupyter is asked first, since
// only it can tell kernels to end; what remains after that is killed.
func (s server) stop(ctx context.Context) error {
	started := descendants(s.PID)
	asking, cancel := context.WithTimeout(ctx, 10*time.Second)
	err := s.ask(asking, http.MethodPost, "api/shutdown")
	cancel()
	if err == nil {
		waitGone([]process{started[0]}, 15*time.Second)
	}
	// What was started while Jupyter was ending is not in the list: look again.
	started = append(started, descendants(s.PID)[1:]...)
	terminate(started)
	if !waitGone(started, 3*time.Second) {
		kill(started)
		if !waitGone(started, 3*time.Second) {
			return errors.New("some processes of JupyterLab do not end")
		}
	}
	return nil
}

// waitGone waits for processes to end, and reports whether they did.
func waitGone(all []process, patience time.Duration) bool {
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if len(living(all)) == 0 {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}
