package pushdown

import (
	"math"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/core/measure"
)

// Three classes, of which one is empty: (.6, .8) and (0, 1) of class 0, (1, 0) of 2.
const lines = `{"label":0,"n":2,"bad":0,"q":2,"s":[0.6,1.8]}
{"label":2,"n":1,"bad":0,"q":1,"s":[1,0]}
`

func TestDecode(t *testing.T) {
	for name, result := range map[string]string{
		"lines":  lines,
		"quoted": `{"label":"0","n":"2","bad":"0","q":2,"s":[0.6,1.8]} {"label":"2","n":"1","bad":"0","q":1.0,"s":["1",0]}`,
		"list":   `[{"label":2,"n":1,"bad":0,"q":1,"s":[1,0]},{"s":[6e-1,1.8],"q":2,"bad":0,"n":2,"label":0}]`,
	} {
		a, err := Decode(strings.NewReader(result), 3)
		if err != nil {
			t.Fatal(err)
		}
		texts, err := measure.NewTexts([]float64{1, 0, 0, 1, -1, 0}, 2)
		if err != nil {
			t.Fatal(err)
		}
		got, err := a.Result(texts)
		if err != nil {
			t.Fatal(err)
		}
		want, err := measure.Compute([]float64{.6, .8, 0, 1, 1, 0}, []int{0, 0, 2}, []float64{1, 0, 0, 1, -1, 0}, 2)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(got.IIMM-want.IIMM) > 1e-15 || math.Abs(*got.InterByClass-*want.InterByClass) > 1e-15 || got.N != 3 {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	row := `{"label":0,"n":2,"bad":0,"q":2,"s":[0.6,1.8]}`
	with := func(old, new string) string { return strings.Replace(row, old, new, 1) }
	for name, c := range map[string]struct{ result, want string }{
		"nothing":   {"", "no rows"},
		"a list":    {"[]", "no rows"},
		"text":      {"label,n\n0,1\n", "row 1: not JSON"},
		"cut":       {lines[:60], "row 2: not JSON"},
		"after":     {"[" + row + "]" + row, "something follows"},
		"twice":     {lines + lines, "row 3: class 0 comes twice"},
		"label":     {with(`"label":0`, `"label":3`), "row 1: label is 3, want 0..2"},
		"no label":  {with(`"label":0`, `"label":null`), `label is "", want a whole number`},
		"fraction":  {with(`"label":0`, `"label":0.5`), `label is "0.5"`},
		"n":         {with(`"n":2`, `"n":0`), "class 0 has 0 images"},
		"no bad":    {with(`"bad":0,`, ``), `bad is ""`},
		"bad":       {with(`"bad":0`, `"bad":7`), "7 images of class 0 have another width"},
		"q":         {with(`"q":2`, `"q":"NaN"`), `q is "NaN", want a finite number`},
		"null in s": {with(`0.6`, `null`), `s is ""`},
		"no s":      {with(`,"s":[0.6,1.8]`, ``), "s has 0 numbers"},
		"widths":    {lines + `{"label":1,"n":1,"bad":0,"q":1,"s":[1]}`, "row 3: s has 1 numbers, that of the first row 2"},
		"sums":      {with(`"q":2`, `"q":-1`), "squared norm -1"},
	} {
		a, err := Decode(strings.NewReader(c.result), 3)
		if a != nil || err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := Decode(strings.NewReader(lines), 1); err == nil {
		t.Error("one class")
	}
}

func TestQueryRefuses(t *testing.T) {
	good := Table{From: "t", Embedding: "e", Label: "y", Width: 2}
	for _, engine := range Engines() {
		if q, err := Query(engine, good); err != nil || !strings.Contains(q, "FROM t)") {
			t.Errorf("%s: %v\n%s", engine, err, q)
		}
	}
	for want, change := range map[string]func(*Table){
		"no table":              func(t *Table) { t.From = " " },
		"no column":             func(t *Table) { t.Label = "" },
		"embeddings of width 0": func(t *Table) { t.Width = 0 },
	} {
		table := good
		change(&table)
		if _, err := Query(DuckDB, table); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := Query("sqlite", good); err == nil || !strings.Contains(err.Error(), "[duckdb clickhouse]") {
		t.Errorf("%v", err)
	}
}

// What is read can be written as a blob and read again: its sums are possible.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(lines))
	f.Add([]byte(`[{"label":"1","n":1,"bad":0,"q":1e300,"s":[-1,0]}]`))
	f.Add([]byte(`{"label":1,"n":9223372036854775807,"bad":0,"q":1,"s":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := Decode(strings.NewReader(string(b)), 3)
		if err != nil {
			return
		}
		blob, err := a.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if err := new(measure.Accumulator).UnmarshalBinary(blob); err != nil {
			t.Fatalf("%q: %v", b, err)
		}
	})
}
