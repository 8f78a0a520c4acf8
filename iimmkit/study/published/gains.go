package published

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
)

// clipGains are accuracies in percent of models on data sets, before and after
// tuning the image tower on them. zero_shot and finetuned are transcribed from
// tanganke/fusion_bench (MIT licence, Copyright 2024 Anke Tang), the tables of
// twenty tasks of docs/modelpool/clip_vit.md; probe_10 and probe, of linear probes
// fitted to ten images a class and to all, from LAION-AI/CLIP_benchmark (MIT
// licence), probe_benchmark/scaling_experiment_data2.json, the best learning rate
// of three, on the nine data sets that both have. The numbers of classes are those
// of the data sets.
//
//go:embed clip_gains.csv
var clipGains string

// Gained is a model before and after tuning on a task. Accuracies are in [0,1].
type Gained struct {
	Model, Task string
	Classes     int
	ZeroShot    float64
	// Probe10 and Probe are those of linear probes on the frozen embeddings of ten
	// images a class and of all training images; nil where nobody published them.
	Probe10, Probe *float64
	Accuracy       float64 // after tuning
}

// Gains returns what tuning gained OpenAI's CLIP of three sizes on each of twenty
// data sets: model by model, in the order of Models.
func Gains() []Gained {
	table, err := parseGains(clipGains)
	if err != nil {
		panic(err) // the table is part of the program and was tested
	}
	return table
}

func parseGains(table string) ([]Gained, error) {
	rows, err := csv.NewReader(strings.NewReader(table)).ReadAll()
	if err != nil {
		return nil, err
	}
	var out []Gained
	for _, row := range rows[1:] {
		g := Gained{Model: row[0], Task: row[1]}
		if g.Classes, err = strconv.Atoi(row[2]); err != nil {
			return nil, err
		}
		for k, cell := range row[3:] {
			if cell == "" {
				continue
			}
			percent, err := strconv.ParseFloat(cell, 64)
			if err != nil {
				return nil, fmt.Errorf("%s on %s: %w", g.Model, g.Task, err)
			}
			v := percent / 100
			switch k {
			case 0:
				g.ZeroShot = v
			case 1:
				g.Probe10 = &v
			case 2:
				g.Probe = &v
			case 3:
				g.Accuracy = v
			}
		}
		out = append(out, g)
	}
	return out, nil
}
