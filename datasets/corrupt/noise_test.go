package corrupt

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

// moments returns mean and standard deviation of a channel's difference, in
// units of white.
func moments(before, after *picture.RGB, channel int) (mean, sd float64) {
	n := float64(len(before.Pix) / 3)
	var sum, squares float64
	for i := channel; i < len(before.Pix); i += 3 {
		d := (float64(after.Pix[i]) - float64(before.Pix[i])) / 255
		sum += d
		squares += d * d
	}
	mean = sum / n
	return mean, math.Sqrt(squares/n - mean*mean)
}

func TestGaussianNoiseHasItsStandardDeviation(t *testing.T) {
	p := gray(64, 64, 127)
	for severity := 1; severity <= 3; severity++ { // beyond, much is cut off at black and white
		sigma, err := Strength(GaussianNoise, severity, 64)
		if err != nil {
			t.Fatal(err)
		}
		q := apply(t, p, GaussianNoise, severity, 5)
		for c := range 3 {
			mean, sd := moments(p, q, c)
			// Four standard errors of 4096 samples.
			if math.Abs(mean) > 4*sigma/64 || math.Abs(sd-sigma) > 4*sigma/math.Sqrt(2*4096) {
				t.Errorf("severity %d, channel %d: mean %.4f, standard deviation %.4f, want 0 and %.4f", severity, c, mean, sd, sigma)
			}
		}
	}
	// Neighbours and channels have noise of their own.
	q := apply(t, p, GaussianNoise, 2, 5)
	for _, lag := range []int{1, 3, 3 * 64} {
		var xy, xx float64
		for i := range len(p.Pix) - lag {
			x, y := float64(q.Pix[i])-127, float64(q.Pix[i+lag])-127
			xy += x * y
			xx += x * x
		}
		if r := xy / xx; math.Abs(r) > 4/math.Sqrt(float64(len(p.Pix))) {
			t.Errorf("samples %d apart correlate by %.3f", lag, r)
		}
	}
}

func TestNoiseOfLargePicturesHasGrains(t *testing.T) {
	p := gray(225*2, 448, 127) // two pixels a grain; the last column of grains is whole, no row is cut
	for _, kind := range []Kind{GaussianNoise, ShotNoise} {
		q := apply(t, p, kind, 1, 1)
		different := 0
		for y := range p.Height {
			for x := range p.Width {
				at := func(x, y, c int) uint8 { return q.Pix[3*(y*p.Width+x)+c] }
				for c := range 3 {
					if at(x, y, c) != at(x&^1, y&^1, c) {
						t.Fatalf("%s: pixel %d,%d differs from its grain", kind, x, y)
					}
				}
				if x >= 2 && at(x, y, 0) != at(x-2, y, 0) {
					different++
				}
			}
		}
		if different < p.Width*p.Height*3/4 {
			t.Errorf("%s: %d pixels differ from the grain before", kind, different)
		}
	}
	// Cut off at the edges.
	apply(t, gray(451, 449, 127), ShotNoise, 1, 1)
}

// A Poisson count has its mean for variance.
func TestShotNoiseCountsLight(t *testing.T) {
	for _, v := range []uint8{20, 60, 127} {
		p := gray(64, 64, v)
		white, err := Strength(ShotNoise, 2, 64)
		if err != nil {
			t.Fatal(err)
		}
		q := apply(t, p, ShotNoise, 2, 8)
		light := float64(v) / 255
		want := math.Sqrt(light*white) / white
		for c := range 3 {
			mean, sd := moments(p, q, c)
			// Rounding to levels adds 1/12 of a squared level.
			if math.Abs(mean) > 4*want/64+.5/255 || math.Abs(sd-want) > 4*want/math.Sqrt(2*4096)+.001 {
				t.Errorf("level %d, channel %d: mean %.4f, standard deviation %.4f, want 0 and %.4f", v, c, mean, sd, want)
			}
		}
	}
	if q := apply(t, gray(8, 8, 0), ShotNoise, 5, 1); distance(q, gray(8, 8, 0)) != 0 {
		t.Error("there is noise where there is no light")
	}
}

func TestPoissonInvertsItsDistribution(t *testing.T) {
	for _, mean := range []float64{.01, .5, 3, 17.3, 60, 500} {
		d := distuv.Poisson{Lambda: mean}
		for i := range 1000 {
			u := (float64(i) + .37) / 1000
			k := poisson(mean, u)
			if d.CDF(float64(k)) < u-1e-12 || k > 0 && d.CDF(float64(k-1)) >= u+1e-12 {
				t.Fatalf("mean %g: u = %g gives %d", mean, u, k)
			}
		}
	}
	if k := poisson(0, .999); k != 0 {
		t.Errorf("%d counts of mean 0", k)
	}
	// The largest u must come to an end too.
	if k := poisson(500, math.Nextafter(1, 0)); k < 600 || k > 2000 {
		t.Errorf("the greatest count of mean 500 is %d", k)
	}
}
