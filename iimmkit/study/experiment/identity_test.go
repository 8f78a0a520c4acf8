package experiment

import (
	"testing"

	"github.com/iimmkit/iimm/datasets"
)

// ids returns the run ids by method and task.
func ids(t *testing.T, change func(*Spec, *Protocol, *string, *string, []*datasets.Task) []*datasets.Task) map[string]string {
	t.Helper()
	spec, tasks := tinySpec(), tinyTasks()
	spec.Seeds = []int{3}
	for _, task := range tasks {
		spec.Tasks = append(spec.Tasks, task.Name)
	}
	p, err := spec.resolve()
	if err != nil {
		t.Fatal(err)
	}
	model, backend := "m", "go"
	if change != nil {
		tasks = change(&spec, &p, &model, &backend, tasks)
	}
	all := make([]int, len(tasks))
	for i := range all {
		all[i] = i
	}
	runs, err := plan(spec, p, model, backend, tasks, all)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, r := range runs {
		out[r.MethodName+" "+r.TaskName] = r.RunID
	}
	return out
}

func TestRunIDHashesWhatDeterminesARun(t *testing.T) {
	type change = func(*Spec, *Protocol, *string, *string, []*datasets.Task) []*datasets.Task
	base := ids(t, nil)
	for _, c := range []struct {
		name        string
		full, probe bool // whether the ids of the runs on colour change
		change      change
	}{
		{"nothing", false, false, func(_ *Spec, _ *Protocol, _, _ *string, t []*datasets.Task) []*datasets.Task { return t }},
		{"weights", true, true, func(_ *Spec, _ *Protocol, m, _ *string, t []*datasets.Task) []*datasets.Task { *m = "n"; return t }},
		{"backend", true, true, func(_ *Spec, _ *Protocol, _, b *string, t []*datasets.Task) []*datasets.Task {
			*b = "xla:cpu"
			return t
		}},
		{"seed", true, true, func(s *Spec, _ *Protocol, _, _ *string, t []*datasets.Task) []*datasets.Task {
			s.Seeds = []int{0}
			return t
		}},
		{"learning rate", true, false, func(_ *Spec, p *Protocol, _, _ *string, t []*datasets.Task) []*datasets.Task {
			p.Tuning.Rate *= 2
			return t
		}},
		{"steps", true, false, func(_ *Spec, p *Protocol, _, _ *string, t []*datasets.Task) []*datasets.Task {
			p.Tuning.Steps++
			return t
		}},
		{"folds", true, true, func(_ *Spec, p *Protocol, _, _ *string, t []*datasets.Task) []*datasets.Task { p.Folds++; return t }},
		{"protocol's name", true, true, func(_ *Spec, p *Protocol, _, _ *string, t []*datasets.Task) []*datasets.Task { p.Name = "x"; return t }},
		{"the task's hash", true, true, func(_ *Spec, _ *Protocol, _, _ *string, t []*datasets.Task) []*datasets.Task {
			t[0].Hash = "x"
			return t
		}},
		{"fewer test images", true, true, func(_ *Spec, _ *Protocol, _, _ *string, t []*datasets.Task) []*datasets.Task {
			t[0].Test = datasets.Prefix(t[0].Test, 20)
			return t
		}},
		{"another task's hash", true, false, func(_ *Spec, _ *Protocol, _, _ *string, t []*datasets.Task) []*datasets.Task {
			t[2].Hash = "x"
			return t
		}},
		{"a task less", true, false, func(_ *Spec, _ *Protocol, _, _ *string, t []*datasets.Task) []*datasets.Task { return t[:2] }},
		{"the tasks' order", false, false, func(_ *Spec, _ *Protocol, _, _ *string, t []*datasets.Task) []*datasets.Task {
			return []*datasets.Task{t[1], t[2], t[0]}
		}},
	} {
		got := ids(t, c.change)
		if got["full colour"] != base["full colour"] != c.full || got["probe colour"] != base["probe colour"] != c.probe {
			t.Errorf("%s: full changes %v, want %v; probe changes %v, want %v", c.name,
				got["full colour"] != base["full colour"], c.full, got["probe colour"] != base["probe colour"], c.probe)
		}
	}
	seen := map[string]bool{}
	for _, id := range base {
		if seen[id] || len(id) != 16 {
			t.Errorf("id %q", id)
		}
		seen[id] = true
	}
}

func TestProtocolNamesItsChanges(t *testing.T) {
	p, err := ProtocolNamed("")
	if err != nil || p.Name != "quick" || p.Tuning.Steps != 60 || p.Tuning.Batch != 32 || p.NTest != 200 || p.Tuning.Rate != 0 {
		t.Fatalf("%+v, %v", p, err)
	}
	// What says the same as the protocol changes nothing, not even the name.
	if q := p.With(Overrides{Optimizer: "adamw", Rate: value(0.), Steps: value(60)}); q.Name != "quick" {
		t.Errorf("name %s", q.Name)
	}
	q := p.With(Overrides{Optimizer: "sgd", Rate: value(.01), NTest: value(50), DataSeed: value(uint64(7))})
	if q.Name != "quick:optimizer=sgd,learning_rate=0.01,n_test=50,data_seed=7" || q.Tuning.Rate != .01 || q.NTest != 50 || q.DataSeed != 7 {
		t.Errorf("%+v", q)
	}
	if p.Tuning.Rate != 0 {
		t.Error("the protocol itself changed")
	}
}
