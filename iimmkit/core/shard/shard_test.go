package shard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/core/embedding"
	_ "github.com/iimmkit/iimm/iimmkit/core/embedding/parquet"
	"github.com/iimmkit/iimm/iimmkit/core/measure"
	"github.com/iimmkit/iimm/iimmkit/core/measure/golden"
	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
)

// parts writes rows cut[k]..cut[k+1]-1 of a golden set as shards, in turn arrays,
// published arrays and safetensors.
func parts(t testing.TB, g golden.Set, cut ...int) []string {
	t.Helper()
	dir := t.TempDir()
	var names []string
	for k := range len(cut) - 1 {
		lo, hi := cut[k], cut[k+1]
		images := tensorfile.FromFloat64("images", []int{hi - lo, golden.D}, g.Images[lo*golden.D:hi*golden.D])
		y := make([]int32, hi-lo)
		for i := range y {
			y[i] = int32(g.Labels[lo+i])
		}
		labels := tensorfile.FromInt32("labels", []int{hi - lo}, y)
		base := filepath.Join(dir, fmt.Sprintf("part%d", k))
		var errs []error
		switch k % 3 {
		case 0:
			errs = append(errs, tensorfile.WriteNPY(base+".npy", images), tensorfile.WriteNPY(base+".labels.npy", labels))
			base += ".npy"
		case 1:
			errs = append(errs, tensorfile.WriteNPY(base+"_im_features.npy", images), tensorfile.WriteNPY(base+"_labels.npy", labels))
			base += "_im_features.npy"
		case 2:
			errs = append(errs, tensorfile.WriteSafetensors(base+".safetensors", []tensorfile.Tensor{images, labels}, nil))
			base += ".safetensors"
		}
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		names = append(names, base)
	}
	return names
}

func texts(t testing.TB) *measure.Texts {
	t.Helper()
	table, err := measure.NewTexts(golden.Texts(), golden.D)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func wantGolden(t *testing.T, a *measure.Accumulator, g golden.Set, except ...string) {
	t.Helper()
	g.Values = maps.Clone(g.Values)
	r, err := a.Result(texts(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range except {
		delete(g.Values, key)
	}
	for _, d := range g.Differences(r, 1e-12) {
		t.Error(d)
	}
}

func TestShardsOfEveryFormComeToTheGoldenValues(t *testing.T) {
	for _, g := range []golden.Set{golden.Easy(), golden.Mid()} {
		shards := parts(t, g, 0, 50, 51, 90, 119, 120)
		perClass, err := Map(t.Context(), shards, Options{Classes: golden.C})
		if err != nil {
			t.Fatal(err)
		}
		wantGolden(t, perClass, g)
		fused, err := Map(t.Context(), shards, Options{Texts: texts(t)})
		if err != nil {
			t.Fatal(err)
		}
		wantGolden(t, fused, g, "inter_by_class")
		if len(fused.Shards()) != len(shards) || fused.N() != golden.N {
			t.Errorf("%v, %d rows", fused.Shards(), fused.N())
		}
	}
	// A file that pyarrow wrote.
	mid, err := Map(t.Context(), []string{"../embedding/parquet/testdata/mid.parquet"}, Options{Classes: golden.C})
	if err != nil {
		t.Fatal(err)
	}
	wantGolden(t, mid, golden.Mid())
}

func TestStatisticsHaveTheSameBitsOnAnyNumberOfProcessors(t *testing.T) {
	shards := parts(t, golden.Mid(), 0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120)
	var first []byte
	for _, procs := range []int{1, 2, 7} {
		before := runtime.GOMAXPROCS(procs)
		a, err := Map(t.Context(), shards, Options{Classes: golden.C})
		runtime.GOMAXPROCS(before)
		if err != nil {
			t.Fatal(err)
		}
		b, err := a.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = b
		}
		if !bytes.Equal(b, first) {
			t.Errorf("%d processors: other bits", procs)
		}
	}
}

func TestNormalizedShards(t *testing.T) {
	g := golden.Mid()
	g.Images = slices.Clone(g.Images)
	for i := range g.Images {
		g.Images[i] *= float64(2 + i/golden.D)
	}
	a, err := Map(t.Context(), parts(t, g, 0, 60, 120), Options{Classes: golden.C, Normalize: true})
	if err != nil {
		t.Fatal(err)
	}
	wantGolden(t, a, golden.Mid())
}

// serve serves a folder by range requests, as object stores do.
func serve(t *testing.T, dir string) string {
	t.Helper()
	s := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(s.Close)
	return s.URL
}

func TestShardsOnAServer(t *testing.T) {
	local := parts(t, golden.Mid(), 0, 40, 80, 120)
	address := serve(t, filepath.Dir(local[0]))
	var shards []string
	for _, s := range local {
		shards = append(shards, address+"/"+filepath.Base(s)+"?signature=a/b")
	}
	a, err := Map(t.Context(), shards, Options{Classes: golden.C})
	if err != nil {
		t.Fatal(err)
	}
	wantGolden(t, a, golden.Mid())
	parquet := serve(t, "../embedding/parquet/testdata")
	if a, err = Map(t.Context(), []string{parquet + "/mid.parquet"}, Options{Classes: golden.C}); err != nil {
		t.Fatal(err)
	}
	wantGolden(t, a, golden.Mid())
	if _, err := Map(t.Context(), []string{address + "/absent.npy"}, Options{Classes: golden.C}); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("%v", err)
	}
}

func TestRegisteredSchemesAndOthers(t *testing.T) {
	local := parts(t, golden.Mid(), 0, 120)
	defer delete(schemes, "box")
	Register("box", func(ctx context.Context, path string) (embedding.Source, error) {
		return openFile(filepath.Join(filepath.Dir(local[0]), strings.TrimPrefix(path, "box://")))
	})
	a, err := Map(t.Context(), []string{"box://" + filepath.Base(local[0])}, Options{Classes: golden.C})
	if err != nil {
		t.Fatal(err)
	}
	wantGolden(t, a, golden.Mid())
	if _, err := Open(t.Context(), "s3://bucket/a.npy"); err == nil || !strings.Contains(err.Error(), "reads files and https, box addresses") {
		t.Errorf("%v", err)
	}
	if _, err := Open(t.Context(), "http://example.com/a.npy"); err == nil || !strings.Contains(err.Error(), "only https") {
		t.Errorf("%v", err)
	}
}

func TestSameRowsAreCountedOnce(t *testing.T) {
	g := golden.Mid()
	shards := parts(t, g, 0, 40, 80, 120)
	again := parts(t, g, 80, 120, 120)[:1] // the last one's rows, in another form
	_, err := Map(t.Context(), append(slices.Clone(shards), again...), Options{Classes: golden.C})
	if err == nil || !strings.Contains(err.Error(), "part0.npy holds the same rows as ") || !strings.Contains(err.Error(), "part2.safetensors") {
		t.Errorf("%v", err)
	}
	twice := append(slices.Clone(shards), filepath.Dir(shards[0])+"/./"+filepath.Base(shards[0]))
	if _, err := Map(t.Context(), twice, Options{Classes: golden.C}); err == nil || !strings.Contains(err.Error(), "listed twice") {
		t.Errorf("%v", err)
	}
	// In two blobs.
	blob := func(name string, shards ...string) string {
		a, err := Map(t.Context(), shards, Options{Classes: golden.C})
		if err != nil {
			t.Fatal(err)
		}
		b, err := a.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	one, two, three := blob("one", shards[0], shards[1]), blob("two", shards[2]), blob("three", again[0])
	a, err := Reduce(t.Context(), []string{one, two}, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantGolden(t, a, g)
	if _, err := Reduce(t.Context(), []string{one, two, three}, nil); err == nil || !strings.Contains(err.Error(), two+" and "+three+" hold the same shard") {
		t.Errorf("%v", err)
	}
	if _, err := Reduce(t.Context(), []string{one, one}, nil); err == nil || !strings.Contains(err.Error(), "hold the same shard") {
		t.Errorf("%v", err)
	}
	// Statistics of other programs, which may name no shards.
	nameless, err := measure.New(golden.C, golden.D)
	if err != nil {
		t.Fatal(err)
	}
	if err := nameless.AddBatchFloat64(g.Images, g.Labels); err != nil {
		t.Fatal(err)
	}
	b, err := nameless.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "nameless")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Reduce(t.Context(), []string{path, path}, nil); err == nil || !strings.Contains(err.Error(), "hold the same shard") {
		t.Errorf("%v", err)
	}
}

func TestWhatCannotBeMappedIsOneLine(t *testing.T) {
	g := golden.Mid()
	dir := t.TempDir()
	array := func(name string, rows int, change func(x []float64)) string {
		x := slices.Clone(g.Images[:rows*golden.D])
		if change != nil {
			change(x)
		}
		path := filepath.Join(dir, name+".npy")
		err := errors.Join(tensorfile.WriteNPY(path, tensorfile.FromFloat64("", []int{rows, golden.D}, x)),
			tensorfile.WriteNPY(filepath.Join(dir, name+".labels.npy"), tensorfile.FromInt64("", []int{10}, make([]int64, 10))))
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	narrow := filepath.Join(dir, "narrow.safetensors")
	if err := tensorfile.WriteSafetensors(narrow, []tensorfile.Tensor{tensorfile.FromFloat32("images", []int{1, 2}, []float32{1, 0}),
		tensorfile.FromInt64("labels", []int{1}, []int64{0})}, nil); err != nil {
		t.Fatal(err)
	}
	unlabelled := filepath.Join(dir, "unlabelled.safetensors")
	if err := tensorfile.WriteSafetensors(unlabelled, []tensorfile.Tensor{tensorfile.FromFloat32("images", []int{1, 2}, []float32{1, 0})}, nil); err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(dir, "cut.npy")
	b, err := os.ReadFile(array("whole", 10, nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cut, b[:1000], 0o600); err != nil {
		t.Fatal(err)
	}
	ok, lonely := array("ok", 10, nil), array("lonely", 10, nil)
	if err := os.Remove(filepath.Join(dir, "lonely.labels.npy")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		shards []string
		opt    Options
		want   string
	}{
		"none":           {nil, Options{Classes: 6}, "no shards"},
		"nothing said":   {[]string{ok}, Options{}, "no captions and 0 classes"},
		"both said":      {[]string{ok}, Options{Classes: 6, Texts: texts(t)}, "captions and a number"},
		"one class":      {[]string{ok}, Options{Classes: 1}, "at least 2 classes"},
		"absent":         {[]string{filepath.Join(dir, "absent.npy")}, Options{Classes: 6}, "no such file"},
		"folder":         {[]string{dir}, Options{Classes: 6}, "not a regular file"},
		"no labels":      {[]string{lonely}, Options{Classes: 6}, "labels of " + lonely + ": open "},
		"labels":         {[]string{array("eleven", 11, nil)}, Options{Classes: 6}, "eleven.npy: 10 labels for 11 images"},
		"empty":          {[]string{array("empty", 0, nil)}, Options{Classes: 6}, "10 labels for 0 images"},
		"NaN":            {[]string{array("nan", 10, func(x []float64) { x[3*golden.D+7] = math.NaN() })}, Options{Classes: 6}, "nan.npy: row 3 has NaN in column 7"},
		"width":          {[]string{narrow}, Options{Texts: texts(t)}, "images have width 2, captions 80"},
		"widths":         {[]string{ok, narrow}, Options{Classes: 6}, "merge: 6 classes of width 80 with 6 of width 2"},
		"unlabelled":     {[]string{unlabelled}, Options{Classes: 6}, `no "images" or no "labels"`},
		"cut":            {[]string{cut}, Options{Classes: 6}, "cut.npy: not a whole npy array"},
		"another format": {[]string{"shard_test.go"}, Options{Classes: 6}, "read by blocks from .npy, .safetensors, .parquet"},
	} {
		a, err := Map(t.Context(), c.shards, c.opt)
		if a != nil || err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := Map(stopped, []string{ok}, Options{Classes: 6}); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
	if _, err := Reduce(stopped, []string{ok}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
	if _, err := Reduce(t.Context(), []string{ok}, nil); err == nil || !strings.Contains(err.Error(), "ok.npy: embedding statistics: not in the form") {
		t.Errorf("%v", err)
	}
}

func TestPartsAreAllShardsOnce(t *testing.T) {
	for n := range 12 {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprint(i)
		}
		for count := 1; count < 15; count++ {
			var all []string
			for index := range count {
				part, err := Part(list, index, count)
				if err != nil {
					t.Fatal(err)
				}
				if len(part) > (n+count-1)/count {
					t.Errorf("part %d of %d has %d of %d shards", index, count, len(part), n)
				}
				all = append(all, part...)
			}
			if !slices.Equal(all, list) {
				t.Errorf("%d parts of %d: %v", count, n, all)
			}
		}
	}
	for _, bad := range [][2]int{{-1, 2}, {2, 2}, {0, 0}} {
		if _, err := Part(nil, bad[0], bad[1]); err == nil {
			t.Errorf("part %d of %d", bad[0], bad[1])
		}
	}
}

func TestPartOfEnvironment(t *testing.T) {
	for _, c := range []struct {
		set          map[string]string
		index, count int
		want         string
	}{
		{nil, 0, 1, ""},
		{map[string]string{"JOB_COMPLETION_INDEX": "3"}, 0, 1, ""},
		{map[string]string{"JOB_COMPLETION_INDEX": "3", "IIMM_PARTS": "8"}, 3, 8, ""},
		{map[string]string{"JOB_COMPLETION_INDEX": "8", "IIMM_PARTS": "8"}, 0, 0, "not one of the 8 parts"},
		{map[string]string{"IIMM_PARTS": "8"}, 0, 0, "completionMode: Indexed"},
		{map[string]string{"JOB_COMPLETION_INDEX": "x", "IIMM_PARTS": "8"}, 0, 0, `JOB_COMPLETION_INDEX="x"`},
		{map[string]string{"JOB_COMPLETION_INDEX": "0", "IIMM_PARTS": "0"}, 0, 0, `IIMM_PARTS="0"`},
	} {
		index, count, err := PartOfEnvironment(func(name string) (string, bool) { v, ok := c.set[name]; return v, ok })
		if index != c.index || count != c.count || (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %d of %d, %v", c.set, index, count, err)
		}
	}
}

// TestManyStatisticsMergeToOnePass merges more files than are read at a time.
func TestManyStatisticsMergeToOnePass(t *testing.T) {
	const files, d, classes = 300, 5, 3
	rng := rand.New(rand.NewPCG(7, 7))
	row := func() []float64 {
		v := make([]float64, d)
		for j := range v {
			v[j] = rng.NormFloat64()
		}
		return v
	}
	all, err := measure.New(classes, d)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var names []string
	for k := range files {
		a, err := measure.New(classes, d)
		if err != nil {
			t.Fatal(err)
		}
		x := row()
		if err := errors.Join(a.AddFloat64(x, k%classes), all.AddFloat64(x, k%classes)); err != nil {
			t.Fatal(err)
		}
		b, err := a.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, filepath.Join(dir, fmt.Sprint(k)))
		if err := os.WriteFile(names[k], b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	texts, err := measure.NewTexts(slices.Concat(row(), row(), row()), d)
	if err != nil {
		t.Fatal(err)
	}
	merged, err := Reduce(t.Context(), names, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := merged.Result(texts)
	if err != nil {
		t.Fatal(err)
	}
	want, err := all.Result(texts)
	if err != nil {
		t.Fatal(err)
	}
	if got.N != files || len(merged.Shards()) != files || math.Abs(got.IIMM-want.IIMM) > 1e-12 || math.Abs(*got.InterByClass-*want.InterByClass) > 1e-12 {
		t.Errorf("%+v, one pass %+v", got, want)
	}

	if _, err := Reduce(t.Context(), append(slices.Clone(names), names[17]), nil); err == nil || !strings.Contains(err.Error(), names[17]) {
		t.Errorf("the same file twice: %v", err)
	}
	if err := os.WriteFile(names[250], []byte("not statistics"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Reduce(t.Context(), names, nil); err == nil || !strings.HasPrefix(err.Error(), names[250]) {
		t.Errorf("a file that is none: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := Reduce(ctx, names, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}
