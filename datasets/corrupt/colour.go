package corrupt

import (
	"bytes"
	"image"
	"image/jpeg"
	"math"
	"math/rand/v2"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

// expose multiplies the light by 2^stops. Samples are taken as sRGB (IEC
// 61966-2-1): light is not proportional to them. What exceeds white is white.
func expose(p *picture.RGB, stops float64) *picture.RGB {
	var table [256]uint8
	for v := range table {
		table[v] = level(255 * fromLight(math.Exp2(stops)*toLight(float64(v)/255)))
	}
	out := picture.New(p.Width, p.Height)
	for i, v := range p.Pix {
		out.Pix[i] = table[v]
	}
	return out
}

func toLight(v float64) float64 {
	if v <= .04045 {
		return v / 12.92
	}
	return math.Pow((v+.055)/1.055, 2.4)
}

func fromLight(v float64) float64 {
	if v <= .0031308 {
		return 12.92 * v
	}
	return 1.055*math.Pow(v, 1/2.4) - .055
}

// contrast moves every sample towards the mean of its channel.
func contrast(p *picture.RGB, left float64, _ *rand.Rand) (*picture.RGB, error) {
	var sum [3]int
	for i, v := range p.Pix {
		sum[i%3] += int(v)
	}
	out := picture.New(p.Width, p.Height)
	for i, v := range p.Pix {
		mean := float64(sum[i%3]) / float64(p.Width*p.Height)
		out.Pix[i] = level(mean + left*(float64(v)-mean))
	}
	return out, nil
}

// turnHue adds to the hue of HSV; saturation and value stay.
func turnHue(p *picture.RGB, degrees float64, rng *rand.Rand) (*picture.RGB, error) {
	if rng.IntN(2) == 1 {
		degrees = -degrees
	}
	out := picture.New(p.Width, p.Height)
	for i := 0; i < len(p.Pix); i += 3 {
		r, g, b := turn(float64(p.Pix[i]), float64(p.Pix[i+1]), float64(p.Pix[i+2]), degrees)
		out.Pix[i], out.Pix[i+1], out.Pix[i+2] = level(r), level(g), level(b)
	}
	return out, nil
}

func turn(r, g, b, degrees float64) (float64, float64, float64) {
	value := max(r, g, b)
	chroma := value - min(r, g, b)
	if chroma == 0 { // grey has no hue
		return r, g, b
	}
	var sector float64 // hue in sixths of the circle
	switch value {
	case r:
		sector = (g - b) / chroma
	case g:
		sector = (b-r)/chroma + 2
	default:
		sector = (r-g)/chroma + 4
	}
	sector += degrees / 60
	// A channel is at value within one sixth of its own hue, at the least one
	// from two sixths on, and between them in proportion.
	channel := func(own float64) float64 {
		d := math.Abs(math.Remainder(sector-own, 6))
		return value - chroma*min(max(d-1, 0), 1)
	}
	return channel(0), channel(2), channel(4)
}

// compress writes and reads a JPEG file, with colours at half the resolution.
func compress(p *picture.RGB, quality float64, _ *rand.Rand) (*picture.RGB, error) {
	m := image.NewRGBA(image.Rect(0, 0, p.Width, p.Height))
	for i := range p.Width * p.Height {
		copy(m.Pix[4*i:], p.Pix[3*i:3*i+3])
		m.Pix[4*i+3] = 255
	}
	var file bytes.Buffer
	if err := jpeg.Encode(&file, m, &jpeg.Options{Quality: int(math.Round(quality))}); err != nil {
		return nil, err
	}
	return picture.Decode(&file)
}
