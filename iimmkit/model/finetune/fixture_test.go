package finetune

import (
	"encoding/json"
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/file/reference"
	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	"github.com/iimmkit/iimm/iimmkit/model/train"
)

// The fixtures are three steps of a tiny CLIP computed by PyTorch in float64
// (open_clip 3.3.0, torch 2.15): losses, first gradients, final weights.

// fixtureReport is what report.json tells of each run.
type fixtureReport struct {
	Hyper struct {
		Rank  int     `json:"r"`
		Alpha float64 `json:"alpha"`
		SGD   float64 `json:"lr_sgd"`
		AdamW float64 `json:"lr_adamw"`
	} `json:"hyper"`
	Methods map[string]struct {
		Trainable int     `json:"trainable"`
		NParams   int     `json:"n_params"`
		GradDev   float64 `json:"grad_f32_dev"`   // of float32 from float64 in PyTorch
		LogitsDev float64 `json:"logits_f32_dev"` // the same
	} `json:"methods"`
}

// Tolerances: of losses, relative, and of weights.
const (
	lossTolerance   = 1e-4
	weightTolerance = 2e-5
)

// fixtureMethods says how each fixture's method is had here, and where its
// initial values are.
var fixtureMethods = map[string]struct {
	method string
	start  string
	set    func(*Options)
}{
	"full":           {"full", "", func(o *Options) { o.TrainLogitScale = true }},
	"full_textfixed": {"full", "", func(o *Options) { o.FixedText = true }},
	"bitfit":         {"bitfit", "", func(*Options) {}},
	"attention":      {"attention", "", func(*Options) {}},
	"lora":           {"lora", "init/lora/", func(*Options) {}},
	"lora_warm":      {"lora", "init/lora_warm/", func(*Options) {}},
	"adapter_image":  {"adapter", "init/adapter/", func(o *Options) { o.Adapter.ImagesOnly = true }},
	"adapter_both":   {"adapter", "init/adapter/", func(*Options) {}},
}

func TestFixtureSteps(t *testing.T) {
	dir := reference.Fixtures(t, "finetune")
	report := readReport(t, dir)
	data := readNPZ(t, filepath.Join(dir, "data.npz"))
	for backendName, b := range openAll(t) {
		for _, name := range slices.Sorted(maps.Keys(report.Methods)) {
			want := report.Methods[name]
			kind, optimizer, _ := strings.Cut(name, ".")
			if kind == "probe" {
				continue // TestFixtureProbeSteps
			}
			t.Run(backendName+"/"+name, func(t *testing.T) {
				how, ok := fixtureMethods[kind]
				if !ok {
					t.Fatalf("no method makes %s", name)
				}
				o := Options{Batch: 1, Steps: 1, Captions: 1, Schedule: "constant", DecayAll: true, Optimizer: optimizer}
				o.LoRA = LoRAOptions{Rank: report.Hyper.Rank, Alpha: report.Hyper.Alpha}
				o.Adapter = AdapterOptions{Ratio: .2, Reduction: 4}
				how.set(&o)
				expected := readNPZ(t, filepath.Join(dir, name+".npz"))
				rate := report.Hyper.SGD
				o.WeightDecay = 1e-4
				if optimizer == "adamw" {
					rate, o.WeightDecay = report.Hyper.AdamW, .01
				}
				tuner := openFixture(t, b, dir, how.method, o)
				for _, v := range tuner.vars {
					if how.start != "" {
						set(t, v, data[how.start+tuner.l.name(v)])
					}
				}
				if got := tuner.Parameters(4); len(got) != want.Trainable || Count(got) != want.NParams {
					t.Errorf("%d tensors of %d values move, want %d of %d", len(got), Count(got), want.Trainable, want.NParams)
				}
				start, err := values(tuner.vars)
				if err != nil {
					t.Fatal(err)
				}
				for k, loss := range expected["losses"] {
					if got := stepOn(t, tuner, data, k, rate); !(math.Abs(got-loss) <= lossTolerance*math.Abs(loss)) {
						t.Errorf("loss %d is %.7f, want %.7f", k, got, loss)
					}
					if k > 0 || optimizer != "sgd" { // whose files alone have gradients
						continue
					}
					for i, v := range tuner.vars {
						got := variable(t, tuner.e.Store(), "/optimizer/0"+v.Path())
						for j := range got { // the first velocity is the gradient and the decay
							got[j] -= float32(o.WeightDecay) * start[i][j]
						}
						name := tuner.l.name(v)
						closeTo(t, "gradient of "+name, got, expected["grad1/"+name], max(10*want.GradDev, 1e-5))
					}
				}
				for _, v := range tuner.vars {
					name := tuner.l.name(v)
					got, want := variable(t, tuner.e.Store(), v.Path()), expected["final/"+name]
					if strings.HasSuffix(name, "in_proj_bias") && optimizer == "adamw" {
						// The true gradient of the keys' bias is 0: Adam scales rounding up to whole steps.
						n := len(want) / 3
						got, want = cutOut(got, n, 2*n), cutOut(want, n, 2*n)
					}
					closeTo(t, "final "+name, got, want, weightTolerance)
				}
				closeTo(t, "logits after", logitsOf(t, tuner, data), expected["logits_after"], max(10*want.LogitsDev, 1e-4))
			})
		}
	}
}

func openFixture(t *testing.T, b compute.Backend, dir, method string, o Options) *descent {
	t.Helper()
	e, err := encoder.Open(b, dir)
	if err != nil {
		t.Fatal(err)
	}
	tuner, err := New(e, method, o)
	if err != nil {
		t.Fatal(err)
	}
	return tuner.(*descent)
}

func set(t *testing.T, v *model.Variable, to []float64) {
	t.Helper()
	if len(to) != v.Shape().Size() {
		t.Fatalf("%s: %d initial values of shape %v", v.Path(), len(to), v.Shape())
	}
	if err := setValues([]*model.Variable{v}, [][]float32{narrow(to)}); err != nil {
		t.Fatal(err)
	}
}

// The fixture's probe takes gradient steps from given weights; ours is fitted
// to convergence, which TestProbe… of core/evaluate checks. What the two have
// in common is checked here: features, cross-entropy and optimiser.
func TestFixtureProbeSteps(t *testing.T) {
	dir := reference.Fixtures(t, "finetune")
	t.Log("the probe of this package is fitted to convergence: only its features, loss and optimiser are compared")
	report := readReport(t, dir)
	data := readNPZ(t, filepath.Join(dir, "data.npz"))
	classes := len(data["init/probe/probe.bias"])
	dim := len(data["init/probe/probe.weight"]) / classes
	for backendName, b := range openAll(t) {
		for _, optimizer := range []string{"sgd", "adamw"} {
			t.Run(backendName+"/probe."+optimizer, func(t *testing.T) {
				e, err := encoder.Open(b, dir)
				if err != nil {
					t.Fatal(err)
				}
				expected := readNPZ(t, filepath.Join(dir, "probe."+optimizer+".npz"))
				w := e.Store().VariableWithValue("/probe.weight", tensors.FromFlatDataAndDimensions(narrow(data["init/probe/probe.weight"]), classes, dim))
				bias := e.Store().VariableWithValue("/probe.bias", tensors.FromFlatDataAndDimensions(narrow(data["init/probe/probe.bias"]), classes))
				rate, opt := report.Hyper.SGD, train.Optimizer(train.SGD{Momentum: .9, WeightDecay: 1e-4})
				if optimizer == "adamw" {
					adam := train.NewAdamW(.01)
					adam.Decays = func(string, int) bool { return true }
					rate, opt = report.Hyper.AdamW, adam
				}
				step, err := train.NewStep(b, e.Store(), []*model.Variable{w, bias}, train.Options{Optimizer: opt}, func(g *graph.Graph, in []*graph.Node) *graph.Node {
					f := e.Network().ImageFeatures(g, in[0])
					logits := graph.Add(graph.DotGeneral(f, []int{1}, nil, w.NodeValue(g), []int{1}, nil), graph.InsertAxes(bias.NodeValue(g), 0))
					return crossEntropy(logits, in[1])
				})
				if err != nil {
					t.Fatal(err)
				}
				size := e.Config().ImageSize
				for k, loss := range expected["losses"] {
					d := batchOf(data, k)
					labels := make([]int32, len(d.Labels))
					for i, y := range d.Labels {
						labels[i] = int32(y)
					}
					got, err := step.Run(rate, tensors.FromFlatDataAndDimensions(d.Pixels, len(labels), 3, size, size), labels)
					if err != nil || !(math.Abs(got-loss) <= lossTolerance*math.Abs(loss)) {
						t.Errorf("loss %d is %.7f (%v), want %.7f", k, got, err, loss)
					}
				}
				for _, name := range []string{"probe.weight", "probe.bias"} {
					closeTo(t, "final "+name, variable(t, e.Store(), "/"+name), expected["final/"+name], weightTolerance)
				}
			})
		}
	}
}

// openAll opens the Go backend and, where its plugin is there, XLA.
func openAll(t *testing.T) map[string]compute.Backend {
	t.Helper()
	list := map[string]compute.Backend{backend.Go: openGo(t)}
	b, err := backend.Open(backend.XLACPU)
	switch {
	case err == nil:
		list[backend.XLACPU] = b
	case errors.Is(err, backend.ErrUnavailable) && !strings.Contains(os.Getenv("IIMM_REQUIRE"), "xla"):
		t.Logf("without %s: %v", backend.XLACPU, err)
	default:
		t.Fatal(err)
	}
	return list
}

func openGo(t *testing.T) compute.Backend {
	t.Helper()
	b, err := backend.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Finalize)
	return b
}

func readReport(t *testing.T, dir string) fixtureReport {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r fixtureReport
	if err := json.Unmarshal(raw, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// readNPZ returns all arrays flat, widened to float64.
func readNPZ(t *testing.T, path string) map[string][]float64 {
	t.Helper()
	arrays, err := tensorfile.ReadNPZ(path)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]float64{}
	for name, a := range arrays {
		if ints, err := a.Int64s(); err == nil {
			for _, v := range ints {
				out[name] = append(out[name], float64(v))
			}
			continue
		}
		if out[name], err = a.Float64s(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// batchOf returns batch k of the fixture's three.
func batchOf(data map[string][]float64, k int) Data {
	part := func(x []float64) []float64 { return x[k*len(x)/3 : (k+1)*len(x)/3] }
	d := Data{Pixels: narrow(part(data["images"]))}
	for _, y := range part(data["labels"]) {
		d.Labels = append(d.Labels, int(y))
	}
	for _, id := range data["prompts"] {
		d.Tokens = append(d.Tokens, int32(id))
	}
	return d
}

func stepOn(t *testing.T, tuner *descent, data map[string][]float64, k int, rate float64) float64 {
	t.Helper()
	d := batchOf(data, k)
	b, err := tuner.batches(d, 0)
	if err != nil {
		t.Fatal(err)
	}
	loss, err := tuner.move(rate, b, b.training, 0, k)
	if err != nil {
		t.Fatal(err)
	}
	return loss
}

// logitsOf returns the tuned model's logits of the first batch.
func logitsOf(t *testing.T, tuner *descent, data map[string][]float64) []float32 {
	t.Helper()
	d := batchOf(data, 0)
	rows, _, err := tuner.l.images(d)
	if err != nil {
		t.Fatal(err)
	}
	scores, err := tuner.logits(rows, d.Tokens)
	if err != nil {
		t.Fatal(err)
	}
	logits := make([]float32, len(scores))
	for i, v := range scores {
		logits[i] = float32(v)
	}
	return logits
}

func variable(t *testing.T, store *model.Store, path string) []float32 {
	t.Helper()
	v := store.GetVariable(path)
	if v == nil {
		t.Fatalf("no variable %s", path)
	}
	x, err := tensors.CopyFlatData[float32](v.MustValue())
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func closeTo(t *testing.T, what string, got []float32, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) || len(got) == 0 {
		t.Errorf("%s: %d values, want %d", what, len(got), len(want))
		return
	}
	worst, at := 0., 0
	for i := range got {
		if d := math.Abs(float64(got[i]) - want[i]); !(d <= worst) {
			worst, at = d, i
		}
	}
	if !(worst <= tolerance) {
		t.Errorf("%s: value %d is %v, want %v: off by %.2g, allowed %.2g", what, at, got[at], want[at], worst, tolerance)
	}
}

func narrow(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}

func cutOut[T any](x []T, from, to int) []T {
	return append(append([]T(nil), x[:from]...), x[to:]...)
}
