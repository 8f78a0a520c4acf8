package transferability

import (
	"math"
	"math/rand/v2"
	"testing"
)

// drawnInput is n images of width d in classes that overlap, with a spectrum
// that falls as that of embeddings does, and all that any score needs.
func drawnInput(n, d, classes int) Input {
	rng := rand.New(rand.NewPCG(7, 7))
	in := Input{D: d, Classes: classes, Outcomes: 50, LabelDim: 64, Normalize: true}
	rows := func(n, d int) []float64 {
		x := make([]float64, n*d)
		for i := range x {
			x[i] = rng.NormFloat64() / math.Sqrt(1+float64(i%d)/20)
		}
		return x
	}
	in.Texts = rows(classes, d)
	in.Images = rows(n, d)
	in.Source = make([]float64, n*in.Outcomes)
	for i := range n {
		y := i % classes
		in.Labels = append(in.Labels, y)
		for j := range d {
			in.Images[i*d+j] += in.Texts[y*d+j] * .25
		}
		sum, row := 0.0, in.Source[i*in.Outcomes:(i+1)*in.Outcomes]
		for z := range row {
			row[z] = math.Exp(rng.NormFloat64() + 2*math.Cos(float64(y*(z+1))))
			sum += row[z]
		}
		for z := range row {
			row[z] /= sum
		}
	}
	for range 3 {
		in.LabelEmbeddings = append(in.LabelEmbeddings, rows(classes, in.LabelDim))
	}
	return in
}

// BenchmarkScores computes each score of 10,000 images of width 512 in 100
// classes, all once; all but the probes are to take 20 s at most on two cores.
func BenchmarkScores(b *testing.B) {
	in := drawnInput(10_000, 512, 100)
	for name, scores := range map[string][]Score{"all": Scores, "probes": Probes} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s := sampleOf(b, in)
				for _, score := range scores {
					r := score.Run(s)
					if r.Value == nil {
						b.Errorf("%s: %s", score.Name, r.Warning)
					}
					b.ReportMetric(r.Seconds, score.Name+"-s")
				}
			}
		})
	}
}
