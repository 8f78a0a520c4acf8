package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/huggingface/hubtest"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/selftest"
)

const microClip = "../../model/encoder/micro/clip"

// serveMicro starts a hub that has micro-clip as OWNER/REPO, and as clip-b-32.
func serveMicro(t *testing.T) (*hubtest.Server, *hubtest.Repository) {
	t.Helper()
	s := hubtest.New(t)
	r := &hubtest.Repository{Commit: strings.Repeat("a1", 20), Files: map[string][]byte{}}
	for _, name := range []string{"config.json", "preprocessor_config.json", "tokenizer.json", "model.safetensors"} {
		data, err := os.ReadFile(filepath.Join(microClip, name))
		if err != nil {
			t.Fatal(err)
		}
		r.Files[name] = data
	}
	s.Repositories["openai/clip-vit-base-patch32"] = r
	s.Repositories["ann/micro"] = r
	return s, r
}

// decode runs a command line that must succeed and decodes its JSON.
func decode(t *testing.T, into any, args ...string) {
	t.Helper()
	code, out, errs := iimm(append(args, "--json")...)
	if code != 0 {
		t.Fatalf("%q: exit %d, %s", args, code, errs)
	}
	d := json.NewDecoder(strings.NewReader(out))
	if err := d.Decode(into); err != nil || d.More() {
		t.Fatalf("%q: %v: %s", args, err, out)
	}
}

type modelLines struct {
	Schema int
	Models []struct {
		Name, Source, Commit, Dir, Status, Against, Hash string
		Here, Pinned                                     bool
		Bytes                                            int64
		MaxDifference                                    *selftest.Difference `json:"max_difference"`
	}
}

func (l modelLines) index(name string) int {
	for i, m := range l.Models {
		if m.Name == name {
			return i
		}
	}
	return -1
}

func TestModelsAreFetchedListedAndOpened(t *testing.T) {
	_, r := serveMicro(t)
	var before, after modelLines
	decode(t, &before, "models", "list")
	if m := before.Models[before.index("micro-clip")]; m.Source != "embedded" || !m.Here || m.Bytes < 1e6 || m.Hash == "" {
		t.Errorf("%+v", m)
	}
	if m := before.Models[before.index("clip-b-32")]; m.Source != "hub" || m.Here || m.Commit != "unpinned" {
		t.Errorf("%+v", m)
	}
	if code, _, errs := iimm("models", "show", "clip-b-32"); code != 1 || !strings.Contains(errs, "iimm models fetch clip-b-32") {
		t.Errorf("exit %d, %s", code, errs)
	}
	code, out, errs := iimm("models", "fetch", "clip-b-32")
	if code != 0 || !strings.Contains(out, "fetched 1.2 MB") || !strings.Contains(out, "unpinned") || !strings.Contains(out, r.Commit) || !strings.Contains(errs, "model.safetensors") {
		t.Errorf("exit %d, %q, %q", code, out, errs)
	}
	var f struct {
		Schema           int
		Commit, Dir      string
		DownloadedBytes  int64 `json:"downloaded_bytes"`
		Recorded, Verify bool
	}
	decode(t, &f, "models", "fetch", "clip-b-32")
	if f.Schema != 1 || f.Commit != r.Commit || f.DownloadedBytes != 0 || f.Recorded {
		t.Errorf("%+v", f)
	}
	decode(t, &after, "models", "list")
	if m := after.Models[after.index("clip-b-32")]; !m.Here || !m.Pinned || m.Dir != f.Dir || m.Bytes < 1e6 {
		t.Errorf("%+v", m)
	}
	var shown modelLines
	decode(t, &shown, "models", "show", "clip-b-32")
	if m := shown.Models[0]; m.Hash != before.Models[before.index("micro-clip")].Hash {
		t.Errorf("%+v", m)
	}
	if _, text, _ := iimm("models", "list"); !strings.Contains(text, "clip-b-32") || !strings.Contains(text, r.Commit[:12]) {
		t.Errorf("%s", text)
	}
}

func TestModelsPinWritesTheLockAndNamesFailures(t *testing.T) {
	s, r := serveMicro(t)
	lock := filepath.Join(t.TempDir(), "lock.json")
	code, out, errs := iimm("models", "pin", "clip-b-32", "siglip-b-16", "--lock", lock)
	if code != 1 || !strings.Contains(out, r.Commit[:12]) || !strings.Contains(errs, "not pinned: siglip-b-16") || !strings.Contains(errs, "timm/ViT-B-16-SigLIP") {
		t.Errorf("exit %d, %s, %s", code, out, errs)
	}
	if data, err := os.ReadFile(lock); err != nil || !bytes.Contains(data, []byte(hubtest.SHA256(r.Files["model.safetensors"]))) {
		t.Errorf("%s, %v", data, err)
	}
	for _, req := range s.Requests() {
		if strings.Contains(req, "model.safetensors") {
			t.Errorf("pin asked %s", req)
		}
	}
}

func TestModelsRefuseWrongCalls(t *testing.T) {
	serveMicro(t)
	for args, want := range map[string]int{
		"models": 2, "models fetch": 2, "models fetch resnet": 2, "models fetch micro": 2, "models fetch hf:x": 2, "models pin hf:x": 2,
		"models check": 2, "models check micro --all-micro": 2, "models check --all-micro --inputs x": 2, "models check micro --tolerance 0": 2,
		"models check micro --inputs x": 2, "models check /nowhere": 1, "models check hf:x": 2, "models check clip-b-16": 1,
		"models fetch hf:nobody/nothing": 1, "models list extra": 2,
	} {
		code, out, errs := iimm(strings.Fields(args)...)
		if code != want || out != "" || strings.Count(errs, "iimm: ") != 1 {
			t.Errorf("%s: exit %d, want %d: %q, %q", args, code, want, out, errs)
		}
	}
}

func TestModelsCheckPassesForTheMicroModels(t *testing.T) {
	hubtest.New(t)
	var got modelLines
	decode(t, &got, "models", "check", "--all-micro", "--backend", "go")
	if len(got.Models) == 0 {
		t.Fatal("no micro model")
	}
	for _, m := range got.Models {
		if m.Status != "passed" || m.Against != "reference" || m.MaxDifference == nil || !m.MaxDifference.Within(selftest.Tolerance) {
			t.Errorf("%+v", m)
		}
	}
	// A tolerance below rounding fails, and says so.
	code, out, errs := iimm("models", "check", "--all-micro", "--backend", "go", "--tolerance", "1e-12")
	if code != 1 || !strings.Contains(out, "failed") || !strings.Contains(errs, "failed the self-test") {
		t.Errorf("exit %d, %s, %s", code, out, errs)
	}
}

func TestModelsCheckRecordsTheFirstLoadUntilAReferenceComes(t *testing.T) {
	serveMicro(t)
	const model = "hf:ann/micro"
	if code, _, errs := iimm("models", "fetch", model); code != 0 {
		t.Fatal(errs)
	}
	code, out, errs := iimm("models", "check", model, "--backend", "go")
	if code != 0 || !strings.Contains(out, "recorded") || !strings.Contains(out, "not known") {
		t.Errorf("exit %d, %s, %s", code, out, errs)
	}
	var got modelLines
	decode(t, &got, "models", "check", model, "--backend", "go")
	if m := got.Models[0]; m.Status != "passed" || m.Against != "first load" || *m.MaxDifference != (selftest.Difference{}) {
		t.Errorf("%+v", m)
	}
	in := filepath.Join(t.TempDir(), "in.json")
	if code, _, errs := iimm("models", "check", model, "--inputs", in); code != 0 {
		t.Error(errs)
	}
	data, err := os.ReadFile(in)
	if err != nil || !bytes.Contains(data, []byte(selftest.InputsHash())) {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	// The reference's vectors of the same files take the first load's place.
	decode(t, &got, "models", "check", model, "--backend", "go", "--reference", filepath.Join(microClip, selftest.File))
	if m := got.Models[0]; m.Status != "passed" || m.Against != "reference" {
		t.Errorf("%+v", m)
	}
	decode(t, &got, "models", "check", model, "--backend", "go")
	if m := got.Models[0]; m.Status != "passed" || m.Against != "reference" {
		t.Errorf("later: %+v", m)
	}
	// Vectors of another checkpoint are refused.
	other := strings.Replace(string(mustRead(t, filepath.Join(microClip, selftest.File))), `"model.safetensors": "`, `"model.safetensors": "0`, 1)
	path := filepath.Join(t.TempDir(), "other.json")
	if err := os.WriteFile(path, []byte(other), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := iimm("models", "check", model, "--backend", "go", "--reference", path); code != 1 || !strings.Contains(errs, "another checkpoint") {
		t.Errorf("exit %d, %s", code, errs)
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
