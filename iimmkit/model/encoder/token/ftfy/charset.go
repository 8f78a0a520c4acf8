package ftfy

import (
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// charset is a single-byte encoding in which mojibake may have been read.
type charset struct {
	name string
	// sloppy: byte 1A stands for U+FFFD, as ftfy has it.
	sloppy bool
	bytes  map[rune]byte
}

// windows1252 maps bytes to characters, those without one to themselves.
var windows1252 = table(charmap.Windows1252)

// charsets are in the order in which they are tried.
var charsets = []charset{
	newCharset("latin-1", false, table(charmap.ISO8859_1)),
	newCharset("windows-1252", true, windows1252),
	newCharset("windows-1251", true, table(charmap.Windows1251)),
	newCharset("windows-1250", true, table(charmap.Windows1250)),
	newCharset("windows-1253", true, table(charmap.Windows1253)),
	newCharset("windows-1254", true, table(charmap.Windows1254)),
	newCharset("windows-1257", true, table(charmap.Windows1257)),
	newCharset("iso-8859-2", false, table(charmap.ISO8859_2)),
	newCharset("macroman", false, table(charmap.Macintosh)),
	newCharset("cp437", false, table(charmap.CodePage437)),
}

func table(m *charmap.Charmap) (t [256]rune) {
	for b := range t {
		if t[b] = m.DecodeByte(byte(b)); t[b] == utf8.RuneError {
			t[b] = rune(b)
		}
	}
	return t
}

func newCharset(name string, sloppy bool, t [256]rune) charset {
	c := charset{name: name, sloppy: sloppy, bytes: make(map[rune]byte, 256)}
	if sloppy {
		t[0x1a] = utf8.RuneError
	}
	for b, r := range t {
		c.bytes[r] = byte(b)
	}
	return c
}

// encode returns the bytes that were read as text, or false when text cannot
// have been read in this encoding.
func (c charset) encode(text string) ([]byte, bool) {
	out := make([]byte, 0, len(text))
	for _, r := range text {
		b, ok := c.bytes[r]
		if !ok {
			return nil, false
		}
		out = append(out, b)
	}
	return out, true
}
