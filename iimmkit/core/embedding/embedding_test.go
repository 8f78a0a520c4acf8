package embedding

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/core/measure"
	"github.com/iimmkit/iimm/iimmkit/core/measure/golden"
	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
)

// goldenSet is one of the golden sets with names and provenance.
func goldenSet(g golden.Set) *Set {
	s := &Set{
		Images: Float64(golden.N, golden.D, g.Images),
		Labels: slices.Clone(g.Labels),
		Texts:  Float64(golden.C, golden.D, golden.Texts()),
		Provenance: Provenance{
			Model: "sines", Task: g.Name, Split: "train", Backend: "none", Seed: new(uint64(0)), Normalized: true,
			Hashes: map[string]string{"model": "0123"},
		},
	}
	for c := range golden.C {
		s.ClassNames = append(s.ClassNames, fmt.Sprintf("wave %d <&> \"波\"", c))
		s.Prompts = append(s.Prompts, fmt.Sprintf("a photo of wave %d", c))
	}
	for i := range golden.N {
		s.IDs = append(s.IDs, fmt.Sprintf("waves/%d, the\n%dth.png", i%7, i))
	}
	s.Provenance.Hashes["captions"] = CaptionHash(s.ClassNames, s.Prompts)
	return s
}

func wantValues(t *testing.T, what string, r measure.Result, want map[string]float64, tolerance float64) {
	t.Helper()
	for _, d := range (golden.Set{Values: want}).Differences(r, tolerance) {
		t.Errorf("%s: %s", what, d)
	}
}

func TestGoldenValuesInEveryFormat(t *testing.T) {
	for _, g := range []golden.Set{golden.Easy(), golden.Mid()} {
		for _, ext := range []string{".safetensors", ".npz", ".csv"} {
			path := filepath.Join(t.TempDir(), "new", g.Name+ext)
			in := goldenSet(g)
			if err := Write(path, in); err != nil {
				t.Fatal(err)
			}
			s, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			if found := s.Check(); len(found) != 0 {
				t.Errorf("%s: %v", path, found)
			}
			r, err := s.Measure(MeasureOptions{})
			if err != nil {
				t.Fatal(err)
			}
			tolerance := 1e-12
			if ext == ".csv" {
				tolerance = 1e-7
			} else {
				if !reflect.DeepEqual(s.Provenance, in.Provenance) {
					t.Errorf("%s: provenance %+v, want %+v", ext, s.Provenance, in.Provenance)
				}
				if !slices.Equal(s.ClassNames, in.ClassNames) || !slices.Equal(s.Prompts, in.Prompts) || !slices.Equal(s.IDs, in.IDs) {
					t.Errorf("%s: names changed", ext)
				}
			}
			if !slices.Equal(s.Labels, in.Labels) {
				t.Errorf("%s: labels changed", ext)
			}
			wantValues(t, g.Name+ext, r, g.Values, tolerance)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestStoredPrecisionIsKept(t *testing.T) {
	in := goldenSet(golden.Easy())
	in.Images = Float32(golden.N, golden.D, in.Images.Float32s())
	for _, ext := range []string{".safetensors", ".npz"} {
		path := filepath.Join(t.TempDir(), "x"+ext)
		if err := Write(path, in); err != nil {
			t.Fatal(err)
		}
		s, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if !slices.Equal(s.Images.F32, in.Images.F32) || s.Images.F64 != nil || !slices.Equal(s.Texts.F64, in.Texts.F64) || s.Texts.F32 != nil {
			t.Errorf("%s: precision was changed", ext)
		}
	}
	if got := Float32(1, 2, []float32{.5, 2}).Float64s(); !slices.Equal(got, []float64{.5, 2}) {
		t.Error(got)
	}
}

func TestHalfPrecisionIsWidened(t *testing.T) {
	images, err := tensorfile.ToFloat16(Float64(golden.N, golden.D, golden.Easy().Images).tensor(keyImages))
	if err != nil {
		t.Fatal(err)
	}
	in := goldenSet(golden.Easy())
	path := filepath.Join(t.TempDir(), "x.safetensors")
	if err := tensorfile.WriteSafetensors(path, []tensorfile.Tensor{images, labelTensor(in.Labels), in.Texts.tensor(keyTexts)}, nil); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r, err := s.Measure(MeasureOptions{Normalize: true})
	if err != nil {
		t.Fatal(err)
	}
	wantValues(t, "float16", r, golden.Easy().Values, 2e-4)
}

// The published files as their program writes them: "%1.8f", label last.
func TestPublishedCSVPair(t *testing.T) {
	dir := t.TempDir()
	g, texts := golden.Mid(), golden.Texts()
	var images, captions, labelled strings.Builder
	for i := range golden.N {
		for j := range golden.D {
			fmt.Fprintf(&images, "%1.8f,", g.Images[i*golden.D+j])
		}
		fmt.Fprintf(&images, "%1.8f\n", float64(g.Labels[i]))
	}
	line := func(c int) string {
		var s []string
		for j := range golden.D {
			s = append(s, fmt.Sprintf("%1.8f", texts[c*golden.D+j]))
		}
		return strings.Join(s, ",")
	}
	for c := range golden.C {
		fmt.Fprintf(&captions, "%s\r\n", line(c)) // as written on Windows
		last := golden.C - 1 - c
		fmt.Fprintf(&labelled, "%s,%1.8f\n", line(last), float64(last)) // labelled, not in order
	}
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	img := write("img.csv", "\ufeff"+images.String()+"\n")
	for _, texts := range []string{write("txt.csv", captions.String()), write("labelled.csv", labelled.String())} {
		s, err := Open(img, Texts(texts))
		if err != nil {
			t.Fatal(err)
		}
		if found := s.Check(); len(found) != 0 {
			t.Errorf("%v", found)
		}
		r, err := s.Measure(MeasureOptions{})
		if err != nil {
			t.Fatal(err)
		}
		wantValues(t, texts, r, g.Values, 1e-7)
	}

	// The same run twice: the writer appends.
	twice := write("twice.csv", images.String()+images.String())
	s, err := Open(twice, Texts(filepath.Join(dir, "txt.csv")))
	if err != nil {
		t.Fatal(err)
	}
	found := Refused(s.Check())
	if len(found) != 1 || found[0].Code != "doubled" || !strings.Contains(found[0].Message, "keep the first 120 rows") {
		t.Errorf("doubled images: %v", found)
	}
	captionsTwice := write("captions3.csv", captions.String()+captions.String()+captions.String())
	if s, err = Open(img, Texts(captionsTwice)); err != nil {
		t.Fatal(err)
	}
	found = Refused(s.Check())
	if len(found) != 1 || found[0].Code != "doubled" || !strings.Contains(found[0].Message, "3 times") {
		t.Errorf("captions three times: %v", found)
	}
}

func TestFoldersOfNPY(t *testing.T) {
	in := goldenSet(golden.Easy())
	write := func(dir string, names ...string) {
		for i, x := range []tensorfile.Tensor{in.Images.tensor(""), tensorfile.FromFloat64("", []int{golden.N, 1}, floats(in.Labels)), in.Texts.tensor("")} {
			if err := tensorfile.WriteNPY(filepath.Join(dir, names[i]), x); err != nil {
				t.Fatal(err)
			}
		}
	}
	plain, one, two := t.TempDir(), t.TempDir(), t.TempDir()
	write(plain, "images.npy", "labels.npy", "texts.npy")
	write(one, "waves_vit_im_features.npy", "waves_vit_labels.npy", "waves_vit_text_features.npy")
	write(two, "a_im_features.npy", "a_labels.npy", "a_text_features.npy")
	write(two, "b_im_features.npy", "b_labels.npy", "b_text_features.npy")
	for _, path := range []string{plain, one, filepath.Join(two, "b")} {
		s, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Measure(MeasureOptions{})
		if err != nil {
			t.Fatal(err)
		}
		wantValues(t, path, r, golden.Easy().Values, 1e-12)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	for path, want := range map[string]string{two: "several sets", t.TempDir(): "a folder of embeddings has"} {
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if err := os.Remove(filepath.Join(plain, "texts.npy")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(plain); err == nil || !strings.Contains(err.Error(), "texts.npy") {
		t.Errorf("missing texts: %v", err)
	}
}

func floats(y []int) []float64 {
	out := make([]float64, len(y))
	for i, v := range y {
		out[i] = float64(v)
	}
	return out
}

func TestOpenRefusesWithOneClearLine(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tensors := func(name string, x ...tensorfile.Tensor) string {
		var b bytes.Buffer
		if strings.HasSuffix(name, ".npz") {
			if err := tensorfile.EncodeNPZ(&b, x); err != nil {
				t.Fatal(err)
			}
		} else if err := tensorfile.EncodeSafetensors(&b, x, nil); err != nil {
			t.Fatal(err)
		}
		return file(name, b.Bytes())
	}
	f := func(name string, shape ...int) tensorfile.Tensor {
		n := 1
		for _, d := range shape {
			n *= d
		}
		return tensorfile.FromFloat32(name, shape, make([]float32, n))
	}
	y := labelTensor(make([]int, 3))
	meta := func(key, value string) string {
		path := filepath.Join(dir, "meta_"+key+".safetensors")
		if err := tensorfile.WriteSafetensors(path, []tensorfile.Tensor{f("images", 3, 4), y, f("texts", 2, 4)}, map[string]string{key: value}); err != nil {
			t.Fatal(err)
		}
		return path
	}
	txt := file("txt.csv", []byte("1,0\n0,1\n"))
	for name, c := range map[string]struct {
		path, texts, want string
		format            bool
	}{
		"missing":           {filepath.Join(dir, "absent.npz"), "", "no such file", false},
		"missing csv":       {filepath.Join(dir, "absent.csv"), "", "no such file", false},
		"extension":         {file("set.txt", []byte("x")), "", ".safetensors, .npz, .pt, .csv or a folder", true},
		"texts with npz":    {file("t.npz", []byte("x")), txt, "holds its captions itself", true},
		"csv alone":         {file("alone.csv", []byte("1,0,0\n")), "", "--texts", true},
		"text as npz":       {file("text.npz", []byte("1,0,0\n0,1,1\n")), "", "not an npz file", false},
		"text as tensors":   {file("text.safetensors", []byte("1,0,0\n0,1,1\n")), "", "not a safetensors file", false},
		"no texts":          {tensors("no_texts.npz", f("images", 3, 4), y), "", `no "texts" in it (it has images, labels)`, false},
		"no labels":         {tensors("no_labels.safetensors", f("images", 3, 4), f("texts", 2, 4)), "", `no "labels"`, false},
		"flat images":       {tensors("flat.npz", f("images", 12), y, f("texts", 2, 4)), "", "want [rows, width]", false},
		"labels as matrix":  {tensors("matrix.npz", f("images", 3, 4), f("labels", 3, 2), f("texts", 2, 4)), "", "want [N]", false},
		"fractional labels": {tensors("half.npz", f("images", 3, 4), tensorfile.FromFloat32("labels", []int{3}, []float32{0, .5, 1}), f("texts", 2, 4)), "", "not a whole number", false},
		"integer images":    {tensors("ints.npz", tensorfile.FromInt64("images", []int{3, 4}, make([]int64, 12)), y, f("texts", 2, 4)), "", "want floating point", false},
		"few labels":        {tensors("few.npz", f("images", 4, 4), y, f("texts", 2, 4)), "", "3 labels for 4 images", false},
		"other width":       {tensors("width.npz", f("images", 3, 4), y, f("texts", 2, 5)), "", "not of one model", false},
		"few ids":           {tensors("ids.npz", f("images", 3, 4), y, f("texts", 2, 4), tensorfile.FromStrings("ids", []int{2}, []string{"a", "b"})), "", "2 ids for 3 images", false},
		"numbers as names":  {tensors("names.npz", f("images", 3, 4), y, f("texts", 2, 4), f("class_names", 2)), "", "want strings", false},
		"metadata":          {meta("class_names", "cat, dog"), "", `metadata "class_names"`, false},
		"newer layout":      {meta("iimm_embeddings", "7"), "", "this program reads 1", false},
		"header, no label":  {file("header.csv", []byte("f0,f1,f2\n1,0,0\n")), txt, `its header names no column "label"`, false},
		"header, short row": {file("short.csv", []byte("f0,f1,label\n1,0,0\n1,0\n")), txt, "line 3 has 2 columns, the header has 3", false},
		"header, word":      {file("hword.csv", []byte("f0,f1,label\n1,cat,0\n")), txt, `line 2, column 2: "cat" is not a number`, false},
		"header, 2 labels":  {file("labels.csv", []byte("f0,class,label\n1,0,0\n")), txt, "several columns of labels", false},
		"header, quotes":    {file("quotes.csv", []byte("id,f0,f1,label\n\"a,1,0,0\n")), txt, "line 2, column 1: a quoted field does not end", false},
		"only a header":     {file("only.csv", []byte("f0,f1,label\n")), txt, "no rows", false},
		"part of a header":  {file("part.csv", []byte("f0,1,2\n1,0,0\n")), txt, `line 1, column 1: "f0" is not a number (a header line names a column "label")`, false},
		"binary":            {file("binary.csv", []byte("PK\x03\x04-\x00,1\n")), txt, "line 1, column 1: not text, so not a CSV file", false},
		"semicolons":        {file("semi.csv", []byte("1;0;0\n0;1;1\n")), txt, "separated by commas", false},
		"word":              {file("word.csv", []byte("1,0,0\n0,cat,1\n")), txt, `line 2, column 2: "cat" is not a number`, false},
		"ragged":            {file("ragged.csv", []byte("1,0,0\n0,1\n")), txt, "line 2 has 2 columns, the first has 3", false},
		"csv label":         {file("label.csv", []byte("1,0,0\n0,1,0.5\n")), txt, "row 1: the last column is the label", false},
		"empty csv":         {file("empty.csv", nil), txt, "no rows", false},
		"one column":        {file("column.csv", []byte("1\n2\n")), txt, "one column", false},
		"caption width":     {file("wide.csv", []byte("1,0,0,0,0\n")), txt, "rows of 2 numbers, want the 4", false},
		"caption labels":    {file("narrow.csv", []byte("1,0\n1,1\n")), file("twice.csv", []byte("1,0\n.5,0\n")), "each once", false},
	} {
		var opts []Option
		if c.texts != "" {
			opts = append(opts, Texts(c.texts))
		}
		s, err := Open(c.path, opts...)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v %v, want %q", name, s, err, c.want)
			continue
		}
		if errors.Is(err, ErrFormat) != c.format {
			t.Errorf("%s: wrong call %v, want %v", name, errors.Is(err, ErrFormat), c.format)
		}
	}
}

func TestWriteRefusesAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	good, bad := goldenSet(golden.Easy()), goldenSet(golden.Easy())
	bad.Labels = bad.Labels[1:]
	for name, s := range map[string]*Set{"x.txt": good, "x.npz": bad, "x.csv": bad, "x.safetensors": bad} {
		if err := Write(filepath.Join(dir, name), s); err == nil {
			t.Errorf("%s: written", name)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestCaptionHashSeparatesItsLists(t *testing.T) {
	a := CaptionHash([]string{"cat", "dog"}, []string{"a cat"})
	for _, other := range []string{
		CaptionHash([]string{"cat", "dog", "a cat"}, nil),
		CaptionHash([]string{"catdog"}, []string{"a cat"}),
		CaptionHash([]string{"dog", "cat"}, []string{"a cat"}),
		CaptionHash(nil, nil),
	} {
		if a == other {
			t.Error("different lists have one hash")
		}
	}
	// sha256sum of [["cat","dog"],["a cat"]] and [["R&D <犬>"],[]].
	for got, want := range map[string]string{
		a:                                     "1392d95d6b84e06264abdedd4b958fe300677bc1abe2ffd9201133138e137541",
		CaptionHash([]string{"R&D <犬>"}, nil): "8fc018476b6469b4eddac8599a90ee1f0d1aa96fe60d0b74ef381441e4cff2a0",
	} {
		if got != want {
			t.Errorf("%s, want %s: artefacts carry this hash", got, want)
		}
	}
	if CaptionHash(nil, nil) != CaptionHash([]string{}, []string{}) {
		t.Error("nil and empty lists differ")
	}
}
