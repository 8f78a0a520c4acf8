package forecast

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// The tables of README, logged. What wins is not asserted: that is for the data
// to say. That intervals hold clearly less than they promise would be a defect.
func TestShippedCalibrationsAreJudged(t *testing.T) {
	if testing.Short() {
		t.Skip("leaves every task of every calibration out")
	}
	for _, c := range Shipped() {
		// One method of each kind: the table of all takes a while.
		part, err := New(c.Name, c.Source, slices.DeleteFunc(slices.Clone(c.Observations), func(o Observation) bool {
			return o.Method != "full" && o.Method != "probe" || !slices.Contains([]string{"micro-clip", "ViT-B-32", "ViT-B-16", "ViT-L-14"}, o.Model)
		}), c.Retained, c.Options)
		if err != nil {
			t.Fatal(err)
		}
		scores, err := part.Evaluate(t.Context(), progress.Discard)
		if err != nil {
			t.Fatal(err)
		}
		var page strings.Builder
		if err := WriteMarkdown(&page, scores); err != nil {
			t.Fatal(err)
		}
		t.Logf("calibration %s\n%s", c.Name, page.String())
		for _, s := range scores {
			if s.N == 0 || s.Error < 0 || s.Error > 200 {
				t.Errorf("%+v", s)
			}
			if s.Predictor == Chosen && (s.Coverage80.CI95[1] < .8 || s.Coverage95.CI95[1] < .95) {
				t.Errorf("intervals hold less than they say: %+v", s)
			}
		}
	}
}

func TestShippedCalibrationsSayWhereTheyComeFrom(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Shipped() {
		if seen[c.Name] || len(c.Source) < 20 || c.N == 0 || len(c.Protocols) != 1 {
			t.Errorf("%+v", c.Ref())
		}
		seen[c.Name] = true
	}
	c, name, err := ShippedFor("micro")
	if err != nil || name != "micro-clip" || c.Name != "micro" || len(c.Backends) == 0 {
		t.Error(c.Ref(), name, err)
	}
	f, err := c.Forecast(Query{Model: name, Methods: []string{"full"}, Inputs: Inputs{ZeroShotAccuracy: .3, ProbeCVAccuracy: ptr(.7), IIMM: ptr(.4), Classes: 8}, Retain: []Retain{{Task: "world/shape"}}})
	if err != nil {
		t.Fatal(err)
	}
	if m := f.Methods[0]; m.Gain == nil || m.Forgetting == nil || len(m.Retained) != 1 {
		t.Errorf("%+v", m)
	}
}

// Who only forecasts must not link what tunes.
func TestForecastingIsLight(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Skipf("go list: %v", err)
	}
	for _, name := range strings.Fields(string(out)) {
		if strings.Contains(name, "gomlx") || strings.Contains(name, "arrow-go") {
			t.Errorf("imports %s", name)
		}
	}
	if !strings.Contains(string(out), "gonum.org/v1/gonum/mat") {
		t.Errorf("go list says %q", out)
	}
}
