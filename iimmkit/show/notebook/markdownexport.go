package notebook

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// WriteMarkdown writes a notebook as NAME.md, and its pictures into NAME_files
// beside it.
func (n *Notebook) WriteMarkdown(path string, code Code) error {
	folder := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)) + "_files"
	var b bytes.Buffer
	err := n.Markdown(&b, code, func(name string, data []byte) (string, error) {
		return (&url.URL{Path: folder + "/" + name}).EscapedPath(), store.WriteFile(filepath.Join(filepath.Dir(path), folder, name), data)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return store.WriteFile(path, b.Bytes())
}

// Markdown writes a notebook as GitHub's markdown. Code is shown in fences;
// CodeFolded puts it into a <details> element. Pictures are given to save, which
// returns the link to them.
func (n *Notebook) Markdown(w io.Writer, code Code, save func(name string, data []byte) (link string, err error)) error {
	m := &markdownWriter{save: save}
	language := "go"
	if info, ok := n.Metadata["language_info"].(map[string]any); ok {
		if s, ok := info["name"].(string); ok {
			language = s
		}
	}
	for i, c := range n.Cells {
		m.cell, m.pictures = i+1, 0
		if err := m.write(c, code, language); err != nil {
			return fmt.Errorf("cell %d: %w", i+1, err)
		}
	}
	_, err := io.WriteString(w, strings.Join(m.parts, "\n\n")+"\n")
	return err
}

type markdownWriter struct {
	parts          []string // to be separated by empty lines
	cell, pictures int      // numbers of what is written
	save           func(name string, data []byte) (link string, err error)
}

func (m *markdownWriter) add(part string) {
	if part = strings.Trim(part, "\n"); strings.TrimSpace(part) != "" {
		m.parts = append(m.parts, part)
	}
}

var attachmentLink = regexp.MustCompile(`\(attachment:([^)\s]+)`)

func (m *markdownWriter) write(c *Cell, code Code, language string) error {
	switch c.Type {
	case "raw":
		return nil
	case "markdown":
		var failure error
		m.add(attachmentLink.ReplaceAllStringFunc(c.Source, func(s string) string {
			name := attachmentLink.FindStringSubmatch(s)[1]
			for _, kind := range pictureTypes {
				if data, ok := c.Attachments[name].text(kind); ok {
					link, err := m.picture(kind, data)
					if err != nil && failure == nil {
						failure = err
					}
					return "(" + link
				}
			}
			return s
		}))
		return failure
	}
	if strings.TrimSpace(c.Source) == "" {
		return nil
	}
	switch code {
	case CodeShown:
		m.add(fence(c.Source, language))
	case CodeFolded:
		m.add("<details><summary>Code</summary>\n\n" + fence(c.Source, language) + "\n\n</details>")
	}
	for _, o := range c.Outputs {
		switch o.Type {
		case "stream":
			m.add(fence(terminal(o.Text), "text"))
		case "error":
			text := strings.Join(o.Traceback, "\n")
			if strings.TrimSpace(text) == "" {
				text = o.ErrorName + ": " + o.ErrorValue
			}
			m.add(fence(terminal(text), "text"))
		default:
			s, err := m.display(o.Data)
			if err != nil {
				return err
			}
			m.add(s)
		}
	}
	return nil
}

// fence puts a text between lines of more backticks than it has in a row.
func fence(text, language string) string {
	marks := "```"
	for strings.Contains(text, marks) {
		marks += "`"
	}
	return marks + language + "\n" + strings.TrimRight(text, "\n") + "\n" + marks
}

// markdownSpecial are the characters that would end the words of a picture.
var markdownSpecial = strings.NewReplacer("\n", " ", "[", `\[`, "]", `\]`, `\`, `\\`)

// display shows the best form of a bundle that markdown can. Tables of nb are
// text: HTML is taken only where it is all there is, or holds pictures.
func (m *markdownWriter) display(b Bundle) (string, error) {
	alt, _ := b.text("text/plain")
	for _, kind := range []string{"text/markdown", "text/latex"} {
		if s, ok := b.text(kind); ok {
			return s, nil
		}
	}
	for _, kind := range pictureTypes {
		if s, ok := b.text(kind); ok {
			link, err := m.picture(kind, s)
			return "![" + markdownSpecial.Replace(alt) + "](" + link + ")", err
		}
	}
	markup, _ := b.text("text/html")
	if inlinePicture.MatchString(markup) {
		return m.withPictures(markup)
	}
	if alt != "" {
		return fence(terminal(alt), "text"), nil
	}
	if markup != "" {
		return m.withPictures(markup)
	}
	for _, mime := range sortedKeys(b) {
		if isJSON(mime) {
			text, err := json.MarshalIndent(b[mime], "", "  ")
			return fence(string(text), "json"), err
		}
	}
	return "", nil
}

var (
	inlinePicture = regexp.MustCompile(`src="data:(image/[a-z+]+);base64,([A-Za-z0-9+/=\s]+)"`)
	emptyLines    = regexp.MustCompile(`\n\s*\n`)
)

// withPictures makes HTML a part of markdown: its pictures are files, and it has
// no empty line, which would end it.
func (m *markdownWriter) withPictures(markup string) (string, error) {
	var failure error
	markup = inlinePicture.ReplaceAllStringFunc(markup, func(s string) string {
		found := inlinePicture.FindStringSubmatch(s)
		data := found[2]
		if found[1] == "image/svg+xml" {
			decoded, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(data), ""))
			if err != nil {
				return s // no picture
			}
			data = string(decoded)
		}
		link, err := m.picture(found[1], data)
		if err != nil && failure == nil {
			failure = err
		}
		return `src="` + html.EscapeString(link) + `"`
	})
	return emptyLines.ReplaceAllString(strings.TrimSpace(markup), "\n"), failure
}

// picture saves a picture as it stands in a bundle and returns the link to it.
func (m *markdownWriter) picture(kind, s string) (string, error) {
	data := []byte(s)
	if kind != "image/svg+xml" {
		var err error
		if data, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), "")); err != nil {
			return "", fmt.Errorf("%s: %w", kind, err)
		}
	}
	m.pictures++
	ending := strings.TrimSuffix(strings.TrimPrefix(kind, "image/"), "+xml")
	return m.save(fmt.Sprintf("cell-%d-%d.%s", m.cell, m.pictures, ending), data)
}
