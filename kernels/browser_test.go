//go:build unix

package kernels

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// browser is a Chromium with one page, driven as a user would: by what is to be
// seen, the mouse and the keyboard. A step that does not come about ends the test,
// with a screenshot.
type browser struct {
	t     *testing.T
	ctx   context.Context
	shots string // the folder of screenshots

	mu       sync.Mutex
	requests []string // of the page, in their order
	strays   []string // to other hosts than this one, as the proxy sees them
}

// ofChromium are the services that Chromium asks for its own ends, some whatever its
// flags are. The page may not: what it asks is known without the proxy too.
var ofChromium = []string{"accounts.google.com", "clients2.google.com", "clientservices.googleapis.com", "content-autofill.googleapis.com",
	"optimizationguide-pa.googleapis.com", "redirector.gvt1.com", "safebrowsingohttpgateway.googleapis.com", "update.googleapis.com"}

// findChromium returns a Chromium, IIMM_CHROMIUM or the first on the PATH, or skips;
// IIMM_REQUIRE makes it a failure when it names chromium.
func findChromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{os.Getenv("IIMM_CHROMIUM"), "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if strings.Contains(os.Getenv("IIMM_REQUIRE"), "chromium") {
		t.Fatal("IIMM_REQUIRE names chromium, but there is none on the PATH")
	}
	t.Skip("no Chromium is on the PATH")
	return ""
}

// openBrowser starts a Chromium that the test ends with.
func openBrowser(t *testing.T, path string) *browser {
	t.Helper()
	b := &browser{t: t, shots: os.Getenv("IIMM_SCREENSHOTS")}
	if b.shots == "" {
		b.shots = t.TempDir()
	}
	if err := os.MkdirAll(b.shots, 0o755); err != nil {
		t.Fatal(err)
	}
	// What is not for this machine, of the page or of a worker that it started, ends
	// here and is counted.
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host, _, _ := strings.Cut(r.Host, ":"); !slices.Contains(ofChromium, host) {
			b.mu.Lock()
			b.strays = append(b.strays, r.Method+" "+r.RequestURI)
			b.mu.Unlock()
		}
		http.Error(w, "no other host is asked in this test", http.StatusForbidden)
	}))
	t.Cleanup(proxy.Close)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.DisableGPU,
		chromedp.ProxyServer(proxy.URL), chromedp.WindowSize(1280, 950),
		chromedp.Flag("lang", "en-US"), chromedp.Flag("disable-component-update", true), chromedp.WSURLReadTimeout(time.Minute))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithListener(b.note))
	if err := chromedp.Do(ctx); err != nil {
		cancel()
		stop()
		t.Fatalf("starting %s: %v", path, err)
	}
	b.ctx = ctx
	process := chromedp.FromContext(ctx).Browser.Process()
	t.Cleanup(func() {
		all := descendants(process.Pid)
		ending, done := context.WithTimeout(ctx, 10*time.Second)
		if err := chromedp.Cancel(ending); err != nil {
			t.Errorf("ending Chromium: %v", err)
		}
		done()
		stop()
		if !waitGone(all, 10*time.Second) {
			t.Errorf("left of Chromium: %v", living(all))
			kill(all)
		}
	})
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	return b
}

// note keeps the addresses that the page asks for.
func (b *browser) note(event any) {
	var url string
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		url = e.Request.URL
	case *network.EventWebSocketCreated:
		url = e.URL
	default:
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests = append(b.requests, url)
}

// outside returns the number of requests so far, and those that are not the Lab's
// own, or that would have the Lab ask another host.
func (b *browser) outside(host string) (count int, outside []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	outside = slices.Clone(b.strays)
	for _, url := range b.requests {
		scheme, rest, _ := strings.Cut(url, ":")
		path, own := strings.CutPrefix(rest, "//"+host+"/")
		switch {
		case scheme == "data" || scheme == "blob" || scheme == "about":
		case !own, strings.HasPrefix(path, "lab/api/news"), strings.HasPrefix(path, "lab/api/update"):
			outside = append(outside, url)
		}
	}
	return len(b.requests), outside
}

// evaluate calls a JavaScript function with arguments. Its result is the zero
// value where it returns null.
func evaluate[T any](b *browser, function string, arguments ...any) (T, error) {
	texts := make([]string, len(arguments))
	for i, a := range arguments {
		data, err := json.Marshal(a)
		if err != nil {
			return *new(T), err
		}
		texts[i] = string(data)
	}
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	got, err := chromedp.Run(ctx, chromedp.Evaluate[*T]("("+function+")("+strings.Join(texts, ",")+")", chromedp.EvalAwaitPromise))
	if err != nil || got == nil {
		return *new(T), err
	}
	return *got, nil
}

// until asks again until the answer is good, and returns it. what says for whom it
// is waited.
func until[T any](b *browser, what string, patience time.Duration, good func(T) bool, function string, arguments ...any) T {
	b.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		// While a page is being loaded its functions fail.
		got, err := evaluate[T](b, function, arguments...)
		if err == nil && good(got) {
			return got
		}
		if time.Now().After(deadline) {
			b.shot("failure", nil)
			b.t.Fatalf("no %s after %s: %+v, %v", what, patience, got, err)
		}
	}
}

// box is a part of the page, in its pixels.
type box struct{ X, Y, Width, Height float64 }

func (r box) there() bool { return r.Width > 0 && r.Height > 0 }

// find waits for the visible element of a selector, with that very text where text
// is not empty, brings it into view and returns where it is.
func (b *browser) find(selector, text string) box {
	b.t.Helper()
	return until(b, strings.TrimSpace(selector+" "+text), 30*time.Second, box.there, `(selector, text) => {
		const e = [...document.querySelectorAll(selector)].find(e => e.getClientRects().length && (!text || e.innerText.trim() === text))
		if (!e) return null
		e.scrollIntoView({block: "nearest"})
		const r = e.getBoundingClientRect()
		return {X: r.x, Y: r.y, Width: r.width, Height: r.height}
	}`, selector, text)
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 60*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.shot("failure", nil)
		b.t.Fatal(err)
	}
}

func (b *browser) click(selector, text string) {
	b.t.Helper()
	at := b.find(selector, text)
	x, y := at.X+at.Width/2, at.Y+at.Height/2
	// A menu takes a click only on what the mouse was moved to.
	b.do(chromedp.MouseEvent(chromedp.MouseMoved, x, y), chromedp.MouseClickXY(x, y))
}

func (b *browser) press(key string, modifiers ...chromedp.Modifier) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(key, chromedp.KeyModifiers(modifiers...)))
}

func (b *browser) insert(text string) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, input.InsertText, input.InsertTextParams{Text: text}); err != nil {
		b.t.Fatal(err)
	}
}

// shot leaves a picture of the page, or of a part of it.
func (b *browser) shot(name string, part *box) {
	b.t.Helper()
	params := page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatPng}
	if part != nil {
		params.Clip = &page.Viewport{X: part.X, Y: part.Y, Width: part.Width, Height: part.Height, Scale: 1}
	}
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	result, err := chromedp.Call(ctx, page.CaptureScreenshot, params)
	if err == nil {
		err = os.WriteFile(filepath.Join(b.shots, name+".png"), result.Data, 0o644)
	}
	if err != nil {
		b.t.Errorf("screenshot %s: %v", name, err)
	}
}

// labCommand starts "iimm lab --no-browser" on a folder as a user does and returns
// the address it prints. When the test ends it is interrupted, as by Ctrl-C, and
// must leave nothing.
func labCommand(t *testing.T, dir string) string {
	t.Helper()
	clone := FindClone(".")
	program := filepath.Join(t.TempDir(), "iimm")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./iimmkit/cmd/iimm")
	build.Dir = clone
	build.Env = environ("GOEXPERIMENT=simd")
	if _, err := output(build); err != nil {
		t.Fatalf("building iimm: %v", err)
	}
	settings := filepath.Join(t.TempDir(), "@jupyterlab", "notebook-extension", "tracker.jupyterlab-settings")
	// Only then are cells out of view part of the page.
	write(t, settings, `{"windowingMode": "none"}`)

	cmd := exec.Command(program, "lab", "--no-browser", "--backend", "go", dir)
	cmd.Dir = dir
	cmd.Env = environ("IIMM_MODULE="+clone, "JUPYTERLAB_SETTINGS_DIR="+filepath.Dir(filepath.Dir(filepath.Dir(settings))), "JUPYTERLAB_WORKSPACES_DIR="+t.TempDir())
	ownGroup(cmd)
	var out, complaint guarded
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		all := descendants(cmd.Process.Pid)
		cmd.Process.Signal(os.Interrupt)
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("iimm lab, interrupted: %v\n%s", err, &complaint)
			}
		case <-time.After(time.Minute):
			t.Error("iimm lab does not end")
		}
		if !waitGone(all, 5*time.Second) {
			t.Errorf("left of iimm lab: %v", living(all))
			kill(all)
		}
	})
	for {
		for line := range strings.Lines(out.String()) {
			if line = strings.TrimSpace(line); strings.HasPrefix(line, "http://127.0.0.1:") && strings.Contains(line, "token=") {
				return line
			}
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("iimm lab ended: %v\n%s%s", err, &out, &complaint)
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// guarded is a buffer that is read while a program writes to it.
type guarded struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (g *guarded) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.b.Write(p)
}

func (g *guarded) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.b.String()
}
