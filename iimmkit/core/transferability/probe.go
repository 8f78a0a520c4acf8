package transferability

import (
	"errors"

	"github.com/iimmkit/iimm/iimmkit/core/evaluate"
)

// Probe returns the score that is the accuracy, in [0,1], of a linear probe on
// the images, cross-validated in 5 folds and fitted to at most shots images of
// each class, 0 for all; see evaluate.ValidateShots. A class of one image is
// never recognised, for it is either fitted to or looked at.
func Probe(shots int) func(*Sample) (Result, error) {
	return func(s *Sample) (Result, error) {
		const folds = 5
		// Three penalties, some twenty steps of two products each.
		used, d, c := float64(s.n), float64(s.d), float64(s.classes)
		if shots > 0 {
			used = min(used, c*float64(shots))
		}
		if err := s.affordable(folds*3*(40*used*d*c+float64(s.n)/folds*d*c), 4*float64(s.n)*c+2*used*d); err != nil {
			return Result{}, err
		}
		if s.n < folds {
			return Result{}, errors.New("cross-validation in 5 folds needs at least 5 images")
		}
		x := make([]float32, len(s.x.Data))
		for i, v := range s.x.Data {
			x[i] = float32(v)
		}
		most := shots
		if shots == 0 {
			most = s.n
		}
		v, err := evaluate.ValidateShots(x, s.d, s.y, s.classes, folds, most, 0)
		if err != nil {
			return Result{}, err
		}
		return Result{Value: v.Accuracy.Top1, Warnings: s.singles("a probe cannot recognise them")}, nil
	}
}
