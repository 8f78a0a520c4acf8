package transferability

import "math"

// Energy is the mean over the images of log sum_j exp(x_ij) (Gholami et al.,
// "ETran: Energy-Based Transferability Estimation", ICCV 2023), of the images as
// they are. It looks at no class. Rows of unit norm have values near log d
// whatever they show, so that little can be read from it there.
func Energy(s *Sample) (Result, error) {
	sum := 0.0
	for i := range s.n {
		row := s.row(i)
		top := row[argmax(row)]
		e := 0.0
		for _, v := range row {
			e += math.Exp(v - top)
		}
		sum += top + math.Log(e)
	}
	return Result{Value: sum / float64(s.n)}, nil
}
