package evaluate

import (
	"fmt"
	"math"
)

// ReliabilityBins is the number of bins of equal width of a Calibration.
const ReliabilityBins = 15

// Calibration says whether a classifier's confidence can be believed.
// Confidence is the probability of the predicted class, probabilities are
// softmax(scale·scores).
type Calibration struct {
	N int `json:"n"`
	// ECE is the expected calibration error, in [0,1]: the mean over images of
	// |accuracy - confidence| of their bin (Guo et al. 2017, equation 3).
	ECE float64 `json:"ece"`
	// LogLoss is the mean of -log probability of the true class, in nats; see LogLoss.
	LogLoss float64 `json:"log_loss"`
	// Brier is the mean squared distance of the probabilities to the true
	// class's indicator, summed over classes, in [0,2].
	Brier float64 `json:"brier"`
	// Confidence is the mean confidence; less than the accuracy: under-confident.
	Confidence float64 `json:"confidence"`
	// Bins are the ReliabilityBins of the reliability diagram. Bin b holds
	// confidences in (b/15, (b+1)/15].
	Bins []Bin `json:"bins"`
}

// Bin is one bar of a reliability diagram.
type Bin struct {
	From float64 `json:"from"`
	To   float64 `json:"to"`
	N    int     `json:"n"`
	// Accuracy and Confidence are means over the bin's images; nil without any.
	Accuracy   *float64 `json:"accuracy"`
	Confidence *float64 `json:"confidence"`
}

// Calibrate compares confidence with accuracy. scores is [N,C], labels [N] with
// values in 0..C-1; scale is the factor before the softmax, as CLIP's
// exp(logit_scale) on cosines. The predicted class is the one of FromScores.
func Calibrate(scores []float64, labels []int, classes int, scale float64) (*Calibration, error) {
	n, err := rows("scores", len(scores), classes)
	if err != nil {
		return nil, err
	}
	if err := checkLabels(labels, n, classes); err != nil {
		return nil, err
	}
	if !(scale > 0) || math.IsInf(scale, 0) {
		return nil, fmt.Errorf("calibration: the factor on scores is %g, want a positive number", scale)
	}
	c := &Calibration{N: n, Bins: make([]Bin, ReliabilityBins)}
	right, confidence := make([]float64, ReliabilityBins), make([]float64, ReliabilityBins)
	p := make([]float64, classes)
	for i, y := range labels {
		best := 0
		for k, s := range scores[i*classes : (i+1)*classes] {
			if s-s != 0 {
				return nil, fmt.Errorf("scores: row %d, class %d is %v", i, k, s)
			}
			p[k] = scale * s
			if s > scores[i*classes+best] {
				best = k
			}
		}
		c.LogLoss += crossEntropy(p, y)
		softmax(p, p[best])
		top := p[best]
		b := min(max(int(math.Ceil(top*ReliabilityBins))-1, 0), ReliabilityBins-1)
		c.Bins[b].N++
		confidence[b] += top
		c.Confidence += top
		if best == y {
			right[b]++
		}
		for k, q := range p {
			if k == y {
				q--
			}
			c.Brier += q * q
		}
	}
	total := float64(n)
	c.LogLoss /= total
	c.Brier /= total
	c.Confidence /= total
	for b := range c.Bins {
		bin := &c.Bins[b]
		bin.From, bin.To = float64(b)/ReliabilityBins, float64(b+1)/ReliabilityBins
		if bin.N == 0 {
			continue
		}
		c.ECE += math.Abs(right[b]-confidence[b]) / total
		accuracy, mean := right[b]/float64(bin.N), confidence[b]/float64(bin.N)
		bin.Accuracy, bin.Confidence = &accuracy, &mean
	}
	return c, nil
}

// softmax turns logits into probabilities in place; most is the largest of them.
func softmax(x []float64, most float64) {
	sum := 0.0
	for k, v := range x {
		x[k] = math.Exp(v - most)
		sum += x[k]
	}
	for k := range x {
		x[k] /= sum
	}
}
