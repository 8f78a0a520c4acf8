// Package notebook reads, executes and exports Jupyter notebooks without
// Jupyter: it starts a kernel, speaks the Jupyter protocol with it, keeps what
// the cells put out in the .ipynb form (nbformat 4.5), and writes one HTML file
// that needs no network to be seen.
package notebook

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// Notebook is a document of nbformat 4. Parse brings every minor version to
// 4.5, where each cell has an id.
type Notebook struct {
	Cells         []*Cell
	Metadata      map[string]any
	Format, Minor int
}

// Cell is one cell. Outputs and ExecutionCount belong to code cells,
// Attachments (file name to MIME bundle) to the others.
type Cell struct {
	ID             string
	Type           string // code, markdown or raw
	Source         string
	Metadata       map[string]any
	ExecutionCount *int
	Outputs        []*Output
	Attachments    map[string]Bundle
}

// Output is one output of a code cell. Which fields count is told by Type.
type Output struct {
	Type           string // stream, display_data, execute_result or error
	Name, Text     string // stream: stdout or stderr, and what was written
	Data           Bundle // display_data, execute_result
	Metadata       map[string]any
	ExecutionCount *int   // execute_result
	ErrorName      string // error, with ErrorValue and Traceback
	ErrorValue     string
	Traceback      []string
}

// Bundle maps MIME types to one thing's forms: JSON values for JSON types,
// strings (base64 where binary) for the others.
type Bundle map[string]any

// text returns the form of a MIME type as a string; ok tells whether it is there.
func (b Bundle) text(mime string) (s string, ok bool) {
	s, ok = b[mime].(string)
	return s, ok
}

// failed reports whether an error is among the outputs.
func (c *Cell) failed() bool {
	return slices.ContainsFunc(c.Outputs, func(o *Output) bool { return o.Type == "error" })
}

// Kernel returns the name of the kernelspec the notebook asks for, or "".
func (n *Notebook) Kernel() string {
	spec, _ := n.Metadata["kernelspec"].(map[string]any)
	name, _ := spec["name"].(string)
	return name
}

// Title returns the first heading of the markdown cells, or "".
func (n *Notebook) Title() string {
	for _, c := range n.Cells {
		if c.Type != "markdown" {
			continue
		}
		for line := range strings.Lines(c.Source) {
			if title, ok := strings.CutPrefix(strings.TrimSpace(line), "# "); ok {
				return strings.TrimSpace(title)
			}
		}
	}
	return ""
}

// Executed reports whether a code cell was executed, or there is none to execute.
func (n *Notebook) Executed() bool {
	cells := n.executable()
	return len(cells) == 0 || slices.ContainsFunc(cells, func(c *Cell) bool { return c.ExecutionCount != nil || len(c.Outputs) > 0 })
}

// Read reads a notebook file.
func Read(path string) (*Notebook, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	n, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return n, nil
}

// Write writes a notebook file in the form in which Jupyter writes it, whole or
// not at all.
func (n *Notebook) Write(path string) error {
	data, err := n.Encode()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return store.WriteFile(path, data)
}

// Parse reads nbformat 4 of any minor version.
func Parse(data []byte) (*Notebook, error) {
	var f fileNotebook
	if err := json.Unmarshal(data, &f); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, fmt.Errorf("not a notebook: no JSON at byte %d: %w", syntax.Offset, err)
		}
		return nil, fmt.Errorf("not a notebook: %w", err)
	}
	switch {
	case f.Format == 0:
		return nil, errors.New("not a notebook: nbformat is missing")
	case f.Format != 4:
		return nil, fmt.Errorf("nbformat %d is not supported, 4 is: open the notebook in JupyterLab and save it", f.Format)
	}
	n := &Notebook{Metadata: orEmpty(f.Metadata), Format: 4, Minor: 5}
	used := map[string]bool{}
	for i, c := range f.Cells {
		cell, err := c.cell()
		if err != nil {
			return nil, fmt.Errorf("cell %d: %w", i+1, err)
		}
		if !cellID.MatchString(cell.ID) || used[cell.ID] {
			cell.ID = newID(i, cell.Source, used)
		}
		used[cell.ID] = true
		n.Cells = append(n.Cells, cell)
	}
	if f.Minor > n.Minor {
		n.Minor = f.Minor
	}
	return n, nil
}

// cellID is what nbformat allows as a cell's id.
var cellID = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// newID makes an id that depends on nothing but the notebook.
func newID(i int, source string, used map[string]bool) string {
	for try := 0; ; try++ {
		sum := sha256.Sum256(fmt.Appendf(nil, "%d %d %s", i, try, source))
		if id := hex.EncodeToString(sum[:4]); !used[id] {
			return id
		}
	}
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// Encode returns the notebook as Jupyter writes it: keys sorted, indented by
// one, strings of many lines as lists.
func (n *Notebook) Encode() ([]byte, error) {
	f := map[string]any{
		"nbformat": n.Format, "nbformat_minor": n.Minor,
		"metadata": orEmpty(n.Metadata), "cells": []any{},
	}
	cells := make([]any, 0, len(n.Cells))
	for _, c := range n.Cells {
		cells = append(cells, c.file())
	}
	f["cells"] = cells
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(f); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
