package published

import (
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/reference"
)

// Points, scaled gain and mean change off target of ViT-B-32, as they are noted
// elsewhere from the same tables.
func TestFineTunesGiveTheKnownFigures(t *testing.T) {
	want := map[string][3]float64{
		"SUN397": {11.8, .321, 4.9}, "Cars": {18.5, .460, 4.0}, "RESISC45": {34.5, .878, 6.5}, "EuroSAT": {53.0, .981, 16.2},
		"SVHN": {65.7, .961, 16.7}, "GTSRB": {66.4, .984, 20.8}, "MNIST": {51.3, .992, 14.0}, "DTD": {35.8, .638, 10.9},
	}
	all := FineTunes()
	if len(all) != 24 {
		t.Fatalf("%d fine-tunes", len(all))
	}
	for i, f := range all {
		if f.Model != Models()[i/8] || f.Task != Tasks()[i%8] || len(f.OffTarget) != 7 {
			t.Errorf("number %d is %s on %s, with %d other tasks", i, f.Model, f.Task, len(f.OffTarget))
		}
		if f.Model != "ViT-B-32" {
			continue
		}
		w := want[f.Task]
		if math.Abs(f.Gain()-w[0]) > .06 || math.Abs(f.ScaledGain()-w[1]) > .0006 || math.Abs(f.Forgetting()-w[2]) > .06 {
			t.Errorf("%s: gain %.2f, scaled %.4f, forgetting %.2f; want %v", f.Task, f.Gain(), f.ScaledGain(), f.Forgetting(), w)
		}
	}
}

// Every figure against the source's own tables.
func TestFineTunesAreTranscribedRightly(t *testing.T) {
	table := func(name string) map[string]map[string]string {
		t.Helper()
		f, err := os.Open(reference.Data(t, "tables", "fusion_bench", name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		rows, err := csv.NewReader(f).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]map[string]string{}
		for _, row := range rows[1:] {
			out[row[0]] = map[string]string{}
			for i, cell := range row {
				out[row[0]][rows[0][i]] = cell
			}
		}
		return out
	}
	same := func(f FineTune, what string, got float64, cell string) {
		t.Helper()
		want, err := strconv.ParseFloat(cell, 64)
		if err != nil || math.Abs(100*got-want) > 1e-9 {
			t.Errorf("%s on %s, %s: %g, the source has %q", f.Model, f.Task, what, 100*got, cell)
		}
	}
	twenty := map[string]string{"SUN397": "sun397", "Cars": "stanford-cars", "RESISC45": "resisc45", "EuroSAT": "eurosat",
		"SVHN": "svhn", "GTSRB": "gtsrb", "MNIST": "mnist", "DTD": "dtd"}
	for _, f := range FineTunes() {
		cross := table("cross8_" + strings.ToLower(f.Model) + ".csv")
		before := cross["Pre-trained"]
		if f.Model == "ViT-B-16" {
			before = map[string]string{}
			for task, name := range twenty {
				before[task] = table("pre_ft20_vit-b-16.csv")["Pre-Trained"][name]
			}
		}
		same(f, "before", f.ZeroShot, before[f.Task])
		same(f, "after", f.Accuracy, cross[f.Task][f.Task])
		for task, a := range f.OffTarget {
			same(f, task+" before", a[0], before[task])
			same(f, task+" after", a[1], cross[f.Task][task])
		}
	}
}

func TestReadMeasures(t *testing.T) {
	path := filepath.Join(t.TempDir(), "iimm.csv")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("\ufefftask,model,iimm,n,intra\nDTD,ViT-B-32,.45,1880,.5\nCars,ViT-L-14,-0.1,8041,\n")
	list, err := ReadMeasures(path)
	if err != nil || len(list) != 2 {
		t.Fatal(list, err)
	}
	if m := list[0]; m.Model != "ViT-B-32" || m.Task != "DTD" || m.Values["iimm"] != .45 || m.Values["intra"] != .5 || len(m.Values) != 2 {
		t.Errorf("%+v", m)
	}
	if m := list[1]; m.Values["iimm"] != -.1 || len(m.Values) != 1 {
		t.Errorf("%+v", m)
	}
	for text, want := range map[string]string{
		"":                                   "the file is empty",
		"model,task\n":                       "columns model, task and iimm",
		"model,task,iimm,iimm\n":             "comes twice",
		"model,task,iimm\nViT-B-64,DTD,.1\n": `line 2: no model "ViT-B-64"`,
		"model,task,iimm\nViT-B-32,dtd,.1\n": `line 2: no task "dtd"`,
		"model,task,iimm\nViT-B-32,DTD,.1\nViT-B-32,DTD,.1\n": "line 3: ViT-B-32 on DTD comes twice",
		"model,task,iimm\nViT-B-32,DTD,NaN\n":                 `iimm is "NaN"`,
		"model,task,iimm\nViT-B-32,DTD,1.2\n":                 "must be a number in -1..1",
		"model,task,iimm,modality_gap\nViT-B-32,DTD,.1,-1\n":  "in 0..2",
		"model,task,iimm\nViT-B-32,DTD,\n":                    "line 2: iimm is missing",
		"model,task,iimm\nViT-B-32,DTD\n":                     "wrong number of fields",
	} {
		write(text)
		if _, err := ReadMeasures(path); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), path) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	if _, err := ReadMeasures(path + "x"); err == nil {
		t.Error("a file that is not there was read")
	}
}

func FuzzParseMeasures(f *testing.F) {
	f.Add([]byte("model,task,iimm\nViT-B-32,DTD,.1\n"))
	f.Add([]byte("task,iimm,model,inter\n\"DTD\",1,ViT-L-14,\n"))
	f.Add([]byte("model,task,iimm\n\"ViT"))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := parseMeasures(data)
		if err != nil && list != nil {
			t.Fatal("an error with a result")
		}
		for _, m := range list {
			if v, ok := m.Values["iimm"]; !ok || !(v >= -1 && v <= 1) {
				t.Fatalf("%+v", m)
			}
		}
	})
}
