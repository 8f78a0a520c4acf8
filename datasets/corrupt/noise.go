package corrupt

import (
	"math"
	"math/rand/v2"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

// grains calls f for all samples of each grain of noise, by their indices in
// Pix: one channel of a square of pixels, cut off at the right and lower edges.
func grains(p *picture.RGB, f func(samples []int)) {
	g := max(1, min(p.Width, p.Height)/largeSide)
	samples := make([]int, 0, g*g)
	for y := 0; y < p.Height; y += g {
		for x := 0; x < p.Width; x += g {
			for channel := range 3 {
				samples = samples[:0]
				for j := y; j < min(y+g, p.Height); j++ {
					for i := x; i < min(x+g, p.Width); i++ {
						samples = append(samples, 3*(j*p.Width+i)+channel)
					}
				}
				f(samples)
			}
		}
	}
}

func gaussianNoise(p *picture.RGB, sigma float64, rng *rand.Rand) (*picture.RGB, error) {
	out := picture.New(p.Width, p.Height)
	grains(p, func(samples []int) {
		noise := 255 * sigma * rng.NormFloat64()
		for _, i := range samples {
			out.Pix[i] = level(float64(p.Pix[i]) + noise)
		}
	})
	return out, nil
}

func shotNoise(p *picture.RGB, white float64, rng *rand.Rand) (*picture.RGB, error) {
	out := picture.New(p.Width, p.Height)
	grains(p, func(samples []int) {
		u := rng.Float64()
		for _, i := range samples {
			out.Pix[i] = level(255 * float64(poisson(white*float64(p.Pix[i])/255, u)) / white)
		}
	})
	return out, nil
}

// poisson returns the least count whose cumulative probability under mean is u
// or more, u in [0,1). The mean must be below 700, where exp underflows.
func poisson(mean, u float64) int {
	k, probability := 0, math.Exp(-mean)
	// Rounding may leave the sum of all probabilities short of u.
	for sum := probability; sum < u && probability > 0; sum += probability {
		k++
		probability *= mean / float64(k)
	}
	return k
}
