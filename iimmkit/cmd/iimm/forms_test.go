package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/datasets/parquet"
	"github.com/iimmkit/iimm/iimmkit/core/embedding"
)

// labelled is one picture of a data set in memory.
type labelled struct {
	name  string // CLASS/FILE
	label int
	data  []byte
}

// someParts are pictures of two classes, in the order of a folder.
func someParts(t *testing.T) []labelled {
	t.Helper()
	r := rand.New(rand.NewPCG(3, 0))
	var list []labelled
	for i := range 10 {
		m := image.NewRGBA(image.Rect(0, 0, 40+i, 40))
		for k := range m.Pix {
			m.Pix[k] = uint8(r.Uint32()) | uint8(255*(k%4/3))
		}
		var b bytes.Buffer
		if err := png.Encode(&b, m); err != nil {
			t.Fatal(err)
		}
		list = append(list, labelled{fmt.Sprintf("%s/%d.png", []string{"bolt", "nut"}[i/6], i), i / 6, b.Bytes()})
	}
	return list
}

// everyForm writes the same pictures in every form that holds them, and returns
// the paths by form.
func everyForm(t *testing.T, list []labelled) map[string]string {
	t.Helper()
	root := t.TempDir()
	write := func(name string, data []byte) string {
		t.Helper()
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var zipped, tarred, shard, csv, jsonl bytes.Buffer
	z, w, sh := zip.NewWriter(&zipped), tar.NewWriter(&tarred), tar.NewWriter(&shard)
	put := func(w *tar.Writer, name string, data []byte) {
		t.Helper()
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		w.Write(data)
	}
	fmt.Fprintln(&csv, "path,label")
	for i, p := range list {
		class, _, _ := strings.Cut(p.name, "/")
		write("folder/"+p.name, p.data)
		f, err := z.Create("folder/" + p.name)
		if err != nil {
			t.Fatal(err)
		}
		f.Write(p.data)
		put(w, p.name, p.data)
		put(sh, fmt.Sprintf("s%07d.cls", i), fmt.Append(nil, p.label))
		put(sh, fmt.Sprintf("s%07d.png", i), p.data)
		fmt.Fprintf(&csv, "folder/%s,%s\n", p.name, class)
		fmt.Fprintf(&jsonl, "{\"file_name\": \"folder/%s\", \"label\": \"%s\"}\n", p.name, class)
	}
	if z.Close() != nil || w.Close() != nil || sh.Close() != nil {
		t.Fatal("an archive was not written")
	}
	write("web/classnames.txt", []byte("bolt\nnut\n"))
	write("web/0.tar", shard.Bytes())
	return map[string]string{
		"folder": filepath.Join(root, "folder"), "zip": write("x.zip", zipped.Bytes()), "tar": write("x.tar", tarred.Bytes()),
		"CSV": write("x.csv", csv.Bytes()), "JSON lines": write("x.jsonl", jsonl.Bytes()),
		"webdataset": filepath.Join(root, "web"), "shard": filepath.Join(root, "web", "0.tar"), "parquet": write("x.parquet", parquetOf(t, list)),
	}
}

// parquetOf writes a parquet file as the hub has them.
func parquetOf(t *testing.T, list []labelled) []byte {
	t.Helper()
	var rows []parquet.Row
	for _, p := range list {
		rows = append(rows, parquet.Row{Image: p.data, Path: p.name, Label: strconv.Itoa(p.label)})
	}
	var out bytes.Buffer
	if err := parquet.Write(&out, rows, []string{"bolt", "nut"}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestEmbedGivesTheSameForEveryForm(t *testing.T) {
	t.Setenv("IIMM_BACKEND", "go")
	t.Setenv("IIMM_CACHE", t.TempDir())
	list := someParts(t)
	forms := everyForm(t, list)
	type result struct {
		images, texts []float32
		labels        []int
		names         []string
		iimm          string
	}
	var want result
	for _, form := range []string{"folder", "zip", "tar", "CSV", "JSON lines", "webdataset", "shard", "parquet"} {
		out := filepath.Join(t.TempDir(), "x.safetensors")
		var o, e bytes.Buffer
		if code := run([]string{"embed", forms[form], "--model", "micro", "--out", out}, newStreams(&o, &e)); code != 0 {
			t.Fatalf("%s: exit %d: %s", form, code, e.String())
		}
		set, err := embedding.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		got := result{set.Images.Float32s(), set.Texts.Float32s(), set.Labels, set.ClassNames, ""}
		o.Reset()
		if code := run([]string{"measure", out, "--json"}, newStreams(&o, &e)); code != 0 {
			t.Fatalf("%s: exit %d: %s", form, code, e.String())
		}
		var m struct{ IIMM float64 }
		if err := json.Unmarshal(o.Bytes(), &m); err != nil || m.IIMM == 0 {
			t.Fatal(form, err, o.String())
		}
		got.iimm = fmt.Sprint(m.IIMM)
		if form == "folder" {
			want = got
			if len(want.labels) != len(list) || want.labels[9] != 1 {
				t.Fatalf("%d images", len(want.labels))
			}
			continue
		}
		if !slices.Equal(got.images, want.images) || !slices.Equal(got.texts, want.texts) || !slices.Equal(got.labels, want.labels) ||
			!slices.Equal(got.names, want.names) || got.iimm != want.iimm {
			t.Errorf("%s: IIMM %s of %v, want %s of %v, or other embeddings", form, got.iimm, got.names, want.iimm, want.names)
		}
	}
}

func TestCheckTellsLeaksAndDuplicates(t *testing.T) {
	list := someParts(t)
	root := t.TempDir()
	for i, p := range list {
		split := []string{"train", "test"}[i%2]
		for _, name := range append([]string{split + "/" + p.name}, map[int][]string{2: {"test/bolt/leak.png"}, 4: {"train/nut/copy.png"}}[i]...) {
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, p.data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	code, out, errs := iimmDatasets("check", root)
	want := []string{"leak: train/bolt/2.png: is the same picture as test/bolt/leak.png of another split", "duplicate: train/nut/copy.png: is the same picture as train/bolt/4.png, which is of class bolt"}
	if code != 1 || !strings.Contains(errs, "has 2 problems") || !strings.Contains(out, want[0]) || !strings.Contains(out, want[1]) {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	if code, out, errs = iimmDatasets("show", root, "--shots", "1", "--json"); code != 0 || !strings.Contains(out, `"n_train": 2`) || !strings.Contains(errs, "leak.png") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	code, out, errs = iimmDatasets("check", root, "--keep-overlap", "--group-pattern", "[0-9]$")
	if code != 1 || strings.Contains(out, "leak:") || !strings.Contains(out, "copy.png") {
		t.Errorf("overlap kept: exit %d\n%s%s", code, out, errs)
	}
}
