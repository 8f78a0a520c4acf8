package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/core/embedding"
	"github.com/iimmkit/iimm/iimmkit/core/measure/golden"
)

// iimmMeasure runs a command line as a process would.
func iimmMeasure(args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	code = run(append([]string{"measure"}, args...), newStreams(&o, &e))
	return code, o.String(), e.String()
}

func writeGolden(t *testing.T, g golden.Set, ext string, change func(*embedding.Set)) string {
	t.Helper()
	s := &embedding.Set{
		Images: embedding.Float64(golden.N, golden.D, slices.Clone(g.Images)),
		Labels: slices.Clone(g.Labels),
		Texts:  embedding.Float64(golden.C, golden.D, golden.Texts()),
		Provenance: embedding.Provenance{
			Model: "sines", Task: g.Name, Split: "train", Seed: new(uint64(0)), Hashes: map[string]string{"model": "0123"},
		},
	}
	if change != nil {
		change(s)
	}
	path := filepath.Join(t.TempDir(), g.Name+ext)
	if err := embedding.Write(path, s); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMeasureJSONOfGoldenSets(t *testing.T) {
	for _, g := range []golden.Set{golden.Easy(), golden.Mid()} {
		for _, ext := range []string{".npz", ".safetensors", ".csv"} {
			path := writeGolden(t, g, ext, func(s *embedding.Set) { s.ClassNames = []string{"a", "b", "c", "d", "e", "f"} })
			args := []string{path, "--json"}
			if ext == ".csv" {
				texts := filepath.Join(t.TempDir(), "txt.csv")
				if err := os.Rename(strings.TrimSuffix(path, ext)+".texts.csv", texts); err != nil {
					t.Fatal(err)
				}
				args = append(args, "--texts", texts)
			}
			code, out, errs := iimmMeasure(args...)
			if code != 0 || errs != "" {
				t.Fatalf("%s: exit %d, %s", path, code, errs)
			}
			var got map[string]any
			if err := json.Unmarshal([]byte(out), &got); err != nil {
				t.Fatal(err)
			}
			tolerance := 1e-12
			if ext == ".csv" {
				tolerance = 1e-7
			}
			for key, want := range g.Values {
				if v, ok := got[key].(float64); !ok || math.Abs(v-want) > tolerance {
					t.Errorf("%s %s: %v, want %v", path, key, got[key], want)
				}
			}
			for key, want := range map[string]float64{"schema": 1, "n": golden.N, "d": golden.D, "classes": golden.C} {
				if got[key] != want {
					t.Errorf("%s: %s = %v, want %v", path, key, got[key], want)
				}
			}
			if f, ok := got["findings"].([]any); !ok || len(f) != 0 {
				t.Errorf("findings %v, want an empty list", got["findings"])
			}
			if _, there := got["ci95"]; there {
				t.Error("intervals that nobody asked for")
			}
			p := got["provenance"].(map[string]any)
			hashes := p["hashes"].(map[string]any)
			if ext != ".csv" && hashes["captions"] != embedding.CaptionHash([]string{"a", "b", "c", "d", "e", "f"}, nil) {
				t.Errorf("hashes %v", hashes)
			}
			if texts, _ := hashes["texts"].(string); len(texts) != 64 {
				t.Errorf("hashes %v", hashes)
			}
			if ext != ".csv" && (p["model"] != "sines" || p["split"] != "train" || p["seed"] != 0.0 || hashes["model"] != "0123") {
				t.Errorf("provenance %v", p)
			}
		}
	}
}

func TestMeasureBootstrap(t *testing.T) {
	path := writeGolden(t, golden.Mid(), ".npz", nil)
	code, out, errs := iimmMeasure(path, "--json", "--bootstrap", "200")
	if code != 0 || !strings.Contains(errs, "bootstrap") {
		t.Fatalf("exit %d, %s", code, errs)
	}
	var got struct {
		CI95      map[string]*[2]float64 `json:"ci95"`
		Bootstrap struct {
			Resamples int
			Seed      *uint64
		} `json:"bootstrap"`
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"iimm", "inter", "intra", "alignment", "inter_by_class", "modality_gap"} {
		iv, value := got.CI95[key], golden.Mid().Values[key]
		if iv == nil || !(iv[0] < value && value < iv[1]) {
			t.Errorf("%s: %v about %v", key, iv, value)
		}
	}
	if len(got.CI95) != 6 || got.Bootstrap.Resamples != 200 || got.Bootstrap.Seed == nil {
		t.Errorf("%s", out)
	}
	if _, again, _ := iimmMeasure(path, "--json", "--bootstrap", "200", "--seed", "0"); again != out {
		t.Error("seed 0 is not the default, or not repeatable")
	}
	if _, other, _ := iimmMeasure(path, "--json", "--bootstrap", "200", "--seed", "1"); other == out {
		t.Error("the seed does nothing")
	}
	code, out, _ = iimmMeasure(path, "--bootstrap", "200")
	if code != 0 || !strings.Contains(out, "IIMM") || !strings.Contains(out, "-0.007475  [-") || !strings.Contains(out, "seed 0") {
		t.Errorf("exit %d:\n%s", code, out)
	}
}

func TestMeasureNormalizesOnRequestOnly(t *testing.T) {
	path := writeGolden(t, golden.Easy(), ".safetensors", func(s *embedding.Set) {
		for i := range s.Images.F64 {
			s.Images.F64[i] *= 9
		}
	})
	code, out, errs := iimmMeasure(path, "--json")
	if code != 1 || out != "" || !strings.Contains(errs, "--normalize") {
		t.Errorf("exit %d, %q, %s", code, out, errs)
	}
	code, out, errs = iimmMeasure(path, "--json", "--normalize")
	var got struct {
		IIMM       float64
		Normalized bool
	}
	if err := json.Unmarshal([]byte(out), &got); code != 0 || err != nil || errs != "" {
		t.Fatalf("exit %d, %v, %s", code, err, errs)
	}
	if math.Abs(got.IIMM-golden.Easy().Values["iimm"]) > 1e-12 || !got.Normalized {
		t.Errorf("%+v", got)
	}
}

func TestMeasureWarnsAndStrictRefuses(t *testing.T) {
	path := writeGolden(t, golden.Easy(), ".npz", func(s *embedding.Set) {
		copy(s.Images.F64[70*golden.D:], s.Images.F64[3*golden.D:4*golden.D])
	})
	code, out, errs := iimmMeasure(path, "--json")
	if code != 0 || !strings.Contains(errs, "warning: ") || !strings.Contains(errs, "image rows 3 and 70 are exactly equal") {
		t.Errorf("exit %d, %s", code, errs)
	}
	var got struct{ Findings []embedding.Finding }
	if err := json.Unmarshal([]byte(out), &got); err != nil || len(got.Findings) != 1 || got.Findings[0].Code != "duplicate_images" {
		t.Errorf("%v %+v", err, got)
	}
	if code, out, errs := iimmMeasure(path, "--strict"); code != 1 || out != "" || strings.Count(errs, "\n") != 1 {
		t.Errorf("strict: exit %d, %q, %s", code, out, errs)
	}
}

func TestMeasureBadInputIsOneLine(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	easy := golden.Easy()
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no set":        {nil, 2, "accepts 1 arg"},
		"two sets":      {[]string{"a.npz", "b.npz"}, 2, "accepts 1 arg"},
		"unknown flag":  {[]string{"a.npz", "--frobnicate"}, 2, "unknown flag"},
		"bootstrap 0":   {[]string{"a.npz", "--bootstrap", "0"}, 2, "at least 2 resamples"},
		"negative seed": {[]string{"a.npz", "--seed", "-1"}, 2, "invalid argument"},
		"missing":       {[]string{filepath.Join(dir, "absent.npz")}, 1, "no such file"},
		"extension":     {[]string{file("set.txt", "x")}, 2, ".safetensors, .npz, .pt, .parquet, .csv"},
		"text as npz":   {[]string{file("text.npz", "0.1,0.2,0\n")}, 1, "not an npz file"},
		"csv alone":     {[]string{file("alone.csv", "1,0,0\n")}, 2, "--texts"},
		"texts, no csv": {[]string{file("a.safetensors", "x"), "--texts", file("t.csv", "1,0\n")}, 2, "holds its captions itself"},
		"NaN row": {[]string{writeGolden(t, easy, ".npz", func(s *embedding.Set) {
			s.Images.F64[17*golden.D] = math.NaN()
		})}, 1, "image row 17 has NaN in column 0"},
		"label": {[]string{writeGolden(t, easy, ".safetensors", func(s *embedding.Set) { s.Labels[9] = 6 })}, 1, "row 9 has label 6"},
		"two ills": {[]string{writeGolden(t, easy, ".safetensors", func(s *embedding.Set) {
			s.Labels[9] = 6
			clear(s.Images.F64[:golden.D])
		})}, 1, "0..5; image row 0 is a zero vector"},
		"one class": {[]string{writeGolden(t, easy, ".npz", func(s *embedding.Set) {
			s.Texts = embedding.Float64(1, golden.D, s.Texts.F64[:golden.D])
			clear(s.Labels)
		})}, 1, "at least 2 classes"},
		"one image": {[]string{writeGolden(t, easy, ".npz", func(s *embedding.Set) {
			s.Images, s.Labels = embedding.Float64(1, golden.D, s.Images.F64[:golden.D]), s.Labels[:1]
		})}, 1, "at least 2 images"},
	} {
		code, out, errs := iimmMeasure(c.args...)
		if code != c.code || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, c.want) {
			t.Errorf("%s: exit %d, stdout %q, stderr %q, want exit %d and %q", name, code, out, errs, c.code, c.want)
		}
	}
}

func TestMeasureTextNamesWhatIsUnknown(t *testing.T) {
	path := writeGolden(t, golden.Easy(), ".npz", func(s *embedding.Set) { s.Provenance = embedding.Provenance{} })
	code, out, _ := iimmMeasure(path)
	if code != 0 {
		t.Fatalf("exit %d", code)
	}
	for _, want := range []string{"120 images, 6 classes, width 80", "split unknown", "seed unknown", "captions unknown", " 0.021693"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}
