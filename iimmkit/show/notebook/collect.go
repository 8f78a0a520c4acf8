package notebook

import (
	"slices"
	"strings"
)

// collector turns what a kernel publishes into the outputs of the cells.
type collector struct {
	requests map[string]*Cell // cell by the id of the request that executes it
	// displays are the outputs that update_display_data replaces, by display_id.
	displays map[string][]*Output
	// clear holds the cells whose outputs go when the next one comes.
	clear map[*Cell]bool
}

func newCollector() *collector {
	return &collector{requests: map[string]*Cell{}, displays: map[string][]*Output{}, clear: map[*Cell]bool{}}
}

// add takes one published message. It is put to the cell that asked for it,
// also when another one runs already: a cell's last output may come late.
func (k *collector) add(m message) {
	if m.kind == "update_display_data" {
		id, _ := m.object("transient")["display_id"].(string)
		for _, o := range k.displays[id] {
			o.Data, o.Metadata = bundleOf(m), orEmpty(m.object("metadata"))
		}
		return
	}
	cell := k.requests[m.parent]
	if cell == nil {
		return
	}
	switch m.kind {
	case "execute_input":
		if n, ok := number(m.content["execution_count"]); ok {
			cell.ExecutionCount = &n
		}
	case "clear_output":
		if wait, _ := m.content["wait"].(bool); wait {
			k.clear[cell] = true
		} else {
			k.drop(cell)
		}
	case "stream":
		k.stream(cell, m.str("name"), m.str("text"))
	case "display_data", "execute_result":
		o := &Output{Type: m.kind, Data: bundleOf(m), Metadata: orEmpty(m.object("metadata"))}
		if n, ok := number(m.content["execution_count"]); ok && m.kind == "execute_result" {
			o.ExecutionCount = &n
		}
		k.put(cell, o)
		if id, _ := m.object("transient")["display_id"].(string); id != "" {
			k.displays[id] = append(k.displays[id], o)
		}
	case "error":
		k.put(cell, &Output{Type: "error", ErrorName: m.str("ename"), ErrorValue: m.str("evalue"), Traceback: texts(m.content["traceback"])})
	}
}

func (k *collector) put(cell *Cell, o *Output) {
	if k.clear[cell] {
		k.drop(cell)
	}
	cell.Outputs = append(cell.Outputs, o)
}

// stream appends to the cell's last output when that is the same stream, as
// nbformat wants it.
func (k *collector) stream(cell *Cell, name, text string) {
	if text == "" {
		return
	}
	if n := len(cell.Outputs); n > 0 && !k.clear[cell] {
		if last := cell.Outputs[n-1]; last.Type == "stream" && last.Name == name {
			last.Text += text
			return
		}
	}
	k.put(cell, &Output{Type: "stream", Name: name, Text: text})
}

// drop forgets the outputs of a cell; later updates of them go nowhere.
func (k *collector) drop(cell *Cell) {
	for id, outputs := range k.displays {
		k.displays[id] = slices.DeleteFunc(outputs, func(o *Output) bool { return slices.Contains(cell.Outputs, o) })
	}
	cell.Outputs = nil
	delete(k.clear, cell)
}

// bundleOf returns a message's data as nbformat allows it: strings for what is
// not JSON.
func bundleOf(m message) Bundle {
	b := Bundle{}
	for mime, v := range m.object("data") {
		if _, ok := v.(string); ok || isJSON(mime) {
			b[mime] = v
		} else if list := texts(v); list != nil {
			b[mime] = strings.Join(list, "")
		}
	}
	return b
}

// texts returns a JSON list of strings, nil when it is something else.
func texts(v any) []string {
	list, ok := v.([]any)
	if !ok {
		return nil
	}
	out := make([]string, 0, len(list))
	for _, e := range list {
		s, ok := e.(string)
		if !ok {
			return nil
		}
		out = append(out, s)
	}
	return out
}

func number(v any) (int, bool) {
	f, ok := v.(float64)
	return int(f), ok
}
