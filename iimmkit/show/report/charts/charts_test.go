package charts

import (
	"bytes"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/show/report"
	"github.com/iimmkit/iimm/iimmkit/study/correlation"
	"github.com/iimmkit/iimm/iimmkit/study/experiment"
)

func TestWriteMakesAnSVGAndAPNGOfEveryFigure(t *testing.T) {
	var runs []experiment.Run
	for k := range 6 {
		before, forgetting := float64(k)/8, float64(k*k%5)
		runs = append(runs, experiment.Run{Schema: 1, RunID: fmt.Sprint(k), Model: "m", Method: "full", Task: fmt.Sprintf("task %d", k), NTest: 50, NTrain: 50,
			ZeroShotAccuracy: before, Accuracy: .9, Gain: 90 - 100*before, Forgetting: &forgetting,
			OffTarget: map[string][2]float64{fmt.Sprintf("task %d", (k+1)%6): {.5, .4}}, IIMM: .1 * float64(k*3%7), ProbeCVAccuracy: .5})
	}
	c, err := correlation.Analyse(runs, correlation.Options{Bootstrap: 50})
	if err != nil {
		t.Fatal(err)
	}
	in := report.Input{Runs: runs, Correlation: c}
	dir := filepath.Join(t.TempDir(), "new", "charts")
	paths, err := Write(dir, in)
	if err != nil {
		t.Fatal(err)
	}
	figures, err := report.Figures(in)
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) != 2*len(figures) || len(figures) < 8 {
		t.Errorf("%d files of %d figures", len(paths), len(figures))
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(paths) {
		t.Errorf("%d files in the folder, %v", len(entries), err)
	}
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(p, ".svg") {
			if !bytes.HasPrefix(data, []byte("<svg ")) {
				t.Errorf("%s is not SVG", p)
			}
		} else if _, err := png.Decode(bytes.NewReader(data)); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
	if !slices.Contains(paths, filepath.Join(dir, "full-iimm-gain.png")) {
		t.Error("no full-iimm-gain.png")
	}
	if _, err := Write(dir, report.Input{}); err == nil {
		t.Error("charts of nothing were written")
	}
}
