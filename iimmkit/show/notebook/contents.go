package notebook

import (
	"fmt"
	"html"
	"strings"

	"github.com/yuin/goldmark/ast"
)

// heading is a heading of the markdown cells.
type heading struct {
	level int
	id    string
	text  string // HTML, formulas set
}

// headingText returns the words of a heading without its markup.
func headingText(n ast.Node, source []byte) string {
	var b strings.Builder
	ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch t := n.(type) {
		case *ast.Text:
			if entering {
				b.Write(t.Segment.Value(source))
			}
		case *ast.String:
			if entering {
				b.Write(t.Value)
			}
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

// contents makes the table of contents of a page: the headings of the two levels
// below the title. A page with few of them needs none.
func contents(all []heading, title string) string {
	const few, deepest = 3, 3
	var listed []heading
	for i, h := range all {
		if h.level <= deepest && !(i == 0 && h.level == 1) {
			listed = append(listed, h)
		}
	}
	if len(listed) < few {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "<nav class=\"contents\"><details open><summary>%s</summary>\n<ul>\n", html.EscapeString(title))
	for _, h := range listed {
		fmt.Fprintf(&b, "<li class=\"level%d\"><a href=\"#%s\">%s</a></li>\n", h.level, html.EscapeString(h.id), h.text)
	}
	b.WriteString("</ul>\n</details></nav>\n")
	return b.String()
}
