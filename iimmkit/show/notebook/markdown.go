package notebook

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	ghtml "github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// markup turns markdown cells into HTML. Formulas become MathML, pictures
// become part of the page.
type markup struct {
	md          goldmark.Markdown
	folder      string // where relative pictures are
	attachments map[string]Bundle
	headings    []heading  // of the last text
	ids         parser.IDs // of the headings so far, over all texts
	texts       int        // so far
}

func newMarkup(folder string) *markup {
	m := &markup{folder: folder, ids: parser.NewContext().IDs()}
	m.ids.Put([]byte(failedID)) // taken by no heading
	m.md = goldmark.New(
		goldmark.WithExtensions(extension.GFM, extension.NewFootnote(extension.WithFootnoteIDPrefixFunction(func(ast.Node) []byte {
			return fmt.Appendf(nil, "text%d-", m.texts)
		}))),
		goldmark.WithParserOptions(parser.WithAutoHeadingID(), parser.WithASTTransformers(util.Prioritized(m, 100))),
		goldmark.WithRendererOptions(ghtml.WithUnsafe()),
	)
	return m
}

// html returns the HTML of a markdown text.
func (m *markup) html(source string, attachments map[string]Bundle) (string, error) {
	m.attachments, m.headings = attachments, nil
	m.texts++
	source, formulas := takeFormulas(source)
	var b bytes.Buffer
	if err := m.md.Convert([]byte(source), &b, parser.WithContext(parser.NewContext(parser.WithIDs(m.ids)))); err != nil {
		return "", err
	}
	for i, h := range m.headings {
		m.headings[i].text = putFormulas(html.EscapeString(h.text), formulas)
	}
	return putFormulas(b.String(), formulas), nil
}

// Transform notes headings and embeds pictures (it implements goldmark's
// ASTTransformer). What lies on the network is linked to, not shown: the page
// must not need it.
func (m *markup) Transform(doc *ast.Document, source text.Reader, _ parser.Context) {
	var pictures []*ast.Image
	ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if picture, ok := n.(*ast.Image); ok && entering {
			pictures = append(pictures, picture)
		}
		if h, ok := n.(*ast.Heading); ok && entering {
			id, _ := h.AttributeString("id")
			name, _ := id.([]byte)
			m.headings = append(m.headings, heading{level: h.Level, id: string(name), text: headingText(h, source.Source())})
		}
		return ast.WalkContinue, nil
	})
	for _, p := range pictures {
		if uri := m.embed(string(p.Destination)); uri != "" {
			p.Destination = []byte(uri)
			continue
		}
		link := ast.NewLink()
		link.Destination, link.Title = p.Destination, p.Title
		for c := p.FirstChild(); c != nil; {
			next := c.NextSibling()
			link.AppendChild(link, c)
			c = next
		}
		if link.ChildCount() == 0 {
			link.AppendChild(link, ast.NewString(p.Destination))
		}
		p.Parent().ReplaceChild(p.Parent(), p, link)
	}
}

// embed returns a picture as a data URI: of an attachment or of a file in the
// notebook's folder; "" when it is neither.
func (m *markup) embed(destination string) string {
	if strings.HasPrefix(destination, "data:") {
		return destination
	}
	if name, ok := strings.CutPrefix(destination, "attachment:"); ok {
		bundle := m.attachments[name]
		for _, kind := range pictureTypes {
			if s, ok := bundle.text(kind); ok {
				return dataURI(kind, s)
			}
		}
		return ""
	}
	if m.folder == "" || strings.Contains(destination, ":") || !filepath.IsLocal(filepath.FromSlash(destination)) {
		return ""
	}
	data, err := os.ReadFile(filepath.Join(m.folder, filepath.FromSlash(destination)))
	if err != nil {
		return ""
	}
	kind := mime.TypeByExtension(filepath.Ext(destination))
	if kind == "" {
		kind = http.DetectContentType(data)
	}
	if !strings.HasPrefix(kind, "image/") {
		return ""
	}
	return "data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(data)
}

var pictureTypes = []string{"image/svg+xml", "image/png", "image/jpeg", "image/gif", "image/webp"}

// dataURI makes a URI of a bundle's picture: SVG is text there, the others are
// base64.
func dataURI(kind, s string) string {
	if kind == "image/svg+xml" {
		s = base64.StdEncoding.EncodeToString([]byte(s))
	}
	return "data:" + kind + ";base64," + strings.Join(strings.Fields(s), "")
}

// formula is one piece of TeX in a markdown text.
type formula struct {
	tex   string
	block bool
}

// Formulas are hidden from the markdown parser, to which \\ and _ mean other
// things, behind a mark of two private characters.
const markBegin, markEnd = '\uE000', '\uE001'

var formulaMark = regexp.MustCompile(string(markBegin) + `(\d+)` + string(markEnd))

// takeFormulas replaces $...$ and $$...$$ outside code by marks. As in Jupyter,
// a $ followed by a space, or escaped, is no formula's begin.
func takeFormulas(source string) (string, []formula) {
	source = strings.Map(func(r rune) rune {
		if r == markBegin || r == markEnd {
			return -1
		}
		return r
	}, source)
	var formulas []formula
	var b strings.Builder
	rest := source
	keep := func(n int) { b.WriteString(rest[:n]); rest = rest[n:] }
	take := func(tex string, block bool, n int) {
		fmt.Fprintf(&b, "%c%d%c", markBegin, len(formulas), markEnd)
		formulas = append(formulas, formula{strings.TrimSpace(tex), block})
		rest = rest[n:]
	}
	lineStart := true
	for rest != "" {
		if lineStart {
			if n := fencedCode(rest); n > 0 {
				keep(n)
				continue
			}
		}
		lineStart = rest[0] == '\n'
		switch {
		case rest[0] == '\\' && len(rest) > 1:
			keep(2)
		case rest[0] == '`':
			keep(codeSpan(rest))
		case strings.HasPrefix(rest, "$$"):
			if end := strings.Index(rest[2:], "$$"); end > 0 {
				take(rest[2:2+end], true, end+4)
			} else {
				keep(2)
			}
		case rest[0] == '$':
			if end := inlineFormula(rest); end > 0 {
				take(rest[1:end], false, end+1)
			} else {
				keep(1)
			}
		default:
			keep(1)
		}
	}
	return b.String(), formulas
}

// inlineFormula returns where the $ that ends a formula stands, or 0.
func inlineFormula(s string) int {
	if len(s) < 3 || s[1] == ' ' || s[1] == '\n' || s[1] == '$' {
		return 0
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '$':
			if s[i-1] == ' ' || i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9' {
				return 0
			}
			return i
		case '\n':
			if i+1 < len(s) && s[i+1] == '\n' {
				return 0
			}
		}
	}
	return 0
}

// fencedCode returns the length of a fenced code block at the beginning of s, or 0.
func fencedCode(s string) int {
	line, _, _ := strings.Cut(s, "\n")
	trimmed := strings.TrimLeft(line, " ")
	var fence string
	for _, c := range []string{"`", "~"} {
		if n := len(trimmed) - len(strings.TrimLeft(trimmed, c)); n >= 3 {
			fence = strings.Repeat(c, n)
		}
	}
	if fence == "" || len(line)-len(trimmed) > 3 {
		return 0
	}
	at := len(line)
	for at < len(s) {
		at++ // the line's end
		line, _, _ := strings.Cut(s[at:], "\n")
		at += len(line)
		if t := strings.TrimSpace(line); strings.HasPrefix(t, fence) && strings.Trim(t, fence[:1]) == "" {
			break
		}
	}
	return min(at, len(s))
}

// codeSpan returns the length of a code span at the beginning of s, or of its
// backticks when it is not closed.
func codeSpan(s string) int {
	n := len(s) - len(strings.TrimLeft(s, "`"))
	for at := n; at < len(s); {
		i := strings.IndexByte(s[at:], '`')
		if i < 0 {
			break
		}
		at += i
		run := len(s[at:]) - len(strings.TrimLeft(s[at:], "`"))
		at += run
		if run == n {
			return at
		}
	}
	return n
}

// putFormulas sets the formulas at their marks; one that is not understood is
// shown as its source.
func putFormulas(page string, formulas []formula) string {
	return formulaMark.ReplaceAllStringFunc(page, func(mark string) string {
		i, err := strconv.Atoi(formulaMark.FindStringSubmatch(mark)[1])
		if err != nil || i >= len(formulas) {
			return ""
		}
		f := formulas[i]
		set, err := mathML(f.tex, f.block)
		if err != nil {
			return `<code class="tex" title="` + html.EscapeString(err.Error()) + `">` + html.EscapeString(f.tex) + "</code>"
		}
		return set
	})
}
