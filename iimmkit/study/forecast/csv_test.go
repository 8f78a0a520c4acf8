package forecast

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadObservations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "figures.csv")
	if err := os.WriteFile(path, []byte("\ufeffmodel,task,method,classes,zero_shot_accuracy,probe_cv_accuracy,iimm,accuracy,forgetting\nv,pets,lora,37,.8,.9,.4,.95,1.5\nv,cars,,,.6,,,.7,\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	list, err := ReadObservations(path)
	if err != nil || len(list) != 2 {
		t.Fatal(list, err)
	}
	if o := list[0]; o.Model != "v" || o.Task != "pets" || o.Method != "lora" || o.Classes != 37 || o.ZeroShotAccuracy != .8 || *o.ProbeCVAccuracy != .9 || *o.IIMM != .4 || o.Accuracy != .95 || *o.Forgetting != 1.5 || o.Seeds != 1 {
		t.Errorf("%+v", o)
	}
	if o := list[1]; o.Method != "full" || o.Classes != 0 || o.ProbeCVAccuracy != nil || o.IIMM != nil || o.Forgetting != nil {
		t.Errorf("%+v", o)
	}
	if _, err := ReadObservations(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there was read")
	}
}

func TestBadObservationFilesAreRefused(t *testing.T) {
	const head = "model,task,zero_shot_accuracy,accuracy"
	for text, want := range map[string]string{
		"":                                  "the file is empty",
		"model,task,accuracy\n":             "column zero_shot_accuracy is missing",
		head + ",acc\n":                     `no column "acc"`,
		head + ",task\n":                    `column "task" comes twice`,
		head + "\nv,t,80,.9\n":              "line 2: v full on t: zero_shot_accuracy is 80: must be in 0..1",
		head + "\nv,t,.8,NaN\n":             "accuracy is NaN",
		head + "\nv,t,.8,\n":                "line 2: accuracy is missing",
		head + "\nv,t,.8,high\n":            `accuracy is "high": must be a number`,
		head + ",classes\nv,t,.8,.9,many\n": `classes is "many": must be a whole number`,
		head + "\nv,t,.8\n":                 "wrong number of fields",
	} {
		if _, err := parseObservations([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}

func FuzzParseObservations(f *testing.F) {
	f.Add([]byte("model,task,zero_shot_accuracy,accuracy\nv,t,.8,.9\n"))
	f.Add([]byte("model,task,method,domain,seeds,classes,zero_shot_accuracy,probe_10_accuracy,accuracy,forgetting\n\"a,b\",t,lora,d,3,2,0,1,1,-100\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := parseObservations(data)
		if err != nil {
			return
		}
		for _, o := range list {
			if err := o.check(); err != nil {
				t.Error(err)
			}
		}
	})
}
