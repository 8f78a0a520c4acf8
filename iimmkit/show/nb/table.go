package nb

import (
	"fmt"
	"html"
	"math"
	"reflect"
	"strconv"
	"strings"

	"golang.org/x/text/width"
)

// Table shows rows of values under headers. Numbers are aligned to the right
// and written with four significant digits; a nil value, a nil pointer and NaN
// are shown as a dash. A cell that should look otherwise is passed as a string.
func Table(headers []string, rows [][]any) {
	show(display{data: map[string]any{mimeHTML: tableHTML(headers, rows), mimePlain: tableText(headers, rows)}})
}

const dash = "–"

// format returns a value's text and whether it is a number.
func format(v any) (s string, number bool) {
	if v == nil {
		return dash, true
	}
	r := reflect.ValueOf(v)
	if r.Kind() == reflect.Pointer && r.IsNil() {
		return dash, true
	}
	switch v.(type) {
	case fmt.Stringer, error:
		return fmt.Sprint(v), false
	}
	switch {
	case r.Kind() == reflect.Pointer:
		return format(r.Elem().Interface())
	case r.CanFloat():
		return formatFloat(r.Float()), true
	case r.CanInt(), r.CanUint():
		return fmt.Sprint(v), true
	}
	return fmt.Sprint(v), false
}

func formatFloat(x float64) string {
	switch a := math.Abs(x); {
	case math.IsNaN(x):
		return dash
	case math.IsInf(x, 0):
		return strconv.FormatFloat(x, 'g', -1, 64)
	case a != 0 && (a < 1e-3 || a >= 1e6):
		return strconv.FormatFloat(x, 'g', 4, 64)
	case a >= 1000:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case a >= 100:
		return strconv.FormatFloat(x, 'f', 1, 64)
	case a >= 10:
		return strconv.FormatFloat(x, 'f', 2, 64)
	default:
		return strconv.FormatFloat(x, 'f', 3, 64)
	}
}

// cells formats a table: as many columns as the widest row has, and which of
// them hold numbers only.
func cells(headers []string, rows [][]any) (text [][]string, right []bool) {
	columns := len(headers)
	for _, row := range rows {
		columns = max(columns, len(row))
	}
	right = make([]bool, columns)
	for j := range right {
		right[j] = len(rows) > 0
	}
	for _, row := range rows {
		line := make([]string, columns)
		for j := range row {
			s, number := format(row[j])
			line[j] = s
			right[j] = right[j] && number
		}
		text = append(text, line)
	}
	return text, right
}

func tableHTML(headers []string, rows [][]any) string {
	text, right := cells(headers, rows)
	var b strings.Builder
	line := func(tag string, row []string) {
		b.WriteString("<tr>")
		for j := range right {
			s := ""
			if j < len(row) {
				s = row[j]
			}
			align := "left"
			if right[j] {
				align = "right"
			}
			// A number with its interval is read as one.
			if tag == "td" && textWidth(s) <= 20 {
				align += ";white-space:nowrap"
			}
			fmt.Fprintf(&b, `<%s style="text-align:%s">%s</%s>`, tag, align, html.EscapeString(s), tag)
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("<table>\n")
	if len(headers) > 0 {
		b.WriteString("<thead>")
		line("th", headers)
		b.WriteString("</thead>\n")
	}
	b.WriteString("<tbody>\n")
	for _, row := range text {
		line("td", row)
	}
	b.WriteString("</tbody>\n</table>")
	return b.String()
}

func tableText(headers []string, rows [][]any) string {
	text, right := cells(headers, rows)
	widths := make([]int, len(right))
	for j := range right {
		if j < len(headers) {
			widths[j] = textWidth(headers[j])
		}
		for _, row := range text {
			widths[j] = max(widths[j], textWidth(row[j]))
		}
	}
	var b strings.Builder
	line := func(row []string) {
		var parts []string
		for j := range right {
			s := ""
			if j < len(row) {
				s = row[j]
			}
			pad := strings.Repeat(" ", widths[j]-textWidth(s))
			if right[j] {
				s = pad + s
			} else {
				s += pad
			}
			parts = append(parts, s)
		}
		b.WriteString(strings.TrimRight(strings.Join(parts, "  "), " ") + "\n")
	}
	if len(headers) > 0 {
		line(headers)
		rule := make([]string, len(widths))
		for j, w := range widths {
			rule[j] = strings.Repeat("-", w)
		}
		line(rule)
	}
	for _, row := range text {
		line(row)
	}
	return strings.TrimRight(b.String(), "\n")
}

// textWidth is the number of columns a text takes in a fixed-width font, where
// Chinese and Japanese characters take two.
func textWidth(s string) int {
	n := 0
	for _, r := range s {
		switch width.LookupRune(r).Kind() {
		case width.EastAsianWide, width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}
