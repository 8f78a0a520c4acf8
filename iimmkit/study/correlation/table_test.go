package correlation

import (
	"bytes"
	"encoding/csv"
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
)

func tabled(t *testing.T, r *Report) (rows [][]string, column map[string]int) {
	t.Helper()
	var b bytes.Buffer
	if err := WriteCSV(&b, r); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll() // fails on rows of other length than the header
	if err != nil {
		t.Fatal(err)
	}
	column = map[string]int{}
	for k, name := range rows[0] {
		column[name] = k
	}
	return rows, column
}

func TestCSVHoldsTheReport(t *testing.T) {
	report := analysed(t, manyRuns([]string{"a", "b"}, []string{"full", "probe"}, 12, 0), Options{Bootstrap: 40})
	rows, column := tabled(t, report)
	if len(rows) != 1+4*36+5*36 {
		t.Fatalf("%d rows, want a header, 4 groups and 5 pooled sets of 36", len(rows))
	}
	// Every number of the JSON form is in the row, under its own name, to six digits.
	check := func(row []string, name string, want *float64) {
		t.Helper()
		cell := row[column[name]]
		if want == nil {
			if cell != "" {
				t.Errorf("%s: %q, want nothing", name, cell)
			}
			return
		}
		if v, err := strconv.ParseFloat(cell, 64); err != nil || math.Abs(v-*want) > 5e-6*math.Abs(*want) {
			t.Errorf("%s: %q, want %v", name, cell, *want)
		}
	}
	ends := func(row []string, low, high string, want *Interval) {
		t.Helper()
		if want == nil {
			check(row, low, nil)
			check(row, high, nil)
			return
		}
		check(row, low, &want[0])
		check(row, high, &want[1])
	}
	text := func(row []string, want ...string) {
		t.Helper()
		for k, name := range []string{"protocol", "model", "method", "groups", "n", "predictor", "target"} {
			if row[column[name]] != want[k] {
				t.Errorf("%s %q, want %q", name, row[column[name]], want[k])
			}
		}
	}
	at := 1
	for _, g := range report.Groups {
		for _, c := range g.Correlations {
			row := rows[at]
			at++
			text(row, g.Protocol, g.Model, g.Method, "1", strconv.Itoa(c.N), c.Predictor, c.Target)
			for name, want := range map[string]*float64{
				"r": c.R, "p": c.P, "p_permutation": c.PPermutation, "p_holm": c.PHolm, "p_bh": c.PBH, "r_min": nil, "r_max": nil,
				"rho": c.Rho, "rho_p": c.RhoP, "tau": c.Tau, "tau_p": c.TauP, "partial_r": c.PartialR, "partial_p": c.PartialP,
				"abs_r_minus_zero_shot_error": c.Excess, "abs_r_minus_zero_shot_error_p": c.ExcessP,
			} {
				check(row, name, want)
			}
			ends(row, "r_low", "r_high", c.CI95)
			ends(row, "r_low_by_domain", "r_high_by_domain", c.CI95ByDomain)
			ends(row, "rho_low", "rho_high", c.RhoCI95)
			ends(row, "tau_low", "tau_high", c.TauCI95)
			ends(row, "partial_r_low", "partial_r_high", c.PartialCI95)
			ends(row, "abs_r_minus_zero_shot_error_low", "abs_r_minus_zero_shot_error_high", c.ExcessCI95)
			if c.MostInfluential != nil {
				check(row, "r_without", c.MostInfluential.RWithout)
				if row[column["most_influential"]] != c.MostInfluential.Task {
					t.Errorf("most influential %q, want %q", row[column["most_influential"]], c.MostInfluential.Task)
				}
			}
			if row[column["note"]] != c.Note {
				t.Errorf("note %q, want %q", row[column["note"]], c.Note)
			}
		}
	}
	for _, p := range report.Pooled {
		for _, c := range p.Correlations {
			row := rows[at]
			at++
			text(row, p.Protocol, orAll(p.Model), orAll(p.Method), strconv.Itoa(c.Groups), strconv.Itoa(c.Tasks), c.Predictor, c.Target)
			for name, want := range map[string]*float64{
				"r": c.R, "p": nil, "p_permutation": c.P, "p_holm": c.PHolm, "p_bh": c.PBH, "r_min": c.RMin, "r_max": c.RMax,
				"rho": nil, "tau": c.Tau, "tau_p": nil, "partial_r": c.PartialR, "partial_p": nil, "abs_r_minus_zero_shot_error": nil,
			} {
				check(row, name, want)
			}
			ends(row, "r_low", "r_high", c.CI95)
			ends(row, "r_low_by_domain", "r_high_by_domain", c.CI95ByDomain)
			ends(row, "tau_low", "tau_high", c.TauCI95)
			ends(row, "partial_r_low", "partial_r_high", c.PartialCI95)
		}
	}
}

func TestMarkdownTables(t *testing.T) {
	runs := manyRuns([]string{"a|b", "c"}, []string{"full", "probe"}, 12, 0)
	report := analysed(t, runs, Options{Bootstrap: 40})
	var b bytes.Buffer
	if err := WriteMarkdown(&b, report); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{report.Statement + "\n", "40 resamples, seed 0", "for all 126 tests",
		"### Gain\n", "### Forgetting\n", "### All predictors, pooled over 4 groups of protocol quick\n", "### Final accuracy of a task left out: points that the forecast is off\n",
		"| c | (all) |", "| (all) | probe |", "| (all) | (all) |", `| a\|b | full | 12 |`} {
		if !strings.Contains(text, want) {
			t.Errorf("the tables lack %q", want)
		}
	}
	if strings.Contains(text, "NaN") || strings.Contains(text, "nil") {
		t.Error("the tables show what is not defined")
	}
	// A probe has no forgetting: no row of it.
	if section := text[strings.Index(text, "### Forgetting\n"):]; strings.Contains(section[:strings.Index(section[1:], "###")], "| probe |") {
		t.Error("a probe's forgetting is shown")
	}
	// Every table has rows of one width.
	width := 0
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "|") {
			width = 0
			continue
		}
		cells := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|")
		if width == 0 {
			width = cells
		}
		if cells != width {
			t.Errorf("%d cells instead of %d: %s", cells, width, line)
		}
	}
	// One group has nothing to pool, and its tables all the same.
	var one bytes.Buffer
	if err := WriteMarkdown(&one, analysed(t, drawnRuns("full", 12, 0), Options{Bootstrap: 40})); err != nil || strings.Contains(one.String(), "(all)") || !strings.Contains(one.String(), "| micro | full | 12 |") {
		t.Errorf("%v, tables of one group: %s", err, one.String())
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestTablesReportWriteErrors(t *testing.T) {
	report := analysed(t, drawnRuns("full", 5, 0), Options{Bootstrap: 20})
	for name, err := range map[string]error{"CSV": WriteCSV(fullDisk{}, report), "Markdown": WriteMarkdown(fullDisk{}, report)} {
		if err == nil || !strings.Contains(err.Error(), "disk full") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
