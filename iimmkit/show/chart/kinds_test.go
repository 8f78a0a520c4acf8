package chart

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/core/evaluate"
)

// sampleCalibrated has a confidence that is too high by off.
func sampleCalibrated(name string, off float64) Calibrated {
	c := Calibrated{Name: name}
	for b := range 10 {
		n := []int{0, 4, 9, 15, 20, 26, 33, 41, 60, 92}[b]
		middle := (float64(b) + .5) / 10
		c.Bins = append(c.Bins, ConfidenceBin{From: float64(b) / 10, To: float64(b+1) / 10, N: n, Confidence: float(middle), Accuracy: float(math.Max(0, middle-off))})
	}
	c.Bins[0].Accuracy, c.Bins[0].Confidence = nil, nil
	return c
}

func float(v float64) *float64 { return &v }

func sampleFrontier() Frontier {
	limit, chosen := 3.0, .5
	f := Frontier{Title: "What blending buys", X: Axis{Title: "forgetting (points)", Zero: true}, Y: Axis{Title: "gain (points)", Zero: true}, Limit: &limit}
	for k, name := range []string{"full", "lora"} {
		b := Blend{Name: name}
		for i := range 11 {
			a := float64(i) / 10
			gain, forgetting := (30-6*float64(k))*a*(2-a)/1.02, (9-5*float64(k))*a*a
			b.Points = append(b.Points, BlendPoint{Alpha: a, Gain: gain, Forgetting: forgetting, GainInterval: &[2]float64{gain - 2, gain + 2}})
			if i%2 == 0 {
				b.Points[i].ForgettingInterval = &[2]float64{forgetting - .5, forgetting + .5}
			}
		}
		if k == 0 {
			b.Chosen = &chosen
		}
		f.Series = append(f.Series, b)
	}
	return f
}

func sampleGallery(n int) Gallery {
	g := Gallery{Title: "Images most surely mistaken", Subtitle: "micro-clip, world/shape, test split"}
	r := rand.New(rand.NewPCG(9, 9))
	for i := range n {
		w, h := 32, 32
		if i == 1 {
			w, h = 700, 400
		}
		m := image.NewRGBA(image.Rect(3, 4, 3+w, 4+h))
		for y := range h {
			for x := range w {
				d := math.Hypot(float64(x-w/2), float64(y-h/2))
				c := color.RGBA{uint8(40 * i % 256), uint8(r.IntN(40)), 90, 255}
				if d < float64(h)/3 {
					c = color.RGBA{240, uint8(200 - 20*i%200), 60, 255}
				}
				m.Set(3+x, 4+y, c)
			}
		}
		g.Pictures = append(g.Pictures, Picture{Image: m, Words: []string{fmt.Sprintf("circle %d", i), "taken for triangle, 97 %"}, Detail: fmt.Sprintf("test/%05d.png", i)})
	}
	return g
}

func sampleSlices() HeatMap {
	names := []string{"circle", "square", "三角形", "star"}
	h := HeatMap{Title: "Mean similarity by class", Subtitle: "micro-clip on world/shape", Rows: names, Columns: names, RowTitle: "class", ColumnTitle: "class", ValueTitle: "mean cosine", Decimals: 2, Missing: "a class with one image"}
	for k, name := range []string{"image and image", "image and caption", "caption and caption"} {
		s := Slice{Name: name}
		for i := range names {
			var row []float64
			for j := range names {
				v := .6 - .12*math.Abs(float64(i-j)) - .2*float64(k%2)
				if k == 0 && i == 3 && j == 3 {
					v = math.NaN()
				}
				row = append(row, v)
			}
			s.Values = append(s.Values, row)
		}
		h.Slices = append(h.Slices, s)
	}
	return h
}

func sampleCurve() Lines {
	l := Lines{Title: "Accuracy over labels", X: Axis{Title: "labelled images per class", Log: true}, Y: Axis{Title: "accuracy", Percent: true}}
	fit := Line{Name: "fitted curve, 80 % band"}
	for n := 1.0; n <= 128; n *= 1.25 {
		y := .92 - .5*math.Pow(n, -.6)
		fit.X, fit.Y, fit.Low, fit.High = append(fit.X, n), append(fit.Y, y), append(fit.Low, y-.03), append(fit.High, y+.03)
	}
	measured := Line{Name: "measured", Points: true, X: []float64{1, 2, 5, 10, 20, 32}, Y: []float64{.43, .6, .72, .8, .83, .86}}
	for _, y := range measured.Y {
		measured.Low, measured.High = append(measured.Low, y-.05), append(measured.High, y+.05)
	}
	l.Series = []Line{fit, measured}
	return l
}

func sampleClassMap() EmbeddingMap {
	r := rand.New(rand.NewPCG(4, 4))
	m := EmbeddingMap{Title: "Images and captions", Subtitle: "two principal axes hold 61 % of the variance", X: Axis{Title: "first axis"}, Y: Axis{Title: "second axis"}, Classes: []string{"circle", "square", "triangle"}, ClassEllipses: true, Gap: "modality gap 0.83"}
	for i := range 240 {
		c := i % 3
		u, v := r.NormFloat64(), r.NormFloat64()
		m.Images = append(m.Images, MapPoint{X: 2*float64(c) + .6*u, Y: 1.5*float64(c%2) + .3*u + .3*v, Class: c, Name: fmt.Sprintf("train/%05d", i)})
	}
	for c := range 3 {
		m.Captions = append(m.Captions, MapPoint{X: -3 + .2*float64(c), Y: 3 + .5*float64(c), Class: c, Name: "a photo of a " + m.Classes[c]})
	}
	return m
}

// newSamples are charts of the kinds that have more than one form of data.
func newSamples() map[string]Chart {
	confusion, err := Confusion(English, []string{"circle", "square", "star"}, [][]int{{8, 2, 0}, {5, 4, 1}, {0, 0, 0}}, [][]int{{9, 1, 0}, {1, 9, 0}, {0, 0, 0}})
	if err != nil {
		panic(err)
	}
	confusion.Title = "Before and after tuning"
	near := sampleClassMap()
	near.Title, near.Subtitle, near.X, near.Y, near.Neighbours = "Neighbours", "t-SNE, perplexity 30", Axis{}, Axis{}, true
	return map[string]Chart{
		"neighbours": near, "slices": sampleSlices(), "confusion": confusion, "curve": sampleCurve(), "class map": sampleClassMap(), "frontier": sampleFrontier(), "gallery": sampleGallery(8),
		"reliability": Reliability{Title: "Can confidence be believed?", Series: []Calibrated{sampleCalibrated("before", .2), sampleCalibrated("after", .03)}},
	}
}

// What package evaluate measures converts, bin by bin, and gives its error.
func TestCalibrationErrorIsThatOfTheMeasurement(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 3))
	const n, classes = 200, 4
	var scores []float64
	var labels []int
	for range n {
		for range classes {
			scores = append(scores, r.NormFloat64())
		}
		labels = append(labels, r.IntN(classes))
	}
	measured, err := evaluate.Calibrate(scores, labels, classes, 1.5)
	if err != nil {
		t.Fatal(err)
	}
	c := Calibrated{Name: "measured"}
	for _, b := range measured.Bins {
		c.Bins = append(c.Bins, ConfidenceBin(b))
	}
	if math.Abs(c.ECE()-measured.ECE) > 1e-12 || c.n() != n || measured.ECE < .05 {
		t.Errorf("ECE %v, measured %v, of %d images", c.ECE(), measured.ECE, c.n())
	}
	if _, err := (Reliability{Series: []Calibrated{c}}).SVG(); err != nil {
		t.Error(err)
	}
}

// Reference: scipy.stats.binomtest(k, n).proportion_ci(method="wilson").
func TestWhiskersOfAReliabilityDiagramAreWilsons(t *testing.T) {
	for _, c := range []struct {
		k, n   int
		lo, hi float64
	}{{0, 4, 0, .48989}, {7, 10, .39678, .89221}, {92, 92, .95991, 1}} {
		lo, hi := wilson(float64(c.k)/float64(c.n), c.n)
		if math.Abs(lo-c.lo) > 2e-5 || math.Abs(hi-c.hi) > 2e-5 {
			t.Errorf("%d of %d: %.5f to %.5f, want %.5f to %.5f", c.k, c.n, lo, hi, c.lo, c.hi)
		}
	}
}

func TestConfusionShowsSharesOfRowsAndTellsCounts(t *testing.T) {
	h, err := Confusion(English, []string{"a", "b"}, [][]int{{3, 1}, {0, 0}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := h.Slices[0]
	if len(h.Slices) != 1 || s.Values[0][0] != 75 || s.Values[0][1] != 25 || !math.IsNaN(s.Values[1][0]) || s.Details[0][1] != "1 of 4 images" {
		t.Errorf("%+v", h.Slices)
	}
	for name, m := range map[string][][]int{"negative": {{3, -1}, {0, 1}}, "ragged": {{3, 1}, {1}}, "rows": {{3, 1}}} {
		if _, err := Confusion(English, []string{"a", "b"}, [][]int{{3, 1}, {0, 4}}, m); err == nil {
			t.Errorf("%s was drawn", name)
		}
	}
}

func TestNewEmbeddingMapTakesImagesThenCaptions(t *testing.T) {
	coords := []float64{1, 2, 9, 3, 4, 9, 5, 6, 9, 7, 8, 9}
	m, err := NewEmbeddingMap(coords, 3, []int{1, 0}, []string{"a", "b"}, []string{"x", "y"})
	if err != nil {
		t.Fatal(err)
	}
	if m.Images[0] != (MapPoint{1, 2, 1, "x"}) || m.Images[1] != (MapPoint{3, 4, 0, "y"}) || m.Captions[0] != (MapPoint{5, 6, 0, ""}) || m.Captions[1] != (MapPoint{7, 8, 1, ""}) {
		t.Errorf("%+v", m)
	}
	if m, err = NewEmbeddingMap(coords[:6], 3, []int{1, 0}, []string{"a", "b"}, nil); err != nil || m.Captions != nil {
		t.Errorf("%+v, %v", m, err)
	}
	for name, err := range map[string]error{
		"one axis": second(NewEmbeddingMap(coords, 1, []int{1, 0}, []string{"a", "b"}, nil)), "rows": second(NewEmbeddingMap(coords[:9], 3, []int{1, 0}, []string{"a", "b"}, nil)),
		"names": second(NewEmbeddingMap(coords, 3, []int{1, 0}, []string{"a", "b"}, []string{"x"})), "label": second(NewEmbeddingMap(coords, 3, []int{2, 0}, []string{"a", "b"}, nil)),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A map of neighbours does not show what would be read as a distance.
func TestAMapOfNeighboursHasNoNumbersAndNoArrow(t *testing.T) {
	m := sampleClassMap()
	for _, near := range []bool{false, true} {
		m.Neighbours = near
		svg, err := m.SVG()
		if err != nil {
			t.Fatal(err)
		}
		texts, _ := wellFormed(t, svg)
		spec, err := m.VegaLite()
		if err != nil {
			t.Fatal(err)
		}
		arrow := strings.Contains(string(svg), "modality gap") || strings.Contains(string(spec), "modality gap")
		said := strings.Contains(strings.Join(texts, " "), "Near points are alike") && strings.Contains(string(spec), "Near points are alike")
		numbers := slices.Contains(texts, "−2") || strings.Contains(string(spec), "tickCount")
		if arrow == near || said != near || numbers == near {
			t.Errorf("neighbours %v: arrow %v, said %v, numbers %v", near, arrow, said, numbers)
		}
	}
}

func second(_ EmbeddingMap, err error) error { return err }

func TestTheSliderShowsEachPointAtItsAlphaAndNoTwoAtOnce(t *testing.T) {
	b := sampleFrontier().Series[0]
	b.Points = append(b.Points[:3:3], b.Points[7:]...) // uneven
	for alpha := 0.0; alpha <= 1; alpha += .01 {
		var shown []int
		for i := range b.Points {
			if lo, hi := b.between(i); alpha >= lo && alpha < hi {
				shown = append(shown, i)
			}
		}
		if len(shown) != 1 {
			t.Fatalf("alpha %v: points %v", alpha, shown)
		}
		for _, p := range b.Points {
			if math.Abs(p.Alpha-alpha) < math.Abs(b.Points[shown[0]].Alpha-alpha)-1e-12 {
				t.Errorf("alpha %v: shown %v, nearer %v", alpha, b.Points[shown[0]].Alpha, p.Alpha)
			}
		}
	}
}

func TestLogarithmicTicksAreRoundAndApart(t *testing.T) {
	for _, r := range [][2]float64{{1, 128}, {.9, 12}, {3, 5}, {1e-6, 1e6}, {5, 2000}} {
		s := scale{lo: r[0], hi: r[1], axis: Axis{Log: true}}.onto(40, 540)
		ticks := s.ticks(64)
		if len(ticks) < 2 {
			t.Errorf("%v: %d ticks", r, len(ticks))
		}
		for i, k := range ticks {
			if !s.has(k.value) {
				t.Errorf("%v: tick %v outside", r, k.value)
			}
			if i > 0 && s.pixel(k.value)-s.pixel(ticks[i-1].value) < 30 {
				t.Errorf("%v: ticks %s and %s stand %.0f pixels apart", r, ticks[i-1].label, k.label, s.pixel(k.value)-s.pixel(ticks[i-1].value))
			}
		}
	}
	s := scale{lo: 1, hi: 100, axis: Axis{Log: true}}.onto(0, 200)
	if s.pixel(10) != 100 {
		t.Errorf("the middle of 1 to 100 is at %v", s.pixel(10))
	}
}

func TestThumbnailsAreNeitherTinyNorHuge(t *testing.T) {
	m := image.NewRGBA(image.Rect(5, 5, 405, 105))
	for y := 5; y < 105; y++ {
		for x := 5; x < 405; x++ {
			m.Set(x, y, color.RGBA{uint8(x % 2 * 255), 0, 0, 255})
		}
	}
	small := Thumbnail(m, 50)
	if b := small.Bounds(); b.Dx() != 100 || b.Dy() != 25 {
		t.Fatalf("bounds %v", b)
	}
	if r, _, _, a := small.At(50, 12).RGBA(); r>>8 != 128 || a>>8 != 255 {
		t.Errorf("the mean of 0 and 255 is %d", r>>8)
	}
	if Thumbnail(m, 300) != image.Image(m) {
		t.Error("a picture of the right size was changed")
	}
	if b := Thumbnail(m.SubImage(image.Rect(5, 5, 8, 7)), 50).Bounds(); b.Dx() != 51 || b.Dy() != 34 {
		t.Errorf("enlarged to %v", b)
	}
	if b := Thumbnail(image.NewGray(image.Rect(0, 0, 9000, 1)), 50).Bounds(); b.Dx() != 100 || b.Dy() != 1 {
		t.Errorf("a strip became %v", b)
	}
	for name, c := range map[string]struct {
		m    image.Image
		kind string
	}{"drawing": {Thumbnail(m.SubImage(image.Rect(5, 5, 8, 7)), 96), "png"}, "transparent": {image.NewNRGBA(image.Rect(0, 0, 200, 200)), "png"}, "photograph": {noise(200), "jpeg"}} {
		if uri, err := DataURI(c.m); err != nil || !strings.HasPrefix(uri, "data:image/"+c.kind+";base64,") {
			t.Errorf("%s: %.30s, %v", name, uri, err)
		}
	}
}

func noise(size int) image.Image {
	r := rand.New(rand.NewPCG(1, 1))
	m := image.NewRGBA(image.Rect(0, 0, size, size))
	for i := range m.Pix {
		m.Pix[i] = uint8(120 + r.IntN(20))
		if i%4 == 3 {
			m.Pix[i] = 255
		}
	}
	return m
}
