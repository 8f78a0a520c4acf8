package notebook

import (
	"encoding/json"
	"fmt"
	"strings"
)

// The types of this file are the JSON form of nbformat 4.

type fileNotebook struct {
	Cells    []fileCell     `json:"cells"`
	Metadata map[string]any `json:"metadata"`
	Format   int            `json:"nbformat"`
	Minor    int            `json:"nbformat_minor"`
}

type fileCell struct {
	ID             string                `json:"id"`
	Type           string                `json:"cell_type"`
	Source         lines                 `json:"source"`
	Metadata       map[string]any        `json:"metadata"`
	ExecutionCount *int                  `json:"execution_count"`
	Outputs        []fileOutput          `json:"outputs"`
	Attachments    map[string]fileBundle `json:"attachments"`
}

type fileOutput struct {
	Type           string         `json:"output_type"`
	Name           string         `json:"name"`
	Text           lines          `json:"text"`
	Data           fileBundle     `json:"data"`
	Metadata       map[string]any `json:"metadata"`
	ExecutionCount *int           `json:"execution_count"`
	ErrorName      string         `json:"ename"`
	ErrorValue     string         `json:"evalue"`
	Traceback      []string       `json:"traceback"`
}

// lines is nbformat's string or list of strings to be joined.
type lines string

func (l *lines) UnmarshalJSON(b []byte) error {
	var list []string
	if json.Unmarshal(b, &list) == nil {
		*l = lines(strings.Join(list, ""))
		return nil
	}
	return json.Unmarshal(b, (*string)(l))
}

type fileBundle map[string]json.RawMessage

func (f fileBundle) bundle() (Bundle, error) {
	if f == nil {
		return nil, nil
	}
	b := Bundle{}
	for mime, raw := range f {
		if isJSON(mime) {
			var v any
			if err := json.Unmarshal(raw, &v); err != nil {
				return nil, fmt.Errorf("%s: %w", mime, err)
			}
			b[mime] = v
			continue
		}
		var l lines
		if err := json.Unmarshal(raw, &l); err != nil {
			return nil, fmt.Errorf("%s: %w", mime, err)
		}
		b[mime] = string(l)
	}
	return b, nil
}

func isJSON(mime string) bool { return mime == "application/json" || strings.HasSuffix(mime, "+json") }

func (f fileCell) cell() (*Cell, error) {
	c := &Cell{ID: f.ID, Type: f.Type, Source: string(f.Source), Metadata: orEmpty(f.Metadata), ExecutionCount: f.ExecutionCount}
	switch f.Type {
	case "code", "markdown", "raw":
	default:
		return nil, fmt.Errorf("cell_type %q is none of code, markdown, raw", f.Type)
	}
	for name, files := range f.Attachments {
		b, err := files.bundle()
		if err != nil {
			return nil, fmt.Errorf("attachment %s: %w", name, err)
		}
		if c.Attachments == nil {
			c.Attachments = map[string]Bundle{}
		}
		c.Attachments[name] = b
	}
	for i, o := range f.Outputs {
		out, err := o.output()
		if err != nil {
			return nil, fmt.Errorf("output %d: %w", i+1, err)
		}
		c.Outputs = append(c.Outputs, out)
	}
	return c, nil
}

func (f fileOutput) output() (*Output, error) {
	data, err := f.Data.bundle()
	if err != nil {
		return nil, err
	}
	switch f.Type {
	case "stream", "display_data", "execute_result", "error":
	default:
		return nil, fmt.Errorf("output_type %q is none of stream, display_data, execute_result, error", f.Type)
	}
	return &Output{
		Type: f.Type, Name: f.Name, Text: string(f.Text), Data: data, Metadata: f.Metadata,
		ExecutionCount: f.ExecutionCount, ErrorName: f.ErrorName, ErrorValue: f.ErrorValue, Traceback: f.Traceback,
	}, nil
}

// splitLines is how nbformat stores text: a list of lines, each with its end.
func splitLines(s string) []string {
	list := []string{}
	for line := range strings.Lines(s) {
		list = append(list, line)
	}
	return list
}

func (b Bundle) file() map[string]any {
	f := map[string]any{}
	for mime, v := range b {
		if s, ok := v.(string); ok && splitOnDisk(mime) {
			f[mime] = splitLines(s)
		} else {
			f[mime] = v
		}
	}
	return f
}

func splitOnDisk(mime string) bool {
	return strings.HasPrefix(mime, "text/") || mime == "image/svg+xml" || mime == "application/javascript"
}

func (c *Cell) file() map[string]any {
	f := map[string]any{"id": c.ID, "cell_type": c.Type, "source": splitLines(c.Source), "metadata": orEmpty(c.Metadata)}
	if c.Type != "code" {
		if c.Attachments != nil {
			a := map[string]any{}
			for name, b := range c.Attachments {
				a[name] = b.file()
			}
			f["attachments"] = a
		}
		return f
	}
	outputs := make([]any, 0, len(c.Outputs))
	for _, o := range c.Outputs {
		outputs = append(outputs, o.file())
	}
	f["outputs"], f["execution_count"] = outputs, c.ExecutionCount
	return f
}

func (o *Output) file() map[string]any {
	f := map[string]any{"output_type": o.Type}
	switch o.Type {
	case "stream":
		f["name"], f["text"] = o.Name, splitLines(o.Text)
	case "error":
		traceback := o.Traceback
		if traceback == nil {
			traceback = []string{}
		}
		f["ename"], f["evalue"], f["traceback"] = o.ErrorName, o.ErrorValue, traceback
	default:
		f["data"], f["metadata"] = o.Data.file(), orEmpty(o.Metadata)
		if o.Type == "execute_result" {
			f["execution_count"] = o.ExecutionCount
		}
	}
	return f
}
