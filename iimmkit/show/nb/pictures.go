package nb

import (
	"fmt"
	"html"
	"image"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/show/chart"
)

// Pictures shows small pictures side by side with a line of text below each;
// titles may be shorter than pictures, or nil. Small pictures are enlarged, pixel
// by pixel, large ones become thumbnails; see chart.Thumbnail. To hover over
// pictures for more words, or to put them into a report, show a chart.Gallery.
func Pictures(pictures []image.Image, titles []string) {
	data, err := picturesData(pictures, titles)
	Check(err)
	show(display{data: data})
}

// thumbnail is the size of chart.Thumbnail.
const thumbnail = 96

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
			uri, err := chart.DataURI(chart.Thumbnail(pictures[i], thumbnail))
			if err != nil {
				return nil, fmt.Errorf("picture %d: %w", i, err)
			}
			text := html.EscapeString(title(i))
			fmt.Fprintf(&page, `<td style="text-align:center"><img alt="%s" title="%s" style="max-width:%dpx" src="%s"><br>%s</td>`,
				text, text, 2*thumbnail, uri, text)
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
