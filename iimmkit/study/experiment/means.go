package experiment

// Means are means over the runs of one protocol, model and method.
type Means struct {
	Protocol string `json:"protocol"`
	Model    string `json:"model"`
	Method   string `json:"method"`
	Runs     int    `json:"runs"` // without the failed ones
	Failed   int    `json:"failed"`

	ZeroShotAccuracy float64  `json:"zero_shot_accuracy"`
	Accuracy         float64  `json:"accuracy"`
	Gain             float64  `json:"gain"`
	Forgetting       *float64 `json:"forgetting"` // over the runs that have it; nil when none has
}

// MeansOf returns the means of the runs' protocols, models and methods, in the
// order in which these come first.
func MeansOf(runs []Run) []Means {
	var out []Means
	at := map[[3]string]int{}
	forgetting := map[int][]float64{}
	for _, r := range runs {
		key := [3]string{r.Protocol, r.Model, r.Method}
		k, ok := at[key]
		if !ok {
			k = len(out)
			at[key] = k
			out = append(out, Means{Protocol: r.Protocol, Model: r.Model, Method: r.Method})
		}
		m := &out[k]
		if r.Error != "" {
			m.Failed++
			continue
		}
		m.Runs++
		m.ZeroShotAccuracy += r.ZeroShotAccuracy
		m.Accuracy += r.Accuracy
		m.Gain += r.Gain
		if r.Forgetting != nil {
			forgetting[k] = append(forgetting[k], *r.Forgetting)
		}
	}
	for k := range out {
		m := &out[k]
		if n := float64(m.Runs); n > 0 {
			m.ZeroShotAccuracy, m.Accuracy, m.Gain = m.ZeroShotAccuracy/n, m.Accuracy/n, m.Gain/n
		}
		m.Forgetting = mean(forgetting[k])
	}
	return out
}
