package forecast

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/study/published"
)

// Errors of left-out data sets, computed on the same figures by scikit-learn 1.9.1
// (BayesianRidge on standardised logits), in points.
func TestPublishedCLIPIsForecastAsAnotherProgramDoes(t *testing.T) {
	c, name, err := ShippedFor("clip-b-32")
	if err != nil || name != "ViT-B-32" || c.Name != "clip" {
		t.Fatal(c, name, err)
	}
	want := map[string]float64{"2 zero_shot": 6.5259370462, "4 zero_shot": 5.2209819615, "4 over_probe": 3.8552329447, "4 probe": 5.1662532330, "4 probe+zero_shot": 5.5755798776}
	list, err := c.Evaluate(t.Context(), progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		key := string('0'+rune(len(s.Inputs))) + " " + s.Predictor
		w, ok := want[key]
		if s.Target != Gain || !ok {
			continue
		}
		delete(want, key)
		if math.Abs(s.Error-w) > 1e-4 {
			t.Errorf("%s: error %.6f, want %.6f", key, s.Error, w)
		}
		if s.Predictor == Chosen {
			continue
		}
		// Known from elsewhere: 14.1 points for the mean, 5.3 for zero-shot error alone.
		if key == "4 zero_shot" && math.Abs(s.Error-5.3) > .2 {
			t.Errorf("zero-shot alone errs by %.2f, others found 5.3", s.Error)
		}
	}
	if len(want) > 0 {
		t.Errorf("not judged: %v", want)
	}
}

func TestShippedCLIPHoldsThePublishedFigures(t *testing.T) {
	c, _, err := ShippedFor("clip")
	if err != nil {
		t.Fatal(err)
	}
	if c.N != len(published.Gains()) || !c.Pooled || !slices.Equal(c.Methods, []string{"full"}) || len(c.Models) != 3 {
		t.Errorf("%+v", c.Ref())
	}
	forgettings := 0
	for _, o := range c.Observations {
		if o.Forgetting != nil {
			forgettings++
		}
		// B/32 on DTD, both tables: gain 79.68-44.20, forgetting 10.9.
		if o.Model == "ViT-B-32" && o.Task == "dtd" && (math.Abs(o.Gain()-35.48) > 1e-9 || math.Abs(*o.Forgetting-10.9) > .06 || math.Abs(*o.ProbeCVAccuracy-.7473) > 1e-9) {
			t.Errorf("%+v", o)
		}
	}
	if forgettings != len(published.FineTunes()) {
		t.Errorf("%d observations have forgetting, %d were published", forgettings, len(published.FineTunes()))
	}
}

func TestForecastOfCLIP(t *testing.T) {
	c, model, err := ShippedFor("clip-l-14")
	if err != nil {
		t.Fatal(err)
	}
	f, err := c.Forecast(Query{Model: model, Inputs: Inputs{ZeroShotAccuracy: .55, ProbeCVAccuracy: ptr(.9), IIMM: ptr(.4), Classes: 20}, Retain: []Retain{{Task: "cifar100", ZeroShotAccuracy: ptr(.75), Classes: 100}, {Task: "dtd"}}})
	if err != nil {
		t.Fatal(err)
	}
	m := f.Methods[0]
	if m.Gain == nil || m.Forgetting == nil || m.ScaledGain == nil || len(m.Retained) != 2 || m.Retained[0].Calibrated || !m.Retained[1].Calibrated {
		t.Fatalf("%+v", m)
	}
	// Of one accuracy.
	if math.Abs(m.Gain.Value-100*(m.Accuracy.Value-.55)) > 1e-12 || math.Abs(m.ScaledGain.Interval80[0]-(m.Accuracy.Interval80[0]-.55)/.45) > 1e-12 {
		t.Errorf("gain %v and scaled gain %v of accuracy %v", m.Gain, m.ScaledGain, m.Accuracy)
	}
	for _, q := range []*Quantity{m.Accuracy, m.Gain, m.Forgetting, m.Retained[0].Forgetting} {
		if !(q.Interval95[0] <= q.Interval80[0] && q.Interval80[0] <= q.Value && q.Value <= q.Interval80[1] && q.Interval80[1] <= q.Interval95[1]) {
			t.Errorf("intervals are not one in the other: %+v", q)
		}
	}
	if m.Basis.N != 27 || m.Basis.Folds != 9 || m.Basis.Predictor != "over_probe" {
		t.Errorf("accuracy rests on %+v", m.Basis)
	}
	// IIMM was not published, probes of the tasks with forgetting only in part.
	notes := strings.Join(m.Notes, "; ")
	if !strings.Contains(notes, "accuracy is forecast without IIMM") || !strings.Contains(notes, "forgetting is forecast without probe accuracy") {
		t.Errorf("notes %q", notes)
	}
	if _, err := c.Forecast(Query{Model: "ViT-H-14"}); err == nil || !strings.Contains(err.Error(), `not of model "ViT-H-14"`) {
		t.Error(err)
	}
	if _, _, err := ShippedFor("resnet"); err == nil || !strings.Contains(err.Error(), "ViT-B-32") {
		t.Error(err)
	}
}
