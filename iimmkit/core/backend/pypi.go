package backend

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"mime"
	"net/url"
	"os"
	"path"
	"regexp"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/fetch"
)

const (
	defaultIndex = "https://pypi.org/simple"
	indexJSON    = "application/vnd.pypi.simple.v1+json"
	indexHTML    = "application/vnd.pypi.simple.v1+html"
	maxIndexPage = 64 << 20
)

// indexFile is one file of a project's page on a Python package index.
type indexFile struct {
	name   string
	url    string // absolute
	sha256 string // "" when the index gives none
}

// find returns the address of the wheel on the index of PIP_INDEX_URL, by
// default pypi.org: the file with the pinned checksum, or, on an index without
// checksums, a wheel of that version (fetching checks it).
func (w wheel) find(ctx context.Context) (string, error) {
	index := os.Getenv("PIP_INDEX_URL")
	if index == "" {
		index = defaultIndex
	}
	page := strings.TrimRight(index, "/") + "/" + normalized(w.project) + "/"
	doc, err := fetch.Read(ctx, page, indexJSON+", "+indexHTML+";q=0.2, text/html;q=0.1", maxIndexPage)
	if err != nil {
		return "", fmt.Errorf("package index (PIP_INDEX_URL names another): %w", err)
	}
	var files []indexFile
	if kind, _, _ := mime.ParseMediaType(doc.ContentType); strings.HasSuffix(kind, "json") {
		files, err = parseIndexJSON(doc.Body, doc.URL)
	} else {
		files, err = parseIndexHTML(doc.Body, doc.URL)
	}
	if err != nil {
		return "", fmt.Errorf("page %s: %w", withoutPassword(page), err)
	}
	prefix := strings.ReplaceAll(normalized(w.project), "-", "_") + "-" + w.version + "-"
	unsigned := ""
	for _, f := range files {
		if f.sha256 == w.sha256 {
			return f.url, nil
		}
		if f.sha256 == "" && strings.HasPrefix(f.name, prefix) && strings.HasSuffix(f.name, "x86_64.whl") {
			unsigned = f.url
		}
	}
	if unsigned == "" {
		return "", fmt.Errorf("page %s lists %d files, none of them %s==%s with sha256 %s", withoutPassword(page), len(files), w.project, w.version, w.sha256)
	}
	return unsigned, nil
}

var separators = regexp.MustCompile(`[-_.]+`)

// normalized is a project's name as PEP 503 spells it.
func normalized(project string) string {
	return strings.ToLower(separators.ReplaceAllString(project, "-"))
}

// parseIndexJSON reads a page of PEP 691.
func parseIndexJSON(data []byte, base *url.URL) ([]indexFile, error) {
	var doc struct {
		Files []struct {
			Filename string            `json:"filename"`
			URL      string            `json:"url"`
			Hashes   map[string]string `json:"hashes"`
		} `json:"files"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("not the JSON of a package index: %w", err)
	}
	var files []indexFile
	for _, f := range doc.Files {
		u, err := base.Parse(f.URL)
		if err != nil {
			continue // one bad link does not spoil the page
		}
		files = append(files, indexFile{f.Filename, u.String(), strings.ToLower(f.Hashes["sha256"])})
	}
	return files, nil
}

var (
	anchor   = regexp.MustCompile(`(?is)<a\s[^>]*?href\s*=\s*(?:"([^"]*)"|'([^']*)')[^>]*>`)
	baseHref = regexp.MustCompile(`(?is)<base\s[^>]*?href\s*=\s*(?:"([^"]*)"|'([^']*)')[^>]*>`)
)

// parseIndexHTML reads a page of PEP 503: one anchor a file, its checksum in
// the fragment.
func parseIndexHTML(data []byte, base *url.URL) ([]indexFile, error) {
	if m := baseHref.FindSubmatch(data); m != nil {
		if u, err := base.Parse(html.UnescapeString(string(m[1]) + string(m[2]))); err == nil {
			base = u
		}
	}
	var files []indexFile
	for _, m := range anchor.FindAllSubmatch(data, -1) {
		u, err := base.Parse(html.UnescapeString(string(m[1]) + string(m[2])))
		if err != nil {
			continue
		}
		f := indexFile{name: path.Base(u.Path)}
		if sum, ok := strings.CutPrefix(u.Fragment, "sha256="); ok {
			f.sha256 = strings.ToLower(sum)
		}
		u.Fragment = ""
		f.url = u.String()
		files = append(files, f)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("not a page of a package index: no link in %d bytes", len(data))
	}
	return files, nil
}

// withoutPassword hides what an address in PIP_INDEX_URL may carry.
func withoutPassword(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "an address that cannot be parsed"
	}
	u.User = nil
	return u.String()
}
