package correlation

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/study/experiment"
)

// A Task is what the runs of one task say, averaged over their seeds.
type Task struct {
	Task   string `json:"task"`
	Group  string `json:"group"`
	Domain string `json:"domain"`
	Seeds  []int  `json:"seeds"`
	// Values holds Predictors and Targets by name; what is not defined is absent.
	Values map[string]float64 `json:"values"`
	// spread holds the variance over seeds of each value; absent with one seed.
	spread map[string]float64
}

// Names of predictors, measured before tuning, in the order of every table.
const (
	IIMM            = "iimm"
	Inter           = "inter"
	Intra           = "intra"
	Alignment       = "alignment"
	IntraText       = "intra_text"
	ModalityGap     = "modality_gap"
	ZeroShotError   = "zero_shot_error"
	ProbeCVAccuracy = "probe_cv_accuracy"
	// ProbeGain is probe_cv_accuracy minus zero-shot accuracy.
	ProbeGain = "probe_gain"
)

// Names of targets, measured after tuning.
const (
	Gain       = "gain"
	ScaledGain = "scaled_gain"
	Accuracy   = "accuracy"
	Forgetting = "forgetting"
)

// Predictors lists the names of all predictors in the order of every table.
func Predictors() []string {
	return []string{IIMM, Inter, Intra, Alignment, IntraText, ModalityGap, ZeroShotError, ProbeCVAccuracy, ProbeGain}
}

// Targets lists the names of all targets in the order of every table.
func Targets() []string { return []string{Gain, ScaledGain, Accuracy, Forgetting} }

// values of one run. Forgetting and scaled gain are absent where not defined.
func values(r experiment.Run) map[string]float64 {
	v := map[string]float64{
		IIMM: r.IIMM, Inter: r.Inter, Intra: r.Intra, Alignment: r.Alignment,
		IntraText: r.IntraText, ModalityGap: r.ModalityGap,
		ZeroShotError: 1 - r.ZeroShotAccuracy, ProbeCVAccuracy: r.ProbeCVAccuracy,
		ProbeGain: r.ProbeCVAccuracy - r.ZeroShotAccuracy,
		Gain:      r.Gain, Accuracy: r.Accuracy,
	}
	if r.ScaledGain != nil {
		v[ScaledGain] = *r.ScaledGain
	}
	if r.Forgetting != nil {
		v[Forgetting] = *r.Forgetting
	}
	return v
}

// key names the runs that are analysed together.
type key struct{ protocol, model, method string }

// group is the runs of one protocol, model and method.
type group struct {
	key
	runs []experiment.Run
}

// sortOut checks the runs, drops failed and repeated ones and groups the rest by
// protocol, model and method, in the order of those names.
func sortOut(runs []experiment.Run) (groups []group, failed, repeated int, err error) {
	byKey := map[key]*group{}
	seen := map[string]bool{}
	type place struct {
		key
		task string
		seed int
	}
	at := map[place]experiment.Run{}
	weights := map[key]string{}
	for _, r := range runs {
		if r.Error != "" {
			failed++
			continue
		}
		if err := checkRun(r); err != nil {
			return nil, 0, 0, err
		}
		if r.RunID != "" && seen[r.RunID] {
			repeated++
			continue
		}
		seen[r.RunID] = true
		k := key{r.Protocol, r.Model, r.Method}
		p := place{k, r.Task, r.Seed}
		if other, ok := at[p]; ok {
			return nil, 0, 0, fmt.Errorf("runs %q and %q are both %s %s on %s with seed %d%s: runs of different settings cannot be averaged, keep them in separate ledgers",
				other.RunID, r.RunID, r.Model, r.Method, r.Task, r.Seed, difference(other, r))
		}
		at[p] = r
		if hash, ok := weights[k]; ok && hash != r.Hashes["model"] {
			return nil, 0, 0, fmt.Errorf("run %q on %s: model %s has other weights (%.12s) than in the runs before (%.12s): keep them in separate ledgers",
				r.RunID, r.Task, r.Model, r.Hashes["model"], hash)
		}
		weights[k] = r.Hashes["model"]
		if byKey[k] == nil {
			byKey[k] = &group{key: k}
		}
		byKey[k].runs = append(byKey[k].runs, r)
	}
	for _, g := range byKey {
		groups = append(groups, *g)
	}
	slices.SortFunc(groups, func(a, b group) int {
		return cmp.Or(cmp.Compare(a.protocol, b.protocol), cmp.Compare(a.model, b.model), cmp.Compare(a.method, b.method))
	})
	return groups, failed, repeated, nil
}

// difference names what tells two runs apart.
func difference(a, b experiment.Run) string {
	var parts []string
	if a.Backend != b.Backend {
		parts = append(parts, "backend")
	}
	for name, hash := range a.Hashes {
		if b.Hashes[name] != hash {
			parts = append(parts, name)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	sort.Strings(parts)
	return " (they differ in " + strings.Join(parts, ", ") + ")"
}

func checkRun(r experiment.Run) error {
	name := fmt.Sprintf("run %q (%s %s on %s, seed %d)", r.RunID, r.Model, r.Method, r.Task, r.Seed)
	if r.Task == "" || r.Model == "" || r.Method == "" {
		return fmt.Errorf("%s: model, method and task must be named", name)
	}
	v := values(r)
	for _, key := range append(Predictors(), Targets()...) {
		if x, ok := v[key]; ok && !isFinite(x) {
			return fmt.Errorf("%s: %s is %v: must be finite", name, key, x)
		}
	}
	for _, a := range []struct {
		name  string
		value float64
	}{{"zero_shot_accuracy", r.ZeroShotAccuracy}, {"accuracy", r.Accuracy}, {"probe_cv_accuracy", r.ProbeCVAccuracy}} {
		if a.value < 0 || a.value > 1 {
			return fmt.Errorf("%s: %s is %v: must be a fraction in [0,1]", name, a.name, a.value)
		}
	}
	return nil
}

// tasks averages the runs of each task over their seeds. Tasks come in the order
// of their names.
func (g group) tasks() []Task {
	byTask := map[string][]experiment.Run{}
	for _, r := range g.runs {
		byTask[r.Task] = append(byTask[r.Task], r)
	}
	var tasks []Task
	for name, runs := range byTask {
		slices.SortFunc(runs, func(a, b experiment.Run) int { return cmp.Compare(a.Seed, b.Seed) })
		t := Task{Task: name, Group: runs[0].Group, Domain: runs[0].Domain, Values: map[string]float64{}, spread: map[string]float64{}}
		if t.Domain == "" {
			t.Domain = name
		}
		collected := map[string][]float64{}
		for _, r := range runs {
			t.Seeds = append(t.Seeds, r.Seed)
			for key, v := range values(r) {
				collected[key] = append(collected[key], v)
			}
		}
		for key, v := range collected {
			t.Values[key] = average(v)
			if len(v) > 1 {
				t.spread[key] = variance(v)
			}
		}
		tasks = append(tasks, t)
	}
	slices.SortFunc(tasks, func(a, b Task) int { return cmp.Compare(a.Task, b.Task) })
	return tasks
}

// retainedSets counts the different sets of tasks which, each run's own task
// aside, forgetting was averaged over.
func (g group) retainedSets() int {
	all := map[string]bool{}
	for _, r := range g.runs {
		for task := range r.OffTarget {
			all[task] = true
		}
	}
	sets := map[string]bool{}
	for _, r := range g.runs {
		if r.Forgetting == nil || len(r.OffTarget) == 0 {
			continue
		}
		var missing []string
		for task := range all {
			if _, ok := r.OffTarget[task]; !ok && task != r.Task {
				missing = append(missing, task)
			}
		}
		sort.Strings(missing)
		sets[strings.Join(missing, "\n")] = true
	}
	return len(sets)
}

// average is the mean, exact when all values are equal: rounding must not break
// ties between tasks.
func average(v []float64) float64 {
	if slices.Min(v) == slices.Max(v) {
		return v[0]
	}
	return mean(v)
}

// variance has n-1 in the denominator.
func variance(v []float64) float64 {
	m, sum := mean(v), 0.0
	for _, x := range v {
		sum += (x - m) * (x - m)
	}
	return sum / float64(len(v)-1)
}
