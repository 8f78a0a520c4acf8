package notebook

import (
	"embed"
	"fmt"
	"path"
	"strings"
)

//go:embed template/*.ipynb
var templates embed.FS

// Templates returns the names of the notebooks that New can make.
func Templates() []string {
	files, _ := templates.ReadDir("template") // embedded: always there
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f.Name(), ".ipynb"))
	}
	return names
}

// New makes a notebook from a template under a title of one line.
func New(template, title string) (*Notebook, error) {
	if title = strings.TrimSpace(title); title == "" || strings.ContainsAny(title, "\n\r") {
		return nil, fmt.Errorf("title %q is not one line of text", title)
	}
	data, err := templates.ReadFile(path.Join("template", template+".ipynb"))
	if err != nil {
		return nil, fmt.Errorf("no template %q: there are %s", template, strings.Join(Templates(), ", "))
	}
	n, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("template %s: %w", template, err)
	}
	n.Cells[0].Source = strings.Replace(n.Cells[0].Source, "# TITLE", "# "+title, 1)
	return n, nil
}
