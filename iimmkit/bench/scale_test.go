package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/core/embedding"
	"github.com/iimmkit/iimm/iimmkit/core/measure"
	"github.com/iimmkit/iimm/iimmkit/core/shard"
)

// spoil names, in the environment, what the program under test does wrong.
const spoil = "IIMM_BENCH_TEST_SPOIL"

// TestMain lets the test's own binary be the program that Scale runs.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "map" || os.Args[1] == "reduce") {
		if err := program(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// program does what Scale asks iimm for, by the packages that iimm calls, but
// always per class.
func program(args []string) error {
	captions, err := embedding.OpenCaptions("captions.npy")
	if err != nil {
		return err
	}
	texts, err := measure.NewTexts(captions.Texts.Float64s(), captions.Texts.Cols)
	if err != nil {
		return err
	}
	var out string
	var files []string
	for k, a := range args {
		if strings.HasSuffix(a, ".safetensors") || strings.HasSuffix(a, ".stats") && args[k-1] != "--out" {
			files = append(files, a)
		} else if k > 0 && args[k-1] == "--out" {
			out = a
		}
	}
	switch os.Getenv(spoil) {
	case "lose":
		files = files[1:]
	case "die":
		return errors.New("no such luck")
	}
	if args[0] == "map" {
		a, err := shard.Map(context.Background(), files, shard.Options{Classes: texts.Classes()})
		if err != nil {
			return err
		}
		b, err := a.MarshalBinary()
		if err != nil {
			return err
		}
		return os.WriteFile(out, b, 0o600)
	}
	a, err := shard.Reduce(context.Background(), files, nil)
	if err != nil {
		return err
	}
	r, err := a.Result(texts)
	if err != nil {
		return err
	}
	if os.Getenv(spoil) == "shift" {
		r.Intra += 1e-6
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]measure.Result{"measure": r})
}

func scaleOptions(t *testing.T) ScaleOptions {
	t.Helper()
	return ScaleOptions{Program: os.Args[0], Dir: t.TempDir(), Rows: []int{500}, Blobs: []int{4}, Width: []int{6}, Classes: []int{3}, Runs: 2}
}

func collectScale(t *testing.T, o ScaleOptions) (runs []ScaleRun) {
	t.Helper()
	if err := Scale(t.Context(), o, func(r ScaleRun) error { runs = append(runs, r); return nil }); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(o.Dir); err != nil || len(left) > 0 {
		t.Errorf("left in the folder: %v, %v", left, err)
	}
	return runs
}

func TestScaleRunsEveryProgramOnEverySet(t *testing.T) {
	seen := map[string]int{}
	for _, r := range collectScale(t, scaleOptions(t)) {
		seen[r.Program+" "+r.State]++
		if r.N != 500 && r.N != 4*blobRows || r.D != 6 || r.Classes != 3 || r.Files < 1 || r.Bytes < 1 || r.Seconds <= 0 || r.Machine == "" || r.Processors < 1 {
			t.Errorf("%+v", r)
		}
		if (r.Difference == nil) != (r.Program == "cat") || r.Difference != nil && *r.Difference > 1e-14 {
			t.Errorf("%s %s differs from one pass by %v", r.Program, r.State, r.Difference)
		}
		if r.PeakBytes != nil && (r.Program == "cat" || *r.PeakBytes < 1<<20) {
			t.Errorf("%s: peak %d", r.Program, *r.PeakBytes)
		}
		if r.From != fromDisk && r.From != fromMemory {
			t.Errorf("from %q", r.From)
		}
	}
	places := 1 // memory; the disk only where files can be dropped from it
	if f := filepath.Join(t.TempDir(), "f"); os.WriteFile(f, []byte("x"), 0o600) == nil && evict(f) {
		places = 2
	}
	for name, want := range map[string]int{"map captions": 2, "map classes": 2, "reduce captions": 2, "reduce classes": 2} {
		if seen[name] != places*want {
			t.Errorf("%s ran %d times, want %d", name, seen[name], places*want)
		}
	}
}

func TestScaleSeesWrongResults(t *testing.T) {
	for what, want := range map[string]string{"lose": "rows of", "die": "no such luck"} {
		t.Setenv(spoil, what)
		o := scaleOptions(t)
		o.Rows = nil
		err := Scale(t.Context(), o, func(ScaleRun) error { return nil })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	t.Setenv(spoil, "shift")
	o := scaleOptions(t)
	o.Rows = nil
	for _, r := range collectScale(t, o) {
		if r.Difference != nil && math.Abs(*r.Difference-1e-6) > 1e-9 {
			t.Errorf("difference %v of a measure that is 1e-6 off", *r.Difference)
		}
	}
}

func TestScaleRefusesAndStops(t *testing.T) {
	for _, change := range []func(*ScaleOptions){
		func(o *ScaleOptions) { o.Rows, o.Blobs = nil, nil }, func(o *ScaleOptions) { o.Rows = []int{1} }, func(o *ScaleOptions) { o.Blobs = []int{0} },
		func(o *ScaleOptions) { o.Width = nil }, func(o *ScaleOptions) { o.Classes = []int{3, 1} }, func(o *ScaleOptions) { o.Runs = 0 },
		func(o *ScaleOptions) { o.Dir = filepath.Join(o.Dir, "absent") },
	} {
		o := scaleOptions(t)
		change(&o)
		if err := Scale(t.Context(), o, func(ScaleRun) error { return nil }); err == nil {
			t.Errorf("%+v accepted", o)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := Scale(ctx, scaleOptions(t), func(ScaleRun) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestScaleSetsAreUnitRowsThatDiffer(t *testing.T) {
	s, err := newScaleSet(t.TempDir(), 16, 4)
	if err != nil {
		t.Fatal(err)
	}
	const n = 2000
	rows, labels := make([]float32, n*16), make([]int, n)
	s.draw(rows, labels)
	seen, counts := map[[16]float32]bool{}, make([]int, 4)
	for i, y := range labels {
		counts[y]++
		row := [16]float32(rows[i*16 : (i+1)*16])
		seen[row] = true
		q := 0.0
		for _, v := range row {
			q += float64(v) * float64(v)
		}
		if math.Abs(q-1) > 1e-6 {
			t.Fatalf("row %d has squared norm %v", i, q)
		}
	}
	if len(seen) != n || counts[0] == 0 || counts[3] == 0 {
		t.Errorf("%d different rows of %d, counts %v", len(seen), n, counts)
	}
}

func TestMeasurementsAreAddedToCSV(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scale.csv")
	peak, zero := int64(7), 0.0
	for _, r := range []ScaleRun{{Machine: "a, b", Program: "cat", N: 3, Seconds: 0.123456}, {Program: "map", PeakBytes: &peak, Difference: &zero}} {
		if err := r.AddToCSV(path); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join(scaleHeader, ",") + "\n" + `,"a, b",0,,cat,,,3,0,0,0,0,0.1235,0,,` + "\n,,0,,map,,,0,0,0,0,0,0,0,7,0\n"
	if string(got) != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	for _, other := range []string{"model,task\n", want[:len(want)-1]} {
		if err := os.WriteFile(path, []byte(other), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := (ScaleRun{}).AddToCSV(path); err == nil {
			t.Errorf("a line was added to %q", other)
		}
		if now, _ := os.ReadFile(path); string(now) != other {
			t.Errorf("%q became %q", other, now)
		}
	}
}
