package chart

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"image"
	"io"
	"math"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// nasty is a name as an untrusted folder may carry it.
const nasty = "<script>alert(1)</script>\" onload='x' & ]]> \x00\xff\u2028 {{.}} 傷"

func sampleScatter(n int) Scatter {
	r := rand.New(rand.NewPCG(7, 7))
	s := Scatter{Title: "IIMM against gain", Subtitle: "r = .35", X: Axis{Title: "IIMM"}, Y: Axis{Title: "gain (points)", Zero: true}, Groups: []string{"id", "shift", "real"}, Identity: true}
	for i := range n {
		p := Point{Name: fmt.Sprintf("task-%d", i), Group: s.Groups[i%3], X: .2 + .5*r.Float64(), Y: 80*r.Float64() - 5, Detail: "n = 300"}
		if i%2 == 0 {
			p.Interval = &[2]float64{p.Y - 5, p.Y + 5}
		}
		s.Points = append(s.Points, p)
	}
	s.Fit = &Fit{X: []float64{.2, .4, .6, .7}, Y: []float64{0, 10, 20, 25}, Low: []float64{-50, 5, 15, 10}, High: []float64{200, 15, 25, 40}}
	return s
}

func sampleMap(n int) EmbeddingMap {
	r := rand.New(rand.NewPCG(5, 5))
	m := EmbeddingMap{Title: "map", X: Axis{Title: "axis 1"}, Y: Axis{Title: "axis 2"}, Classes: []string{"a", "b", "c"}, Gap: "modality gap 0.83"}
	for i := range n {
		m.Images = append(m.Images, MapPoint{X: r.NormFloat64(), Y: r.NormFloat64(), Class: i % 3, Name: fmt.Sprint("image ", i)})
	}
	for c := range 3 {
		m.Captions = append(m.Captions, MapPoint{X: -4 + r.NormFloat64(), Y: r.NormFloat64(), Class: c, Name: "a photo of"})
	}
	return m
}

// samples is one chart of each kind.
func samples() map[string]Chart {
	bars := Bars{Title: "gain and forgetting", X: Axis{Title: "points"}, Series: []string{"gain", "forgetting"}, Rows: []BarRow{
		{Name: "one", Values: []float64{12.5, 3}, Intervals: [][2]float64{{8, 17}, {2, 4}}, Detail: "2 seeds"},
		{Name: "two", Values: []float64{-4, math.NaN()}, Intervals: [][2]float64{{-9, 1}, {math.NaN(), math.NaN()}}},
		{Name: "two", Values: []float64{0, .4}},
	}}
	heat := HeatMap{Title: "similarity", Rows: []string{"a", "b"}, Columns: []string{"a", "b", "c"}, ValueTitle: "mean cosine", Values: [][]float64{{.3, .1, math.NaN()}, {.1, .4, .2}}, Decimals: 2}
	off := HeatMap{Title: "off-target", Diverging: true, Rows: []string{"a"}, Columns: []string{"b"}, Values: [][]float64{{-3}}}
	hist := Histograms{Title: "cosines", X: Axis{Title: "cosine"}, Series: []Histogram{
		{Name: "matched", Edges: []float64{-1, 0, .2, .4, 1}, Counts: []float64{0, 3, 5, 0}},
		{Name: "mismatched", Edges: []float64{-1, 0, .2, .4, 1}, Counts: []float64{2, 30, 5, 1}},
	}}
	lines := Lines{Title: "loss", X: Axis{Title: "step"}, Y: Axis{Title: "loss"}, Series: []Line{
		{Name: "train", X: []float64{0, 1, 2, 3}, Y: []float64{3, 2, math.NaN(), 1}},
		{Name: "test", X: []float64{0, 2}, Y: []float64{3, 2}, Low: []float64{2.5, 1.5}, High: []float64{3.5, 2.5}},
	}}
	all := map[string]Chart{"scatter": sampleScatter(29), "bars": bars, "heat map": heat, "diverging": off, "histograms": hist, "lines": lines, "map": sampleMap(120)}
	for name, c := range newSamples() {
		all[name] = c
	}
	return all
}

// inlinePicture is the only thing that a picture may refer to: what it carries.
var inlinePicture = regexp.MustCompile(`href="data:image/(png|jpeg);base64,[A-Za-z0-9+/=]*"`)

// wellFormed parses a document and returns its texts and the number of each element.
func wellFormed(t *testing.T, svg []byte) (texts []string, elements map[string]int) {
	t.Helper()
	elements = map[string]int{}
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := d.Token()
		if err == io.EOF {
			return texts, elements
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
		switch v := token.(type) {
		case xml.StartElement:
			elements[v.Name.Local]++
			for _, a := range v.Attr {
				if strings.HasPrefix(strings.ToLower(a.Name.Local), "on") {
					t.Errorf("event attribute %s", a.Name.Local)
				}
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					t.Errorf("%s %s=%q", v.Name.Local, a.Name.Local, a.Value)
				}
			}
		case xml.CharData:
			if s := strings.TrimSpace(string(v)); s != "" {
				texts = append(texts, s)
			}
		}
	}
}

func TestEveryKindRendersWithoutUndefinedValuesOrNetwork(t *testing.T) {
	for name, c := range samples() {
		t.Run(name, func(t *testing.T) {
			svg, err := c.SVG()
			if err != nil {
				t.Fatal(err)
			}
			wellFormed(t, svg)
			rest := strings.ReplaceAll(string(svg), `xmlns="http://www.w3.org/2000/svg"`, "")
			rest = inlinePicture.ReplaceAllString(rest, "")
			for _, bad := range []string{"http:", "https:", "href", "url(", "<script", "<style", "NaN"} {
				if strings.Contains(rest, bad) {
					t.Errorf("SVG contains %q", bad)
				}
			}
			spec, err := c.VegaLite()
			if err != nil {
				t.Fatal(err)
			}
			var parsed map[string]any
			if err := json.Unmarshal(spec, &parsed); err != nil {
				t.Fatal(err)
			}
			if parsed["$schema"] != vegaSchema {
				t.Errorf("$schema = %v", parsed["$schema"])
			}
			if strings.Contains(strings.ReplaceAll(string(spec), vegaSchema, ""), "http") {
				t.Error("the specification refers to the network")
			}
			if alt := c.Alt(); len(alt) < 10 || strings.Contains(alt, "NaN") {
				t.Errorf("Alt = %q", alt)
			}
		})
	}
}

func TestTheSameChartGivesTheSameBytes(t *testing.T) {
	first, second := samples(), samples()
	for name := range first {
		a, err := first[name].SVG()
		if err != nil {
			t.Fatal(err)
		}
		b, _ := second[name].SVG()
		if !bytes.Equal(a, b) {
			t.Errorf("%s: SVG differs", name)
		}
		v, _ := first[name].VegaLite()
		w, _ := second[name].VegaLite()
		if !bytes.Equal(v, w) {
			t.Errorf("%s: Vega-Lite differs", name)
		}
	}
}

func TestNamesFromElsewhereAreEscaped(t *testing.T) {
	s := sampleScatter(3)
	s.Title, s.Subtitle, s.Note, s.X.Title = nasty, nasty, nasty, nasty
	s.Points[0].Name, s.Points[1].Group, s.Points[2].Detail = nasty, nasty, nasty
	m := sampleMap(9)
	m.Classes[1], m.Images[0].Name, m.Gap = nasty, nasty, nasty
	charts := []Chart{s, m,
		Bars{Title: nasty, Series: []string{nasty}, Rows: []BarRow{{Name: nasty, Values: []float64{1}, Detail: nasty}}},
		HeatMap{Title: nasty, Rows: []string{nasty}, Columns: []string{nasty}, RowTitle: nasty, ColumnTitle: nasty, ValueTitle: nasty, Missing: nasty, Values: [][]float64{{1}}},
		Histograms{Title: nasty, Series: []Histogram{{Name: nasty, Edges: []float64{0, 1}, Counts: []float64{1}}}},
		HeatMap{Title: nasty, Rows: []string{nasty}, Columns: []string{nasty}, Slices: []Slice{{Name: nasty, Values: [][]float64{{1}}, Details: [][]string{{nasty}}}, {Name: nasty, Values: [][]float64{{2}}}}},
		Reliability{Title: nasty, Series: []Calibrated{{Name: nasty, Bins: []ConfidenceBin{{To: 1, N: 3, Accuracy: new(float64), Confidence: new(float64)}}}}},
		Frontier{Title: nasty, X: Axis{Title: nasty}, Series: []Blend{{Name: nasty, Points: []BlendPoint{{}, {Alpha: 1, Gain: 2}}}}},
		Gallery{Title: nasty, Pictures: []Picture{{Image: image.NewGray(image.Rect(0, 0, 2, 2)), Words: []string{nasty, nasty}, Detail: nasty}}},
		Lines{Title: nasty, Series: []Line{{Name: nasty, X: []float64{0, 1}, Y: []float64{0, 1}}, {Name: nasty, X: []float64{0}, Y: []float64{0}}}},
	}
	for _, c := range charts {
		svg, err := c.SVG()
		if err != nil {
			t.Fatal(err)
		}
		_, elements := wellFormed(t, svg)
		if elements["script"] > 0 {
			t.Errorf("%T: a script element got in", c)
		}
		if spec, err := c.VegaLite(); err != nil || !json.Valid(spec) {
			t.Errorf("%T: %v", c, err)
		}
	}
}

func TestScatterShowsEveryPointAndSaysWhatItLeavesOut(t *testing.T) {
	s := sampleScatter(29)
	s.Points[4].X = math.NaN()
	s.Points[9].Y = math.Inf(1)
	svg, err := s.SVG()
	if err != nil {
		t.Fatal(err)
	}
	texts, elements := wellFormed(t, svg)
	all := strings.Join(texts, "\n")
	for i, p := range s.Points {
		drawn := strings.Contains(all, p.Name+" ("+p.Group+")")
		if want := i != 4 && i != 9; drawn != want {
			t.Errorf("%s drawn: %v, want %v", p.Name, drawn, want)
		}
	}
	if elements["g"] != 27 || elements["title"] != 27 {
		t.Errorf("%d groups, %d titles, want 27", elements["g"], elements["title"])
	}
	if !strings.Contains(all, "2 of 29 points left out, value undefined: task-4, task-9.") {
		t.Error("the note does not name the points left out")
	}
}

func TestLabelsNeitherOverlapNorLeaveThePlot(t *testing.T) {
	for _, n := range []int{12, 29, 60} {
		for _, size := range [][2]float64{{540, 420}, {640, 460}, {900, 600}} {
			s := sampleScatter(n)
			s.Width, s.Height = size[0], size[1]
			d, err := s.data()
			if err != nil {
				t.Fatal(err)
			}
			p, labels, _ := s.layout(d, newHead(s.Title, s.Subtitle, nil, d.width), "")
			placed := 0
			for i, a := range labels {
				if !a.placed {
					continue
				}
				placed++
				x0, y1 := a.at.X, a.at.Y+.2*smallSize
				x1, y0 := x0+textWidth(a.text, smallSize, false), y1-smallSize
				if x0 < p.left || x1 > p.right || y0 < p.top || y1 > p.bottom {
					t.Errorf("n=%d: %q leaves the plot", n, a.text)
				}
				for _, b := range labels[:i] {
					if !b.placed {
						continue
					}
					other := box{b.at.X, b.at.Y + .2*smallSize - smallSize, b.at.X + textWidth(b.text, smallSize, false), b.at.Y + .2*smallSize}
					if (box{x0, y0, x1, y1}).overlap(other) > 0 {
						t.Errorf("n=%d: %q and %q overlap", n, a.text, b.text)
					}
				}
			}
			if placed < n*9/10 {
				t.Errorf("n=%d at %v: only %d labels placed", n, size, placed)
			}
		}
	}
}

func TestUnplacedNamesAreSaid(t *testing.T) {
	s := sampleScatter(60)
	for i := range s.Points {
		s.Points[i].X, s.Points[i].Y = .5, 10 // all on one spot: no room for sixty names
		s.Points[i].Name = fmt.Sprintf("a rather long name of a task %d", i)
	}
	svg, err := s.SVG()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(svg), "No room for ") {
		t.Error("names vanished silently")
	}
}

func TestTicksAreRoundAndInRange(t *testing.T) {
	for _, r := range [][2]float64{{0, 1}, {-12.3, 77.7}, {.16, .67}, {.001, .0013}, {-1e7, 3e7}, {99.99, 100.01}, {0, 1e-7}, {-3, -1}} {
		s := scale{lo: r[0], hi: r[1]}.onto(0, 500)
		ticks := s.ticks(80)
		if len(ticks) < 2 || len(ticks) > 9 {
			t.Errorf("%v: %d ticks", r, len(ticks))
		}
		seen := map[string]bool{}
		for i, k := range ticks {
			if k.value < r[0]-1e-9*math.Abs(r[0]) || k.value > r[1]+1e-9*math.Abs(r[1]) {
				t.Errorf("%v: tick %v outside", r, k.value)
			}
			if seen[k.label] {
				t.Errorf("%v: label %q twice", r, k.label)
			}
			seen[k.label] = true
			if i > 0 {
				step := k.value - ticks[i-1].value
				mantissa := step / math.Pow(10, math.Floor(math.Log10(step)+1e-9))
				if math.Abs(mantissa-1) > 1e-6 && math.Abs(mantissa-2) > 1e-6 && math.Abs(mantissa-5) > 1e-6 {
					t.Errorf("%v: step %v is not round", r, step)
				}
			}
		}
	}
	labels := ""
	for _, k := range (scale{lo: -.05, hi: 1.05, axis: Axis{Percent: true}}).onto(0, 400).ticks(64) {
		labels += k.label + ","
	}
	if labels != "0 %,20 %,40 %,60 %,80 %,100 %," {
		t.Errorf("per cent ticks: %s", labels)
	}
}

func TestARangeWithoutExtentStillHasAScale(t *testing.T) {
	for _, v := range []float64{0, 5, -3, 1e12} {
		s := newScale(Axis{}, []float64{v, v}).onto(0, 100)
		if s.lo >= v || s.hi <= v || !finite(s.pixel(v)) {
			t.Errorf("%v: range %v to %v", v, s.lo, s.hi)
		}
	}
}

func TestBarsShareAHeightThatIsGiven(t *testing.T) {
	for _, rows := range []int{1, 14, 90} {
		b := Bars{Series: []string{"gain", "forgetting"}, Height: 700}
		for i := range rows {
			b.Rows = append(b.Rows, BarRow{Name: fmt.Sprint("row ", i), Values: []float64{float64(i), 1}})
		}
		svg, err := b.SVG()
		if err != nil {
			t.Fatal(err)
		}
		tall := strings.Contains(string(svg), `height="700" viewBox`)
		if want := rows < 90; tall != want { // ninety rows need more
			t.Errorf("%d rows: height kept %v, want %v", rows, tall, want)
		}
	}
}

func TestBadInputIsRefusedInOneLine(t *testing.T) {
	nan := math.NaN()
	cases := map[string]Chart{
		"no point defined":    Scatter{Points: []Point{{X: nan}}},
		"no point":            Scatter{},
		"fit lengths":         Scatter{Points: []Point{{}}, Fit: &Fit{X: []float64{0, 1}, Y: []float64{0}}},
		"fit undefined":       Scatter{Points: []Point{{}}, Fit: &Fit{X: []float64{0, 1}, Y: []float64{0, nan}}},
		"fit order":           Scatter{Points: []Point{{}}, Fit: &Fit{X: []float64{1, 0}, Y: []float64{0, 1}}},
		"axis range":          Scatter{Points: []Point{{}}, X: Axis{Min: 2, Max: 1}},
		"size":                Scatter{Points: []Point{{}}, Width: 3},
		"no rows":             Bars{Series: []string{"a"}},
		"row length":          Bars{Series: []string{"a"}, Rows: []BarRow{{Values: []float64{1, 2}}}},
		"infinite bar":        Bars{Series: []string{"a"}, Rows: []BarRow{{Values: []float64{math.Inf(-1)}}}},
		"ragged heat map":     HeatMap{Rows: []string{"a"}, Columns: []string{"a", "b"}, Values: [][]float64{{1}}},
		"undefined heat map":  HeatMap{Rows: []string{"a"}, Columns: []string{"a"}, Values: [][]float64{{nan}}},
		"infinite cell":       HeatMap{Rows: []string{"a"}, Columns: []string{"a"}, Values: [][]float64{{math.Inf(1)}}},
		"histogram edges":     Histograms{Series: []Histogram{{Edges: []float64{0, 1}, Counts: []float64{1, 2}}}},
		"histogram negative":  Histograms{Series: []Histogram{{Edges: []float64{0, 1}, Counts: []float64{-1}}}},
		"histogram empty":     Histograms{Series: []Histogram{{Edges: []float64{0, 1}, Counts: []float64{0}}}},
		"no histogram":        Histograms{},
		"class out of range":  EmbeddingMap{Classes: []string{"a"}, Images: []MapPoint{{Class: 1}}},
		"undefined embedding": EmbeddingMap{Classes: []string{"a"}, Captions: []MapPoint{{X: nan}}},
		"empty map":           EmbeddingMap{},
		"descending line":     Lines{Series: []Line{{X: []float64{1, 0}, Y: []float64{0, 0}}}},
		"undefined lines":     Lines{Series: []Line{{X: []float64{1}, Y: []float64{nan}}}},
		"no lines":            Lines{},
		"log of 0":            Lines{X: Axis{Log: true}, Series: []Line{{X: []float64{0, 1}, Y: []float64{0, 1}}}},
		"log with 0":          Scatter{X: Axis{Log: true, Zero: true}, Points: []Point{{X: 1}}},
		"log point":           Scatter{Y: Axis{Log: true}, Points: []Point{{X: 1, Y: -1}}},
		"log bars":            Bars{X: Axis{Log: true}, Series: []string{"a"}, Rows: []BarRow{{Values: []float64{1}}}},
		"log map":             EmbeddingMap{X: Axis{Log: true}, Classes: []string{"a"}, Images: []MapPoint{{X: 1}}},
		"values and slices":   HeatMap{Rows: []string{"a"}, Columns: []string{"a"}, Values: [][]float64{{1}}, Slices: []Slice{{Values: [][]float64{{1}}}}},
		"ragged slice":        HeatMap{Rows: []string{"a"}, Columns: []string{"a"}, Slices: []Slice{{Values: [][]float64{{1}}}, {Values: [][]float64{{1, 2}}}}},
		"ragged details":      HeatMap{Rows: []string{"a"}, Columns: []string{"a"}, Slices: []Slice{{Values: [][]float64{{1}}, Details: [][]string{{}}}}},
		"no reliability":      Reliability{},
		"no confident images": Reliability{Series: []Calibrated{{Bins: []ConfidenceBin{{From: 0, To: 1}}}}},
		"confidence above 1":  Reliability{Series: []Calibrated{{Bins: []ConfidenceBin{{From: 0, To: 1, N: 1, Accuracy: new(float64), Confidence: float(1.1)}}}}},
		"undefined accuracy":  Reliability{Series: []Calibrated{{Bins: []ConfidenceBin{{From: 0, To: 1, N: 1, Accuracy: &nan, Confidence: new(float64)}}}}},
		"absent accuracy":     Reliability{Series: []Calibrated{{Bins: []ConfidenceBin{{From: 0, To: 1, N: 1, Confidence: new(float64)}}}}},
		"bins that overlap":   Reliability{Series: []Calibrated{{Bins: []ConfidenceBin{{From: 0, To: .6}, {From: .5, To: 1, N: 1, Accuracy: new(float64), Confidence: new(float64)}}}}},
		"no frontier":         Frontier{},
		"alpha above 1":       Frontier{Series: []Blend{{Points: []BlendPoint{{Alpha: 1.2}}}}},
		"alpha descends":      Frontier{Series: []Blend{{Points: []BlendPoint{{Alpha: .5}, {Alpha: .5}}}}},
		"undefined gain":      Frontier{Series: []Blend{{Points: []BlendPoint{{Gain: nan}}}}},
		"chosen elsewhere":    Frontier{Series: []Blend{{Points: []BlendPoint{{Alpha: .5}}, Chosen: new(float64)}}},
		"undefined limit":     Frontier{Series: []Blend{{Points: []BlendPoint{{}}}}, Limit: &nan},
		"no pictures":         Gallery{},
		"picture of nothing":  Gallery{Pictures: []Picture{{Image: image.NewGray(image.Rect(0, 0, 0, 0))}}},
		"absent picture":      Gallery{Pictures: []Picture{{}}},
	}
	for name, c := range cases {
		if _, err := c.SVG(); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: SVG error %v", name, err)
		}
		if _, err := c.VegaLite(); err == nil {
			t.Errorf("%s: Vega-Lite accepted it", name)
		}
		c.Alt() // must not panic
	}
}

func TestEllipseHoldsNinetyFivePerCent(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var points []MapPoint
	for range 20000 {
		u, v := r.NormFloat64(), r.NormFloat64()
		points = append(points, MapPoint{X: 3 + 2*u, Y: -1 + 1.2*u + .5*v})
	}
	e := ellipse(points)
	inside := 0
	for _, p := range points {
		in := false
		for i := 1; i < len(e); i++ { // crossing number
			a, b := e[i-1], e[i]
			if (a.Y > p.Y) != (b.Y > p.Y) && p.X < (b.X-a.X)*(p.Y-a.Y)/(b.Y-a.Y)+a.X {
				in = !in
			}
		}
		if in {
			inside++
		}
	}
	if share := float64(inside) / 20000; math.Abs(share-.95) > .006 {
		t.Errorf("ellipse holds %.3f of a normal law, want .95", share)
	}
}

func TestAUnitHasTheSameLengthOnBothAxesOfAMap(t *testing.T) {
	m := sampleMap(50)
	for i := range m.Images {
		m.Images[i].X *= 40
	}
	x, y := m.scales()
	p := newPlane(720, 560, head{}, foot{}, x, y).sameUnit()
	dx, dy := p.x.pixel(1)-p.x.pixel(0), p.y.pixel(0)-p.y.pixel(1)
	if math.Abs(dx-dy) > 1e-9 {
		t.Errorf("a unit is %v pixels wide and %v high", dx, dy)
	}
}

func TestDensitiesIntegrateToOne(t *testing.T) {
	h := Histogram{Edges: []float64{-1, 0, .5, 2}, Counts: []float64{1, 4, 5}}
	d, mean, total := h.density()
	area := 0.0
	for i := range d {
		area += d[i] * (h.Edges[i+1] - h.Edges[i])
	}
	if math.Abs(area-1) > 1e-12 || total != 10 || math.Abs(mean-(-.5*.1+.25*.4+1.25*.5)) > 1e-12 {
		t.Errorf("area %v, mean %v, total %v", area, mean, total)
	}
}

func TestWrapKeepsAllWordsAndTheWidth(t *testing.T) {
	for _, text := range []string{
		"r = .35 [−.02, .64], tau = .28, n = 14; zero-shot error alone reaches r = .76 on the same tasks",
		"事前学習モデルの画像と文の埋め込みから、微調整による向上と忘却を前もって見積もる。",
		"日本語 and English mixed、どちらも折り返す。",
	} {
		lines := wrap(text, 12, 200)
		if len(lines) < 2 {
			t.Errorf("%q was not wrapped", text)
		}
		squeeze := func(s string) string { return strings.ReplaceAll(s, " ", "") }
		if squeeze(strings.Join(lines, "")) != squeeze(text) {
			t.Errorf("%q became %q", text, lines)
		}
		for _, l := range lines {
			if textWidth(l, 12, false) > 200 {
				t.Errorf("line %q is too wide", l)
			}
			if strings.HasPrefix(l, "、") || strings.HasPrefix(l, "。") {
				t.Errorf("line %q begins with a closing sign", l)
			}
		}
	}
}

func TestPaletteColoursStayApart(t *testing.T) {
	for i, a := range palette {
		for _, b := range palette[:i] {
			x, y := rgb(a), rgb(b)
			d := 0.0
			for k := range x {
				d += math.Pow(float64(x[k]-y[k]), 2)
			}
			if math.Sqrt(d) < 60 {
				t.Errorf("%s and %s are near", a, b)
			}
		}
	}
	seen := map[string]bool{}
	for i := range 42 {
		k := fmt.Sprint(Color(i), markerOf(i))
		if seen[k] {
			t.Errorf("group %d repeats colour and form %s", i, k)
		}
		seen[k] = true
	}
}

func FuzzEscape(f *testing.F) {
	f.Add(nasty)
	f.Add("")
	f.Add("a\nb\tc\x1b]0;")
	f.Fuzz(func(t *testing.T, text string) {
		d := xml.NewDecoder(strings.NewReader(`<a b="` + escape(text) + `">` + escapeLines(text) + "</a>"))
		for {
			if _, err := d.Token(); err == io.EOF {
				return
			} else if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
		}
	})
}

func ExampleScatter() {
	c := Scatter{
		Title: "IIMM against gain", Subtitle: "r = .50, n = 3",
		X: Axis{Title: "IIMM"}, Y: Axis{Title: "gain (points)", Zero: true},
		Points: []Point{{Name: "mnist", X: .41, Y: 49}, {Name: "letter", X: .35, Y: 26}, {Name: "count", X: .37, Y: 11}},
	}
	fmt.Println(c.Alt())
	svg, err := c.SVG()
	fmt.Println(bytes.HasPrefix(svg, []byte("<svg ")), err)
	// Output:
	// IIMM against gain. Scatter plot of gain (points) against IIMM, 3 points. r = .50, n = 3
	// true <nil>
}
