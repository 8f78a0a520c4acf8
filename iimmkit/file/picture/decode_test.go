package picture_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

// Each file of testdata lies beside what Pillow 12.3.0 (libwebp 1.6.0,
// libjpeg-turbo 3.1.4) made of it: convert("RGB"), for names beginning with
// exif after ImageOps.exif_transpose. Those of JPEG files are equal as well.
func TestDecodeGivesPillowsPixelsOfOtherKinds(t *testing.T) {
	expected, err := filepath.Glob("testdata/*.*.png")
	if err != nil || len(expected) < 20 {
		t.Fatal(expected, err)
	}
	for _, png := range expected {
		name := strings.TrimSuffix(png, ".png")
		t.Run(filepath.Base(name), func(t *testing.T) {
			got, err := picture.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			want, err := picture.Open(png)
			if err != nil {
				t.Fatal(err)
			}
			if most, mean := difference(t, got, want); most > 0 {
				t.Errorf("differs by up to %d levels, %.4f in the mean", most, mean)
			}
		})
	}
}

// Files NAME.white are what transformers 5.23.0 makes of pictures that can be
// transparent.
func TestTransparencyIsLaidOnWhite(t *testing.T) {
	expected, err := filepath.Glob("testdata/*.white")
	if err != nil || len(expected) < 10 {
		t.Fatal(expected, err)
	}
	for _, white := range expected {
		name := strings.TrimSuffix(white, ".white")
		t.Run(filepath.Base(name), func(t *testing.T) {
			p, err := picture.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			want, err := picture.Open(white)
			if err != nil {
				t.Fatal(err)
			}
			if p.Stored() == nil {
				t.Fatal("how the file stores it is forgotten")
			}
			if most, mean := difference(t, p.Stored().OnWhite(), want); most > 0 {
				t.Errorf("differs by up to %d levels, %.4f in the mean", most, mean)
			}
		})
	}
}

func TestAsStoredIgnoresOrientation(t *testing.T) {
	if tif, err := picture.Open("testdata/exif6.tif", picture.AsStored); err != nil || tif.Width != 5 {
		t.Errorf("a TIFF file is not turned as Pillow turns it: %v, %v", tif, err)
	}
	for _, ext := range []string{"png", "jpg", "webp"} {
		upright, err := picture.Open("testdata/exif6." + ext)
		if err != nil {
			t.Fatal(err)
		}
		stored, err := picture.Open("testdata/exif6."+ext, picture.AsStored)
		if err != nil {
			t.Fatal(err)
		}
		if upright.Width != 5 || upright.Height != 9 || stored.Width != 9 || stored.Height != 5 {
			t.Errorf("%s: upright %d x %d, stored %d x %d", ext, upright.Width, upright.Height, stored.Width, stored.Height)
		}
	}
}

func TestUnusableFiles(t *testing.T) {
	var whole bytes.Buffer
	if err := jpeg.Encode(&whole, image.NewYCbCr(image.Rect(0, 0, 64, 64), image.YCbCrSubsampleRatio420), nil); err != nil {
		t.Fatal(err)
	}
	bomb := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x01\x00\x00\x00\x01\x00\x00\x08\x02\x00\x00\x00")
	dir := t.TempDir()
	for name, tt := range map[string]struct {
		data []byte
		want error
		text string
	}{
		"empty.jpg":    {nil, picture.ErrEmpty, "empty"},
		"text.jpg":     {[]byte("hello"), picture.ErrFormat, "not a picture"},
		"page.png":     {[]byte("<html>404</html>"), picture.ErrFormat, "not a picture"},
		"cut.jpg":      {whole.Bytes()[:whole.Len()/2], nil, "JPEG"},
		"head.jpg":     {whole.Bytes()[:3], nil, "truncated JPEG"},
		"head.png":     {bomb[:20], nil, "PNG"},
		"bomb.ppm":     {[]byte("P6 65536 65536 255\n"), picture.ErrTooLarge, "65536 x 65536"},
		"zero.ppm":     {[]byte("P6 0 5 255\n"), nil, "0 x 5 pixels"},
		"cut.ppm":      {[]byte("P6 5 5 255\nabc"), nil, "truncated PNM"},
		"long.ppm":     {[]byte("P6 99999999999999999999 1 255\n"), nil, "too large"},
		"word.ppm":     {[]byte("P6 five 1 255\n"), nil, "number belongs"},
		"maximum.pgm":  {[]byte("P5 1 1 70000\n\x00"), nil, "largest value 70000"},
		"over.pgm":     {[]byte("P2 2 1 15 3 16"), nil, "value 16"},
		"bits.pbm":     {[]byte("P1 2 1 12"), nil, "'2' in a bitmap"},
		"newline\n.gi": {[]byte("GIF89a"), nil, "GIF"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, tt.data, 0o644); err != nil {
				t.Fatal(err)
			}
			p, err := picture.Open(path)
			switch {
			case err == nil || p != nil:
				t.Fatalf("decoded to %v", p)
			case tt.want != nil && !errors.Is(err, tt.want):
				t.Errorf("error %v is no %v", err, tt.want)
			case !strings.Contains(err.Error(), tt.text) || !strings.Contains(err.Error(), path):
				t.Errorf("error %q does not name the file and %q", err, tt.text)
			}
		})
	}
	for _, path := range []string{dir, filepath.Join(dir, "gone.png")} {
		if _, err := picture.Open(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestPNGBombIsRefusedByItsHeader(t *testing.T) {
	var small bytes.Buffer
	if err := png.Encode(&small, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	b := small.Bytes()
	copy(b[16:24], []byte{0, 1, 0, 0, 0, 1, 0, 0})
	copy(b[29:33], pngChecksum(b[12:29]))
	if _, err := picture.Decode(bytes.NewReader(b)); !errors.Is(err, picture.ErrTooLarge) {
		t.Errorf("65536 x 65536 pixels: %v", err)
	}
}

func TestCropAndPaste(t *testing.T) {
	p := picture.New(4, 3)
	for i := range p.Pix {
		p.Pix[i] = uint8(i + 1)
	}
	at := func(p *picture.RGB, x, y int) uint8 { return p.Pix[3*(y*p.Width+x)] }
	for _, tt := range []struct{ x, y, w, h int }{{0, 0, 4, 3}, {1, 1, 2, 2}, {-2, -1, 8, 6}, {3, 2, 5, 5}, {9, 9, 2, 2}, {-9, 0, 3, 3}} {
		c := p.Crop(tt.x, tt.y, tt.w, tt.h)
		for y := range tt.h {
			for x := range tt.w {
				want := uint8(0)
				if sx, sy := x+tt.x, y+tt.y; sx >= 0 && sx < 4 && sy >= 0 && sy < 3 {
					want = at(p, sx, sy)
				}
				if got := at(c, x, y); got != want {
					t.Fatalf("crop %v at %d,%d is %d, want %d", tt, x, y, got, want)
				}
			}
		}
		// Pasting back what was cut out changes nothing where it was inside.
		back := p.Crop(0, 0, 4, 3)
		inside := p.Crop(max(tt.x, 0), max(tt.y, 0), max(min(tt.x+tt.w, 4)-max(tt.x, 0), 0), max(min(tt.y+tt.h, 3)-max(tt.y, 0), 0))
		back.Paste(inside, max(tt.x, 0), max(tt.y, 0))
		if !slices.Equal(back.Pix, p.Pix) {
			t.Errorf("pasting crop %v back changes the picture", tt)
		}
	}
	q := picture.New(2, 2)
	p.Paste(q, 3, -1)
	if at(p, 3, 0) != 0 || at(p, 2, 0) == 0 || at(p, 3, 1) == 0 {
		t.Error("a picture that juts out is pasted wrongly")
	}
}

func TestResizeDoesNotChangeItsInput(t *testing.T) {
	p := picture.New(7, 5)
	for i := range p.Pix {
		p.Pix[i] = uint8(i * 37)
	}
	before := slices.Clone(p.Pix)
	same := picture.Resize(p, 7, 5)
	if !slices.Equal(same.Pix, p.Pix) || &same.Pix[0] == &p.Pix[0] {
		t.Error("a resize to the same size is not a copy")
	}
	for _, s := range [][2]int{{3, 5}, {7, 9}, {1, 1}, {20, 2}} {
		if r := picture.Resize(p, s[0], s[1]); r.Width != s[0] || r.Height != s[1] || len(r.Pix) != 3*s[0]*s[1] {
			t.Errorf("%v: %d x %d", s, r.Width, r.Height)
		}
	}
	if !slices.Equal(before, p.Pix) {
		t.Error("the input changed")
	}
}

// Pillow 13 passes vertically first where that is less work; the two orders
// differ by rounding only.
func TestResizeOrders(t *testing.T) {
	p := picture.New(30, 90)
	for i := range p.Pix {
		p.Pix[i] = uint8(i * i >> 3)
	}
	a, b := picture.Resize(p, 20, 30), picture.Resampling{Pillow13: true}.Resize(p, 20, 30)
	most, _ := difference(t, a, b)
	if most == 0 || most > 3 {
		t.Errorf("orders differ by %d levels", most)
	}
	c, d := picture.Resize(p, 60, 95), picture.Resampling{Pillow13: true}.Resize(p, 60, 95)
	if most, _ := difference(t, c, d); most != 0 {
		t.Errorf("enlarging differs by %d levels", most)
	}
}

func ExampleResize() {
	p := picture.New(640, 426)
	q := picture.Resize(p, 336, 224).Crop(56, 0, 224, 224)
	fmt.Println(q.Width, q.Height)
	// Output: 224 224
}
