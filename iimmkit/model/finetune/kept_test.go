package finetune

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/encodertest"
)

func TestKeptModelsAreAppliedToTheirBase(t *testing.T) {
	for _, family := range encoder.Families() {
		e, err := encodertest.TinyOf(openGo(t), family, testCaptions...)
		if err != nil {
			t.Fatal(err)
		}
		d, start := coloured(t, e, 30, 1), weights(t, e)
		hash, err := e.Hash()
		if err != nil {
			t.Fatal(err)
		}
		for _, method := range Methods() {
			t.Run(family+"/"+method, func(t *testing.T) {
				defer restore(t, e, start)
				o := quick()
				o.Steps, o.Rate, o.LoRA.MLP, o.LoRA.Rank, o.TrainLogitScale = 5, 1e-2, true, 2, method == "lora"
				tuned := run(t, open(t, e, method, o), d, 0)
				want, dir := weights(t, e), t.TempDir()
				if err := Keep(dir, e, Base{"tiny", hash}, method, tuned); err != nil {
					t.Fatal(err)
				}
				restore(t, e, start)
				k, err := Open(dir)
				if err != nil || k.Method != method || !k.Whole && k.Base != (Base{"tiny", hash}) {
					t.Fatalf("%+v, %v", k, err)
				}
				err = k.Apply(e, 1)
				switch method {
				case "full":
					if !k.Whole || err == nil {
						t.Error("a checkpoint was applied")
					}
				case "adapter":
					if !reflect.DeepEqual(k.Adapter, tuned.Adapter) || err == nil || !strings.Contains(err.Error(), "not linear") {
						t.Errorf("adapter: %v", err)
					}
				case "probe":
					if !reflect.DeepEqual(k.Probe.Weight, tuned.Probe.Weight) || !slices.Equal(k.Probe.Present, tuned.Probe.Present) || err == nil {
						t.Errorf("probe: %v", err)
					}
				default:
					if err != nil || !reflect.DeepEqual(weights(t, e), want) {
						t.Errorf("the base with what was kept is not the tuned model (%v)", err)
					}
					restore(t, e, start)
					if err := k.Apply(e, 0); err != nil || !reflect.DeepEqual(weights(t, e), start) {
						t.Errorf("no part of the way moved the weights (%v)", err)
					}
					restore(t, e, want)
					e.Moved()
					if err := k.Apply(e, 1); err == nil || !strings.Contains(err.Error(), "hash") {
						t.Errorf("applied to another model: %v", err)
					}
				}
			})
		}
	}
}

func TestInterpolationGoesStraight(t *testing.T) {
	e := tiny(t)
	start, tuned := weights(t, e), encoder.Weights{}
	for name, w := range start {
		moved := slices.Clone(w)
		for i := range moved {
			moved[i] += float32(i%7) - 3
		}
		tuned[name] = moved
	}
	for _, part := range []float64{0, .25, 1, 1.5} {
		if err := Interpolate(e, start, tuned, part); err != nil {
			t.Fatal(err)
		}
		for name, w := range weights(t, e) {
			for i, v := range w {
				want := float64(start[name][i]) + part*(float64(tuned[name][i])-float64(start[name][i]))
				if math.Abs(float64(v)-want) > 1e-6 {
					t.Fatalf("part %v of %s: %v, want %v", part, name, v, want)
				}
			}
		}
	}
	if err := Interpolate(e, start, encoder.Weights{}, .5); err == nil {
		t.Error("absent weights were mixed")
	}
}

func TestOpenRefusesWhatIsNoTunedModel(t *testing.T) {
	write := func(name string, meta map[string]string, list ...tensorfile.Tensor) string {
		dir := t.TempDir()
		if err := tensorfile.WriteSafetensors(filepath.Join(dir, name), list, meta); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	meta := func(method string, more ...string) map[string]string {
		m := map[string]string{"format": "iimm " + method + " 1", "model": "m", "model_hash": "h"}
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	one := tensorfile.FromFloat32("x", []int{1}, []float32{1})
	both := write(deltaFile, meta("bitfit"), one)
	if err := tensorfile.WriteSafetensors(filepath.Join(both, loraFile), []tensorfile.Tensor{one}, meta("lora")); err != nil {
		t.Fatal(err)
	}
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, probeFile), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for want, dir := range map[string]string{
		"holds no tuned model":            t.TempDir(),
		"was not written by iimm":         write(loraFile, map[string]string{"format": "pt"}, one),
		"came of methods":                 both,
		"rank \"\" is not":                write(loraFile, meta("lora"), one),
		"is none of LoRA":                 write(loraFile, meta("lora", "rank", "1", "scale", "2"), one),
		"scale \"NaN\" is not":            write(loraFile, meta("lora", "rank", "1", "scale", "NaN"), one),
		"image_adapter.fc.0.weight":       write(adapterFile, meta("adapter", "ratio", ".2"), one),
		"has shape [1], not [0 0]":        write(adapterFile, meta("adapter", "ratio", ".2"), tensorfile.FromFloat32(adapterNames[0], []int{1}, []float32{1})),
		"do not fit each other: 1 means,": write(probeFile, meta("probe", "l2", "1"), wide("bias", 2), wide("mean", 1), wide("scale", 2), wide("weight", 2)),
		probeFile:                         broken,
	} {
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func wide(name string, n int) tensorfile.Tensor {
	return tensorfile.FromFloat64(name, []int{n}, make([]float64, n))
}
