package datasets

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

// DefaultTemplate makes captions from class names.
const DefaultTemplate = "a photo of a {class}"

// placeholders stand for the class name in a template: ours, and that of the
// published lists of templates.
var placeholders = []string{"{class}", "{c}"}

// CheckTemplate refuses a template without a place for the class name.
func CheckTemplate(template string) error {
	for _, p := range placeholders {
		if strings.Contains(template, p) {
			return nil
		}
	}
	return fmt.Errorf("caption template %q lacks {class}", template)
}

// CaptionOf puts a class name into a template, for {class} or {c}; underscores
// and hyphens of the name become spaces.
func CaptionOf(template, class string) string {
	return fill(template, strings.Join(strings.Fields(strings.NewReplacer("_", " ", "-", " ").Replace(class)), " "))
}

// fill puts words into a template as they are.
func fill(template, words string) string {
	for _, p := range placeholders {
		template = strings.ReplaceAll(template, p, words)
	}
	return template
}

// ReadTemplates reads a list of templates, one a line, as webdatasets carry in
// zeroshot_classification_templates.txt. Empty lines are skipped.
func ReadTemplates(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var list []string
	lines := bufio.NewScanner(f)
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff"))
		if line == "" {
			continue
		}
		if err := CheckTemplate(line); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", path, number, err)
		}
		list = append(list, line)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s holds no template", path)
	}
	return list, nil
}

// WithTemplates returns the task with captions made of its class names by
// templates: those of the first, and with more of them an ensemble. Names are
// treated as by CaptionOf, unless they come from a published list.
func (t *Task) WithTemplates(templates []string) (*Task, error) {
	if len(templates) == 0 {
		return nil, fmt.Errorf("task %s: no caption template", t.Name)
	}
	prompted := *t
	prompted.Captions, prompted.Ensemble = nil, nil
	for _, name := range t.ClassNames {
		var all []string
		for _, template := range templates {
			if err := CheckTemplate(template); err != nil {
				return nil, err
			}
			if t.written {
				all = append(all, fill(template, name))
			} else {
				all = append(all, CaptionOf(template, name))
			}
		}
		prompted.Captions = append(prompted.Captions, all[0])
		if len(all) > 1 {
			prompted.Ensemble = append(prompted.Ensemble, all)
		}
	}
	h := newTaskHash(&prompted)
	h.strings([]string{t.Hash})
	for _, captions := range prompted.Ensemble {
		h.strings(captions)
	}
	prompted.Hash = h.sum()
	return &prompted, nil
}
