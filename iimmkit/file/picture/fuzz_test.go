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
			if strings.HasPrefix(err.Error(), "damaged PNM: runtime error") {
				t.Fatal(err)
			}
			return
		}
		if p.Width < 1 || p.Height < 1 || len(p.Pix) != 3*p.Width*p.Height {
			t.Errorf("%d x %d pixels in %d bytes", p.Width, p.Height, len(p.Pix))
		}
	})
}

// FuzzPNM is FuzzDecode for the parser that is our own.
func FuzzPNM(f *testing.F) {
	for _, s := range []string{"P1 2 2 1010", "P2 2 1 9 1 2", "P3 1 1 255 1 2 3", "P4 9 1\n\xff\x80", "P5 2 1 255\nab", "P6 1 1 65535\nabcdef", "P5#c\n1 1 1\n\x01"} {
		f.Add([]byte(s[1:]))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		data = append([]byte("P"), data...)
		p, err := picture.Decode(bytes.NewReader(data))
		if err != nil {
			if strings.Contains(err.Error(), "runtime error") {
				t.Fatal(err)
			}
			return
		}
		if len(p.Pix) != 3*p.Width*p.Height {
			t.Errorf("%d x %d pixels in %d bytes", p.Width, p.Height, len(p.Pix))
		}
	})
}
