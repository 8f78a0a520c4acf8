package correlation

import (
	"encoding/csv"
	"math"
	"os"
	"strconv"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/reference"
	"github.com/iimmkit/iimm/iimmkit/study/experiment"
)

// publishedTasks are the eight data sets of the public table of CLIP fine-tunes
// (tanganke/fusion_bench), with the column names of its two files.
var publishedTasks = []struct{ cross, twenty string }{
	{"SUN397", "sun397"}, {"Cars", "stanford-cars"}, {"RESISC45", "resisc45"}, {"EuroSAT", "eurosat"},
	{"SVHN", "svhn"}, {"GTSRB", "gtsrb"}, {"MNIST", "mnist"}, {"DTD", "dtd"},
}

// published reads CLIP fine-tuned on each of eight sets and tested on all of
// them, as runs. Accuracies of the table are in percent.
func published(t *testing.T, model string) []experiment.Run {
	t.Helper()
	cross := table(t, "cross8_"+model+".csv")
	before := map[string]float64{}
	for _, task := range publishedTasks {
		before[task.cross] = cross["Pre-trained"][task.cross]
	}
	if model == "vit-b-16" { // its table has no such row
		for _, task := range publishedTasks {
			before[task.cross] = table(t, "pre_ft20_vit-b-16.csv")["Pre-Trained"][task.twenty]
		}
	}
	var runs []experiment.Run
	for _, task := range publishedTasks {
		after := cross[task.cross]
		r := experiment.Run{
			Schema: 1, RunID: model + task.cross, Model: model, Method: "full", Task: task.cross,
			ZeroShotAccuracy: before[task.cross] / 100, Accuracy: after[task.cross] / 100,
			Gain: after[task.cross] - before[task.cross], ProbeCVAccuracy: .5, IIMM: .25,
		}
		scaled := r.Gain / 100 / (1 - r.ZeroShotAccuracy)
		forgetting := 0.0
		for _, other := range publishedTasks {
			if other != task {
				forgetting += (before[other.cross] - after[other.cross]) / 7
			}
		}
		r.ScaledGain, r.Forgetting = &scaled, &forgetting
		runs = append(runs, r)
	}
	return runs
}

func table(t *testing.T, name string) map[string]map[string]float64 {
	t.Helper()
	rows := readCSV(t, "tables/fusion_bench/"+name)
	out := map[string]map[string]float64{}
	for _, row := range rows[1:] {
		out[row[0]] = map[string]float64{}
		for k, cell := range row[1:] {
			v, err := strconv.ParseFloat(cell, 64)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			out[row[0]][rows[0][k+1]] = v
		}
	}
	return out
}

func readCSV(t *testing.T, name string) [][]string {
	t.Helper()
	f, err := os.Open(reference.Data(t, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// The published figures of the table: mean gain and forgetting in points, r of
// gain with forgetting and with zero-shot accuracy.
func TestAnalyseOfPublicFineTunes(t *testing.T) {
	for _, c := range []struct {
		model                                        string
		gain, forgetting, rForgetting, rGainZeroShot float64
	}{
		{"vit-b-32", 42.12, 11.76, .953, -.904},
		{"vit-b-16", 37.02, 7.28, .840, -.828},
		{"vit-l-14", 29.73, 8.70, .465, -.840},
	} {
		t.Run(c.model, func(t *testing.T) {
			report, err := Analyse(published(t, c.model), Options{})
			if err != nil {
				t.Fatal(err)
			}
			g := &report.Groups[0]
			_, gain, forgetting := g.Pairs(Gain, Forgetting)
			if math.Abs(mean(gain)-c.gain) > .01 || math.Abs(mean(forgetting)-c.forgetting) > .01 {
				t.Errorf("mean gain %.3f, forgetting %.3f; published %.2f, %.2f", mean(gain), mean(forgetting), c.gain, c.forgetting)
			}
			r, err := Pearson(gain, forgetting)
			if err != nil || !near(r.Value, c.rForgetting, .0006) {
				t.Errorf("r(gain, forgetting) %v, published %v", show(r.Value), c.rForgetting)
			}
			// Error is 1 - accuracy: the sign turns.
			if got := g.Correlation(ZeroShotError, Gain); !near(got.R, -c.rGainZeroShot, .0006) || got.N != 8 {
				t.Errorf("r(zero-shot error, gain) %v over %d, published %v", show(got.R), got.N, -c.rGainZeroShot)
			}
			if got := g.Correlation(IIMM, Gain); got.R != nil || got.Note != sameForAll {
				t.Errorf("r of a constant predictor %v, note %q", show(got.R), got.Note)
			}
		})
	}
}

// Public figures of CLIP on nine sets, three models pooled, one data set left out
// at a time (n = 27): error of the forecast gain with the mean 14.1, with
// zero-shot error 5.3, with the probe on all images beside it 5.6.
func TestForecastsOfPublicFineTunes(t *testing.T) {
	rows := readCSV(t, "tables/public_clip/probe_vs_finetune.csv")
	var task []string
	var zeroShot, probe, gain []float64
	for _, row := range rows[1:] {
		var v [4]float64
		for k := range v {
			var err error
			if v[k], err = strconv.ParseFloat(row[k+2], 64); err != nil {
				t.Fatal(err)
			}
		}
		task = append(task, row[1])
		zeroShot = append(zeroShot, v[0])
		probe = append(probe, v[2])
		gain = append(gain, v[3]-v[0])
	}
	if len(gain) != 27 {
		t.Fatalf("%d rows, want 27", len(gain))
	}
	for _, c := range []struct {
		name string
		x    [][]float64
		want float64
	}{
		{"mean", nil, 14.1},
		{"zero-shot", [][]float64{zeroShot}, 5.3},
		{"zero-shot and probe", [][]float64{zeroShot, probe}, 5.6},
	} {
		forecasts, err := LeaveOut(c.x, gain, task)
		if err != nil {
			t.Fatal(err)
		}
		if got := missed(forecasts, gain); math.Abs(got-c.want) > .06 {
			t.Errorf("%s: %.2f points off, published %.1f", c.name, got, c.want)
		}
	}
}
