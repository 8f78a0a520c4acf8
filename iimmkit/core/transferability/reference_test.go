package transferability

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/core/measure/golden"
)

// few is the first 40 images of mid: half as many as columns, where scores take
// pseudo-inverses and cut-offs.
func few() Input {
	in := goldenInput(golden.Mid())
	in.Images, in.Labels, in.Source = in.Images[:40*in.D], in.Labels[:40], in.Source[:40*in.Outcomes]
	return in
}

// Values of numpy 2.4.6, scipy 1.17.1 and scikit-learn 1.9.1, written out from
// the conventions there: full singular value decompositions, numpy.linalg.pinv
// and lstsq, sklearn's ledoit_wolf, scipy's spearmanr.
func TestScoresAgreeWithNumPy(t *testing.T) {
	for name, c := range map[string]struct {
		in   Input
		want map[string]float64
	}{
		"mid": {goldenInput(golden.Mid()), map[string]float64{
			"energy": 4.386482533527869, "mean_margin": 0.23885878190644239, "zero_shot_error": 0.041666666666666664,
			"text_separability": 0.8407555133336744, "emms": -0.06334230974245635, "parc": 54.222889780933556,
		}},
		"few": {few(), map[string]float64{
			"energy": 4.387472800976301, "mean_margin": 0.25035957043663704, "zero_shot_error": 0.025,
			"logme": 0.9199662280574397, "logme_icml": -0.35180375819636955, "h_score": 5, "h_score_regularized": 0,
			"transrate": 81.82041115791314, "gbc_diagonal": -2.714516639245187e-05, "gbc_spherical": -0.02933888329636157,
			"knn_cv": 52.5, "parc": 59.0684525279729, "sfda": 0.9999051349489909, "emms": 0,
		}},
	} {
		s := sampleOf(t, c.in)
		for score, want := range c.want {
			got := values(t, s, []string{score})[score]
			if math.Abs(got-want) > 1e-9*math.Abs(want)+1e-25 {
				t.Errorf("%s of %s: %.17g, numpy %.17g", score, name, got, want)
			}
		}
	}
}

// places returns where the rows of images went in a sample.
func places(t *testing.T, s *Sample, images []float64) []int {
	t.Helper()
	at := make([]int, s.n)
	for from := range s.n {
		at[from] = -1
		for to := range s.n {
			if slices.Equal(images[from*s.d:(from+1)*s.d], s.row(to)) {
				at[from] = to
			}
		}
		if at[from] < 0 {
			t.Fatalf("row %d is not in the sample", from)
		}
	}
	return at
}

// NLEEP but for where k-means starts: from the clusters i mod 12, scikit-learn's
// GaussianMixture (diag, tol 1e-3, reg_covar 1e-6) and LEEP of its predict_proba.
func TestMixtureAgreesWithScikitLearn(t *testing.T) {
	for name, c := range map[string]struct {
		in    Input
		width int
		want  float64
	}{
		"mid": {goldenInput(golden.Mid()), 49, -1.3935227560777037},
		"few": {few(), 26, -1.0750229027905924},
	} {
		s := sampleOf(t, c.in)
		a, err := s.axes()
		if err != nil {
			t.Fatal(err)
		}
		if got := a.holding(.8); got != c.width {
			t.Errorf("%s: %d axes hold 80 %% of the variance, scikit-learn %d", name, got, c.width)
		}
		cluster := make([]int, s.n)
		for from, to := range places(t, s, c.in.Images) {
			cluster[to] = from % 12
		}
		r, err := s.leep(newMixture(s.project(a, c.width), cluster, 12).fit())
		if err != nil || math.Abs(r.Value-c.want) > 1e-9 {
			t.Errorf("%s: %.17g %v, scikit-learn %.17g", name, r.Value, err, c.want)
		}
	}
}

func TestKMeansFindsGroupsThatLieApart(t *testing.T) {
	const n, k, q = 300, 5, 3
	rng := rand.New(rand.NewPCG(1, 1))
	z := zeros(n, q)
	for i := range z.Data {
		z.Data[i] = rng.NormFloat64()
		if i%q == 0 {
			z.Data[i] += 100 * float64(i/q%k)
		}
	}
	cluster := kMeans(z, k)
	group := map[int]int{}
	for i, c := range cluster {
		if g, known := group[c]; known && g != i%k {
			t.Fatalf("cluster %d mixes groups %d and %d", c, g, i%k)
		}
		group[c] = i % k
	}
	if len(group) != k {
		t.Errorf("%d clusters, want %d", len(group), k)
	}
}

// Small whole numbers make many equal distances and correlations.
func TestTiesAreSharedAsByDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 3))
	for range 20 {
		n, d := 20+rng.IntN(30), 2+rng.IntN(3)
		in := Input{D: d, Classes: 3}
		for range n {
			in.Labels = append(in.Labels, rng.IntN(3))
			for range d {
				in.Images = append(in.Images, float64(rng.IntN(3)))
			}
		}
		s := sampleOf(t, in)
		right := 0.0
		for i := range n {
			best, ties, own := math.Inf(1), 0, 0
			for j := range n {
				q := 0.0
				for l := range d {
					e := in.Images[i*d+l] - in.Images[j*d+l]
					q += e * e
				}
				if j == i || q > best {
					continue
				}
				if q < best {
					best, ties, own = q, 0, 0
				}
				ties++
				if in.Labels[j] == in.Labels[i] {
					own++
				}
			}
			right += float64(own) / float64(ties)
		}
		if r, err := KNN(s); err != nil || math.Abs(r.Value-100*right/float64(n)) > 1e-10 {
			t.Errorf("knn %v %v, by definition %v", r.Value, err, 100*right/float64(n))
		}
	}
}

func TestSpearmanOfGroupsIsSpearman(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 5))
	for range 50 {
		var all, same, label []float64
		for range 10 + rng.IntN(100) {
			v := float64(rng.IntN(12))
			l := float64(rng.IntN(2))
			if l == 0 {
				same = append(same, v)
			}
			all, label = append(all, v), append(label, l)
		}
		want := spearman(all, label)
		slices.Sort(all)
		slices.Sort(same)
		if got, err := spearmanOfGroups(all, same); err != nil || math.Abs(got-want) > 1e-12 {
			t.Errorf("%v %v, want %v", got, err, want)
		}
	}
	for _, c := range [][2][]float64{{{1, 2}, nil}, {{1, 2}, {1, 2}}, {{1, 1, 1}, {1}}} {
		if v, err := spearmanOfGroups(c[0], c[1]); err == nil {
			t.Errorf("%v: %v", c, v)
		}
	}
}

func TestCountingIsSorting(t *testing.T) {
	rng := rand.New(rand.NewPCG(10, 11))
	// As many classes as make groups of one pair, of many, and of equal values.
	for range 30 {
		var all, same []float64
		step := []float64{1e-9, .1, 1}[rng.IntN(3)]
		var others []float64
		for range 20 + rng.IntN(200) {
			v := 1 + step*float64(rng.IntN(50))
			if rng.IntN(4) == 0 {
				same = append(same, v)
			} else {
				others = append(others, v)
			}
			all = append(all, v)
		}
		slices.Sort(all)
		slices.Sort(same)
		p := newTally(same)
		// Ties of others alone are not seen: make none.
		seen := map[float64]bool{}
		kept := slices.Clone(same)
		for _, v := range others {
			if slices.Contains(same, v) || !seen[v] {
				seen[v] = true
				p.add(v)
				kept = append(kept, v)
			}
		}
		slices.Sort(kept)
		want, err := spearmanOfGroups(kept, same)
		got, err2 := p.spearman(float64(len(kept)))
		if err != nil || err2 != nil || math.Abs(got-want) > 1e-13 {
			t.Errorf("%v %v, sorted %v %v", got, err2, want, err)
		}
	}
	for name, in := range map[string]Input{"mid": goldenInput(golden.Mid()), "few": few(), "drawn": drawnInput(700, 16, 7)} {
		s := sampleOf(t, in)
		x, err := s.correlationRows()
		if err != nil {
			t.Fatal(err)
		}
		want, err := s.sortedParc(x)
		if err != nil {
			t.Fatal(err)
		}
		if got, _, err := s.countedParc(x); err != nil || math.Abs(got-want) > 1e-12 {
			t.Errorf("%s: %.17g %v, sorted %.17g", name, got, err, want)
		}
	}
	// Twins by the hundred: not to be relied on, and known to be.
	in := Input{D: 3, Classes: 2}
	for i := range 200 {
		in.Labels = append(in.Labels, i%2)
		in.Images = append(in.Images, float64(i%2), float64(i%2*2), float64(i%4))
	}
	s := sampleOf(t, in)
	x, err := s.correlationRows()
	if err != nil {
		t.Fatal(err)
	}
	if _, reliable, err := s.countedParc(x); reliable || err != nil {
		t.Errorf("ties of many pairs pass for none: %v", err)
	}
}

func TestSortInParallelSorts(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 7))
	for name, value := range map[string]func(i int) float64{
		"random":  func(int) float64 { return rng.Float64() },
		"equal":   func(int) float64 { return 1 },
		"few":     func(int) float64 { return float64(rng.IntN(3)) },
		"sorted":  func(i int) float64 { return float64(i) },
		"falling": func(i int) float64 { return -float64(i) },
	} {
		x := make([]float64, 300_000)
		for i := range x {
			x[i] = value(i)
		}
		want := slices.Clone(x)
		slices.Sort(want)
		sortInParallel(x)
		if !slices.Equal(x, want) {
			t.Errorf("%s: not sorted", name)
		}
	}
}

// The properties that the authors and others state of their scores.
func TestScoresHaveTheirLimits(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 9))
	const n, d, classes = 600, 20, 4
	noise := Input{D: d, Classes: classes, Outcomes: classes}
	apart := noise
	for i := range n {
		y := i % classes
		noise.Labels = append(noise.Labels, y)
		row := make([]float64, d)
		for j := range row {
			row[j] = rng.NormFloat64()
		}
		noise.Images = append(noise.Images, row...)
		row = slices.Clone(row)
		row[y] += 100
		apart.Images = append(apart.Images, row...)
		certain, random := make([]float64, classes), make([]float64, classes)
		certain[y], random[rng.IntN(classes)] = 1, 1
		apart.Source = append(apart.Source, certain...)
		noise.Source = append(noise.Source, random...)
	}
	apart.Labels = noise.Labels
	of := func(in Input) func(name string) float64 {
		s := sampleOf(t, in)
		return func(name string) float64 { return values(t, s, []string{name})[name] }
	}
	far, random := of(apart), of(noise)
	for _, c := range []struct {
		what           string
		got, low, high float64
	}{
		{"LEEP of a perfect source", far("leep"), 0, 0},
		{"NCE of a perfect source", far("nce"), 0, 0},
		{"LEEP of a random source", random("leep"), -math.Log(classes), -math.Log(classes) + .05},
		{"NCE of a random source", random("nce"), -math.Log(classes), -math.Log(classes) + .05},
		{"GBC of classes apart", far("gbc_diagonal"), -1e-9, 0},
		{"GBC of one distribution", random("gbc_diagonal"), -classes * (classes - 1), -.7 * classes * (classes - 1)},
		{"GBC, spherical, of one distribution", random("gbc_spherical"), -classes * (classes - 1), -.9 * classes * (classes - 1)},
		{"H-score of classes apart", far("h_score"), 2.99, 3},
		{"H-score of noise", random("h_score"), 0, .3},
		{"SFDA of classes apart", far("sfda"), .999, 1},
		{"kNN of classes apart", far("knn_cv"), 100, 100},
		{"kNN of noise", random("knn_cv"), 15, 35},
		{"probe of classes apart", far("probe_all"), .99, 1},
		{"probe of noise", random("probe_all"), .15, .35},
		{"TransRate of noise", random("transrate"), -1, 1},
	} {
		if c.got < c.low || c.got > c.high {
			t.Errorf("%s: %v, want %v to %v", c.what, c.got, c.low, c.high)
		}
	}
	if far("parc") <= random("parc")+50 || far("logme") <= random("logme") || far("transrate") <= random("transrate")+1 {
		t.Errorf("classes apart do not score above noise: PARC %v, LogME %v, TransRate %v", far("parc"), far("logme"), far("transrate"))
	}
}

func TestClassesOfOneImageAreSaid(t *testing.T) {
	in := goldenInput(golden.Easy())
	keep := []int{} // one image of class 3
	seen := false
	for i, y := range in.Labels {
		if y != 3 || !seen {
			keep = append(keep, i)
		}
		seen = seen || y == 3
	}
	one := in
	one.Images, one.Labels, one.Source = nil, nil, nil
	for _, i := range keep {
		one.Images = append(one.Images, in.Images[i*in.D:(i+1)*in.D]...)
		one.Labels = append(one.Labels, in.Labels[i])
		one.Source = append(one.Source, in.Source[i*in.Outcomes:(i+1)*in.Outcomes]...)
	}
	s := sampleOf(t, one)
	for _, name := range []string{"gbc_diagonal", "gbc_spherical", "sfda", "transrate", "probe_all"} {
		score, err := Find(name)
		if err != nil {
			t.Fatal(err)
		}
		r := score.Run(s)
		if r.Value == nil || r.Warning == "" {
			t.Errorf("%s: value %v, warning %q", name, r.Value, r.Warning)
		}
	}
}

func TestNumericalTroubleIsSaid(t *testing.T) {
	s := sampleOf(t, few())
	for _, name := range []string{"h_score", "h_score_regularized", "logme", "logme_icml"} {
		score, err := Find(name)
		if err != nil {
			t.Fatal(err)
		}
		if r := score.Run(s); r.Value == nil || r.Warning == "" {
			t.Errorf("%s: value %v, warning %q", name, r.Value, r.Warning)
		}
	}
	// NCTI says what it needs.
	if r := (Score{Compute: NCTISeli}).Run(s); r.Value != nil || r.Warning != "NCTI needs at least 64 images of width 64, have 40 of width 80" {
		t.Errorf("%v %q", r.Value, r.Warning)
	}
	// Classes that are points: no spread within them to discriminate by.
	points := Input{D: 3, Classes: 2, Images: []float64{1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0}, Labels: []int{0, 0, 1, 1}}
	if r := (Score{Compute: SFDA}).Run(sampleOf(t, points)); r.Value != nil || r.Warning == "" {
		t.Errorf("points: %v %q", r.Value, r.Warning)
	}
}
