package evaluate

// LogLoss is the mean over images of -log softmax(scores)[label] in nats, a
// probability below 1e-15 counting as 1e-15. scores is [N,C], labels [N] with
// values in 0..C-1; a score may be -Inf, a row of them may not.
func LogLoss(scores []float64, labels []int, classes int) (float64, error) {
	n, err := rows("scores", len(scores), classes)
	if err != nil {
		return 0, err
	}
	if err := checkLabels(labels, n, classes); err != nil {
		return 0, err
	}
	total := 0.0
	for i, y := range labels {
		total += crossEntropy(scores[i*classes:(i+1)*classes], y)
	}
	return total / float64(n), nil
}
