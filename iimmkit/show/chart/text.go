package chart

import (
	"strings"
	"unicode"
)

// advances of the printable ASCII characters in thousandths of the size, from
// Helvetica's font metrics; Arial and Liberation Sans share them.
var advances = [95]int{
	278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
	556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
	1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
	667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
	333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
	556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
}

// textWidth estimates the width of a text in pixels. Viewers without one of
// the fonts named in the SVG may differ by a few per cent.
func textWidth(text string, size float64, bold bool) float64 {
	sum := 0
	for _, r := range text {
		switch {
		case r >= ' ' && r <= '~':
			sum += advances[r-' ']
		case unicode.In(r, unicode.Mn, unicode.Me):
		case wide(r):
			sum += 1000
		default:
			sum += 600
		}
	}
	w := float64(sum) * size / 1000
	if bold {
		w *= 1.07
	}
	return w
}

// wide tells characters of full width: Han, kana, hangul, full-width forms, emoji.
func wide(r rune) bool {
	return r >= 0x1100 && (r <= 0x115f || r >= 0x2e80 && r <= 0xa4cf || r >= 0xac00 && r <= 0xd7a3 ||
		r >= 0xf900 && r <= 0xfaff || r >= 0xfe30 && r <= 0xfe4f || r >= 0xff00 && r <= 0xff60 ||
		r >= 0xffe0 && r <= 0xffe6 || r >= 0x1f300 && r <= 0x1faff || r >= 0x20000 && r <= 0x3fffd)
}

// elide shortens a text to a width.
func elide(text string, size, width float64) string {
	text = clean(text)
	if textWidth(text, size, false) <= width {
		return text
	}
	runes := []rune(text)
	for len(runes) > 1 && textWidth(string(runes), size, false)+size > width {
		runes = runes[:len(runes)-1]
	}
	return strings.TrimRight(string(runes), " ") + "…"
}

// wrap breaks a text into lines of a width: at spaces, and between wide
// characters, which Japanese allows.
func wrap(text string, size, width float64) []string {
	var lines []string
	line := ""
	for _, word := range words(clean(text)) {
		if line != "" && textWidth(line+strings.TrimRight(word, " "), size, false) > width {
			lines = append(lines, strings.TrimRight(line, " "))
			line = ""
		}
		line += word
	}
	if line = strings.TrimRight(line, " "); line != "" {
		lines = append(lines, line)
	}
	for i := range lines {
		lines[i] = elide(lines[i], size, width)
	}
	return lines
}

// words cuts a text where a line may end. Japanese closing signs stay with
// what they close.
func words(text string) []string {
	var out []string
	var word []rune
	runes := []rune(text)
	for i, r := range runes {
		word = append(word, r)
		last := i == len(runes)-1
		if last || r == ' ' && runes[i+1] != ' ' ||
			(wide(r) || wide(runes[i+1])) && r != ' ' && runes[i+1] != ' ' && !strings.ContainsRune("、。，．）」』！？ー・%", runes[i+1]) && !strings.ContainsRune("（「『", r) {
			out = append(out, string(word))
			word = nil
		}
	}
	return out
}
