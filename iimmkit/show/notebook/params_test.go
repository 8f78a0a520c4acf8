package notebook

import (
	"slices"
	"strings"
	"testing"
)

func tagged(tag, source string) *Cell {
	return &Cell{ID: "t-" + tag, Type: "code", Source: source, Metadata: map[string]any{"tags": []any{tag}}}
}

const declaring = `import "time"

// What the notebook works on.
var (
	task     = "world/shape"
	seeds    = 3
	rate     = 0.1
	low      = -1
	fast     = false
	patience = 90 * time.Second
	seed     = uint64(1)
	part float32
	list     = []int{1}
)

const name, more = "a", 2

%%
fmt.Println(task, other)`

func TestParametersCellIsOverridden(t *testing.T) {
	n := code("%%\n_ = nb.Param(\"extra-one\", 1)")
	n.Cells = append([]*Cell{tagged("parameters", declaring), tagged("injected-parameters", "var task = \"of before\"")}, n.Cells...)
	want := []string{"task", "seeds", "rate", "low", "fast", "patience", "seed", "part", "list", "name", "more", "extra-one"}
	if got := n.Parameters(); !slices.Equal(got, want) {
		t.Errorf("parameters %v, want %v", got, want)
	}
	err := n.inject(map[string]string{"task": "a \"b\"", "seeds": "5", "rate": "1", "low": "7", "fast": "true", "patience": "1m30s", "seed": "18446744073709551615",
		"part": "1e-3", "more": "-4", "extra-one": "2"})
	if err != nil {
		t.Fatal(err)
	}
	if len(n.Cells) != 3 || n.Cells[1].ID != "injected-parameters" || !n.Cells[1].tagged("injected-parameters") {
		t.Fatalf("%d cells, the second is %+v", len(n.Cells), n.Cells[1])
	}
	source := `var task = "a \"b\""
var seeds = 5
var rate = 1.0
var low = 7
var fast = true
var patience = time.Duration(90000000000)
var seed uint64 = 18446744073709551615
var part float32 = 0.001
const more = -4`
	if n.Cells[1].Source != source {
		t.Errorf("injected\n%s", n.Cells[1].Source)
	}
}

func TestParametersCellIsLeftAloneWithoutParameters(t *testing.T) {
	for _, given := range []map[string]string{nil, {"extra": "1"}} {
		n := code("%%")
		n.Cells = append([]*Cell{tagged("parameters", declaring), tagged("injected-parameters", "var task = \"kept\"")}, n.Cells...)
		if err := n.inject(given); err != nil || len(n.Cells) != 3 || n.Cells[1].Source != "var task = \"kept\"" {
			t.Errorf("%v: %v, %d cells", given, err, len(n.Cells))
		}
	}
}

func TestParametersCellRefuses(t *testing.T) {
	for name, c := range map[string]struct{ source, param, value, want string }{
		"not Go":     {"var x = = 1", "x", "1", "the cell tagged parameters: its declarations are not Go"},
		"number":     {"var x = 1", "x", "one", `parameter x: "one" is not a whole number`},
		"fraction":   {"var x = 1", "x", "1.5", `"1.5" is not a whole number`},
		"infinite":   {"var x = 1.0", "x", "Inf", `"Inf" is not a number`},
		"negative":   {"var x uint", "x", "-1", `is not a whole number from 0`},
		"truth":      {"var x = true", "x", "maybe", "is not true or false"},
		"time":       {"var x time.Duration", "x", "5", "is not a duration"},
		"other type": {"var x []int", "x", "1", `its type is not to be seen in "[]int =": declare it`},
		"a call":     {"var x = f()", "x", "1", `its type is not to be seen in "= f()"`},
	} {
		n := code()
		n.Cells = []*Cell{tagged("parameters", c.source)}
		if err := n.inject(map[string]string{c.param: c.value}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func FuzzDeclarations(f *testing.F) {
	f.Add(declaring, "1")
	f.Add("!ls\nvar x, y float64 = 1, 2*3", "2.5")
	f.Fuzz(func(t *testing.T, source, value string) {
		found, err := declarations(source)
		if err != nil {
			return
		}
		for _, d := range found {
			line, err := d.with(value)
			if err != nil {
				continue
			}
			again, err := declarations(line)
			if err != nil || len(again) != 1 || again[0].name != d.name || strings.Contains(line, "\n") {
				t.Fatalf("%q of %q: %v", line, source, err)
			}
		}
	})
}

func TestParametersReachCells(t *testing.T) {
	n := code("%%\nfmt.Println(task, seeds, patience, os.Getenv(\"IIMM_PARAMS\"))")
	n.Cells = append([]*Cell{tagged("parameters", "import \"time\"\n\nvar (\n\ttask     = \"world/shape\"\n\tseeds    = 3\n\tpatience = time.Second\n)")}, n.Cells...)
	if err := run(t, n, Options{Parameters: map[string]string{"task": "日本 \"x\"", "patience": "2m"}}); err != nil {
		t.Fatal(err)
	}
	if got, want := printed(n.Cells[2], "stdout"), "日本 \"x\" 3 2m0s {\"patience\":\"2m\",\"task\":\"日本 \\\"x\\\"\"}\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}
