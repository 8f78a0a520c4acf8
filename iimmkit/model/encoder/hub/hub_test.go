package hub_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/iimmkit/iimm/iimmkit/file/fetch"
	"github.com/iimmkit/iimm/iimmkit/file/huggingface"
	"github.com/iimmkit/iimm/iimmkit/file/huggingface/hubtest"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/hub"
)

func TestMain(m *testing.M) {
	fetch.Default.Wait = time.Millisecond
	os.Exit(m.Run())
}

const (
	name       = "clip-b-32"
	repository = "openai/clip-vit-base-patch32"
	commit     = "0123456789abcdef0123456789abcdef01234567"
)

func random(n int, seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 3))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// serve starts a hub with one checkpoint in Hugging Face's layout.
func serve(t *testing.T) (*hubtest.Server, *hubtest.Repository) {
	s := hubtest.New(t)
	r := &hubtest.Repository{Commit: commit, Files: map[string][]byte{
		"config.json": []byte(`{"model_type":"clip"}`), "preprocessor_config.json": []byte(`{}`),
		"tokenizer.json":    random(hubtest.Large+500, 1), // large as SigLIP 2's is
		"model.safetensors": random(300_000, 2), "pytorch_model.bin": random(3000, 3), "README.md": []byte("read"),
	}}
	s.Repositories[repository] = r
	return s, r
}

func fetched(t *testing.T, name string) *hub.Fetched {
	t.Helper()
	f, err := hub.Fetch(t.Context(), name, hub.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func cache(t *testing.T, elem ...string) string {
	t.Helper()
	dir, err := huggingface.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(append([]string{dir, "models--openai--clip-vit-base-patch32"}, elem...)...)
}

// wantFiles checks that the folder holds what the repository has, but for the
// files that are not wanted.
func wantFiles(t *testing.T, dir string, r *hubtest.Repository, without ...string) {
	t.Helper()
	want := map[string][]byte{}
	for n, b := range r.Files {
		want[n] = b
	}
	for _, n := range without {
		delete(want, n)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if _, ok := want[e.Name()]; !ok {
			t.Errorf("%s should not be there", e.Name())
		}
	}
	for n, b := range want {
		if got, err := os.ReadFile(filepath.Join(dir, n)); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%s: %d bytes instead of %d, %v", n, len(got), len(b), err)
		}
	}
}

func TestFetchFillsHuggingFacesCache(t *testing.T) {
	s, r := serve(t)
	s.Token = "hf_secret"
	t.Setenv("HF_TOKEN", s.Token)
	f := fetched(t, name)
	if f.Commit != commit || !f.Recorded || f.Dir != cache(t, "snapshots", commit) || f.Downloaded != f.Bytes {
		t.Errorf("%+v", f)
	}
	wantFiles(t, f.Dir, r, "README.md", "pytorch_model.bin")
	if ref, err := os.ReadFile(cache(t, "refs", "main")); err != nil || string(ref) != commit {
		t.Errorf("refs/main holds %q, %v", ref, err)
	}
	for file, tag := range map[string]string{
		"config.json": hubtest.GitSHA1(r.Files["config.json"]), "model.safetensors": hubtest.SHA256(r.Files["model.safetensors"]),
	} {
		if link, err := os.Readlink(filepath.Join(f.Dir, file)); err != nil || link != "../../blobs/"+tag {
			t.Errorf("%s links to %q, %v", file, link, err)
		}
		if got := f.Files[file]; got.SHA256 != hubtest.SHA256(r.Files[file]) {
			t.Errorf("%s: %+v", file, got)
		}
	}
	if blobs, _ := os.ReadDir(cache(t, "blobs")); len(blobs) != 4 {
		t.Errorf("blobs: %v", blobs)
	}
	if leaked := s.Leaked(); leaked != nil {
		t.Errorf("the storage host was told %q", leaked)
	}
	dir, ok, err := hub.Find(name)
	if dir != f.Dir || !ok || err != nil {
		t.Errorf("found %s, %v, %v", dir, ok, err)
	}
	// What is there and pinned needs no network.
	s.Requests()
	if again := fetched(t, name); again.Downloaded != 0 || again.Recorded || again.Dir != f.Dir || len(s.Requests()) != 0 {
		t.Errorf("again: %+v", again)
	}
	t.Setenv("IIMM_OFFLINE", "1")
	fetched(t, name)
}

func TestFirstFetchIsWhatLaterOnesMustBe(t *testing.T) {
	s, r := serve(t)
	first := fetched(t, name)
	lock, err := os.ReadFile(first.Lock)
	if err != nil {
		t.Fatal(err)
	}
	l, err := hub.ParseLock(lock, first.Lock)
	if pin := l.Models[repository+"@main"]; err != nil || pin.Commit != commit || pin.Files["model.safetensors"].SHA256 != hubtest.SHA256(r.Files["model.safetensors"]) ||
		pin.Files["config.json"].GitSHA1 == "" || pin.Files["config.json"].SHA256 == "" || pin.Endpoint != s.URL {
		t.Errorf("%+v, %v", pin, err)
	}
	old := r.Files["model.safetensors"]
	os.RemoveAll(cache(t))

	t.Run("another listing", func(t *testing.T) {
		r.Files["model.safetensors"] = random(300_000, 9)
		defer func() { r.Files["model.safetensors"] = old }()
		_, err := hub.Fetch(t.Context(), name, hub.Options{})
		if err == nil || !strings.Contains(err.Error(), "refused") || !strings.Contains(err.Error(), "model.safetensors") ||
			!strings.Contains(err.Error(), hubtest.SHA256(old)) {
			t.Errorf("%v", err)
		}
		if _, err := os.Stat(cache(t, "blobs")); err == nil {
			t.Error("something was fetched")
		}
	})
	t.Run("other bytes", func(t *testing.T) {
		s.Misbehave(hubtest.Replace(old, random(300_000, 9)))
		defer s.Misbehave(hubtest.Replace(old, old))
		_, err := hub.Fetch(t.Context(), name, hub.Options{})
		if err == nil || !strings.Contains(err.Error(), "wrong bytes") {
			t.Errorf("%v", err)
		}
		if _, err := os.Stat(cache(t, "snapshots", commit, "model.safetensors")); err == nil {
			t.Error("the wrong file was linked")
		}
		if _, _, err := hub.Find(name); !errors.Is(err, hub.ErrAbsent) {
			t.Errorf("found: %v", err)
		}
	})
	t.Run("a branch that moved", func(t *testing.T) {
		moved := *r
		moved.Commit = strings.Repeat("b", 40)
		s.Repositories[repository] = &moved
		// Only the new commit is served here; the hub itself keeps old ones.
		if _, err := hub.Fetch(t.Context(), name, hub.Options{}); err == nil || !strings.Contains(err.Error(), "no revision") {
			t.Errorf("%v", err)
		}
		s.Repositories[repository] = r
	})
	if f := fetched(t, name); f.Recorded {
		t.Error("recorded again")
	}
	if now, _ := os.ReadFile(first.Lock); !bytes.Equal(now, lock) {
		t.Errorf("the lock file changed:\n%s", now)
	}
}

func TestBrokenConnectionsAreResumed(t *testing.T) {
	s, r := serve(t)
	s.Misbehave(hubtest.Breaks(3))
	f := fetched(t, name)
	wantFiles(t, f.Dir, r, "README.md", "pytorch_model.bin")
	n := 0
	for _, rng := range s.Ranges() {
		if rng != "" {
			n++
		}
	}
	if n != 3 {
		t.Errorf("ranges %q", s.Ranges())
	}
}

func TestStoppedFetchGoesOn(t *testing.T) {
	s, r := serve(t)
	ctx, cancel := context.WithCancel(t.Context())
	report := stopper{cancel}
	if _, err := hub.Fetch(ctx, name, hub.Options{Report: report}); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
	if dir, ok, err := hub.Find(name); !ok || !errors.Is(err, hub.ErrAbsent) || !strings.Contains(err.Error(), "iimm models fetch clip-b-32") {
		t.Errorf("half of it was found: %s, %v", dir, err)
	}
	// As a process leaves it that was killed in the middle of the weights.
	part := cache(t, "blobs", hubtest.SHA256(r.Files["model.safetensors"])+".part")
	if err := os.WriteFile(part, r.Files["model.safetensors"][:700], 0o644); err != nil {
		t.Fatal(err)
	}
	f := fetched(t, name)
	wantFiles(t, f.Dir, r, "README.md", "pytorch_model.bin")
	if rng := s.Ranges(); rng[len(rng)-1] != "bytes=700-" {
		t.Errorf("went on with %q", rng)
	}
}

// stopper ends the context when the first file starts to come.
type stopper struct{ stop func() }

func (s stopper) Start(string, int) progress.Bar { s.stop(); return s }
func (s stopper) Add(int)                        {}
func (s stopper) Note(string)                    {}
func (s stopper) Done()                          {}

func TestDamagedFilesAreFetchedAgain(t *testing.T) {
	_, r := serve(t)
	f := fetched(t, name)
	for _, file := range []string{"model.safetensors", "config.json"} {
		path, err := filepath.EvalSymlinks(filepath.Join(f.Dir, file))
		if err != nil {
			t.Fatal(err)
		}
		damaged := bytes.Clone(r.Files[file])
		damaged[7] ^= 1
		if err := os.WriteFile(path, damaged, 0o644); err != nil {
			t.Fatal(err)
		}
		var notes []string
		again, err := hub.Fetch(t.Context(), name, hub.Options{Note: func(n string) { notes = append(notes, n) }})
		if err != nil || again.Downloaded != int64(len(damaged)) || len(notes) != 1 || !strings.Contains(notes[0], file) {
			t.Errorf("%s: %+v, %q, %v", file, again, notes, err)
		}
		wantFiles(t, f.Dir, r, "README.md", "pytorch_model.bin")
	}
}

func TestWhatPythonFetchedIsUsed(t *testing.T) {
	s, r := serve(t)
	// As huggingface_hub leaves it.
	for n, b := range r.Files {
		tag := hubtest.GitSHA1(b)
		if len(b) >= hubtest.Large {
			tag = hubtest.SHA256(b)
		}
		for _, path := range []string{cache(t, "blobs", tag), cache(t, "snapshots", commit, n), cache(t, "refs", "main")} {
			os.MkdirAll(filepath.Dir(path), 0o755)
		}
		if err := errors.Join(os.WriteFile(cache(t, "blobs", tag), b, 0o644), os.Symlink("../../blobs/"+tag, cache(t, "snapshots", commit, n)),
			os.WriteFile(cache(t, "refs", "main"), []byte(commit), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("HF_HUB_OFFLINE", "1")
	want := cache(t, "snapshots", commit)
	if dir, ok, err := hub.Find(name); dir != want || !ok || err != nil {
		t.Errorf("%s, %v, %v", dir, ok, err)
	}
	if f := fetched(t, name); !f.Unverified || f.Dir != want || f.Recorded {
		t.Errorf("%+v", f)
	}
	t.Setenv("HF_HUB_OFFLINE", "0")
	if f := fetched(t, name); f.Unverified || f.Downloaded != 0 || !f.Recorded || f.Dir != want {
		t.Errorf("%+v", f)
	}
	if rng := s.Ranges(); len(rng) != 0 {
		t.Errorf("the storage was asked %d times", len(rng))
	}
}

func TestHubWithoutChecksumsInItsListing(t *testing.T) {
	s, r := serve(t)
	s.Misbehave(hubtest.NoSums)
	f := fetched(t, name)
	wantFiles(t, f.Dir, r, "README.md", "pytorch_model.bin")
	heads := 0
	for _, req := range s.Requests() {
		if strings.HasPrefix(req, "HEAD ") {
			heads++
		}
	}
	// Small files are redirected within the hub, so they take two.
	if heads != 6 {
		t.Errorf("%d HEAD requests", heads)
	}
	if f.Files["model.safetensors"].Size != 300_000 || f.Files["config.json"].GitSHA1 != hubtest.GitSHA1(r.Files["config.json"]) {
		t.Errorf("%+v", f.Files)
	}
}

func TestShardsOfAnIndexAreFollowed(t *testing.T) {
	_, r := serve(t)
	delete(r.Files, "model.safetensors")
	index := map[string]any{"metadata": map[string]any{"total_size": 1}, "weight_map": map[string]string{
		"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors", "c": "model-00001-of-00002.safetensors"}}
	data, err := json.Marshal(index)
	if err != nil {
		t.Fatal(err)
	}
	r.Files["model.safetensors.index.json"] = data
	r.Files["model-00001-of-00002.safetensors"] = random(5000, 5)
	r.Files["model-00002-of-00002.safetensors"] = random(6000, 6)
	r.Files["model-00003-of-00002.safetensors"] = random(7000, 7)
	f := fetched(t, "hf:"+repository)
	wantFiles(t, f.Dir, r, "README.md", "pytorch_model.bin", "model-00003-of-00002.safetensors")
	if dir, ok, err := hub.Find("hf:" + repository); dir != f.Dir || !ok || err != nil {
		t.Errorf("%s, %v", dir, err)
	}
	// Without the lock file the index tells what is missing.
	os.Remove(f.Lock)
	if _, _, err := hub.Find(name); err != nil {
		t.Error(err)
	}
	os.Remove(filepath.Join(f.Dir, "model-00002-of-00002.safetensors"))
	if _, _, err := hub.Find(name); !errors.Is(err, hub.ErrAbsent) {
		t.Errorf("found with a shard missing: %v", err)
	}
	delete(r.Files, "model-00002-of-00002.safetensors")
	if _, err := hub.Fetch(t.Context(), name, hub.Options{}); err == nil || !strings.Contains(err.Error(), "model-00002-of-00002.safetensors") {
		t.Errorf("a shard that is not in the repository: %v", err)
	}
}

func TestOpenCLIPFilesComeBeforeTheImageTowersOwn(t *testing.T) {
	_, r := serve(t)
	r.Files["open_clip_config.json"] = []byte("{}")
	r.Files["open_clip_model.safetensors"] = random(4000, 8)
	f := fetched(t, name)
	wantFiles(t, f.Dir, r, "README.md", "pytorch_model.bin", "model.safetensors")
}

func TestListTellsWhatIsHere(t *testing.T) {
	_, _ = serve(t)
	state := func() map[string]hub.Status {
		list, err := hub.List()
		if err != nil {
			t.Fatal(err)
		}
		m := map[string]hub.Status{}
		for _, s := range list {
			m[s.Name] = s
		}
		return m
	}
	before := state()
	if len(before) != len(hub.Catalogue()) {
		t.Errorf("%d entries", len(before))
	}
	if s := before[name]; s.Fetched || s.Pinned || s.Commit != fetch.Unpinned || s.Licence != "MIT" || !strings.HasSuffix(s.Page, "/"+repository) {
		t.Errorf("%+v", s)
	}
	fetched(t, name)
	fetched(t, "hf:"+repository+"@"+commit)
	after := state()
	if s := after[name]; !s.Fetched || !s.Pinned || s.Commit != commit || s.Bytes < 300_000 || s.Bytes != s.Total || s.Dir != cache(t, "snapshots", commit) {
		t.Errorf("%+v", s)
	}
	if s := after["hf:"+repository+"@"+commit]; !s.Fetched || s.Revision != commit {
		t.Errorf("%+v", s)
	}
}

func TestNamesThatAreNotTheHubs(t *testing.T) {
	for _, n := range []string{"micro", "", "/tmp/model", "openai/clip-vit-base-patch32"} {
		if dir, ok, err := hub.Find(n); dir != "" || ok || err != nil {
			t.Errorf("%q: %q, %v, %v", n, dir, ok, err)
		}
	}
	for _, n := range []string{"hf:", "hf:x", "hf:a/b/c", "hf:a/../b", "hf:../b", "hf:a--b/c", "hf:a/b@", "hf:a/b@../c", "hf:a/b@x y", "hf:a/b.git", "hf:/b", "hf:a/.."} {
		if _, ok, err := hub.Find(n); !ok || err == nil {
			t.Errorf("%q: %v, %v", n, ok, err)
		}
	}
	if _, err := hub.Fetch(t.Context(), "resnet", hub.Options{}); err == nil || !strings.Contains(err.Error(), "clip-b-32") {
		t.Errorf("%v", err)
	}
}

func TestFetchesAtTheSameTimeAgree(t *testing.T) {
	_, r := serve(t)
	errs := make(chan error)
	for range 4 {
		go func() {
			_, err := hub.Fetch(t.Context(), name, hub.Options{})
			errs <- err
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	wantFiles(t, cache(t, "snapshots", commit), r, "README.md", "pytorch_model.bin")
}

func FuzzName(f *testing.F) {
	for _, s := range []string{"clip-b-32", "hf:openai/clip@main", "hf:a/b@refs/pr/1", "hf:a/..", "hf:--/--@..", "hf:a/b@c@d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, ok, err := hub.Parse(s)
		if !ok || err != nil {
			return
		}
		owner, repo, _ := strings.Cut(ref.Repository, "/")
		for _, part := range append(strings.Split(ref.Revision, "/"), owner, repo) {
			if !filepath.IsLocal(part) || strings.ContainsAny(part, `/\:?#%`) || strings.Contains(ref.Repository, "--") {
				t.Errorf("%q became %+v", s, ref)
			}
		}
	})
}
