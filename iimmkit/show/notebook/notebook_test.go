package notebook

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const sample = `{
 "cells": [
  {
   "attachments": {
    "dot.png": {
     "image/png": "AQID"
    }
   },
   "cell_type": "markdown",
   "id": "intro",
   "metadata": {},
   "source": [
    "# Title & more\n",
    "\n",
    "![dot](attachment:dot.png)"
   ]
  },
  {
   "cell_type": "code",
   "execution_count": 3,
   "id": "work",
   "metadata": {
    "tags": [
     "x"
    ]
   },
   "outputs": [
    {
     "name": "stdout",
     "output_type": "stream",
     "text": [
      "a\n",
      "b"
     ]
    },
    {
     "data": {
      "application/vnd.vegalite.v5+json": {
       "mark": "point"
      },
      "image/svg+xml": [
       "<svg/>"
      ],
      "text/plain": [
       "alt"
      ]
     },
     "metadata": {},
     "output_type": "display_data"
    },
    {
     "ename": "ERROR",
     "evalue": "no",
     "output_type": "error",
     "traceback": [
      "no"
     ]
    }
   ],
   "source": [
    "%%\n",
    "fmt.Println(nb.Param(\"ledger\", \"a<b\"), nb.Param[float64](\"rate\", 1), nb.Param(\"ledger\", \"\"))"
   ]
  }
 ],
 "metadata": {
  "kernelspec": {
   "display_name": "Go (iimm)",
   "language": "go",
   "name": "iimm-go"
  }
 },
 "nbformat": 4,
 "nbformat_minor": 5
}
`

func TestEncodeIsWhatJupyterWrites(t *testing.T) {
	n, err := Parse([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	got, err := n.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != sample {
		t.Errorf("got\n%s", got)
	}
}

func TestNotebookTellsAboutItself(t *testing.T) {
	n, err := Parse([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	if got := n.Kernel(); got != "iimm-go" {
		t.Error(got)
	}
	if got := n.Title(); got != "Title & more" {
		t.Error(got)
	}
	if got := n.Parameters(); !reflect.DeepEqual(got, []string{"ledger", "rate"}) {
		t.Error(got)
	}
}

func TestOlderMinorVersionsGetIDs(t *testing.T) {
	old := `{"nbformat":4,"nbformat_minor":2,"metadata":{},"cells":[
		{"cell_type":"markdown","metadata":{},"source":"one"},
		{"cell_type":"code","metadata":{},"source":["two\n","three"],"outputs":[],"execution_count":null},
		{"cell_type":"code","id":"not valid!","metadata":{},"source":"","outputs":[],"execution_count":null}]}`
	a, err := Parse([]byte(old))
	if err != nil {
		t.Fatal(err)
	}
	b, _ := Parse([]byte(old))
	seen := map[string]bool{}
	for i, c := range a.Cells {
		if !cellID.MatchString(c.ID) || seen[c.ID] {
			t.Errorf("cell %d: id %q", i, c.ID)
		}
		seen[c.ID] = true
		if c.ID != b.Cells[i].ID {
			t.Error("ids differ from one reading to the next")
		}
	}
	if a.Minor != 5 || a.Cells[1].Source != "two\nthree" {
		t.Errorf("minor %d, source %q", a.Minor, a.Cells[1].Source)
	}
}

func TestParseRefuses(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"text":        {"hello", "no JSON"},
		"empty":       {"", "no JSON"},
		"other JSON":  {`{"a":1}`, "nbformat is missing"},
		"nbformat 3":  {`{"nbformat":3,"worksheets":[]}`, "nbformat 3"},
		"cell type":   {`{"nbformat":4,"cells":[{"cell_type":"heading"}]}`, `cell 1: cell_type "heading"`},
		"output type": {`{"nbformat":4,"cells":[{"cell_type":"code","outputs":[{"output_type":"pyout"}]}]}`, `output 1: output_type "pyout"`},
		"source":      {`{"nbformat":4,"cells":[{"cell_type":"code","source":5}]}`, "source"},
		"data":        {`{"nbformat":4,"cells":[{"cell_type":"code","outputs":[{"output_type":"display_data","data":{"text/plain":{}}}]}]}`, "text/plain"},
		"cut off":     {sample[:200], "byte"},
	} {
		_, err := Parse([]byte(c.in))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q in it", name, err, c.want)
		}
	}
}

func TestWriteIsWholeOrNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n.ipynb")
	n := code("%%")
	n.Metadata["bad"] = func() {} // cannot be JSON
	if err := n.Write(path); err == nil {
		t.Error("a function was written as JSON")
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Error("a file was left")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(`{"nbformat":4,"nbformat_minor":4,"cells":[{"cell_type":"raw","source":["a"]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := Parse(data)
		if err != nil {
			return
		}
		once, err := n.Encode()
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := Parse(once)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, once)
		}
		twice, err := again.Encode()
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%v\n%s\n%s", err, once, twice)
		}
		if err := n.HTML(&bytes.Buffer{}, PageOptions{}); err != nil {
			t.Fatal(err)
		}
	})
}

func published(kind, parent string, content string) message {
	m := message{kind: kind, parent: parent}
	if err := json.Unmarshal([]byte(content), &m.content); err != nil {
		panic(err)
	}
	return m
}

func TestOutputsAreCollected(t *testing.T) {
	k := newCollector()
	a, b := &Cell{Type: "code"}, &Cell{Type: "code"}
	k.requests["1"], k.requests["2"] = a, b
	for _, m := range []message{
		published("execute_input", "1", `{"execution_count":4}`),
		published("stream", "1", `{"name":"stdout","text":"one "}`),
		published("stream", "1", `{"name":"stdout","text":"two\n"}`),
		published("stream", "1", `{"name":"stderr","text":"warn\n"}`),
		published("display_data", "1", `{"data":{"text/plain":"0 of 2"},"metadata":{},"transient":{"display_id":"bar"}}`),
		published("stream", "1", `{"name":"stdout","text":"three\n"}`),
		published("stream", "2", `{"name":"stdout","text":"second cell\n"}`),
		published("update_display_data", "2", `{"data":{"text/plain":"2 of 2"},"metadata":{"k":1},"transient":{"display_id":"bar"}}`),
		published("stream", "1", `{"name":"stdout","text":"late\n"}`),
		published("stream", "unknown", `{"name":"stdout","text":"nobody's\n"}`),
		published("execute_result", "2", `{"data":{"text/plain":["a","b"],"image/png":5},"metadata":{},"execution_count":5}`),
		published("error", "2", `{"ename":"E","evalue":"v","traceback":["t1","t2"]}`),
	} {
		k.add(m)
	}
	if a.ExecutionCount == nil || *a.ExecutionCount != 4 {
		t.Errorf("count %v", a.ExecutionCount)
	}
	want := []*Output{
		{Type: "stream", Name: "stdout", Text: "one two\n"},
		{Type: "stream", Name: "stderr", Text: "warn\n"},
		{Type: "display_data", Data: Bundle{"text/plain": "2 of 2"}, Metadata: map[string]any{"k": 1.0}},
		{Type: "stream", Name: "stdout", Text: "three\nlate\n"},
	}
	if !reflect.DeepEqual(a.Outputs, want) {
		t.Errorf("first cell: %s", show(a.Outputs))
	}
	five := 5
	want = []*Output{
		{Type: "stream", Name: "stdout", Text: "second cell\n"},
		{Type: "execute_result", Data: Bundle{"text/plain": "ab"}, Metadata: map[string]any{}, ExecutionCount: &five},
		{Type: "error", ErrorName: "E", ErrorValue: "v", Traceback: []string{"t1", "t2"}},
	}
	if !reflect.DeepEqual(b.Outputs, want) {
		t.Errorf("second cell: %s", show(b.Outputs))
	}
}

func show(outputs []*Output) string {
	text, _ := json.Marshal(outputs)
	return string(text)
}

func TestClearOutput(t *testing.T) {
	k := newCollector()
	c := &Cell{Type: "code"}
	k.requests["1"] = c
	k.add(published("stream", "1", `{"name":"stdout","text":"old"}`))
	k.add(published("clear_output", "1", `{"wait":true}`))
	if len(c.Outputs) != 1 {
		t.Error("wait: cleared before there is something new")
	}
	k.add(published("stream", "1", `{"name":"stdout","text":"new"}`))
	if len(c.Outputs) != 1 || c.Outputs[0].Text != "new" {
		t.Errorf("after waiting: %s", show(c.Outputs))
	}
	k.add(published("display_data", "1", `{"data":{"text/plain":"x"},"transient":{"display_id":"d"}}`))
	k.add(published("clear_output", "1", `{}`))
	k.add(published("update_display_data", "1", `{"data":{"text/plain":"y"},"transient":{"display_id":"d"}}`))
	if len(c.Outputs) != 0 {
		t.Errorf("not cleared: %s", show(c.Outputs))
	}
}

func TestSignatureIsChecked(t *testing.T) {
	c := codec{key: []byte("secret"), session: "s"}
	frames, id, err := c.encode("execute_request", map[string]any{"code": "1"})
	if err != nil {
		t.Fatal(err)
	}
	routed := append([][]byte{[]byte("routing")}, frames...)
	m, err := c.decode(routed)
	if err != nil || m.kind != "execute_request" || m.id != id || m.str("code") != "1" {
		t.Errorf("%+v, %v", m, err)
	}
	if _, err := (codec{key: []byte("other")}).decode(frames); err != errSignature {
		t.Errorf("a message signed with another key: %v", err)
	}
	frames[5] = []byte(`{"code":"2"}`)
	if _, err := c.decode(frames); err != errSignature {
		t.Errorf("a changed message: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"msg_id":"1"}`), []byte(`{}`), []byte(`{"text":"a"}`), 6)
	f.Fuzz(func(t *testing.T, head, parent, content []byte, n int) {
		frames := [][]byte{[]byte(delimiter), nil, head, parent, []byte("{}"), content}
		if n < 0 || n > len(frames) {
			n = len(frames)
		}
		m, err := codec{}.decode(frames[:n])
		if err != nil {
			return
		}
		k := newCollector()
		k.requests[m.parent] = &Cell{Type: "code"}
		for _, kind := range []string{"stream", "display_data", "execute_result", "error", "clear_output", "update_display_data", "execute_input"} {
			m.kind = kind
			k.add(m)
		}
	})
}

func TestFailureText(t *testing.T) {
	two := 2
	for name, c := range map[string]struct {
		reply   string
		outputs []*Output
		want    string
	}{
		"compiler, this cell": {
			`{"evalue":"x","traceback":["# gonb_1","Cell[2]: Line 7\n\ncontext\n\u001b[31mundefined: x\u001b[0m",""]}`, nil,
			"line 7: undefined: x"},
		"compiler, other cell": {
			`{"evalue":"x","traceback":["Cell[1]: Line 3\ncontext\nfirst","Cell[2]: Line 1\ncontext\nsecond"]}`, nil,
			"In[1] line 3: first\nline 1: second"},
		"no network": {
			`{"evalue":"x","traceback":["a: cannot find module providing package a","---------------","Note: advice"]}`, nil,
			"a: cannot find module providing package a" + noNetworkHint},
		"program": {
			`{"evalue":"exit status 2","traceback":["exit status 2"]}`,
			[]*Output{{Type: "stream", Name: "stderr", Text: "panic: no\nexit status 2\n"}},
			"the program ended with exit status 2: panic: no"},
		"checked error": {
			`{"evalue":"exit status 1","traceback":["exit status 1"]}`,
			[]*Output{{Type: "display_data", Data: Bundle{"text/plain": "Error: empty\n"}, Metadata: map[string]any{"iimm": map[string]any{"error": true}}},
				{Type: "stream", Name: "stderr", Text: "exit status 1\n"}},
			"Error: empty"},
		"nothing said": {`{"evalue":"exit status 3","traceback":[]}`, nil, "the program ended with exit status 3"},
	} {
		m := published("execute_reply", "", c.reply)
		if got := failureText(&Cell{ExecutionCount: &two, Outputs: c.outputs}, &m); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// GoNB does not translate a place that Go wrote in several pieces.
func TestPlacesThatGoNBLeftAreTranslated(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a folder")
	main, other := filepath.Join(dir, "gonb_1a2b", "main.go"), filepath.Join(dir, "main.go")
	if err := os.MkdirAll(filepath.Dir(main), 0o700); err != nil {
		t.Fatal(err)
	}
	code := []byte("package main\n\nimport \"sync\"\n\nfunc main() {\n\tvar mu sync.Mutex\n\tmu.Lock()\n\tmu.Lock()\n\n\telsewhere()\n}\n")
	if err := errors.Join(os.WriteFile(main, code, 0o600), os.WriteFile(other, code, 0o600)); err != nil {
		t.Fatal(err)
	}
	four := 4
	c := &Cell{ExecutionCount: &four, Source: "import \"sync\"\n%%\nvar mu sync.Mutex\nmu.Lock()\nmu.Lock()\n"}
	for place, want := range map[string]string{
		main + ":7 +0x1": " [[ Cell [4] Line 4 ]] ",
		main + ":8 +0x1": " [[ Cell [4] Line 5 ]] ",
		main + ":3":      " [[ Cell [4] Line 1 ]] ",
		main + ":10":     "", // not of this cell
		main + ":1":      "",
		main + ":99":     "",
		main + ":0":      "",
		main + "x.go:8":  "",
		other + ":8":     "", // of no cell
		" [[ Cell [9] Line 9 ]] " + main + ":8 +0x1": "",
	} {
		words := "panic: no\nmain.main()\n\t" + place + "\nexit"
		want := strings.Replace(words, "\t", "\t"+want, 1)
		if got := placed(c, words); got != want {
			t.Errorf("%q became %q, want %q", words, got, want)
		}
	}
	if got := placed(&Cell{Source: c.Source}, main+":8"); got != main+":8" {
		t.Errorf("in a cell without number: %q", got)
	}
}

func TestSummaryIsOneLine(t *testing.T) {
	for message, want := range map[string]string{
		"":                             "",
		"one\n":                        "one",
		"line 1: a\n\nline 2: b":       "line 1: a (and 1 line more)",
		"a\nb\nc":                      "a (and 2 lines more)",
		"failed to run \"go\": x\nwhy": "why",
		"failed to run \"go\": exit status 1\ngo: m imports\n\tp: cannot find module providing package p" + noNetworkHint:                     "p: cannot find module providing package p",
		"the program ended with exit status 2: panic: first [recovered]\n\tpanic: second\n [[ Cell [3] Line 7 ]] x\n [[ Cell [4] Line 1 ]] y": "panic: first (In[3] line 7)",
		"the program ended with exit status 2: fatal error: no":                                                                               "fatal error: no",
	} {
		if got := summary(message); got != want {
			t.Errorf("summary(%q) = %q, want %q", message, got, want)
		}
	}
}

func TestFirstLineNamesACell(t *testing.T) {
	for source, want := range map[string]string{
		"import \"fmt\"\n\nfunc f() {}\n\n%%\n// why\nfmt.Println(1)": "fmt.Println(1)",
		"import (\n\t\"fmt\"\n)\n\nfunc f() {}\n%%\n":                 "func f() {}",
		"!ls":                            "!ls",
		"":                               "",
		"%%\n" + strings.Repeat("日", 99): strings.Repeat("日", 57) + "...",
	} {
		if got := firstLine(source); got != want {
			t.Errorf("firstLine(%q) = %q, want %q", source, got, want)
		}
	}
}
