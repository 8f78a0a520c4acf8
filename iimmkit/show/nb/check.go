package nb

import (
	"errors"
	"fmt"
	"html"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Check ends the cell with exit code 1 when err is not nil, after showing it in
// one box, with what to do about it where that is known.
func Check(err error) {
	if err == nil {
		return
	}
	text := err.Error()
	if fix := remedy(err); fix != "" {
		text += "\n" + fix
	}
	stop(text)
}

// remedy says what to do about errors of the machine, which do not say it
// themselves.
func remedy(err error) string {
	var path *fs.PathError
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return "The disk is full: free some space; iimm cache ls shows what iimm keeps, iimm cache clean forgets it."
	case errors.Is(err, fs.ErrNotExist) && errors.As(err, &path) && !filepath.IsAbs(path.Path):
		if dir, err := os.Getwd(); err == nil {
			return "Cells run in " + dir + ": write the path from there, or from the root."
		}
	case errors.Is(err, fs.ErrPermission):
		return "The file or folder belongs to someone else: choose another, or change who may use it."
	}
	return ""
}

// Must returns v, or ends the cell as Check does.
func Must[T any](v T, err error) T {
	Check(err)
	return v
}

// stop shows why the cell ends, and ends it. The metadata tells the box from
// other displays where a notebook is executed without a viewer.
func stop(text string) {
	box := `<div style="border-left:4px solid #c62828;padding:.3em .8em"><strong>Error</strong>` +
		`<pre style="white-space:pre-wrap;margin:0">` + html.EscapeString(text) + `</pre></div>`
	if inNotebook() {
		show(display{
			data:     map[string]any{mimeHTML: box, mimePlain: "Error: " + text},
			metadata: map[string]any{"iimm": map[string]any{"error": true}},
		})
	} else {
		fmt.Fprintln(stderr(), "Error: "+text)
	}
	exit(1)
}
