package evaluate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Penalties are the L2 penalties CrossValidate chooses from (see Probe).
var Penalties = []float64{100, 10, 1}

// Validation is what probes say of images they were not fitted to.
type Validation struct {
	Accuracy *Accuracy
	// Penalty [folds] is the L2 penalty chosen for each fold.
	Penalty []float64
	// LogLoss is the mean cross-entropy of the held-out images in nats; an image
	// whose class had no training image counts with probability 1e-15.
	LogLoss float64
}

// CrossValidate returns the fraction of images in [0,1] that a linear probe
// recognises when fitted to the other folds. See Validate.
func CrossValidate(x []float32, d int, labels []int, classes int, folds int, seed uint64) (accuracy float64, err error) {
	v, err := Validate(x, d, labels, classes, folds, seed)
	if err != nil {
		return 0, err
	}
	return v.Accuracy.Top1, nil
}

// Validate cross-validates a linear probe on features x [N,d], row-major, with
// labels [N] in 0..classes-1.
//
// The images are dealt into folds at random by seed, class by class, so that
// folds differ by at most one image in size and in each class. A probe is fitted
// to the images outside each fold, features standardised by those images, and
// says the classes of the images inside. The penalty of a fold is the one of
// Penalties with the smallest held-out cross-entropy on the OTHER folds, so the
// images that are counted had no say in it.
func Validate(x []float32, d int, labels []int, classes int, folds int, seed uint64) (*Validation, error) {
	return ValidateShots(x, d, labels, classes, folds, len(labels), seed)
}

// ValidateShots is Validate with probes that are fitted to at most shots images
// of each class, drawn by seed from those outside the fold; the images of fewer
// shots are among those of more. All images inside the folds are still
// recognised or not, and choose the penalties.
func ValidateShots(x []float32, d int, labels []int, classes int, folds, shots int, seed uint64) (*Validation, error) {
	n, err := rows("features", len(x), d)
	if err != nil {
		return nil, err
	}
	if err := checkLabels(labels, n, classes); err != nil {
		return nil, err
	}
	if err := finite("features", x, d); err != nil {
		return nil, err
	}
	if folds < 2 || folds > n {
		return nil, fmt.Errorf("cross-validation: %d folds of %d images: must be in 2..%d", folds, n, n)
	}
	if shots < 1 {
		return nil, fmt.Errorf("cross-validation: %d shots: must be at least 1", shots)
	}
	draw := rand.New(rand.NewPCG(seed, 0x5407)).Perm(n)
	return validate(x, d, labels, classes, Folds(labels, classes, folds, seed), folds, Penalties, func(outside []int) []int {
		return firstOfEach(labels, outside, shots, draw)
	})
}

// firstOfEach returns the images that come first in draw, most of each class, in
// the order in which they are listed.
func firstOfEach(labels, images []int, most int, draw []int) []int {
	byDraw := slices.Clone(images)
	slices.SortFunc(byDraw, func(a, b int) int { return draw[a] - draw[b] })
	taken := map[int]int{}
	var out []int
	for _, i := range byDraw {
		if taken[labels[i]] < most {
			taken[labels[i]]++
			out = append(out, i)
		}
	}
	slices.Sort(out)
	return out
}

// validate fits to those of the images outside a fold that fitted returns.
func validate(x []float32, d int, labels []int, classes int, fold []int, folds int, penalties []float64, fitted func(outside []int) []int) (*Validation, error) {
	n := len(labels)
	order := slices.Clone(penalties)
	slices.Sort(order)
	slices.Reverse(order)
	scores := make([][]float64, len(order)) // per penalty [n, classes]
	for q := range scores {
		scores[q] = make([]float64, n*classes)
	}
	loss := make([][]float64, len(order)) // per penalty and fold, summed over images
	for q := range loss {
		loss[q] = make([]float64, folds)
	}
	for k := range folds {
		var inside, outside []int
		for i, f := range fold {
			if f == k {
				inside = append(inside, i)
			} else {
				outside = append(outside, i)
			}
		}
		p, err := newProblem(x, d, labels, classes, fitted(outside))
		if err != nil {
			return nil, fmt.Errorf("cross-validation: fold %d: %w", k, err)
		}
		var s *solution
		for q, l2 := range order {
			// Strong penalties first: each solution is a near start for the next.
			if s, err = p.solve(l2, s, closeEnough); err != nil {
				return nil, fmt.Errorf("cross-validation: fold %d: %w", k, err)
			}
			p.probe(s).score(scores[q], x, inside)
			for _, i := range inside {
				loss[q][k] += crossEntropy(scores[q][i*classes:(i+1)*classes], labels[i])
			}
		}
	}
	v := &Validation{Penalty: make([]float64, folds)}
	chosen := make([]float64, n*classes)
	total := 0.0
	for k := range folds {
		best, bestLoss := 0, math.Inf(1)
		for q := range order {
			others := 0.0
			for f := range folds {
				if f != k {
					others += loss[q][f]
				}
			}
			if others < bestLoss {
				best, bestLoss = q, others
			}
		}
		v.Penalty[k] = order[best]
		total += loss[best][k]
		for i, f := range fold {
			if f == k {
				copy(chosen[i*classes:(i+1)*classes], scores[best][i*classes:(i+1)*classes])
			}
		}
	}
	v.LogLoss = total / float64(n)
	var err error
	v.Accuracy, err = FromScores(chosen, labels, classes)
	return v, err
}

// Folds deals images into folds 0..folds-1, class by class at random by seed:
// folds differ by at most one image in size and in each class. labels are in
// 0..classes-1.
func Folds(labels []int, classes, folds int, seed uint64) []int {
	members := make([][]int, classes)
	for i, y := range labels {
		members[y] = append(members[y], i)
	}
	random := rand.New(rand.NewPCG(seed, 0xf01d5))
	fold := make([]int, len(labels))
	dealt := 0
	for _, images := range members {
		random.Shuffle(len(images), func(a, b int) { images[a], images[b] = images[b], images[a] })
		for _, i := range images {
			fold[i] = dealt % folds
			dealt++
		}
	}
	return fold
}

// crossEntropy returns -log softmax(scores)[y], at most -log 1e-15.
func crossEntropy(scores []float64, y int) float64 {
	top := scores[argmax(scores)]
	sum := 0.0
	for _, s := range scores {
		sum += math.Exp(s - top)
	}
	return min(math.Log(sum)+(top-scores[y]), -math.Log(1e-15))
}
