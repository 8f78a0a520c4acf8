// Package preprocess turns pictures into the normalised pixels a model was
// trained on: resize, crop, scale, normalise, as its configuration says.
package preprocess

import (
	"fmt"
	"image"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

// Mode is how a picture becomes a square.
type Mode string

const (
	// Shortest resizes the shortest side and crops the centre.
	Shortest Mode = "shortest"
	// Squash resizes both sides, whatever the aspect.
	Squash Mode = "squash"
	// Longest resizes the longest side and fills up around the centre.
	Longest Mode = "longest"
	// CropOnly does not resize: it crops the centre or fills up around it.
	CropOnly Mode = "crop"
)

// Convention is whose details are followed where implementations differ: in
// how transparency, palettes and other modes become RGB, and in which of two
// middle pixels a crop of odd margin begins.
type Convention string

const (
	// HuggingFace is the convention of transformers 5 with its PIL image
	// processors: transparency is laid on white, then the picture is resized;
	// offsets of crops are rounded down. It is the default, being that of the
	// layout in which this program saves models. (The torchvision processors,
	// which transformers prefers where torchvision is installed, resize otherwise:
	// by 1 or 2 levels on some 0.3 % of samples.)
	HuggingFace Convention = ""
	// OpenCLIP is the transform of open_clip given a file opened by PIL: the
	// picture is resized as stored and then converted to RGB, so that palettes
	// and bilevel pictures are resized without antialias and colours are weighted
	// by alpha, which is then dropped; offsets are rounded half to even.
	OpenCLIP Convention = "open_clip"
	// RGBFirst is OpenCLIP given an RGB picture, as torchvision's ImageFolder and
	// webdataset's "pilrgb" give it.
	RGBFirst Convention = "rgb_first"
)

// Config is a model's preprocessing. Pictures become squares: resized,
// cropped, scaled to [0,1], less Mean, over Std.
type Config struct {
	Size      int // pixels a side
	Mode      Mode
	Mean, Std [3]float32 // of red, green, blue in [0,1]

	Convention Convention     `json:",omitempty"`
	Filter     picture.Filter `json:",omitempty"`
	Resize     int            `json:",omitempty"` // of which Size is cropped; 0 for Size
	Fill       uint8          `json:",omitempty"` // around pictures in mode Longest
	Rescale    float64        `json:",omitempty"` // what samples are multiplied by; 0 for 1/255
	Pillow13   bool           `json:",omitempty"` // see picture.Resampling
}

// OpenAI's normalisation, the default where a configuration names none.
var (
	openAIMean = [3]float32{0.48145466, 0.4578275, 0.40821073}
	openAIStd  = [3]float32{0.26862954, 0.26130258, 0.27577711}
)

func (c Config) check(file string) error {
	for _, n := range []int{c.Size, c.resize()} {
		if n < 1 || n > 1<<14 {
			return fmt.Errorf("%s: image size %d is not in 1..%d", file, n, 1<<14)
		}
	}
	if r := c.Rescale; !(r >= 0) || math.IsInf(r, 0) {
		return fmt.Errorf("%s: rescale factor %v is not positive", file, r)
	}
	for i, s := range c.Std {
		if !(s > 0) || math.IsInf(float64(s), 0) {
			return fmt.Errorf("%s: image_std %v is not positive", file, c.Std)
		}
		if m := float64(c.Mean[i]); math.IsNaN(m) || math.IsInf(m, 0) {
			return fmt.Errorf("%s: image_mean %v", file, c.Mean)
		}
	}
	return nil
}

// resize is the length of the side or sides resized to.
func (c Config) resize() int {
	if c.Resize == 0 {
		return c.Size
	}
	return c.Resize
}

// geometry returns the size to which a picture is resized and the square of it
// that is kept, which may jut out.
func (c Config) geometry(width, height int) (w, h int, window image.Rectangle) {
	n := c.resize()
	switch {
	case c.Mode == CropOnly:
		w, h = width, height
	case c.Mode == Squash:
		w, h = n, n
	case c.Mode == Longest:
		ratio := max(float64(height)/float64(n), float64(width)/float64(n))
		side := func(v int) int { return max(int(math.RoundToEven(float64(v)/ratio)), 1) }
		w, h = side(width), side(height)
	case width < height: // the long side is truncated, in floating point as in Python
		w, h = n, int(float64(n*height)/float64(width))
	default:
		w, h = int(float64(n*width)/float64(height)), n
	}
	x, y := c.offset(w-c.Size), c.offset(h-c.Size)
	return w, h, image.Rect(x, y, x+c.Size, y+c.Size)
}

// offset is where a crop begins that leaves a margin, or, negative, where the
// filling ends.
func (c Config) offset(margin int) int {
	switch {
	case c.Convention == HuggingFace:
		return int(math.Floor(float64(margin) / 2))
	case margin < 0: // torchvision pads the left and the top with the smaller half
		return margin / 2
	}
	return int(math.RoundToEven(float64(margin) / 2))
}

// Square returns p as Size×Size pixels of 8 bits: what the model sees before
// normalisation.
func (c Config) Square(p *picture.RGB) *picture.RGB {
	resampling := picture.Resampling{Filter: c.Filter, Pillow13: c.Pillow13}
	w, h, window := c.geometry(p.Width, p.Height)
	stored := p.Stored()
	switch {
	case stored == nil:
	case c.Convention == HuggingFace:
		if stored.HasAlpha() {
			p = stored.OnWhite()
		}
	case c.Convention == OpenCLIP:
		return resampling.Stored(stored, w, h, window, c.Fill).RGB()
	}
	if p.Width == w && p.Height == h && window == image.Rect(0, 0, w, h) {
		return p
	}
	return resampling.Window(p, w, h, window, c.Fill)
}

// levels returns the normalised value of each level of a channel, with the
// roundings of the convention.
func (c Config) levels() (table [3][256]float32) {
	for ch := range table {
		for v := range table[ch] {
			x := float32(v) / 255
			if c.Rescale > 0 || c.Convention == HuggingFace {
				factor := c.Rescale
				if factor == 0 {
					factor = 1. / 255
				}
				x = float32(float64(v) * factor)
			}
			table[ch][v] = (x - c.Mean[ch]) / c.Std[ch]
		}
	}
	return table
}

// Pixels returns the pictures as [n, 3, Size, Size] normalised values.
func (c Config) Pixels(pictures []*picture.RGB) []float32 {
	out, err := c.PixelsOf(len(pictures), func(i int) (*picture.RGB, error) { return pictures[i], nil })
	if err != nil { // the function above returns none
		panic(err)
	}
	return out
}

// PixelsOf returns n pictures as [n, 3, Size, Size] normalised values. It calls
// open on all cores, and holds no more pictures at a time than there are cores.
// The error is the first that open returned, in the order of pictures.
func (c Config) PixelsOf(n int, open func(i int) (*picture.RGB, error)) ([]float32, error) {
	length := 3 * c.Size * c.Size
	out := make([]float32, n*length)
	table := c.levels()
	errs := make([]error, n)
	var failed atomic.Bool
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && !failed.Load(); i = int(next.Add(1)) - 1 {
				p, err := open(i)
				if err != nil {
					errs[i] = err
					failed.Store(true)
					return
				}
				spread(out[i*length:(i+1)*length], c.Square(p).Pix, &table)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// spread writes interleaved samples as three planes of normalised values.
func spread(to []float32, pix []uint8, table *[3][256]float32) {
	n := len(to) / 3
	r, g, b := to[:n], to[n:2*n], to[2*n:3*n]
	for i := range n {
		s := pix[3*i : 3*i+3 : 3*i+3]
		r[i], g[i], b[i] = table[0][s[0]], table[1][s[1]], table[2][s[2]]
	}
}
