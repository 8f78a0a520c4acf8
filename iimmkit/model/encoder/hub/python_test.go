package hub_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/huggingface/hubtest"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/hub"
)

// python runs a program in the interpreter IIMM_PYTHON (by default python3),
// which must have huggingface_hub, and decodes what it prints.
func python(t *testing.T, s *hubtest.Server, program string, into any) {
	t.Helper()
	interpreter := os.Getenv("IIMM_PYTHON")
	if interpreter == "" {
		interpreter = "python3"
	}
	if err := exec.Command(interpreter, "-c", "import huggingface_hub").Run(); err != nil {
		if os.Getenv("IIMM_PYTHON") != "" {
			t.Fatalf("IIMM_PYTHON is set, but has no huggingface_hub: %v", err)
		}
		t.Skip("python3 has no huggingface_hub (IIMM_PYTHON names another)")
	}
	// The server reads what the test has set in requests of another process, which
	// the race detector does not know to come later: its lock tells it.
	s.Misbehave()
	cmd := exec.Command(interpreter, "-c", "import json, huggingface_hub as h\n"+program)
	cmd.Env = append(os.Environ(), "HF_HUB_DISABLE_PROGRESS_BARS=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, into)
	}
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func TestPythonFindsWhatIsFetchedHere(t *testing.T) {
	s, _ := serve(t)
	f := fetched(t, name)
	s.Requests()
	t.Setenv("HF_HUB_OFFLINE", "1")
	var got struct {
		Snapshot, File, Cached string
		Size                   int64
		Files                  int
		Warnings               []string
	}
	python(t, s, `
r = "`+repository+`"
scan = h.scan_cache_dir()
print(json.dumps({
    "snapshot": h.snapshot_download(r, local_files_only=True),
    "file": h.hf_hub_download(r, "model.safetensors", local_files_only=True),
    "cached": h.try_to_load_from_cache(r, "config.json"),
    "size": scan.size_on_disk, "files": sum(len(v.files) for x in scan.repos for v in x.revisions),
    "warnings": [str(w) for w in scan.warnings],
}))`, &got)
	if got.Snapshot != f.Dir || got.File != filepath.Join(f.Dir, "model.safetensors") || got.Cached != filepath.Join(f.Dir, "config.json") {
		t.Errorf("Python finds %+v, iimm %s", got, f.Dir)
	}
	if got.Size != f.Bytes || got.Files != len(f.Files) || len(got.Warnings) != 0 {
		t.Errorf("Python sees %+v, iimm %+v", got, f)
	}
	if r := s.Requests(); len(r) != 0 {
		t.Errorf("Python asked the hub: %q", r)
	}
}

// It also shows that the hub of these tests speaks as Python expects.
func TestWhatPythonItselfFetchesIsUsed(t *testing.T) {
	s, r := serve(t)
	s.Token = "hf_secret"
	t.Setenv("HF_TOKEN", s.Token)
	t.Setenv("HF_HUB_DISABLE_XET", "1")
	var dir string
	python(t, s, `print(json.dumps(h.snapshot_download("`+repository+`", allow_patterns=["*.json", "*.safetensors"])))`, &dir)
	wantFiles(t, dir, r, "README.md", "pytorch_model.bin")
	if leaked := s.Leaked(); len(leaked) != 0 {
		t.Errorf("Python told the storage %q", leaked)
	}
	n := len(s.Ranges())
	if found, ok, err := hub.Find(name); found != dir || !ok || err != nil {
		t.Errorf("%s instead of %s, %v", found, dir, err)
	}
	if f := fetched(t, name); f.Dir != dir || f.Downloaded != 0 || len(s.Ranges()) != n {
		t.Errorf("%+v", f)
	}
}

// Both name a refusal the same way.
func TestPythonUnderstandsTheRefusals(t *testing.T) {
	s, r := serve(t)
	r.Gated = true
	s.Token = "hf_secret"
	var got []string
	python(t, s, `
def kind(*a, **k):
    try:
        h.hf_hub_download(*a, **k)
    except Exception as e:
        return type(e).__name__
r = "`+repository+`"
print(json.dumps([kind(r, "config.json"), kind("nobody/nothing", "config.json"), kind(r, "config.json", token="hf_secret"), kind(r, "config.json", token="hf_old")]))`, &got)
	if strings.Join(got, " ") != "GatedRepoError RepositoryNotFoundError GatedRepoError HfHubHTTPError" {
		t.Errorf("%q", got)
	}
}
