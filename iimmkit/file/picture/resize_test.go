package picture

import (
	"encoding/binary"
	"image"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
)

// testdata/resize.npz holds pictures in several modes (source|MODE) and what
// Image.resize of Pillow 12.3.0 makes of them (FILTER|MODE|WIDTH|HEIGHT), and
// that of Pillow 13.0.0 with BICUBIC (pillow13|...).
func TestResizeIsPillowsForEveryFilterAndMode(t *testing.T) {
	arrays, err := tensorfile.ReadNPZ("testdata/resize.npz")
	if err != nil {
		t.Fatal(err)
	}
	stored := func(mode string, a tensorfile.Tensor) *Stored {
		m := Mode(mode)
		if mode == "tall" || mode == "high" {
			m = Color
		}
		s := newStored(m, a.Shape[1], a.Shape[0])
		for i := range s.Wide {
			s.Wide[i] = int32(binary.LittleEndian.Uint32(a.Data[4*i:]))
		}
		copy(s.Pix, a.Data)
		return s
	}
	compared := 0
	for key, want := range arrays {
		part := strings.Split(key, "|")
		if part[0] == "source" {
			continue
		}
		t.Run(key, func(t *testing.T) {
			var r Resampling
			if part[0] == "pillow13" {
				r.Pillow13 = true
			} else if err := r.Filter.UnmarshalText([]byte(part[0])); err != nil {
				t.Fatal(err)
			}
			width, _ := strconv.Atoi(part[2])
			height, _ := strconv.Atoi(part[3])
			source := stored(part[1], arrays["source|"+part[1]])
			expected := stored(part[1], want)
			got := r.Stored(source, width, height, image.Rect(0, 0, width, height), 0)
			if !slices.Equal(got.Pix, expected.Pix) || !slices.Equal(got.Wide, expected.Wide) {
				t.Errorf("got %v %v, want %v %v", got.Pix, got.Wide, expected.Pix, expected.Wide)
			}
			compared++
		})
	}
	if compared < 100 {
		t.Errorf("compared only %d", compared)
	}
}

func TestIndexedAndBilevelPicturesTakeTheNearestPixel(t *testing.T) {
	for _, m := range []Mode{Indexed, Bilevel} {
		s := &Stored{Mode: m, Width: 2, Height: 1, Pix: []uint8{0, 255}, Palette: new([256][4]uint8)}
		got := Resampling{}.Stored(s, 4, 2, image.Rect(0, 0, 5, 2), 9)
		fill := uint8(9)
		if m == Bilevel {
			fill = 255
		}
		if want := []uint8{0, 0, 255, 255, fill, 0, 0, 255, 255, fill}; !slices.Equal(got.Pix, want) {
			t.Errorf("%s: %v", m, got.Pix)
		}
	}
}

// A window is what a crop of the whole would be.
func TestWindowIsTheCropOfTheWhole(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		p := New(1+random.IntN(90), 1+random.IntN(90))
		for i := range p.Pix {
			p.Pix[i] = uint8(random.IntN(256))
		}
		if random.IntN(4) == 0 { // the order of passes of tall pictures
			p.Height *= 101 * p.Width
			p.Pix = slices.Repeat(p.Pix, 101*p.Width)
			if len(p.Pix) > 1<<22 {
				continue
			}
		}
		r := Resampling{Filter: Filter(random.IntN(len(filterNames))), Pillow13: random.IntN(2) == 0}
		w, h := 1+random.IntN(120), 1+random.IntN(120)
		x, y := random.IntN(w+20)-20, random.IntN(h+20)-20
		window := image.Rect(x, y, x+1+random.IntN(100), y+1+random.IntN(100))
		got, want := r.Window(p, w, h, window, 0), r.Resize(p, w, h).Crop(x, y, window.Dx(), window.Dy())
		if got.Width != want.Width || got.Height != want.Height || !slices.Equal(got.Pix, want.Pix) {
			t.Fatalf("%d x %d by %v to %d x %d, window %v", p.Width, p.Height, r, w, h, window)
		}
	}
}
