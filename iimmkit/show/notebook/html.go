package notebook

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"regexp"
	"strings"

	"github.com/alecthomas/chroma/v2"
	chtml "github.com/alecthomas/chroma/v2/formatters/html"
	"github.com/alecthomas/chroma/v2/lexers"
	"github.com/alecthomas/chroma/v2/styles"

	"github.com/iimmkit/iimm/iimmkit/file/store"
)

//go:embed page.css
var pageCSS string

// PageOptions says how a notebook becomes a page.
type PageOptions struct {
	// Title is the page's, by default the notebook's first heading, else Name.
	Title, Name string
	// Dir is the notebook's folder, from which relative pictures are embedded.
	Dir string
	// Code says what becomes of the code cells' source.
	Code Code
	// Vega is what the function Vega returns; with it charts are interactive,
	// without it they are pictures.
	Vega string
}

// Code says how an export shows the source of code cells.
type Code int

const (
	CodeFolded  Code = iota // hidden until the reader asks for it
	CodeShown               // open
	CodeLeftOut             // not there at all
)

// WriteHTML writes a notebook to one HTML file, whole or not at all.
func (n *Notebook) WriteHTML(path string, opt PageOptions) error {
	var b bytes.Buffer
	if err := n.HTML(&b, opt); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return store.WriteFile(path, b.Bytes())
}

// HTML writes a notebook as one page that needs no network, and by its content
// security policy cannot use it: formulas are MathML, charts are pictures or,
// with PageOptions.Vega, interactive.
func (n *Notebook) HTML(w io.Writer, opt PageOptions) error {
	title := opt.Title
	if title == "" {
		title = n.Title()
	}
	if title == "" {
		title = opt.Name
	}
	p := &page{markup: newMarkup(opt.Dir), lexer: lexerOf(n), format: chtml.New(chtml.WithClasses(true)), code: opt.Code, interactive: opt.Vega != ""}
	for i, c := range n.Cells {
		if err := p.cell(c); err != nil {
			return fmt.Errorf("cell %d: %w", i+1, err)
		}
	}
	style, err := p.style()
	if err != nil {
		return err
	}
	language := n.language()
	say := pageWords[language]
	policy := "default-src 'none'; img-src data:; media-src data:; font-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
	scripts := ""
	if p.charts > 0 {
		// Vega compiles the expressions of a chart.
		policy = strings.Replace(policy, "script-src", "script-src 'unsafe-eval'", 1)
		scripts = "<script>\n" + opt.Vega + "</script>\n<script>\n" + vegaStart + "</script>\n"
	}
	if opt.Code != CodeLeftOut {
		scripts += "<script>\n" + codeButton + "</script>\n"
	}
	_, err = fmt.Fprintf(w, `<!DOCTYPE html>
<html lang="%s">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="%s">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>%s</title>
<style>
%s</style>
</head>
<body>
%s<main>
%s%s</main>
%s</body>
</html>
`, language, policy, html.EscapeString(title), style, contents(p.headings, say.contents), n.top(opt.Code, say), p.body.String(), scripts)
	return err
}

// failedID is the place of the first cell that failed.
const failedID = "failed"

// words are what a page says of itself.
type words struct{ show, hide, contents, failed string }

var pageWords = map[string]words{
	"en": {"Show code", "Hide code", "Contents", "a cell failed: see where"},
	"ja": {"コードを表示", "コードを隠す", "目次", "失敗したセルがあります"},
}

// codeButton opens and folds all code.
const codeButton = `document.querySelector(".all").onclick = function () {
  var open = this.getAttribute("aria-pressed") !== "true";
  document.querySelectorAll("details.code").forEach(function (d) { d.open = open; });
  this.setAttribute("aria-pressed", open);
  this.textContent = this.getAttribute(open ? "data-hide" : "data-show");
};
`

// top is the line above the notebook: the button and the parameters.
func (n *Notebook) top(code Code, say words) string {
	var b strings.Builder
	b.WriteString("<header>")
	if code != CodeLeftOut {
		label := say.show
		if code == CodeShown {
			label = say.hide
		}
		fmt.Fprintf(&b, `<button class="all" type="button" aria-pressed="%t" data-show="%s" data-hide="%s">%s</button>`, code == CodeShown, say.show, say.hide, label)
	}
	mark, _ := n.Metadata["iimm"].(map[string]any)
	if given, _ := mark["parameters"].(map[string]any); len(given) > 0 {
		var parts []string
		for _, name := range sortedKeys(given) {
			parts = append(parts, html.EscapeString(fmt.Sprintf("%s = %v", name, given[name])))
		}
		b.WriteString(` <span class="parameters">` + strings.Join(parts, ", ") + "</span>")
	}
	for _, c := range n.Cells {
		if c.failed() {
			b.WriteString(` <a class="failed" href="#` + failedID + `">` + say.failed + `</a>`)
			break
		}
	}
	b.WriteString("</header>\n")
	return b.String()
}

// language guesses the page's language from the markdown cells: kana are
// written in Japanese only.
func (n *Notebook) language() string {
	kana, all := 0, 1
	for _, c := range n.Cells {
		if c.Type != "markdown" {
			continue
		}
		for _, r := range c.Source {
			all++
			if r >= 0x3040 && r <= 0x30FF {
				kana++
			}
		}
	}
	if kana*20 > all {
		return "ja"
	}
	return "en"
}

func lexerOf(n *Notebook) chroma.Lexer {
	name := "go"
	if info, ok := n.Metadata["language_info"].(map[string]any); ok {
		if s, ok := info["name"].(string); ok {
			name = s
		}
	}
	lexer := lexers.Get(name)
	if lexer == nil {
		lexer = lexers.Fallback
	}
	return chroma.Coalesce(lexer)
}

// page is a page being written.
type page struct {
	body    bytes.Buffer
	markup  *markup
	lexer   chroma.Lexer
	format  *chtml.Formatter
	outputs int // so far, for ids

	code        Code
	interactive bool
	failed      bool      // a cell before has
	charts      int       // interactive ones so far
	headings    []heading // of the markdown cells so far
}

func (p *page) style() (string, error) {
	var b bytes.Buffer
	b.WriteString(pageCSS)
	if err := p.format.WriteCSS(&b, styles.Get("github")); err != nil {
		return "", err
	}
	b.WriteString("@media (prefers-color-scheme: dark) {\n")
	if err := p.format.WriteCSS(&b, styles.Get("github-dark")); err != nil {
		return "", err
	}
	b.WriteString("}\n")
	return b.String(), nil
}

func (p *page) cell(c *Cell) error {
	switch c.Type {
	case "markdown":
		s, err := p.markup.html(c.Source, c.Attachments)
		if err != nil {
			return err
		}
		p.headings = append(p.headings, p.markup.headings...)
		p.body.WriteString("<section class=\"text\">\n" + s + "</section>\n")
		return nil
	case "raw":
		return nil
	}
	if strings.TrimSpace(c.Source) == "" {
		return nil
	}
	id := ""
	if c.failed() && !p.failed {
		p.failed = true
		id = ` id="` + failedID + `"`
	}
	fmt.Fprintf(&p.body, "<section class=\"cell\"%s>\n", id)
	if p.code != CodeLeftOut {
		open, number := "", " "
		if c.failed() || p.code == CodeShown {
			open = " open"
		}
		if c.ExecutionCount != nil {
			number = fmt.Sprint(*c.ExecutionCount)
		}
		fmt.Fprintf(&p.body, "<details class=\"code\"%s><summary>In [%s]</summary>\n", open, number)
		tokens, err := p.lexer.Tokenise(nil, c.Source)
		if err == nil {
			err = p.format.Format(&p.body, styles.Get("github"), tokens)
		}
		if err != nil {
			return err
		}
		p.body.WriteString("</details>\n")
	}
	for _, o := range c.Outputs {
		s, err := p.output(o)
		if err != nil {
			return err
		}
		p.body.WriteString(s)
	}
	p.body.WriteString("</section>\n")
	return nil
}

func (p *page) output(o *Output) (string, error) {
	p.outputs++
	switch o.Type {
	case "stream":
		return `<pre class="output ` + html.EscapeString(o.Name) + `">` + html.EscapeString(terminal(o.Text)) + "</pre>\n", nil
	case "error":
		text := strings.Join(o.Traceback, "\n")
		if strings.TrimSpace(text) == "" {
			text = o.ErrorName + ": " + o.ErrorValue
		}
		return `<pre class="output error">` + html.EscapeString(terminal(text)) + "</pre>\n", nil
	}
	s, err := p.bundle(o.Data)
	if err != nil || s == "" {
		return "", err
	}
	return `<div class="output">` + s + "</div>\n", nil
}

// bundle shows the best form of a display. Of a chart that is its picture, which
// stands beside it, and where charts are interactive the chart itself.
func (p *page) bundle(b Bundle) (string, error) {
	spec, chart := b["application/vnd.vegalite.v5+json"]
	if !chart {
		return p.still(b)
	}
	picture, err := p.still(b)
	if err != nil || !p.interactive {
		return picture, err
	}
	data, err := json.Marshal(spec) // with < as \u003c
	if err != nil {
		return "", err
	}
	p.charts++
	return `<figure class="chart"><div class="picture">` + picture + `</div><script type="application/json">` + string(data) + "</script></figure>", nil
}

// still shows the best form of a display that does not move.
func (p *page) still(b Bundle) (string, error) {
	alt, _ := b.text("text/plain")
	_, chart := b["application/vnd.vegalite.v5+json"]
	if s, ok := b.text("text/html"); ok && !chart {
		return s, nil
	}
	if s, ok := b.text("image/svg+xml"); ok {
		return figure(p.inlineSVG(s, alt)), nil
	}
	for _, kind := range pictureTypes {
		if s, ok := b.text(kind); ok {
			return figure(fmt.Sprintf(`<img alt="%s" src="%s">`, html.EscapeString(alt), dataURI(kind, s))), nil
		}
	}
	if s, ok := b.text("text/markdown"); ok {
		return p.markup.html(s, nil)
	}
	if s, ok := b.text("text/latex"); ok {
		s, f := takeFormulas(s)
		return putFormulas(html.EscapeString(s), f), nil
	}
	if alt != "" {
		return "<pre>" + html.EscapeString(terminal(alt)) + "</pre>", nil
	}
	for _, mime := range sortedKeys(b) {
		if isJSON(mime) {
			text, err := json.MarshalIndent(b[mime], "", "  ")
			return "<pre>" + html.EscapeString(string(text)) + "</pre>", err
		}
	}
	return "", nil
}

func figure(s string) string { return "<figure>" + s + "</figure>" }

var (
	svgID  = regexp.MustCompile(`\bid="([^"]+)"`)
	svgURL = regexp.MustCompile(`url\(#([^)"]+)\)`)
	svgRef = regexp.MustCompile(`\b((?:xlink:)?href|aria-labelledby|aria-describedby)="(#?)([^"]+)"`)
)

// inlineSVG puts a picture into the page, so that its hover texts work. Its ids
// are made its own; one that carries script is shown as an image, where script
// is dead.
func (p *page) inlineSVG(svg, alt string) string {
	start := strings.Index(svg, "<svg")
	if start < 0 || strings.Contains(strings.ToLower(svg), "<script") {
		return fmt.Sprintf(`<img alt="%s" src="%s">`, html.EscapeString(alt), dataURI("image/svg+xml", svg))
	}
	prefix := fmt.Sprintf("o%d-", p.outputs)
	svg = svgID.ReplaceAllString(svg[start:], `id="`+prefix+`$1"`)
	svg = svgURL.ReplaceAllString(svg, `url(#`+prefix+`$1)`)
	return svgRef.ReplaceAllStringFunc(svg, func(s string) string {
		m := svgRef.FindStringSubmatch(s)
		if strings.HasSuffix(m[1], "href") {
			if m[2] == "" {
				return s // leads out of the picture
			}
			return m[1] + `="#` + prefix + m[3] + `"`
		}
		ids := strings.Fields(m[3])
		for i := range ids {
			ids[i] = prefix + ids[i]
		}
		return m[1] + `="` + strings.Join(ids, " ") + `"`
	})
}

// terminal is what a terminal would show in the end: no colours, and of a line
// that returned to its beginning only what was written last.
func terminal(s string) string {
	s = strings.ReplaceAll(plain(s), "\r\n", "\n")
	if !strings.Contains(s, "\r") {
		return s
	}
	var b strings.Builder
	for line := range strings.Lines(s) {
		body, end := strings.TrimSuffix(line, "\n"), ""
		if len(body) < len(line) {
			end = "\n"
		}
		body = strings.TrimRight(body, "\r")
		b.WriteString(body[strings.LastIndexByte(body, '\r')+1:] + end)
	}
	return b.String()
}
