package main

import (
	"bytes"
	"encoding/json"
	"image"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// iimmDatasets runs a command line as a process would.
func iimmDatasets(args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	code = run(append([]string{"datasets"}, args...), newStreams(&o, &e))
	return code, o.String(), e.String()
}

func TestDatasetsListJSON(t *testing.T) {
	code, out, errs := iimmDatasets("list", "--json")
	if code != 0 || errs != "" {
		t.Fatal(code, errs)
	}
	var v struct {
		Schema int
		Tasks  []struct {
			Name, Group, Domain, Real string
			Classes                   []string
			Quick                     bool
		}
		Paper []struct {
			Name, Template, Needs string
			Ensemble              []string
			Retained              bool
		}
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatal(err)
	}
	tuned := 0
	for _, p := range v.Paper {
		if !strings.HasPrefix(p.Name, "paper/") || p.Needs == "" || !strings.Contains(p.Template, "{c}") {
			t.Errorf("%+v", p)
		}
		if !p.Retained {
			tuned++
		}
	}
	if tuned != 10 || len(v.Paper) != 16 {
		t.Errorf("%d data sets of the paper, %d tuned on", len(v.Paper), tuned)
	}
	quick, real := 0, 0
	for _, task := range v.Tasks {
		if task.Quick {
			quick++
		}
		if task.Real != "" {
			real++
		}
		if len(task.Classes) < 2 {
			t.Errorf("%s has classes %v", task.Name, task.Classes)
		}
	}
	if v.Schema != 1 || len(v.Tasks) < 25 || quick < 12 || real < 6 {
		t.Errorf("schema %d, %d tasks, %d quick, %d real", v.Schema, len(v.Tasks), quick, real)
	}
	_, text, _ := iimmDatasets("list", "--quick")
	if strings.Count(text, "\nworld/") != quick || strings.Contains(text, "\nmnist") {
		t.Errorf("--quick lists\n%s", text)
	}
}

func TestDatasetsShowWritesAContactSheet(t *testing.T) {
	sheet := filepath.Join(t.TempDir(), "new", "sheet.png")
	code, out, errs := iimmDatasets("show", "world/count", "--out", sheet, "--n-train", "40", "--n-test", "8", "--per-class", "5", "--cell", "32", "--json")
	if code != 0 {
		t.Fatal(code, errs)
	}
	var v struct {
		Schema  int
		Name    string
		NTrain  int `json:"n_train"`
		NTest   int `json:"n_test"`
		Hash    string
		Classes []struct {
			Class, Caption string
			Train, Test    int
		}
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatal(err)
	}
	if v.Schema != 1 || v.Name != "world/count" || v.NTrain != 40 || v.NTest != 8 || len(v.Hash) != 64 || len(v.Classes) != 4 ||
		v.Classes[3].Caption != "a photo of four objects" || v.Classes[3].Train != 10 || v.Classes[3].Test != 2 {
		t.Errorf("%+v", v)
	}
	b, err := os.ReadFile(sheet)
	if err != nil {
		t.Fatal(err)
	}
	c, err := png.DecodeConfig(bytes.NewReader(b))
	if err != nil || c.Height != 4*34 || c.Width < 5*34 {
		t.Errorf("sheet of %d x %d pixels, %v", c.Width, c.Height, err)
	}
}

// brokenFolder holds two good pictures of two classes and four problems.
func brokenFolder(t *testing.T) string {
	t.Helper()
	var good bytes.Buffer
	if err := jpeg.Encode(&good, image.NewGray(image.Rect(0, 0, 50, 50)), nil); err != nil {
		t.Fatal(err)
	}
	var other bytes.Buffer
	if err := jpeg.Encode(&other, image.NewGray(image.Rect(0, 0, 40, 50)), nil); err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for name, data := range map[string][]byte{
		"cat/good.jpg": good.Bytes(), "dog/good.jpg": other.Bytes(),
		"cat/broken.jpg": good.Bytes()[:good.Len()-9], "cat/empty.jpg": {}, "dog/text.jpg": []byte("no picture"), "void/.keep": {},
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestDatasetsCheckNamesEveryProblem(t *testing.T) {
	root := brokenFolder(t)
	want := []string{"damaged: cat/broken.jpg", "empty-file: cat/empty.jpg", "not-a-picture: dog/text.jpg", "empty-class: void"}
	code, out, errs := iimmDatasets("check", root)
	if code != 1 || !strings.Contains(errs, root+" has 4 problems") || !strings.Contains(out, "2 usable pictures of 2 classes") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	for _, w := range want {
		if !strings.Contains(out, w) {
			t.Errorf("%q is not named in\n%s", w, out)
		}
	}
	code, out, _ = iimmDatasets("check", root, "--json")
	var v struct {
		Schema   int
		NTrain   int `json:"n_train"`
		Problems []struct{ Kind, Path, Message string }
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatal(err)
	}
	if code != 1 || v.Schema != 1 || v.NTrain != 2 || len(v.Problems) != 4 {
		t.Errorf("exit %d, %+v", code, v)
	}
	for _, f := range []string{"cat/broken.jpg", "cat/empty.jpg", "dog/text.jpg"} {
		if err := os.Remove(filepath.Join(root, f)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(filepath.Join(root, "void")); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := iimmDatasets("check", "folder:"+root); code != 0 || !strings.Contains(out, "2 usable") {
		t.Errorf("mended: exit %d\n%s%s", code, out, errs)
	}
	if code, out, _ := iimmDatasets("check", root, "--json"); code != 0 || !strings.Contains(out, `"problems": []`) {
		t.Errorf("mended: exit %d\n%s", code, out)
	}
}

func TestDatasetsWrongCalls(t *testing.T) {
	png := filepath.Join(t.TempDir(), "x.png")
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"show"}, 2, "accepts 1 arg"},
		{[]string{"show", "world/shap"}, 1, "did you mean world/shape?"},
		{[]string{"show", "mnist"}, 1, "--real"},
		{[]string{"show", "paper/dtd"}, 1, "--real"},
		{[]string{"show", "paper/dtd@mine", "--real", "."}, 1, "no split"},
		{[]string{"show", "world/shape", "--out", "sheet.gif"}, 2, "must end in .png"},
		{[]string{"show", "world/shape", "--split", "valley"}, 2, "none of train, val, test"},
		{[]string{"check", ".", "--group-pattern", "("}, 2, "--group-pattern"},
		{[]string{"show", "world/shape", "--on-error", "ignore"}, 2, "neither fail nor skip"},
		{[]string{"show", "world/shape", "--per-class", "0"}, 2, "at least 1"},
		{[]string{"show", "world/shape", "--n-train", "-3"}, 2, "negative"},
		{[]string{"show", "world/shape", "--cell", "30000", "--out", png}, 1, "is not drawn"},
		{[]string{"show", "folder:" + t.TempDir()}, 1, "class folders"},
		{[]string{"show", "world/shape", "--exif", "maybe"}, 2, "neither apply nor ignore"},
		{[]string{"check", "nowhere", "--exif", "maybe"}, 2, "neither apply nor ignore"},
		{[]string{"check", "nowhere"}, 1, "nowhere"},
		{[]string{"check", "nowhere", "--json"}, 1, "nowhere"},
		{[]string{"list", "surplus"}, 2, "surplus"},
		{[]string{"list", "--frob"}, 2, "frob"},
	} {
		code, out, errs := iimmDatasets(tt.args...)
		if code != tt.code || !strings.Contains(errs, tt.want) || out != "" || strings.Count(errs, "\n") != 1 {
			t.Errorf("%v: exit %d, out %q, err %q", tt.args, code, out, errs)
		}
	}
	if _, err := os.Stat(png); err == nil {
		t.Error("a refused sheet was written")
	}
}
