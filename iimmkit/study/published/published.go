// Package published holds figures of others about fine-tuned models, to compare
// with and to learn from without tuning anything.
package published

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// clipFineTunes are accuracies in percent: a line for each model before tuning
// and for each data set it was tuned on, a column for each data set it was
// tested on. Transcribed from tanganke/fusion_bench (MIT licence, Copyright 2024
// Anke Tang), the tables of eight tasks of docs/modelpool/clip_vit.md; ViT-B-16
// before tuning, which they lack, from the table of twenty tasks there.
//
//go:embed clip_finetunes.csv
var clipFineTunes string

const zeroShot = "zero-shot"

// FineTune is a model that was tuned on one task. Accuracies are in [0,1].
type FineTune struct {
	Model, Task string
	ZeroShot    float64 // accuracy on the task before tuning
	Accuracy    float64 // and after
	// OffTarget holds accuracy before and after tuning on every other task.
	OffTarget map[string][2]float64
}

// Gain is what tuning gained on the task, in points.
func (f FineTune) Gain() float64 { return 100 * (f.Accuracy - f.ZeroShot) }

// ScaledGain is the gain over the zero-shot error.
func (f FineTune) ScaledGain() float64 { return (f.Accuracy - f.ZeroShot) / (1 - f.ZeroShot) }

// Forgetting is what tuning lost on the other tasks, their mean, in points;
// positive is worse.
func (f FineTune) Forgetting() float64 {
	sum := 0.0
	for _, task := range Tasks() { // in a fixed order: a sum's last bits depend on it
		if a, ok := f.OffTarget[task]; ok {
			sum += 100 * (a[0] - a[1])
		}
	}
	return sum / float64(len(f.OffTarget))
}

// Models returns the models of FineTunes by their names in open_clip: OpenAI's
// CLIP in three sizes.
func Models() []string { return []string{"ViT-B-32", "ViT-B-16", "ViT-L-14"} }

// Tasks returns the data sets of FineTunes.
func Tasks() []string {
	header, _, _ := strings.Cut(clipFineTunes, "\n")
	return strings.Split(header, ",")[2:]
}

// FineTunes returns OpenAI's CLIP of three sizes, its image tower wholly tuned on
// each of eight data sets and tested on all of them: model by model, in the
// order of Models and Tasks.
func FineTunes() []FineTune {
	table, err := parseFineTunes(clipFineTunes)
	if err != nil {
		panic(err) // the table is part of the program and was tested
	}
	return table
}

func parseFineTunes(table string) ([]FineTune, error) {
	rows, err := csv.NewReader(strings.NewReader(table)).ReadAll()
	if err != nil {
		return nil, err
	}
	tasks := rows[0][2:]
	var out []FineTune
	var before []float64
	for _, row := range rows[1:] {
		accuracies := make([]float64, len(tasks))
		for i, cell := range row[2:] {
			percent, err := strconv.ParseFloat(cell, 64)
			if err != nil {
				return nil, err
			}
			accuracies[i] = percent / 100
		}
		if row[1] == zeroShot {
			before = accuracies
			continue
		}
		k := slices.Index(tasks, row[1])
		if k < 0 || before == nil {
			return nil, fmt.Errorf("row %v fits no column, or comes before its model", row)
		}
		f := FineTune{Model: row[0], Task: row[1], ZeroShot: before[k], Accuracy: accuracies[k], OffTarget: map[string][2]float64{}}
		for i, task := range tasks {
			if i != k {
				f.OffTarget[task] = [2]float64{before[i], accuracies[i]}
			}
		}
		out = append(out, f)
	}
	return out, nil
}
