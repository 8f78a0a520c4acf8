package forecast

import (
	"bytes"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestCalibrationIsReadAsItWasWritten(t *testing.T) {
	w := newWorld(2)
	made := mustNew(t, w.tasks(7), w.retained(), Options{Pooled: true, ByDomain: true})
	path := filepath.Join(t.TempDir(), "c.json")
	if err := made.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	read, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(made, read) {
		t.Errorf("wrote %+v, read %+v", made, read)
	}
	// Without retained tasks, too.
	bare := w.tasks(6)
	for i := range bare {
		bare[i].Retained, bare[i].Forgetting = nil, nil
	}
	made = mustNew(t, bare, map[string]map[string]Known{}, Options{})
	var b bytes.Buffer
	if err := made.Write(&b); err != nil {
		t.Fatal(err)
	}
	if read, err = Parse(b.Bytes()); err != nil || !reflect.DeepEqual(made, read) {
		t.Error(err)
	}
}

func TestOrderOfObservationsDoesNotMatter(t *testing.T) {
	w := newWorld(2)
	tasks := w.tasks(8)
	a := mustNew(t, tasks, w.retained(), Options{})
	slices.Reverse(tasks)
	b := mustNew(t, tasks, w.retained(), Options{})
	if a.Hash != b.Hash || !reflect.DeepEqual(a, b) {
		t.Error("the order of observations changes the calibration")
	}
}

func TestACalibrationForgetsTasks(t *testing.T) {
	w := newWorld(2)
	tasks := w.tasks(8)
	whole := mustNew(t, tasks, w.retained(), Options{ByDomain: true})
	less, err := whole.Without("task/03", "task/05", "elsewhere")
	if err != nil {
		t.Fatal(err)
	}
	kept := slices.DeleteFunc(slices.Clone(tasks), func(o Observation) bool { return o.Task == "task/03" || o.Task == "task/05" })
	if want := mustNew(t, kept, w.retained(), Options{ByDomain: true}); !reflect.DeepEqual(less.Observations, want.Observations) || less.Hash != want.Hash {
		t.Errorf("tasks %v are left of %v", less.Tasks, whole.Tasks)
	}
	if len(whole.Tasks) != 8 || len(less.Tasks) != 6 || !less.ByDomain || !reflect.DeepEqual(less.Retained, whole.Retained) {
		t.Errorf("%d and %d tasks, by domain %v", len(whole.Tasks), len(less.Tasks), less.ByDomain)
	}
	if same, err := whole.Without("elsewhere"); err != nil || same != whole {
		t.Errorf("a task it does not have changed the calibration (%v)", err)
	}
	if _, err := whole.Without(whole.Tasks...); err == nil {
		t.Error("a calibration of nothing")
	}
}

func TestChangedCalibrationsAreRefused(t *testing.T) {
	w := newWorld(2)
	var b bytes.Buffer
	if err := mustNew(t, w.tasks(6), w.retained(), Options{}).Write(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, c := range []struct{ name, from, to, want string }{
		{"another observation", `"task":"task/03"`, `"task":"task/93"`, "they were changed"},
		{"another hash", `"hash": "`, `"hash": "0`, "they were changed"},
		{"another schema", `"schema": 1`, `"schema": 2`, "it says schema 2"},
		{"an accuracy in percent", `"zero_shot_accuracy":0.`, `"zero_shot_accuracy":9.`, "must be in 0..1"},
		{"a task twice", `"task":"task/03"`, `"task":"task/02"`, "comes twice"},
		{"an unknown retained task", `"kept/3":`, `"kept/9":`, "is missing"},
		{"no JSON", `{`, `[`, "not a calibration"},
	} {
		changed := strings.Replace(text, c.from, c.to, 1)
		if changed == text {
			t.Fatalf("%s: nothing to change", c.name)
		}
		if _, err := Parse([]byte(changed)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	w := newWorld(2)
	c, err := New("seed", "a test", w.tasks(6), w.retained(), Options{})
	if err != nil {
		f.Fatal(err)
	}
	var b bytes.Buffer
	if err := c.Write(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(`{"schema":1,"name":"x","observations":[]}`))
	f.Add([]byte(`{"schema":1,"name":"x","observations":[{"model":"m","method":"full","task":"t","seeds":1,"classes":1}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data)
		if err != nil {
			return
		}
		// What was accepted can be written and read again, and asked.
		var b bytes.Buffer
		if err := c.Write(&b); err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(b.Bytes()); err != nil {
			t.Fatal(err)
		}
		o := c.Observations[0]
		if f, err := c.Forecast(Query{Model: o.Model, Methods: []string{o.Method}, Inputs: o.Inputs}); err == nil {
			if m := f.Methods[0]; m.Accuracy != nil && (m.Accuracy.Value < 0 || m.Accuracy.Value > 1) {
				t.Errorf("accuracy %v", m.Accuracy.Value)
			}
		}
	})
}

func TestBadObservationsAreRefused(t *testing.T) {
	w := newWorld(2)
	for _, c := range []struct {
		want   string
		change func(*Observation)
	}{
		{"must be named", func(o *Observation) { o.Method = "" }},
		{"0 seeds", func(o *Observation) { o.Seeds = 0 }},
		{"accuracy is 1.5", func(o *Observation) { o.Accuracy = 1.5 }},
		{"probe_cv_accuracy is -1", func(o *Observation) { o.ProbeCVAccuracy = ptr(-1) }},
		{"1 classes", func(o *Observation) { o.Classes = 1 }},
		{"forgetting is 101", func(o *Observation) { o.Forgetting = ptr(101) }},
		{"among those retained", func(o *Observation) { o.Task = "kept/1" }},
	} {
		tasks := w.tasks(5)
		c.change(&tasks[2])
		if _, err := New("x", "y", tasks, w.retained(), Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
	few := mustNew(t, w.tasks(4), w.retained(), Options{})
	if _, err := few.Forecast(Query{Model: "m", Inputs: w.task("q").Inputs}); err == nil || !strings.Contains(err.Error(), "at least 5 are needed") {
		t.Errorf("four tasks: %v", err)
	}
}
