package transferability

import "math"

// NCE is the negative conditional entropy of the classes given the source
// model's decisions (Tran, Nguyen and Hassner, "Transferability and Hardness of
// Supervised Classification Tasks", ICCV 2019), in nats, at most 0:
// mean_i log( count(y_i, z_i)/count(z_i) ), z_i the most probable outcome of
// image i, the first of equal ones.
func NCE(s *Sample) (Result, error) {
	if s.source == nil {
		return Result{}, Missing{Source}
	}
	type pair struct{ class, outcome int }
	both := map[pair]float64{}
	decided := map[int]float64{}
	z := s.source.Cols
	decision := make([]int, s.n)
	for i, c := range s.y {
		decision[i] = argmax(s.source.Data[i*z : (i+1)*z])
		both[pair{c, decision[i]}]++
		decided[decision[i]]++
	}
	sum := 0.0
	for i, c := range s.y {
		sum += math.Log(both[pair{c, decision[i]}] / decided[decision[i]])
	}
	return Result{Value: sum / float64(s.n)}, nil
}
