package preprocess_test

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

// photograph is a JPEG file of 500 x 375 pixels with edges, ramps and grain:
// 4:2:0 at quality 90, some 70 kB, as photographs of that size have.
func photograph(b *testing.B) []byte {
	m := image.NewRGBA(image.Rect(0, 0, 500, 375))
	noise := uint32(1)
	for y := range 375 {
		for x := range 500 {
			noise = noise*1664525 + 1013904223
			grain := int(noise>>24)%24 - 12
			v := (x*x/97+y*y/61)%256/2 + 60*((x/40+y/50)%2)
			c := func(v int) uint8 { return uint8(min(max(v+grain, 0), 255)) }
			m.SetRGBA(x, y, color.RGBA{c(v), c(255 - v*3/4), c(v/2 + y/4), 255})
		}
	}
	var file bytes.Buffer
	if err := jpeg.Encode(&file, m, &jpeg.Options{Quality: 90}); err != nil {
		b.Fatal(err)
	}
	return file.Bytes()
}

// BenchmarkPreprocess decodes a photograph, resizes, crops and normalises it to
// 224 pixels, on all cores and on one, and with Pillow on one.
func BenchmarkPreprocess(b *testing.B) {
	file := photograph(b)
	c := openAI
	c.Size = 224
	open := func(int) (*picture.RGB, error) { return picture.Decode(bytes.NewReader(file)) }
	b.Run("batch", func(b *testing.B) {
		const n = 64
		for b.Loop() {
			if _, err := c.PixelsOf(n, open); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "images/s")
	})
	b.Run("one", func(b *testing.B) {
		for b.Loop() {
			if _, err := c.PixelsOf(1, open); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "images/s")
	})
	b.Run("pillow", func(b *testing.B) {
		python := os.Getenv("IIMM_PYTHON")
		if python == "" {
			python = "python3"
		}
		path := filepath.Join(b.TempDir(), "photograph.jpg")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			out, err := exec.Command(python, "testdata/pillow_speed.py", path, "224").CombinedOutput()
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			if err != nil {
				b.Skipf("%s cannot run Pillow and numpy (IIMM_PYTHON says which Python): %v: %s", python, err, lines[len(lines)-1])
			}
			speed, err := strconv.ParseFloat(lines[len(lines)-1], 64)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(speed, "images/s")
		}
	})
}
