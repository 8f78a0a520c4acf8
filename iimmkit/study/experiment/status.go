package experiment

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// planRecord is plan.json.
type planRecord struct {
	Schema   int       `json:"schema"`
	Spec     Spec      `json:"spec"`
	Protocol string    `json:"protocol"`
	Backend  string    `json:"backend"`
	Runs     []planned `json:"runs"`
}

func writePlan(dir string, spec Spec, protocol, backend string, runs []planned) error {
	data, err := json.MarshalIndent(planRecord{Schema, spec, protocol, backend, runs}, "", "  ")
	if err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	return store.WriteFile(filepath.Join(dir, planFile), append(data, '\n'))
}

// Status is how far an experiment's folder is.
type Status struct {
	Schema int `json:"schema"`
	// Running: a process is doing runs there now.
	Running  bool   `json:"running"`
	Model    string `json:"model"`
	Protocol string `json:"protocol"`
	Backend  string `json:"backend"`
	// Planned, Done, Failed and Missing count the runs that were last asked for.
	Planned int `json:"planned"`
	Done    int `json:"done"` // without error
	Failed  int `json:"failed"`
	Missing int `json:"missing"`
	// Ledger counts all runs in the folder, earlier plans' included.
	Ledger   int          `json:"ledger"`
	Methods  []MethodDone `json:"methods"`
	Failures []Run        `json:"failures"`
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
	s := Status{Schema: Schema, Methods: []MethodDone{}, Failures: []Run{}}
	data, err := os.ReadFile(filepath.Join(dir, planFile))
	if errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("%s holds no experiment: there is no %s", dir, planFile)
	}
	if err != nil {
		return s, err
	}
	var record planRecord
	if err := json.Unmarshal(data, &record); err != nil {
		return s, fmt.Errorf("%s: %w", filepath.Join(dir, planFile), err)
	}
	runs, err := readFolder(dir)
	if err != nil {
		return s, err
	}
	s.Model, s.Protocol, s.Backend = record.Spec.Model, record.Protocol, record.Backend
	s.Planned, s.Ledger = len(record.Runs), len(inOrder(runs))
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
		switch r, ok := runs[p.RunID]; {
		case !ok:
			s.Missing++
		case r.Error != "":
			s.Failed++
			m.Failed++
			s.Failures = append(s.Failures, r)
		default:
			s.Done++
			m.Done++
		}
	}
	unlock, err := store.Lock(filepath.Join(dir, lockFile))
	if err == nil {
		unlock()
	}
	s.Running = errors.Is(err, store.ErrLocked)
	return s, nil
}
