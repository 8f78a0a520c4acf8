package correlation

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// AllGroups stands in a table for the model or method of groups of several.
const AllGroups = "(all)"

// csvColumns names the columns of WriteCSV: those of Correlation's JSON, an
// interval taking two.
var csvColumns = []string{
	"protocol", "model", "method", "groups", "n", "predictor", "target",
	"r", "r_low", "r_high", "r_low_by_domain", "r_high_by_domain", "r_min", "r_max",
	"p", "p_permutation", "p_holm", "p_bh",
	"rho", "rho_low", "rho_high", "rho_p", "tau", "tau_low", "tau_high", "tau_p",
	"partial_r", "partial_r_low", "partial_r_high", "partial_p",
	"abs_r_minus_zero_shot_error", "abs_r_minus_zero_shot_error_low", "abs_r_minus_zero_shot_error_high", "abs_r_minus_zero_shot_error_p",
	"most_influential", "r_without", "note",
}

// WriteCSV writes one row for each correlation of each group, then of what is
// pooled, with a header. Model and method of groups of several are AllGroups;
// r_min and r_max are over pooled groups, whose p_holm and p_bh adjust
// p_permutation within their set; n counts tasks. Numbers have six significant digits; what is not
// defined is empty. The same report gives the same bytes.
func WriteCSV(w io.Writer, r *Report) error {
	out := csv.NewWriter(w)
	write := func(cells ...any) error {
		var row []string
		for _, cell := range cells {
			row = append(row, csvCells(cell)...)
		}
		return out.Write(row)
	}
	if err := out.Write(csvColumns); err != nil {
		return err
	}
	for _, g := range r.Groups {
		for _, c := range g.Correlations {
			left := c.MostInfluential
			if left == nil {
				left = &Left{}
			}
			if err := write(g.Protocol, g.Model, g.Method, 1, c.N, c.Predictor, c.Target,
				c.R, c.CI95, c.CI95ByDomain, "", "",
				c.P, c.PPermutation, c.PHolm, c.PBH,
				c.Rho, c.RhoCI95, c.RhoP, c.Tau, c.TauCI95, c.TauP,
				c.PartialR, c.PartialCI95, c.PartialP,
				c.Excess, c.ExcessCI95, c.ExcessP,
				left.Task, left.RWithout, c.Note); err != nil {
				return err
			}
		}
	}
	for _, p := range r.Pooled {
		for _, c := range p.Correlations {
			if err := write(p.Protocol, orAll(p.Model), orAll(p.Method), c.Groups, c.Tasks, c.Predictor, c.Target,
				c.R, c.CI95, c.CI95ByDomain, c.RMin, c.RMax,
				"", c.P, c.PHolm, c.PBH,
				"", (*Interval)(nil), "", c.Tau, c.TauCI95, "",
				c.PartialR, c.PartialCI95, "",
				"", (*Interval)(nil), "",
				"", "", ""); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}

func orAll(name string) string {
	if name == "" {
		return AllGroups
	}
	return name
}

// csvCells writes a value; an interval takes two cells.
func csvCells(v any) []string {
	switch v := v.(type) {
	case *float64:
		if v == nil {
			return []string{""}
		}
		return []string{strconv.FormatFloat(*v, 'g', 6, 64)}
	case *Interval:
		if v == nil {
			return []string{"", ""}
		}
		return append(csvCells(&v[0]), csvCells(&v[1])...)
	}
	return []string{fmt.Sprint(v)}
}

// WriteMarkdown writes what a reader compares first: the statement; for each
// target a table of the groups, and of what is pooled, with r of IIMM, of zero-shot
// error and of the probe, IIMM's partial r and adjusted p; the pooled table of all
// predictors; and how far forecasts of a task left out are off.
func WriteMarkdown(w io.Writer, r *Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nr is Pearson's with its 95 %% interval over tasks (%d resamples, seed %d). Of two p values the second is adjusted by Holm: of groups for all %d tests, of pooled rows for those of the row's groups. A dash is not defined.\n",
		r.Statement, r.Bootstrap, r.Seed, r.Tests)
	for _, target := range Targets() {
		writeTarget(&b, r, target)
	}
	for i := range r.Pooled {
		if r.Overall(i) {
			writePooled(&b, &r.Pooled[i])
		}
	}
	for _, target := range []string{Accuracy, Gain, Forgetting} {
		writeForecasts(&b, r, target)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Overall tells whether Pooled[i] is of all groups of its protocol.
func (r *Report) Overall(i int) bool {
	return i == 0 || r.Pooled[i-1].Protocol != r.Pooled[i].Protocol
}

func writeTarget(b *strings.Builder, r *Report, target string) {
	compared := []string{IIMM, ZeroShotError, ProbeGain}
	header := []string{"model", "method", "tasks"}
	for _, predictor := range compared {
		header = append(header, "r of "+Label(predictor), "p")
	}
	rows := [][]string{append(header, "r of IIMM given zero-shot error")}
	for _, g := range r.Groups {
		iimm := g.Correlation(IIMM, target)
		if iimm == nil || iimm.N == 0 {
			continue
		}
		row := []string{named(g.Model, g.Protocol, r), g.Method, fmt.Sprint(iimm.N)}
		for _, predictor := range compared {
			c := g.Correlation(predictor, target)
			row = append(row, FigureInterval(c.R, c.CI95), twoP(c.P, c.PHolm))
		}
		rows = append(rows, append(row, FigureInterval(iimm.PartialR, iimm.PartialCI95)))
	}
	if len(rows) == 1 {
		return
	}
	for _, p := range r.Pooled {
		iimm := p.Correlation(IIMM, target)
		if iimm == nil || iimm.Groups == 0 {
			continue
		}
		row := []string{named(orAll(p.Model), p.Protocol, r), orAll(p.Method), fmt.Sprint(iimm.Tasks)}
		for _, predictor := range compared {
			c := p.Correlation(predictor, target)
			row = append(row, FigureInterval(c.R, c.CI95), twoP(c.P, c.PHolm))
		}
		rows = append(rows, append(row, FigureInterval(iimm.PartialR, iimm.PartialCI95)))
	}
	fmt.Fprintf(b, "\n### %s\n\n", sentence(Label(target)))
	writeRows(b, rows)
}

// twoP is a p value and its adjusted form.
func twoP(p, adjusted *float64) string {
	if p == nil {
		return "-"
	}
	return PValue(p) + ", " + PValue(adjusted)
}

// named adds the protocol where there are several.
func named(model, protocol string, r *Report) string {
	if r.Groups[0].Protocol == r.Groups[len(r.Groups)-1].Protocol {
		return model
	}
	return model + ", " + protocol
}

func writePooled(b *strings.Builder, p *Pooled) {
	header := []string{"predictor"}
	for _, target := range Targets() {
		header = append(header, "r with "+Label(target), "p")
	}
	rows := [][]string{header}
	for _, predictor := range Predictors() {
		row := []string{Label(predictor)}
		for _, target := range Targets() {
			c := p.Correlation(predictor, target)
			row = append(row, FigureInterval(c.R, c.CI95), twoP(c.P, c.PHolm))
		}
		rows = append(rows, row)
	}
	fmt.Fprintf(b, "\n### All predictors, pooled over %s", counted(p.Groups, "group"))
	if p.Protocol != "" {
		fmt.Fprintf(b, " of protocol %s", p.Protocol)
	}
	b.WriteString("\n\n")
	writeRows(b, rows)
}

func writeForecasts(b *strings.Builder, r *Report, target string) {
	rows := [][]string{{"model", "method"}}
	for _, predictors := range forecasters() {
		rows[0] = append(rows[0], Forecast{Predictors: predictors}.Label())
	}
	for _, g := range r.Groups {
		row := []string{named(g.Model, g.Protocol, r), g.Method}
		known := false
		for _, f := range g.LeaveOneOut {
			if f.Target != target {
				continue
			}
			cell := "-"
			if f.Error != nil {
				known = true
				cell = fmt.Sprintf("%.1f", *f.Error)
			}
			row = append(row, cell)
		}
		if known {
			rows = append(rows, row)
		}
	}
	if len(rows) == 1 {
		return
	}
	fmt.Fprintf(b, "\n### %s of a task left out: points that the forecast is off\n\n", sentence(Label(target)))
	writeRows(b, rows)
}

func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// writeRows writes a table, the first row its header.
func writeRows(b *strings.Builder, rows [][]string) {
	for i, row := range rows {
		for _, cell := range row {
			fmt.Fprintf(b, "| %s ", strings.ReplaceAll(cell, "|", `\|`))
		}
		b.WriteString("|\n")
		if i == 0 {
			b.WriteString(strings.Repeat("|---", len(row)) + "|\n")
		}
	}
}

// Figure has two decimals; a dash is not defined.
func Figure(v *float64) string {
	if v == nil {
		return "-"
	}
	return number(*v)
}

// FigureInterval is Figure with its interval, where there is one.
func FigureInterval(v *float64, ci *Interval) string {
	if v == nil || ci == nil {
		return Figure(v)
	}
	return Figure(v) + " " + ci.String()
}

// PValue has three decimals, and none where it is smaller.
func PValue(p *float64) string {
	switch {
	case p == nil:
		return "-"
	case *p < .001:
		return "<.001"
	case *p > .9995:
		return "1"
	}
	return strings.TrimPrefix(fmt.Sprintf("%.3f", *p), "0")
}
