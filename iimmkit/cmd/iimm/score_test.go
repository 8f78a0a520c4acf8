package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/core/embedding"
	"github.com/iimmkit/iimm/iimmkit/core/measure/golden"
	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
)

// iimmScore runs a command line as a process would.
func iimmScore(args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	code = run(append([]string{"score"}, args...), newStreams(&o, &e))
	return code, o.String(), e.String()
}

// scoreTables writes the source probabilities and label embeddings of the golden
// set mid.
func scoreTables(t *testing.T) (source string, labels []string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, rows, cols int, x []float64) string {
		path := filepath.Join(dir, name)
		if err := tensorfile.WriteNPY(path, tensorfile.FromFloat64(name, []int{rows, cols}, x)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var p []float64
	for i, y := range golden.Mid().Labels {
		row, sum := make([]float64, 5), 0.0
		for z := range row {
			v := 2 * math.Sin(.3*float64(i+1)*float64(z+1))
			if z == y%5 {
				v += 1.5
			}
			row[z] = math.Exp(v)
			sum += row[z]
		}
		for z := range row {
			p = append(p, row[z]/sum)
		}
	}
	for k := range 3 {
		var e []float64
		for c := 1; c <= golden.C; c++ {
			for q := 1; q <= 10; q++ {
				e = append(e, math.Sin(float64((k+1)*c*q)*.9))
			}
		}
		labels = append(labels, write(string(rune('a'+k))+".npy", golden.C, 10, e))
	}
	return write("p.npy", golden.N, 5, p), labels
}

// csvWithHeader writes a golden set as pandas would, to the last digit.
func csvWithHeader(t *testing.T, g golden.Set) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mid.csv")
	write := func(path, last string, x []float64, labels []int) {
		var b strings.Builder
		for j := range golden.D {
			fmt.Fprintf(&b, "f%d,", j)
		}
		fmt.Fprintln(&b, last)
		for i, y := range labels {
			for _, v := range x[i*golden.D : (i+1)*golden.D] {
				fmt.Fprintf(&b, "%.17g,", v)
			}
			fmt.Fprintln(&b, y)
		}
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(path, "label", g.Images, g.Labels)
	write(strings.TrimSuffix(path, ".csv")+".texts.csv", "class", golden.Texts(), []int{0, 1, 2, 3, 4, 5})
	return path
}

// trio writes a golden set as the published {data}_{model} arrays.
func trio(t *testing.T, g golden.Set) string {
	t.Helper()
	start := filepath.Join(t.TempDir(), "waves_sines")
	y := make([]int64, golden.N)
	for i, v := range g.Labels {
		y[i] = int64(v)
	}
	for suffix, x := range map[string]tensorfile.Tensor{
		"im_features":   tensorfile.FromFloat64("", []int{golden.N, golden.D}, g.Images),
		"labels":        tensorfile.FromInt64("", []int{golden.N}, y),
		"text_features": tensorfile.FromFloat64("", []int{golden.C, golden.D}, golden.Texts()),
	} {
		if err := tensorfile.WriteNPY(start+"_"+suffix+".npy", x); err != nil {
			t.Fatal(err)
		}
	}
	return start
}

func firstOf(source string, _ []string) string { return source }

type scoredJSON struct {
	Schema, N, D, Classes int
	Scores                map[string]struct {
		Value      *float64
		Seconds    *float64
		Bytes      *uint64
		Convention string
		Warning    string
	}
	Findings []embedding.Finding
}

// Values of the golden set mid, recorded from independent implementations.
var goldenScores = map[string]float64{
	"iimm": -0.007474780379234977, "sfda": 0.9341927061641006, "transrate": 125.74916879727621,
	"h_score": 4.13679363960282, "h_score_regularized": 0, "gbc_spherical": -0.7179593769053474, "gbc_diagonal": -0.08886005226830848,
	"ncti_seli": 96.78689582568182, "ncti_ncc": 0.9839041536669716, "ncti_vc": 3.3159561419380084, "emms_published": -6.334230974245635,
	"logme": -.3244635922679763, "logme_icml": -.32446785940180145, "leep": -1.435106741342453, "nce": -1.0382476053538354,
	"parc": 54.222889780933556, "knn_cv": 26.666666666666668, "zero_shot_error": 5.0 / 120, "emms": -.06334230974245635, "energy": 4.386482533527869,
}

func TestScoreJSONOfAGoldenSetInEveryFormat(t *testing.T) {
	source, labels := scoreTables(t)
	for _, path := range []string{
		writeGolden(t, golden.Mid(), ".npz", nil), writeGolden(t, golden.Mid(), ".safetensors", nil),
		"../../core/embedding/testdata/torch/mid.pt", "../../core/embedding/parquet/testdata/mid.parquet", csvWithHeader(t, golden.Mid()), trio(t, golden.Mid()),
	} {
		code, out, errs := iimmScore(path, "--json", "--metric", "all", "--source", source, "--label-embeddings", strings.Join(labels, ","))
		var got scoredJSON
		if err := json.Unmarshal([]byte(out), &got); code != 0 || err != nil {
			t.Fatalf("%s: exit %d, %v, %s", path, code, err, errs)
		}
		if got.Schema != 1 || got.N != golden.N || got.D != golden.D || got.Classes != golden.C || got.Findings == nil {
			t.Errorf("%+v", got)
		}
		for name, want := range goldenScores {
			s := got.Scores[name]
			if s.Value == nil || math.Abs(*s.Value-want) > 1e-9*math.Abs(want) {
				t.Errorf("%s of %s: %v, want %v", name, path, s.Value, want)
			}
			if s.Seconds == nil || s.Bytes == nil || s.Convention == "" {
				t.Errorf("%s: %+v", name, s)
			}
		}
		if w := got.Scores["h_score_regularized"].Warning; !strings.Contains(w, "shrinkage is 1") {
			t.Errorf("shrinkage of 1 is not said: %q", w)
		}
	}
}

func TestScoreSaysWhatIsMissing(t *testing.T) {
	path := writeGolden(t, golden.Mid(), ".npz", nil)
	code, out, errs := iimmScore(path, "--json")
	var got scoredJSON
	if err := json.Unmarshal([]byte(out), &got); code != 0 || err != nil {
		t.Fatalf("exit %d, %v, %s", code, err, errs)
	}
	for name, want := range map[string]string{"leep": "probabilities of a source model", "nce": "probabilities of a source model", "emms": "label embeddings"} {
		if s, there := got.Scores[name]; !there || s.Value != nil || !strings.Contains(s.Warning, want) {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func TestScoreChoosesByName(t *testing.T) {
	path := writeGolden(t, golden.Mid(), ".safetensors", nil)
	code, out, errs := iimmScore(path, "--metric", "logme,gbc_diagonal")
	if code != 0 || !strings.Contains(out, "-0.324464") || strings.Contains(out, "sfda") {
		t.Errorf("exit %d, %s\n%s", code, errs, out)
	}
	if strings.Index(out, "logme") > strings.Index(out, "gbc_diagonal") {
		t.Errorf("not in the order asked for:\n%s", out)
	}
	code, out, errs = iimmScore(path, "--metric", "nce,probes", "--source", firstOf(scoreTables(t)), "--json")
	var got scoredJSON
	if err := json.Unmarshal([]byte(out), &got); code != 0 || err != nil || len(got.Scores) != 5 || got.Scores["probe_all"].Value == nil {
		t.Errorf("exit %d, %v, %s\n%s", code, err, errs, out)
	}
	code, _, errs = iimmScore(path, "--metric", "h_score_regularized")
	if code != 0 || !strings.Contains(errs, "warning: h_score_regularized: the Ledoit-Wolf shrinkage is 1") {
		t.Errorf("exit %d, %s", code, errs)
	}
}

func TestScoreBadInputIsOneLine(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	mid := writeGolden(t, golden.Mid(), ".npz", nil)
	small := writeGolden(t, golden.Mid(), ".npz", func(s *embedding.Set) {
		s.Images, s.Labels = embedding.Float64(30, golden.D, s.Images.F64[:30*golden.D]), s.Labels[:30]
	})
	equal := writeGolden(t, golden.Mid(), ".npz", func(s *embedding.Set) {
		for i := range golden.N {
			copy(s.Images.F64[i*golden.D:(i+1)*golden.D], s.Images.F64[:golden.D])
			s.Labels[i] = i * 7 % 6 // not the same block again and again
		}
		s.Labels[100] = s.Labels[101]
	})
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no set":           {nil, 2, "accepts 1 arg"},
		"unknown score":    {[]string{mid, "--metric", "logmee"}, 2, `no score "logmee"; there are iimm, `},
		"no score":         {[]string{mid, "--metric", ""}, 2, "name a score"},
		"leep alone":       {[]string{mid, "--metric", "leep"}, 2, "leep needs probabilities of a source model: --source FILE"},
		"emms alone":       {[]string{mid, "--metric", "emms"}, 2, "--label-embeddings"},
		"format":           {[]string{mid, "--source", file("p.txt", "x")}, 2, "a table is an .npy or a .csv file"},
		"missing source":   {[]string{mid, "--source", filepath.Join(dir, "absent.npy")}, 1, "no such file"},
		"rows of source":   {[]string{mid, "--source", file("p.csv", "1,0\n0,1\n")}, 1, "2 rows for the 120 images"},
		"no probabilities": {[]string{mid, "--source", file("q.csv", strings.Repeat("1,2\n", 120))}, 1, "source row 0 sums to 3"},
		"widths": {[]string{mid, "--label-embeddings", file("a.csv", strings.Repeat("1,2\n", 6)) + "," + file("b.csv", strings.Repeat("1\n", 6))},
			1, "width 1, but"},
		"missing set":    {[]string{filepath.Join(dir, "absent.npz")}, 1, "no such file"},
		"few for NCTI":   {[]string{small, "--metric", "ncti_seli"}, 1, "NCTI needs at least 64 images"},
		"all equal":      {[]string{equal, "--metric", "logme"}, 1, "all images have the same embedding"},
		"NaN":            {[]string{writeGolden(t, golden.Mid(), ".npz", func(s *embedding.Set) { s.Images.F64[3*golden.D] = math.NaN() })}, 1, "image row 3 has NaN"},
		"one class only": {[]string{writeGolden(t, golden.Mid(), ".npz", func(s *embedding.Set) { clear(s.Labels) })}, 1, "all images are of one class"},
	} {
		code, out, errs := iimmScore(c.args...)
		var lines []string
		for line := range strings.Lines(errs) {
			if !strings.Contains(line, "warning:") && strings.HasPrefix(line, "iimm:") {
				lines = append(lines, line)
			}
		}
		if code != c.code || out != "" || len(lines) != 1 || !strings.Contains(errs, c.want) {
			t.Errorf("%s: exit %d, stdout %q, stderr %q, want exit %d and %q", name, code, out, errs, c.code, c.want)
		}
	}
}
