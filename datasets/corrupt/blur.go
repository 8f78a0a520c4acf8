package corrupt

import (
	"math"
	"math/rand/v2"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

// tap is the weight of a neighbour in an average.
type tap struct {
	dx, dy int
	weight float64
}

// average replaces every pixel of an image of width x height by the mean of its
// neighbours, by taps whose weights sum to 1. Beyond its edges the image goes on
// as it is there.
func average(pix []float64, width, height int, taps []tap) []float64 {
	left, right := 0, 0
	for _, t := range taps {
		left, right = max(left, -t.dx), max(right, t.dx)
	}
	stride := 3 * (left + width + right)
	wide := make([]float64, height*stride) // with the edges drawn out to the sides
	for y := range height {
		for x := range left + width + right {
			copy(wide[y*stride+3*x:][:3], pix[3*(y*width+clamp(x-left, width)):])
		}
	}
	out := make([]float64, len(pix))
	for y := range height {
		row := out[3*width*y : 3*width*(y+1)]
		for _, t := range taps {
			from := wide[clamp(y+t.dy, height)*stride+3*(left+t.dx):][:len(row)]
			for i, v := range from {
				row[i] += t.weight * v
			}
		}
	}
	return out
}

func blur(p *picture.RGB, passes ...[]tap) *picture.RGB {
	pix := make([]float64, len(p.Pix))
	for i, v := range p.Pix {
		pix[i] = float64(v)
	}
	for _, taps := range passes {
		pix = average(pix, p.Width, p.Height, taps)
	}
	out := picture.New(p.Width, p.Height)
	for i, v := range pix {
		out.Pix[i] = level(v)
	}
	return out
}

// gaussianBlur averages along rows, then along columns.
func gaussianBlur(p *picture.RGB, sigma float64, _ *rand.Rand) (*picture.RGB, error) {
	var across, down []tap
	weights := gaussianWeights(sigma)
	for i, w := range weights {
		across = append(across, tap{dx: i - len(weights)/2, weight: w})
		down = append(down, tap{dy: i - len(weights)/2, weight: w})
	}
	return blur(p, across, down), nil
}

// gaussianWeights integrates the normal density over each pixel, which the
// density at the pixel's middle would miss where sigma is below a pixel. Pixels
// beyond four sigma are left out; the sum is 1.
func gaussianWeights(sigma float64) []float64 {
	radius := int(math.Ceil(4 * sigma))
	weights := make([]float64, 2*radius+1)
	sum := 0.0
	for i := range weights {
		x := float64(i - radius)
		weights[i] = (math.Erf((x+.5)/(sigma*math.Sqrt2)) - math.Erf((x-.5)/(sigma*math.Sqrt2))) / 2
		sum += weights[i]
	}
	for i := range weights {
		weights[i] /= sum
	}
	return weights
}

// motionBlur averages along a line whose middle is the pixel.
func motionBlur(p *picture.RGB, length float64, rng *rand.Rand) (*picture.RGB, error) {
	return blur(p, lineTaps(length, rng.Float64()*math.Pi)), nil
}

// pointsPerPixel is how densely lines are sampled.
const pointsPerPixel = 16

// lineTaps are the weights of the pixels around a line through the middle of a
// pixel: of points evenly on it, each interpolated between the four pixels
// around it. The sum is 1.
func lineTaps(length, angle float64) []tap {
	n := max(1, int(math.Ceil(length*pointsPerPixel)))
	radius := int(math.Ceil(length/2)) + 1
	side := 2*radius + 1
	weights := make([]float64, side*side)
	sin, cos := math.Sincos(angle)
	for i := range n {
		along := length * ((float64(i)+.5)/float64(n) - .5)
		x, y := along*cos+float64(radius), along*sin+float64(radius)
		x0, y0 := math.Floor(x), math.Floor(y)
		fx, fy := x-x0, y-y0
		at := int(y0)*side + int(x0)
		weights[at] += (1 - fx) * (1 - fy) / float64(n)
		weights[at+1] += fx * (1 - fy) / float64(n)
		weights[at+side] += (1 - fx) * fy / float64(n)
		weights[at+side+1] += fx * fy / float64(n)
	}
	var taps []tap
	for i, w := range weights {
		if w > 0 {
			taps = append(taps, tap{i%side - radius, i/side - radius, w})
		}
	}
	return taps
}

// clamp brings an index into 0..n-1.
func clamp(i, n int) int { return min(max(i, 0), n-1) }
