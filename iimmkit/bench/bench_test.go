package bench

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/compute"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
)

var small = Options{N: 37, Classes: 5, D: 12, Duration: 3 * time.Millisecond}

// stdout returns what f writes to the standard output.
func stdout(t *testing.T, f func()) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	old := os.Stdout
	os.Stdout = w
	f()
	os.Stdout = old
	w.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRunTimesEveryKernelOnEveryUsableBackend(t *testing.T) {
	var r *Report
	var err error
	if text := stdout(t, func() { r, err = Run(t.Context(), small) }); text != "" {
		t.Errorf("on the standard output: %q", text)
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Backends)+len(r.Unusable) != len(backend.Names()) || len(r.Backends) == 0 || r.Backends[0].Name != backend.Go {
		t.Errorf("backends %+v, unusable %+v", r.Backends, r.Unusable)
	}
	for _, s := range r.Unusable {
		if s.Why == "" {
			t.Errorf("%s did not take part, and nobody says why", s.Name)
		}
	}
	seen := map[string]int{}
	for _, m := range r.Measurements {
		seen[m.Kernel]++
		if m.Runs < 1 || m.Median <= 0 || m.Mean <= 0 || m.P5 > m.Median || m.Median > m.P99 || m.P99 > 60 {
			t.Errorf("%+v", m)
		}
		if (m.RowsPerSecond == nil) != strings.HasPrefix(m.Kernel, "matmul") || (m.GBPerSecond == nil) != (m.RowsPerSecond == nil) {
			t.Errorf("%+v", m)
		}
		if wantsFlops := strings.HasPrefix(m.Kernel, "matmul") || strings.HasSuffix(m.Kernel, "-text") || strings.HasSuffix(m.Kernel, "-image"); (m.GFLOPS != nil) != wantsFlops {
			t.Errorf("%+v", m)
		}
	}
	for _, name := range Kernels() {
		want := len(r.Backends)
		if strings.HasPrefix(name, "measure") {
			want = 1
		}
		if seen[name] != want {
			t.Errorf("%s: %d measurements, want %d", name, seen[name], want)
		}
	}
}

func TestRunOnNamedBackendsOnly(t *testing.T) {
	o := small
	o.Backends = []string{"go"}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range r.Measurements {
		if m.Backend != backend.Go && m.Backend != NoBackend {
			t.Errorf("%+v", m)
		}
	}
	o.Backends = []string{"abacus"}
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "unknown backend") {
		t.Errorf("%v", err)
	}
}

func TestRunRefusesAndStops(t *testing.T) {
	for _, change := range []func(*Options){
		func(o *Options) { o.N = 1 }, func(o *Options) { o.Classes = 1 }, func(o *Options) { o.D = 0 }, func(o *Options) { o.Duration = 0 },
	} {
		o := small
		change(&o)
		if _, err := Run(t.Context(), o); err == nil {
			t.Errorf("%+v accepted", o)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, small); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestMeasuredTimesAreThoseOfTheFunction(t *testing.T) {
	times := Time(func() { time.Sleep(5 * time.Millisecond) }, 60*time.Millisecond)
	for i, d := range []time.Duration{times.Mean, times.Median, times.P5, times.P99} {
		if d < 5*time.Millisecond || d > 2*time.Second {
			t.Errorf("time %d of a function of 5 ms: %v", i, d)
		}
	}
}

func TestFailureOfAKernelIsReported(t *testing.T) {
	broken := errors.New("broken")
	calls := 0
	k := kernel{name: "k", prepare: func(context.Context, *set, compute.Backend) (func() error, func() error, error) {
		return func() error {
			if calls++; calls > 3 {
				return broken
			}
			return nil
		}, nothing, nil
	}}
	if _, err := k.time(t.Context(), newSet(small), nil, small); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if calls != 4 {
		t.Errorf("called %d times", calls)
	}
}
