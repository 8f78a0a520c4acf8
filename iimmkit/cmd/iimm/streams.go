package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// streams is where a command writes: results to out, progress and warnings to err.
type streams struct {
	out, err io.Writer
	in       io.Reader
	asks     bool // somebody who can answer sits at in
}

func newStreams(out, err io.Writer) *streams {
	f, ok := err.(*os.File)
	asks := ok && term.IsTerminal(int(f.Fd())) && term.IsTerminal(int(os.Stdin.Fd()))
	return &streams{out: out, err: err, in: os.Stdin, asks: asks}
}

// progress reports long work on the error stream.
func (s *streams) progress() progress.Reporter { return progress.To(s.err) }

// warnf writes one line of warning.
func (s *streams) warnf(format string, args ...any) {
	fmt.Fprintf(s.err, "iimm: warning: "+format+"\n", args...)
}

// json writes v as indented JSON.
func (s *streams) json(v any) error {
	e := json.NewEncoder(s.out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
