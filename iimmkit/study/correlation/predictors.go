package correlation

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Compare lays predictors of any kind beside each other: each pooled over the
// groups, with P adjusted for their number. Values of the groups' tasks hold them by
// name, beside them the target and ZeroShotError, which is held fixed in the partial
// correlations; what is not known is absent. Of a group only Tasks, Model and Method
// are read, and of a task its name, Domain ("" is its own) and Values.
func Compare(groups []Group, predictors []string, target string, o Options) (*Pooled, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if len(groups) == 0 || len(predictors) == 0 {
		return nil, errors.New("correlation: nothing to compare")
	}
	p := &pooling{protocol: groups[0].Protocol}
	for _, g := range groups {
		g.Tasks = slices.Clone(g.Tasks)
		seen := map[string]bool{}
		for i, t := range g.Tasks {
			if seen[t.Task] {
				return nil, fmt.Errorf("correlation: %s %s has task %s twice", g.Model, g.Method, t.Task)
			}
			seen[t.Task] = true
			if _, ok := t.Values[ZeroShotError]; !ok {
				return nil, fmt.Errorf("correlation: %s %s: task %s has no %s", g.Model, g.Method, t.Task, ZeroShotError)
			}
			for _, name := range slices.Sorted(maps.Keys(t.Values)) {
				if v := t.Values[name]; !isFinite(v) {
					return nil, fmt.Errorf("correlation: %s %s: %s of task %s is %v: leave out what is not known", g.Model, g.Method, name, t.Task, v)
				}
			}
			if t.Domain == "" {
				g.Tasks[i].Domain = t.Task
			}
		}
		// Permutations and resamples are of tasks in the order of their names.
		slices.SortFunc(g.Tasks, func(a, b Task) int { return cmp.Compare(a.Task, b.Task) })
		p.groups = append(p.groups, &g)
	}
	p.findTasks()
	p.findSets()
	p.sets = p.sets[:1] // of all groups
	pooled := p.correlate(predictors, []string{target}, o)[0]
	return &pooled, pooled.adjust()
}
