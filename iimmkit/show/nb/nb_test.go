package nb

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/iimmkit/iimm/iimmkit/show/chart"
)

// captured runs f as in a plain program and returns what it wrote and the exit
// code, -1 when it did not end.
func captured(t *testing.T, f func()) (out, err string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	oldOut, oldErr, oldExit := stdout, stderr, exit
	defer func() { stdout, stderr, exit = oldOut, oldErr, oldExit }()
	code = -1
	type ended struct{}
	stdout, stderr = func() io.Writer { return &o }, func() io.Writer { return &e }
	exit = func(c int) { code = c; panic(ended{}) }
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(ended); !ok {
				panic(r)
			}
			out, err = o.String(), e.String()
		}
	}()
	f()
	return o.String(), e.String(), code
}

func TestTableText(t *testing.T) {
	half := 0.5
	var missing *float64
	out, _, _ := captured(t, func() {
		Table([]string{"task", "n", "iimm"}, [][]any{
			{"world/shape", 300, 0.25},
			{"数字", 10, &half},
			{"x", 7, missing},
			{"y", 1234567, math.NaN()},
		})
	})
	want := "" +
		"task               n   iimm\n" +
		"-----------  -------  -----\n" +
		"world/shape      300  0.250\n" +
		"数字              10  0.500\n" +
		"x                  7      –\n" +
		"y            1234567      –\n"
	if out != want {
		t.Errorf("got\n%swant\n%s", out, want)
	}
}

func TestTableHTMLEscapesAndPadsShortRows(t *testing.T) {
	got := tableHTML([]string{"a<b", "n"}, [][]any{{"<script>", 1}, {"short"}})
	for _, want := range []string{"a&lt;b", "&lt;script&gt;", `<td style="text-align:right;white-space:nowrap">1</td>`, `<td style="text-align:right;white-space:nowrap"></td>`, `<th style="text-align:left">a&lt;b</th>`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if strings.Contains(got, "<script>") {
		t.Error("markup of a value came through")
	}
}

func TestColumnsOfNumbersHaveTheSameDecimals(t *testing.T) {
	half, thousandth := 0.5, float32(0.001)
	for _, c := range []struct {
		column []any
		want   []string
	}{
		{[]any{0.0, 0.12345, -1.0}, []string{"0.000", "0.123", "-1.000"}},
		{[]any{9.99999, 3.0}, []string{"10.00", "3.00"}},
		{[]any{100.0, 12.345, &half}, []string{"100.0", "12.3", "0.5"}},
		{[]any{12345.6, 1.0}, []string{"12346", "1"}},
		{[]any{0.5, 1e-5, thousandth}, []string{"0.500", "1e-05", "0.001"}},
		{[]any{1.5e7, math.Inf(1)}, []string{"1.5e+07", "+Inf"}},
		{[]any{1, int64(-3), uint8(7)}, []string{"1", "-3", "7"}},
		{[]any{math.NaN(), nil, (*float64)(nil)}, []string{"–", "–", "–"}},
		{[]any{true, 3 * time.Second, errors.New("no"), "text"}, []string{"true", "3s", "no", "text"}},
	} {
		var rows [][]any
		for _, v := range c.column {
			rows = append(rows, []any{v})
		}
		text, right := cells(nil, rows)
		for i, want := range c.want {
			if text[i][0] != want {
				t.Errorf("%v: got %q, want %q", c.column, text[i][0], want)
			}
		}
		if _, isText := c.column[len(c.column)-1].(string); right[0] == isText {
			t.Errorf("%v: aligned to the right: %v", c.column, right[0])
		}
	}
}

func TestParamReadsTheEnvironment(t *testing.T) {
	t.Setenv("IIMM_PARAM_LEDGER_FOLDER", "out/x")
	t.Setenv("IIMM_PARAM_N", "12")
	t.Setenv("IIMM_PARAM_RATE", "0.5")
	t.Setenv("IIMM_PARAM_FULL", "true")
	t.Setenv("IIMM_PARAM_LIMIT", "90s")
	t.Setenv("IIMM_PARAM_SEED", "0")
	if got := Param("ledger-folder", "y"); got != "out/x" {
		t.Error(got)
	}
	if got := Param("n", 3); got != 12 {
		t.Error(got)
	}
	if got := Param("rate", 1.0); got != 0.5 {
		t.Error(got)
	}
	if got := Param("full", false); !got {
		t.Error(got)
	}
	if got := Param("limit", time.Second); got != 90*time.Second {
		t.Error(got)
	}
	if got := Param("seed", uint64(7)); got != 0 {
		t.Error("seed 0 was not taken:", got)
	}
	if got := Param("not-given", 3); got != 3 {
		t.Error(got)
	}
}

func TestParamOfWrongTypeEndsTheCell(t *testing.T) {
	t.Setenv("IIMM_PARAM_N", "many")
	_, err, code := captured(t, func() { Param("n", 3) })
	if code != 1 || err != "Error: parameter n: \"many\" is not a whole number (from IIMM_PARAM_N)\n" {
		t.Errorf("exit %d, %q", code, err)
	}
}

func TestParamReadsWhatARunGives(t *testing.T) {
	t.Setenv("IIMM_PARAMS", `{"ledger-folder": "out/x", "n": 12, "rate": "0.5", "full": true, "name": "a \"b\" \u50b7", "seed": "0"}`)
	t.Setenv("IIMM_PARAM_N", "13") // of the shell: what the run gives is nearer
	t.Setenv("IIMM_PARAM_LIMIT", "90s")
	if got := Param("ledger_folder", "y"); got != "out/x" {
		t.Error(got)
	}
	if got := Param("n", 3); got != 12 {
		t.Error(got)
	}
	if got := Param("rate", 1.0); got != 0.5 {
		t.Error(got)
	}
	if got := Param("full", false); !got {
		t.Error(got)
	}
	if got := Param("name", ""); got != `a "b" 傷` {
		t.Error(got)
	}
	if got := Param("seed", uint64(7)); got != 0 {
		t.Error(got)
	}
	if got := Param("limit", time.Second); got != 90*time.Second {
		t.Error(got)
	}
	if got := Param("not-given", 3); got != 3 {
		t.Error(got)
	}
	for _, c := range []struct{ given, complaint string }{
		{`{"n": "many"}`, `parameter n: "many" is not a whole number (from IIMM_PARAMS)`},
		{`{"n": [1]}`, `parameter n: "[1]" is not a whole number (from IIMM_PARAMS)`},
		{`{"n": 1, "N": 2}`, `parameter n is given twice in IIMM_PARAMS, the second time as "n"`},
		{`n=1`, `IIMM_PARAMS is not a JSON object such as {"task": "mnist"}: `},
	} {
		t.Setenv("IIMM_PARAMS", c.given)
		_, err, code := captured(t, func() { Param("n", 3) })
		if code != 1 || !strings.HasPrefix(err, "Error: "+c.complaint) || strings.Count(err, "\n") != 1 {
			t.Errorf("%s: exit %d, %q", c.given, code, err)
		}
	}
}

func TestCheckSaysWhatToDoWhereItIsKnown(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	_, err, _ := captured(t, func() { Must(os.Open("embeddings.npz")) })
	if !strings.Contains(err, "\nCells run in "+dir+":") {
		t.Errorf("%q", err)
	}
	_, err, _ = captured(t, func() { Check(&fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}) })
	if !strings.Contains(err, "iimm cache clean") {
		t.Errorf("%q", err)
	}
	_, err, _ = captured(t, func() { Check(fmt.Errorf("ledger: %w", fs.ErrPermission)) })
	if !strings.Contains(err, "belongs to someone else") {
		t.Errorf("%q", err)
	}
}

func TestTablesOpenSortedByEachColumn(t *testing.T) {
	var undefined *float64
	headers := []string{"task", "gain <points>", "n"}
	rows := [][]any{{"b", 1.5, 1}, {"c", undefined, 2}, {"a", -2.0, 3}, {"d", 30.0, 4}}
	got := tableHTML(headers, rows)
	views := strings.Split(got, "<table>")
	if len(views) != 5 || strings.Count(got, "<details>") != 3 || strings.Count(got, "</details>") != 4 || strings.Contains(got, "<script") {
		t.Fatalf("%d tables in\n%s", len(views)-1, got)
	}
	column := func(view string) string {
		out := ""
		for _, line := range strings.Split(view, "<tr>")[2:] {
			out += line[strings.Index(line, ">")+1 : strings.Index(line, "</td>")]
		}
		return out
	}
	for i, want := range []string{"bcad", "abcd", "dbac", "dacb"} {
		if got := column(views[i+1]); got != want {
			t.Errorf("table %d: rows %s, want %s", i, got, want)
		}
	}
	for _, want := range []string{"<summary>task ↑</summary>", "<summary>gain &lt;points&gt; ↓</summary>", "<summary>n ↓</summary>"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s", want)
		}
	}
	for name, rows := range map[string][][]any{"three rows": rows[:3], "too many": make([][]any, 500)} {
		if strings.Contains(tableHTML(headers, rows), "<details") {
			t.Errorf("%s: sorted forms", name)
		}
	}
	if got := tableHTML([]string{"n"}, [][]any{{4}, {3}, {2}, {1}}); strings.Contains(got, "<details") {
		t.Error("a table that is sorted opens as itself")
	}
}

func TestCheckEndsWithTheError(t *testing.T) {
	if _, err, code := captured(t, func() { Check(nil) }); code != -1 || err != "" {
		t.Errorf("Check(nil): exit %d, %q", code, err)
	}
	_, err, code := captured(t, func() { Must(os.Open("/does/not/exist")) })
	if code != 1 || !strings.HasPrefix(err, "Error: open /does/not/exist:") {
		t.Errorf("exit %d, %q", code, err)
	}
	if got := Must(3, nil); got != 3 {
		t.Error(got)
	}
}

// TestSendableSurvivesGob sends JSON as the kernel receives it: through gob,
// then to JSON again.
func TestSendableSurvivesGob(t *testing.T) {
	const spec = `{"title":null,"mark":"point","data":{"values":[{"x":1.5,"name":"a","y":null},{"x":-2,"flag":false}]},"layer":[{"a":[1,[2,3]]}],"empty":{}}`
	v, err := sendable([]byte(spec))
	if err != nil {
		t.Fatal(err)
	}
	type parcel struct{ Data map[string]any }
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(parcel{map[string]any{"spec": v}}); err != nil {
		t.Fatal(err)
	}
	var got parcel
	if err := gob.NewDecoder(&b).Decode(&got); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(got.Data["spec"])
	if err != nil {
		t.Fatal(err)
	}
	var want, have any
	if err := errors.Join(json.Unmarshal([]byte(spec), &want), json.Unmarshal(again, &have)); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(want, have) {
		t.Errorf("sent %s\ngot  %s", spec, again)
	}
}

func TestSendableRefusesWhatGobWouldChange(t *testing.T) {
	if _, err := sendable([]byte(`{"data":{"values":[]}}`)); !errors.Is(err, errEmptyList) {
		t.Errorf("empty list: %v", err)
	}
	for _, bad := range []string{`null`, `[1]`, `{`} {
		if _, err := sendable([]byte(bad)); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

func TestProgressBarMarkup(t *testing.T) {
	b := &bar{title: "embedding <x>", total: 10, n: 5}
	d := b.data(2 * time.Second)
	if got := d[mimeHTML]; got != `<div><progress max="10" value="5"></progress> <code>embedding &lt;x&gt; 5/10  2.5/s, 2.0 s left</code></div>` {
		t.Error(got)
	}
	if got := d[mimePlain]; got != "embedding <x> [==========          ] 5/10  2.5/s, 2.0 s left" {
		t.Error(got)
	}
	start := time.Now()
	b = &bar{title: "tuning", total: 4, n: 1, start: start}
	b.end = start.Add(time.Minute)
	if got := b.data(15 * time.Second)[mimePlain]; !strings.HasSuffix(got.(string), ", 45 s left") {
		t.Error(got)
	}
	b = &bar{title: "reading", n: 3, finished: true}
	if got := b.data(time.Second)[mimeHTML]; got != `<div><code>reading 3  3.0/s, took 1.0 s</code></div>` {
		t.Error(got)
	}
}

func TestProgressPrintsInAPlainProgram(t *testing.T) {
	_, err, _ := captured(t, func() {
		b := Progress("counting", 2)
		b.Add(2)
		b.Done()
	})
	if !strings.Contains(err, "counting [") || !strings.Contains(err, "2/2") {
		t.Errorf("printed %q", err)
	}
}

func TestChartIsSentInEveryForm(t *testing.T) {
	c := chart.Scatter{
		Title: "gain", X: chart.Axis{Title: "iimm"}, Y: chart.Axis{Title: "gain"},
		Points: []chart.Point{{X: 0.1, Y: 1, Name: "a"}, {X: 0.2, Y: 2, Name: "b"}, {X: 0.3, Y: 4, Name: "c"}},
	}
	data, err := chartData(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := data[mimeHTML]; ok {
		t.Error("text/html would hide the interactive chart")
	}
	for _, mime := range []string{mimeVegaLite, mimeSVG, mimePlain} {
		if data[mime] == nil {
			t.Errorf("no %s", mime)
		}
	}
	out, _, code := captured(t, func() { Chart(c) })
	if code != -1 || out != c.Alt()+"\n" {
		t.Errorf("a plain program printed %q", out)
	}
	defer func() { RenderPNG = nil }()
	RenderPNG = func(chart.Chart) ([]byte, error) { return []byte{1, 2, 3}, nil }
	if data, err = chartData(c); err != nil || data[mimePNG] != "AQID" {
		t.Errorf("png %v, %v", data[mimePNG], err)
	}
}

func TestPicturesAreNamedThumbnails(t *testing.T) {
	dot := image.NewGray(image.Rect(5, 5, 7, 6))
	dot.SetGray(6, 5, color.Gray{Y: 255})
	data, err := picturesData([]image.Image{dot, dot, dot, dot, dot, dot, dot}, []string{"a <b>", "c"})
	if err != nil {
		t.Fatal(err)
	}
	page := data[mimeHTML].(string)
	if n := strings.Count(page, "<img"); n != 7 || strings.Count(page, "<tr>") != 2 || strings.Contains(page, "<b>") {
		t.Errorf("%d pictures in\n%s", n, page)
	}
	_, uri, _ := strings.Cut(page, "data:image/png;base64,")
	uri, _, _ = strings.Cut(uri, `"`)
	raw, err := base64.StdEncoding.DecodeString(uri)
	if err != nil {
		t.Fatal(err)
	}
	big, err := png.Decode(bytes.NewReader(raw))
	if err != nil || big.Bounds().Dx() != 96 || big.Bounds().Dy() != 48 {
		t.Fatalf("%v, %v", big, err)
	}
	left, _, _, _ := big.At(47, 20).RGBA()
	right, _, _, _ := big.At(48, 20).RGBA()
	if left != 0 || right != 0xffff {
		t.Errorf("halves are %d and %d", left, right)
	}
	if data[mimePlain] != "7 pictures: a <b>; c" {
		t.Error(data[mimePlain])
	}
	if _, err := picturesData([]image.Image{image.NewGray(image.Rect(0, 0, 0, 0))}, nil); err == nil {
		t.Error("a picture without pixels was shown")
	}
}

func TestSharedFilesAreKeptApart(t *testing.T) {
	t.Setenv("IIMM_CACHE", t.TempDir())
	a, b := File("set.npz", "micro", 100), File("set.npz", "micro", 200)
	if a == b || a != File("set.npz", "micro", 100) || filepath.Base(a) != "set.npz" {
		t.Errorf("%s, %s", a, b)
	}
	if File("x", "1", "2") == File("x", "12") || File("x", 1) == File("x", "1") {
		t.Error("different values share a file")
	}
	_, complaint, code := captured(t, func() { File("../set.npz") })
	if code != 1 || !strings.Contains(complaint, "not the name of a file") {
		t.Errorf("exit %d, %q", code, complaint)
	}
}
