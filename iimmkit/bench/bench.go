// Package bench times the kernels of this library side by side on every
// backend that is usable here, in one run, so that the numbers of one table
// were measured under the same conditions.
package bench

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/gomlx/compute"
	"github.com/janpfeifer/go-benchmarks"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// Options say what is timed.
type Options struct {
	Backends []string      // as backend.Open takes them; none: all that are usable
	N        int           // images
	Classes  int           // captions
	D        int           // width of the embeddings
	Duration time.Duration // of each measurement, at least
	Progress progress.Reporter
}

// Default is a set of the size of a small test split, embedded by a ViT-B/32.
var Default = Options{N: 4096, Classes: 100, D: 512, Duration: time.Second}

// NoBackend stands for a backend with kernels that use none.
const NoBackend = "none"

// Measurement is one kernel on one backend. Times are in seconds. The
// percentiles are go-benchmarks' estimates; below some 20 runs the 99th says
// little.
type Measurement struct {
	Kernel  string  `json:"kernel"`
	Backend string  `json:"backend"`
	Runs    int     `json:"runs"`
	Mean    float64 `json:"mean"`
	Median  float64 `json:"median"`
	P5      float64 `json:"p5"`
	P99     float64 `json:"p99"`
	// RowsPerSecond is images by median time; GFLOPS counts the
	// multiplications and additions of the products that the kernel needs.
	// Both are null where they have no meaning.
	RowsPerSecond *float64 `json:"rows_per_second"`
	GFLOPS        *float64 `json:"gflops"`
	GBPerSecond   *float64 `json:"gb_per_second"` // embeddings read, by median time
}

// Engine is a backend that took part.
type Engine struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

// Report is one run. Measurements of a kernel follow each other.
type Report struct {
	N          int    `json:"n"`
	Classes    int    `json:"classes"`
	D          int    `json:"d"`
	Go         string `json:"go"`
	Platform   string `json:"platform"`
	Processors int    `json:"processors"` // that Go uses

	Backends     []Engine         `json:"backends"`
	Unusable     []backend.Status `json:"unusable"` // why the others did not take part
	Measurements []Measurement    `json:"measurements"`
}

// Run times every kernel on every backend. It writes nothing to the standard
// output, and keeps others from writing there while it measures.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.N < 2 || o.Classes < 2 || o.D < 1 || o.Duration <= 0 {
		return nil, fmt.Errorf("bench: %d images, %d classes, width %d, %v: want at least 2, 2, 1 and some time", o.N, o.Classes, o.D, o.Duration)
	}
	if o.Progress == nil {
		o.Progress = progress.Discard
	}
	r := &Report{
		N: o.N, Classes: o.Classes, D: o.D, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Processors: runtime.GOMAXPROCS(0),
		Unusable: []backend.Status{},
	}
	names := o.Backends
	if len(names) == 0 {
		for _, s := range backend.List() {
			if s.Usable {
				names = append(names, s.Name)
			} else {
				r.Unusable = append(r.Unusable, s)
			}
		}
	}
	var engines []compute.Backend
	for _, name := range names {
		b, err := backend.Open(name)
		if err != nil {
			return nil, err
		}
		defer b.Finalize()
		engines = append(engines, b)
		r.Backends = append(r.Backends, Engine{backend.Name(b), b.Description()})
	}
	s := newSet(o)
	total := 0
	for _, k := range kernels {
		total += k.times(len(engines))
	}
	bar := o.Progress.Start("timing kernels", total)
	defer bar.Done()
	for _, k := range kernels {
		for i := range k.times(len(engines)) {
			if err := ctx.Err(); err != nil {
				return nil, context.Cause(ctx)
			}
			name, engine := NoBackend, compute.Backend(nil)
			if k.onBackend {
				name, engine = r.Backends[i].Name, engines[i]
			}
			bar.Note(k.name + " on " + name)
			m, err := k.time(ctx, s, engine, o)
			if err != nil {
				return nil, fmt.Errorf("bench: %s on %s: %w", k.name, name, err)
			}
			m.Backend = name
			r.Measurements = append(r.Measurements, m)
			bar.Add(1)
		}
	}
	return r, nil
}

// time measures one kernel on one backend.
func (k kernel) time(ctx context.Context, s *set, b compute.Backend, o Options) (Measurement, error) {
	f, done, err := k.prepare(ctx, s, b)
	if err != nil {
		return Measurement{}, err
	}
	defer done()
	// Graphs are compiled at the first call.
	if err := f(); err != nil {
		return Measurement{}, err
	}
	var runs int
	var failure error
	times := Time(func() {
		if failure == nil {
			failure = f()
		}
		if failure != nil {
			time.Sleep(time.Millisecond) // until the measurement's time is over
		}
		runs++
	}, o.Duration)
	if failure != nil {
		return Measurement{}, failure
	}
	m := Measurement{
		Kernel: k.name, Runs: runs - warmUps,
		Mean: times.Mean.Seconds(), Median: times.Median.Seconds(), P5: times.P5.Seconds(), P99: times.P99.Seconds(),
	}
	per := func(amount float64) *float64 {
		if amount == 0 || m.Median == 0 {
			return nil
		}
		v := amount / m.Median
		return &v
	}
	if !k.noRows {
		m.RowsPerSecond = per(float64(s.n))
		m.GBPerSecond = per(float64(s.n) * float64(s.d) * 4 / 1e9)
	}
	if k.flops != nil {
		m.GFLOPS = per(k.flops(s) / 1e9)
	}
	return m, nil
}

const warmUps = 1

var stdoutMu sync.Mutex

// Times are of one call of a function.
type Times struct{ Mean, Median, P5, P99 time.Duration }

// Time calls f, after one call to warm up, for some time at least and returns
// what go-benchmarks says of its calls. The package prints its table to the
// standard output and returns nothing: the times are taken from its formatting
// function, the table is dropped.
func Time(f func(), duration time.Duration) Times {
	stdoutMu.Lock()
	defer stdoutMu.Unlock()
	if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		old := os.Stdout
		os.Stdout = null
		defer func() { os.Stdout = old; null.Close() }()
	}
	var times [4]time.Duration
	n := 0
	benchmarks.New(benchmarks.NamedFunction{Func: f}).
		WithDuration(duration).WithWarmUps(warmUps).WithQuantiles(5, 99).
		WithPrettyPrintFn(func(d time.Duration) string {
			if n < len(times) {
				times[n] = d
			}
			n++
			return ""
		}).Done()
	return Times{times[0], times[1], times[2], times[3]}
}

// set is what the kernels work on: unit rows, drawn from a fixed seed.
type set struct {
	n, classes, d int
	images, texts []float32
	labels        []int
}

func newSet(o Options) *set {
	rng := rand.New(rand.NewPCG(0, 0))
	rows := func(n int) []float32 {
		x := make([]float32, n*o.D)
		for i := range n {
			row, q := x[i*o.D:(i+1)*o.D], 0.0
			for j := range row {
				v := rng.NormFloat64()
				row[j] = float32(v)
				q += v * v
			}
			for j := range row {
				row[j] /= float32(math.Sqrt(q))
			}
		}
		return x
	}
	s := &set{n: o.N, classes: o.Classes, d: o.D, images: rows(o.N), texts: rows(o.Classes), labels: make([]int, o.N)}
	for i := range s.labels {
		s.labels[i] = i % o.Classes
	}
	return s
}
