package token

import (
	"container/heap"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// bpe merges the characters of a word.
type bpe struct {
	ids          map[string]int32
	pairs        mergeList
	merges       map[[2]int32]mergeRule
	suffix       string      // of the last character of a word
	unknown      int32       // -1: unknown characters are dropped
	fuse         bool        // a run of unknown characters is one
	bytes        *[256]int32 // not nil: unknown characters are spelled in bytes
	ignoreMerges bool        // a word that is a token is taken as it is
	words        *cache
}

func newBPE(data []byte) (wordModel, map[string]int32, error) {
	var file struct {
		Vocab        map[string]int32
		Merges       mergeList
		UnkToken     string `json:"unk_token"`
		Prefix       string `json:"continuing_subword_prefix"`
		Suffix       string `json:"end_of_word_suffix"`
		FuseUnk      bool   `json:"fuse_unk"`
		ByteFallback bool   `json:"byte_fallback"`
		IgnoreMerges bool   `json:"ignore_merges"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, nil, err
	}
	if file.Prefix != "" {
		return nil, nil, fmt.Errorf("BPE with continuing_subword_prefix %q is not supported", file.Prefix)
	}
	if len(file.Vocab) == 0 {
		return nil, nil, errors.New("the vocabulary is empty")
	}
	b := &bpe{ids: file.Vocab, pairs: file.Merges, suffix: file.Suffix, fuse: file.FuseUnk, ignoreMerges: file.IgnoreMerges, words: newCache(), unknown: -1}
	var err error
	if b.merges, err = readMerges(file.Merges, file.Vocab); err != nil {
		return nil, nil, err
	}
	if file.UnkToken != "" {
		id, ok := file.Vocab[file.UnkToken]
		if !ok {
			return nil, nil, fmt.Errorf("the unknown token %q is not in the vocabulary", file.UnkToken)
		}
		b.unknown = id
	}
	if file.ByteFallback {
		b.bytes = new([256]int32)
		for i := range b.bytes {
			id, ok := file.Vocab[fmt.Sprintf("<0x%02X>", i)]
			if !ok {
				return nil, nil, fmt.Errorf("byte_fallback is set, but the vocabulary has no token <0x%02X>", i)
			}
			b.bytes[i] = id
		}
	}
	return b, file.Vocab, nil
}

// mergeList is a list of "left right" or of ["left", "right"].
type mergeList [][2]string

func (m *mergeList) UnmarshalJSON(data []byte) error {
	var lines []string
	if json.Unmarshal(data, &lines) == nil {
		pairs, err := cutMerges(lines)
		*m = pairs
		return err
	}
	var pairs [][]string
	if err := json.Unmarshal(data, &pairs); err != nil {
		return err
	}
	for i, p := range pairs {
		if len(p) != 2 {
			return fmt.Errorf("merge %d is of %d tokens", i, len(p))
		}
		*m = append(*m, [2]string{p[0], p[1]})
	}
	return nil
}

func (b *bpe) encode(dst []int32, word string) []int32 {
	if b.ignoreMerges {
		if id, ok := b.ids[word]; ok {
			return append(dst, id)
		}
	}
	return b.words.encode(dst, word, b.merge)
}

// spell appends the ids of the word's characters.
func (b *bpe) spell(dst []int32, word string) []int32 {
	unknownBefore := false
	for at := 0; at < len(word); {
		_, n := utf8.DecodeRuneInString(word[at:])
		char := word[at : at+n]
		if at += n; at == len(word) {
			char += b.suffix
		}
		id, ok := b.ids[char]
		switch {
		case ok:
			dst = append(dst, id)
		case b.bytes != nil:
			for i := range len(char) {
				dst = append(dst, b.bytes[char[i]])
			}
		case b.unknown >= 0 && !(b.fuse && unknownBefore):
			dst = append(dst, b.unknown)
		}
		unknownBefore = !ok && b.bytes == nil
	}
	return dst
}

func (b *bpe) merge(dst []int32, word string) []int32 {
	type symbol struct {
		id         int32 // -1: merged away
		prev, next int
	}
	ids := b.spell(nil, word)
	symbols := make([]symbol, len(ids))
	for i, id := range ids {
		symbols[i] = symbol{id: id, prev: i - 1, next: i + 1}
	}
	if len(symbols) > 0 {
		symbols[len(symbols)-1].next = -1
	}
	agenda := &candidates{}
	propose := func(left, right int) {
		if left < 0 || right < 0 {
			return
		}
		if m, ok := b.merges[[2]int32{symbols[left].id, symbols[right].id}]; ok {
			heap.Push(agenda, candidate{m, left})
		}
	}
	for i := 1; i < len(symbols); i++ {
		propose(i-1, i)
	}
	for agenda.Len() > 0 {
		top := heap.Pop(agenda).(candidate)
		l := &symbols[top.left]
		if l.id < 0 || l.next < 0 {
			continue
		}
		r := &symbols[l.next]
		// The symbols may have been merged since.
		if m, ok := b.merges[[2]int32{l.id, r.id}]; !ok || m.id != top.id {
			continue
		}
		l.id, r.id = top.id, -1
		if l.next = r.next; l.next >= 0 {
			symbols[l.next].prev = top.left
		}
		propose(l.prev, top.left)
		propose(top.left, l.next)
	}
	for _, s := range symbols {
		if s.id >= 0 {
			dst = append(dst, s.id)
		}
	}
	return dst
}

// candidate is a possible merge of the symbol left and the one behind it.
type candidate struct {
	mergeRule
	left int
}

type candidates []candidate

func (c candidates) Len() int { return len(c) }
func (c candidates) Less(i, j int) bool {
	return c[i].rank < c[j].rank || c[i].rank == c[j].rank && c[i].left < c[j].left
}
func (c candidates) Swap(i, j int) { c[i], c[j] = c[j], c[i] }
func (c *candidates) Push(x any)   { *c = append(*c, x.(candidate)) }
func (c *candidates) Pop() any {
	old := *c
	x := old[len(old)-1]
	*c = old[:len(old)-1]
	return x
}
