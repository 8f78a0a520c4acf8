package notebook

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/show/chart"
)

// vega returns the scripts of interactive charts, downloaded when they are not in
// the cache. Without network the test is skipped, or fails when IIMM_REQUIRE
// names vega.
func vega(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("short: no scripts are downloaded")
	}
	scripts, err := Vega(t.Context(), true, nil)
	if err != nil {
		if strings.Contains(os.Getenv("IIMM_REQUIRE"), "vega") {
			t.Fatalf("IIMM_REQUIRE names vega, but: %v", err)
		}
		t.Skipf("the scripts of interactive charts cannot be had here: %v", err)
	}
	return scripts
}

// chromium returns a browser, or skips; IIMM_REQUIRE=chromium makes it a failure.
func chromium(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("short: no browser is started")
	}
	program, err := browser()
	if err != nil {
		if strings.Contains(os.Getenv("IIMM_REQUIRE"), "chromium") {
			t.Fatalf("IIMM_REQUIRE names chromium, but: %v", err)
		}
		t.Skip(err)
	}
	return program
}

// charted is a notebook with a chart, a table, a formula and Japanese.
func charted(t *testing.T) *Notebook {
	t.Helper()
	c := chart.Scatter{Title: "学習と忘却 <b>", Points: []chart.Point{{X: 0.1, Y: 1, Name: "点"}, {X: 0.2, Y: 3, Name: "</script>"}}}
	svg, err := c.SVG()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := c.VegaLite()
	if err != nil {
		t.Fatal(err)
	}
	spec, err := fileBundle{"application/vnd.vegalite.v5+json": raw}.bundle()
	if err != nil {
		t.Fatal(err)
	}
	n := code("%%\nnb.Chart(figure)")
	n.Cells[0].Outputs = []*Output{
		{Type: "display_data", Data: Bundle{"application/vnd.vegalite.v5+json": spec["application/vnd.vegalite.v5+json"], "image/svg+xml": string(svg), "text/plain": c.Alt()}},
		{Type: "display_data", Data: Bundle{"text/html": `<table><tr><td>表</td></tr></table><img src="http://elsewhere.invalid/x.png">`, "text/plain": "a table"}},
	}
	title := &Cell{ID: "t", Type: "markdown", Source: "# 学習と忘却\n\nこのノートブックは相関を示します。 $x^2$\n\n## 結果 $y$\n\n## 結果\n\n### 詳細 `code`[^1]\n\n[^1]: 注"}
	again := &Cell{ID: "u", Type: "markdown", Source: "## 結果\n\nText[^1]\n\n[^1]: another"}
	n.Cells = append([]*Cell{title}, append(n.Cells, again)...)
	return n
}

func TestContentsListTheHeadings(t *testing.T) {
	page := pageOf(t, charted(t), PageOptions{})
	links := regexp.MustCompile(`<li class="level(\d)"><a href="#([^"]+)">(.*)</a></li>`).FindAllStringSubmatch(page, -1)
	if len(links) != 4 || links[0][1] != "2" || !strings.HasPrefix(links[0][3], "結果 <math") || links[1][3] != "結果" || links[2][1] != "3" || links[2][3] != "詳細 code" {
		t.Errorf("links %q", links)
	}
	if !strings.Contains(page, "<summary>目次</summary>") || !strings.Contains(page, ">コードを表示</button>") {
		t.Error("the page's own words are not Japanese")
	}
	for _, m := range links {
		if strings.Count(page, ` id="`+m[2]+`"`) != 1 {
			t.Errorf("%q is no place of its own", m[2])
		}
	}
	if page := pageOf(t, markdownCell("# One\n\n## Two\n\n## Three"), PageOptions{}); strings.Contains(page, "class=\"contents\"") {
		t.Error("a short page has a table of contents")
	}
}

// ids matches what must be there once.
var ids = regexp.MustCompile(`\sid="([^"]+)"`)

func TestEveryIDIsThereOnce(t *testing.T) {
	seen := map[string]bool{}
	n := charted(t)
	bad := code("x", "y")
	bad.Cells[0].Outputs, bad.Cells[1].Outputs = []*Output{{Type: "error"}}, []*Output{{Type: "error"}}
	n.Cells = append(n.Cells, append(bad.Cells, markdownCell("## Failed").Cells...)...)
	for _, m := range ids.FindAllStringSubmatch(pageOf(t, n, PageOptions{}), -1) {
		if seen[m[1]] {
			t.Errorf("id %q twice", m[1])
		}
		seen[m[1]] = true
	}
	if len(seen) < 7 || !seen["failed"] || !seen["failed-1"] {
		t.Errorf("ids %v", seen)
	}
}

func TestCodeIsFoldedShownOrLeftOut(t *testing.T) {
	n := code("%%\nshownCode()")
	for _, c := range []struct {
		code             Code
		open, there, all bool
	}{{CodeFolded, false, true, true}, {CodeShown, true, true, true}, {CodeLeftOut, false, false, false}} {
		page := pageOf(t, n, PageOptions{Code: c.code})
		if strings.Contains(page, `<details class="code" open>`) != c.open || strings.Contains(page, "shownCode") != c.there || strings.Contains(page, `class="all"`) != c.all {
			t.Errorf("%+v:\n%s", c, page)
		}
	}
}

func TestVegaRefusesOtherBytes(t *testing.T) {
	t.Setenv("IIMM_CACHE", t.TempDir())
	if _, err := Vega(t.Context(), false, nil); !errors.Is(err, ErrNoVega) {
		t.Errorf("from an empty cache: %v", err)
	}
	t.Setenv("IIMM_OFFLINE", "1")
	if _, err := Vega(t.Context(), true, nil); err == nil || errors.Is(err, ErrNoVega) {
		t.Errorf("offline: %v", err)
	}
	if _, err := vegaScripts[0].source([]byte("other bytes")); err == nil || !strings.Contains(err.Error(), "vega-5.33.0.tgz is not the archive") {
		t.Error(err)
	}
}

// ownHosts are those that Chromium itself asks, whatever the page.
var ownHosts = regexp.MustCompile(`\.(google|googleapis|gvt1|gstatic)\.com(:\d+)?$`)

// opened lets a browser open a page and returns the document that scripts have
// made of it, and every host it asked a proxy for.
func opened(t *testing.T, page string) (document string, asked []string) {
	t.Helper()
	program := chromium(t)
	var mu sync.Mutex
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !ownHosts.MatchString(r.Host) {
			mu.Lock()
			asked = append(asked, r.Host)
			mu.Unlock()
		}
		w.WriteHeader(http.StatusBadGateway)
	}))
	defer proxy.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "page.html")
	if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--headless=new", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--disable-default-apps", "--disable-features=OptimizationHints,MediaRouter,Translate", "--proxy-server=" + proxy.URL, "--proxy-bypass-list=<-loopback>",
		"--user-data-dir=" + filepath.Join(dir, "profile"), "--virtual-time-budget=10000", "--dump-dom"}
	if os.Geteuid() == 0 {
		args = append(args, "--no-sandbox")
	}
	cmd := exec.CommandContext(t.Context(), program, append(args, "file://"+file)...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	return string(out), slices.Clone(asked)
}

func TestPageMakesNoRequest(t *testing.T) {
	// A page that does ask must be seen to.
	if _, asked := opened(t, `<img src="http://elsewhere.invalid/x.png">`); !slices.Contains(asked, "elsewhere.invalid") {
		t.Fatalf("the proxy was not asked: %v", asked)
	}
	for name, scripts := range map[string]string{"static": "", "interactive": vega(t)} {
		document, asked := opened(t, pageOf(t, charted(t), PageOptions{Vega: scripts}))
		if len(asked) != 0 {
			t.Errorf("%s: asked for %v", name, asked)
		}
		if drawn := strings.Contains(document, `class="marks"`); drawn != (scripts != "") {
			t.Errorf("%s: chart drawn by script: %v", name, drawn)
		}
		if hidden := strings.Contains(document, `<div class="picture" hidden="">`); hidden != (scripts != "") {
			t.Errorf("%s: picture hidden: %v", name, hidden)
		}
		if !strings.Contains(document, "学習と忘却") {
			t.Errorf("%s: Japanese is not there", name)
		}
	}
}

func TestPDFIsPrinted(t *testing.T) {
	chromium(t)
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	path := filepath.Join(t.TempDir(), "n.pdf")
	if err := charted(t).WritePDF(t.Context(), path, PageOptions{}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil || !bytes.HasPrefix(data, []byte("%PDF-")) || !bytes.Contains(data, []byte("/Type /Page")) {
		t.Errorf("%v, %d bytes", err, len(data))
	}
	nothingIn(t, tmp)
}

func TestPDFWithoutBrowser(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n.pdf")
	t.Setenv("IIMM_CHROMIUM", "/bin/false")
	if err := code("x").WritePDF(t.Context(), path, PageOptions{}); err == nil || !strings.Contains(err.Error(), "/bin/false") {
		t.Error(err)
	}
	t.Setenv("IIMM_CHROMIUM", filepath.Join(t.TempDir(), "none"))
	if err := code("x").WritePDF(t.Context(), path, PageOptions{}); err == nil || !strings.Contains(err.Error(), "IIMM_CHROMIUM") {
		t.Error(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Error("a file was left")
	}
}

func TestMarkdownExport(t *testing.T) {
	n, err := Parse([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	n.Cells[1].Source = "%%\ns := \"```\""
	n.Cells[1].Outputs = append(n.Cells[1].Outputs,
		&Output{Type: "display_data", Data: Bundle{"text/markdown": "*as it is*", "text/plain": "x"}},
		&Output{Type: "display_data", Data: Bundle{"text/html": "<b>\n\n<img src=\"data:image/png;base64,AQID\"></b>", "text/plain": "x"}},
		&Output{Type: "display_data", Data: Bundle{"text/html": "<table></table>", "text/plain": "a  b\n1  2"}},
		&Output{Type: "display_data", Data: Bundle{"application/json": map[string]any{"k": 1.0}}},
	)
	dir := t.TempDir()
	path := filepath.Join(dir, "the notebook.md")
	if err := n.WriteMarkdown(path, CodeShown); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := "# Title & more\n\n![dot](the%20notebook_files/cell-1-1.png)\n\n````go\n%%\ns := \"```\"\n````\n\n```text\na\nb\n```\n\n" +
		"![alt](the%20notebook_files/cell-2-1.svg)\n\n```text\nno\n```\n\n*as it is*\n\n<b>\n<img src=\"the%20notebook_files/cell-2-2.png\"></b>\n\n```text\na  b\n1  2\n```\n\n```json\n{\n  \"k\": 1\n}\n```\n"
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	dot, _ := base64.StdEncoding.DecodeString("AQID")
	for name, want := range map[string][]byte{"cell-1-1.png": dot, "cell-2-1.svg": []byte("<svg/>"), "cell-2-2.png": dot} {
		if data, err := os.ReadFile(filepath.Join(dir, "the notebook_files", name)); err != nil || !bytes.Equal(data, want) {
			t.Errorf("%s: %v, %q", name, err, data)
		}
	}
	for code, want := range map[Code]string{CodeFolded: "<details><summary>Code</summary>\n\n````go\n", CodeLeftOut: ""} {
		var b bytes.Buffer
		if err := n.Markdown(&b, code, func(name string, _ []byte) (string, error) { return name, nil }); err != nil {
			t.Fatal(err)
		}
		if code == CodeLeftOut && strings.Contains(b.String(), "%%") || !strings.Contains(b.String(), want) {
			t.Errorf("code %d:\n%s", code, b.String())
		}
	}
}

func TestNewAndList(t *testing.T) {
	dir := t.TempDir()
	n, err := New("measure", " A <title> ")
	if err != nil || n.Title() != "A <title>" || !slices.Equal(n.Parameters(), []string{"model", "task", "images"}) {
		t.Fatalf("%v, %+v", err, n)
	}
	for _, bad := range [][2]string{{"none", "x"}, {"blank", ""}, {"blank", "a\nb"}, {"../new", "x"}} {
		if _, err := New(bad[0], bad[1]); err == nil {
			t.Errorf("%q was made", bad)
		}
	}
	ran := code("%%", "", "x")
	one := 1
	ran.Cells[0].ExecutionCount = &one
	for path, n := range map[string]*Notebook{"a.ipynb": n, "sub/b.ipynb": ran, ".ipynb_checkpoints/a.ipynb": n} {
		if err := n.Write(filepath.Join(dir, path)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "bad.ipynb"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := List(dir)
	if err != nil || len(got) != 3 {
		t.Fatalf("%v: %+v", err, got)
	}
	if a := got[0]; a.Title != "A <title>" || a.Kernel != "iimm-go" || a.Cells != 7 || a.CodeCells != 3 || a.Executed != 0 || len(a.Parameters) != 3 {
		t.Errorf("%+v", a)
	}
	if bad := got[1]; !strings.Contains(bad.Error, "nbformat is missing") {
		t.Errorf("%+v", bad)
	}
	if b := got[2]; b.Path != filepath.Join(dir, "sub", "b.ipynb") || b.CodeCells != 2 || b.Executed != 1 || b.Title != "" {
		t.Errorf("%+v", b)
	}
	if one, err := List(got[0].Path); err != nil || len(one) != 1 {
		t.Errorf("a file: %v, %+v", err, one)
	}
	if _, err := List(filepath.Join(dir, "gone")); !os.IsNotExist(err) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

func TestTemplatesRun(t *testing.T) {
	for _, name := range Templates() {
		n, err := New(name, "Try")
		if err != nil {
			t.Fatal(err)
		}
		if err := run(t, n, Options{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
