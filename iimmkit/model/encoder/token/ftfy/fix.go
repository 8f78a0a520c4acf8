// Package ftfy mends broken Unicode text as the Python package ftfy 6.3.1 does
// by default: open_clip runs every caption through it before tokenizing.
//
// It is a port of ftfy, Copyright 2023 Robyn Speer, Apache License 2.0; the
// character tables and the patterns that recognise mojibake are ftfy's.
package ftfy

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Fix returns what ftfy.fix_text(text) returns: line by line, HTML entities
// unescaped unless a "<" was seen, mojibake decoded, ligatures, wide and narrow
// forms, curly quotes and line breaks made plain, terminal escapes and control
// characters removed, and NFC. Bytes that are no UTF-8 count as U+FFFD.
func Fix(text string) string {
	if plain(text) {
		return text
	}
	if !utf8.ValidString(text) {
		text = string([]rune(text))
	}
	var out strings.Builder
	entities := true
	for line := range strings.Lines(text) {
		// ftfy keeps this choice for the lines that follow.
		if strings.Contains(line, "<") {
			entities = false
		}
		out.WriteString(fixLine(line, entities))
	}
	return out.String()
}

// plain tells whether no step can change text.
func plain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' && c != '\n' && c != '\t' || c >= 0x7f || c == '&' {
			return false
		}
	}
	return true
}

func fixLine(text string, entities bool) string {
	for {
		before := text
		if entities {
			text = fixEntities(text)
		}
		text = fixEncoding(text)
		text = c1Controls(text)
		text = ligatures.Replace(text)
		text = fixWidth(text)
		text = quotes.Replace(text)
		text = lineBreaks.Replace(text)
		if strings.Contains(text, "\x1b[") {
			text = terminalEscape.ReplaceAllString(text, "")
		}
		text = strings.Map(withoutControls, text)
		text = NFC(text)
		if text == before {
			return text
		}
	}
}

var (
	ligatures = strings.NewReplacer(
		"Ĳ", "IJ", "ĳ", "ij", "ŉ", "ʼn",
		"Ǳ", "DZ", "ǲ", "Dz", "ǳ", "dz", "Ǆ", "DŽ", "ǅ", "Dž", "ǆ", "dž",
		"Ǉ", "LJ", "ǈ", "Lj", "ǉ", "lj", "Ǌ", "NJ", "ǋ", "Nj", "ǌ", "nj",
		"ﬀ", "ff", "ﬁ", "fi", "ﬂ", "fl", "ﬃ", "ffi", "ﬄ", "ffl", "ﬅ", "ſt", "ﬆ", "st")
	quotes = strings.NewReplacer(
		"ʼ", "'", "‘", "'", "’", "'", "‚", "'", "‛", "'",
		"“", `"`, "”", `"`, "„", `"`, "‟", `"`)
	lineBreaks = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n", "\u0085", "\n")
	// Python's \d is any decimal digit.
	terminalEscape = regexp.MustCompile(`\x1b\[[\p{Nd};]*[a-zA-Z]`)
)

// fixWidth replaces fullwidth and halfwidth forms and the ideographic space.
func fixWidth(text string) string {
	if !strings.ContainsFunc(text, wide) {
		return text
	}
	var out strings.Builder
	for _, r := range text {
		switch {
		case r == 0x3000:
			out.WriteByte(' ')
		case wide(r):
			out.WriteString(norm.NFKC.String(string(r)))
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}

func wide(r rune) bool { return r == 0x3000 || 0xff01 <= r && r <= 0xffef }

func withoutControls(r rune) rune {
	switch {
	case r < 0x20 && r != '\t' && r != '\n' && r != '\f' && r != '\r', r == 0x7f,
		0x206a <= r && r <= 0x206f, r == 0xfeff, 0xfff9 <= r && r <= 0xfffc:
		return -1
	}
	return r
}
