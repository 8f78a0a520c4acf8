package token

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/iimmkit/iimm/iimmkit/model/encoder/token/sentencepiece"
)

// newSplitter returns the function that a pre-tokenizer of tokenizer.json
// describes: it cuts words further.
func newSplitter(o *object) (func(words []string) []string, error) {
	if o == nil {
		return func(words []string) []string { return words }, nil
	}
	var one func(dst []string, word string) []string
	switch o.Type {
	case "Sequence":
		return newSplitters(o.raw)
	case "WhitespaceSplit":
		one = func(dst []string, word string) []string { return append(dst, strings.Fields(word)...) }
	case "Split":
		var split struct {
			Pattern  pattern
			Behavior string
			Invert   bool
		}
		if err := json.Unmarshal(o.raw, &split); err != nil {
			return nil, err
		}
		cut, err := newCutter(split.Pattern)
		if err != nil {
			return nil, err
		}
		join, ok := behaviors[split.Behavior]
		if !ok {
			return nil, fmt.Errorf("behavior %q of a Split is not supported", split.Behavior)
		}
		one = func(dst []string, word string) []string { return join(dst, word, cut(word), split.Invert) }
	case "ByteLevel":
		level := struct {
			AddPrefixSpace bool `json:"add_prefix_space"`
			UseRegex       bool `json:"use_regex"`
		}{UseRegex: true}
		if err := json.Unmarshal(o.raw, &level); err != nil {
			return nil, err
		}
		one = func(dst []string, word string) []string {
			if level.AddPrefixSpace && !strings.HasPrefix(word, " ") {
				word = " " + word
			}
			if !level.UseRegex {
				return append(dst, byteLevel(word))
			}
			for _, w := range splitGPT2(word) {
				dst = append(dst, byteLevel(w))
			}
			return dst
		}
	case "Metaspace":
		return newMetaspace(o.raw)
	default:
		return nil, fmt.Errorf("pre-tokenizer %q is not supported", o.Type)
	}
	return func(words []string) []string {
		var out []string
		for _, w := range words {
			out = one(out, w)
		}
		return out
	}, nil
}

func newSplitters(data []byte) (func([]string) []string, error) {
	var sequence struct{ PreTokenizers []*object }
	if err := json.Unmarshal(data, &sequence); err != nil {
		return nil, err
	}
	var steps []func([]string) []string
	for _, child := range sequence.PreTokenizers {
		step, err := newSplitter(child)
		if err != nil {
			return nil, err
		}
		steps = append(steps, step)
	}
	return func(words []string) []string {
		for _, step := range steps {
			words = step(words)
		}
		return words
	}, nil
}

func newMetaspace(data []byte) (func([]string) []string, error) {
	meta := struct {
		Replacement    string
		PrependScheme  string `json:"prepend_scheme"`
		AddPrefixSpace *bool  `json:"add_prefix_space"`
		Split          bool
	}{Replacement: sentencepiece.Space, PrependScheme: "always", Split: true}
	if err := json.Unmarshal(data, &meta); err != nil {
		return nil, err
	}
	if meta.AddPrefixSpace != nil && !*meta.AddPrefixSpace {
		meta.PrependScheme = "never"
	}
	switch meta.PrependScheme {
	case "always", "never", "first":
	default:
		return nil, fmt.Errorf("prepend_scheme %q of Metaspace is not supported", meta.PrependScheme)
	}
	if meta.Replacement == "" {
		return nil, fmt.Errorf("a Metaspace without replacement")
	}
	return func(words []string) []string {
		var out []string
		for i, w := range words {
			w = strings.ReplaceAll(w, " ", meta.Replacement)
			prepend := meta.PrependScheme == "always" || meta.PrependScheme == "first" && i == 0
			if prepend && !strings.HasPrefix(w, meta.Replacement) {
				w = meta.Replacement + w
			}
			if !meta.Split {
				out = append(out, w)
				continue
			}
			for w != "" {
				_, first := utf8.DecodeRuneInString(w)
				n := strings.Index(w[first:], meta.Replacement)
				if n < 0 {
					out = append(out, w)
					break
				}
				out = append(out, w[:first+n])
				w = w[first+n:]
			}
		}
		return out
	}, nil
}

// newCutter returns the function that finds the matches of a pattern.
func newCutter(p pattern) (func(string) [][]int, error) {
	if p.Regex != nil && *p.Regex == clipPattern {
		return func(text string) [][]int { return hfCLIP.matches(text) }, nil
	}
	re, err := p.compile()
	if err != nil {
		return nil, err
	}
	return matcher(re), nil
}

func matcher(re *regexp.Regexp) func(string) [][]int {
	return func(text string) [][]int { return re.FindAllStringIndex(text, -1) }
}

// behaviors are the ways in which a Split treats its matches: dst is what it
// makes of word, whose matches (or, inverted, what lies between them) are
// delimiters.
var behaviors = map[string]func(dst []string, word string, matches [][]int, invert bool) []string{
	"Removed": func(dst []string, word string, matches [][]int, invert bool) []string {
		parts(word, matches, invert, func(part string, delimiter bool) {
			if !delimiter {
				dst = append(dst, part)
			}
		})
		return dst
	},
	"Isolated": func(dst []string, word string, matches [][]int, invert bool) []string {
		parts(word, matches, invert, func(part string, _ bool) { dst = append(dst, part) })
		return dst
	},
	"Contiguous": func(dst []string, word string, matches [][]int, invert bool) []string {
		before := false
		first := len(dst)
		parts(word, matches, invert, func(part string, delimiter bool) {
			if len(dst) > first && delimiter == before {
				dst[len(dst)-1] += part
			} else {
				dst = append(dst, part)
			}
			before = delimiter
		})
		return dst
	},
	"MergedWithPrevious": func(dst []string, word string, matches [][]int, invert bool) []string {
		before := false
		first := len(dst)
		parts(word, matches, invert, func(part string, delimiter bool) {
			if delimiter && !before && len(dst) > first {
				dst[len(dst)-1] += part
			} else {
				dst = append(dst, part)
			}
			before = delimiter
		})
		return dst
	},
	"MergedWithNext": func(dst []string, word string, matches [][]int, invert bool) []string {
		before := false
		parts(word, matches, invert, func(part string, delimiter bool) {
			if before && !delimiter {
				dst[len(dst)-1] += part
			} else {
				dst = append(dst, part)
			}
			before = delimiter
		})
		return dst
	},
}

func parts(word string, matches [][]int, invert bool, f func(part string, delimiter bool)) {
	at := 0
	for _, m := range matches {
		if m[0] == m[1] {
			continue
		}
		if m[0] > at {
			f(word[at:m[0]], invert)
		}
		f(word[m[0]:m[1]], !invert)
		at = m[1]
	}
	if at < len(word) {
		f(word[at:], invert)
	}
}

// splitGPT2 cuts text by GPT-2's pattern
//
//	's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
func splitGPT2(text string) []string {
	var words []string
	for text != "" {
		n := gpt2Word(text)
		words = append(words, text[:n])
		text = text[n:]
	}
	return words
}

func gpt2Word(text string) int {
	if n := contraction(text, false); n > 0 {
		return n
	}
	space := 0
	if text[0] == ' ' {
		space = 1
	}
	for _, class := range []func(rune) bool{unicode.IsLetter, unicode.IsNumber, otherSign} {
		if n := run(text[space:], class); n > 0 {
			return space + n
		}
	}
	// Spaces, but for the last one when a word follows.
	n := run(text, unicode.IsSpace)
	if n < len(text) {
		_, last := utf8.DecodeLastRuneInString(text[:n])
		if n > last {
			n -= last
		}
	}
	return n
}

// run returns the length of the characters of a class that text begins with.
func run(text string, class func(rune) bool) int {
	for i, r := range text {
		if !class(r) {
			return i
		}
	}
	return len(text)
}

func otherSign(r rune) bool {
	return !unicode.IsSpace(r) && !unicode.IsLetter(r) && !unicode.IsNumber(r)
}
