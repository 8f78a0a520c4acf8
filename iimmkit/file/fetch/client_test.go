package fetch

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// seen records what a server was asked with.
type seen struct {
	mu    sync.Mutex
	auth  []string
	reply http.HandlerFunc
}

func (s *seen) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.auth = append(s.auth, r.Method+" "+r.Header.Get("Authorization"))
	s.mu.Unlock()
	s.reply(w, r)
}

func TestHeadersStayWithTheHostAskedFor(t *testing.T) {
	other := &seen{reply: func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "0123456789") }}
	cdn := httptest.NewServer(other)
	defer cdn.Close()
	home := &seen{}
	hub := httptest.NewServer(home)
	defer hub.Close()
	home.reply = func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/first":
			http.Redirect(w, r, "/second", http.StatusTemporaryRedirect)
		default:
			w.Header().Set("X-Linked-Size", "10")
			http.Redirect(w, r, cdn.URL+"/blob", http.StatusFound)
		}
	}
	c := *quick
	c.Header = http.Header{"Authorization": {"Bearer secret"}}
	path := filepath.Join(t.TempDir(), "f")
	if err := c.Get(t.Context(), hub.URL+"/first", path, pin([]byte("0123456789")), nil); err != nil {
		t.Fatal(err)
	}
	if doc, err := c.Read(t.Context(), hub.URL+"/first", "", 10); err != nil || string(doc.Body) != "0123456789" {
		t.Fatalf("%v", err)
	}
	header, err := c.Head(t.Context(), hub.URL+"/first")
	if err != nil || header.Get("X-Linked-Size") != "10" || header.Get("Location") != cdn.URL+"/blob" {
		t.Errorf("head: %v, %v", header, err)
	}
	if got, want := strings.Join(home.auth, ","), "GET Bearer secret,GET Bearer secret,GET Bearer secret,GET Bearer secret,HEAD Bearer secret,HEAD Bearer secret"; got != want {
		t.Errorf("the hub saw %s", got)
	}
	if got, want := strings.Join(other.auth, ","), "GET ,GET "; got != want {
		t.Errorf("the other host saw %q, want %q", got, want)
	}
}

func TestRetryAfterIsHeededWithinReason(t *testing.T) {
	for _, c := range []struct {
		field, after string
		waits        bool
	}{
		{"Retry-After", "0", true},
		{"Retry-After", "1", true},
		{"Retry-After", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat), true},
		{"Retry-After", "3600", false},
		{"Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat), false},
		{"RateLimit", `"api";r=0;t=1`, true},
		{"RateLimit", `"api";r=0;t=900`, false},
	} {
		busy := true
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if busy {
				busy = false
				w.Header().Set(c.field, c.after)
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			fmt.Fprint(w, "x")
		}))
		var notes []string
		client := *quick
		client.Note = func(text string) { notes = append(notes, text) }
		begin := time.Now()
		_, err := client.Read(t.Context(), s.URL, "", 10)
		var status *StatusError
		switch {
		case c.waits && (err != nil || len(notes) != 1 || !strings.Contains(notes[0], "429") || !strings.Contains(notes[0], "trying again in")):
			t.Errorf("%s %s: %v, notes %q", c.field, c.after, err, notes)
		case (c.after == "1" || c.field == "RateLimit" && c.waits) && time.Since(begin) < time.Second:
			t.Errorf("waited %v", time.Since(begin))
		case !c.waits && (!errors.As(err, &status) || status.Code != 429 || !strings.Contains(err.Error(), "come back in")):
			t.Errorf("%s %s: %v", c.field, c.after, err)
		}
		busy = true
		notes = nil
		err = client.Get(t.Context(), s.URL, filepath.Join(t.TempDir(), "f"), "", nil)
		if (err == nil) != c.waits || len(notes) == 1 != c.waits {
			t.Errorf("Get, %s %s: %v, notes %q", c.field, c.after, err, notes)
		}
		s.Close()
	}
}

func TestHeadOfWhatIsNotThere(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Error-Code", "EntryNotFound")
		w.WriteHeader(http.StatusNotFound)
	}))
	defer s.Close()
	_, err := quick.Head(t.Context(), s.URL)
	var status *StatusError
	if !errors.As(err, &status) || status.Code != 404 || status.Header.Get("X-Error-Code") != "EntryNotFound" {
		t.Errorf("%v", err)
	}
}
