package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/file/store"
	"github.com/iimmkit/iimm/iimmkit/study/correlation"
	"github.com/iimmkit/iimm/iimmkit/study/experiment"
)

func init() { verbs = append(verbs, newCorrelate) }

type correlateOptions struct {
	ledger    string
	csv       string
	markdown  string
	bootstrap int
	seed      uint64
	json      bool
}

func newCorrelate(s *streams) *cobra.Command {
	o := correlateOptions{}
	c := &cobra.Command{
		Use:   "correlate LEDGER",
		Short: "Correlate what was measured before tuning with gain, forgetting and final accuracy",
		Long: `Correlate reads a ledger (its folder or its jsonl file) and says, for every
protocol, model and method, how each predictor measured before tuning goes
together with gain, scaled gain, final accuracy and forgetting, beside the
trivial predictor zero-shot error, and how far forecasts of tasks that were
left out are off. The unit is the task: its seeds are averaged first.
Intervals are 95 % bootstrap intervals over tasks; p values are two-sided, and
beside them stand those adjusted for the number of tests (Holm). Where there are
several models or methods their correlations are pooled as well, the tasks
that they share taken into account.

--csv and --markdown write the same as tables: all of it, or what a reader
compares first.`,
		Example: `  iimm correlate results
  iimm correlate results --csv correlations.csv --markdown correlations.md
  iimm correlate results/ledger.jsonl --json > correlation.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.ledger = args[0]
			if o.bootstrap < 1 {
				return usagef("--bootstrap %d: must be at least 1", o.bootstrap)
			}
			return o.run(c.Context(), s)
		},
	}
	c.Flags().IntVar(&o.bootstrap, "bootstrap", 2000, "resamples behind each interval")
	c.Flags().Uint64Var(&o.seed, "seed", 0, "seed of the resamples")
	c.Flags().StringVar(&o.csv, "csv", "", "write every correlation, one a line, to this file")
	c.Flags().StringVar(&o.markdown, "markdown", "", "write the tables that compare groups to this file")
	c.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return c
}

func (o *correlateOptions) run(_ context.Context, s *streams) error {
	runs, err := experiment.ReadLedger(o.ledger)
	if err != nil {
		return err
	}
	report, err := correlation.Analyse(runs, correlation.Options{Bootstrap: o.bootstrap, Seed: o.seed})
	if err != nil {
		return err
	}
	if report.Failed > 0 {
		s.warnf("failed runs left out: %d", report.Failed)
	}
	if err := o.writeTables(report); err != nil {
		return err
	}
	if o.json {
		return s.json(report)
	}
	for i := range report.Groups {
		printGroup(s, &report.Groups[i])
		fmt.Fprintln(s.out)
	}
	for i := range report.Pooled {
		if report.Overall(i) {
			printPooled(s, &report.Pooled[i])
			fmt.Fprintln(s.out)
		}
	}
	fmt.Fprintln(s.out, wrap(report.Statement, 88))
	return nil
}

func (o *correlateOptions) writeTables(report *correlation.Report) error {
	for _, t := range []struct {
		path  string
		write func(io.Writer, *correlation.Report) error
	}{{o.csv, correlation.WriteCSV}, {o.markdown, correlation.WriteMarkdown}} {
		if t.path == "" {
			continue
		}
		var b bytes.Buffer
		if err := t.write(&b, report); err != nil {
			return err
		}
		if err := store.WriteFile(t.path, b.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

func printGroup(s *streams, g *correlation.Group) {
	printTitle(s, fmt.Sprintf("%s, method %s", g.Model, g.Method), g.Protocol)
	for _, target := range correlation.Targets() {
		if c := g.Correlation(correlation.IIMM, target); c == nil || c.N == 0 {
			continue
		}
		rows := [][]string{{correlation.Label(target), "n", "r [95 % interval]", "p", "adjusted", "tau", "p", "partial r*"}}
		for _, predictor := range correlation.Predictors() {
			c := g.Correlation(predictor, target)
			rows = append(rows, []string{correlation.Label(predictor), fmt.Sprint(c.N), correlation.FigureInterval(c.R, c.CI95),
				correlation.PValue(c.P), correlation.PValue(c.PHolm), correlation.Figure(c.Tau), correlation.PValue(c.TauP), correlation.Figure(c.PartialR)})
		}
		fmt.Fprintln(s.out)
		printColumns(s, rows)
	}
	fmt.Fprintln(s.out, "* given zero-shot error; - is not defined")
	printForecasts(s, g)
	fmt.Fprintf(s.out, "\n%s\n", wrap(g.Statement, 88))
	for _, note := range g.Notes {
		fmt.Fprintln(s.out, wrap("Note: "+note+".", 88))
	}
}

func printTitle(s *streams, title, protocol string) {
	if protocol != "" {
		title += ", protocol " + protocol
	}
	fmt.Fprintf(s.out, "%s\n%s\n", title, strings.Repeat("=", utf8.RuneCountInString(title)))
}

func printPooled(s *streams, p *correlation.Pooled) {
	printTitle(s, fmt.Sprintf("pooled over %d groups", p.Groups), p.Protocol)
	for _, target := range correlation.Targets() {
		if c := p.Correlation(correlation.IIMM, target); c == nil || c.Groups == 0 {
			continue
		}
		rows := [][]string{{correlation.Label(target), "n", "r [95 % interval]", "from", "to", "p", "adjusted", "partial r*"}}
		for _, predictor := range correlation.Predictors() {
			c := p.Correlation(predictor, target)
			rows = append(rows, []string{correlation.Label(predictor), fmt.Sprint(c.Groups), correlation.FigureInterval(c.R, c.CI95),
				correlation.Figure(c.RMin), correlation.Figure(c.RMax), correlation.PValue(c.P), correlation.PValue(c.PHolm), correlation.Figure(c.PartialR)})
		}
		fmt.Fprintln(s.out)
		printColumns(s, rows)
	}
	fmt.Fprintln(s.out, "n: groups with a say; from, to: their smallest and largest r; * given zero-shot error")
}

// printForecasts prints the error table: predictors by targets.
func printForecasts(s *streams, g *correlation.Group) {
	var targets []string
	for _, f := range g.LeaveOneOut {
		if len(f.Predictors) == 0 && f.Error != nil {
			targets = append(targets, f.Target)
		}
	}
	if len(targets) == 0 {
		return
	}
	header := []string{"error of the forecast for a task left out, in points"}
	for _, target := range targets {
		header = append(header, correlation.Label(target))
	}
	rows := [][]string{header}
	at := map[string]int{}
	for _, f := range g.LeaveOneOut {
		for k, target := range targets {
			if f.Target != target {
				continue
			}
			label := f.Label()
			if _, ok := at[label]; !ok {
				at[label] = len(rows)
				rows = append(rows, append([]string{label}, make([]string, len(targets))...))
			}
			cell := "-"
			if f.Error != nil {
				cell = fmt.Sprintf("%.1f", *f.Error)
			}
			rows[at[label]][k+1] = cell
		}
	}
	fmt.Fprintln(s.out)
	printColumns(s, rows)
}

// printColumns aligns the first column left and the others right.
func printColumns(s *streams, rows [][]string) {
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for k, cell := range row {
			width[k] = max(width[k], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		var b strings.Builder
		for k, cell := range row {
			pad := strings.Repeat(" ", width[k]-utf8.RuneCountInString(cell))
			if k == 0 {
				b.WriteString(cell + pad)
			} else {
				b.WriteString("  " + pad + cell)
			}
		}
		fmt.Fprintln(s.out, strings.TrimRight(b.String(), " "))
	}
}

// wrap breaks text at spaces into lines of at most width runes.
func wrap(text string, width int) string {
	var b strings.Builder
	line := 0
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case line+1+n > width:
			b.WriteByte('\n')
			line = 0
		default:
			b.WriteByte(' ')
			line++
		}
		b.WriteString(word)
		line += n
	}
	return b.String()
}
