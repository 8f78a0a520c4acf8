// Package report turns the runs of a ledger and their analysis into one HTML
// file that needs no network: charts, tables, definitions, provenance, and in
// plain words, in English and Japanese, what was found, whichever way it went.
package report

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"

	"github.com/iimmkit/iimm/iimmkit/show/chart"
	"github.com/iimmkit/iimm/iimmkit/study/correlation"
	"github.com/iimmkit/iimm/iimmkit/study/experiment"
	"github.com/iimmkit/iimm/iimmkit/study/reproduce"
)

// Input is what a report tells of.
type Input struct {
	Title string // "" is a plain one
	Runs  []experiment.Run
	// Correlation is the analysis of Runs.
	Correlation *correlation.Report
	// Program names what writes the report, as "iimm 1.0 (commit)"; may be "".
	Program string
	// Language is that of the charts, their captions included. The page is English,
	// with a summary in Japanese.
	Language chart.Language
}

// Open reads the ledger and the analysis of a folder, as `iimm reproduce` and
// `iimm experiment run` leave them. The runs are analysed anew, with the same
// resamples, when the folder has no analysis or one of other runs; renewed
// says so.
func Open(dir string) (in Input, renewed bool, err error) {
	if in.Runs, err = experiment.ReadLedger(dir); err != nil {
		return in, false, err
	}
	path := filepath.Join(dir, reproduce.CorrelationFile)
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return in, false, fmt.Errorf("report: %w", err)
	default:
		var read correlation.Report
		if err := json.Unmarshal(data, &read); err != nil {
			return in, false, fmt.Errorf("report: %s: %w (remove it to have the runs analysed again)", path, err)
		}
		if read.Schema != correlation.Schema {
			return in, false, fmt.Errorf("report: %s: schema %d, want %d (remove it to have the runs analysed again)", path, read.Schema, correlation.Schema)
		}
		in.Correlation = &read
	}
	if in.Correlation != nil && in.Correlation.Runs > 0 && matches(in.Correlation, in.Runs) {
		return in, false, nil
	}
	in.Correlation, err = correlation.Analyse(in.Runs, correlation.Options{})
	return in, true, err
}

// matches tells whether an analysis is one of these runs: the same groups, the
// same tasks, the same values.
func matches(c *correlation.Report, runs []experiment.Run) bool {
	type place struct {
		protocol, model, method, task string
	}
	count := func(values map[place]int, p place) { values[p]++ }
	analysed, present := map[place]int{}, map[place]int{}
	gains := map[place]float64{}
	seen := map[string]bool{}
	for _, r := range runs {
		if r.Error != "" || seen[r.RunID] {
			continue
		}
		seen[r.RunID] = true
		p := place{r.Protocol, r.Model, r.Method, r.Task}
		count(present, p)
		gains[p] += r.Gain
	}
	for _, g := range c.Groups {
		for _, t := range g.Tasks {
			p := place{g.Protocol, g.Model, g.Method, t.Task}
			analysed[p] = len(t.Seeds)
			if n := float64(len(t.Seeds)); !near(t.Values[correlation.Gain]*n, gains[p]) {
				return false
			}
		}
	}
	return reflect.DeepEqual(analysed, present)
}

func near(a, b float64) bool {
	d := a - b
	return d < 1e-6 && d > -1e-6
}

//go:embed page.html
var pageSource string

//go:embed style.css
var style string

var page = template.Must(template.New("page").Parse(pageSource))

// Render writes the report as one HTML file. The same input gives the same
// bytes.
func Render(w io.Writer, in Input) error {
	v, err := newView(in)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := page.Execute(&b, v); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	_, err = w.Write(b.Bytes())
	return err
}

// check refuses input without anything to tell of.
func (in Input) check() error {
	if in.Correlation == nil || len(in.Correlation.Groups) == 0 {
		return errors.New("report: no analysed runs: give the runs and their analysis (correlation.Analyse)")
	}
	for _, g := range in.Correlation.Groups {
		if len(g.Tasks) == 0 {
			return fmt.Errorf("report: the analysis of %s %s has no tasks", g.Model, g.Method)
		}
	}
	return nil
}

// first returns the index of the group that the report begins with: full
// fine-tuning when there is one, else the first that can forget.
func (in Input) first() int {
	best, rank := 0, -1
	for i := range in.Correlation.Groups {
		g := &in.Correlation.Groups[i]
		r := 0
		if c := g.Correlation(correlation.IIMM, correlation.Forgetting); c != nil && c.N > 0 {
			r = 1
		}
		if g.Method == "full" {
			r = 2
		}
		if r > rank {
			best, rank = i, r
		}
	}
	return best
}
