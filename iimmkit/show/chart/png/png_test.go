package png

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	stdpng "image/png"
	"math"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/show/chart"
)

func sample() chart.Scatter {
	s := chart.Scatter{Title: "IIMM against gain", X: chart.Axis{Title: "IIMM"}, Y: chart.Axis{Title: "gain", Zero: true}}
	for i := range 14 {
		s.Points = append(s.Points, chart.Point{Name: fmt.Sprint("task ", i), X: float64(i * i % 17), Y: float64(i)})
	}
	return s
}

func TestRenderDrawsAtTheScaleAskedFor(t *testing.T) {
	for _, scale := range []int{1, 2, 3} {
		b, err := RenderScaled(sample(), scale)
		if err != nil {
			t.Fatal(err)
		}
		img, err := stdpng.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if got := img.Bounds().Size(); got.X != 640*scale || got.Y != 460*scale {
			t.Errorf("scale %d: %v", scale, got)
		}
		// The points' blue must be there: 14 discs of radius 5 minus rims.
		blue := 0
		for y := range 460 * scale {
			for x := range 640 * scale {
				if r, g, b, _ := img.At(x, y).RGBA(); r>>8 == 0 && g>>8 == 0x72 && b>>8 == 0xb2 {
					blue++
				}
			}
		}
		if want := 14 * math.Pi * 20 * float64(scale*scale); float64(blue) < .7*want || float64(blue) > 1.6*want {
			t.Errorf("scale %d: %d blue pixels, want about %.0f", scale, blue, want)
		}
	}
}

func TestRenderIsDeterministic(t *testing.T) {
	a, err := Render(sample())
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := Render(sample()); !bytes.Equal(a, b) {
		t.Error("two renderings differ")
	}
}

func TestRenderRefusesWhatTheChartRefuses(t *testing.T) {
	if _, err := Render(chart.Scatter{}); err == nil {
		t.Error("an empty scatter was drawn")
	}
	if _, err := RenderScaled(sample(), 0); err == nil {
		t.Error("scale 0 was accepted")
	}
}

func TestCharactersWithoutAFontAreBoxedAndSaid(t *testing.T) {
	s := sample()
	s.Points[0].Name = "\U0001F9FF\U000F0000" // no font has the private-use character
	missing, err := Missing(s)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.ContainsRune(missing, 0xF0000) {
		t.Errorf("Missing = %q", missing)
	}
	if _, err := Render(s); err != nil {
		t.Errorf("a missing character must not stop the picture: %v", err)
	}
	if missing, err := Missing(sample()); err != nil || missing != "" {
		t.Errorf("Latin text misses %q, %v", missing, err)
	}
}

func TestMinusAndDashesAreInTheBuiltInFont(t *testing.T) {
	runs, missing, err := shape("−3 – r² τ ρ … → ±·", 12, true)
	if err != nil || len(missing) > 0 || len(runs) != 1 {
		t.Errorf("%d runs, missing %q, %v", len(runs), string(missing), err)
	}
}

func TestAFontThatWasAskedForMustWork(t *testing.T) {
	t.Setenv(FontVariable, "/nonexistent.ttf")
	if _, err := readFont("/nonexistent.ttf"); err == nil {
		t.Error("no error for an absent font")
	}
}

// TestJapaneseFontIsTheOneThatDraws compares what is told of the font with what
// the pictures lack.
func TestJapaneseFontIsTheOneThatDraws(t *testing.T) {
	path, err := JapaneseFont()
	if err != nil {
		t.Fatal(err)
	}
	s := sample()
	s.Title = "忘却と獲得"
	missing, err := Missing(s)
	if err != nil {
		t.Fatal(err)
	}
	if (path == "") != (missing != "") {
		t.Errorf("font %q, and missing %q", path, missing)
	}
}

// A picture in a gallery keeps its colours, its orientation and its place.
func TestPicturesAreUprightAndInPlace(t *testing.T) {
	m := image.NewRGBA(image.Rect(2, 3, 4, 5)) // red and green above blue and black
	m.Set(2, 3, color.RGBA{255, 0, 0, 255})
	m.Set(3, 3, color.RGBA{0, 255, 0, 255})
	m.Set(2, 4, color.RGBA{0, 0, 255, 255})
	m.Set(3, 4, color.RGBA{0, 0, 0, 255})
	b, err := RenderScaled(chart.Gallery{Pictures: []chart.Picture{{Image: m}, {Image: m}}, Width: 400}, 1)
	if err != nil {
		t.Fatal(err)
	}
	img, err := stdpng.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	sums := map[[3]uint32][3]int{} // colour: x, y, count
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() / 2 { // the left picture
			r, g, b, _ := img.At(x, y).RGBA()
			key := [3]uint32{r >> 8, g >> 8, b >> 8}
			s := sums[key]
			sums[key] = [3]int{s[0] + x, s[1] + y, s[2] + 1}
		}
	}
	mean := func(r, g, b uint32) (x, y float64) {
		s := sums[[3]uint32{r, g, b}]
		if s[2] < 1000 {
			t.Fatalf("%d pixels of %d %d %d", s[2], r, g, b)
		}
		return float64(s[0]) / float64(s[2]), float64(s[1]) / float64(s[2])
	}
	rx, ry := mean(255, 0, 0)
	gx, gy := mean(0, 255, 0)
	bx, by := mean(0, 0, 255)
	if !(rx < gx-40 && math.Abs(ry-gy) < 2 && by > ry+40 && math.Abs(rx-bx) < 2) {
		t.Errorf("red at %v, %v; green at %v, %v; blue at %v, %v", rx, ry, gx, gy, bx, by)
	}
}
