package calibrate

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/study/experiment"
	"github.com/iimmkit/iimm/iimmkit/study/forecast"
)

// Open makes a calibration of a ledger (its folder or file) or of a CSV file of
// observations, or reads one (a file that ends in .json; name, source and options then
// are its own). An empty source becomes the file's name. It returns how many failed
// runs were left out.
func Open(path, name, source string, o forecast.Options) (c *forecast.Calibration, failed int, err error) {
	if source == "" {
		source = filepath.Base(path)
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".json":
		c, err = forecast.Read(path)
		return c, 0, err
	case ".csv":
		observations, err := forecast.ReadObservations(path)
		if err != nil {
			return nil, 0, err
		}
		c, err = forecast.New(name, source, observations, nil, o)
		return c, 0, err
	}
	runs, err := experiment.ReadLedger(path)
	if err != nil {
		return nil, 0, err
	}
	c, failed, err = FromRuns(name, source, runs, o)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", path, err)
	}
	return c, failed, nil
}
