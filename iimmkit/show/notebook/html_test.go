package notebook

import (
	"bytes"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func pageOf(t *testing.T, n *Notebook, opt PageOptions) string {
	t.Helper()
	var b bytes.Buffer
	if err := n.HTML(&b, opt); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func markdownCell(source string) *Notebook {
	return &Notebook{Format: 4, Minor: 5, Cells: []*Cell{{ID: "a", Type: "markdown", Source: source}}}
}

func TestPageEscapesCodeAndOutput(t *testing.T) {
	n := code("%%\nfmt.Println(\"<script>alert(1)</script>\")")
	n.Cells[0].Outputs = []*Output{
		{Type: "stream", Name: "stdout", Text: "<script>alert(2)</script>"},
		{Type: "error", Traceback: []string{"\x1b[31m<script>alert(3)</script>\x1b[0m"}},
		{Type: "display_data", Data: Bundle{"text/plain": "<script>alert(4)</script>"}},
	}
	page := pageOf(t, n, PageOptions{Title: "</title><script>alert(5)</script>"})
	if strings.Contains(page, "<script>alert") {
		t.Error("text became markup")
	}
	if strings.Contains(page, "\x1b") {
		t.Error("a terminal colour came through")
	}
	if !strings.Contains(page, `<section class="cell" id="failed">
<details class="code" open>`) || !strings.Contains(page, `href="#failed"`) {
		t.Error("the failing cell is not opened and linked to")
	}
}

// outside matches what a browser would fetch.
var outside = regexp.MustCompile(`(?i)(src|href)\s*=\s*["']?\s*(https?:)?//|@import|url\(\s*["']?(https?:)?//`)

func TestPageNeedsNoNetwork(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "dot.png"), []byte("\x89PNG\r\n\x1a\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	n := markdownCell("# T\n\n![local](dot.png) ![away](https://example.org/x.png) ![up](../dot.png) ![gone](gone.png)\n\n$x^2$")
	n.Cells = append(n.Cells, code("%%\nx()").Cells...)
	n.Cells[1].Outputs = []*Output{{Type: "display_data", Data: Bundle{
		"application/vnd.vegalite.v5+json": map[string]any{"$schema": "https://vega.github.io/schema/vega-lite/v5.json"},
		"image/svg+xml":                    `<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><clipPath id="c"/><g clip-path="url(#c)"/></svg>`,
		"text/plain":                       "a chart", "text/html": "<b>not this</b>",
	}}}
	page := pageOf(t, n, PageOptions{Dir: dir})
	for _, m := range outside.FindAllString(page, -1) {
		if !strings.HasPrefix(m, "href") {
			t.Errorf("the page fetches: %s", m)
		}
	}
	if !strings.Contains(page, `<img src="data:image/png;base64,iVBORw0KGgo=" alt="local"`) {
		t.Error("the local picture is not embedded")
	}
	for _, link := range []string{`<a href="https://example.org/x.png">away</a>`, `<a href="../dot.png">up</a>`, `<a href="gone.png">gone</a>`} {
		if !strings.Contains(page, link) {
			t.Errorf("no %s", link)
		}
	}
	if !strings.Contains(page, `<svg xmlns="http://www.w3.org/2000/svg"><clipPath id="o1-c"/><g clip-path="url(#o1-c)"/></svg>`) || strings.Contains(page, "not this") {
		t.Error("the chart's picture is not shown, or its ids are not its own")
	}
	if !strings.Contains(page, "<math") {
		t.Error("the formula is not set")
	}
}

func TestPicturesWithScriptAreImages(t *testing.T) {
	n := code("x")
	n.Cells[0].Outputs = []*Output{{Type: "display_data", Data: Bundle{"image/svg+xml": `<svg><SCRIPT>alert(1)</SCRIPT></svg>`}}}
	if page := pageOf(t, n, PageOptions{}); strings.Contains(page, "alert(1)") || !strings.Contains(page, "data:image/svg+xml;base64,") {
		t.Error("script of a picture is on the page")
	}
}

func TestSamePageEachTime(t *testing.T) {
	n, err := Parse([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	if a, b := pageOf(t, n, PageOptions{}), pageOf(t, n, PageOptions{}); a != b {
		t.Error("two pages of one notebook differ")
	}
}

func TestLanguage(t *testing.T) {
	if page := pageOf(t, markdownCell("# 学習と忘却\n\nこのノートブックは相関を示します。"), PageOptions{}); !strings.Contains(page, `<html lang="ja">`) {
		t.Error("Japanese is not recognised")
	}
	if page := pageOf(t, markdownCell("# Learning\n\nThe word 学習 means learning."), PageOptions{}); !strings.Contains(page, `<html lang="en">`) {
		t.Error("English is not recognised")
	}
}

func TestTerminal(t *testing.T) {
	for in, want := range map[string]string{
		"plain\n":                "plain\n",
		"\x1b[31mred\x1b[0m\n":   "red\n",
		"10%\r50%\r100%\nend":    "100%\nend",
		"windows\r\nlines\r\n":   "windows\nlines\n",
		"bar 1\r\x1b[Kbar 2\r\n": "bar 2\n",
		"kept\r":                 "kept",
	} {
		if got := terminal(in); got != want {
			t.Errorf("terminal(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestFormulasAreTakenFromText(t *testing.T) {
	for _, c := range []struct {
		in       string
		formulas []formula
	}{
		{"a $x_1$ b", []formula{{"x_1", false}}},
		{"$$\na\n= b\n$$", []formula{{"a\n= b", true}}},
		{"it costs $5 and $6", nil},
		{"not $ this $", nil},
		{`escaped \$x$ y`, nil},
		{"`$x$` and ``$`y$``", nil},
		{"```go\n$x$\n```\n$y$", []formula{{"y", false}}},
		{"~~~\n$x$", nil},
		{"$a$ and $b$", []formula{{"a", false}, {"b", false}}},
		{"$a\n\nb$", nil},
		{"$\\text{a\\$b}$", []formula{{"\\text{a\\$b}", false}}},
		{"$$open", nil},
	} {
		_, got := takeFormulas(c.in)
		if len(got) != len(c.formulas) {
			t.Errorf("%q: %v, want %v", c.in, got, c.formulas)
			continue
		}
		for i := range got {
			if got[i] != c.formulas[i] {
				t.Errorf("%q: %v, want %v", c.in, got[i], c.formulas[i])
			}
		}
	}
}

func TestMathML(t *testing.T) {
	for _, c := range []struct{ tex, want string }{
		{"x", "<mi>x</mi>"},
		{"x_i^2", "<msubsup><mi>x</mi><mi>i</mi><mn>2</mn></msubsup>"},
		{"x^2_i", "<msubsup><mi>x</mi><mi>i</mi><mn>2</mn></msubsup>"},
		{"3.14-a", "<mn>3.14</mn><mo>−</mo><mi>a</mi>"},
		{`\frac{1}{n}`, "<mfrac><mrow><mn>1</mn></mrow><mrow><mi>n</mi></mrow></mfrac>"},
		{`\frac12`, "<mfrac><mn>12</mn>"}, // see below: digits are one number, write \frac{1}{2}
		{`\sum_{i=1}^n`, `<munderover><mo movablelimits="true">∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mi>n</mi></munderover>`},
		{`\max_c s_c`, `<munder><mo movablelimits="true">max</mo><mi>c</mi></munder><msub><mi>s</mi><mi>c</mi></msub>`},
		{`\left\lVert v\right\rVert`, `<mrow><mo stretchy="true">‖</mo><mrow><mi>v</mi></mrow><mo stretchy="true">‖</mo></mrow>`},
		{`\mathrm{IIMM}`, `<mi mathvariant="normal">IIMM</mi>`},
		{`\mathrm{scaled\ gain}`, "<mi mathvariant=\"normal\">scaled\u00a0gain</mi>"},
		{`\mathbb{R}^d`, "<msup><mi>ℝ</mi><mi>d</mi></msup>"},
		{`\mathbf{ab}`, "<mi>𝐚𝐛</mi>"},
		{`\hat y`, `<mover accent="true"><mi>y</mi><mo>^</mo></mover>`},
		{`\sqrt[3]{x}`, "<mroot><mrow><mi>x</mi></mrow><mrow><mn>3</mn></mrow></mroot>"},
		{`a<b`, "<mi>a</mi><mo>&lt;</mo><mi>b</mi>"},
		{`\text{a<b }`, "<mtext>a&lt;b </mtext>"},
		{`f'(x)`, `<msup><mi>f</mi><mo>′</mo></msup><mo stretchy="false">(</mo><mi>x</mi><mo stretchy="false">)</mo>`},
		{`\begin{cases}a & b\\ c & d\end{cases}`, "<mtr><mtd><mi>a</mi></mtd><mtd><mi>b</mi></mtd></mtr><mtr><mtd><mi>c</mi></mtd><mtd><mi>d</mi></mtd></mtr>"},
		{`x\,\cdot\;y`, `<mo>⋅</mo><mspace width="0.28em"></mspace>`},
	} {
		got, err := mathML(c.tex, false)
		if c.tex == `\frac12` {
			// TeX takes 1 and 2; here a run of digits is one number, so this is
			// an error rather than a wrong formula.
			if err == nil {
				t.Errorf("%s became %s", c.tex, got)
			}
			continue
		}
		if err != nil || !strings.Contains(got, c.want) {
			t.Errorf("%s: %v\n%s\nwant %s", c.tex, err, got, c.want)
		}
	}
}

func TestMathMLRefuses(t *testing.T) {
	for _, tex := range []string{`\nothing`, `{a`, `a}`, `\frac{1}`, `x^`, `x^1^2`, `\left( a`, `\begin{nothing}\end{nothing}`,
		`\begin{cases}a\end{matrix}`, `a & b`, `\right)`, strings.Repeat("{", 1000)} {
		if got, err := mathML(tex, false); err == nil {
			t.Errorf("%s became %s", tex, got)
		}
	}
	page := pageOf(t, markdownCell(`A $\nothing<b>$ formula`), PageOptions{})
	if !strings.Contains(page, `\nothing&lt;b&gt;</code>`) {
		t.Error("the source of a formula that is not understood is not shown")
	}
}

func FuzzMathML(f *testing.F) {
	for _, s := range []string{`\frac{1}{n}\sum_{i=1}^n x_i`, `\left\{\begin{cases}a & b\\ c\end{cases}\right.`, `\mathbb{R}'`, `\`, `é_\text{ü}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, tex string) {
		s, err := mathML(tex, true)
		if err != nil {
			return
		}
		d := xml.NewDecoder(strings.NewReader(s))
		for {
			_, err := d.Token()
			if err == io.EOF {
				return
			}
			// What is no character in XML cannot be one in the source either.
			if err != nil && !strings.Contains(err.Error(), "illegal character") && !strings.Contains(err.Error(), "UTF-8") {
				t.Fatalf("%q: %v\n%s", tex, err, s)
			}
			if err != nil {
				return
			}
		}
	})
}

func FuzzMarkdown(f *testing.F) {
	f.Add("# T\n\n$x$ `$y$` ![a](b.png)\n\n```\n$z$\n```\n| a |\n|--|\n| $1$ |")
	f.Fuzz(func(t *testing.T, source string) {
		if _, err := newMarkup("").html(source, nil); err != nil {
			t.Fatal(err)
		}
	})
}
