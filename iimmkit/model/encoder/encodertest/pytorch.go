package encodertest

import (
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// PyTorch reports the speed that a script prints in its last line, measured in
// the environment in which PyTorch is used, without settings of ours. IIMM_PYTHON
// says which Python has torch and open_clip; without them the benchmark is skipped.
func PyTorch(b *testing.B, unit, script string, args ...string) {
	python := os.Getenv("IIMM_PYTHON")
	if python == "" {
		python = "python3"
	}
	for b.Loop() {
		cmd := exec.Command(python, append([]string{script}, args...)...)
		cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GLIBC_TUNABLES=") })
		out, err := cmd.CombinedOutput()
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		last := lines[len(lines)-1]
		if err != nil {
			b.Skipf("%s cannot run torch and open_clip (IIMM_PYTHON says which Python): %v: %s", python, err, last)
		}
		speed, err := strconv.ParseFloat(last, 64)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(speed, unit)
	}
}
