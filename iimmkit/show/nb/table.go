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

// Table shows rows of values under headers. Columns of numbers are aligned to
// the right, with as many decimals as the largest needs for four digits; a nil
// value, a nil pointer and NaN are shown as a dash. What should look otherwise
// is passed as a string.
func Table(headers []string, rows [][]any) {
	show(display{data: map[string]any{mimeHTML: tableHTML(headers, rows), mimePlain: tableText(headers, rows)}})
}

const dash = "–"

// plainValue takes pointers away: it returns nil, a number, a string, or what
// else v is. What can say itself is its text.
func plainValue(v any) any {
	if v == nil {
		return nil
	}
	r := reflect.ValueOf(v)
	if r.Kind() == reflect.Pointer && r.IsNil() {
		return nil
	}
	switch v.(type) {
	case fmt.Stringer, error:
		return fmt.Sprint(v)
	}
	switch {
	case r.Kind() == reflect.Pointer:
		return plainValue(r.Elem().Interface())
	case r.CanFloat():
		if math.IsNaN(r.Float()) {
			return nil
		}
		return r.Float()
	case r.CanInt():
		return r.Int()
	case r.CanUint():
		return r.Uint()
	}
	return fmt.Sprint(v)
}

// decimals returns how many decimals a column of numbers is shown with.
func decimals(column []any) int {
	largest := 0.0
	for _, v := range column {
		if x, ok := v.(float64); ok && !math.IsInf(x, 0) {
			largest = max(largest, math.Abs(x))
		}
	}
	n := 3
	for limit := 9.9995; largest >= limit && n > 0; limit *= 10 {
		n--
	}
	return n
}

// formatFloat shows a number with decimals, but none as 0 that is not.
func formatFloat(x float64, decimals int) string {
	a := math.Abs(x)
	if math.IsInf(x, 0) || a >= 1e7 || a > 0 && a < 0.5*math.Pow10(-decimals) {
		return strconv.FormatFloat(x, 'g', 3, 64)
	}
	return strconv.FormatFloat(x, 'f', decimals, 64)
}

// cells formats a table: as many columns as the widest row has, and which of
// them hold numbers only.
func cells(headers []string, rows [][]any) (text [][]string, right []bool) {
	columns := len(headers)
	for _, row := range rows {
		columns = max(columns, len(row))
	}
	right = make([]bool, columns)
	text = make([][]string, len(rows))
	for i := range text {
		text[i] = make([]string, columns)
	}
	for j := range right {
		right[j] = len(rows) > 0
		column := make([]any, len(rows))
		for i, row := range rows {
			if j < len(row) {
				column[i] = plainValue(row[j])
			}
		}
		n := decimals(column)
		for i, v := range column {
			switch v := v.(type) {
			case nil:
				if j < len(rows[i]) {
					text[i][j] = dash
				}
			case float64:
				text[i][j] = formatFloat(v, n)
			case string:
				text[i][j] = v
				right[j] = false
			default:
				text[i][j] = fmt.Sprint(v)
			}
		}
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
