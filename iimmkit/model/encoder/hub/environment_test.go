package hub_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/iimmkit/iimm/iimmkit/file/huggingface"
	"github.com/iimmkit/iimm/iimmkit/file/huggingface/hubtest"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/hub"
)

func TestOfflineNamesItsVariable(t *testing.T) {
	s, _ := serve(t)
	for _, key := range []string{"IIMM_OFFLINE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"} {
		t.Run(key, func(t *testing.T) {
			t.Setenv(key, "1")
			want := key
			if key == "TRANSFORMERS_OFFLINE" {
				want = "HF_HUB_OFFLINE"
			}
			if _, err := hub.Fetch(t.Context(), name, hub.Options{}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("fetch: %v", err)
			}
			if _, err := hub.Repin(t.Context(), "", []string{name}, hub.Options{}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("pin: %v", err)
			}
		})
	}
	if r := s.Requests(); len(r) != 0 {
		t.Errorf("asked: %q", r)
	}
}

func TestRefusalsNameThePageAndWhatToDo(t *testing.T) {
	for _, c := range []struct {
		name  string
		model string
		token string
		setup func(*hubtest.Server, *hubtest.Repository)
		want  []string
	}{
		{"gated, no token", name, "", func(_ *hubtest.Server, r *hubtest.Repository) { r.Gated = true }, []string{"gated", "/" + repository, "HF_TOKEN", "401"}},
		{"gated, asked without success", name, "hf_good", func(_ *hubtest.Server, r *hubtest.Repository) { r.Gated = true }, []string{"refused", "/" + repository, "HF_TOKEN", "403"}},
		{"token not valid", name, "hf_old", nil, []string{"token in HF_TOKEN is not accepted", "/" + repository, "401"}},
		{"absent, no token", "hf:nobody/nothing", "", nil, []string{"does not exist, or is private", "/nobody/nothing", "HF_TOKEN", "401"}},
		{"absent", "hf:nobody/nothing", "hf_good", nil, []string{"does not exist", "/nobody/nothing", "404"}},
		{"no such revision", "hf:" + repository + "@v9", "", nil, []string{`no revision "v9"`, "404"}},
		{"no checkpoint", name, "", func(_ *hubtest.Server, r *hubtest.Repository) { delete(r.Files, "config.json") }, []string{"config.json"}},
		{"no weights", name, "", func(_ *hubtest.Server, r *hubtest.Repository) {
			delete(r.Files, "model.safetensors")
			delete(r.Files, "pytorch_model.bin")
		}, []string{"no weights", "model.safetensors"}},
		{"busy for an hour", name, "", func(s *hubtest.Server, _ *hubtest.Repository) { s.Misbehave(hubtest.Busy(1, "3600")) }, []string{"429", "come back in 1h"}},
		{"busy for ever", name, "", func(s *hubtest.Server, _ *hubtest.Repository) { s.Misbehave(hubtest.Busy(1000, "0")) }, []string{"429"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, r := serve(t)
			s.Token = "hf_good"
			t.Setenv("HF_TOKEN", c.token)
			if c.setup != nil {
				c.setup(s, r)
			}
			_, err := hub.Fetch(t.Context(), c.model, hub.Options{})
			if err == nil {
				t.Fatal("fetched")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %q", err, w)
				}
			}
			if c.token != "" && strings.Contains(err.Error(), c.token) {
				t.Errorf("the token is told: %v", err)
			}
			if _, err := os.Stat(cache(t)); err == nil {
				t.Error("something was left in the cache")
			}
		})
	}
}

func TestBusyHubIsWaitedForAndSaid(t *testing.T) {
	s, r := serve(t)
	s.Misbehave(hubtest.Busy(2, "1"))
	var notes []string
	begin := time.Now()
	f, err := hub.Fetch(t.Context(), name, hub.Options{Note: func(n string) { notes = append(notes, n) }})
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, f.Dir, r, "README.md", "pytorch_model.bin")
	if d := time.Since(begin); d < 2*time.Second || len(notes) != 2 || !strings.Contains(notes[0], http.StatusText(http.StatusTooManyRequests)) {
		t.Errorf("waited %v, said %q", d, notes)
	}
}

func TestTokenOfTheTokenFile(t *testing.T) {
	s, _ := serve(t)
	s.Token = "hf_file"
	path := filepath.Join(os.Getenv("HF_HOME"), "token")
	if err := os.WriteFile(path, []byte("hf_old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := hub.Fetch(t.Context(), name, hub.Options{}); err == nil || !strings.Contains(err.Error(), "token in "+path) {
		t.Errorf("%v", err)
	}
	t.Setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
	fetched(t, name)
	t.Setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "")
	os.RemoveAll(cache(t))
	if err := os.WriteFile(path, []byte("hf_file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	fetched(t, name)
}

func TestCacheDirFollowsHuggingFacesVariables(t *testing.T) {
	for _, key := range []string{"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"} {
		t.Setenv(key, "")
	}
	t.Setenv("HOME", "/home/ann")
	for _, step := range [][3]string{
		{"HOME", "/home/ann", "/home/ann/.cache/huggingface/hub"},
		{"XDG_CACHE_HOME", "/c", "/c/huggingface/hub"},
		{"HF_HOME", "~/hf", "/home/ann/hf/hub"},
		{"HUGGINGFACE_HUB_CACHE", "$HOME/old", "/home/ann/old"},
		{"HF_HUB_CACHE", "/data/hub", "/data/hub"},
	} {
		t.Setenv(step[0], step[1])
		if dir, err := huggingface.CacheDir(); err != nil || dir != step[2] {
			t.Errorf("%s=%s: %s, %v, want %s", step[0], step[1], dir, err, step[2])
		}
	}
}
