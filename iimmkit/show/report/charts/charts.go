// Package charts writes the pictures of a report as files. It is apart from
// package report because drawing PNG is heavy to link.
package charts

import (
	"fmt"
	"path/filepath"

	"github.com/iimmkit/iimm/iimmkit/file/store"
	"github.com/iimmkit/iimm/iimmkit/show/chart/png"
	"github.com/iimmkit/iimm/iimmkit/show/report"
)

// Write draws every figure of the input as NAME.svg and NAME.png in dir, which
// is created when absent, and returns the paths in the report's order. Each
// file is whole or not there.
func Write(dir string, in report.Input) ([]string, error) {
	figures, err := report.Figures(in)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, f := range figures {
		svg, err := f.Chart.SVG()
		if err != nil {
			return paths, fmt.Errorf("chart %s: %w", f.Name, err)
		}
		picture, err := png.Render(f.Chart)
		if err != nil {
			return paths, fmt.Errorf("chart %s: %w", f.Name, err)
		}
		for _, file := range []struct {
			ending string
			data   []byte
		}{{".svg", svg}, {".png", picture}} {
			path := filepath.Join(dir, f.Name+file.ending)
			if err := store.WriteFile(path, file.data); err != nil {
				return paths, err
			}
			paths = append(paths, path)
		}
	}
	return paths, nil
}
