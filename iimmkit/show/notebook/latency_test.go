package notebook

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/iimmkit/iimm/iimmkit/bench"
	"github.com/iimmkit/iimm/kernels"
)

// The cells whose latency is measured: from the request until the kernel has
// answered and is idle again, as somebody waits for it in a notebook. Each has
// a number in it, for a cell that was built already is not linked again.
var latencyCells = []struct{ name, source string }{
	{"trivial", "%%%%\nfmt.Println(%d)"},
	{"nb", `import "github.com/iimmkit/iimm/iimmkit/show/nb"

%%%%
nb.Table([]string{"n"}, [][]any{{%d}})`},
	{"gomlx", `import (
	"context"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/core/similarity"
	"github.com/iimmkit/iimm/iimmkit/show/nb"
)

%%%%
images, texts := []float32{1, 0, 0, 1, .6, .8}, []float32{1, 0, 0, 1}
tensors := nb.Must(similarity.New(nb.Must(backend.Open("go")), images, []int{0, 1, 1}, texts, 2))
fmt.Println(%d, nb.Must(tensors.IIMM(context.Background())).IIMM)`},
	{"micro", `import (
	"context"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/show/nb"
)

%%%%
task := nb.Must(datasets.Load("world/shape", datasets.LoadOptions{NTrain: 8, NTest: 1}))
set := nb.Must(nb.Must(iimmkit.Open("micro")).Embed(context.Background(), task, "train", progress.Discard))
fmt.Println(%d, set.Images.Rows)`},
}

// stock is the kernelspec as GoNB installs it, but for finding the library in
// this repository.
func stock(ours kernels.Spec) kernels.Spec {
	return kernels.Spec{
		Name:          "gonb",
		Argv:          []string{filepath.Join(ours.Env["IIMM_TOOLS"], "gonb"), "--kernel", "{connection_file}", "-go_work=" + ours.Env["IIMM_INSTALLED_MODULE"]},
		InterruptMode: "message",
		// Whoever runs the benchmark may have set ours.
		Env: map[string]string{"GOFLAGS": "", "GOEXPERIMENT": "", "CGO_ENABLED": "", "GOTOOLCHAIN": "", "GODEBUG": "",
			"PATH": ours.Env["IIMM_TOOLS"] + string(filepath.ListSeparator) + os.Getenv("PATH")},
	}
}

// running starts a kernel to which cells can be given.
func running(b *testing.B, spec kernels.Spec) *executor {
	b.Helper()
	dir, err := os.Getwd()
	if err != nil {
		b.Fatal(err)
	}
	client, err := startKernel(context.Background(), spec, dir, []string{"IIMM_RAW_ERROR=true"}, time.Minute)
	if err != nil {
		b.Fatal(err)
	}
	return &executor{client: client, collector: newCollector(), timeout: 5 * time.Minute}
}

// cell executes the n-th form of a cell.
func (x *executor) cell(b *testing.B, source string, n int) {
	b.Helper()
	c := &Cell{Type: "code", Source: fmt.Sprintf(source, n)}
	if fail := x.run(context.Background(), c); fail != nil {
		b.Fatal(fail.Message)
	}
}

// ticks is the processor time of a process and the children it has waited for:
// unlike the latency it says little of what else the machine does. It is 0 where
// /proc does not tell.
func ticks(pid int) time.Duration {
	data, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, after, _ := strings.Cut(string(data), ") ")
	f := strings.Fields(after)
	if len(f) < 15 {
		return 0
	}
	var sum time.Duration
	for _, s := range f[11:15] { // utime, stime, cutime, cstime in hundredths of a second
		n, _ := strconv.Atoi(s)
		sum += time.Duration(n) * 10 * time.Millisecond
	}
	return sum
}

func load() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(data))[:3], " ")
}

// BenchmarkCell measures the latency of cells on our kernel and on stock GoNB,
// one after the other:
//
//	go test ./iimmkit/show/notebook -run '^$' -bench Cell -benchtime 1x
func BenchmarkCell(b *testing.B) {
	ours := gonb(b)
	for _, c := range latencyCells {
		for _, k := range []struct {
			name string
			spec kernels.Spec
		}{{"iimm", ours}, {"stock", stock(ours)}} {
			b.Run(c.name+"/"+k.name, func(b *testing.B) {
				x := running(b, k.spec)
				defer x.client.shutdown()
				n := 0
				x.cell(b, c.source, n) // compiles what is not in the build cache
				for b.Loop() {
					before, from := ticks(x.cmd.Process.Pid), n
					least := time.Duration(math.MaxInt64)
					times := bench.Time(func() {
						n++
						begin := time.Now()
						x.cell(b, c.source, n)
						least = min(least, time.Since(begin))
					}, 2*time.Second)
					b.ReportMetric(times.Median.Seconds(), "median-s")
					b.ReportMetric(least.Seconds(), "least-s")
					b.ReportMetric((ticks(x.cmd.Process.Pid)-before).Seconds()/float64(n-from), "cpu-s")
				}
				b.ReportMetric(0, "ns/op")
				b.Logf("%d cells; %d processors, load %s", n, runtime.NumCPU(), load())
			})
		}
	}
}

// BenchmarkFirstCell measures from the start of a kernel to the end of its first
// cell, on our kernel and on stock GoNB in turn.
func BenchmarkFirstCell(b *testing.B) {
	ours := gonb(b)
	specs := map[string]kernels.Spec{"iimm": ours, "stock": stock(ours)}
	n := 0
	first := func(spec kernels.Spec) time.Duration {
		n++
		begin := time.Now()
		x := running(b, spec)
		defer x.client.shutdown()
		x.cell(b, latencyCells[2].source, n)
		return time.Since(begin)
	}
	for name, spec := range specs {
		b.Logf("%s, what it compiles included: %.1f s", name, first(spec).Seconds())
	}
	const rounds = 3
	for b.Loop() {
		for name, spec := range specs {
			var took []time.Duration
			for range rounds {
				took = append(took, first(spec))
			}
			slices.Sort(took)
			b.ReportMetric(took[rounds/2].Seconds(), name+"-median-s")
			b.ReportMetric(took[0].Seconds(), name+"-least-s")
		}
	}
	b.ReportMetric(0, "ns/op")
	b.Logf("%d rounds; %d processors, load %s", rounds, runtime.NumCPU(), load())
}
