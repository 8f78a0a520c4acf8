package corrupt

import (
	"math"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

// Of scipy.ndimage.correlate1d, mode nearest, with the weights that
// math.erf gives, for motley(6, 5).
var blurred = map[float64][]uint8{
	.4: {29, 53, 91, 87, 145, 197, 100, 158, 92, 151, 89, 176, 142, 98, 68, 212, 184, 167,
		152, 172, 204, 80, 117, 162, 184, 119, 166, 105, 177, 144, 67, 175, 144, 127, 114, 96,
		93, 109, 115, 130, 182, 45, 121, 172, 74, 150, 80, 184, 118, 66, 209, 167, 131, 131,
		121, 134, 133, 167, 217, 52, 130, 195, 72, 165, 73, 191, 124, 65, 207, 162, 123, 118,
		112, 121, 116, 147, 194, 25, 100, 161, 35, 124, 50, 143, 72, 169, 148, 101, 79, 50},
	2.5: {84, 102, 116, 98, 111, 121, 114, 120, 126, 131, 128, 131, 148, 135, 135, 163, 143, 139,
		94, 111, 118, 105, 118, 121, 117, 123, 124, 129, 127, 126, 142, 131, 129, 153, 135, 130,
		103, 119, 118, 110, 123, 118, 118, 125, 119, 127, 126, 120, 135, 126, 120, 143, 126, 118,
		109, 124, 115, 113, 126, 113, 118, 126, 112, 122, 124, 111, 127, 120, 109, 132, 117, 106,
		111, 126, 110, 114, 127, 106, 116, 126, 104, 118, 121, 102, 119, 115, 99, 122, 109, 93},
}

func TestGaussianBlurEqualsScipy(t *testing.T) {
	for sigma, want := range blurred {
		q, err := gaussianBlur(motley(6, 5), sigma, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if q.Pix[i] != want[i] {
				t.Errorf("sigma %g, sample %d: %d, want %d", sigma, i, q.Pix[i], want[i])
			}
		}
	}
}

// The width of a pixel adds 1/12 to the variance (Sheppard's correction).
func TestGaussianWeightsHaveTheirVariance(t *testing.T) {
	for _, sigma := range []float64{1, 2.7, 6} {
		var sum, variance float64
		weights := gaussianWeights(sigma)
		for i, w := range weights {
			x := float64(i - len(weights)/2)
			sum += w
			variance += w * x * x
		}
		if math.Abs(sum-1) > 1e-12 || math.Abs(variance-sigma*sigma-1./12) > .002*(sigma*sigma+1) {
			t.Errorf("sigma %g: sum %g, variance %g, want 1 and %g", sigma, sum, variance, sigma*sigma+1./12)
		}
	}
}

func TestSmallBlursReachTheNeighbours(t *testing.T) {
	// The normal distribution holds .7887005 within 1.25 standard deviations.
	if w := gaussianWeights(.4); math.Abs(w[len(w)/2]-.7887005) > 1e-6 {
		t.Errorf("the middle pixel has weight %.7f", w[len(w)/2])
	}
}

// Against the mean of many points of the line, each looked up between pixels.
func TestMotionBlurAveragesAlongALine(t *testing.T) {
	p := motley(23, 19)
	at := func(x, y float64, c int) float64 {
		x0, y0 := int(math.Floor(x)), int(math.Floor(y))
		fx, fy := x-float64(x0), y-float64(y0)
		v := func(i, j int) float64 {
			return float64(p.Pix[3*(min(max(j, 0), p.Height-1)*p.Width+min(max(i, 0), p.Width-1))+c])
		}
		return (1-fy)*((1-fx)*v(x0, y0)+fx*v(x0+1, y0)) + fy*((1-fx)*v(x0, y0+1)+fx*v(x0+1, y0+1))
	}
	for _, c := range []struct{ length, angle float64 }{{2, 0}, {6, math.Pi / 2}, {5, .3}, {12, 2.2}, {1, 1}} {
		q := blur(p, lineTaps(c.length, c.angle))
		for y := range p.Height {
			for x := range p.Width {
				for ch := range 3 {
					want := 0.0
					const points = 2000
					for k := range points {
						a := c.length * ((float64(k)+.5)/points - .5)
						want += at(float64(x)+a*math.Cos(c.angle), float64(y)+a*math.Sin(c.angle), ch) / points
					}
					if got := float64(q.Pix[3*(y*p.Width+x)+ch]); math.Abs(got-want) > .8 {
						t.Fatalf("length %g at angle %g, pixel %d,%d: %g, want %.2f", c.length, c.angle, x, y, got, want)
					}
				}
			}
		}
	}
}

func TestLineTapsSumToOneAndAreBalanced(t *testing.T) {
	for _, length := range []float64{.1, 1, 2, 5.5, 30} {
		for angle := 0.0; angle < math.Pi; angle += .17 {
			var sum, x, y float64
			for _, tap := range lineTaps(length, angle) {
				sum += tap.weight
				x += tap.weight * float64(tap.dx)
				y += tap.weight * float64(tap.dy)
			}
			if math.Abs(sum-1) > 1e-12 || math.Abs(x) > 1e-9 || math.Abs(y) > 1e-9 {
				t.Fatalf("length %g, angle %g: sum %g, centre %g,%g", length, angle, sum, x, y)
			}
		}
	}
}

func TestBlursLeaveAnEvenPictureAlone(t *testing.T) {
	p := picture.New(9, 7)
	for i := range p.Pix {
		p.Pix[i] = []uint8{30, 140, 250}[i%3]
	}
	for _, kind := range []Kind{GaussianBlur, MotionBlur} {
		if q := apply(t, p, kind, 5, 4); distance(p, q) != 0 {
			t.Errorf("%s changes a picture of one colour", kind)
		}
	}
}
