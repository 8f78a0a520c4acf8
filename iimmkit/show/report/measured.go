package report

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/study/correlation"
	"github.com/iimmkit/iimm/iimmkit/study/experiment"
)

// measured is one task of a group: its values, averaged over seeds, and how
// far chance in the test images reaches.
type measured struct {
	correlation.Task
	short string // name for charts
	runs  []experiment.Run
	// Half widths of 95 % intervals, in points; NaN where not defined.
	gainHalf, forgettingHalf float64
}

// tasks returns the tasks of a group, the one known best before tuning first.
func (in Input) tasks(g *correlation.Group) []measured {
	sizes := map[string]int{} // test images by task, of the group's protocol and model
	for _, r := range in.Runs {
		if r.Error == "" && r.Protocol == g.Protocol && r.Model == g.Model {
			sizes[r.Task] = r.NTest
		}
	}
	var out []measured
	for _, t := range g.Tasks {
		m := measured{Task: t}
		for _, r := range in.Runs {
			if r.Error == "" && r.Protocol == g.Protocol && r.Model == g.Model && r.Method == g.Method && r.Task == t.Task {
				m.runs = append(m.runs, r)
			}
		}
		m.gainHalf, m.forgettingHalf = halves(m.runs, sizes)
		out = append(out, m)
	}
	slices.SortStableFunc(out, func(a, b measured) int {
		return cmp.Or(cmp.Compare(a.Values[correlation.ZeroShotError], b.Values[correlation.ZeroShotError]), cmp.Compare(a.Task.Task, b.Task.Task))
	})
	for i, name := range shortNames(out) {
		out[i].short = name
	}
	return out
}

// halves returns the half widths of 95 % intervals of gain and forgetting that
// come from the finite number of test images: 1.96 standard errors of a
// difference of proportions, one success and one failure added to each (Agresti
// and Caffo, 2000), so that 100 % before and after is not taken for certainty.
// Accuracies before and after are taken as independent though they share their
// images, which makes the intervals rather too wide. Seeds share their images
// as well, so that averaging them does not narrow the interval.
func halves(runs []experiment.Run, sizes map[string]int) (gain, forgetting float64) {
	gain, forgetting = math.NaN(), math.NaN()
	var gains, forgettings []float64
	for _, r := range runs {
		if r.NTest > 0 {
			gains = append(gains, variance(r.ZeroShotAccuracy, r.NTest)+variance(r.Accuracy, r.NTest))
		}
		if r.Forgetting == nil || len(r.OffTarget) == 0 {
			continue
		}
		sum := 0.0
		for _, task := range sorted(r.OffTarget) {
			n := sizes[task]
			if n == 0 {
				n = r.NTest
			}
			if n > 0 {
				sum += variance(r.OffTarget[task][0], n) + variance(r.OffTarget[task][1], n)
			}
		}
		forgettings = append(forgettings, sum/float64(len(r.OffTarget)*len(r.OffTarget)))
	}
	if len(gains) > 0 {
		gain = 196 * math.Sqrt(average(gains))
	}
	if len(forgettings) > 0 {
		forgetting = 196 * math.Sqrt(average(forgettings))
	}
	return gain, forgetting
}

// variance of an accuracy over n images, as above.
func variance(accuracy float64, n int) float64 {
	p := (accuracy*float64(n) + 1) / float64(n+2)
	return p * (1 - p) / float64(n+2)
}

func average(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// shortNames drops what stands before the last slash, as world/ of world/shape,
// unless two names would become one.
func shortNames(tasks []measured) []string {
	out := make([]string, len(tasks))
	count := map[string]int{}
	tail := func(name string) string {
		if strings.HasPrefix(name, "folder:") {
			name = strings.TrimRight(name, "/")
		}
		return name[strings.LastIndex(name, "/")+1:]
	}
	for _, t := range tasks {
		count[tail(t.Task.Task)]++
	}
	for i, t := range tasks {
		out[i] = tail(t.Task.Task)
		if count[out[i]] > 1 || out[i] == "" {
			out[i] = t.Task.Task
		}
	}
	return out
}

// matrix holds the change of accuracy, in points and averaged over seeds, of
// the task of a column after tuning on that of a row; NaN where not measured.
// Rows are the tasks; columns are those and then further ones that were only
// retained, by name.
func matrix(tasks []measured) (columns []string, change [][]float64) {
	place := map[string]int{}
	for i, t := range tasks {
		place[t.Task.Task] = i
		columns = append(columns, t.short)
	}
	further := map[string]bool{}
	for _, t := range tasks {
		for _, r := range t.runs {
			for name := range r.OffTarget {
				if _, ok := place[name]; !ok {
					further[name] = true
				}
			}
		}
	}
	for _, name := range sorted(further) {
		place[name] = len(columns)
		columns = append(columns, name)
	}
	for _, t := range tasks {
		sum, count := make([]float64, len(columns)), make([]float64, len(columns))
		for _, r := range t.runs {
			for _, name := range sorted(r.OffTarget) {
				j := place[name]
				sum[j] += 100 * (r.OffTarget[name][1] - r.OffTarget[name][0])
				count[j]++
			}
		}
		for j := range sum {
			sum[j] /= count[j] // 0/0 is NaN: not measured
		}
		change = append(change, sum)
	}
	return columns, change
}
