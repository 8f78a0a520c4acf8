package token

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/iimmkit/iimm/iimmkit/model/encoder/token/ftfy"
)

// cleaner is one of open_clip's clean-ups of captions.
type cleaner string

// open_clip's names of its clean-ups: all mend Unicode and unescape HTML.
const (
	cleanWhitespace   cleaner = "whitespace"   // collapse spaces
	cleanLower        cleaner = "lower"        // and lower case
	cleanCanonicalize cleaner = "canonicalize" // and remove ASCII punctuation, "_" being a space
)

func parseCleaner(name string) (cleaner, error) {
	switch c := cleaner(name); c {
	case cleanWhitespace, cleanLower, cleanCanonicalize:
		return c, nil
	}
	return "", fmt.Errorf("clean-up %q is none of whitespace, lower, canonicalize", name)
}

func (c cleaner) clean(caption string) string {
	text := strings.TrimFunc(ftfy.Unescape(ftfy.Unescape(ftfy.Fix(caption))), pythonSpace)
	switch c {
	case cleanLower:
		return pythonLower(collapse(text))
	case cleanCanonicalize:
		text = withoutPunctuation(strings.ReplaceAll(text, "_", " "))
		return collapse(pythonLower(text))
	}
	return collapse(text)
}

// siglipCanonical is the clean-up of Hugging Face's SiglipTokenizer: "_" is
// removed like other punctuation, and nothing is mended.
func siglipCanonical(text string) string {
	return collapse(withoutPunctuation(pythonLower(text)))
}

// withoutPunctuation removes Python's string.punctuation.
func withoutPunctuation(text string) string {
	return strings.Map(func(r rune) rune {
		if '!' <= r && r <= '/' || ':' <= r && r <= '@' || '[' <= r && r <= '`' || '{' <= r && r <= '~' {
			return -1
		}
		return r
	}, text)
}

// collapse is Python's " ".join(text.split()).
func collapse(text string) string {
	return strings.Join(strings.FieldsFunc(text, pythonSpace), " ")
}

// pythonSpace is str.isspace, which counts the four information separators in.
func pythonSpace(r rune) bool {
	return 0x1c <= r && r <= 0x1f || unicode.Is(unicode.White_Space, r)
}

// pythonLower is str.lower: full case mapping, with the final sigma.
func pythonLower(text string) string {
	if !strings.ContainsAny(text, "İΣ") {
		return strings.ToLower(text)
	}
	runes := []rune(text)
	var out strings.Builder
	for i, r := range runes {
		switch {
		case r == 'İ':
			out.WriteString("i\u0307")
		case r == 'Σ' && finalSigma(runes, i):
			out.WriteRune('ς')
		default:
			out.WriteRune(unicode.ToLower(r))
		}
	}
	return out.String()
}

// finalSigma tells whether the sigma at i ends a word: a cased letter before
// it, none behind, case-ignorable characters aside.
func finalSigma(text []rune, i int) bool {
	before := i - 1
	for before >= 0 && caseIgnorable(text[before]) {
		before--
	}
	if before < 0 || !cased(text[before]) {
		return false
	}
	after := i + 1
	for after < len(text) && caseIgnorable(text[after]) {
		after++
	}
	return after == len(text) || !cased(text[after])
}

func cased(r rune) bool {
	return unicode.In(r, unicode.Lu, unicode.Ll, unicode.Lt, unicode.Other_Lowercase, unicode.Other_Uppercase)
}

// caseIgnorable is the Unicode property: marks, formats, modifiers and the
// punctuation that occurs inside of words.
func caseIgnorable(r rune) bool {
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) ||
		strings.ContainsRune("'.:·\u0387\u055f\u05f4‘’․‧\ufe13\ufe52\ufe55＇．：", r)
}

// rustLower is the Lowercase of Hugging Face's tokenizers: each character by
// itself, so that no sigma is final.
func rustLower(text string) string {
	return strings.ToLower(strings.ReplaceAll(text, "İ", "i\u0307"))
}
