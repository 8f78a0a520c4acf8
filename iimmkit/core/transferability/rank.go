package transferability

import (
	"errors"
	"math"
	"runtime"
	"slices"
	"sync"
)

// spearmanOfGroups is Spearman's correlation of the values all with an indicator
// that is 0 for the values same, which are among them, and 1 for the others.
// Both are sorted.
func spearmanOfGroups(all, same []float64) (float64, error) {
	m, k := float64(len(all)), float64(len(same))
	// rankSum is of same, doubled so that average ranks are whole numbers.
	rankSum, ties := 0.0, 0.0
	at := 0
	for from := 0; from < len(all); {
		to := from + 1
		for to < len(all) && all[to] == all[from] {
			to++
		}
		for at < len(same) && same[at] == all[from] {
			rankSum += float64(from + 1 + to)
			at++
		}
		if t := float64(to - from); t > 1 {
			ties += t*t*t - t
		}
		from = to
	}
	return groupCorrelation(m, k, rankSum, ties)
}

// groupCorrelation is the correlation of m ranks with an indicator that is 0 for
// k of them, whose doubled sum is rankSum; ties is the sum of t^3-t over groups of t equal ranks.
func groupCorrelation(m, k, rankSum, ties float64) (float64, error) {
	if k == 0 || k == m {
		return 0, errors.New("no two pairs of images differ in whether their classes are the same")
	}
	variance := (m*m-1)/12 - ties/(12*m)
	if variance <= 0 {
		return 0, errors.New("all pairs of images are equally far apart")
	}
	// An indicator's correlation: the difference of the groups' mean ranks.
	meanSame := rankSum / 2 / k
	meanOther := (m*(m+1)/2 - rankSum/2) / (m - k)
	return (meanOther - meanSame) * math.Sqrt(k/m*(1-k/m)) / math.Sqrt(variance), nil
}

// tally counts values between and at the sorted values of a group.
type tally struct {
	group  []float64
	first  []int32  // by bucket of values, how many of group are below it
	low    float64  // of the first bucket
	scale  float64  // buckets per unit
	before []uint32 // [len(group)+1], further values between group[i-1] and group[i]
	at     []uint32 // [len(group)], further values equal to group[i], the first of equal ones
}

func newTally(group []float64) *tally {
	t := &tally{group: group, before: make([]uint32, len(group)+1), at: make([]uint32, len(group))}
	buckets := 4*len(group) + 1
	t.first = make([]int32, buckets+1)
	if len(group) == 0 {
		return t
	}
	t.low = group[0]
	if spread := group[len(group)-1] - t.low; spread > 0 {
		t.scale = min(float64(buckets-1)/spread, math.MaxFloat64)
	}
	k := 0
	for b := range t.first {
		for k < len(group) && t.bucket(group[k]) < b {
			k++
		}
		t.first[b] = int32(k)
	}
	return t
}

func (t *tally) bucket(v float64) int {
	return int(min(max((v-t.low)*t.scale, 0), float64(len(t.first)-1)))
}

func (t *tally) add(v float64) {
	k := 0
	if len(t.group) > 0 {
		k = int(t.first[t.bucket(v)])
	}
	for k < len(t.group) && t.group[k] < v {
		k++
	}
	if k < len(t.group) && t.group[k] == v {
		t.at[k]++
	} else {
		t.before[k]++
	}
}

// spearman is spearmanOfGroups of all pairs values with the group; values that
// are equal to each other but to none of the group count as different.
func (t *tally) spearman(pairs float64) (float64, error) {
	rankSum, ties := 0.0, 0.0 // rankSum is doubled
	below := 0.0              // values below group[from]
	for from := 0; from < len(t.group); {
		to := from + 1
		below += float64(t.before[from])
		for to < len(t.group) && t.group[to] == t.group[from] {
			to++
		}
		equal := float64(to-from) + float64(t.at[from])
		rankSum += float64(to-from) * (2*below + equal + 1)
		if equal > 1 {
			ties += equal*equal*equal - equal
		}
		below += equal
		from = to
	}
	return groupCorrelation(pairs, float64(len(t.group)), rankSum, ties)
}

// sortInParallel is slices.Sort on all processors: parts are split off about a
// pivot while there are more than fit a processor's cache.
func sortInParallel(x []float64) {
	var wg sync.WaitGroup
	free := make(chan struct{}, runtime.GOMAXPROCS(0))
	var split func(x []float64)
	split = func(x []float64) {
		for len(x) > 1<<16 {
			pivot := middle(middle(x[0], x[len(x)/4], x[len(x)/2]), x[len(x)*3/4], x[len(x)-1])
			i, j := 0, len(x)-1
			for i <= j {
				for x[i] < pivot {
					i++
				}
				for x[j] > pivot {
					j--
				}
				if i <= j {
					x[i], x[j] = x[j], x[i]
					i++
					j--
				}
			}
			right := x[i:]
			x = x[:j+1]
			select {
			case free <- struct{}{}:
				wg.Go(func() { split(right); <-free })
			default:
				split(right)
			}
		}
		slices.Sort(x)
	}
	split(x)
	wg.Wait()
}

func middle(a, b, c float64) float64 { return max(min(a, b), min(max(a, b), c)) }
