package assess

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	_ "github.com/iimmkit/iimm/iimmkit/model/encoder/micro"
	"github.com/iimmkit/iimm/iimmkit/study/forecast"
)

// folder writes drawn aerial tiles as a folder of images, those of two classes
// under each other's names, one image twice and one broken.
func folder(t *testing.T, perClass int, swap bool) string {
	t.Helper()
	task, err := datasets.Load("world/aerial", datasets.LoadOptions{NTrain: 7 * perClass, NTest: 7})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "tiles")
	for i := range task.Train.Len() {
		name := task.ClassNames[task.Train.Label(i)]
		if swap {
			switch task.Train.Label(i) {
			case 0:
				name = task.ClassNames[1]
			case 1:
				name = task.ClassNames[0]
			}
		}
		p, err := task.Train.Image(i)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name, fmt.Sprintf("%d.png", i))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.EncodePNG(f); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func spoil(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.png"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	copyOf := filepath.Join(filepath.Dir(files[0]), "copy.png")
	broken := filepath.Join(filepath.Dir(files[0]), "broken.png")
	if err := os.WriteFile(copyOf, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(broken, data[:len(data)/2], 0o644); err != nil {
		t.Fatal(err)
	}
}

func micro(t *testing.T) *encoder.Encoder {
	t.Helper()
	t.Setenv("IIMM_CACHE", t.TempDir())
	b, err := backend.Open(backend.Go)
	if err != nil {
		t.Fatal(err)
	}
	e, err := encoder.Open(b, "micro")
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func options() Options {
	return Options{Model: "micro", Templates: []string{"an aerial photo of {class}"}, Policy: forecast.DefaultPolicy(), Resamples: 50}
}

func TestAssessmentOfAFolder(t *testing.T) {
	e, dir := micro(t), folder(t, 30, true)
	spoil(t, dir)
	o := options()
	o.Retain, o.CostPerLabel, o.ValuePerPoint = []string{"world/shape"}, .1, 20
	a, err := DoOn(t.Context(), e, "folder:"+dir, o, progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if a.Data.Unusable != 1 || a.Data.Copies+a.Data.Leaks != 1 || a.Data.Images < 209 || a.Data.Train+a.Data.Test != a.Data.Images || a.Title != "tiles" {
		t.Errorf("%+v, title %s", a.Data, a.Title)
	}
	if c := a.Pictures.Copies; len(c) != 1 || c[0].ID == "" || c[0].Of == "" || c[0].ID == c[0].Of || c[0].PNG != c[0].OfPNG || c[0].PNG == "" || c[0].Leak != (a.Data.Leaks == 1) {
		t.Errorf("pictures of copies %+v", c)
	}
	if len(a.Data.Swapped) != 1 || a.Data.Swapped[0].AsB < .5 || a.Data.Swapped[0].BAsA < .5 {
		t.Errorf("swapped %+v", a.Data.Swapped)
	}
	total := 0
	for _, c := range a.Data.Classes {
		total += c.Images
	}
	z, right, counted := a.ZeroShot, 0, 0
	for i, row := range z.Confusion {
		right += row[i]
		of := 0
		for _, n := range row {
			of += n
		}
		if of != a.Data.Classes[i].Images {
			t.Errorf("%d images of %s are confused or not, of %d", of, a.Data.Classes[i].Name, a.Data.Classes[i].Images)
		}
		counted += of
	}
	if counted != total || float64(right)/float64(total) != z.Accuracy {
		t.Errorf("%d of %d on the diagonal, accuracy %v of %d", right, counted, z.Accuracy, total)
	}
	if total != a.Data.Images || z.N != total || !(z.CI95[0] < z.Accuracy && z.Accuracy < z.CI95[1]) || z.Chance != 1./7 {
		t.Errorf("%d images in classes, zero-shot %+v", total, z)
	}
	if !(a.Probe.Accuracy > .8) || len(a.Probe.Curve) < 4 || a.Probe.Curve[0].PerClass != 1 {
		t.Errorf("probe %+v", a.Probe)
	}
	if !(a.Intervals.IIMM[0] < a.Measured.IIMM && a.Measured.IIMM < a.Intervals.IIMM[1]) || a.ImagesForIIMM < 2 {
		t.Errorf("IIMM %v in %v, stable from %d images", a.Measured.IIMM, a.Intervals.IIMM, a.ImagesForIIMM)
	}
	if a.Forecast == nil || a.Decision == nil || a.Standing == nil || a.Standing.Tasks < 20 {
		t.Fatalf("forecast %v, decision %v, standing %+v", a.Forecast, a.Decision, a.Standing)
	}
	if a.Budget == nil || a.Budget.Balance == nil {
		t.Errorf("budget %+v, notes %v", a.Budget, a.Notes)
	}
	if len(a.Pictures.Typical) != 7 || len(a.Pictures.Wrong) == 0 || !strings.HasPrefix(a.Pictures.Wrong[0].PNG, "data:image/png;base64,") {
		t.Errorf("%d typical, %d wrong pictures", len(a.Pictures.Typical), len(a.Pictures.Wrong))
	}
	for _, p := range a.Pictures.Wrong {
		if p.As == p.Class || p.As == "" {
			t.Errorf("picture %s of %s is shown as taken for %q", p.ID, p.Class, p.As)
		}
	}
}

// The forecast of a task must not know what came of tuning it.
func TestACalibrationsOwnTaskIsLeftOut(t *testing.T) {
	c, model, err := forecast.ShippedFor("micro")
	if err != nil {
		t.Fatal(err)
	}
	a := &Assessment{Task: "folder:/data/neu-det", Model: model}
	others, err := a.withoutItself(c)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(others.Tasks, "neu-det") || len(others.Tasks) != len(c.Tasks)-1 || len(a.Notes) != 1 || !slices.Contains(c.Tasks, "neu-det") {
		t.Errorf("%d of %d tasks are left, notes %v", len(others.Tasks), len(c.Tasks), a.Notes)
	}
	a.Task = "folder:/data/parts"
	if same, err := a.withoutItself(c); err != nil || same != c {
		t.Errorf("another task changed the calibration (%v)", err)
	}
	for task, want := range map[string]string{"world/shape": "world/shape", "folder:/a/b.zip": "b", "folder:x/": "x"} {
		if got := shortName(task); got != want {
			t.Errorf("%s is called %s", task, got)
		}
	}
}

func TestAModelWithoutCalibrationIsMeasuredAllTheSame(t *testing.T) {
	e := micro(t)
	o := options()
	o.Model = "of my own"
	a, err := DoOn(t.Context(), e, "folder:"+folder(t, 12, false), o, progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if a.Forecast != nil || a.Decision != nil || a.Budget != nil || len(a.Notes) == 0 || !strings.Contains(a.Notes[0], "nothing is forecast") {
		t.Errorf("forecast %v, notes %v", a.Forecast, a.Notes)
	}
	if len(a.Data.Swapped) != 0 || a.Data.Unusable+a.Data.Copies+a.Data.Leaks != 0 {
		t.Errorf("%+v", a.Data)
	}
}

func TestJunkIsRefusedInOneLine(t *testing.T) {
	e := micro(t)
	empty := t.TempDir()
	one := filepath.Join(t.TempDir(), "one")
	if err := os.CopyFS(filepath.Join(one, "only"), os.DirFS(first(t, folder(t, 2, false)))); err != nil {
		t.Fatal(err)
	}
	for _, data := range []string{"folder:" + empty, "folder:" + one, "folder:" + filepath.Join(empty, "absent"), "world/nonesuch"} {
		_, err := DoOn(t.Context(), e, data, options(), progress.Discard)
		if err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", data, err)
		}
	}
}

// first is the first folder in a folder.
func first(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		t.Fatal(err)
	}
	return filepath.Join(dir, entries[0].Name())
}
