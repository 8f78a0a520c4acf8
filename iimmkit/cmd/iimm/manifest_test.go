package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/iimmkit/iimm/iimmkit/core/measure/golden"
)

// kubernetesJob is what a test needs of a manifest.
type kubernetesJob struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		Completions    int
		Parallelism    int
		CompletionMode string `yaml:"completionMode"`
		Template       struct {
			Spec struct {
				Containers []struct {
					Command []string
					Env     []struct{ Name, Value string }
				}
			}
		}
	}
}

// jobs reads the manifests in the documentation.
func jobs(t *testing.T) []kubernetesJob {
	t.Helper()
	text, err := os.ReadFile("../../../docs/many-machines.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(text, []byte("```yaml\n"))
	manifest, _, closed := bytes.Cut(rest, []byte("```"))
	if !closed {
		t.Fatal("no manifest in the documentation")
	}
	var all []kubernetesJob
	d := yaml.NewDecoder(bytes.NewReader(manifest))
	for {
		var j kubernetesJob
		err := d.Decode(&j)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, j)
	}
}

// Runs the commands of the documented jobs, each pod with its environment.
func TestDocumentedJobsComeToTheGoldenValues(t *testing.T) {
	all := jobs(t)
	if len(all) != 2 || all[0].Metadata.Name != "iimm-map" || all[1].Metadata.Name != "iimm-reduce" {
		t.Fatalf("%+v", all)
	}
	m := all[0].Spec
	container := m.Template.Spec.Containers[0]
	if all[0].Kind != "Job" || m.CompletionMode != "Indexed" || m.Completions < 2 || m.Parallelism != m.Completions {
		t.Errorf("%+v", m)
	}
	if len(container.Env) != 1 || container.Env[0].Name != "IIMM_PARTS" || container.Env[0].Value != fmt.Sprint(m.Completions) {
		t.Errorf("%+v", container.Env)
	}

	g := golden.Mid()
	data, shards, _ := goldenShards(t, g, 40)
	if err := os.WriteFile(filepath.Join(data, "shards.txt"), []byte(strings.Join(shards, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for index := range m.Completions {
		t.Setenv(container.Env[0].Name, container.Env[0].Value)
		t.Setenv("JOB_COMPLETION_INDEX", fmt.Sprint(index))
		var args []string
		for _, a := range container.Command {
			a = strings.ReplaceAll(a, "$(JOB_COMPLETION_INDEX)", fmt.Sprint(index))
			args = append(args, strings.ReplaceAll(a, "/data/", data+"/"))
		}
		if code, _, errs := iimmRun(args[1:]...); args[0] != "iimm" || code != 0 {
			t.Fatalf("%v: exit %d, %s", args, code, errs)
		}
	}
	shell := all[1].Spec.Template.Spec.Containers[0].Command
	if len(shell) != 3 || shell[0] != "sh" || shell[1] != "-c" {
		t.Fatalf("%q", shell)
	}
	line := strings.ReplaceAll(shell[2], "`wc -l < /data/shards.txt`", fmt.Sprint(len(shards)))
	var args []string
	for _, a := range strings.Fields(strings.ReplaceAll(line, "/data/", data+"/")) {
		if strings.Contains(a, "*") {
			names, err := filepath.Glob(a)
			if err != nil || len(names) != m.Completions {
				t.Fatalf("%v: %v", err, names)
			}
			args = append(args, names...)
			continue
		}
		args = append(args, a)
	}
	code, out, errs := iimmRun(args[1:]...)
	var got struct {
		Shards  int
		Measure map[string]*float64
	}
	if err := json.Unmarshal([]byte(out), &got); args[0] != "iimm" || code != 0 || err != nil {
		t.Fatalf("%v: exit %d, %v, %s", args, code, err, errs)
	}
	for key, want := range g.Values {
		if v := got.Measure[key]; key != "inter_by_class" && (v == nil || math.Abs(*v-want) > 1e-12) {
			t.Errorf("%s: %v, want %v", key, v, want)
		}
	}
	// A part that is not there is noticed.
	if err := os.Remove(filepath.Join(data, "stats", "3.stats")); err != nil {
		t.Fatal(err)
	}
	args = append([]string{"reduce"}, args[2:]...)
	for i, a := range args {
		if strings.HasSuffix(a, "3.stats") && !strings.HasSuffix(a, "13.stats") {
			args = append(args[:i], args[i+1:]...)
			break
		}
	}
	if code, _, errs := iimmRun(args...); code != 1 || !strings.Contains(errs, "not of 40") {
		t.Errorf("exit %d, %s", code, errs)
	}
}
