package drift

import (
	"context"
	"slices"
	"sort"

	"github.com/iimmkit/iimm/iimmkit/core/evaluate"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// verdict is what a division's statistics come to.
type verdict struct {
	p     float64
	tests []Test
}

// verdict ranks the division that is there among random ones.
func (p *pool) verdict(ctx context.Context, opt Options) (verdict, error) {
	bar := opt.Progress.Start("random exchanges", opt.Permutations)
	drawn, err := p.draw(ctx, p.batch, opt.Permutations, opt.Seed, 1, bar)
	bar.Done()
	if err != nil {
		return verdict{}, err
	}
	there := p.statistics(p.there(), make([]float64, p.d))
	n := newNull(drawn)
	single, adjusted := n.judge(there)
	v := verdict{p: slices.Min(adjusted[:])}
	for t, name := range testNames {
		test := Test{Name: name, Statistic: there.value[t], P: single[t], AdjustedP: adjusted[t]}
		if t >= intra {
			test.Reference, test.Batch = &there.reference[t], &there.batch[t]
		}
		v.tests = append(v.tests, test)
	}
	return v, nil
}

// draw returns the statistics of random divisions.
func (p *pool) draw(ctx context.Context, n, divisions int, seed, first uint64, bar progress.Bar) ([]statistics, error) {
	drawn := make([]statistics, divisions)
	parallel(divisions, func(k int) {
		if ctx.Err() == nil {
			drawn[k] = p.statistics(p.division(n, seed, first+uint64(k)), make([]float64, p.d))
			bar.Add(1)
		}
	})
	return drawn, ctx.Err()
}

// null is the statistics of random divisions, ready to rank another among them.
type null struct {
	sorted [tests][]float64 // ascending
	drawn  []statistics
}

func newNull(drawn []statistics) *null {
	n := &null{drawn: drawn}
	for t := range tests {
		for _, s := range drawn {
			n.sorted[t] = append(n.sorted[t], s.value[t])
		}
		sort.Float64s(n.sorted[t])
	}
	return n
}

// atLeast counts the random divisions whose statistic t is v or more.
func (n *null) atLeast(t int, v float64) int {
	return len(n.drawn) - sort.SearchFloat64s(n.sorted[t], v)
}

// judge returns the p value of each test alone, and adjusted for their number: how
// many of all divisions, this one among them, have some p value as small. This one
// takes part in the ranking of every other as they do in its own, so that no
// division is special.
func (n *null) judge(s statistics) (single, adjusted [tests]float64) {
	all := len(n.drawn) + 1
	smallest := make([]int, len(n.drawn)) // rank of the most extreme statistic of each
	for k, d := range n.drawn {
		smallest[k] = all
		for t, v := range d.value {
			rank := n.atLeast(t, v) // itself included
			if s.value[t] >= v {
				rank++
			}
			smallest[k] = min(smallest[k], rank)
		}
	}
	slices.Sort(smallest)
	least := all
	var rank [tests]int
	for t, v := range s.value {
		rank[t] = n.atLeast(t, v) + 1
		least = min(least, rank[t])
	}
	for t := range tests {
		// Its own smallest rank counts where it is as small.
		asSmall := sort.SearchInts(smallest, rank[t]+1)
		if least <= rank[t] {
			asSmall++
		}
		single[t] = float64(rank[t]) / float64(all)
		adjusted[t] = float64(asSmall) / float64(all)
	}
	return single, adjusted
}

// FalseAlarms says how often the verdict was an alarm when batches of the
// reference were compared with its rest.
type FalseAlarms struct {
	Resamples int     `json:"resamples"`
	Alarms    int     `json:"alarms"`
	Rate      float64 `json:"rate"`
	// CI95 is the exact (Clopper-Pearson) 95 % interval of the rate.
	CI95 [2]float64 `json:"ci95"`
	// Batch is the number of images of each batch, at most half of the reference.
	Batch int `json:"batch"`
	// Reference is the number of images from which they are drawn.
	Reference int `json:"reference"`
}

// falseAlarms draws batches from the reference. All are ranked among the same
// random divisions, which are drawn once: the rate is that of one threshold.
func falseAlarms(ctx context.Context, ref *view, batch int, opt Options) (*FalseAlarms, error) {
	p, err := newPool(ctx, ref.rows(ref.sample(2*opt.MaxRows, opt.Seed)))
	if err != nil {
		return nil, err
	}
	batch = min(batch, p.m/2)
	if batch < 2 {
		return nil, nil
	}
	// Other divisions than those of the verdict itself.
	bar := opt.Progress.Start("false alarms", opt.Permutations+opt.Resamples)
	drawn, err := p.draw(ctx, batch, opt.Permutations+opt.Resamples, opt.Seed, 1<<32, bar)
	bar.Done()
	if err != nil {
		return nil, err
	}
	n := newNull(drawn[opt.Resamples:])
	f := &FalseAlarms{Resamples: opt.Resamples, Batch: batch, Reference: p.m}
	alarm := make([]bool, opt.Resamples)
	parallel(opt.Resamples, func(k int) {
		_, adjusted := n.judge(drawn[k])
		alarm[k] = slices.Min(adjusted[:]) <= opt.Level
	})
	for _, a := range alarm {
		if a {
			f.Alarms++
		}
	}
	f.Rate = float64(f.Alarms) / float64(f.Resamples)
	f.CI95 = evaluate.ExactInterval(f.Alarms, f.Resamples)
	return f, nil
}
