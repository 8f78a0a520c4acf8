package transferability

import (
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/core/measure/golden"
)

// values computes all scores in the order of names.
func values(t *testing.T, s *Sample, names []string) map[string]float64 {
	t.Helper()
	out := map[string]float64{}
	for _, name := range names {
		score, err := Find(name)
		if err != nil {
			t.Fatal(err)
		}
		r := score.Run(s)
		if r.Value == nil {
			t.Fatalf("%s: %s", name, r.Warning)
		}
		out[name] = *r.Value
	}
	return out
}

func allNames() []string {
	var names []string
	for _, s := range slices.Concat(Scores, Probes) {
		names = append(names, s.Name)
	}
	return names
}

func sameBits(t *testing.T, what string, got, want map[string]float64) {
	t.Helper()
	for name, v := range want {
		if math.Float64bits(got[name]) != math.Float64bits(v) {
			t.Errorf("%s: %s is %.17g, was %.17g", what, name, got[name], v)
		}
	}
}

// shuffled is in with rows in another order and classes numbered otherwise.
func shuffled(in Input, seed uint64) Input {
	rng := rand.New(rand.NewPCG(seed, 1))
	n := len(in.Labels)
	rows, class := rng.Perm(n), rng.Perm(in.Classes)
	out := in
	out.Images, out.Labels, out.Source = nil, nil, nil
	for _, i := range rows {
		out.Images = append(out.Images, in.Images[i*in.D:(i+1)*in.D]...)
		out.Labels = append(out.Labels, class[in.Labels[i]])
		out.Source = append(out.Source, in.Source[i*in.Outcomes:(i+1)*in.Outcomes]...)
	}
	byClass := func(table []float64, d int) []float64 {
		to := make([]float64, len(table))
		for c := range in.Classes {
			copy(to[class[c]*d:(class[c]+1)*d], table[c*d:])
		}
		return to
	}
	out.Texts = byClass(in.Texts, in.D)
	out.LabelEmbeddings = nil
	for _, table := range in.LabelEmbeddings {
		out.LabelEmbeddings = append(out.LabelEmbeddings, byClass(table, in.LabelDim))
	}
	return out
}

func TestScoresDoNotDependOnOrderNamesOrEachOther(t *testing.T) {
	for _, g := range []golden.Set{golden.Easy(), golden.Mid()} {
		in := goldenInput(g)
		names := allNames()
		want := values(t, sampleOf(t, in), names)
		for seed := range uint64(3) {
			sameBits(t, "rows and classes in another order", values(t, sampleOf(t, shuffled(in, seed)), names), want)
		}
		s := sampleOf(t, in)
		slices.Reverse(names)
		sameBits(t, "scores in reverse", values(t, s, names), want)
		sameBits(t, "a second time", values(t, s, names), want)
		processors := runtime.GOMAXPROCS(3)
		sameBits(t, "three processors", values(t, sampleOf(t, in), names), want)
		runtime.GOMAXPROCS(1)
		sameBits(t, "one processor", values(t, sampleOf(t, in), names), want)
		runtime.GOMAXPROCS(processors)
	}
}

// Twins make equal hashes, distances and ranks.
func TestRepeatedImagesDoNotMakeTheOrderMatter(t *testing.T) {
	in := goldenInput(golden.Mid())
	const d, z = golden.D, 5
	for i := range 40 {
		from, to := i*3%120, (i*7+1)%120
		copy(in.Images[to*d:(to+1)*d], in.Images[from*d:(from+1)*d])
		copy(in.Source[to*z:(to+1)*z], in.Source[from*z:(from+1)*z])
	}
	want := values(t, sampleOf(t, in), allNames())
	for seed := range uint64(3) {
		for name, v := range values(t, sampleOf(t, shuffled(in, seed)), allNames()) {
			if math.Abs(v-want[name]) > 1e-10*math.Abs(want[name]) {
				t.Errorf("%s is %.17g, was %.17g", name, v, want[name])
			}
		}
	}
}

func TestInputIsLeftAsItIs(t *testing.T) {
	for _, normalize := range []bool{false, true} {
		in, keep := goldenInput(golden.Mid()), goldenInput(golden.Mid())
		in.Normalize, keep.Normalize = normalize, normalize
		values(t, sampleOf(t, in), allNames())
		if !reflect.DeepEqual(in, keep) {
			t.Errorf("the caller's data was changed (normalize %v)", normalize)
		}
	}
}

func TestNormalizeUndoesTheLengthsOfRows(t *testing.T) {
	in := goldenInput(golden.Mid())
	in.Normalize = true
	for i := range in.Images {
		in.Images[i] *= float64(1 + i/golden.D%7)
	}
	for i := range in.Texts {
		in.Texts[i] *= 3
	}
	got := values(t, sampleOf(t, in), []string{"iimm", "logme", "gbc_spherical", "parc"})
	for name, v := range got {
		if want := goldenValues[name][1]; math.Abs(v-want) > 1e-9*math.Abs(want) {
			t.Errorf("%s is %.17g, want %.17g", name, v, want)
		}
	}
}

// Classes that have no images change nothing but what captions tell.
func TestLabelGapsChangeNothingButWhatCaptionsTell(t *testing.T) {
	in := goldenInput(golden.Mid())
	want := values(t, sampleOf(t, in), allNames())
	// Captions 0..5 become 0, 3, 6, 9, 12, 15 of 17.
	wide := in
	wide.Classes = 17
	wide.Labels = slices.Clone(in.Labels)
	for i := range wide.Labels {
		wide.Labels[i] *= 3
	}
	spread := func(table []float64, d int) []float64 {
		out := make([]float64, wide.Classes*d)
		for c := range wide.Classes {
			copy(out[c*d:(c+1)*d], table[c/3*d:])
			if c%3 > 0 {
				for j := range d {
					out[c*d+j] = math.Sin(float64(c*j)) / math.Sqrt(float64(d))
				}
			}
		}
		return out
	}
	wide.Texts = spread(in.Texts, in.D)
	wide.LabelEmbeddings = nil
	for _, table := range in.LabelEmbeddings {
		wide.LabelEmbeddings = append(wide.LabelEmbeddings, spread(table, in.LabelDim))
	}
	got := values(t, sampleOf(t, wide), allNames())
	for _, name := range []string{"iimm", "zero_shot_error", "mean_margin", "text_separability"} {
		if got[name] == want[name] {
			t.Errorf("%s does not see the further captions", name)
		}
		delete(want, name)
	}
	sameBits(t, "label gaps", got, want)
}

func TestBadInputIsOneClearLine(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Input)
		want   string
	}{
		"empty":          {func(in *Input) { in.Images, in.Labels = nil, nil }, "no images"},
		"width":          {func(in *Input) { in.D = 0 }, "width 0"},
		"ragged":         {func(in *Input) { in.Images = in.Images[1:] }, "are not 120 rows of width 80"},
		"NaN":            {func(in *Input) { in.Images[17*80+3] = math.NaN() }, "image row 17 has NaN in column 3"},
		"infinite":       {func(in *Input) { in.Texts[2*80] = math.Inf(1) }, "caption row 2 has +Inf in column 0"},
		"too large":      {func(in *Input) { in.Images[80], in.Images[81] = 1e200, 1e200 }, "image row 1 is too large"},
		"label":          {func(in *Input) { in.Labels[9] = 6 }, "image row 9 has label 6, want 0..5"},
		"negative label": {func(in *Input) { in.Labels[9] = -1 }, "image row 9 has label -1"},
		"one caption":    {func(in *Input) { in.Classes = 1 }, "at least 2 classes, have 1"},
		"one class":      {func(in *Input) { clear(in.Labels) }, "all images are of one class"},
		"equal":          {func(in *Input) { clear(in.Images) }, "all images have the same embedding"},
		"a million classes": {func(in *Input) {
			in.Classes, in.Texts, in.LabelEmbeddings, in.Source = 1e6, nil, nil, nil
			for i := range in.Labels {
				in.Labels[i] = i * 8000
			}
		}, "each of the 120 classes has one image only"},
		"texts":            {func(in *Input) { in.Texts = in.Texts[80:] }, "caption: 400 numbers are not 6 rows of width 80"},
		"source":           {func(in *Input) { in.Outcomes = 4 }, "source: 600 numbers"},
		"logits":           {func(in *Input) { in.Source[5] = -1 }, "source row 1 has -1 in column 0, which is no probability"},
		"not normal":       {func(in *Input) { in.Source[5] = 3 }, "source row 1 sums to"},
		"one outcome":      {func(in *Input) { in.Source, in.Outcomes = slices.Repeat([]float64{1}, 120), 1 }, "1 outcome"},
		"label embeddings": {func(in *Input) { in.LabelEmbeddings[1] = nil }, "label embedding 1: 0 numbers"},
		"zero row":         {func(in *Input) { in.Normalize = true; clear(in.Images[80:160]) }, "image row 1 is a zero vector"},
	} {
		in := goldenInput(golden.Mid())
		c.change(&in)
		s, err := New(in)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v %v, want %q", name, s, err, c.want)
		}
	}
}

func TestWhatIsMissingIsSaid(t *testing.T) {
	in := goldenInput(golden.Mid())
	in.Texts, in.Source, in.LabelEmbeddings = nil, nil, nil
	s := sampleOf(t, in)
	missing := 0
	for _, score := range Scores {
		r := score.Run(s)
		if lacks := score.Needs != None; lacks != (r.Value == nil) || lacks && r.Warning != "needs "+string(score.Needs) {
			t.Errorf("%s: value %v, %q", score.Name, r.Value, r.Warning)
		}
		if r.Value == nil {
			missing++
		}
		if r.Convention == "" || r.Seconds <= 0 && r.Value != nil {
			t.Errorf("%s: %+v", score.Name, r)
		}
	}
	if missing != 8 { // 4 of captions, 2 of a source, 2 of label embeddings
		t.Errorf("%d scores miss something, want 8", missing)
	}
	if _, err := Find("h-score"); err == nil || !strings.Contains(err.Error(), "h_score, ") {
		t.Errorf("unknown name: %v", err)
	}
}

func TestWhatWouldTakeDaysIsRefused(t *testing.T) {
	s := &Sample{n: 20_000_000, d: 64, classes: 10_000_000} // of no rows: it is refused before one is read
	for name, score := range map[string]func(*Sample) (Result, error){
		"gbc_diagonal": GBCDiagonal, "gbc_spherical": GBCSpherical, "knn_cv": KNN, "parc": PARC, "transrate": TransRate, "probe": Probe(0),
	} {
		if _, err := score(s); err == nil || !strings.Contains(err.Error(), "take a sample") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
