package drift

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/core/embedding"
	"github.com/iimmkit/iimm/iimmkit/core/measure/golden"
)

// drawn has n unit rows about directions of three classes, moved by shift.
func drawn(rng *rand.Rand, n, d int, shift float64) embedding.Matrix {
	x := make([]float64, 0, n*d)
	for i := range n {
		row := make([]float64, d)
		for j := range row {
			row[j] = 0.4*rng.NormFloat64() + math.Cos(float64((i%3+1)*(j+1)))
		}
		row[0] += shift
		length := norm(row)
		for j := range row {
			row[j] /= length
		}
		x = append(x, row...)
	}
	return embedding.Float64(n, d, x)
}

func drawnSet(seed uint64, n int) *embedding.Set {
	const d = 12
	texts := make([]float64, 0, 3*d)
	for c := range 3 {
		row := make([]float64, d)
		for j := range row {
			row[j] = math.Cos(float64((c + 1) * (j + 1)))
		}
		length := norm(row)
		for j := range row {
			texts = append(texts, row[j]/length)
		}
	}
	return &embedding.Set{Images: drawn(rand.New(rand.NewPCG(seed, 7)), n, d, 0), Texts: embedding.Float64(3, d, texts)}
}

func goldenSet() *embedding.Set {
	g := golden.Mid()
	return &embedding.Set{Images: embedding.Float64(golden.N, golden.D, g.Images), Texts: embedding.Float64(golden.C, golden.D, golden.Texts())}
}

func head(m embedding.Matrix, from, to int) embedding.Matrix {
	return embedding.Float64(to-from, m.Cols, m.F64[from*m.Cols:to*m.Cols])
}

func compare(t *testing.T, ref *embedding.Set, batch embedding.Matrix, opt Options) *Comparison {
	t.Helper()
	c, _, err := Compare(t.Context(), ref, batch, nil, opt)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Images 0..69 of the golden set mid against 70..119, by numpy (see
// testdata/reference.py).
func TestStatisticsEqualNumpy(t *testing.T) {
	set := goldenSet()
	batch := head(set.Images, 70, 120)
	set.Images = head(set.Images, 0, 70)
	c := compare(t, set, batch, Options{LogitScale: 10})
	for i, want := range reference {
		got := c.Tests[i]
		if got.Name != want.name || math.Abs(got.Statistic-want.statistic) > 1e-13 {
			t.Errorf("%s = %.17g, want %.17g", got.Name, got.Statistic, want.statistic)
		}
		if want.batch != 0 && (math.Abs(*got.Reference-want.reference) > 1e-13 || math.Abs(*got.Batch-want.batch) > 1e-13) {
			t.Errorf("%s: %.17g and %.17g, want %.17g and %.17g", got.Name, *got.Reference, *got.Batch, want.reference, want.batch)
		}
	}
	if math.Abs(c.Kernel.Bandwidth-referenceBandwidth) > 1e-13 {
		t.Errorf("bandwidth %.17g, want %.17g", c.Kernel.Bandwidth, referenceBandwidth)
	}
}

// With 8 images there are few divisions: the ranks among very many random ones
// must come to those among all.
func TestPValuesApproachThoseOfAllDivisions(t *testing.T) {
	ref := drawnSet(3, 5)
	batch := drawn(rand.New(rand.NewPCG(4, 4)), 3, 12, 2)
	opt, err := Options{}.withDefaults(ref)
	if err != nil {
		t.Fatal(err)
	}
	captions, err := newCaptions(ref, opt)
	if err != nil {
		t.Fatal(err)
	}
	r, err := captions.view(t.Context(), "reference", ref.Images, opt.Progress.Start("", 0))
	if err != nil {
		t.Fatal(err)
	}
	b, err := captions.view(t.Context(), "batch", batch, opt.Progress.Start("", 0))
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPool(t.Context(), r.rows(r.sample(10, 0)), b.rows(b.sample(10, 0)))
	if err != nil {
		t.Fatal(err)
	}
	var all []statistics
	for x := range int32(8) {
		for y := x + 1; y < 8; y++ {
			for z := y + 1; z < 8; z++ {
				all = append(all, p.statistics([]int32{x, y, z}, make([]float64, p.d)))
			}
		}
	}
	there := p.statistics(p.there(), make([]float64, p.d))
	// By definition, over all divisions.
	rank := func(s statistics, k int) (n int) {
		for _, o := range all {
			if o.value[k] >= s.value[k] {
				n++
			}
		}
		return n
	}
	least := func(s statistics) int {
		m := len(all)
		for k := range tests {
			m = min(m, rank(s, k))
		}
		return m
	}
	opt.Permutations, opt.Seed = 40_000, 1
	v, err := p.verdict(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	for k, test := range v.tests {
		single := float64(rank(there, k)) / float64(len(all))
		count := 0
		for _, o := range all {
			if least(o) <= rank(there, k) {
				count++
			}
		}
		adjusted := float64(count) / float64(len(all))
		// Tests of equal p among all divisions tie there, and not among random ones:
		// the adjusted p may be off by such divisions, of which there are 56.
		if math.Abs(test.P-single) > .01 || math.Abs(test.AdjustedP-adjusted) > 2./56 {
			t.Errorf("%s: p %.4f, adjusted %.4f, want %.4f and %.4f", test.Name, test.P, test.AdjustedP, single, adjusted)
		}
	}
}

// judge must be what its definition says, ties included: rank every statistic
// among all divisions, this one among them, and then the smallest ranks.
func TestRanksAreThoseOfTheDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for range 50 {
		all := make([]statistics, 40)
		for i := range all {
			for k := range all[i].value {
				all[i].value[k] = float64(rng.IntN(12)) // ties
			}
		}
		rank := func(i, k int) (n int) {
			for _, o := range all {
				if o.value[k] >= all[i].value[k] {
					n++
				}
			}
			return n
		}
		least := func(i int) int {
			m := len(all)
			for k := range tests {
				m = min(m, rank(i, k))
			}
			return m
		}
		single, adjusted := newNull(all[1:]).judge(all[0])
		for k := range tests {
			n := 0
			for i := range all {
				if least(i) <= rank(0, k) {
					n++
				}
			}
			if w := float64(rank(0, k)) / 40; single[k] != w {
				t.Fatalf("p %v, want %v", single[k], w)
			}
			if w := float64(n) / 40; adjusted[k] != w {
				t.Fatalf("adjusted p %v, want %v", adjusted[k], w)
			}
		}
	}
}

func TestHalvesOfOneSetRaiseFewFalseAlarms(t *testing.T) {
	set := drawnSet(1, 200)
	const halvings = 200
	rng := rand.New(rand.NewPCG(2, 2))
	alarms, small := 0, 0
	for k := range halvings {
		order := rng.Perm(set.Images.Rows)
		var halves [2][]float64
		for i, at := range order {
			halves[i%2] = append(halves[i%2], set.Images.F64[at*12:(at+1)*12]...)
		}
		ref := *set
		ref.Images = embedding.Float64(100, 12, halves[0])
		c := compare(t, &ref, embedding.Float64(100, 12, halves[1]), Options{Permutations: 499, Seed: uint64(k), Resamples: -1})
		if c.Alarm {
			alarms++
		}
		if c.P <= .2 {
			small++
		}
	}
	if alarms > halvings/20 {
		t.Errorf("%d alarms in %d halvings, want at most 5 %%", alarms, halvings)
	}
	// p must not be too large either: at .2 some 40 are expected, 5.7 their deviation.
	if small < 18 || small > 62 {
		t.Errorf("%d of %d p values are at most .2, want about 40", small, halvings)
	}
}

func TestShiftedBatchRaisesAlarmAndCallsForReassessment(t *testing.T) {
	set := drawnSet(1, 300)
	c := compare(t, set, drawn(rand.New(rand.NewPCG(9, 9)), 80, 12, 1.5), Options{})
	if !c.Alarm || c.P != .001 || !c.Reassess || len(c.Why) == 0 || !c.Tests[centroid].Alarm || !c.Tests[mmd].Alarm {
		t.Errorf("%+v", c)
	}
	f := c.FalseAlarms
	if f == nil || f.Resamples != 200 || f.Rate != float64(f.Alarms)/200 || f.Rate > .05 || f.Batch != 80 || f.Reference != 300 || !(f.CI95[0] <= f.Rate && f.Rate < f.CI95[1]) {
		t.Errorf("false alarms %+v", f)
	}
	c = compare(t, set, drawn(rand.New(rand.NewPCG(9, 9)), 80, 12, 0), Options{})
	if c.Alarm || c.Reassess || c.Why == nil || len(c.Why) != 0 {
		t.Errorf("%+v", c)
	}
}

// Each test alone must see the change it is there for.
func TestEveryTestSeesItsOwnChange(t *testing.T) {
	set := drawnSet(1, 400)
	for name, change := range map[string]func(row []float64){
		"intra": func(row []float64) { // farther from the mean of all
			for j := range row {
				row[j] *= 1 + .8*math.Sin(float64(j)*row[1]*30)
			}
		},
		"matched": func(row []float64) { row[3] += .5 },
		"confidence": func(row []float64) { // towards the middle of the captions
			for j := range row {
				for c := range 3 {
					row[j] += .3 * set.Texts.F64[c*12+j]
				}
			}
		},
	} {
		batch := drawn(rand.New(rand.NewPCG(10, 1)), 150, 12, 0)
		for i := range batch.Rows {
			row := batch.F64[i*12 : (i+1)*12]
			change(row)
			length := norm(row)
			for j := range row {
				row[j] /= length
			}
		}
		c := compare(t, set, batch, Options{LogitScale: 10})
		if k := slices.Index(testNames[:], name); !c.Tests[k].Alarm {
			t.Errorf("%s: %+v", name, c.Tests[k])
		}
	}
}

// A confidence that rises is no reason for an alarm by itself.
func TestConfidenceTestIsOneSided(t *testing.T) {
	set := drawnSet(1, 200)
	sure := embedding.Float64(30, 12, nil)
	for i := range 30 {
		sure.F64 = append(sure.F64, set.Texts.F64[i%3*12:(i%3+1)*12]...)
	}
	c := compare(t, set, sure, Options{LogitScale: 5})
	if got := c.Tests[confidence]; got.Alarm || got.P < .9 || got.Statistic >= 0 {
		t.Errorf("%+v", got)
	}
}

func TestResultDependsOnSeedAndRowsOnly(t *testing.T) {
	set := drawnSet(1, 150)
	batch := drawn(rand.New(rand.NewPCG(6, 6)), 60, 12, .3)
	opt := Options{MaxRows: 50}
	one, state, err := Compare(t.Context(), set, batch, nil, opt)
	if err != nil {
		t.Fatal(err)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	two, again, err := Compare(t.Context(), set, batch, nil, opt)
	if err != nil {
		t.Fatal(err)
	}
	if one.P != two.P || one.Measure != two.Measure || !slices.Equal(state, again) || one.Tests[mmd].Statistic != two.Tests[mmd].Statistic {
		t.Errorf("%+v\n%+v", one, two)
	}
	if one.Reference != (Sample{150, 50}) || one.Batch != (Sample{60, 50}) {
		t.Errorf("%+v %+v", one.Reference, one.Batch)
	}
	opt.Seed = 1
	if three := compare(t, set, batch, opt); three.Tests[centroid].Statistic == one.Tests[centroid].Statistic {
		t.Error("another seed draws the same rows")
	}
}

func TestSinglePrecisionAndNormalisation(t *testing.T) {
	set := drawnSet(1, 100)
	batch := drawn(rand.New(rand.NewPCG(6, 6)), 40, 12, .3)
	want := compare(t, set, batch, Options{})
	single := compare(t, set, embedding.Float32(batch.Rows, batch.Cols, batch.Float32s()), Options{})
	if math.Abs(single.Tests[mmd].Statistic-want.Tests[mmd].Statistic) > 1e-6 || single.P != want.P {
		t.Errorf("%+v", single.Tests)
	}
	long := embedding.Float64(batch.Rows, batch.Cols, slices.Clone(batch.F64))
	for i := range long.F64 {
		long.F64[i] *= 3
	}
	if _, _, err := Compare(t.Context(), set, long, nil, Options{}); err == nil || !strings.Contains(err.Error(), "batch: image 0 has norm 3") {
		t.Errorf("%v", err)
	}
	if got := compare(t, set, long, Options{Normalize: true}); math.Abs(got.Tests[mmd].Statistic-want.Tests[mmd].Statistic) > 1e-12 {
		t.Errorf("%+v", got.Tests)
	}
}

func TestJunkIsAnError(t *testing.T) {
	set := drawnSet(1, 40)
	ok := drawn(rand.New(rand.NewPCG(6, 6)), 10, 12, 0)
	spoiled := func(v float64) embedding.Matrix {
		x := slices.Clone(ok.F64)
		x[3*12+2] = v
		return embedding.Float64(10, 12, x)
	}
	equal := func(n int) embedding.Matrix {
		m := embedding.Float64(n, 12, nil)
		for range n {
			m.F64 = append(m.F64, ok.F64[:12]...)
		}
		return m
	}
	constant := drawnSet(1, 2)
	constant.Images = equal(40)
	oneCaption := drawnSet(1, 40)
	oneCaption.Texts = embedding.Float64(1, 12, oneCaption.Texts.F64[:12])
	for name, c := range map[string]struct {
		ref   *embedding.Set
		batch embedding.Matrix
		opt   Options
		want  string
	}{
		"width":        {set, embedding.Float64(5, 24, make([]float64, 120)), Options{}, "width 24, captions 12"},
		"empty":        {set, embedding.Float64(0, 12, nil), Options{}, "batch: 0 images"},
		"one image":    {set, head(ok, 0, 1), Options{}, "batch: 1 images"},
		"too few":      {drawnSet(1, 3), head(ok, 0, 2), Options{}, "too few for an alarm"},
		"NaN":          {set, spoiled(math.NaN()), Options{}, "batch: image 3 has norm NaN"},
		"NaN scaled":   {set, spoiled(math.NaN()), Options{Normalize: true}, "batch: image 3 has no direction"},
		"infinite":     {set, spoiled(math.Inf(1)), Options{Normalize: true}, "batch: image 3 has no direction"},
		"equal":        {constant, equal(10), Options{}, "have the same embedding"},
		"one caption":  {oneCaption, ok, Options{}, "at least 2 classes"},
		"level":        {set, ok, Options{Level: 2}, "level 2"},
		"permutations": {set, ok, Options{Level: .001, Permutations: 500}, "want at least 4999"},
		"rows":         {set, ok, Options{MaxRows: 1}, "want 2 or more"},
		"tolerance":    {set, ok, Options{Tolerance: math.NaN()}, "tolerance NaN"},
		"scale":        {set, ok, Options{LogitScale: -1}, "logit scale -1"},
	} {
		got, _, err := Compare(t.Context(), c.ref, c.batch, nil, c.opt)
		if got != nil || err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, _, err := Compare(stopped, set, ok, nil, Options{}); err != context.Canceled {
		t.Errorf("stopped: %v", err)
	}
}
