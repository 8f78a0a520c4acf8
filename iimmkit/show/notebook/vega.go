package notebook

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/fetch"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// npmPackage is a JavaScript package of npm, pinned. The versions are those inside
// JupyterLab 4.6.6, so that a page shows a chart as the notebook does.
type npmPackage struct {
	name, version string
	sha256        string // of the archive
	integrity     string // of the archive, as npm tells it
	file          string // in the archive
}

var vegaScripts = []npmPackage{
	{"vega", "5.33.0", "7b61f992d1a1e196e7f2eeb3d6176e5694949d0d4bbfea237a842d523dd6e1f3",
		"sha512-jNAGa7TxLojOpMMMrKMXXBos4K6AaLJbCgGDOw1YEkLRjUkh12pcf65J2lMSdEHjcEK47XXjKiOUVZ8L+MniBA==", "package/build/vega.min.js"},
	{"vega-lite", "5.6.1", "6a51b8f2bc1390759f3c6dacaaaaa6dd56aa071b92b9edeffb871d4f11954a8c",
		"sha512-Dij2OkJcmK+/2pIcLambjV/vWmhP11ypL3YqDVryBfJxP1m+ZgZU+8/SOEP3B2R1MhmmT7JDYQUtiNcGi1/2ig==", "package/build/vega-lite.min.js"},
	{"vega-embed", "6.21.3", "c21ca58ae8e2a817688995a5398fdb16bd9fd52e2a874773567e5bc5c2f20bb2",
		"sha512-Aus0pD//D7mVxNARQnfODfQ7yy3Ys3ftDd8Keyh11AY09SCqIZcJOa+BstwBhp0bhNWKE7zv5KL0fxP5zePxbw==", "package/build/vega-embed.min.js"},
}

// ErrNoVega is returned where the scripts of interactive charts are not in the
// cache.
var ErrNoVega = errors.New("the scripts of interactive charts (Vega) are not in the cache")

// Vega returns the JavaScript that makes a page's charts interactive, for
// PageOptions.Vega. It is third-party code, which is not part of iimm: from the
// cache; when it is not there, from npm's registry (or the one that
// NPM_CONFIG_REGISTRY names) if download is set, else ErrNoVega is returned.
func Vega(ctx context.Context, download bool, report progress.Reporter) (string, error) {
	cache, err := store.CacheDir()
	if err != nil {
		return "", err
	}
	registry := os.Getenv("NPM_CONFIG_REGISTRY")
	if registry == "" {
		registry = "https://registry.npmjs.org"
	}
	var all strings.Builder
	for _, s := range vegaScripts {
		path := filepath.Join(cache, "vega", s.archive())
		if download {
			address := strings.TrimSuffix(registry, "/") + "/" + s.name + "/-/" + s.archive()
			if err := fetch.Get(ctx, address, path, s.sha256, report); err != nil {
				return "", err
			}
		} else if sum, err := fetch.SHA256(path); err != nil || sum != s.sha256 {
			return "", ErrNoVega
		}
		archive, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		source, err := s.source(archive)
		if err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
		all.WriteString(source)
	}
	return all.String(), nil
}

func (s npmPackage) archive() string { return s.name + "-" + s.version + ".tgz" }

// source returns the script of an archive with its licence, in a form that can
// stand between <script> and </script>.
func (s npmPackage) source(archive []byte) (string, error) {
	sum := sha512.Sum512(archive)
	if got := "sha512-" + base64.StdEncoding.EncodeToString(sum[:]); got != s.integrity {
		return "", fmt.Errorf("%s is not the archive that is pinned here: %s", s.archive(), got)
	}
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return "", err
	}
	found := map[string]string{}
	for r := tar.NewReader(z); ; {
		head, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", err
		}
		if head.Name == s.file || head.Name == "package/LICENSE" {
			text, err := io.ReadAll(r)
			if err != nil {
				return "", err
			}
			found[head.Name] = string(text)
		}
	}
	code, licence := found[s.file], found["package/LICENSE"]
	if code == "" || licence == "" {
		return "", fmt.Errorf("no %s or no licence in it", s.file)
	}
	licence = strings.ReplaceAll(strings.TrimSpace(licence), "*/", "* /")
	code = strings.NewReplacer("</script", `<\/script`, "<!--", `<\!--`).Replace(code)
	return fmt.Sprintf("/*! %s %s\n%s\n*/\n%s\n", s.name, s.version, licence, strings.TrimSpace(code)), nil
}

// vegaStart shows each chart in place of its picture, which stays where that
// fails.
const vegaStart = `document.querySelectorAll("figure.chart").forEach(function (figure) {
  var place = document.createElement("div"), picture = figure.querySelector(".picture");
  figure.appendChild(place);
  vegaEmbed(place, JSON.parse(figure.querySelector("script").textContent), {mode: "vega-lite", actions: false, renderer: "svg"}).then(function () {
    if (picture) picture.hidden = true;
  }).catch(function (error) {
    place.remove();
    console.error(error);
  });
});
`
