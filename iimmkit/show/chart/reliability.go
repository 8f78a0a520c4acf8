package chart

import (
	"fmt"
	"math"
	"strings"
)

// Reliability shows whether confidence can be believed: the accuracy of images
// by their confidence, for one classifier or several (before and after tuning),
// beside the diagonal on which both are equal, with the share of images in each
// bin below and the expected calibration error in the legend.
type Reliability struct {
	Title, Subtitle, Note string
	Series                []Calibrated
	Language              Language
	Width, Height         float64 // 0 means 560 x 560
}

// Calibrated is one classifier's confidences.
type Calibrated struct {
	Name string
	Bins []ConfidenceBin
}

// ConfidenceBin holds the N images with a confidence between From and To, and
// their mean accuracy and confidence, nil without images; all but N in [0,1]. A
// Bin of package core/evaluate converts to it.
type ConfidenceBin struct {
	From, To   float64
	N          int
	Accuracy   *float64
	Confidence *float64
}

// ECE is the expected calibration error, in [0,1]: the mean over images of
// |accuracy - confidence| of their bin (Guo et al. 2017, equation 3). NaN without
// images.
func (c Calibrated) ECE() float64 {
	sum, n := 0.0, 0.0
	for _, b := range c.Bins {
		if b.N > 0 {
			sum += float64(b.N) * math.Abs(*b.Accuracy-*b.Confidence)
			n += float64(b.N)
		}
	}
	return sum / n
}

func (c Calibrated) n() (n int) {
	for _, b := range c.Bins {
		n += b.N
	}
	return n
}

func (c Calibrated) check() error {
	for i, b := range c.Bins {
		if !(b.From < b.To) || b.From < 0 || b.To > 1 || i > 0 && b.From < c.Bins[i-1].To || b.N < 0 {
			return fmt.Errorf("chart: reliability %q, bin %d: %d images with confidence in %v to %v", clean(c.Name), i, b.N, b.From, b.To)
		}
		for _, mean := range []*float64{b.Accuracy, b.Confidence} {
			if b.N > 0 && (mean == nil || !(*mean >= 0 && *mean <= 1)) {
				return fmt.Errorf("chart: reliability %q, bin %d: accuracy or confidence of %d images is not in 0 to 1", clean(c.Name), i, b.N)
			}
		}
	}
	if c.n() == 0 {
		return fmt.Errorf("chart: reliability %q has no images", clean(c.Name))
	}
	return nil
}

// wilson is the 95 % score interval of a rate (Wilson, 1927).
func wilson(rate float64, n int) (lo, hi float64) {
	const z = 1.959963984540054
	m := float64(n)
	middle, half := rate+z*z/(2*m), z*math.Sqrt(rate*(1-rate)/m+z*z/(4*m*m))
	return math.Max(0, (middle-half)/(1+z*z/m)), math.Min(1, (middle+half)/(1+z*z/m))
}

func (r Reliability) check() error {
	if len(r.Series) == 0 {
		return fmt.Errorf("chart: reliability %q has no series", clean(r.Title))
	}
	for _, s := range r.Series {
		if err := s.check(); err != nil {
			return err
		}
	}
	return checkSize(r.Width, r.Height)
}

func (r Reliability) size() (width, height float64) {
	width, height = r.Width, r.Height
	if width == 0 {
		width = 560
	}
	if height == 0 {
		height = 560
	}
	return width, height
}

// legendOf words a series with its error.
func (r Reliability) legendOf(s Calibrated) string {
	return fmt.Sprintf(r.Language.phrases().ece, s.Name, short(math.Round(s.ECE()*1e4)/1e4), s.n())
}

func (r Reliability) axes() (confidence, accuracy, share scale) {
	w := r.Language.phrases()
	unit := func(title string) scale {
		return newScale(Axis{Title: title, Percent: true, Min: 0, Max: 1}, nil)
	}
	most := 0.0
	for _, s := range r.Series {
		for _, b := range s.Bins {
			most = math.Max(most, float64(b.N)/float64(s.n()))
		}
	}
	return unit(w.confidence), unit(w.accuracy), newScale(Axis{Title: w.share, Percent: true, Min: 0, Max: most * 1.05}, nil)
}

// hover words a bin.
func (r Reliability) hover(s Calibrated, b ConfidenceBin) string {
	w := r.Language.phrases()
	percent := Axis{Percent: true}
	lo, hi := wilson(*b.Accuracy, b.N)
	return s.Name + "\n" + fmt.Sprintf(w.binOf, percent.value(b.From), percent.value(b.To), b.N) +
		"\n" + w.accuracy + ": " + percent.value(*b.Accuracy) + " [" + percent.value(lo) + ", " + percent.value(hi) + "]" +
		"\n" + w.confidence + ": " + percent.value(*b.Confidence)
}

// SVG implements Chart.
func (r Reliability) SVG() ([]byte, error) { return drawSVG(r) }

// Alt implements Chart.
func (r Reliability) Alt() string {
	var parts []string
	for _, s := range r.Series {
		if s.check() == nil {
			parts = append(parts, r.legendOf(s))
		}
	}
	return clean(sentences(fmt.Sprintf(r.Language.phrases().reliabilityAlt, r.Title, strings.Join(parts, "; ")), r.Subtitle, r.Note))
}

// Draw implements Chart.
func (r Reliability) Draw(c Canvas) error {
	if err := r.check(); err != nil {
		return err
	}
	w := r.Language.phrases()
	width, height := r.size()
	var legend []key
	for k, s := range r.Series {
		legend = append(legend, key{name: r.legendOf(s), color: Color(k), marker: markerOf(k)})
	}
	legend = append(legend, key{name: w.perfect, color: zeroColor, form: keyDashed})
	top, bottom := newHead(r.Title, r.Subtitle, legend, width), newFoot(sentences(w.wilson, r.Note), width)
	x, y, share := r.axes()
	// Two planes, one above the other, share the horizontal axis.
	low := newPlane(width, height, top, bottom, x, share)
	room := low.bottom - low.top
	cut := low.top + .74*room
	high := newPlane(width, height, top, bottom, x, y)
	high.bottom, low.top = cut-10, cut+10
	high.left, low.left = math.Max(high.left, low.left), math.Max(high.left, low.left)
	high.x, low.x = x.onto(high.left, high.right), x.onto(low.left, low.right)
	high.x.axis.Title = ""
	high.y, low.y = y.onto(high.bottom, high.top), share.onto(low.bottom, low.top)

	c.Begin(width, height, r.Alt())
	top.draw(c)
	high.axes(c)
	low.axes(c)
	c.Polyline([]XY{high.at(0, 0), high.at(1, 1)}, Style{Stroke: zeroColor, Width: 1.2, Dash: []float64{5, 4}})
	for k, s := range r.Series {
		var line []XY
		for _, b := range s.Bins {
			if b.N == 0 {
				continue
			}
			line = append(line, high.at(*b.Confidence, *b.Accuracy))
			// Bars of several classifiers side by side in their bin.
			left, right := low.x.pixel(b.From), low.x.pixel(b.To)
			step := (right - left) / float64(len(r.Series))
			bar := low.y.pixel(float64(b.N) / float64(s.n()))
			c.Group(r.hover(s, b))
			c.Rect(left+float64(k)*step+.5, bar, math.Max(step-1, .5), low.bottom-bar, Style{Fill: Color(k)})
			c.EndGroup()
		}
		c.Polyline(line, Style{Stroke: Color(k), Width: 1.6, Opacity: .7})
		for _, b := range s.Bins {
			if b.N == 0 {
				continue
			}
			lo, hi := wilson(*b.Accuracy, b.N)
			c.Group(r.hover(s, b))
			c.Polyline([]XY{high.at(*b.Confidence, lo), high.at(*b.Confidence, hi)}, Style{Stroke: Color(k), Width: 1.2, Opacity: .5})
			drawMarker(c, markerOf(k), high.at(*b.Confidence, *b.Accuracy), 4, Style{Fill: Color(k), Stroke: white, Width: .8})
			c.EndGroup()
		}
	}
	bottom.draw(c, height)
	return nil
}
