package finetune

import (
	"encoding/json"
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

// fixtureMethods says how each fixture's method is had here.
var fixtureMethods = map[string]struct {
	method string
	set    func(*Options)
}{
	"full":           {"full", func(o *Options) { o.TrainLogitScale = true }},
	"full_textfixed": {"full", func(o *Options) { o.FixedText = true }},
	"bitfit":         {"bitfit", func(*Options) {}},
}

func TestFixtureSteps(t *testing.T) {
	dir := reference.Fixtures(t, "finetune")
	report := readReport(t, dir)
	data := readNPZ(t, filepath.Join(dir, "data.npz"))
	b := openGo(t)
	tested := 0
	for _, name := range slices.Sorted(maps.Keys(report.Methods)) {
		want := report.Methods[name]
		kind, optimizer, _ := strings.Cut(name, ".")
		if kind == "probe" {
			continue // TestFixtureProbeSteps
		}
		how, ok := fixtureMethods[kind]
		if !ok {
			t.Logf("%s: this method is not there yet", name)
			continue
		}
		tested++
		t.Run(name, func(t *testing.T) {
			o := Defaults()
			o.ClipNorm, o.Captions = 0, 1
			how.set(&o)
			expected := readNPZ(t, filepath.Join(dir, name+".npz"))
			open := func(opt train.Optimizer) *towers {
				e, err := encoder.Open(b, dir)
				if err != nil {
					t.Fatal(err)
				}
				tuner, err := New(e, how.method, o)
				if err != nil {
					t.Fatal(err)
				}
				tower := tuner.(*towers)
				if tower.step, err = train.NewStep(b, e.Store(), tower.vars, train.Options{Optimizer: opt}, tower.loss); err != nil {
					t.Fatal(err)
				}
				return tower
			}

			tower := open(train.SGD{Momentum: .9})
			if got := tower.Parameters(4); len(got) != want.Trainable || Count(got) != want.NParams {
				t.Errorf("%d tensors of %d values move, want %d of %d", len(got), Count(got), want.Trainable, want.NParams)
			}
			if optimizer == "sgd" { // the only files with gradients
				stepOn(t, tower, data, 0, 0)
				for _, p := range tower.Parameters(4) {
					got := variable(t, tower.e.Store(), "/optimizer/0/"+p.Name) // the first velocity is the gradient
					closeTo(t, "gradient of "+p.Name, got, expected["grad1/"+p.Name], 4*want.GradDev)
				}
			}

			rate, opt := report.Hyper.SGD, train.Optimizer(train.SGD{Momentum: .9, WeightDecay: 1e-4})
			if optimizer == "adamw" {
				adam := train.NewAdamW(.01)
				adam.Decays = func(string, int) bool { return true }
				rate, opt = report.Hyper.AdamW, adam
			}
			tower = open(opt)
			for k, loss := range expected["losses"] {
				if got := stepOn(t, tower, data, k, rate); math.Abs(got-loss) > 1e-5 {
					t.Errorf("loss %d is %.7f, want %.7f", k, got, loss)
				}
			}
			for _, p := range tower.Parameters(4) {
				got := variable(t, tower.e.Store(), "/"+p.Name)
				want := expected["final/"+p.Name]
				if strings.HasSuffix(p.Name, "in_proj_bias") && optimizer == "adamw" {
					// The true gradient of the keys' bias is 0: Adam scales rounding up to whole steps.
					n := len(want) / 3
					got, want = cutOut(got, n, 2*n), cutOut(want, n, 2*n)
				}
				closeTo(t, "final "+p.Name, got, want, 1.1e-5)
			}
			closeTo(t, "logits after", logitsOf(t, tower, data), expected["logits_after"], 4*want.LogitsDev)
		})
	}
	if tested != 6 {
		t.Errorf("%d of the 6 runs of full, full_textfixed and bitfit are in the fixtures", tested)
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
	b := openGo(t)
	for _, optimizer := range []string{"sgd", "adamw"} {
		e, err := encoder.Open(b, dir)
		if err != nil {
			t.Fatal(err)
		}
		expected := readNPZ(t, filepath.Join(dir, "probe."+optimizer+".npz"))
		w := e.Store().VariableWithValue("/probe.weight", tensors.FromFlatDataAndDimensions(narrow(data["init/probe/probe.weight"]), 4, 16))
		bias := e.Store().VariableWithValue("/probe.bias", tensors.FromFlatDataAndDimensions(narrow(data["init/probe/probe.bias"]), 4))
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
		for k, loss := range expected["losses"] {
			d := batchOf(data, k)
			labels := make([]int32, len(d.Labels))
			for i, y := range d.Labels {
				labels[i] = int32(y)
			}
			got, err := step.Run(rate, tensors.FromFlatDataAndDimensions(d.Pixels, len(labels), 3, 24, 24), labels)
			if err != nil || math.Abs(got-loss) > 1e-5 {
				t.Errorf("%s: loss %d is %.7f (%v), want %.7f", optimizer, k, got, err, loss)
			}
		}
		for _, name := range []string{"probe.weight", "probe.bias"} {
			closeTo(t, optimizer+" final "+name, variable(t, e.Store(), "/"+name), expected["final/"+name], 1.1e-5)
		}
	}
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

func stepOn(t *testing.T, tower *towers, data map[string][]float64, k int, rate float64) float64 {
	t.Helper()
	d := batchOf(data, k)
	c, err := tower.captions(d)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]int, len(d.Labels))
	for i := range all {
		all[i] = i
	}
	loss, err := tower.move(rate, d, all, c)
	if err != nil {
		t.Fatal(err)
	}
	return loss
}

// logitsOf returns the tuned model's logits of the first batch.
func logitsOf(t *testing.T, tower *towers, data map[string][]float64) []float32 {
	t.Helper()
	d, dim := batchOf(data, 0), tower.e.Config().EmbedDim
	images, err := tower.e.ImageFeatures(d.Pixels)
	if err != nil {
		t.Fatal(err)
	}
	texts, err := tower.e.TextFeatures(d.Tokens)
	if err != nil {
		t.Fatal(err)
	}
	scale, err := tower.e.LogitScale()
	if err != nil {
		t.Fatal(err)
	}
	if err := encoder.Normalize(images, dim); err != nil {
		t.Fatal(err)
	}
	if err := encoder.Normalize(texts, dim); err != nil {
		t.Fatal(err)
	}
	var logits []float32
	for i := 0; i < len(images); i += dim {
		for j := 0; j < len(texts); j += dim {
			dot := 0.
			for k := range dim {
				dot += float64(images[i+k]) * float64(texts[j+k])
			}
			logits = append(logits, float32(scale*dot))
		}
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
