package experiment

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"sort"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/model/finetune"
)

// edition counts the changes to how numbers come about, each of which makes older
// runs runs of another kind.
const edition = 2

// content hashes what the JSON of v says: 16 hexadecimal digits of a SHA-256.
func content(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("experiment: %T cannot be hashed: %v", v, err)) // a programming error: all fields are plain
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// taskIdentity is what determines the images and captions of a task.
type taskIdentity struct {
	Name, Hash    string
	NTrain, NTest int
}

func identify(t *datasets.Task) taskIdentity {
	return taskIdentity{t.Name, t.Hash, t.Train.Len(), t.Test.Len()}
}

// planned is a run that a spec asks for.
type planned struct {
	Method finetune.Method `json:"-"`
	Task   int             `json:"-"` // index of the tuned task
	// OffTarget are the indices of the tasks on which forgetting is measured.
	OffTarget []int `json:"-"`

	RunID      string `json:"run_id"`
	Model      string `json:"model"`
	Backend    string `json:"backend"`
	Protocol   string `json:"protocol"`
	MethodName string `json:"method"`
	TaskName   string `json:"task"`
	Seed       int    `json:"seed"`
	// Steps is the number of steps of tuning, 0 where the method has none.
	Steps float64 `json:"steps,omitempty"`

	protocol Protocol
	settings map[string]any
	hashes   map[string]string
}

// tested lists the tasks on which the tuned model is tested, in ascending order.
func (p planned) tested() []int {
	list := append(slices.Clone(p.OffTarget), p.Task)
	slices.Sort(list)
	return list
}

// asJSON returns v as it is read from its JSON.
func asJSON(v any) (out map[string]any, err error) {
	data, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(data, &out)
	}
	return out, err
}

// plan lists the runs of a spec, task by task, with their identities: hashes of
// all that determines a run. Tasks that are only retained have no runs.
// Forgetting is measured on all of tasks where the spec does not say on which.
func plan(spec Spec, p Protocol, modelHash, backend string, tasks []*datasets.Task, tuned []int) ([]planned, error) {
	var runs []planned
	for _, k := range tuned {
		task := identify(tasks[k])
		var others []taskIdentity
		var offTarget []int
		for j, t := range tasks {
			if j != k && (len(spec.Retain) == 0 || slices.Contains(spec.Retain, t.Name)) {
				offTarget = append(offTarget, j)
				others = append(others, identify(t))
			}
		}
		sort.Slice(others, func(i, j int) bool { return others[i].Name < others[j].Name })
		for _, name := range spec.Methods {
			m, err := finetune.Describe(name)
			if err != nil {
				return nil, err
			}
			settings, err := asJSON(m.Settings(p.Tuning))
			if err != nil {
				return nil, fmt.Errorf("method %s: settings: %w", name, err)
			}
			hashes := map[string]string{
				"model":  modelHash,
				"task":   content(task),
				"config": content([]any{edition, name, m.Settings(p.Tuning), p.Folds, p.FoldSeed}),
			}
			if m.Forgets {
				hashes["off_target"] = content(others)
			}
			for _, seed := range spec.Seeds {
				runs = append(runs, planned{
					Method: m, Task: k, OffTarget: offTarget, MethodName: name, TaskName: task.Name, Seed: seed,
					Model: spec.Model, Backend: backend, Protocol: p.Name, Steps: steps(settings), protocol: p, settings: settings, hashes: hashes,
					RunID: content([]any{hashes, p.Name, seed, backend}),
				})
			}
		}
	}
	return runs, nil
}
