package nb

import (
	"fmt"
	"html"
)

// Check ends the cell with exit code 1 when err is not nil, after showing it in
// one box.
func Check(err error) {
	if err == nil {
		return
	}
	stop(err.Error())
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
