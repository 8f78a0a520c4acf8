package transferability

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/core/measure/golden"
)

// goldenInput is a golden set with the source probabilities and label
// embeddings that go with it.
func goldenInput(g golden.Set) Input {
	const outcomes, tables, dim = 5, 3, 10
	in := Input{
		Images: slices.Clone(g.Images), D: golden.D, Labels: slices.Clone(g.Labels), Classes: golden.C,
		Texts: golden.Texts(), Outcomes: outcomes, LabelDim: dim,
	}
	for i := 1; i <= golden.N; i++ {
		row, sum := make([]float64, outcomes), 0.0
		for z := 1; z <= outcomes; z++ {
			v := 2 * math.Sin(.3*float64(i)*float64(z))
			if z-1 == g.Labels[i-1]%outcomes {
				v += 1.5
			}
			row[z-1] = math.Exp(v)
			sum += row[z-1]
		}
		for _, v := range row {
			in.Source = append(in.Source, v/sum)
		}
	}
	for k := range tables {
		var e []float64
		for c := 1; c <= golden.C; c++ {
			for q := 1; q <= dim; q++ {
				e = append(e, math.Sin(float64((k+1)*c*q)*.9))
			}
		}
		in.LabelEmbeddings = append(in.LabelEmbeddings, e)
	}
	return in
}

func sampleOf(t testing.TB, in Input) *Sample {
	t.Helper()
	s, err := New(in)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// goldenValues were computed by independent implementations, the authors' own
// code where there is one.
var goldenValues = map[string][2]float64{ // easy, mid
	"iimm":                {0.02169297074367324, -0.007474780379234977},
	"gbc_diagonal":        {-7.727488597760e-15, -0.08886005226830848},
	"gbc_spherical":       {-4.573796148585e-14, -0.7179593769053474},
	"sfda":                {1, 0.9341927061641006},
	"ncti_seli":           {271.469202576074, 96.78689582568182},
	"ncti_ncc":            {1, 0.9839041536669716},
	"ncti_vc":             {3.28962560600505, 3.3159561419380084},
	"transrate":           {103.92560691575525, 125.74916879727621},
	"h_score":             {4.878782487648403, 4.13679363960282},
	"h_score_regularized": {4.822215502280769, 0},
	"logme":               {.5144096353363365, -.3244635922679763},
	"logme_icml":          {.5144034317157767, -.32446785940180145},
	"leep":                {-1.5603423129072866, -1.435106741342453},
	"nce":                 {-1.307768439265524, -1.0382476053538354},
	"parc":                {63.44346804880463, 54.222889780933556},
	"knn_cv":              {100, 26.666666666666668},
	"emms_published":      {-0.7880962401584239, -6.334230974245635},
	"emms":                {-0.7880962401584239 / 100, -6.334230974245635 / 100},
}

func TestGoldenValues(t *testing.T) {
	for k, g := range []golden.Set{golden.Easy(), golden.Mid()} {
		s := sampleOf(t, goldenInput(g))
		for name, want := range goldenValues {
			score, err := Find(name)
			if err != nil {
				t.Fatal(err)
			}
			r, err := score.Compute(s)
			if err != nil {
				t.Errorf("%s of %s: %v", name, g.Name, err)
				continue
			}
			if math.Abs(r.Value-want[k]) > 1e-9*math.Abs(want[k]) {
				t.Errorf("%s of %s: %.17g, want %.17g", name, g.Name, r.Value, want[k])
			}
			if got := fmt.Sprint(r.Warnings); (len(r.Warnings) > 0) != (name == "h_score_regularized" && k == 1) {
				t.Errorf("%s of %s: warnings %s", name, g.Name, got)
			}
		}
	}
}

func TestStepsOfSFDAAndNCTIAreTheRecordedOnes(t *testing.T) {
	for k, g := range []golden.Set{golden.Easy(), golden.Mid()} {
		s := sampleOf(t, goldenInput(g))
		if got, want := powerIteration(s.within(s.x, s.means)), []float64{.008266249387848704, .01795488294395556}[k]; math.Abs(got-want) > 1e-12 {
			t.Errorf("%s: largest eigenvalue by power iteration %.17g, recorded %.17g", g.Name, got, want)
		}
		_, _, lambda, err := s.ncti()
		if want := []float64{.46762857842499067, .5446176869733124}[k]; err != nil || math.Abs(lambda-want) > 1e-12 {
			t.Errorf("%s: lambda of NCTI %.17g %v, recorded %.17g", g.Name, lambda, err, want)
		}
	}
}

// Ranks with the rounding artefact of floating-point label distances, as
// recorded: the pairs of two classes come out above the other unequal pairs.
func TestPARCWithBrokenTiesIsThePublishedTable(t *testing.T) {
	for k, g := range []golden.Set{golden.Easy(), golden.Mid()} {
		s := sampleOf(t, goldenInput(g))
		x, err := s.correlationRows()
		if err != nil {
			t.Fatal(err)
		}
		// In the order of the golden set, for the artefact depends on it.
		place := places(t, s, g.Images)
		var feature, exact, broken []float64
		for i := range s.n {
			for j := i + 1; j < s.n; j++ {
				feature = append(feature, 1-dot(x.Data[place[i]*s.d:][:s.d], x.Data[place[j]*s.d:][:s.d]))
				label := 0.0
				if g.Labels[i] != g.Labels[j] {
					label = 1
				}
				exact = append(exact, label)
				if g.Labels[i] == 3 && g.Labels[j] == 0 {
					label = 2
				}
				broken = append(broken, label)
			}
		}
		for _, c := range []struct {
			label []float64
			want  float64
		}{{exact, goldenValues["parc"][k]}, {broken, []float64{59.78144521763863, 51.40751742789489}[k]}} {
			if got := 100 * spearman(feature, c.label); math.Abs(got-c.want) > 1e-12*c.want {
				t.Errorf("%s: %.17g, recorded %.17g", g.Name, got, c.want)
			}
		}
	}
}

// spearman is by the definition: Pearson's correlation of average ranks.
func spearman(x, y []float64) float64 {
	ranks := func(v []float64) []float64 {
		order := make([]int, len(v))
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(a, b int) int {
			switch {
			case v[a] < v[b]:
				return -1
			case v[a] > v[b]:
				return 1
			}
			return 0
		})
		r := make([]float64, len(v))
		for from := 0; from < len(v); {
			to := from
			for to < len(v) && v[order[to]] == v[order[from]] {
				to++
			}
			for _, i := range order[from:to] {
				r[i] = float64(from+to-1) / 2
			}
			from = to
		}
		return r
	}
	a, b := ranks(x), ranks(y)
	mean := float64(len(a)-1) / 2
	var ab, aa, bb float64
	for i := range a {
		ab += (a[i] - mean) * (b[i] - mean)
		aa += (a[i] - mean) * (a[i] - mean)
		bb += (b[i] - mean) * (b[i] - mean)
	}
	return ab / math.Sqrt(aa*bb)
}
