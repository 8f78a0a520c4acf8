package nb

import (
	"cmp"
	"fmt"
	"html"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/width"
)

// Table shows rows of values under headers. Columns of numbers are aligned to
// the right, with as many decimals as the largest needs for four digits; a nil
// value, a nil pointer and NaN are shown as a dash. What should look otherwise
// is passed as a string.
//
// In a notebook the sign ⇅ below the table opens it sorted by each of its
// columns, numbers from the largest, text from its start, dashes last. The sorted
// tables are there beforehand and open without a script, so that this works
// where scripts do not run: notebooks that are not trusted, exported pages.
// Tables that would become too long by it (more than 4000 further cells) have
// no such sign.
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
	writeTable(&b, headers, text, right)
	writeSorted(&b, headers, rows, text, right)
	return b.String()
}

func writeTable(b *strings.Builder, headers []string, text [][]string, right []bool) {
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
			fmt.Fprintf(b, `<%s style="text-align:%s">%s</%s>`, tag, align, html.EscapeString(s), tag)
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
}

const (
	fewestSorted = 4    // rows, less are seen at a glance
	mostSorted   = 4000 // cells of all sorted tables
)

// writeSorted writes the table once more for each column that sorts it, closed.
func writeSorted(b *strings.Builder, headers []string, rows [][]any, text [][]string, right []bool) {
	if len(rows) < fewestSorted || len(headers) < len(right) || len(rows)*len(right)*len(right) > mostSorted {
		return
	}
	var views strings.Builder
	for j, header := range headers {
		order := sortedBy(rows, j, right[j])
		if slices.IsSorted(order) { // as it stands
			continue
		}
		sorted := make([][]string, len(order))
		for k, i := range order {
			sorted[k] = text[i]
		}
		arrow := " ↑"
		if right[j] {
			arrow = " ↓"
		}
		views.WriteString("<details><summary>" + html.EscapeString(strings.TrimSpace(header)+arrow) + "</summary>\n")
		writeTable(&views, headers, sorted, right)
		views.WriteString("</details>\n")
	}
	if views.Len() > 0 {
		b.WriteString("\n<details class=\"iimm-sorted\"><summary title=\"sorted by a column\">⇅</summary>\n" + views.String() + "</details>")
	}
}

// sortedBy returns the order of the rows by column j: numbers descending, text
// ascending, what is undefined last.
func sortedBy(rows [][]any, j int, numbers bool) []int {
	values := make([]any, len(rows))
	order := make([]int, len(rows))
	for i, row := range rows {
		order[i] = i
		if j < len(row) {
			values[i] = plainValue(row[j])
		}
	}
	number := func(v any) float64 {
		switch r := reflect.ValueOf(v); {
		case r.CanFloat():
			return r.Float()
		case r.CanInt():
			return float64(r.Int())
		case r.CanUint():
			return float64(r.Uint())
		}
		return 0
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := values[a], values[b]
		switch {
		case x == nil || y == nil:
			return cmp.Compare(btoi(x == nil), btoi(y == nil))
		case numbers:
			return cmp.Compare(number(y), number(x))
		}
		return cmp.Compare(fmt.Sprint(x), fmt.Sprint(y))
	})
	return order
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
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
