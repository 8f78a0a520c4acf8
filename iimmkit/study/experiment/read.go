package experiment

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sort"
)

// LedgerFile is the name of the ledger in an experiment's folder.
const LedgerFile = "ledger.jsonl"

// ReadLedger reads the runs of a ledger, given its file or its folder, failed
// runs included. In a folder, finished runs that an interrupted experiment had
// not yet brought into the ledger are read as well. The runs come in the
// ledger's order: by model, task, method, protocol, seed, run id.
func ReadLedger(path string) ([]Run, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	if info.IsDir() {
		l, err := openLedger(path)
		if err != nil {
			return nil, err
		}
		for _, id := range slices.Sorted(maps.Keys(l.damaged)) {
			return nil, fmt.Errorf("ledger: %w (iimm experiment resume does the run again; or remove the file)", l.damaged[id])
		}
		if len(l.runs) == 0 {
			return nil, fmt.Errorf("ledger: %s holds no runs (no %s, no %s/*.json)", path, LedgerFile, runsFolder)
		}
		return inOrder(l.runs), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	defer f.Close()
	runs, err := ParseLedger(f)
	if err != nil {
		return nil, fmt.Errorf("ledger %s: %w", path, err)
	}
	sortRuns(runs)
	return runs, nil
}

// ParseLedger reads runs from JSON lines. A run may appear once only; blank
// lines do not count. Errors name the line.
func ParseLedger(r io.Reader) ([]Run, error) {
	var runs []Run
	seen := map[string]int{}
	in := bufio.NewReader(r)
	for line := 1; ; line++ {
		data, err := in.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return nil, err
		}
		if len(bytes.TrimSpace(data)) > 0 {
			run, perr := parseRun(data)
			if perr != nil {
				return nil, fmt.Errorf("line %d: %w", line, perr)
			}
			if first, ok := seen[run.RunID]; ok {
				return nil, fmt.Errorf("line %d: run %s is already on line %d", line, run.RunID, first)
			}
			seen[run.RunID] = line
			runs = append(runs, run)
		}
		if err == io.EOF {
			return runs, nil
		}
	}
}

func parseRun(data []byte) (Run, error) {
	var run Run
	if err := json.Unmarshal(data, &run); err != nil {
		return run, fmt.Errorf("not a run: %w", err)
	}
	switch {
	case run.Schema != Schema:
		return run, fmt.Errorf("not a run of schema %d: it says schema %d", Schema, run.Schema)
	case run.RunID == "" || run.Task == "" || run.Method == "":
		return run, errors.New("not a run: run_id, task or method is missing")
	}
	return run, nil
}

func sortRuns(runs []Run) {
	sort.Slice(runs, func(i, j int) bool {
		a, b := runs[i], runs[j]
		switch {
		case a.Model != b.Model:
			return a.Model < b.Model
		case a.Task != b.Task:
			return a.Task < b.Task
		case a.Method != b.Method:
			return a.Method < b.Method
		case a.Protocol != b.Protocol:
			return a.Protocol < b.Protocol
		case a.Seed != b.Seed:
			return a.Seed < b.Seed
		}
		return a.RunID < b.RunID
	})
}
