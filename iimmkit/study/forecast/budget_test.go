package forecast

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// tunedAsProbed is a calibration of tasks whose tuned accuracy is exactly the
// probe's, so that the forecast gain along a curve is known.
func tunedAsProbed(t *testing.T) *Calibration {
	var tasks []Observation
	for k := range 12 {
		p := .05 + .9*float64(k)/11
		tasks = append(tasks, Observation{Model: "m", Method: "full", Task: fmt.Sprint(k), Seeds: 1, Inputs: Inputs{ZeroShotAccuracy: .1 + .06*float64(k*5%12), ProbeCVAccuracy: &p, Classes: 5}, Accuracy: p})
	}
	return mustNew(t, tasks, nil, Options{})
}

func TestBudgetAgainstAnExhaustiveSearch(t *testing.T) {
	c := tunedAsProbed(t)
	curve, err := FitCurve(curvePoints(0), 0)
	if err != nil {
		t.Fatal(err)
	}
	const zeroShot, classes, limit = .3, 5, 400
	q := BudgetQuery{Query: Query{Model: "m", Inputs: Inputs{ZeroShotAccuracy: zeroShot, Classes: classes}}, Method: "full", Curve: curve, Limit: limit, CostPerLabel: 2, ValuePerPoint: 300}
	b, err := c.Budget(q)
	if err != nil {
		t.Fatal(err)
	}
	gain := func(n int) float64 {
		return 100 * (1 - curve.Floor - curve.Scale*math.Pow(float64(n), -curve.Rate) - zeroShot)
	}
	if math.Abs(b.GainAtLimit-gain(limit)) > 1e-6 {
		t.Errorf("gain at the limit %v, want %v", b.GainAtLimit, gain(limit))
	}
	first, best, net, low, high := 0, 0, 0.0, 0, 0
	for n := 1; n <= limit; n++ {
		a := curve.At(float64(n))
		se := 100 * math.Sqrt((a*(1-a)+zeroShot*(1-zeroShot))/float64(n*classes))
		if first == 0 && gain(limit)-gain(n)+1.96*se <= 3 {
			first = n
		}
		v := 300*gain(n) - 2*float64(n*classes)
		if v > net {
			best, net = n, v
		}
		if v > 0 {
			if low == 0 {
				low = n
			}
			high = n
		}
	}
	if b.PerClass == nil || *b.PerClass != first || first < 2 {
		t.Errorf("within 3 points from %v, want %d", b.PerClass, first)
	}
	if g := b.Balance; g.Best != best || math.Abs(g.Net-net) > 1e-4 || g.BreakEven == nil || *g.BreakEven != [2]int{low, high} {
		t.Errorf("balance %+v, break-even %v; want %d, %v, %d..%d", g, g.BreakEven, best, net, low, high)
	}
	// The analytic best of the power law: n^(rate+1) = 100 value scale rate / (cost classes).
	if analytic := math.Pow(100*300*curve.Scale*curve.Rate/(2*classes), 1/(curve.Rate+1)); math.Abs(analytic-float64(best)) > 1 {
		t.Errorf("best %d, by calculus %.1f", best, analytic)
	}
	if !(b.PerClassBand80[0] <= first && first <= b.PerClassBand80[1]) || !(b.Balance.BestBand80[0] <= best && best <= b.Balance.BestBand80[1]) {
		t.Errorf("bands %v and %v", b.PerClassBand80, b.Balance.BestBand80)
	}
}

func TestBudgetThatIsNeverReached(t *testing.T) {
	c := tunedAsProbed(t)
	curve, err := FitCurve(curvePoints(200), 0)
	if err != nil {
		t.Fatal(err)
	}
	q := BudgetQuery{Query: Query{Model: "m", Inputs: Inputs{ZeroShotAccuracy: .3, Classes: 5}}, Method: "full", Curve: curve, Limit: 40, CostPerLabel: 100, ValuePerPoint: 1}
	b, err := c.Budget(q)
	if err != nil {
		t.Fatal(err)
	}
	if b.PerClass != nil || b.Balance.Best != 0 || b.Balance.Net != 0 || b.Balance.BreakEven != nil {
		t.Errorf("%+v %+v", b, b.Balance)
	}
	for _, change := range []struct {
		want string
		do   func(*BudgetQuery)
	}{
		{"number of classes", func(q *BudgetQuery) { q.Classes = 0 }},
		{"learning curve", func(q *BudgetQuery) { q.Curve = nil }},
		{"must not be negative", func(q *BudgetQuery) { q.CostPerLabel = -1 }},
		{"not of method", func(q *BudgetQuery) { q.Method = "lora" }},
	} {
		bad := q
		change.do(&bad)
		if _, err := c.Budget(bad); err == nil || !strings.Contains(err.Error(), change.want) {
			t.Errorf("error %v, want %q", err, change.want)
		}
	}
}

func TestImagesForIIMM(t *testing.T) {
	for _, c := range []struct {
		n         int
		half, tol float64
		want      int
	}{{100, .02, .01, 400}, {100, .01, .01, 100}, {100, .005, .01, 25}, {150, 0, .01, 0}} {
		if got, err := ImagesForIIMM(c.n, c.half, c.tol); err != nil || got != c.want {
			t.Errorf("%+v: %d, %v", c, got, err)
		}
	}
	for _, half := range []float64{-1, math.NaN()} {
		if _, err := ImagesForIIMM(100, half, .01); err == nil {
			t.Errorf("half width %v was taken", half)
		}
	}
}
