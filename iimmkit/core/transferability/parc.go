package transferability

import (
	"errors"
	"math"
	"slices"

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
// Up to some 2,900 images all distances are sorted. Beyond, those of different
// classes are counted between the sorted ones of same classes, which is faster
// and needs less memory; ties among distances of different classes alone are
// then left out of the variance of the ranks, but only where that moves the value
// by less than 1e-10 of it: else all are sorted.
func PARC(s *Sample) (Result, error) {
	n, same := float64(s.n), 0.0
	if err := s.affordable(n*n*float64(s.d)/2, n*float64(s.d)); err != nil {
		return Result{}, err
	}
	for c := range s.classes {
		same += float64(s.count(c)) * float64(s.count(c)-1) / 2
	}
	if err := s.affordable(0, 5*same); err != nil {
		return Result{}, err
	}
	x, err := s.correlationRows()
	if err != nil {
		return Result{}, err
	}
	const sorted = 1 << 22
	if n*(n-1)/2 > sorted {
		value, reliable, err := s.countedParc(x)
		if reliable || err != nil {
			return Result{Value: 100 * value}, err
		}
	}
	if err := s.affordable(0, n*n/2); err != nil {
		return Result{}, err
	}
	value, err := s.sortedParc(x)
	return Result{Value: 100 * value}, err
}

// sortedParc is PARC/100 of correlation rows x by sorting the distances of all pairs.
func (s *Sample) sortedParc(x blas64.General) (float64, error) {
	all := make([]float64, 0, s.n*(s.n-1)/2)
	var same []float64
	s.eachPair(x, func(i int, distance float64, equal bool) {
		all = append(all, distance)
		if equal {
			same = append(same, distance)
		}
	})
	sortInParallel(all)
	sortInParallel(same)
	return spearmanOfGroups(all, same)
}

// eachPair calls f with the distance of each pair of images, in a fixed order.
func (s *Sample) eachPair(x blas64.General, f func(i int, distance float64, sameClass bool)) {
	s.pairBlocks(x, func(first, second int, product blas64.General) {
		for a := range product.Rows {
			i := first + a
			from := max(0, i+1-second)
			if from >= product.Cols {
				continue
			}
			for b, p := range product.Data[a*product.Stride+from : a*product.Stride+product.Cols] {
				f(i, 1-p, s.y[second+from+b] == s.y[i])
			}
		}
	})
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

// countedParc is PARC/100 without sorting the distances of different classes. It
// is not reliable where some of them may be equal too often.
func (s *Sample) countedParc(x blas64.General) (value float64, reliable bool, err error) {
	var same []float64
	for c := range s.classes {
		rows := matrix(s.count(c), s.d, x.Data[s.start[c]*s.d:s.start[c+1]*s.d])
		s.pairBlocks(rows, func(first, second int, product blas64.General) {
			for a := range product.Rows {
				for b, p := range product.Data[a*product.Stride:][:product.Cols] {
					if second+b > first+a {
						same = append(same, 1-p)
					}
				}
			}
		})
	}
	sortInParallel(same)
	among := newTally(same)
	// How often a value occurs is at most the count of its hash.
	const hashes = 1 << 20
	often := make([]uint32, hashes)
	s.eachPair(x, func(_ int, distance float64, sameClass bool) {
		if !sameClass {
			among.add(distance)
			often[math.Float64bits(distance)*0x9e3779b97f4a7c15>>44]++
		}
	})
	pairs := float64(s.n) * float64(s.n-1) / 2
	most := float64(slices.Max(often))
	value, err = among.spearman(pairs)
	return value, most*most < 1e-10*pairs*pairs, err
}
