package transferability

import "math"

// gbcFloor is the smallest variance of a column within a class.
const gbcFloor = 1e-4

// GBCDiagonal is the Gaussian Bhattacharyya coefficient with a diagonal
// Gaussian for each class (Pandy et al., "Transferability Estimation using
// Bhattacharyya Class Separability", CVPR 2022): minus the sum over ordered
// pairs of different classes of exp(-BD),
//
//	BD = 1/8 sum_j (mu_cj - mu_c'j)^2/s_j + 1/2 sum_j [log s_j - 1/2 log v_cj - 1/2 log v_c'j],
//
// s_j = (v_cj + v_c'j)/2, v_cj the variance (ddof 0) of column j in class c, at
// least 1e-4. On the images as they are, without the PCA to 64 columns that
// some code has. In [-C(C-1), 0]: 0 for separate classes.
func GBCDiagonal(s *Sample) (Result, error) {
	return s.gbc(s.d, func(v []float64) []float64 { return v })
}

// GBCSpherical is GBCDiagonal with one variance for all columns of a class,
// the mean over the columns of v_cj, and
//
//	BD = 1/8 |mu_c - mu_c'|^2/s + 1/2 [log s - 1/2 log v_c - 1/2 log v_c'],
//
// the logarithms counted once, not for each column.
func GBCSpherical(s *Sample) (Result, error) {
	return s.gbc(1, func(v []float64) []float64 {
		mean := 0.0
		for _, x := range v {
			mean += x / float64(len(v))
		}
		return []float64{mean}
	})
}

// gbc sums over pairs of classes whose variances, width of them, are made of those of the
// columns by reduce.
func (s *Sample) gbc(width int, reduce func([]float64) []float64) (Result, error) {
	pairs := float64(s.classes) * float64(s.classes) / 2
	if err := s.affordable(pairs*float64(s.d+20*width), float64(s.classes)*float64(s.d)); err != nil {
		return Result{}, err
	}
	variance := make([][]float64, s.classes)
	logs := make([]float64, s.classes)
	for c := range s.classes {
		v := make([]float64, s.d)
		m := s.classMean(c)
		for i := s.start[c]; i < s.start[c+1]; i++ {
			for j, x := range s.row(i) {
				v[j] += (x - m[j]) * (x - m[j])
			}
		}
		for j := range v {
			v[j] = max(v[j]/float64(s.count(c)), gbcFloor)
		}
		variance[c] = reduce(v)
		for _, x := range variance[c] {
			logs[c] += math.Log(x)
		}
	}
	sum := 0.0
	for c := range s.classes {
		for k := range c {
			distance, spread := 0.0, 0.0
			a, b := s.classMean(c), s.classMean(k)
			for j, v := range variance[c] {
				mid := (v + variance[k][j]) / 2
				spread += math.Log(mid)
				gap := 0.0
				if width == 1 {
					for l, x := range a {
						gap += (x - b[l]) * (x - b[l])
					}
				} else {
					gap = (a[j] - b[j]) * (a[j] - b[j])
				}
				distance += gap / mid
			}
			sum += 2 * math.Exp(-distance/8-(spread-logs[c]/2-logs[k]/2)/2)
		}
	}
	return Result{Value: -sum, Warnings: s.singles("their variance is taken to be the floor of 1e-4")}, nil
}
