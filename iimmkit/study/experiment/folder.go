package experiment

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// runsFolder holds one file per finished run, written the moment it is finished.
const runsFolder = "runs"

// writeRun keeps a finished run. After it returns, no crash loses the run.
func writeRun(dir string, run Run) error {
	data, err := json.MarshalIndent(run, "", "  ")
	if err != nil {
		return fmt.Errorf("run %s: %w", run.RunID, err)
	}
	return store.WriteFile(filepath.Join(dir, runsFolder, run.RunID+".json"), append(data, '\n'))
}

// compact rewrites the ledger from all runs of the folder.
func compact(dir string) error {
	runs, err := readFolder(dir)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	for _, r := range runs {
		if err := e.Encode(r); err != nil {
			return fmt.Errorf("run %s: %w", r.RunID, err)
		}
	}
	return store.WriteFile(filepath.Join(dir, LedgerFile), b.Bytes())
}
