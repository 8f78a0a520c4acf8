package forecast

import (
	"bytes"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

func TestTablesAverageOverModelsAndStarTheBest(t *testing.T) {
	score := func(model, method, predictor string, off float64) Score {
		return Score{Model: model, Method: method, Target: Gain, Inputs: []string{"zero-shot accuracy"}, Predictor: predictor, N: 10, Error: off, Coverage80: coverage(8, 10), Coverage95: coverage(10, 10)}
	}
	scores := []Score{
		score("a", "full", Chosen, 5), score("a", "full", "mean", 9), score("a", "full", "zero_shot", 3),
		score("b", "full", Chosen, 7), score("b", "full", "mean", 11), score("b", "full", "zero_shot", 6),
		score("a", "probe", Chosen, 1), score("a", "probe", "mean", 2), score("a", "probe", "zero_shot", 2.5),
	}
	var b bytes.Buffer
	if err := WriteMarkdown(&b, scores); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"### Gain and final accuracy, each task left out in turn: points that the forecast is off",
		"| predictor | probe | full | all but probe |",
		"| mean of the other tasks | 2.00* | 10.00 | 10.00 |",
		"| zero-shot error | 2.50 | 4.50* | 4.50* |",
		"| chosen without the task | 1.00 | 6.00 | 6.00 |",
		"Gain: best is zero-shot error, off by 4.5 points on average (mean of the other tasks 10.0); chosen without the task's own result it is 6.0.",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("lacks %q:\n%s", want, b.String())
		}
	}
}

func TestTablesOfAWorld(t *testing.T) {
	w := newWorld(4)
	c := mustNew(t, w.tasks(9), w.retained(), Options{})
	list, err := c.Evaluate(t.Context(), progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	tables := Tables(list)
	if len(tables) != 6 { // six targets, accuracy and gain in one, and coverage
		t.Fatalf("%d tables", len(tables))
	}
	last := tables[5]
	// Accuracy and forgetting, of tasks and of domains, and pairs: nine tasks by six retained.
	if len(last.Rows) != 7 || last.Rows[2][0] != "final accuracy, images of a kind never seen" || last.Rows[5][1] != "54" {
		t.Errorf("%q", last.Rows)
	}
	for _, table := range tables {
		for _, row := range table.Rows {
			if len(row) != len(table.Rows[0]) || strings.Contains(strings.Join(row, ""), "NaN") {
				t.Errorf("%s: row %q", table.Title, row)
			}
		}
	}
}
