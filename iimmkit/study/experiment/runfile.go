package experiment

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// runFile is runs/RUN_ID.json.
type runFile struct {
	SHA256 string          `json:"sha256"` // of run's JSON without white space
	Run    json.RawMessage `json:"run"`
}

// sealRun returns the bytes of a run's file.
func sealRun(run Run) ([]byte, error) {
	data, err := json.Marshal(run)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", run.RunID, err)
	}
	sealed, err := json.MarshalIndent(runFile{checksum(data), data}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", run.RunID, err)
	}
	return append(sealed, '\n'), nil
}

func checksum(compact []byte) string {
	sum := sha256.Sum256(compact)
	return hex.EncodeToString(sum[:])
}

// openRun reads the bytes of a run's file. The checksum, of the run and thus of
// all that was measured, is returned too.
func openRun(data []byte) (Run, string, error) {
	var f runFile
	if err := json.Unmarshal(data, &f); err != nil {
		return Run{}, "", fmt.Errorf("not a run: %w", err)
	}
	unsealed := f.SHA256 == "" && f.Run == nil // of an iimm that had no checksums
	if unsealed {
		f.Run = data
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, f.Run); err != nil {
		return Run{}, "", fmt.Errorf("not a run: %w", err)
	}
	sum := checksum(compact.Bytes())
	if sum != f.SHA256 && !unsealed {
		return Run{}, "", fmt.Errorf("checksum %.8s… instead of %.8s…", sum, f.SHA256)
	}
	run, err := parseRun(f.Run)
	return run, sum, err
}

// damage is what is wrong with a run's file.
type damage struct {
	path string
	err  error
}

func (d damage) Error() string { return fmt.Sprintf("%s is damaged: %v", d.path, d.err) }

// readRun reads the file of the run of an id: the error is of type damage when
// the file's bytes are not those that were written.
func readRun(dir, id string) (Run, string, error) {
	path := filepath.Join(dir, runsFolder, id+".json")
	data, err := os.ReadFile(path)
	if err != nil {
		return Run{}, "", fmt.Errorf("ledger: %w", err)
	}
	run, sum, err := openRun(data)
	if err == nil && run.RunID != id {
		err = fmt.Errorf("it holds run %s", run.RunID)
	}
	if err != nil {
		return Run{}, "", damage{path, err}
	}
	return run, sum, nil
}

func writeRun(dir string, run Run) error {
	data, err := sealRun(run)
	if err != nil {
		return err
	}
	return store.WriteFile(filepath.Join(dir, runsFolder, run.RunID+".json"), data)
}

// runID returns the id of the run of a file in the folder of runs, "" when it is none's.
func runID(name string) string {
	id, ok := strings.CutSuffix(name, ".json")
	if !ok || strings.HasPrefix(name, ".") {
		return "" // a file being written when its writer was killed
	}
	return id
}
