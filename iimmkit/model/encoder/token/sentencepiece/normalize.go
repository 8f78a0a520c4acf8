package sentencepiece

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// Space is what stands for a space inside of pieces: U+2581.
const Space = "▁"

type normalizer struct {
	rules *Charsmap // nil: none
	user  *prefixes
	// dummyPrefix: a space is put before the text; suffix: behind it instead.
	dummyPrefix, suffix bool
	// collapse: spaces at both ends are removed, several inside become one.
	collapse bool
	// escape: spaces become Space.
	escape bool
}

func (z *normalizer) parse(data []byte) error {
	return fields(data, func(number protowire.Number, value []byte, n uint64) (err error) {
		switch number {
		case fieldCharsmap:
			if len(value) > 0 {
				z.rules, err = ParseCharsmap(value)
			}
		case fieldDummyPrefix:
			z.dummyPrefix = n != 0
		case fieldExtraSpaces:
			z.collapse = n != 0
		case fieldEscape:
			z.escape = n != 0
		}
		return err
	})
}

func (z *normalizer) normalize(text string) string {
	space := " "
	if z.escape {
		space = Space
	}
	if z.collapse {
		for text != "" {
			s, n := z.prefix(text)
			if s != " " {
				break
			}
			text = text[n:]
		}
	}
	if text == "" {
		return ""
	}
	var out strings.Builder
	if z.dummyPrefix && !z.suffix {
		out.WriteString(space)
	}
	afterSpace := z.collapse
	for text != "" {
		s, n := z.prefix(text)
		if afterSpace {
			s = strings.TrimLeft(s, " ")
		}
		if s != "" {
			if z.escape {
				out.WriteString(strings.ReplaceAll(s, " ", Space))
			} else {
				out.WriteString(s)
			}
			afterSpace = z.collapse && strings.HasSuffix(s, " ")
		}
		text = text[n:]
	}
	normalized := out.String()
	if z.collapse {
		for strings.HasSuffix(normalized, space) {
			normalized = strings.TrimSuffix(normalized, space)
		}
	}
	if z.dummyPrefix && z.suffix {
		normalized += space
	}
	return normalized
}

// prefix returns what the beginning of text is normalized to, and its length.
func (z *normalizer) prefix(text string) (string, int) {
	if n := z.user.longest(text); n > 0 {
		return text[:n], n
	}
	if z.rules != nil {
		if s, n := z.rules.Longest(text); n > 0 {
			return s, n
		}
	}
	r, n := utf8.DecodeRuneInString(text)
	if r == utf8.RuneError && n == 1 {
		return "\ufffd", 1
	}
	return text[:n], n
}

// Charsmap holds SentencePiece's precompiled rules of normalization: strings
// and what they become, in a double array (Darts-clone).
type Charsmap struct {
	units []uint32
	texts []byte // ended by NUL each
}

// ParseCharsmap reads precompiled_charsmap of a model or of a tokenizer.json.
func ParseCharsmap(data []byte) (*Charsmap, error) {
	if len(data) < 4 {
		return nil, errors.New("precompiled_charsmap is cut off")
	}
	size := binary.LittleEndian.Uint32(data)
	data = data[4:]
	if uint64(size) > uint64(len(data)) || size%4 != 0 || size == 0 {
		return nil, fmt.Errorf("precompiled_charsmap: a trie of %d bytes in %d", size, len(data))
	}
	c := &Charsmap{units: make([]uint32, size/4), texts: data[size:]}
	for i := range c.units {
		c.units[i] = binary.LittleEndian.Uint32(data[4*i:])
	}
	return c, nil
}

// Longest returns what the longest rule for the beginning of text makes of it,
// and how many bytes of text that takes, 0 for no rule.
func (c *Charsmap) Longest(text string) (string, int) {
	value, length := uint32(0), 0
	c.each(text, func(n int, v uint32) bool { value, length = v, n; return true })
	if length == 0 {
		return "", 0
	}
	return c.text(value), length
}

// Shortest is Longest for the shortest rule.
func (c *Charsmap) Shortest(text string) (string, int) {
	value, length := uint32(0), 0
	c.each(text, func(n int, v uint32) bool { value, length = v, n; return false })
	if length == 0 {
		return "", 0
	}
	return c.text(value), length
}

func (c *Charsmap) each(text string, f func(length int, value uint32) bool) {
	offset := func(unit uint32) uint32 { return unit >> 10 << (unit & (1 << 9) >> 6) }
	at := offset(c.units[0])
	for i := range len(text) {
		at ^= uint32(text[i])
		if uint64(at) >= uint64(len(c.units)) {
			return
		}
		unit := c.units[at]
		if unit&(1<<31|0xff) != uint32(text[i]) {
			return
		}
		at ^= offset(unit)
		if unit>>8&1 == 0 {
			continue
		}
		if uint64(at) >= uint64(len(c.units)) || !f(i+1, c.units[at]&(1<<31-1)) {
			return
		}
	}
}

func (c *Charsmap) text(at uint32) string {
	if uint64(at) >= uint64(len(c.texts)) {
		return ""
	}
	s := c.texts[at:]
	if n := bytes.IndexByte(s, 0); n >= 0 {
		s = s[:n]
	}
	return string(s)
}
