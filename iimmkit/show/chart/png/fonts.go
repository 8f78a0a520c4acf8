package png

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"codeberg.org/go-fonts/liberation/liberationsansbold"
	"codeberg.org/go-fonts/liberation/liberationsansregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"

	"github.com/iimmkit/iimm/iimmkit/show/chart"
)

// FontVariable names the environment variable that may hold the path of a
// TTF, OTF or TTC file for characters the built-in Liberation Sans lacks,
// such as Japanese.
const FontVariable = "IIMM_FONT"

// systemFonts are looked for when the variable is not set: first match wins,
// so the order is fixed.
var systemFonts = []string{
	"/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
	"/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
	"/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
	"/usr/share/fonts/google-noto-sans-cjk-fonts/NotoSansCJK-Regular.ttc",
	"/usr/share/fonts/opentype/ipafont-gothic/ipag.ttf",
	"/usr/share/fonts/opentype/ipaexfont-gothic/ipaexg.ttf",
	"/usr/share/fonts/truetype/fonts-japanese-gothic.ttf",
	"/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
	"/System/Library/Fonts/ヒラギノ角ゴシック W3.ttc",
	"/System/Library/Fonts/Hiragino Sans GB.ttc",
	"/Library/Fonts/Arial Unicode.ttf",
	"/System/Library/Fonts/Supplemental/Arial Unicode.ttf",
}

type fontSet struct {
	regular, bold *opentype.Font
	fallback      *opentype.Font // may be nil
	path          string         // of the fallback
	err           error
}

var loadFonts = sync.OnceValue(func() (set fontSet) {
	if set.regular, set.err = opentype.Parse(liberationsansregular.TTF); set.err != nil {
		return set
	}
	if set.bold, set.err = opentype.Parse(liberationsansbold.TTF); set.err != nil {
		return set
	}
	if path := os.Getenv(FontVariable); path != "" {
		// A font that was asked for and cannot be used is an error, not a box.
		set.fallback, set.err = readFont(path)
		set.path = path
		return set
	}
	for _, path := range systemFonts {
		if f, err := readFont(path); err == nil {
			set.fallback, set.path = f, path
			return set
		}
	}
	return set
})

// JapaneseFont returns the path of the font in which PNG pictures write what the
// built-in one lacks, such as Japanese; "" when there is none on this machine. The
// error is that of a font that FontVariable names and that cannot be used.
func JapaneseFont() (string, error) {
	set := loadFonts()
	return set.path, set.err
}

func readFont(path string) (*opentype.Font, error) {
	b, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return nil, fmt.Errorf("chart/png: font: %w", err)
	}
	if f, err := opentype.Parse(b); err == nil {
		return f, nil
	}
	collection, err := opentype.ParseCollection(b)
	if err != nil {
		return nil, fmt.Errorf("chart/png: font %s: %w", path, err)
	}
	f, err := collection.Font(0)
	if err != nil {
		return nil, fmt.Errorf("chart/png: font %s: %w", path, err)
	}
	return f, nil
}

// run is a stretch of text in one font.
type run struct {
	text    string
	face    font.Face
	width   float64
	missing bool
}

// shape cuts a text into runs of one font each; a character that no font has
// is a run of its own.
func shape(text string, size float64, bold bool) (runs []run, missing []rune, err error) {
	set := loadFonts()
	if set.err != nil {
		return nil, nil, set.err
	}
	first := set.regular
	if bold {
		first = set.bold
	}
	var buf sfnt.Buffer
	has := func(f *opentype.Font, r rune) bool {
		if f == nil {
			return false
		}
		i, err := f.GlyphIndex(&buf, r)
		return err == nil && i != 0
	}
	var last *opentype.Font
	for _, r := range text {
		f := first
		if !has(f, r) {
			f = set.fallback
		}
		if !has(f, r) {
			missing = append(missing, r)
			runs = append(runs, run{missing: true, width: size * .8})
			last = nil
			continue
		}
		if f != last {
			runs = append(runs, run{face: font.Face{Font: font.Font{Size: vg.Length(size)}, Face: f}})
			last = f
		}
		runs[len(runs)-1].text += string(r)
	}
	for i := range runs {
		if !runs[i].missing {
			runs[i].width = float64(runs[i].face.Width(runs[i].text))
		}
	}
	return runs, missing, nil
}

// Missing returns the characters of a chart that no font on this machine has
// and that Render would draw as boxes. Set IIMM_FONT, or install a font such
// as fonts-ipafont-gothic.
func Missing(c chart.Chart) (string, error) {
	p := &canvas{scale: 1, dots: 72}
	if err := c.Draw(p); err != nil {
		return "", err
	}
	seen := map[rune]bool{}
	out := ""
	for _, r := range p.missing {
		if !seen[r] {
			seen[r] = true
			out += string(r)
		}
	}
	return out, p.err
}
