package main

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/datasets/parquet"
	"github.com/iimmkit/iimm/iimmkit/file/huggingface/hubtest"
)

// serveDigits starts a hub with a small table of MNIST, each picture of its own.
func serveDigits(t *testing.T) *hubtest.Server {
	t.Helper()
	s := hubtest.New(t)
	table := func(first, n int) []byte {
		var rows []parquet.Row
		for i := first; i < first+n; i++ {
			m := image.NewGray(image.Rect(0, 0, 28, 28))
			rng := rand.New(rand.NewPCG(uint64(i), 0))
			for k := range 49 { // squares of grey, so that none is nearly another
				grey := uint8(rng.Uint32())
				for j := range 16 {
					m.Pix[(k/7*4+j/4)*28+k%7*4+j%4] = grey
				}
			}
			var b bytes.Buffer
			if err := png.Encode(&b, m); err != nil {
				t.Fatal(err)
			}
			rows = append(rows, parquet.Row{Image: b.Bytes(), Path: fmt.Sprintf("%d.png", i), Label: strconv.Itoa(i % 10)})
		}
		var b bytes.Buffer
		if err := parquet.Write(&b, rows, strings.Split("0123456789", "")); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	s.Repositories["datasets/ylecun/mnist"] = &hubtest.Repository{Commit: strings.Repeat("a1", 20), Files: map[string][]byte{
		"mnist/train-00000-of-00001.parquet": table(0, 300), "mnist/test-00000-of-00001.parquet": table(1000, 40)}}
	return s
}

func TestDatasetsAreFetchedListedShownCheckedAndEmbedded(t *testing.T) {
	s := serveDigits(t)
	t.Setenv("IIMM_BACKEND", "go")
	out := filepath.Join(t.TempDir(), "out.npz")
	if code, _, errs := iimm("embed", "paper/mnist", "--out", out); code != 1 || !strings.Contains(errs, "iimm datasets fetch mnist") {
		t.Errorf("exit %d, %s", code, errs)
	}
	code, text, errs := iimm("datasets", "fetch", "mnist")
	if code != 0 || !strings.Contains(text, "fetched ") || !strings.Contains(text, "hub:ylecun/mnist@main") || !strings.Contains(text, "read it as paper/mnist") ||
		!strings.Contains(errs, "2 files") || !strings.Contains(errs, "licence of mnist: ") || !strings.Contains(errs, " MB, from ") {
		t.Errorf("exit %d, %s, %s", code, text, errs)
	}
	s.Requests()
	var f struct {
		Schema     int
		Name       string
		Downloaded int64 `json:"downloaded_bytes"`
		Recorded   []string
		Receipt    struct {
			From, Listing string
			Files         int
			Sources       []struct{ SHA256, Commit string }
		}
	}
	decode(t, &f, "datasets", "fetch", "paper/mnist")
	if f.Schema != 1 || f.Downloaded != 0 || f.Recorded == nil || f.Receipt.From != "hub" || f.Receipt.Files != 2 || len(f.Receipt.Sources) != 2 ||
		f.Receipt.Sources[0].Commit != strings.Repeat("a1", 20) || len(s.Requests()) != 0 {
		t.Errorf("%+v", f)
	}
	var list struct {
		Paper []struct {
			Name, Repository, Licence, Page string
			Fetched                         bool
			From                            []string
		}
	}
	decode(t, &list, "datasets", "list")
	for _, p := range list.Paper {
		if p.Fetched != (p.Name == "paper/mnist") || len(p.From) == 0 || p.Licence == "" || p.Page == "" {
			t.Errorf("%+v", p)
		}
	}
	if _, text, _ = iimm("datasets", "list"); !strings.Contains(text, "hub, makers") || !strings.Contains(text, "by-hand") {
		t.Error(text)
	}
	type described struct {
		Train, Val, Test int
		Hash             string
		Source, Licence  *string
		Classes          []struct{ Train, Val, Test int }
		Pictures         datasets.Survey
		Receipt          *struct{ Listing string }
		Problems         []datasets.Problem
	}
	sheet := filepath.Join(t.TempDir(), "sheet.png")
	for _, verb := range []string{"show", "check"} {
		var d struct {
			described
			NTrain int `json:"n_train"`
			NVal   int `json:"n_val"`
			NTest  int `json:"n_test"`
		}
		decode(t, &d, "datasets", verb, "paper/mnist", "--out", sheet)
		if d.NTrain != 270 || d.NVal != 30 || d.NTest != 40 || len(d.Hash) != 64 || d.Source == nil || d.Licence == nil || d.Receipt == nil || d.Receipt.Listing != f.Receipt.Listing ||
			len(d.Classes) != 10 || d.Classes[0].Train != 27 || d.Classes[0].Val != 3 || d.Classes[0].Test != 4 || len(d.Problems) != 0 {
			t.Errorf("%s: %+v", verb, d)
		}
		if want := (datasets.Range{Least: 28, Median: 28, Most: 28}); d.Pictures.Width != want || d.Pictures.Of != 340 || d.Pictures.Looked < 300 {
			t.Errorf("%s: %+v", verb, d.Pictures)
		}
		if c, err := png.DecodeConfig(bytes.NewReader(mustRead(t, sheet))); err != nil || c.Height != 10*66 {
			t.Errorf("%s: a sheet of %d x %d, %v", verb, c.Width, c.Height, err)
		}
		os.Remove(sheet)
	}
	if _, text, _ = iimm("datasets", "show", "paper/mnist"); !strings.Contains(text, "size: 28 x 28 pixels") || !strings.Contains(text, "licence: ") || !strings.Contains(text, "fetched: ") {
		t.Error(text)
	}
	var e struct {
		N, Classes int
	}
	decode(t, &e, "embed", "paper/mnist", "--split", "test", "--out", out)
	if e.N != 40 || e.Classes != 10 {
		t.Errorf("%+v", e)
	}
}

func TestDatasetsCheckOfAPaperSetNamesWhatIsBroken(t *testing.T) {
	s := serveDigits(t)
	repo := s.Repositories["datasets/ylecun/mnist"]
	var b bytes.Buffer
	rows := []parquet.Row{{Image: []byte("no picture"), Path: "bad.png", Label: "3"}}
	for i := range 10 {
		rows = append(rows, parquet.Row{Image: []byte(fmt.Sprintf("P2 1 1 9 %d", i)), Path: fmt.Sprint(i, ".pgm"), Label: strconv.Itoa(i)})
	}
	if err := parquet.Write(&b, rows, strings.Split("0123456789", "")); err != nil {
		t.Fatal(err)
	}
	repo.Files["mnist/test-00000-of-00001.parquet"] = b.Bytes()
	if code, _, errs := iimm("datasets", "fetch", "mnist"); code != 0 {
		t.Fatal(errs)
	}
	code, out, errs := iimm("datasets", "check", "paper/mnist", "--keep-overlap")
	if code != 1 || !strings.Contains(out, "not-a-picture: ") || !strings.Contains(out, "bad.png") || !strings.Contains(errs, "problem") || !strings.Contains(out, "10 for testing") {
		t.Errorf("exit %d, %s, %s", code, out, errs)
	}
}

func TestDatasetsFetchSample(t *testing.T) {
	serveDigits(t)
	var got struct {
		Schema     int
		Path       string
		Downloaded int64 `json:"downloaded_bytes"`
		Total      int64 `json:"total_bytes"`
		Sample     parquet.Sampled
	}
	decode(t, &got, "datasets", "fetch", "mnist", "--sample", "20", "--seed", "3")
	if got.Schema != 1 || got.Sample.Images != 20 || got.Sample.LeastOfClass != 2 || got.Downloaded == 0 || got.Downloaded > got.Total {
		t.Errorf("%+v", got)
	}
	if code, out, errs := iimm("datasets", "check", got.Path); code != 0 || !strings.Contains(out, "20 usable pictures of 10 classes") {
		t.Errorf("exit %d, %s, %s", code, out, errs)
	}
	if code, out, _ := iimm("datasets", "fetch", "mnist", "--sample", "20", "--seed", "4"); code != 0 || !strings.Contains(out, "20 of 300 images of mnist, 10 classes with 2 to 2 each") {
		t.Errorf("exit %d, %s", code, out)
	}
}

func TestDatasetsFetchAsksOnATerminal(t *testing.T) {
	hub := serveDigits(t)
	for _, c := range []struct {
		in   string
		args []string
		code int
	}{{"", nil, 1}, {"\n", nil, 1}, {"no\n", nil, 1}, {"", []string{"--sample", "5"}, 1}, {"y\n", nil, 0}} {
		var o, e bytes.Buffer
		hub.Sent()
		code := run(append([]string{"datasets", "fetch", "mnist"}, c.args...), &streams{out: &o, err: &e, in: strings.NewReader(c.in), asks: true})
		if code != c.code || !strings.Contains(e.String(), "fetch it? [y/N]") || c.code == 1 && (hub.Sent() != 0 || o.Len() > 0) {
			t.Errorf("%q: exit %d, %s, %s", c.in, code, o.String(), e.String())
		}
	}
	serveDigits(t)
	var o, e bytes.Buffer
	if code := run([]string{"datasets", "fetch", "mnist", "--yes"}, &streams{out: &o, err: &e, in: strings.NewReader(""), asks: true}); code != 0 || strings.Contains(e.String(), "[y/N]") {
		t.Errorf("exit %d, %s", code, e.String())
	}
}

func TestDatasetsFetchRefusals(t *testing.T) {
	hubtest.New(t)
	for args, want := range map[string]int{
		"": 2, "pets": 2, "mnist --from mirror": 2, "mnist --sample -1": 2, "mnist --sample 3 --from makers": 2, "mnist --split val": 2,
		"imagenet": 1, "stl10 --sample 9": 1, "svhn --from makers": 1, "svhn": 1,
	} {
		code, out, errs := iimm(append([]string{"datasets", "fetch"}, strings.Fields(args)...)...)
		if code != want || out != "" || strings.Count(errs, "iimm: ") != 1 {
			t.Errorf("%s: exit %d, want %d: %q, %q", args, code, want, out, errs)
		}
	}
}
