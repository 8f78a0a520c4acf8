package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/fileio"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem/memfs"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/testing/passert"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/testing/ptest"

	"github.com/iimmkit/iimm/iimmkit/core/measure"
	"github.com/iimmkit/iimm/iimmkit/core/measure/golden"
	"github.com/iimmkit/iimm/iimmkit/core/shard"
	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
)

func init() { shard.Register("memfs", openCopy) }

// expand returns the files of patterns, sorted.
func expand(t *testing.T, patterns []string) []string {
	t.Helper()
	var files []string
	for _, p := range patterns {
		found, err := filepath.Glob(p)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	slices.Sort(files)
	return files
}

// oneMachine is what iimm map makes of the files.
func oneMachine(t *testing.T, patterns []string, opt shard.Options) *measure.Accumulator {
	t.Helper()
	a, err := shard.Map(t.Context(), expand(t, patterns), opt)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// onPrism runs the pipeline in this process and returns the file it wrote.
func onPrism(t *testing.T, patterns []string, f *fold) (string, error) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "all.stats")
	p, s := beam.NewPipelineWithRoot()
	one := statistics(s, patterns, f)
	passert.Count(s, one, "statistics", 1)
	beam.ParDo0(s, &write{Out: out}, one)
	return out, ptest.Run(p)
}

func TestPrismComesToTheGoldenValues(t *testing.T) {
	texts, path := captions(t)
	fused := &fold{}
	if err := fused.use(path); err != nil {
		t.Fatal(err)
	}
	for _, g := range []golden.Set{golden.Easy(), golden.Mid()} {
		patterns := writeShards(t, t.TempDir(), g, 0, 50, 51, 90, 119, 120)
		for _, c := range []struct {
			fold *fold
			opt  shard.Options
		}{{&fold{Classes: golden.C}, shard.Options{Classes: golden.C}}, {fused, shard.Options{Texts: texts}}} {
			out, err := onPrism(t, patterns, c.fold)
			if err != nil {
				t.Fatal(err)
			}
			got, err := shard.Read(out)
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, oneMachine(t, patterns, c.opt), texts)
			wantGolden(t, out, g, 5)
		}
	}
	out, err := onPrism(t, []string{"../core/embedding/parquet/testdata/mid.parquet"}, &fold{Classes: golden.C})
	if err != nil {
		t.Fatal(err)
	}
	wantGolden(t, out, golden.Mid(), 1)
}

func TestRowsOfAnyNormAreNormalized(t *testing.T) {
	g := golden.Mid()
	g.Images = slices.Clone(g.Images)
	for i := range g.Images {
		g.Images[i] *= float64(1 + i/golden.D%7)
	}
	patterns := writeShards(t, t.TempDir(), g, 0, 70, 120)
	out, err := onPrism(t, patterns, &fold{Classes: golden.C, Normalize: true})
	if err != nil {
		t.Fatal(err)
	}
	wantGolden(t, out, golden.Mid(), 2)
}

// A thousand captions of a large model travel with the job: 6 MB.
func TestManyWideCaptionsReachTheWorkers(t *testing.T) {
	const classes, d = 1000, 768
	rows := make([]float64, classes*d)
	for i := range rows {
		rows[i] = float64(i*i%101) - 50.5
	}
	texts, err := measure.NewTexts(rows, d)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := tensorfile.WriteNPY(filepath.Join(dir, "a.npy"), tensorfile.FromFloat64("images", []int{classes, d}, rows)); err != nil {
		t.Fatal(err)
	}
	labels := make([]int64, classes)
	for i := range labels {
		labels[i] = int64(i * 7 % classes)
	}
	if err := tensorfile.WriteNPY(filepath.Join(dir, "a.labels.npy"), tensorfile.FromInt64("labels", []int{classes}, labels)); err != nil {
		t.Fatal(err)
	}
	patterns := []string{filepath.Join(dir, "a.npy")}
	out, err := onPrism(t, patterns, &fold{Texts: packTexts(texts), Width: d, Normalize: true})
	if err != nil {
		t.Fatal(err)
	}
	got, err := shard.Read(out)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, oneMachine(t, patterns, shard.Options{Texts: texts, Normalize: true}), texts)
}

func TestSameRowsTwiceAreRefused(t *testing.T) {
	dir := t.TempDir()
	patterns := writeShards(t, dir, golden.Mid(), 0, 60, 120)
	again, err := os.ReadFile(filepath.Join(dir, "part01.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "part-renamed.safetensors"), again, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := onPrism(t, patterns, &fold{Classes: golden.C})
	if err == nil || !strings.Contains(err.Error(), "is in both") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Errorf("statistics were written: %v", err)
	}
}

// Prism makes one bundle of few files: what happens between bundles is tested here.
func TestBundlesAreFoldedAndMerged(t *testing.T) {
	texts, _ := captions(t)
	patterns := writeShards(t, t.TempDir(), golden.Mid(), 0, 20, 40, 60, 80, 100, 120)
	files := expand(t, patterns)
	f := &fold{Texts: packTexts(texts), Width: golden.D}
	if err := f.Setup(); err != nil {
		t.Fatal(err)
	}
	bundle := func(names ...string) (partial, error) {
		var emitted []partial
		emit := func(p partial) { emitted = append(emitted, p) }
		f.StartBundle(emit)
		for _, name := range names {
			if err := f.ProcessElement(t.Context(), fileio.ReadableFile{Metadata: fileio.FileMetadata{Path: name}}, emit); err != nil {
				return partial{}, err
			}
		}
		f.FinishBundle(emit)
		if len(names) == 0 {
			if len(emitted) != 0 {
				t.Errorf("an empty bundle emitted %v", emitted)
			}
			return partial{}, nil
		}
		if len(emitted) != 1 {
			t.Fatalf("%d elements from a bundle", len(emitted))
		}
		// As it travels.
		b, err := encodePartial(emitted[0])
		if err != nil {
			t.Fatal(err)
		}
		return decodePartial(b)
	}
	var parts []partial
	for _, names := range [][]string{files[:1], files[1:4], nil, files[4:]} {
		p, err := bundle(names...)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, p)
	}
	m := &merge{}
	sum := func(order ...int) (partial, error) {
		left, right := m.CreateAccumulator(), m.CreateAccumulator()
		for i, k := range order {
			b, err := encodePartial(parts[k])
			if err != nil {
				t.Fatal(err)
			}
			p, err := decodePartial(b) // merging changes its operands
			if err != nil {
				t.Fatal(err)
			}
			if i%2 == 0 {
				left, err = m.AddInput(left, p)
			} else {
				right, err = m.AddInput(right, p)
			}
			if err != nil {
				return partial{}, err
			}
		}
		return m.MergeAccumulators(left, right)
	}
	want := oneMachine(t, patterns, shard.Options{Texts: texts})
	for _, order := range [][]int{{0, 1, 2, 3}, {3, 1, 0, 2}, {2, 3, 1, 0}} {
		got, err := sum(order...)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got.Accumulator, want, texts)
	}
	for _, order := range [][]int{{0, 1, 3, 1}, {1, 0, 3, 0, 1}} { // within an accumulator, and between two
		if _, err := sum(order...); err == nil || !strings.Contains(err.Error(), "is in both") {
			t.Errorf("order %v: %v", order, err)
		}
	}

	// A bundle that failed leaves nothing to the next one.
	if _, err := bundle(files[0], filepath.Join(t.TempDir(), "absent.npy")); err == nil {
		t.Error("an absent file was folded")
	}
	got, err := bundle(files...)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got.Accumulator, want, texts)
	if _, err := bundle(files[2], files[2]); err == nil || !strings.Contains(err.Error(), files[2]) {
		t.Errorf("%v", err)
	}
}

func TestNothingTravelsAsNothingAndDamageIsFound(t *testing.T) {
	b, err := encodePartial(partial{})
	if err != nil || len(b) != 0 {
		t.Fatalf("%v, %v", b, err)
	}
	if p, err := decodePartial(b); err != nil || p.Accumulator != nil {
		t.Errorf("%v, %v", p, err)
	}
	patterns := writeShards(t, t.TempDir(), golden.Mid(), 0, 120)
	if b, err = encodePartial(partial{oneMachine(t, patterns, shard.Options{Classes: golden.C})}); err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if _, err := decodePartial(b); err == nil {
		t.Error("damage was not found")
	}
}

// Files of a store that gives no parts of them are read through a copy.
func TestShardsOfAnotherFileSystemAreCopiedAndRead(t *testing.T) {
	dir, store := t.TempDir(), memfs.New(t.Context())
	for _, path := range append(expand(t, writeShards(t, dir, golden.Mid(), 0, 50, 120)), filepath.Join(dir, "part00.labels.npy")) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := filesystem.Write(t.Context(), store, "memfs://in/"+filepath.Base(path), b); err != nil {
			t.Fatal(err)
		}
	}
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	const out = "memfs://out/all.stats"
	p, s := beam.NewPipelineWithRoot()
	beam.ParDo0(s, &write{Out: out}, statistics(s, []string{"memfs://in/part??.npy", "memfs://in/*.safetensors"}, &fold{Classes: golden.C}))
	if err := ptest.Run(p); err != nil {
		t.Fatal(err)
	}
	a, err := read(t.Context(), out, nil)
	if err != nil {
		t.Fatal(err)
	}
	here := filepath.Join(dir, "all.stats")
	if err := (&write{Out: here}).ProcessElement(t.Context(), partial{a}); err != nil {
		t.Fatal(err)
	}
	wantGolden(t, here, golden.Mid(), 2)
	if _, err := openCopy(t.Context(), "memfs://in/absent.npy"); err == nil {
		t.Error("an absent object was opened")
	}
	if left, _ := filepath.Glob(filepath.Join(temporary, "iimm-beam-*")); left != nil {
		t.Errorf("copies were left: %v", left)
	}
}

func TestWorkerEndsWhenItsRunnerIsGone(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	gone, ended := context.WithCancel(t.Context())
	go func() {
		runnerGone(l.Addr().String(), 10*time.Millisecond)
		ended()
	}()
	select {
	case <-gone.Done():
		t.Fatal("the runner was there")
	case <-time.After(200 * time.Millisecond):
	}
	l.Close()
	select {
	case <-gone.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the worker waits for a runner that is gone")
	}
}
