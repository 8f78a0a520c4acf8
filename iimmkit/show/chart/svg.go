package chart

import (
	"bytes"
	"image"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// fonts lists families whose widths are near the table in text.go, then ones
// that have Japanese.
const fonts = "Helvetica Neue, Helvetica, Arial, Liberation Sans, Hiragino Sans, Noto Sans CJK JP, Yu Gothic, Meiryo, sans-serif"

// svgCanvas writes marks as SVG. It uses presentation attributes only, no
// style sheet and no ids, so that many pictures can share one HTML page.
type svgCanvas struct {
	b bytes.Buffer
}

// drawSVG renders one chart.
func drawSVG(c Chart) ([]byte, error) {
	s := &svgCanvas{}
	if err := c.Draw(s); err != nil {
		return nil, err
	}
	s.b.WriteString("</svg>\n")
	return s.b.Bytes(), nil
}

func (s *svgCanvas) Begin(width, height float64, alt string) {
	w, h := pixels(width), pixels(height)
	s.b.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" width="` + w + `" height="` + h +
		`" viewBox="0 0 ` + w + ` ` + h + `" role="img" aria-label="` + escape(alt) + `" font-family="` + fonts + "\">\n")
	s.Rect(0, 0, width, height, Style{Fill: white})
}

func (s *svgCanvas) Group(hover string) {
	s.b.WriteString("<g><title>" + escapeLines(hover) + "</title>\n")
}

func (s *svgCanvas) EndGroup() { s.b.WriteString("</g>\n") }

func (s *svgCanvas) Polyline(points []XY, style Style) {
	style.Fill = ""
	s.path(points, "", style)
}

func (s *svgCanvas) Polygon(points []XY, style Style) { s.path(points, "Z", style) }

func (s *svgCanvas) path(points []XY, closing string, style Style) {
	if len(points) == 0 {
		return
	}
	s.b.WriteString(`<path d="`)
	for i, p := range points {
		if i == 0 {
			s.b.WriteByte('M')
		} else {
			s.b.WriteByte('L')
		}
		s.b.WriteString(pixels(p.X) + " " + pixels(p.Y))
	}
	s.b.WriteString(closing + `"`)
	s.style(style)
	s.b.WriteString("/>\n")
}

func (s *svgCanvas) Rect(x, y, width, height float64, style Style) {
	s.b.WriteString(`<rect x="` + pixels(x) + `" y="` + pixels(y) + `" width="` + pixels(width) + `" height="` + pixels(height) + `"`)
	s.style(style)
	s.b.WriteString("/>\n")
}

func (s *svgCanvas) Circle(c XY, radius float64, style Style) {
	s.b.WriteString(`<circle cx="` + pixels(c.X) + `" cy="` + pixels(c.Y) + `" r="` + pixels(radius) + `"`)
	s.style(style)
	s.b.WriteString("/>\n")
}

func (s *svgCanvas) Text(at XY, text string, style TextStyle) {
	s.b.WriteString(`<text x="` + pixels(at.X) + `" y="` + pixels(at.Y) + `" font-size="` + pixels(style.Size) + `" fill="` + style.Color + `"`)
	switch style.Anchor {
	case Middle:
		s.b.WriteString(` text-anchor="middle"`)
	case End:
		s.b.WriteString(` text-anchor="end"`)
	}
	if style.Bold {
		s.b.WriteString(` font-weight="bold"`)
	}
	if style.Rotate != 0 {
		s.b.WriteString(` transform="rotate(` + pixels(style.Rotate) + ` ` + pixels(at.X) + ` ` + pixels(at.Y) + `)"`)
	}
	if style.Halo {
		s.b.WriteString(` stroke="` + white + `" stroke-width="3" stroke-linejoin="round" paint-order="stroke"`)
	}
	// A label must not swallow the hover of the mark under it.
	s.b.WriteString(` pointer-events="none">` + escape(text) + "</text>\n")
}

func (s *svgCanvas) Image(m image.Image, x, y, width, height float64) error {
	uri, err := DataURI(m)
	if err != nil {
		return err
	}
	s.b.WriteString(`<image x="` + pixels(x) + `" y="` + pixels(y) + `" width="` + pixels(width) + `" height="` + pixels(height) +
		`" preserveAspectRatio="none" href="` + uri + "\"/>\n")
	return nil
}

func (s *svgCanvas) style(style Style) {
	if style.Fill == "" {
		s.b.WriteString(` fill="none"`)
	} else {
		s.b.WriteString(` fill="` + style.Fill + `"`)
		s.opacity("fill-opacity", style.FillOpacity)
	}
	if style.Stroke == "" {
		return
	}
	s.b.WriteString(` stroke="` + style.Stroke + `"`)
	if style.Width != 0 && style.Width != 1 {
		s.b.WriteString(` stroke-width="` + pixels(style.Width) + `"`)
	}
	s.opacity("stroke-opacity", style.Opacity)
	if len(style.Dash) > 0 {
		s.b.WriteString(` stroke-dasharray="`)
		for i, d := range style.Dash {
			if i > 0 {
				s.b.WriteByte(' ')
			}
			s.b.WriteString(pixels(d))
		}
		s.b.WriteByte('"')
	}
}

func (s *svgCanvas) opacity(attribute string, v float64) {
	if v != 0 && v != 1 {
		s.b.WriteString(` ` + attribute + `="` + pixels(v) + `"`)
	}
}

// pixels formats a coordinate to a hundredth.
func pixels(v float64) string {
	v = math.Round(v*100) / 100
	if v == 0 { // no "-0"
		return "0"
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// clean makes any string valid XML text of one line: names of classes and
// files come from elsewhere.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case r < 0x20 || r == 0x7f || r == utf8.RuneError || r == 0xFFFE || r == 0xFFFF:
			return '�'
		}
		return r
	}, strings.ToValidUTF8(text, "�"))
}

var xmlEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;")

func escape(text string) string { return xmlEscapes.Replace(clean(text)) }

// escapeLines is escape keeping line breaks, for hover texts.
func escapeLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = escape(line)
	}
	return strings.Join(lines, "\n")
}
