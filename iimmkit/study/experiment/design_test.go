package experiment

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/model/finetune"
)

// said is what a spec asks for, in short.
func said(t *testing.T, specs []Spec) []string {
	t.Helper()
	var out []string
	for _, s := range specs {
		p, err := s.resolve()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%s %s %s %v %v", s.Model, p.Name, strings.Join(s.Methods, "+"), s.Tasks, s.Seeds))
	}
	return out
}

func TestDesignIsEveryCombination(t *testing.T) {
	d, err := ParseDesign([]byte(`
schema: 1
models: [one, two]
methods: [probe, full]
tasks: [a, folder:b]
seeds: [0, 3]
grid:
  learning_rate: [1e-3, 3e-4]
  optimizer: [adamw, sgd]       # the first is the protocol's
  batch: 8
`))
	if err != nil {
		t.Fatal(err)
	}
	specs, err := d.Specs()
	if err != nil {
		t.Fatal(err)
	}
	// The probe has neither learning rate nor optimizer; what all runs share is
	// named all the same, as by a flag.
	var want []string
	for _, model := range []string{"one", "two"} {
		for _, s := range []string{
			"quick:batch=8 probe",
			"quick:learning_rate=0.0003,batch=8 full",
			"quick:learning_rate=0.001,batch=8 full",
			"quick:optimizer=sgd,learning_rate=0.0003,batch=8 full",
			"quick:optimizer=sgd,learning_rate=0.001,batch=8 full",
		} {
			want = append(want, model+" "+s+" [a folder:b] [0 3]")
		}
	}
	got := said(t, specs)
	slices.Sort(got)
	slices.Sort(want)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("specs\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestDesignOfOneCombinationIsTheSpecOfTheFlags(t *testing.T) {
	spec := tinySpec()
	grid, err := ParseGrid(nil, spec.Changes)
	if err != nil {
		t.Fatal(err)
	}
	d := Design{Models: []string{"m"}, Methods: []string{"full", "probe"}, Tasks: []string{"a"}, Grid: grid}
	specs, err := d.Specs()
	if err != nil || len(specs) != 1 || !reflect.DeepEqual(specs[0].Changes, spec.Changes) || !reflect.DeepEqual(specs[0].Methods, spec.Methods) {
		t.Errorf("%+v, %v", specs, err)
	}
	grid, err = ParseGrid([]string{"steps=10,20", "optimizer=sgd", "data_seed=18446744073709551615"}, Overrides{Rate: value(3e-3)})
	if err != nil {
		t.Fatal(err)
	}
	d.Grid, d.Methods = grid, []string{"full"}
	if specs, err = d.Specs(); err != nil || len(specs) != 2 || *specs[1].Changes.Steps != 20 || *specs[1].Changes.DataSeed != 1<<64-1 || *specs[1].Changes.Rate != 3e-3 {
		t.Errorf("%+v, %v", specs, err)
	}
	for want, texts := range map[string][]string{
		"is not NAME":         {"steps"},
		"steps is given tw":   {"steps=1", "steps=2"},
		"learning_rate is gi": {"learning_rate=1"},
		"no list of values":   {"steps=[1"},
	} {
		if _, err := ParseGrid(texts, Overrides{Rate: value(1.)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", texts, err, want)
		}
	}
}

func TestWrongSpecFilesSayWhatAndWhere(t *testing.T) {
	const good = "schema: 1\nmodels: [m]\nmethods: [full]\ntasks: [a]\n"
	if _, err := ParseDesign([]byte(good)); err != nil {
		t.Fatal(err)
	}
	many := "1"
	for n := 2; n <= 101; n++ {
		many += fmt.Sprint(",", n)
	}
	for text, want := range map[string]string{
		good + "grids: {}":                                            "line 5",
		good + "models: [n]":                                          "line 5",
		good + "seeds: [zero]":                                        "line 5",
		good + "seeds: [-1]":                                          "seed -1 is negative",
		good + "seeds: []":                                            "no seed given",
		good + "grid: {rate: [1]}":                                    `no hyper-parameter "rate": there are recipe, optimizer, learning_rate`,
		good + "grid: {learning_rate: []}":                            "learning_rate has no values",
		good + "grid: {learning_rate: [1, 1.0]}":                      "learning_rate is given 1 twice",
		good + "grid: {learning_rate: [fast]}":                        "learning_rate cannot be the string fast",
		good + "grid: {learning_rate: [.inf]}":                        "unsupported value",
		good + "grid: {learning_rate: [-1]}":                          "learning rate -1",
		good + "grid: {steps: [1.5]}":                                 "steps cannot be the number 1.5",
		good + "grid: {steps: [" + many + "], batch: [" + many + "]}": "more than 10000 combinations",
		good + "grid: {steps: [null]}":                                "steps has an empty value",
		good + "grid: {steps: [[1]]}":                                 "steps cannot be the array",
		good + "protocol: slow":                                       `no protocol "slow"`,
		"schema: 2\nmodels: [m]":                                      "schema 2: this iimm reads schema: 1",
		"models: [m]\nmethods: [full]\ntasks: [a]":                    "schema 0",
		"schema: 1\nmethods: [full]\ntasks: [a]":                      "no model given",
		"schema: 1\nmodels: [m]\ntasks: [a]":                          "no method given",
		"schema: 1\nmodels: [m]\nmethods: [full]":                     "no task given",
		"schema: 1\nmodels: [m]\nmethods: [fall]":                     `no tuning method "fall"`,
		"schema: 1\nmodels: [m, m]":                                   "no method given",
		good + "  x: 1":                                               "L5",
		"":                                                            "",
		good + "---\n" + good:                                         "",
	} {
		_, err := ParseDesign([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q gave %v, want %q", text, err, want)
		}
	}
	path := filepath.Join(t.TempDir(), "spec.yaml")
	if _, err := ReadDesign(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(path, []byte("schema: ["), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadDesign(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a broken file: %v", err)
	}
}

func TestTemplateIsASpecAndNamesEverything(t *testing.T) {
	text := Template()
	d, err := ParseDesign([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	specs, err := d.Specs()
	if err != nil || len(specs) != 3 || len(specs[0].Tasks) < 10 {
		t.Errorf("%d specs, %v", len(specs), err)
	}
	names := slices.Concat(finetune.Methods(), HyperParameters())
	for _, p := range Protocols() {
		names = append(names, p.Name)
	}
	for f := range reflect.TypeFor[Design]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		names = append(names, name+":")
		if json, _, _ := strings.Cut(f.Tag.Get("json"), ","); json != name {
			t.Errorf("%s is %s in JSON", name, json)
		}
	}
	for _, name := range names {
		if !strings.Contains(text, name) {
			t.Errorf("the template does not say %s", name)
		}
	}
}

// What is read from YAML is the same written and read as JSON, and never panics.
func FuzzParseDesign(f *testing.F) {
	f.Add([]byte(Template()))
	f.Add([]byte("schema: 1\nmodels: [m]\nmethods: [full]\ntasks: [a]\ngrid: {steps: [1, 2], optimizer: sgd}"))
	f.Add([]byte(`{"schema":1,"models":["m"],"methods":["probe"],"tasks":["a"],"grid":{"learning_rate":[1e-3]}}`))
	f.Add([]byte("a: &a [*a, *a]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ParseDesign(data)
		if err != nil {
			return
		}
		text, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseDesign(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		one, err := d.Specs()
		if err != nil {
			t.Fatal(err)
		}
		if other, err := again.Specs(); err != nil || !reflect.DeepEqual(one, other) {
			t.Fatalf("%+v became %+v, %v", one, other, err)
		}
	})
}
