package picture

import (
	"os"
	"testing"
)

// FuzzOrientation reads bytes as an Exif structure and as files that hold one.
func FuzzOrientation(f *testing.F) {
	for _, name := range []string{"exif6.jpg", "exif6.png", "exif6.tif", "exif6.webp"} {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, exif := range [][]byte{data, jpegExif(data), pngChunk(data, "eXIf"), webpExif(data)} {
			if o := orientation(exif); o < 1 || o > 8 {
				t.Errorf("orientation %d", o)
			}
		}
	})
}

func TestOrientationOfADirectory(t *testing.T) {
	const head, entry = "MM\x00*\x00\x00\x00\x08\x00\x01", "\x01\x12\x00\x03\x00\x00\x00\x01\x00"
	for data, want := range map[string]int{
		head + entry + "\x06\x00\x00": 6,
		head + entry + "\x09\x00\x00": 1, // no such orientation
		head + entry:                  1, // cut
		head:                          1,
		"II*\x00\xff\xff\xff\xff":     1, // a directory far away
		"":                            1,
	} {
		if got := orientation([]byte(data)); got != want {
			t.Errorf("%q: %d, want %d", data, got, want)
		}
	}
}
