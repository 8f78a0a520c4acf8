package experiment

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// LedgerFile is the name of the ledger in an experiment's folder.
const LedgerFile = "ledger.jsonl"

// ReadLedger reads the runs of a ledger, given its file or its folder, failed
// runs included. In a folder, finished runs that an interrupted experiment had
// not yet brought into the ledger are read as well. The runs come in the
// ledger's order: by model, task, method, seed, run id.
func ReadLedger(path string) ([]Run, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	if info.IsDir() {
		runs, err := readFolder(path)
		if err == nil && len(runs) == 0 {
			err = fmt.Errorf("ledger: %s holds no runs (no %s, no %s/*.json)", path, LedgerFile, runsFolder)
		}
		return inOrder(runs), err
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

// readFolder returns, by id, the union of the ledger and the files of single
// runs, which are the newer where both have a run.
func readFolder(dir string) (map[string]Run, error) {
	byID := map[string]Run{}
	f, err := os.Open(filepath.Join(dir, LedgerFile))
	switch {
	case err == nil:
		runs, err := ParseLedger(f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("ledger %s: %w", f.Name(), err)
		}
		for _, r := range runs {
			byID[r.RunID] = r
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("ledger: %w", err)
	}
	entries, err := os.ReadDir(filepath.Join(dir, runsFolder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".json") || strings.HasPrefix(e.Name(), ".") {
			continue // a file being written when its writer was killed
		}
		path := filepath.Join(dir, runsFolder, e.Name())
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("ledger: %w", err)
		}
		run, err := parseRun(data)
		if err == nil && run.RunID+".json" != e.Name() {
			err = fmt.Errorf("it holds run %s", run.RunID)
		}
		if err != nil {
			return nil, fmt.Errorf("ledger: %s: %w (remove the file to have the run done again)", path, err)
		}
		byID[run.RunID] = run
	}
	return byID, nil
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
		case a.Seed != b.Seed:
			return a.Seed < b.Seed
		}
		return a.RunID < b.RunID
	})
}
