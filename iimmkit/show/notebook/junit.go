package notebook

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"time"
)

// The types of this file are the XML form in which continuous integration
// services read the results of tests.

type junitSuites struct {
	XMLName xml.Name `xml:"testsuites"`
	Name    string   `xml:"name,attr"`
	junitCounts
	Suites []junitSuite `xml:"testsuite"`
}

type junitCounts struct {
	Tests    int    `xml:"tests,attr"`
	Failures int    `xml:"failures,attr"`
	Errors   int    `xml:"errors,attr"`
	Skipped  int    `xml:"skipped,attr"`
	Time     string `xml:"time,attr"` // in seconds
	took     time.Duration
}

type junitSuite struct {
	Name string `xml:"name,attr"`
	junitCounts
	Timestamp string      `xml:"timestamp,attr,omitempty"`
	Cases     []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	Time    string        `xml:"time,attr"`
	Failure *junitProblem `xml:"failure"`
	Error   *junitProblem `xml:"error"`
	Skipped *junitProblem `xml:"skipped"`
}

type junitProblem struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// WriteJUnit writes what became of notebooks in JUnit's XML form: a suite for
// each notebook, a case for each code cell. Cells that were not executed are
// skipped; a kernel that did not start, or a notebook cut off, is an error.
func WriteJUnit(w io.Writer, runs []Run) error {
	all := junitSuites{Name: "iimm notebook run"}
	for i := range runs {
		s := runs[i].junit()
		all.Tests += s.Tests
		all.Failures += s.Failures
		all.Errors += s.Errors
		all.Skipped += s.Skipped
		all.took += s.took
		all.Suites = append(all.Suites, s)
	}
	all.Time = seconds(all.took)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }

func (r *Run) junit() junitSuite {
	s := junitSuite{Name: r.Path, junitCounts: junitCounts{Time: seconds(r.Took), took: r.Took}}
	if !r.Began.IsZero() {
		s.Timestamp = r.Began.UTC().Format("2006-01-02T15:04:05")
	}
	add := func(c junitCase) {
		c.Class = r.Path
		s.Tests++
		switch {
		case c.Failure != nil:
			s.Failures++
		case c.Error != nil:
			s.Errors++
		case c.Skipped != nil:
			s.Skipped++
		}
		s.Cases = append(s.Cases, c)
	}
	for _, c := range r.Cells {
		one := junitCase{Name: caseName(c.Cell, c.Source), Time: seconds(c.Took)}
		if f := c.Failure; f != nil {
			problem := &junitProblem{Message: f.Summary, Type: f.Name, Text: plain(f.Message)}
			if f.Name == Interrupted {
				one.Error = problem
			} else {
				one.Failure = problem
			}
		}
		add(one)
	}
	var inCell *CellError
	if r.Err != nil && !errors.As(r.Err, &inCell) {
		what := "kernel"
		if r.Began.IsZero() {
			what = "notebook"
		}
		add(junitCase{Name: what, Time: seconds(0), Error: &junitProblem{Message: r.Err.Error()}})
	}
	for i, c := range r.Notebook.executable() {
		if i >= len(r.Cells) {
			add(junitCase{Name: caseName(i+1, firstLine(c.Source)), Time: seconds(0), Skipped: &junitProblem{Message: "not executed"}})
		}
	}
	return s
}

func caseName(cell int, source string) string { return fmt.Sprintf("cell %d: %s", cell, source) }
