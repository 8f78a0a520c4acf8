package hub_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/fetch"
	"github.com/iimmkit/iimm/iimmkit/file/huggingface/hubtest"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/hub"
)

func TestPinFetchesNoWeights(t *testing.T) {
	s, r := serve(t)
	path := filepath.Join(t.TempDir(), "lock.json")
	list, err := hub.Repin(t.Context(), path, []string{name, "hf:nobody/nothing"}, hub.Options{})
	if err != nil || len(list) != 2 || list[0].Commit != commit || list[0].Before != fetch.Unpinned || list[0].Files != 4 || list[1].Error == "" {
		t.Fatalf("%+v, %v", list, err)
	}
	if len(s.Ranges()) != 0 {
		t.Error("the storage was asked")
	}
	data, _ := os.ReadFile(path)
	l, err := hub.ParseLock(data, path)
	if err != nil || len(l.Models) != 1 || l.Models[repository+"@main"].Files["model.safetensors"].SHA256 != hubtest.SHA256(r.Files["model.safetensors"]) {
		t.Errorf("%+v, %v", l, err)
	}
	if _, err = hub.Repin(t.Context(), "", []string{name}, hub.Options{}); err != nil {
		t.Fatal(err)
	}
	f := fetched(t, name)
	if f.Recorded {
		t.Error("recorded although it was pinned")
	}
	// Pinning again keeps what the fetch learned, and refuses a commit with other bytes.
	if list, err = hub.Repin(t.Context(), "", []string{name}, hub.Options{}); err != nil || list[0].Before != commit || list[0].Error != "" {
		t.Errorf("%+v, %v", list, err)
	}
	data, _ = os.ReadFile(f.Lock)
	if l, err = hub.ParseLock(data, path); err != nil || l.Models[repository+"@main"].Files["config.json"].SHA256 == "" {
		t.Errorf("%s, %v", data, err)
	}
	r.Files["config.json"] = []byte(`{"model_type":"clap"}`)
	if list, err = hub.Repin(t.Context(), "", []string{name}, hub.Options{}); err != nil || !strings.Contains(list[0].Error, "refused") {
		t.Errorf("%+v, %v", list, err)
	}
	r.Commit = strings.Repeat("b", 40)
	if list, err = hub.Repin(t.Context(), "", []string{name}, hub.Options{}); err != nil || list[0].Before != commit || list[0].Commit != r.Commit {
		t.Errorf("%+v, %v", list, err)
	}
	if _, _, err := hub.Find(name); !errors.Is(err, hub.ErrAbsent) {
		t.Errorf("the old commit was found: %v", err)
	}
}

func TestProgramsLockHasEveryModelOfTheCatalogue(t *testing.T) {
	data, err := os.ReadFile("lock.json")
	if err != nil {
		t.Fatal(err)
	}
	l, err := hub.ParseLock(data, "lock.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range hub.Catalogue() {
		if _, ok := l.Models[e.Repository+"@main"]; !ok {
			t.Errorf("%s is not in lock.json", e.Name)
		}
	}
	if len(l.Models) != len(hub.Catalogue()) {
		t.Errorf("%d entries for %d models", len(l.Models), len(hub.Catalogue()))
	}
}

func FuzzLock(f *testing.F) {
	f.Add([]byte(`{"schema":1,"models":{"a/b@main":{"commit":"unpinned"}}}`))
	f.Add(fmt.Appendf(nil, `{"schema":1,"models":{"a/b@main":{"commit":"%s","files":{"config.json":{"size":3,"git_sha1":"%s"}}}}}`, commit, commit))
	f.Add([]byte(`{"schema":1,"models":{"a/b@main":{"commit":"unpinned","files":{"../x":{"size":-1}}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := hub.ParseLock(data, "x")
		if err != nil {
			return
		}
		for _, p := range l.Models {
			for name, file := range p.Files {
				if !filepath.IsLocal(name) || strings.ContainsAny(name, `/\`) || file.Size < 0 || file.SHA256+file.GitSHA1 == "" {
					t.Errorf("%q: %+v", name, file)
				}
			}
		}
	})
}

func TestPinDoesNotTryAHubThatIsNotThereForEveryModel(t *testing.T) {
	serve(t)
	t.Setenv("HF_ENDPOINT", "http://127.0.0.1:1")
	var notes []string
	list, err := hub.Repin(t.Context(), "", []string{name, "clip-b-16", "clip-l-14"}, hub.Options{Note: func(n string) { notes = append(notes, n) }})
	if err == nil || !strings.Contains(err.Error(), "refused") || len(list) != 0 || len(notes) != fetch.Default.Attempts-1 {
		t.Errorf("%+v, %v after %d notes", list, err, len(notes))
	}
}
