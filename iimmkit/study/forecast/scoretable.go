package forecast

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// ScoreTable is a table of scores as it is shown: the first row is the header.
type ScoreTable struct {
	Title string
	Rows  [][]string
}

// targetWords say what a target is.
var targetWords = map[string]string{Accuracy: "final accuracy", Gain: "gain", ScaledGain: "scaled gain (x100)", Forgetting: "mean forgetting",
	PairForgetting: "forgetting of each retained task", PairForgettingNew: "forgetting of each retained task, as if it were new"}

var allTargets = []string{Accuracy, Gain, ScaledGain, Forgetting, PairForgetting, PairForgettingNew}

// scoreSet are the scores of one target and one number of inputs: what is
// compared in one table.
type scoreSet struct {
	target string
	inputs []string
	scores []Score
	// several tells whether other sets have other inputs.
	several bool
}

func scoreSets(scores []Score) []scoreSet {
	var sets []scoreSet
	for _, target := range allTargets {
		from := len(sets)
		for _, s := range scores {
			if s.Target != target {
				continue
			}
			i := slices.IndexFunc(sets[from:], func(set scoreSet) bool { return slices.Equal(set.inputs, s.Inputs) })
			if i < 0 {
				sets = append(sets, scoreSet{target: target, inputs: s.Inputs})
				i = len(sets) - 1 - from
			}
			sets[from+i].scores = append(sets[from+i].scores, s)
		}
	}
	for i := range sets {
		sets[i].several = slices.ContainsFunc(sets, func(other scoreSet) bool { return !slices.Equal(other.inputs, sets[i].inputs) })
	}
	return sets
}

// methods of the set, from the one that changes least of the model.
func (s scoreSet) methods() []string {
	var methods []string
	for _, score := range s.scores {
		if !slices.Contains(methods, score.Method) {
			methods = append(methods, score.Method)
		}
	}
	slices.SortStableFunc(methods, func(a, b string) int { return cmp.Compare(size(a), size(b)) })
	return methods
}

// predictors of the set, the candidates first.
func (s scoreSet) predictors() []string {
	var names, chosen []string
	for _, score := range s.scores {
		list := &names
		if !isCandidate(score.Predictor) {
			list = &chosen
		}
		if !slices.Contains(*list, score.Predictor) {
			*list = append(*list, score.Predictor)
		}
	}
	return append(names, chosen...)
}

func isCandidate(predictor string) bool { return predictor != Chosen && predictor != ChosenNewDomain }

// mean is that of the errors, and of R2, over the models of which holds; NaN of none.
func (s scoreSet) mean(predictor string, holds func(Score) bool) (off, r2 float64) {
	n, defined := 0.0, 0.0
	for _, score := range s.scores {
		if score.Predictor != predictor || !holds(score) {
			continue
		}
		n++
		off += score.Error
		if score.R2 != nil {
			defined++
			r2 += *score.R2
		}
	}
	return off / n, r2 / defined
}

// encoders are tuned by all methods but the probe, whose accuracy another probe
// tells trivially.
func encodersTuned(s Score) bool { return s.Method != "probe" }

// title says what was forecast and how.
func (s scoreSet) title() string {
	unit := "task"
	if s.scores[0].ByDomain {
		unit = "domain"
	}
	words := targetWords[s.target]
	if s.target == Gain {
		words = "gain and final accuracy"
	}
	return fmt.Sprintf("%s, each %s left out in turn%s: points that the forecast is off", sentence(words), unit, s.from())
}

// from names the inputs where scores are of several sets of inputs.
func (s scoreSet) from() string {
	if s.several {
		return ", from " + strings.Join(s.inputs, ", ")
	}
	return ""
}

func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// Tables shows scores: a table for each target with a row for each predictor and
// a column for each method, averaged over models, the best candidate of a column
// starred; and one of how often intervals held what was measured.
func Tables(scores []Score) []ScoreTable {
	var tables []ScoreTable
	cover := ScoreTable{Title: "What intervals of chosen predictors held; binomial intervals take models, methods and tasks for independent", Rows: [][]string{{"", "n", "of 80 %", "[95 % interval]", "of 95 %", "[95 % interval]", "median width of 80 %"}}}
	for _, set := range scoreSets(scores) {
		cover.Rows = append(cover.Rows, set.coverage()...)
		if set.target == Accuracy {
			continue // its errors are gain's
		}
		methods := set.methods()
		t := ScoreTable{Title: set.title(), Rows: [][]string{append([]string{"predictor"}, methods...)}}
		several := len(methods) > 1 && slices.ContainsFunc(methods, func(m string) bool { return m != "probe" })
		if several {
			t.Rows[0] = append(t.Rows[0], "all but probe")
		}
		columns := make([]func(Score) bool, 0, len(methods)+1)
		for _, method := range methods {
			columns = append(columns, func(s Score) bool { return s.Method == method })
		}
		if several {
			columns = append(columns, encodersTuned)
		}
		least := make([]float64, len(columns))
		for k, column := range columns {
			least[k] = math.Inf(1)
			for _, predictor := range set.predictors() {
				if off, _ := set.mean(predictor, column); isCandidate(predictor) && off < least[k] {
					least[k] = off
				}
			}
		}
		for _, predictor := range set.predictors() {
			row := []string{Label(predictor)}
			for k, column := range columns {
				off, r2 := set.mean(predictor, column)
				cell := figure(off)
				if off == least[k] && isCandidate(predictor) {
					cell += "*"
				}
				if strings.HasPrefix(set.target, PairForgetting) {
					cell += fmt.Sprintf(" (R2 %s)", figure(r2))
				}
				row = append(row, cell)
			}
			t.Rows = append(t.Rows, row)
		}
		tables = append(tables, t)
	}
	if len(cover.Rows) > 1 {
		tables = append(tables, cover)
	}
	return tables
}

// coverage are the rows of intervals of chosen predictors, of all methods and
// models together.
func (s scoreSet) coverage() [][]string {
	if s.target == Gain || s.target == ScaledGain {
		return nil // they are accuracy's
	}
	var rows [][]string
	for _, predictor := range []string{Chosen, ChosenNewDomain} {
		var c80, c95 Coverage
		var widths []float64
		for _, score := range s.scores {
			if score.Predictor == predictor {
				c80, c95 = c80.plus(score.Coverage80), c95.plus(score.Coverage95)
				widths = append(widths, score.Width80)
			}
		}
		if widths == nil {
			continue
		}
		slices.Sort(widths)
		name := targetWords[s.target] + s.from()
		if predictor == ChosenNewDomain {
			name += ", images of a kind never seen"
		}
		interval := func(c Coverage) string { return fmt.Sprintf("[%.2f, %.2f]", c.CI95[0], c.CI95[1]) }
		rows = append(rows, []string{name, fmt.Sprint(c80.N), fmt.Sprintf("%.2f", c80.Share), interval(c80), fmt.Sprintf("%.2f", c95.Share), interval(c95), figure(widths[len(widths)/2])})
	}
	return rows
}

func figure(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return fmt.Sprintf("%.2f", v)
}

// Statement says in plain words which predictor forecast each target best.
func Statement(scores []Score) string {
	var b strings.Builder
	for _, set := range scoreSets(scores) {
		if set.target == Accuracy || set.target == ScaledGain {
			continue // gain tells of the one, and its errors are the other's
		}
		names := set.predictors()
		off := map[string]float64{}
		best := ""
		for _, name := range names {
			off[name], _ = set.mean(name, encodersTuned)
			if isCandidate(name) && !math.IsNaN(off[name]) && (best == "" || off[name] < off[best]) {
				best = name
			}
		}
		if best == "" {
			continue
		}
		fmt.Fprintf(&b, "%s%s: best is %s, off by %.1f points on average", sentence(targetWords[set.target]), set.from(), Label(best), off[best])
		var others []string
		for _, name := range []string{"mean", "zero_shot", "iimm"} {
			if v, ok := off[name]; ok && name != best {
				others = append(others, fmt.Sprintf("%s %.1f", Label(name), v))
			}
		}
		if len(others) > 0 {
			fmt.Fprintf(&b, " (%s)", strings.Join(others, ", "))
		}
		fmt.Fprintf(&b, "; chosen without the task's own result it is %.1f.\n", off[Chosen])
	}
	return b.String()
}

// WriteMarkdown writes the tables and the statement.
func WriteMarkdown(w io.Writer, scores []Score) error {
	var b strings.Builder
	for _, t := range Tables(scores) {
		fmt.Fprintf(&b, "### %s\n\n", t.Title)
		for i, row := range t.Rows {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
			if i == 0 {
				b.WriteString(strings.Repeat("|---", len(row)) + "|\n")
			}
		}
		b.WriteByte('\n')
	}
	b.WriteString(Statement(scores))
	_, err := io.WriteString(w, b.String())
	return err
}
