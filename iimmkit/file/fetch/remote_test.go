package fetch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"
)

// storage serves one file by exact ranges, as object stores do; file is replaced by
// another when changed.
type storage struct {
	file, other []byte
	changed     atomic.Bool
	fail        atomic.Int32 // answers of 503 to come
}

func (s *storage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.fail.Add(-1) >= 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	data, tag := s.file, `"1"`
	if s.changed.Load() {
		data, tag = s.other, `"2"`
	}
	w.Header().Set("ETag", tag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

func TestRemoteIsReadByParts(t *testing.T) {
	s := &storage{file: randomBytes(100_000, 1), other: randomBytes(100_000, 2)}
	server := httptest.NewServer(s)
	defer server.Close()
	r, err := quick.Open(t.Context(), server.URL)
	if err != nil {
		t.Fatal(err)
	}
	if r.Size() != 100_000 {
		t.Errorf("%d bytes", r.Size())
	}
	part := make([]byte, 1000)
	if n, err := r.ReadAt(part, 99_500); n != 500 || err != io.EOF || !bytes.Equal(part[:n], s.file[99_500:]) {
		t.Errorf("at the end: %d, %v", n, err)
	}
	if n, err := r.ReadAt(part, 100_000); n != 0 || err != io.EOF {
		t.Errorf("behind the end: %d, %v", n, err)
	}
	if err := iotest.TestReader(io.NewSectionReader(r, 0, 300), s.file[:300]); err != nil {
		t.Error(err)
	}
	s.fail.Store(2)
	if n, err := r.ReadAt(part, 5); n != 1000 || err != nil || !bytes.Equal(part, s.file[5:1005]) {
		t.Errorf("after two refusals: %d, %v", n, err)
	}
	s.changed.Store(true)
	if _, err := r.ReadAt(part, 5); err == nil || !strings.Contains(err.Error(), "changed while it was read") {
		t.Errorf("changed: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestRemoteRefusals(t *testing.T) {
	whole := serve(t, &bad{data: randomBytes(10, 1), noRange: true})
	shifted := serve(t, &bad{data: randomBytes(1000, 1), shift: true})
	for address, want := range map[string]string{
		whole:                  "whole files only",
		"http://example.com/x": "only https",
		serve(t, &bad{fail: []int{404, 404, 404, 404, 404}}): "404",
	} {
		if _, err := quick.Open(t.Context(), address); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", address, err, want)
		}
	}
	r, err := quick.Open(t.Context(), shifted)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadAt(make([]byte, 10), 100); err == nil || !strings.Contains(err.Error(), "asked for bytes from 100 on") {
		t.Errorf("%v", err)
	}
	t.Setenv("IIMM_OFFLINE", "1")
	if _, err := quick.Open(t.Context(), whole); !errors.Is(err, ErrOffline) {
		t.Errorf("offline: %v", err)
	}
}

func TestRemoteEmptyFileAndStopping(t *testing.T) {
	server := httptest.NewServer(&storage{})
	defer server.Close()
	r, err := quick.Open(t.Context(), server.URL)
	if err != nil || r.Size() != 0 {
		t.Errorf("%v", err)
	} else if n, err := r.ReadAt(make([]byte, 1), 0); n != 0 || err != io.EOF {
		t.Errorf("%d, %v", n, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := quick.Open(ctx, server.URL); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}

func TestPartsAreAskedForOnce(t *testing.T) {
	s := &storage{file: randomBytes(100_000, 1), other: randomBytes(100_000, 2)}
	server := httptest.NewServer(s)
	defer server.Close()
	r, err := quick.Open(t.Context(), server.URL)
	if err != nil {
		t.Fatal(err)
	}
	p := NewParts(r, 1000)
	if err := iotest.TestReader(io.NewSectionReader(p, 0, 5000), s.file[:5000]); err != nil {
		t.Error(err)
	}
	if p.Fetched() != 5000 {
		t.Errorf("%d bytes for 5000", p.Fetched())
	}
	if err := p.Fetch(50_000, 10); err != nil || p.Fetched() != 5010 {
		t.Errorf("%d bytes, %v", p.Fetched(), err)
	}
	if err := p.Fetch(4_990, 20); err != nil || p.Fetched() != 5020 {
		t.Errorf("half of it was there: %d bytes, %v", p.Fetched(), err)
	}
	b := make([]byte, 100)
	// The block before a kept piece ends there, and the next begins behind it.
	if _, err := p.ReadAt(b, 49_950); err != nil || !bytes.Equal(b, s.file[49_950:50_050]) || p.Fetched() != 5020+50+1000 {
		t.Errorf("%d bytes, %v", p.Fetched(), err)
	}
	if n, err := p.ReadAt(b, 99_960); n != 40 || err != io.EOF || !bytes.Equal(b[:n], s.file[99_960:]) {
		t.Errorf("at the end: %d, %v", n, err)
	}
	if err := p.Fetch(99_999, 2); err == nil {
		t.Error("a part beyond the end was accepted")
	}
	p.Forget()
	s.changed.Store(true)
	if _, err := p.ReadAt(b, 0); err == nil || !strings.Contains(err.Error(), "changed") {
		t.Errorf("changed: %v", err)
	}
}
