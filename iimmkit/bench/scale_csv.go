package bench

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strconv"

	"github.com/iimmkit/iimm/iimmkit/file/store"
)

var scaleHeader = []string{
	"date", "machine", "processors", "load", "program", "state", "from", "n", "d", "classes", "files", "bytes", "seconds", "cpu_seconds", "peak_bytes", "difference",
}

func (r ScaleRun) record() []string {
	float := func(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }
	optional := func(v *float64) string {
		if v == nil {
			return ""
		}
		return float(*v)
	}
	peak := ""
	if r.PeakBytes != nil {
		peak = strconv.FormatInt(*r.PeakBytes, 10)
	}
	return []string{
		r.Date, r.Machine, strconv.Itoa(r.Processors), optional(r.Load), r.Program, r.State, r.From, strconv.Itoa(r.N), strconv.Itoa(r.D), strconv.Itoa(r.Classes),
		strconv.Itoa(r.Files), strconv.FormatInt(r.Bytes, 10), float(r.Seconds), float(r.CPUSeconds), peak, optional(r.Difference),
	}
}

// AddToCSV adds a line to a file, which is made, with a header, when it is absent.
// Another file than one of such lines is refused and stays as it is.
func (r ScaleRun) AddToCSV(path string) error {
	old, err := store.ReadIfThere(path)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Write(scaleHeader)
	w.Flush()
	switch {
	case len(old) == 0:
	case bytes.HasPrefix(old, b.Bytes()) && old[len(old)-1] == '\n':
		b.Reset()
		b.Write(old)
	default:
		return fmt.Errorf("%s is not a file of these measurements: its first line differs", path)
	}
	w.Write(r.record())
	w.Flush()
	if err := w.Error(); err != nil {
		return err
	}
	return store.WriteFile(path, b.Bytes())
}
