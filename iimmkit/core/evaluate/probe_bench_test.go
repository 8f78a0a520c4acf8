package evaluate

import "testing"

// BenchmarkCrossValidate is the probe of one task of the quick protocol: 800 embeddings of width 64, 26 classes.
func BenchmarkCrossValidate(b *testing.B) {
	x, y := drawn(800, 64, 26, .8, false)
	steps := 0
	for b.Loop() {
		v, err := Validate(x, 64, y, 26, 5, 0)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(v.Accuracy.Top1, "accuracy")
	}
	p, err := FitProbe(x, 64, y, 26, 1)
	if err != nil {
		b.Fatal(err)
	}
	steps = p.Steps
	b.ReportMetric(float64(steps), "steps/fit")
}
