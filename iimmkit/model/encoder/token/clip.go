package token

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/iimmkit/iimm/iimmkit/model/encoder/token/ftfy"
)

// clipPattern cuts normalized captions into words, as Hugging Face writes it.
const clipPattern = `<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+`

// clipWords is clipPattern with other special words; the alternatives are
// tried in its order.
type clipWords struct {
	specials []string
	// fold: case is ignored, which in lower case text still makes "ſ" an "s".
	fold bool
}

var (
	hfCLIP   = clipWords{specials: []string{"<|startoftext|>", "<|endoftext|>"}}
	openCLIP = clipWords{specials: []string{"<start_of_text>", "<end_of_text>"}, fold: true}
)

// next returns the length of the word that text begins with, 0 for what is no
// part of any: spaces.
func (c clipWords) next(text string) int {
	if text[0] == '<' {
		for _, s := range c.specials {
			if n := hasPrefix(text, s, c.fold); n > 0 {
				return n
			}
		}
	}
	if n := contraction(text, c.fold); n > 0 {
		return n
	}
	if n := run(text, unicode.IsLetter); n > 0 {
		return n
	}
	if r, n := utf8.DecodeRuneInString(text); unicode.IsNumber(r) {
		return n
	}
	if c.fold {
		return run(text, foldedSign)
	}
	return run(text, otherSign)
}

// foldedSign is otherSign where case is ignored. The iota subscript is a mark
// that is an iota in capitals: Python's regex finds it in no class at all.
func foldedSign(r rune) bool { return otherSign(r) && r != '\u0345' }

// each calls f for the words of text.
func (c clipWords) each(text string, f func(start, end int)) {
	for at := 0; at < len(text); {
		n := c.next(text[at:])
		if n == 0 {
			_, space := utf8.DecodeRuneInString(text[at:])
			at += space
			continue
		}
		f(at, at+n)
		at += n
	}
}

func (c clipWords) matches(text string) [][]int {
	var m [][]int
	c.each(text, func(start, end int) { m = append(m, []int{start, end}) })
	return m
}

// contraction returns the length of the English contraction that text begins
// with.
func contraction(text string, fold bool) int {
	if text[0] != '\'' {
		return 0
	}
	for _, s := range []string{"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"} {
		if n := hasPrefix(text, s, fold); n > 0 {
			return n
		}
	}
	return 0
}

// hasPrefix returns the length in text of the prefix, which is ASCII in lower
// case, 0 when text does not begin with it.
func hasPrefix(text, prefix string, fold bool) int {
	if strings.HasPrefix(text, prefix) {
		return len(prefix)
	}
	if !fold {
		return 0
	}
	at := 0
	for i := range len(prefix) {
		r, n := utf8.DecodeRuneInString(text[at:])
		if n == 0 || !strings.EqualFold(string(r), prefix[i:i+1]) {
			return 0
		}
		at += n
	}
	return at
}

// clipBPE is open_clip's SimpleTokenizer: words of a cleaned caption, spelled
// in bytes, merged by rank.
type clipBPE struct {
	cleaner    cleaner
	vocabulary clipVocabulary
	// inner and last are the ids of bytes inside and at the end of a word.
	inner, last [256]int32
	special     map[string]int32
	words       *cache
}

func newCLIPBPE(v clipVocabulary, c cleaner) (*clipBPE, error) {
	b := &clipBPE{cleaner: c, vocabulary: v, words: newCache(), special: map[string]int32{
		openCLIP.specials[0]: v.start, openCLIP.specials[1]: v.end,
	}}
	for i := range 256 {
		for suffix, ids := range map[string]*[256]int32{"": &b.inner, endOfWord: &b.last} {
			id, ok := v.ids[string(byteRunes[i])+suffix]
			if !ok {
				return nil, fmt.Errorf("the vocabulary has no token %q for byte %#02x", string(byteRunes[i])+suffix, i)
			}
			ids[i] = id
		}
	}
	return b, nil
}

// encode returns the ids of a caption, without start and end token.
func (b *clipBPE) encode(caption string) []int32 {
	text := b.cleaner.clean(caption)
	var ids []int32
	openCLIP.each(text, func(start, end int) {
		word := text[start:end]
		if id, ok := b.special[word]; ok {
			ids = append(ids, id)
			return
		}
		ids = b.words.encode(ids, word, b.merge)
	})
	return ids
}

// merge appends the ids of a word: in each round all occurrences of the pair of
// the lowest rank are merged.
func (b *clipBPE) merge(dst []int32, word string) []int32 {
	first := len(dst)
	for i := range len(word) - 1 {
		dst = append(dst, b.inner[word[i]])
	}
	dst = append(dst, b.last[word[len(word)-1]])
	for {
		ids := dst[first:]
		best := mergeRule{rank: -1}
		var pair [2]int32
		for i := 1; i < len(ids); i++ {
			p := [2]int32{ids[i-1], ids[i]}
			if m, ok := b.vocabulary.merges[p]; ok && (best.rank < 0 || m.rank < best.rank) {
				best, pair = m, p
			}
		}
		if best.rank < 0 {
			return dst
		}
		n := 0
		for i := 0; i < len(ids); i++ {
			if i+1 < len(ids) && ids[i] == pair[0] && ids[i+1] == pair[1] {
				ids[n] = best.id
				i++
			} else {
				ids[n] = ids[i]
			}
			n++
		}
		dst = dst[:first+n]
	}
}

// clipPipeline is what Hugging Face's CLIPTokenizer does with a vocabulary. Its
// library orders combining marks by older Unicode tables: several marks on one
// letter, one of them added since Unicode 10, can come in another order there.
func clipPipeline(v clipVocabulary) *pipeline {
	model := &bpe{ids: v.ids, merges: v.merges, suffix: endOfWord, unknown: v.end, words: newCache()}
	p := &pipeline{model: model, vocabulary: v.ids, prefix: []int32{v.start}, suffix: []int32{v.end}}
	p.normalize = func(text string) string { return rustLower(spaces.ReplaceAllLiteralString(ftfy.NFC(text), " ")) }
	p.split = func(words []string) []string {
		var out []string
		for _, text := range words {
			hfCLIP.each(text, func(start, end int) {
				for _, word := range splitGPT2(text[start:end]) {
					out = append(out, byteLevel(word))
				}
			})
		}
		return out
	}
	p.add([]addedToken{{ID: v.start, Content: hfCLIP.specials[0]}, {ID: v.end, Content: hfCLIP.specials[1]}})
	return p
}

// spaces is \s+ of Unicode.
var spaces = regexp.MustCompile(unicodeClasses(`\s+`))
