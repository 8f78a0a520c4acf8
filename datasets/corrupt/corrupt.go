// Package corrupt spoils pictures in the ways in which pictures in use differ
// from those that a model was tuned on: noise, blur, exposure, contrast,
// compression, colour. Each kind comes in five severities.
//
// Strengths are those of ImageNet-C and CIFAR-10-C (Hendrycks and Dietterich,
// arXiv 1903.12261) where they have the kind in this form, so that small and
// large pictures are spoiled in proportion; see Strength. The functions are
// written anew: accuracies compare among models, not with published ones.
package corrupt

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

// Kind is a way of spoiling a picture.
type Kind string

const (
	GaussianNoise Kind = "gaussian-noise"
	ShotNoise     Kind = "shot-noise"
	GaussianBlur  Kind = "gaussian-blur"
	MotionBlur    Kind = "motion-blur"
	Brightness    Kind = "brightness"
	Darkness      Kind = "darkness"
	Contrast      Kind = "contrast"
	JPEG          Kind = "jpeg"
	Hue           Kind = "hue"
)

// Severities is the number of severities; they are counted from 1.
const Severities = 5

// The sides, in pixels, of the two published collections.
const (
	smallSide = 32
	largeSide = 224
)

// corruption is what there is to know of a kind.
type corruption struct {
	kind  Kind
	about string
	// strengths at smallSide and at largeSide pixels; equal where the size of
	// the picture plays no part.
	small, large [Severities]float64
	// length: strengths are pixels, in proportion to sides beyond those two.
	length bool
	apply  func(p *picture.RGB, strength float64, rng *rand.Rand) (*picture.RGB, error)
}

func everywhere(kind Kind, about string, strengths [Severities]float64, apply func(*picture.RGB, float64, *rand.Rand) (*picture.RGB, error)) corruption {
	return corruption{kind: kind, about: about, small: strengths, large: strengths, apply: apply}
}

// corruptions in the order in which they are listed.
var corruptions = []corruption{
	{GaussianNoise, "normal noise on every sample; the strength is its standard deviation, white being 1",
		[Severities]float64{.04, .06, .08, .09, .10}, [Severities]float64{.08, .12, .18, .26, .38}, false, gaussianNoise},
	{ShotNoise, "counted light: every sample is a Poisson count; the strength is the mean count of white",
		[Severities]float64{500, 250, 100, 75, 50}, [Severities]float64{60, 25, 12, 5, 3}, false, shotNoise},
	{GaussianBlur, "out of focus; the strength is the standard deviation in pixels",
		[Severities]float64{.4, .6, .7, .8, 1}, [Severities]float64{1, 2, 3, 4, 6}, true, gaussianBlur},
	{MotionBlur, "moved while the shutter was open, along a line of random direction; the strength is its length in pixels",
		[Severities]float64{2, 3, 4, 5, 6}, [Severities]float64{6, 10, 16, 24, 30}, true, motionBlur},
	everywhere(Brightness, "over-exposed; the strength is in stops, each of which doubles the light",
		[Severities]float64{.4, .8, 1.2, 1.6, 2}, func(p *picture.RGB, stops float64, _ *rand.Rand) (*picture.RGB, error) { return expose(p, stops), nil }),
	everywhere(Darkness, "under-exposed; the strength is in stops, each of which halves the light",
		[Severities]float64{1, 1.75, 2.5, 3.25, 4}, func(p *picture.RGB, stops float64, _ *rand.Rand) (*picture.RGB, error) { return expose(p, -stops), nil }),
	everywhere(Contrast, "faded towards the picture's mean colour; the strength is the fraction of contrast that is left",
		[Severities]float64{.6, .4, .3, .2, .1}, contrast),
	{JPEG, "stored as JPEG; the strength is the quality, of 100",
		[Severities]float64{80, 65, 58, 50, 40}, [Severities]float64{25, 18, 15, 10, 7}, false, compress},
	everywhere(Hue, "colours turned around the colour circle, one way or the other; the strength is in degrees",
		[Severities]float64{20, 40, 80, 120, 180}, turnHue),
}

func describe(kind Kind) (*corruption, error) {
	for i := range corruptions {
		if corruptions[i].kind == kind {
			return &corruptions[i], nil
		}
	}
	var names []string
	for _, k := range Kinds() {
		names = append(names, string(k))
	}
	return nil, fmt.Errorf("no corruption %q: there are %s", kind, strings.Join(names, ", "))
}

// Kinds returns all kinds in their order.
func Kinds() []Kind {
	list := make([]Kind, len(corruptions))
	for i, c := range corruptions {
		list[i] = c.kind
	}
	return list
}

// About says in a line what a kind does and what its strength is.
func (k Kind) About() string {
	c, err := describe(k)
	if err != nil {
		return ""
	}
	return c.about
}

// Check tells whether there is such a corruption.
func Check(kind Kind, severity int) error {
	if _, err := describe(kind); err != nil {
		return err
	}
	if severity < 1 || severity > Severities {
		return fmt.Errorf("severity %d of %s: must be in 1..%d", severity, kind, Severities)
	}
	return nil
}

// Strength returns what a severity means for a picture whose shorter side has
// so many pixels, in the unit of Kind.About. Noise, blur and compression are
// known for 32 and for 224 pixels; between, the strength grows by equal factors
// for equal factors of the side. Beyond, lengths stay in proportion to the
// side, and other strengths as they are.
//
// The noise of larger pictures has larger grains instead: squares of as many
// pixels a side as 224 fits into the shorter side, so that it is still there
// when the picture is shrunk to what a model sees. JPEG's blocks of 8 pixels do
// not grow: what compression does to a picture of many megapixels is lost when
// it is shrunk.
func Strength(kind Kind, severity, side int) (float64, error) {
	if err := Check(kind, severity); err != nil {
		return 0, err
	}
	c, err := describe(kind)
	if err != nil {
		return 0, err
	}
	if side < 1 {
		return 0, fmt.Errorf("a side of %d pixels", side)
	}
	return c.strength(severity, side), nil
}

func (c *corruption) strength(severity, side int) float64 {
	a, b := c.small[severity-1], c.large[severity-1]
	switch s := float64(side); {
	case a == b:
		return a
	case side <= smallSide && c.length:
		return a * s / smallSide
	case side <= smallSide:
		return a
	case side < largeSide:
		return a * math.Pow(b/a, math.Log(s/smallSide)/math.Log(float64(largeSide)/smallSide))
	case c.length:
		return b * s / largeSide
	}
	return b
}

// Apply returns the picture spoiled; p stays as it is. The result is a function
// of its arguments: the same seed gives the same noise, for every severity in
// the same places. Transparency is not regarded.
//
// The time grows with the number of pixels, that of blurs with the side too:
// pictures of many megapixels are better shrunk first.
func Apply(p *picture.RGB, kind Kind, severity int, seed uint64) (*picture.RGB, error) {
	if err := Check(kind, severity); err != nil {
		return nil, err
	}
	c, err := describe(kind)
	if err != nil {
		return nil, err
	}
	if p.Width < 1 || p.Height < 1 || len(p.Pix) != 3*p.Width*p.Height {
		return nil, fmt.Errorf("a picture of %d x %d pixels with %d samples cannot be corrupted", p.Width, p.Height, len(p.Pix))
	}
	return c.apply(p, c.strength(severity, min(p.Width, p.Height)), generator(seed, kind))
}

// generator starts the stream of a seed for a kind. The words are mixed, so that
// neighbouring seeds start far apart.
func generator(seed uint64, kind Kind) *rand.Rand {
	h := uint64(14695981039346656037) // FNV-1a
	for _, c := range []byte(kind) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return rand.New(rand.NewPCG(mix(seed), mix(h^mix(seed+0x632be59bd9b4e019))))
}

// mix is the finaliser of splitmix64 (Steele, Lea and Flood 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// level rounds a sample, white being 255.
func level(v float64) uint8 { return uint8(min(max(v, 0), 255) + .5) }
