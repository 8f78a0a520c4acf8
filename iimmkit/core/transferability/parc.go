package transferability

import (
	"errors"
	"math"
	"runtime"
	"slices"
	"sync"

	"gonum.org/v1/gonum/blas/blas64"
)

// PARC is the pairwise annotation representation comparison (Bolya, Mittapalli
// and Hoffman, "Scalable Diverse Model Selection for Accessible Transfer
// Learning", NeurIPS 2021): 100 times Spearman's correlation, average ranks,
// over all pairs of images, of the distance of their features and the distance
// of their labels. The feature distance is 1 - Pearson's correlation of the rows
// of the z-scored images (by column, ddof 0, sd 0 taken as 1; no PCA). The label
// distance is 0 for the same class and equal for all different ones, tied
// exactly: computed as 1 - correlation of one-hot rows in floating point, as
// some code does, ties break and the value is up to 4 off.
//
// It holds all n(n-1)/2 distances.
func PARC(s *Sample) (Result, error) {
	n := float64(s.n)
	if err := s.affordable(n*n*float64(s.d)/2, n*n/2+n*float64(s.d)); err != nil {
		return Result{}, err
	}
	x, err := s.correlationRows()
	if err != nil {
		return Result{}, err
	}
	// Pairs i < j in the order (0,1), (0,2), ..., (1,2), ...
	all := make([]float64, s.n*(s.n-1)/2)
	var same []float64
	s.pairBlocks(x, func(first, second int, product blas64.General) {
		for a := range product.Rows {
			i := first + a
			from := max(0, i+1-second)
			if from >= product.Cols {
				continue
			}
			to := all[i*(2*s.n-i-1)/2+second+from-i-1:]
			for b, p := range product.Data[a*product.Stride+from : a*product.Stride+product.Cols] {
				to[b] = 1 - p
				if s.y[second+from+b] == s.y[i] {
					same = append(same, 1-p)
				}
			}
		}
	})
	sortInParallel(all)
	sortInParallel(same)
	value, err := spearmanOfGroups(all, same)
	return Result{Value: 100 * value}, err
}

// correlationRows returns the z-scored images with rows centred and of unit
// norm: their dot products are correlations.
func (s *Sample) correlationRows() (blas64.General, error) {
	sd := make([]float64, s.d)
	for i := range s.n {
		for j, v := range s.row(i) {
			sd[j] += (v - s.mean[j]) * (v - s.mean[j]) / float64(s.n)
		}
	}
	for j := range sd {
		sd[j] = math.Sqrt(sd[j])
		// A column of one value has a spread of the rounding of its mean.
		if sd[j] <= 1e-14*math.Abs(s.mean[j]) {
			sd[j] = 1
		}
	}
	x := zeros(s.n, s.d)
	for i := range s.n {
		row := x.Data[i*s.d : (i+1)*s.d]
		mean := 0.0
		for j, v := range s.row(i) {
			row[j] = (v - s.mean[j]) / sd[j]
			mean += row[j] / float64(s.d)
		}
		q := 0.0
		for j := range row {
			row[j] -= mean
			q += row[j] * row[j]
		}
		if q < 1e-20*float64(s.d) {
			return x, errors.New("an image does not vary over its columns once they are z-scored: it correlates with nothing")
		}
		for j := range row {
			row[j] /= math.Sqrt(q)
		}
	}
	return x, nil
}

// spearmanOfGroups is Spearman's correlation of the values all with an indicator
// that is 0 for the values same, which are among them, and 1 for the others.
// Both are sorted.
func spearmanOfGroups(all, same []float64) (float64, error) {
	m, k := float64(len(all)), float64(len(same))
	if k == 0 || k == m {
		return 0, errors.New("no two pairs of images differ in whether their classes are the same")
	}
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
	variance := (m*m-1)/12 - ties/(12*m)
	if variance <= 0 {
		return 0, errors.New("all pairs of images are equally far apart")
	}
	// An indicator's correlation: the difference of the groups' mean ranks.
	meanSame := rankSum / 2 / k
	meanOther := (m*(m+1)/2 - rankSum/2) / (m - k)
	return (meanOther - meanSame) * math.Sqrt(k/m*(1-k/m)) / math.Sqrt(variance), nil
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
