package encoder

import (
	"errors"
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
	"github.com/iimmkit/iimm/iimmkit/model/encoder/transformer"
)

// backends opens Go and, where a plugin is there, XLA.
func backends(t *testing.T) map[string]compute.Backend {
	t.Helper()
	list := map[string]compute.Backend{}
	for _, name := range []string{backend.Go, backend.XLACPU} {
		b, err := backend.Open(name)
		switch {
		case err == nil:
			list[name] = b
		case errors.Is(err, backend.ErrUnavailable) && !strings.Contains(os.Getenv("IIMM_REQUIRE"), "xla"):
			t.Logf("without %s: %v", name, err)
		default:
			t.Fatal(err)
		}
	}
	return list
}

// TestFixtures compares every model of the fixtures folder with what the
// reference implementation computed: features, logits and each block's hidden
// state.
func TestFixtures(t *testing.T) {
	engines := backends(t)
	for _, dir := range modelFolders(t) {
		for name, b := range engines {
			t.Run(filepath.Base(dir)+"/"+name, func(t *testing.T) { compareFixture(t, b, dir) })
		}
	}
}

// modelFolders are the folders of the fixtures' models.
func modelFolders(t *testing.T) []string {
	t.Helper()
	root := reference.Fixtures(t, "models")
	files, err := filepath.Glob(filepath.Join(root, "*", "expected.npz"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no model in %s (%v)", root, err)
	}
	for i, f := range files {
		files[i] = filepath.Dir(f)
	}
	return files
}

const tolerance = 5e-5 // of unnormalised features and hidden states

func compareFixture(t *testing.T, b compute.Backend, dir string) {
	e, err := Open(b, dir)
	if err != nil {
		t.Fatal(err)
	}
	read := func(file string) map[string]tensorfile.Tensor {
		m, err := tensorfile.ReadNPZ(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	inputs, expected := read("inputs.npz"), read("expected.npz")
	pixels, err := inputs["images"].Float32s()
	if err != nil {
		t.Fatal(err)
	}
	ids64, err := inputs["input_ids"].Int64s()
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]int32, len(ids64))
	for i, id := range ids64 {
		ids[i] = int32(id)
	}
	worst := map[string]float64{} // by kind of value
	check := func(kind, name string, got []float32, tolerance float64) {
		t.Helper()
		want, ok := expected[name]
		if !ok {
			t.Errorf("the fixture has no %s", name)
			return
		}
		w, err := want.Float32s()
		if err == nil && name == "vision.post_ln" && len(got) < len(w) { // the reference norms all tokens, then takes the first
			w = firstTokens(w, want.Shape)
		}
		if err != nil || len(w) != len(got) {
			t.Errorf("%s: %d values, want %d (%v)", name, len(got), len(w), err)
			return
		}
		var most float64
		for i := range got {
			most = math.Max(most, math.Abs(float64(got[i]-w[i]))) // NaN stays
		}
		if !(most <= tolerance) {
			t.Errorf("%s differs by %.2g", name, most)
		}
		worst[kind] = math.Max(worst[kind], most)
	}
	images, err := e.ImageFeatures(pixels)
	if err != nil {
		t.Fatal(err)
	}
	texts, err := e.TextFeatures(ids)
	if err != nil {
		t.Fatal(err)
	}
	check("features", "image_features", images, tolerance)
	check("features", "text_features", texts, tolerance)

	d := e.Config().EmbedDim
	images, texts = slices.Clone(images), slices.Clone(texts)
	if err := errors.Join(Normalize(images, d), Normalize(texts, d)); err != nil {
		t.Fatal(err)
	}
	check("embeddings", "image_features_norm", images, 5e-6)
	check("embeddings", "text_features_norm", texts, 5e-6)
	scale, err := e.LogitScale()
	if err != nil {
		t.Fatal(err)
	}
	bias, err := e.LogitBias()
	if err != nil {
		t.Fatal(err)
	}
	var logits []float32
	for i := 0; i < len(images); i += d {
		for j := 0; j < len(texts); j += d {
			var dot float64
			for k := range d {
				dot += float64(images[i+k]) * float64(texts[j+k])
			}
			logits = append(logits, float32(scale*dot+bias))
		}
	}
	check("logits", "logits_per_image", logits, 5e-5)

	hidden, err := hiddenStates(e, pixels, ids)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range hidden {
		check("hidden states", name, values, tolerance)
	}
	for name := range expected {
		if _, ok := hidden[name]; !ok && (strings.HasPrefix(name, "vision.") || strings.HasPrefix(name, "text.")) {
			t.Errorf("hidden state %s was not compared", name)
		}
	}
	t.Logf("family %s, greatest differences: features %.1e, embeddings %.1e, logits %.1e, %d hidden states %.1e",
		e.Config().Family, worst["features"], worst["embeddings"], worst["logits"], len(hidden), worst["hidden states"])
}

// firstTokens returns x[:, 0] of x [batch, tokens, width].
func firstTokens(x []float32, shape []int) []float32 {
	var out []float32
	for i := range shape[0] {
		out = append(out, x[i*shape[1]*shape[2]:][:shape[2]]...)
	}
	return out
}

// hiddenStates runs both towers once on a batch of the inputs' own size and
// returns what they pass to their taps.
func hiddenStates(e *Encoder, pixels []float32, ids []int32) (map[string][]float32, error) {
	size, context := e.Config().ImageSize, e.Config().ContextLength
	var names []string
	exec, err := model.NewExec(e.Backend(), e.Store(), func(_ *model.Scope, in []*graph.Node) []*graph.Node {
		names = nil
		var nodes []*graph.Node
		tapped := transformer.NewWeights(e.Store()).Tapped(func(name string, x *graph.Node) { names, nodes = append(names, name), append(nodes, x) })
		net := e.Over(tapped).Network()
		// The features are outputs too: the Go backend (compute v0.1.0) fails on
		// a graph whose last nodes no output needs.
		images := net.ImageFeatures(in[0].Graph(), in[0])
		texts := net.TextFeatures(in[0].Graph(), in[1])
		return append(nodes, images, texts)
	})
	if err != nil {
		return nil, err
	}
	out, err := exec.Call(tensors.FromFlatDataAndDimensions(pixels, len(pixels)/(3*size*size), 3, size, size),
		tensors.FromFlatDataAndDimensions(ids, len(ids)/context, context))
	if err != nil {
		return nil, err
	}
	states := map[string][]float32{}
	for i, x := range out[:len(names)] {
		if states[names[i]], err = tensors.CopyFlatData[float32](x); err != nil {
			return nil, err
		}
	}
	return states, nil
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	b, err := backend.Open(backend.Go)
	if err != nil {
		t.Fatal(err)
	}
	write := func(files map[string]string) string {
		dir := t.TempDir()
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	for _, c := range []struct{ name, dir, want string }{
		{"no such model", "nonesuch", "no model"},
		{"empty folder", write(nil), "no configuration"},
		{"broken JSON", write(map[string]string{"config.json": "{"}), "config.json"},
		{"other family", write(map[string]string{"config.json": `{"model_type":"bert"}`}), "bert"},
		{"no weights", write(map[string]string{"config.json": `{"model_type":"clip"}`, "preprocessor_config.json": `{"size":224}`}), "no weights"},
		{"negative size", write(map[string]string{"config.json": `{"vision_config":{"hidden_size":-1}}`}), "vision width"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Open(b, c.dir)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v does not contain %q", err, c.want)
			}
		})
	}
}

func TestNormalizeRefusesZeroRows(t *testing.T) {
	if err := Normalize([]float32{3, 4, 0, 0}, 2); err == nil {
		t.Error("a zero row was normalised")
	}
	x := []float32{3, 4}
	if err := Normalize(x, 2); err != nil || x[0] != .6 || x[1] != .8 {
		t.Errorf("%v %v", x, err)
	}
}
