package nb

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html"
	"image"
	"image/color"
	"image/png"
	"strings"
)

// Pictures shows small pictures side by side with a line of text below each;
// titles may be shorter than pictures, or nil. Pictures smaller than 96 pixels
// are enlarged, pixel by pixel.
func Pictures(pictures []image.Image, titles []string) {
	data, err := picturesData(pictures, titles)
	Check(err)
	show(display{data: data})
}

// picturesPerRow is what fits beside each other on a page.
const picturesPerRow = 6

func picturesData(pictures []image.Image, titles []string) (map[string]any, error) {
	title := func(i int) string {
		if i < len(titles) {
			return titles[i]
		}
		return ""
	}
	var page strings.Builder
	var alt []string
	page.WriteString("<table>\n")
	for row := 0; row < len(pictures); row += picturesPerRow {
		page.WriteString("<tr>")
		for i := row; i < min(row+picturesPerRow, len(pictures)); i++ {
			var b bytes.Buffer
			if err := png.Encode(&b, enlarge(pictures[i], 96)); err != nil {
				return nil, fmt.Errorf("picture %d: %w", i, err)
			}
			text := html.EscapeString(title(i))
			fmt.Fprintf(&page, `<td style="text-align:center"><img alt="%s" src="data:image/png;base64,%s"><br>%s</td>`,
				text, base64.StdEncoding.EncodeToString(b.Bytes()), text)
			if t := title(i); t != "" {
				alt = append(alt, t)
			}
		}
		page.WriteString("</tr>\n")
	}
	page.WriteString("</table>")
	words := fmt.Sprintf("%d pictures", len(pictures))
	if len(alt) > 0 {
		words += ": " + strings.Join(alt, "; ")
	}
	return map[string]any{mimeHTML: page.String(), mimePlain: words}, nil
}

// enlarge repeats pixels until the longer side has at least size of them.
func enlarge(m image.Image, size int) image.Image {
	b := m.Bounds()
	longer := max(b.Dx(), b.Dy())
	if longer == 0 || longer >= size {
		return m
	}
	k := (size + longer - 1) / longer
	out := image.NewRGBA(image.Rect(0, 0, k*b.Dx(), k*b.Dy()))
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			out.SetRGBA(x, y, color.RGBAModel.Convert(m.At(b.Min.X+x/k, b.Min.Y+y/k)).(color.RGBA))
		}
	}
	return out
}
