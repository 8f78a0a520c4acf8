package ftfy

import (
	"bytes"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// fixEncoding decodes text that was UTF-8 read in a single-byte encoding, as
// often as that was done to it.
func fixEncoding(text string) string {
	for {
		fixed := fixEncodingOnce(text)
		if fixed == text {
			return text
		}
		text = fixed
	}
}

func fixEncodingOnce(text string) string {
	if ascii(text) || !isBad(text) {
		return text
	}
	latin1 := false
	for _, c := range charsets {
		encoded, ok := c.encode(text)
		if !ok {
			continue
		}
		latin1 = latin1 || c.name == "latin-1"
		// In MacRoman an en dash and a space would match.
		if c.name != "macroman" {
			encoded = restoreA0(encoded)
		}
		if c.sloppy {
			encoded = replaceLossy(encoded)
		}
		if fixed, ok := decode(encoded); ok {
			return fixed
		}
	}
	if fixed := decodeInconsistent(text); fixed != text {
		return fixed
	}
	if latin1 {
		// C1 controls: nobody wants those, Windows-1252 was meant.
		if fixed, ok := latin1AsWindows(text); ok && fixed != text {
			return fixed
		}
	}
	return c1Controls(text)
}

func ascii(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// decode reads UTF-8, also surrogate pairs encoded one by one (CESU-8) and NUL
// as C0 80 (Java).
func decode(encoded []byte) (string, bool) {
	if bytes.IndexByte(encoded, 0xed) >= 0 || bytes.IndexByte(encoded, 0xc0) >= 0 {
		encoded = decodeVariants(encoded)
	}
	return string(encoded), utf8.Valid(encoded)
}

func decodeVariants(encoded []byte) []byte {
	out := make([]byte, 0, len(encoded))
	between := func(i int, lo, hi byte) bool { return i < len(encoded) && lo <= encoded[i] && encoded[i] <= hi }
	for i := 0; i < len(encoded); {
		switch {
		case encoded[i] == 0xc0 && between(i+1, 0x80, 0x80):
			out = append(out, 0)
			i += 2
		case encoded[i] == 0xed && between(i+1, 0xa0, 0xaf) && between(i+2, 0x80, 0xbf) &&
			between(i+3, 0xed, 0xed) && between(i+4, 0xb0, 0xbf) && between(i+5, 0x80, 0xbf):
			r := rune(encoded[i+1]&0x0f)<<16 + rune(encoded[i+2]&0x3f)<<10 + rune(encoded[i+4]&0x0f)<<6 + rune(encoded[i+5]&0x3f)
			out = utf8.AppendRune(out, 0x10000+r)
			i += 6
		default:
			out = append(out, encoded[i])
			i++
		}
	}
	return out
}

// Patterns over bytes, each written as the character of its number, because
// package regexp reads UTF-8.
var (
	// altered is UTF-8 in which byte A0 became a space, as far as it then means
	// something likely.
	altered = regexp.MustCompile("[\u00c2\u00c3\u00c5\u00ce\u00d0\u00d9][ ]" +
		"|[\u00e2\u00e3][ ][\u0080-\u0084\u0086-\u009f\u00a1-\u00bf]" +
		"|[\u00e0-\u00e3][\u0080-\u0084\u0086-\u009f\u00a1-\u00bf][ ]" +
		"|\u00f0[ ][\u0080-\u00bf][\u0080-\u00bf]" +
		"|\u00f0[\u0080-\u00bf][ ][\u0080-\u00bf]" +
		"|\u00f0[\u0080-\u00bf][\u0080-\u00bf][ ]")
	// lossy is UTF-8 of which bytes were lost: 1A stands for U+FFFD.
	lossy = regexp.MustCompile("[\u00c2-\u00df]\x1a" +
		"|[\u00c2-\u00c3][?]" +
		"|\u00ed[\u00a0-\u00af][\x1a?]\u00ed[\u00b0-\u00bf][\x1a?\u0080-\u00bf]" +
		"|\u00ed[\u00a0-\u00af][\x1a?\u0080-\u00bf]\u00ed[\u00b0-\u00bf][\x1a?]" +
		"|[\u00e0-\u00ef][\x1a?][\x1a\u0080-\u00bf]" +
		"|[\u00e0-\u00ef][\x1a\u0080-\u00bf][\x1a?]" +
		"|[\u00f0-\u00f4][\x1a?][\x1a\u0080-\u00bf][\x1a\u0080-\u00bf]" +
		"|[\u00f0-\u00f4][\x1a\u0080-\u00bf][\x1a?][\x1a\u0080-\u00bf]" +
		"|[\u00f0-\u00f4][\x1a\u0080-\u00bf][\x1a\u0080-\u00bf][\x1a?]" +
		"|\x1a")
)

// restoreA0 puts back bytes A0 that became spaces inside of UTF-8.
func restoreA0(encoded []byte) []byte {
	text := characters(encoded)
	if !altered.MatchString(text) {
		return encoded
	}
	text = altered.ReplaceAllStringFunc(aGrave(text), func(match string) string {
		return strings.ReplaceAll(match, " ", "\u00a0")
	})
	return numbers(text)
}

// aGrave decodes "Ã la mode" to "à la mode", not "àla mode": after C3 and one
// space the space is kept, but in the Portuguese words àquele, àquela, àquilo
// and às.
func aGrave(text string) string {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, "\u00c3 ")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		out.WriteString("\u00c3")
		joined := false
		for _, word := range []string{" ", "quele", "quela", "quilo", "s "} {
			joined = joined || strings.HasPrefix(after, word)
		}
		if !joined {
			out.WriteString("\u00a0")
		}
		out.WriteString(" ")
		text = after
	}
}

func replaceLossy(encoded []byte) []byte {
	if !bytes.ContainsAny(encoded, "\x1a?") {
		return encoded
	}
	return numbers(lossy.ReplaceAllString(characters(encoded), "\u00ef\u00bf\u00bd"))
}

// characters returns the character of each byte's number.
func characters(b []byte) string {
	runes := make([]rune, len(b))
	for i, c := range b {
		runes[i] = rune(c)
	}
	return string(runes)
}

// numbers undoes characters.
func numbers(text string) []byte {
	b := make([]byte, 0, len(text))
	for _, r := range text {
		b = append(b, byte(r))
	}
	return b
}

// decodeInconsistent decodes the parts of text that are mojibake by themselves.
func decodeInconsistent(text string) string {
	runes := []rune(text)
	var out strings.Builder
	for i := 0; i < len(runes); {
		end := mojibake(runes, i)
		if end == i {
			out.WriteRune(runes[i])
			i++
			continue
		}
		part := string(runes[i:end])
		// A match of all of text would come back here for ever.
		if len(part) < len(text) && isBad(part) {
			part = fixEncoding(part)
		}
		out.WriteString(part)
		i = end
	}
	return out.String()
}

// latin1AsWindows reads Latin-1 as Windows-1252; false when a byte has no
// meaning there.
func latin1AsWindows(text string) (string, bool) {
	var out strings.Builder
	for _, r := range text {
		switch r {
		case 0x81, 0x8d, 0x8f, 0x90, 0x9d:
			return "", false
		}
		out.WriteRune(charmap.Windows1252.DecodeByte(byte(r)))
	}
	return out.String(), true
}

// c1Controls replaces C1 controls by what Windows-1252 has in their place.
func c1Controls(text string) string {
	return strings.Map(func(r rune) rune {
		if 0x80 <= r && r <= 0x9f {
			return windows1252[r]
		}
		return r
	}, text)
}
