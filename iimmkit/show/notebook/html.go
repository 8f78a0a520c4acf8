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
}

// WriteHTML writes a notebook to one HTML file, whole or not at all.
func (n *Notebook) WriteHTML(path string, opt PageOptions) error {
	var b bytes.Buffer
	if err := n.HTML(&b, opt); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return store.WriteFile(path, b.Bytes())
}

// HTML writes a notebook as one page that needs no network and, but for a
// button, no script: code is folded, charts are their static pictures,
// formulas are MathML.
func (n *Notebook) HTML(w io.Writer, opt PageOptions) error {
	title := opt.Title
	if title == "" {
		title = n.Title()
	}
	if title == "" {
		title = opt.Name
	}
	p := &page{markup: newMarkup(opt.Dir), lexer: lexerOf(n), format: chtml.New(chtml.WithClasses(true))}
	for i, c := range n.Cells {
		if err := p.cell(c); err != nil {
			return fmt.Errorf("cell %d: %w", i+1, err)
		}
	}
	style, err := p.style()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, `<!DOCTYPE html>
<html lang="%s">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>%s</title>
<style>
%s</style>
</head>
<body>
<main>
%s%s</main>
<script>
document.querySelector(".all").onclick = function () {
  var folded = document.querySelectorAll("details.code"), open = this.getAttribute("aria-pressed") !== "true";
  folded.forEach(function (d) { d.open = open; });
  this.setAttribute("aria-pressed", open);
};
</script>
</body>
</html>
`, n.language(), html.EscapeString(title), style, n.top(), p.body.String())
	return err
}

// top is the line above the notebook: the button and the parameters.
func (n *Notebook) top() string {
	var b strings.Builder
	b.WriteString(`<header><button class="all" type="button" aria-pressed="false">Show code</button>`)
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
			b.WriteString(` <a class="failed" href="#failed">a cell failed: see where</a>`)
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
		p.body.WriteString("<section class=\"text\">\n" + s + "</section>\n")
		return nil
	case "raw":
		return nil
	}
	if strings.TrimSpace(c.Source) == "" {
		return nil
	}
	open, number := "", " "
	if c.failed() {
		open = ` open id="failed"`
	}
	if c.ExecutionCount != nil {
		number = fmt.Sprint(*c.ExecutionCount)
	}
	fmt.Fprintf(&p.body, "<section class=\"cell\">\n<details class=\"code\"%s><summary>In [%s]</summary>\n", open, number)
	tokens, err := p.lexer.Tokenise(nil, c.Source)
	if err == nil {
		err = p.format.Format(&p.body, styles.Get("github"), tokens)
	}
	if err != nil {
		return err
	}
	p.body.WriteString("</details>\n")
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

// bundle shows the best form of a display. Of an interactive chart that is its
// picture, which stands beside it.
func (p *page) bundle(b Bundle) (string, error) {
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
