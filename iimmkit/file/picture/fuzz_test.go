package picture_test

import (
	"bytes"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

func pngChecksum(chunk []byte) []byte {
	c := crc32.ChecksumIEEE(chunk)
	return []byte{byte(c >> 24), byte(c >> 16), byte(c >> 8), byte(c)}
}

// FuzzDecode looks for panics, and for pictures whose bytes do not fit their size.
func FuzzDecode(f *testing.F) {
	paths, _ := filepath.Glob("testdata/*.*")
	for _, p := range paths {
		if b, err := os.ReadFile(p); err == nil && len(b) < 2000 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := picture.Decode(bytes.NewReader(data))
		if err != nil {
			// Decoders of this module must not rely on the rescue from panics.
			for _, own := range []string{"PNM", "JPEG", "BMP"} {
				if strings.HasPrefix(err.Error(), "damaged "+own+": runtime error") {
					t.Fatal(err)
				}
			}
			return
		}
		if p.Width < 1 || p.Height < 1 || len(p.Pix) != 3*p.Width*p.Height {
			t.Errorf("%d x %d pixels in %d bytes", p.Width, p.Height, len(p.Pix))
		}
	})
}

// fuzzOwn is FuzzDecode for one of the formats whose parsers are our own: data
// is what follows the bytes by which the format is known.
func fuzzOwn(f *testing.F, start string, seeds []string) {
	for _, s := range seeds {
		f.Add([]byte(strings.TrimPrefix(s, start)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := picture.Decode(bytes.NewReader(append([]byte(start), data...)))
		if err != nil {
			if strings.Contains(err.Error(), "runtime error") {
				t.Fatal(err)
			}
			return
		}
		if p.Width < 1 || p.Height < 1 || len(p.Pix) != 3*p.Width*p.Height {
			t.Errorf("%d x %d pixels in %d bytes", p.Width, p.Height, len(p.Pix))
		}
	})
}

// files returns the contents of small files of testdata.
func files(f *testing.F, pattern string) (contents []string) {
	paths, err := filepath.Glob("testdata/" + pattern)
	if err != nil || len(paths) == 0 {
		f.Fatal(paths, err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		if len(b) < 2000 {
			contents = append(contents, string(b))
		}
	}
	return contents
}

func FuzzPNM(f *testing.F) {
	fuzzOwn(f, "P", []string{"P1 2 2 1010", "P2 2 1 9 1 2", "P3 1 1 255 1 2 3", "P4 9 1\n\xff\x80", "P5 2 1 255\nab", "P6 1 1 65535\nabcdef", "P5#c\n1 1 1\n\x01"})
}

func FuzzJPEG(f *testing.F) { fuzzOwn(f, "\xff\xd8\xff", files(f, "*.jpg")) }

func FuzzBMP(f *testing.F) { fuzzOwn(f, "BM", files(f, "*.bmp")) }

// FuzzGIF guards the reading of palettes, the decoder being the standard library's.
func FuzzGIF(f *testing.F) { fuzzOwn(f, "GIF8", files(f, "*.gif")) }

func FuzzWebP(f *testing.F) { fuzzOwn(f, "RIFF", files(f, "*.webp")) }
