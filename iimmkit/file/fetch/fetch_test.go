package fetch

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// bad is a server with one file and a choice of misbehaviours.
type bad struct {
	mu       sync.Mutex
	data     []byte
	etag     string
	breaks   int  // answers that are cut off halfway
	silent   int  // answers that stop without closing
	noRange  bool // ignores Range
	shift    bool // answers ranges from another byte on
	noLength bool // chunked
	fail     []int
	requests []string // the Range headers, in order
	after    func()   // called after each answer, under mu
}

func (b *bad) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests = append(b.requests, r.Header.Get("Range"))
	if b.after != nil {
		defer b.after()
	}
	if len(b.fail) > 0 {
		code := b.fail[0]
		b.fail = b.fail[1:]
		w.WriteHeader(code)
		return
	}
	body, start := b.data, 0
	if b.etag != "" {
		w.Header().Set("ETag", b.etag)
	}
	ifRange := r.Header.Get("If-Range")
	if rng := r.Header.Get("Range"); rng != "" && !b.noRange && (ifRange == "" || ifRange == b.etag) {
		fmt.Sscanf(rng, "bytes=%d-", &start)
		if b.shift {
			start /= 2
		}
		if start >= len(body) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", len(body)))
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			return
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, len(body)-1, len(body)))
		if !b.noLength {
			w.Header().Set("Content-Length", strconv.Itoa(len(body)-start))
		}
		w.WriteHeader(http.StatusPartialContent)
	} else if !b.noLength {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	body = body[start:]
	switch {
	case b.breaks > 0:
		b.breaks--
		w.Write(body[:len(body)/2])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	case b.silent > 0:
		b.silent--
		w.Write(body[:len(body)/2])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	default:
		w.Write(body)
	}
}

func serve(t *testing.T, b *bad) string {
	t.Helper()
	s := httptest.NewServer(b)
	s.Config.ErrorLog = nil
	t.Cleanup(s.Close)
	return s.URL + "/file.bin"
}

var quick = &Client{Attempts: 4, Wait: time.Millisecond, Stall: 150 * time.Millisecond}

func randomBytes(n int, seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func pin(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func wantFile(t *testing.T, path string, data []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, data) {
		t.Fatalf("%d bytes differ from the %d served", len(got), len(data))
	}
	if _, err := os.Stat(path + ".part"); !os.IsNotExist(err) {
		t.Errorf("the part file is left: %v", err)
	}
}

func TestGetSurvivesBadServers(t *testing.T) {
	data := randomBytes(3<<20+17, 0)
	for _, c := range []struct {
		name   string
		server *bad
		ranges int // requests that must have asked for a range
	}{
		{"good", &bad{}, 0},
		{"drops the connection", &bad{breaks: 3}, 3},
		{"drops the connection more often than Attempts, with progress", &bad{breaks: 9}, 9},
		{"drops and ignores ranges", &bad{breaks: 2, noRange: true}, 2},
		{"drops, and answers ranges from another byte", &bad{breaks: 1, shift: true}, 1},
		{"says no length", &bad{noLength: true}, 0},
		{"drops without a length", &bad{breaks: 2, noLength: true}, 2},
		{"goes silent", &bad{silent: 1}, 1},
		{"is overloaded", &bad{fail: []int{503, 429, 500}}, 0},
		{"has an ETag", &bad{breaks: 2, etag: `"a"`}, 2},
	} {
		for _, pinned := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/pinned=%v", c.name, pinned), func(t *testing.T) {
				server := &bad{
					data: data, etag: c.server.etag, breaks: c.server.breaks, silent: c.server.silent, noRange: c.server.noRange,
					shift: c.server.shift, noLength: c.server.noLength, fail: c.server.fail,
				}
				address := serve(t, server)
				path := filepath.Join(t.TempDir(), "deep", "file.bin")
				sum := ""
				if pinned {
					sum = strings.ToUpper(pin(data))
				}
				if err := quick.Get(t.Context(), address, path, sum, nil); err != nil {
					t.Fatal(err)
				}
				wantFile(t, path, data)
				n := 0
				for _, r := range server.requests {
					if r != "" {
						n++
					}
				}
				if n != c.ranges {
					t.Errorf("requests %q: %d ranges, want %d", server.requests, n, c.ranges)
				}
			})
		}
	}
}

func TestPinnedFileIsNotFetchedAgain(t *testing.T) {
	data := randomBytes(1000, 1)
	server := &bad{data: data}
	address := serve(t, server)
	path := filepath.Join(t.TempDir(), "f")
	for range 2 {
		if err := quick.Get(t.Context(), address, path, pin(data), nil); err != nil {
			t.Fatal(err)
		}
	}
	if len(server.requests) != 1 {
		t.Errorf("%d requests", len(server.requests))
	}
	// A corrupt copy is replaced, also offline it is not accepted.
	if err := os.WriteFile(path, data[:10], 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("IIMM_OFFLINE", "1")
	if err := quick.Get(t.Context(), address, path, pin(data), nil); !errors.Is(err, ErrOffline) {
		t.Errorf("corrupt and offline: %v", err)
	}
	t.Setenv("IIMM_OFFLINE", "0")
	if err := quick.Get(t.Context(), address, path, pin(data), nil); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, data)
	t.Setenv("IIMM_OFFLINE", "1")
	if err := quick.Get(t.Context(), address, path, pin(data), nil); err != nil {
		t.Errorf("whole and offline: %v", err)
	}
}

func TestWrongBytesAreNotKept(t *testing.T) {
	server := &bad{data: randomBytes(5000, 2)}
	path := filepath.Join(t.TempDir(), "f")
	err := quick.Get(t.Context(), serve(t, server), path, pin([]byte("other")), nil)
	if err == nil || !strings.Contains(err.Error(), "wrong bytes") {
		t.Fatalf("%v", err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
	if len(server.requests) != 1 {
		t.Errorf("%d requests for bytes that were wrong at once", len(server.requests))
	}
	// Also not when the connection keeps breaking: this must end.
	server.breaks = 3
	if err := quick.Get(t.Context(), serve(t, server), path, pin([]byte("other")), nil); err == nil || !strings.Contains(err.Error(), "wrong bytes") {
		t.Fatalf("%v", err)
	}
}

func TestPartOfAKilledProcessIsResumed(t *testing.T) {
	data := randomBytes(1<<20, 3)
	for _, c := range []struct {
		name  string
		part  []byte
		first string // Range of the first request; "none" for no request at all
	}{
		{"half", data[:1<<19], "bytes=524288-"},
		{"whole", data, "none"},
		{"of another file", randomBytes(1000, 4), "bytes=1000-"},
		{"longer than the file", randomBytes(1<<20+5, 5), "bytes=1048581-"},
		{"empty", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := &bad{data: data}
			path := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(path+".part", c.part, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := quick.Get(t.Context(), serve(t, server), path, pin(data), nil); err != nil {
				t.Fatal(err)
			}
			wantFile(t, path, data)
			switch {
			case c.first == "none" && len(server.requests) > 0:
				t.Errorf("requests %q", server.requests)
			case c.first != "none" && server.requests[0] != c.first:
				t.Errorf("first request %q, want %q", server.requests[0], c.first)
			}
		})
	}
	t.Run("unpinned starts over", func(t *testing.T) {
		server := &bad{data: data}
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path+".part", data[:100], 0o644); err != nil {
			t.Fatal(err)
		}
		if err := quick.Get(t.Context(), serve(t, server), path, "", nil); err != nil {
			t.Fatal(err)
		}
		wantFile(t, path, data)
		if server.requests[0] != "" {
			t.Errorf("asked for %q", server.requests[0])
		}
	})
}

func TestFileThatChangesWhileBrokenOff(t *testing.T) {
	first, second := randomBytes(1<<20, 6), randomBytes(1<<20, 7)
	for _, pinned := range []bool{true, false} {
		server := &bad{data: first, etag: `"1"`, breaks: 1}
		server.after = func() { server.data, server.etag = second, `"2"` }
		if pinned {
			server.etag = "" // only the checksum can tell
			server.after = func() { server.data = second }
		}
		path, sum := filepath.Join(t.TempDir(), "f"), ""
		if pinned {
			sum = pin(second)
		}
		if err := quick.Get(t.Context(), serve(t, server), path, sum, nil); err != nil {
			t.Fatal(err)
		}
		wantFile(t, path, second)
	}
}

func TestGivesUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	missing := &bad{fail: []int{404, 404}}
	if err := quick.Get(t.Context(), serve(t, missing), path, "", nil); err == nil || !strings.Contains(err.Error(), "404") || len(missing.requests) != 1 {
		t.Errorf("404: %v after %d requests", err, len(missing.requests))
	}
	down := &bad{fail: []int{503, 503, 503, 503, 503, 503}}
	if err := quick.Get(t.Context(), serve(t, down), path, "", nil); err == nil || !strings.Contains(err.Error(), "4 tries") || len(down.requests) != 4 {
		t.Errorf("503: %v after %d requests", err, len(down.requests))
	}
	if err := quick.Get(t.Context(), "http://127.0.0.1:1/x", path, "", nil); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("nobody listens: %v", err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("a file appeared: %v", err)
	}
}

func TestStopsWhenAsked(t *testing.T) {
	data := randomBytes(1<<20, 8)
	server := &bad{data: data, silent: 1}
	patient := &Client{Attempts: 3, Wait: time.Millisecond, Stall: time.Minute}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	path := filepath.Join(t.TempDir(), "f")
	address := serve(t, server)
	if err := patient.Get(ctx, address, path, pin(data), nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
	if part, err := os.ReadFile(path + ".part"); err != nil || len(part) == 0 || !bytes.HasPrefix(data, part) {
		t.Errorf("%d bytes kept, %v", len(part), err)
	}
	if err := patient.Get(t.Context(), address, path, pin(data), nil); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, data)
	if last := server.requests[len(server.requests)-1]; last == "" {
		t.Error("started from zero after being stopped")
	}
}

func TestTwoAtOnceFetchOnce(t *testing.T) {
	data := randomBytes(2<<20, 9)
	server := &bad{data: data}
	address, path := serve(t, server), filepath.Join(t.TempDir(), "f")
	var wg sync.WaitGroup
	var failed atomic.Int32
	for range 6 {
		wg.Go(func() {
			if err := quick.Get(t.Context(), address, path, pin(data), nil); err != nil {
				t.Error(err)
				failed.Add(1)
			}
		})
	}
	wg.Wait()
	wantFile(t, path, data)
	if len(server.requests) != 1 {
		t.Errorf("%d requests", len(server.requests))
	}
}

func TestRefusesAddresses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	for _, address := range []string{"http://example.com/x", "ftp://example.com/x", "file:///etc/passwd", "", "https://", "::", "x"} {
		if err := Get(t.Context(), address, path, "", nil); err == nil {
			t.Errorf("%q was fetched", address)
		}
		if _, err := Read(t.Context(), address, "", 10); err == nil {
			t.Errorf("%q was read", address)
		}
	}
	if err := Get(t.Context(), "https://example.com/x", path, "abc", nil); err == nil || !strings.Contains(err.Error(), "SHA-256") {
		t.Errorf("short checksum: %v", err)
	}
}

func TestRedirectToPlainHTTPIsRefused(t *testing.T) {
	s := httptest.NewServer(http.RedirectHandler("http://example.com/x", http.StatusFound))
	defer s.Close()
	err := quick.Get(t.Context(), s.URL, filepath.Join(t.TempDir(), "f"), "", nil)
	if err == nil || !strings.Contains(err.Error(), "only https") || strings.Contains(err.Error(), "tries") {
		t.Errorf("%v", err)
	}
}

func TestPasswordIsNotShown(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	address := strings.Replace(s.URL, "http://", "http://user:secret@", 1)
	path := filepath.Join(t.TempDir(), "f")
	errs := []error{quick.Get(t.Context(), address, path, "", nil)}
	_, err := quick.Read(t.Context(), address, "", 10)
	errs = append(errs, err)
	s.Close()
	errs = append(errs, quick.Get(t.Context(), address, path, "", nil))
	for _, err := range errs {
		if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "user") {
			t.Errorf("%v", err)
		}
	}
}

func TestRead(t *testing.T) {
	var accept string
	fail := 2
	mux := http.NewServeMux()
	mux.HandleFunc("/from", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/to/doc", http.StatusFound) })
	mux.HandleFunc("/to/doc", func(w http.ResponseWriter, r *http.Request) {
		if fail > 0 {
			fail--
			http.Error(w, "later", http.StatusBadGateway)
			return
		}
		accept = r.Header.Get("Accept")
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, "0123456789")
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	doc, err := quick.Read(t.Context(), s.URL+"/from", "text/plain", 10)
	if err != nil {
		t.Fatal(err)
	}
	if string(doc.Body) != "0123456789" || doc.ContentType != "text/plain" || doc.URL.Path != "/to/doc" || accept != "text/plain" {
		t.Errorf("%+v, accept %q", doc, accept)
	}
	if _, err := quick.Read(t.Context(), s.URL+"/from", "", 9); err == nil || !strings.Contains(err.Error(), "larger than 9") {
		t.Errorf("over the limit: %v", err)
	}
}

func TestProgressCountsMegabytes(t *testing.T) {
	data := randomBytes(5<<20, 10)
	var r recorder
	if err := quick.Get(t.Context(), serve(t, &bad{data: data, breaks: 1}), filepath.Join(t.TempDir(), "f.bin"), pin(data), &r); err != nil {
		t.Fatal(err)
	}
	if r.total != 5 || r.n != 5 || !r.done || !strings.Contains(r.title, "f.bin") {
		t.Errorf("%+v", r)
	}
}

type recorder struct {
	title    string
	total, n int
	done     bool
}

func (r *recorder) Start(title string, total int) progress.Bar {
	r.title, r.total = title, total
	return r
}
func (r *recorder) Add(n int)   { r.n += n }
func (r *recorder) Note(string) {}
func (r *recorder) Done()       { r.done = true }

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-4/5", "bytes */7", "bytes 5-9/*", "bytes 9-5/10", "bytes 0-9/5", "bytes -1-2/3", "", "bytes 99999999999999999999-1/2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		start, size, ok := parseContentRange(s)
		if ok && (start < 0 || size < -1 || size >= 0 && start > size) {
			t.Errorf("%q: start %d of %d", s, start, size)
		}
	})
}

func TestAnMD5PinsAndResumes(t *testing.T) {
	data := randomBytes(1<<20+3, 5)
	sum := md5.Sum(data)
	want := "md5:" + hex.EncodeToString(sum[:])
	b := &bad{data: data}
	address, path := serve(t, b), filepath.Join(t.TempDir(), "f")
	// What an earlier process left is gone on with.
	if err := os.WriteFile(path+".part", data[:1<<19], 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := quick.Get(t.Context(), address, path, want, nil); err != nil {
			t.Fatal(err)
		}
		wantFile(t, path, data)
	}
	if got := strings.Join(b.requests, ","); got != "bytes=524288-" {
		t.Errorf("asked %q", got)
	}
	b.data = randomBytes(1<<20+3, 6)
	if err := quick.Get(t.Context(), address, filepath.Join(t.TempDir(), "g"), want, nil); err == nil || !strings.Contains(err.Error(), "wrong bytes: md5 ") {
		t.Errorf("other bytes: %v", err)
	}
	for _, bad := range []string{"md5:", "md5:00", "sha1:" + want[4:], want[4:]} {
		if err := quick.Get(t.Context(), address, path, bad, nil); err == nil || !strings.Contains(err.Error(), "neither a SHA-256") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
