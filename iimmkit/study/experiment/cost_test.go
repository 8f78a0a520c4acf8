package experiment

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

func TestEstimateIsTheSumOfWhatRunsTook(t *testing.T) {
	runs := map[string]Run{}
	for id, seconds := range map[string]float64{"a": 10, "b": 12, "c": 500} { // one was slow: the median is 12
		runs[id] = Run{RunID: id, Model: "m", Method: "full", Protocol: "quick", Backend: "go", Seconds: seconds}
	}
	runs["d"] = Run{RunID: "d", Model: "m", Method: "probe", Protocol: "quick", Backend: "go", Seconds: 1}
	runs["e"] = Run{RunID: "e", Model: "m", Method: "lora", Protocol: "quick", Backend: "go", Seconds: 1, Error: "step 1: NaN"}
	c := costsOf(runs)
	full := planned{Model: "m", MethodName: "full", Protocol: "quick", Backend: "go"}
	probe, lora, xla := full, full, full
	probe.MethodName, lora.MethodName, xla.Backend = "probe", "lora", "xla:cpu"
	for _, x := range []struct {
		missing   []planned
		processes int
		seconds   float64 // NaN: nil
		unknown   int
		text      string
	}{
		{[]planned{full, full, probe}, 1, 25, 0, "about 25 s"},
		{[]planned{full, full, probe}, 5, 5, 0, "about 5.0 s, shared by 5 processes"},
		{[]planned{full, lora, xla}, 1, 12, 2, "about 12 s for 1 runs, unknown for 2"},
		{[]planned{lora, xla}, 1, math.NaN(), 2, "unknown for 2 runs"},
		{nil, 1, math.NaN(), 0, "nothing is missing"},
	} {
		e := c.estimate(x.missing, x.processes)
		if e.Missing != len(x.missing) || e.Unknown != x.unknown || e.String() != x.text ||
			(e.Seconds == nil) != math.IsNaN(x.seconds) || e.Seconds != nil && math.Abs(*e.Seconds-x.seconds) > 1e-9 {
			t.Errorf("%+v %q, want %+v", e, e, x)
		}
	}
	// What was calibrated gives way to runs, of which the first compiles.
	c.calibrated[lora.kind()], c.calibrated[xla.kind()] = 7, 8
	for _, want := range []float64{7, 7, 20} {
		if got, ok := c.of(lora); !ok || got != want {
			t.Errorf("%v seconds, want %v", got, want)
		}
		c.add(Run{Model: "m", Method: "lora", Protocol: "quick", Backend: "go", Seconds: 20})
	}
	// Other settings of the same method tell by their steps.
	c.add(Run{Model: "n", Method: "full", Protocol: "quick", Backend: "go", Seconds: 6, Settings: map[string]any{"steps": 60.}})
	longer := planned{Model: "n", MethodName: "full", Protocol: "standard", Backend: "go", Steps: 150}
	if got, ok := c.of(longer); !ok || got != 15 {
		t.Errorf("%v seconds of 150 steps, 60 took 6", got)
	}
	c.before[&unit{}] = 100
	if e := c.estimate([]planned{xla}, 2); *e.Seconds != 54 {
		t.Errorf("%v seconds with measurements before tuning", *e.Seconds)
	}
	if got := (Estimate{Missing: 4, Seconds: value(12000.)}).String(); got != "about 3 h 20 min" {
		t.Errorf("%q", got)
	}
}

// A plan calibrates what no run tells of, writes nothing and leaves the models as
// they were; the runs then tell.
func TestPlanSaysWhatIsMissingAndHowLongItTakes(t *testing.T) {
	if raceDetector {
		t.Skip("nothing of it is concurrent, and the race detector is slow")
	}
	from, specs := forty(t)
	e := from["tiny"].e
	start, err := e.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "new")
	planOf := func() Plan {
		t.Helper()
		w := &worker{from: from, dir: dir, report: progress.Discard}
		if err := w.plan(t.Context(), specs); err != nil {
			t.Fatal(err)
		}
		if err := w.openBook(); err != nil {
			t.Fatal(err)
		}
		p, err := w.outlook(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := planOf()
	if p.Planned != 40 || p.Missing != 40 || p.Done != 0 || p.Estimate.Unknown != 0 || p.Estimate.Seconds == nil || !(*p.Estimate.Seconds > 0) ||
		p.Model != "tiny, tiny-siglip" || p.Backend != "go" || !strings.Contains(p.Protocol, "learning_rate=0.01") {
		t.Errorf("%+v", p)
	}
	if after, err := e.Snapshot(); err != nil || !reflect.DeepEqual(start, after) {
		t.Errorf("the encoder is not as it was: %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("something was written")
	}
	few := specs[:1] // one model and learning rate: 10 runs
	if _, err := doSpecs(t.Context(), few, from, dir, progress.Discard); err != nil {
		t.Fatal(err)
	}
	if p := planOf(); p.Done != 10 || p.Missing != 30 || p.Estimate.Unknown != 0 {
		t.Errorf("%+v", p)
	}
	// Without calibration the ledger's runs tell of their kind only.
	record, err := readPlan(dir)
	if err != nil || len(record.Runs) != 10 {
		t.Fatalf("%d runs planned, %v", len(record.Runs), err)
	}
	for _, entry := range record.Runs[5:] {
		os.Remove(filepath.Join(dir, runsFolder, entry.RunID+".json"))
	}
	os.Remove(filepath.Join(dir, LedgerFile))
	s, err := StatusOf(dir)
	if err != nil || s.Missing != 5 || s.Estimate.Unknown != 0 || !(*s.Estimate.Seconds > 0) {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestEstimateIsSaidBeforeTuning(t *testing.T) {
	var said []string
	_, err := DoOn(t.Context(), tinyEncoder(t), tinyTasks(), tinySpec(), t.TempDir(), sayer{func(text string) { said = append(said, text) }})
	if err != nil || len(said) != 1 || !strings.HasPrefix(said[0], "about ") || !strings.HasSuffix(said[0], " on go, 0 of 12 runs done") {
		t.Errorf("%q, %v", said, err)
	}
}

// sayer is a progress reporter that hears what is said.
type sayer struct{ hear func(string) }

func (s sayer) Start(title string, total int) progress.Bar {
	return progress.Discard.Start(title, total)
}
func (s sayer) Say(text string) { s.hear(text) }

func TestRetriedByAnotherProcessIsNotRetriedAgain(t *testing.T) {
	dir := t.TempDir()
	failed := tableRuns()[2]
	if err := writeRun(dir, failed); err != nil {
		t.Fatal(err)
	}
	w := &worker{dir: dir, specs: []Spec{{RetryFailed: true}}, report: progress.Discard}
	if err := w.openBook(); err != nil {
		t.Fatal(err)
	}
	if !w.isMissing("c") {
		t.Error("the failed run is not to be done again")
	}
	failed.Seconds = 3
	if err := writeRun(dir, failed); err != nil {
		t.Fatal(err)
	}
	if err := w.book.refresh(); err != nil {
		t.Fatal(err)
	}
	if w.isMissing("c") {
		t.Error("the run failed again, and is to be done once more")
	}
}

func TestPeakMemoryIsThatSince(t *testing.T) {
	const size = 96 << 20
	use := func() int64 {
		peak := watchMemory()
		block := make([]byte, size)
		for i := 0; i < size; i += 4096 {
			block[i] = 1
		}
		runtime.KeepAlive(block)
		return peak()
	}
	most := use()
	if runtime.GOOS != "linux" {
		if most < 0 || runtime.GOOS == "darwin" && most < size {
			t.Errorf("peak %d", most)
		}
		return
	}
	if most < size {
		t.Errorf("peak %d, %d were in use", most, size)
	}
	debug.FreeOSMemory()
	if f, err := os.OpenFile("/proc/self/clear_refs", os.O_WRONLY, 0); err != nil {
		t.Skip("the peak cannot be set back here")
	} else {
		f.Close()
	}
	if least := watchMemory()(); least <= 0 || least > most-size/2 {
		t.Errorf("peak %d after %d were given back of %d", least, size, most)
	}
}
