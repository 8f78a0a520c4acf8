package experiment

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// planSchema is the version of plan.json's form.
const planSchema = 2

// planRecord is plan.json.
type planRecord struct {
	Schema int       `json:"schema"`
	Specs  []Spec    `json:"specs"`
	Runs   []planned `json:"runs"`
}

func writePlan(dir string, specs []Spec, runs []planned) error {
	data, err := json.MarshalIndent(planRecord{planSchema, specs, runs}, "", "  ")
	if err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	return store.WriteFile(filepath.Join(dir, planFile), append(data, '\n'))
}

func readPlan(dir string) (planRecord, error) {
	var record planRecord
	path := filepath.Join(dir, planFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return record, fmt.Errorf("%s holds no experiment: there is no %s", dir, planFile)
	}
	if err != nil {
		return record, err
	}
	if err := json.Unmarshal(data, &record); err != nil {
		return record, fmt.Errorf("%s: %w", path, err)
	}
	if record.Schema != planSchema {
		return record, fmt.Errorf("%s: schema %d instead of %d: ask for the experiment again with iimm experiment run", path, record.Schema, planSchema)
	}
	return record, nil
}

// Status is how far an experiment's folder is.
type Status struct {
	Schema int `json:"schema"`
	// Running: a process is doing runs there now.
	Running   bool            `json:"running"`
	Processes []store.Process `json:"processes"`
	// Model, Protocol and Backend name all of the plan's, joined by ", ".
	Model    string `json:"model"`
	Protocol string `json:"protocol"`
	Backend  string `json:"backend"`
	// Planned, Done, Failed and Missing count the runs that were last asked for.
	Planned int `json:"planned"`
	Done    int `json:"done"` // without error
	Failed  int `json:"failed"`
	Missing int `json:"missing"` // those whose files are damaged included
	// Ledger counts all runs in the folder, earlier plans' included.
	Ledger   int          `json:"ledger"`
	Methods  []MethodDone `json:"methods"`
	Failures []Run        `json:"failures"`
	Damaged  []string     `json:"damaged"`
	// Estimate is how long the missing runs take, to judge by the ledger's.
	Estimate Estimate `json:"estimate"`
}

// MethodDone is how far one method is.
type MethodDone struct {
	Method  string `json:"method"`
	Planned int    `json:"planned"`
	Done    int    `json:"done"`
	Failed  int    `json:"failed"`
}

// StatusOf returns how far the experiment in dir is.
func StatusOf(dir string) (Status, error) {
	s := Status{Schema: Schema, Processes: []store.Process{}, Methods: []MethodDone{}, Failures: []Run{}, Damaged: []string{}}
	record, err := readPlan(dir)
	if err != nil {
		return s, err
	}
	book, err := openLedger(dir)
	if err != nil {
		return s, err
	}
	for _, id := range slices.Sorted(maps.Keys(book.damaged)) {
		s.Damaged = append(s.Damaged, book.damaged[id].Error())
	}
	s.Model = joined(record.Runs, func(r planned) string { return r.Model })
	s.Protocol = joined(record.Runs, func(r planned) string { return r.Protocol })
	s.Backend = joined(record.Runs, func(r planned) string { return r.Backend })
	s.Planned, s.Ledger = len(record.Runs), len(inOrder(book.runs))
	var missing []planned
	at := map[string]int{}
	for _, p := range record.Runs {
		k, ok := at[p.MethodName]
		if !ok {
			k = len(s.Methods)
			at[p.MethodName] = k
			s.Methods = append(s.Methods, MethodDone{Method: p.MethodName})
		}
		m := &s.Methods[k]
		m.Planned++
		r, ok := book.runs[p.RunID]
		_, damaged := book.damaged[p.RunID]
		switch {
		case !ok || damaged:
			missing = append(missing, p)
		case r.Error != "":
			s.Failed++
			m.Failed++
			s.Failures = append(s.Failures, r)
		default:
			s.Done++
			m.Done++
		}
	}
	s.Missing = len(missing)
	live, err := store.LiveProcesses(filepath.Join(dir, leasesFolder))
	if err != nil {
		return s, err
	}
	s.Processes = append(s.Processes, live...)
	s.Running = len(live) > 0
	s.Estimate = costsOf(book.runs).estimate(missing, len(live))
	return s, nil
}
