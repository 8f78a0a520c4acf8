// Package hubtest serves repositories as the Hugging Face hub does, for tests:
// the listing of a revision, resolve addresses that redirect small files within
// the hub and large ones to another host, and the ways in which all that fails.
package hubtest

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Large is the size from which a file is in large file storage.
const Large = 2000

// Repository is one repository at its only commit.
type Repository struct {
	Commit string
	Files  map[string][]byte
	Gated  bool // readable with Server.Token only, and by who asked for it
}

// Server is a hub with its storage host. Fields may be changed between requests.
type Server struct {
	URL, Storage string
	Repositories map[string]*Repository // by OWNER/REPO, of data sets datasets/OWNER/REPO
	Token        string                 // the one that is valid, "" when none is

	mu       sync.Mutex
	noSums   bool              // the listing tells no checksums
	breaks   int               // answers of the storage that are cut off halfway
	busy     int               // requests to refuse with 429
	after    string            // Retry-After of those
	replaced map[string][]byte // what the storage has under a checksum instead
	requests []string
	leaked   []string // Authorization headers that the storage saw
	ranges   []string // Range headers that the storage saw
	sent     int64    // bytes of files that hub and storage gave out
}

// New starts a hub, and points HF_ENDPOINT to it and the caches of Hugging Face
// and iimm into empty folders for the time of the test.
func New(t testing.TB) *Server {
	s := &Server{Repositories: map[string]*Repository{}, replaced: map[string][]byte{}}
	hub, storage := httptest.NewServer(http.HandlerFunc(s.hub)), httptest.NewServer(http.HandlerFunc(s.storage))
	t.Cleanup(hub.Close)
	t.Cleanup(storage.Close)
	s.URL, s.Storage = hub.URL, storage.URL
	for key, value := range map[string]string{
		"HF_ENDPOINT": s.URL, "HF_HOME": t.TempDir(), "IIMM_CACHE": t.TempDir(), "HF_HUB_CACHE": "", "HUGGINGFACE_HUB_CACHE": "",
		"HF_TOKEN": "", "HUGGING_FACE_HUB_TOKEN": "", "HF_TOKEN_PATH": "", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "",
		"HF_HUB_OFFLINE": "", "TRANSFORMERS_OFFLINE": "", "IIMM_OFFLINE": "",
	} {
		t.Setenv(key, value)
		if value == "" {
			os.Unsetenv(key) // Python takes an empty path for one
		}
	}
	return s
}

// Misbehave changes how the hub answers.
func (s *Server) Misbehave(how ...func(*Server)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range how {
		f(s)
	}
}

// NoSums lists files without their checksums, as some mirrors do.
func NoSums(s *Server) { s.noSums = true }

// Breaks cuts off the next n answers of the storage halfway.
func Breaks(n int) func(*Server) { return func(s *Server) { s.breaks = n } }

// Busy answers the next n requests with 429 and that Retry-After.
func Busy(n int, after string) func(*Server) {
	return func(s *Server) { s.busy, s.after = n, after }
}

// Replace makes the storage have other bytes than its listing says.
func Replace(file, by []byte) func(*Server) {
	return func(s *Server) { s.replaced[SHA256(file)] = by }
}

// Requests returns what the hub was asked since the last call, as "GET /path".
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.requests
	s.requests = nil
	return list
}

// Ranges returns the Range headers that the storage saw.
func (s *Server) Ranges() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ranges
}

// Sent returns how many bytes of files were given out since the last call.
func (s *Server) Sent() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.sent
	s.sent = 0
	return n
}

// counted adds what is written to the bytes given out.
type counted struct {
	http.ResponseWriter
	s *Server
}

func (c counted) Write(p []byte) (int, error) {
	c.s.sent += int64(len(p))
	return c.ResponseWriter.Write(p)
}

// Leaked returns the Authorization headers that the storage saw: none should be.
func (s *Server) Leaked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leaked
}

// SHA256 is a checksum in hexadecimal.
func SHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// GitSHA1 is the checksum that git gives a file, in hexadecimal.
func GitSHA1(b []byte) string {
	sum := sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(b)), b...))
	return hex.EncodeToString(sum[:])
}

func (s *Server) hub(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r.Method+" "+r.URL.Path)
	if s.busy > 0 {
		s.busy--
		w.Header().Set("Retry-After", s.after)
		w.WriteHeader(http.StatusTooManyRequests)
		return
	}
	fail := func(status int, code string) {
		w.Header().Set("X-Error-Code", code)
		w.WriteHeader(status)
	}
	path := r.URL.Path
	dataset := false
	for _, prefix := range []string{"/api", "/resolve-cache", "/models", "/datasets"} {
		if rest, ok := strings.CutPrefix(path, prefix+"/"); ok {
			path, dataset = "/"+rest, prefix == "/datasets"
		}
	}
	part := strings.SplitN(strings.TrimPrefix(path, "/"), "/", 5)
	if len(part) < 4 {
		fail(http.StatusNotFound, "")
		return
	}
	name, kind := part[0]+"/"+part[1], "models/"
	if dataset {
		name, kind = "datasets/"+name, ""
	}
	if strings.HasPrefix(r.URL.Path, "/api/resolve-cache/") {
		part = []string{part[0], part[1], "resolve", part[2], strings.Join(part[3:], "/")}
	}
	auth := r.Header.Get("Authorization")
	valid := auth != "" && auth == "Bearer "+s.Token
	repo := s.Repositories[name]
	switch {
	case auth != "" && !valid:
		w.Header().Set("X-Error-Message", "Invalid credentials in Authorization header")
		w.WriteHeader(http.StatusUnauthorized)
		return
	case repo == nil && !valid:
		fail(http.StatusUnauthorized, "RepoNotFound")
		return
	case repo == nil:
		fail(http.StatusNotFound, "RepoNotFound")
		return
	case repo.Gated && !valid:
		fail(http.StatusUnauthorized, "GatedRepo")
		return
	case repo.Gated:
		fail(http.StatusForbidden, "GatedRepo")
		return
	case part[3] != "main" && part[3] != repo.Commit:
		fail(http.StatusNotFound, "RevisionNotFound")
		return
	}
	if strings.HasPrefix(r.URL.Path, "/api/") && part[2] != "resolve" {
		w.Header().Set("Content-Type", "application/json")
		if part[2] == "tree" {
			json.NewEncoder(w).Encode(s.tree(repo))
			return
		}
		json.NewEncoder(w).Encode(map[string]any{"id": name, "sha": repo.Commit, "gated": false, "siblings": s.siblings(repo)})
		return
	}
	file, ok := repo.Files[part[4]]
	w.Header().Set("X-Repo-Commit", repo.Commit)
	switch {
	case !ok:
		fail(http.StatusNotFound, "EntryNotFound")
	case len(file) >= Large:
		w.Header().Set("X-Linked-Size", strconv.Itoa(len(file)))
		w.Header().Set("X-Linked-Etag", `"`+SHA256(file)+`"`)
		http.Redirect(w, r, s.Storage+"/"+SHA256(file)+"?signature=x", http.StatusFound)
	case !strings.HasPrefix(r.URL.Path, "/api/"):
		http.Redirect(w, r, "/api/resolve-cache/"+kind+name+"/"+repo.Commit+"/"+part[4], http.StatusTemporaryRedirect)
	default:
		w.Header().Set("ETag", `"`+GitSHA1(file)+`"`)
		http.ServeContent(counted{w, s}, r, part[4], time.Time{}, bytes.NewReader(file))
	}
}

// siblings is the answer to revision/REV?blobs=true.
func (s *Server) siblings(repo *Repository) []any {
	list := []any{map[string]any{"rfilename": ".gitattributes", "size": 10, "blobId": GitSHA1([]byte("x"))}}
	for _, f := range s.tree(repo) {
		entry := map[string]any{"rfilename": f["path"]}
		if !s.noSums {
			entry["size"], entry["blobId"] = f["size"], f["oid"]
			if lfs, ok := f["lfs"].(map[string]any); ok {
				entry["lfs"] = map[string]any{"sha256": lfs["oid"], "size": lfs["size"], "pointerSize": lfs["pointerSize"]}
			}
		}
		list = append(list, entry)
	}
	return list
}

// tree is the answer to tree/REV.
func (s *Server) tree(repo *Repository) []map[string]any {
	var list []map[string]any
	for name, b := range repo.Files {
		entry := map[string]any{"type": "file", "path": name, "size": len(b), "oid": GitSHA1(b)}
		if len(b) >= Large {
			entry["oid"] = GitSHA1([]byte("pointer to " + name))
			entry["lfs"] = map[string]any{"oid": SHA256(b), "size": len(b), "pointerSize": 134}
		}
		list = append(list, entry)
	}
	return list
}

func (s *Server) storage(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if auth := r.Header.Get("Authorization"); auth != "" {
		// Signed addresses refuse a second way of signing in.
		s.leaked = append(s.leaked, auth)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.ranges = append(s.ranges, r.Header.Get("Range"))
	sum := strings.TrimPrefix(r.URL.Path, "/")
	var file []byte
	for _, repo := range s.Repositories {
		for _, f := range repo.Files {
			if SHA256(f) == sum {
				file = f
			}
		}
	}
	if by, ok := s.replaced[sum]; ok {
		file = by
	}
	if file == nil {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	w.Header().Set("ETag", `"storage-`+sum+`"`)
	if s.breaks > 0 {
		s.breaks--
		start := 0
		fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &start)
		if start > 0 {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, len(file)-1, len(file)))
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(file)-start))
		if start > 0 {
			w.WriteHeader(http.StatusPartialContent)
		}
		w.Write(file[start : start+(len(file)-start)/2])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	http.ServeContent(counted{w, s}, r, "", time.Time{}, bytes.NewReader(file))
}
