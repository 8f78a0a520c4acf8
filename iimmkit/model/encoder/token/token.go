// Package token turns captions into the token ids a text tower reads, as
// open_clip and Hugging Face's transformers do for CLIP, CoCa, EVA-02-CLIP and
// SigLIP.
//
// Letters and digits are those of Go's Unicode tables.
package token

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"maps"
	"runtime"
	"slices"
	"sync"
	"unicode/utf8"
)

// Tokenizer maps captions to rows of a fixed number of ids. It is safe for
// concurrent use.
type Tokenizer struct {
	name           string
	hash           string
	context        int
	pad            int32
	prefix, suffix []int32
	// closed: a caption that ends in the suffix gets no second one.
	closed bool
	// left: rows are filled up at the left.
	left   bool
	encode func(caption string) []int32
}

// finish checks that rows have room and that the ids of all tokens are below
// vocabulary, unless that is 0, and hashes what the ids depend on.
func (t Tokenizer) finish(vocabulary int, ids iter.Seq2[string, int32], files ...[]byte) (*Tokenizer, error) {
	if t.context <= len(t.prefix)+len(t.suffix) {
		return nil, fmt.Errorf("tokenizer: a context of %d ids has no room for a caption", t.context)
	}
	if vocabulary > 0 {
		for word, id := range ids {
			if int(id) >= vocabulary {
				return nil, fmt.Errorf("tokenizer: token %q has id %d, the model knows %d tokens: the tokenizer belongs to another model", word, id, vocabulary)
			}
		}
		for _, id := range slices.Concat(t.prefix, t.suffix, []int32{t.pad}) {
			if id < 0 || int(id) >= vocabulary {
				return nil, fmt.Errorf("tokenizer: id %d of a special token, the model knows %d tokens", id, vocabulary)
			}
		}
	}
	h := sha256.New()
	fmt.Fprintln(h, t.name, t.context, t.pad, t.left, t.prefix, t.suffix)
	for _, f := range files {
		sum := sha256.Sum256(f)
		h.Write(sum[:])
	}
	t.hash = hex.EncodeToString(h.Sum(nil)[:8])
	return &t, nil
}

// ParseHF reads Hugging Face's tokenizer.json. Rows have context ids: a longer
// caption is cut so that its end token stays the last id, a shorter one is
// filled up with pad.
func ParseHF(data []byte, context, pad int) (*Tokenizer, error) {
	p, err := parsePipeline(data)
	if err != nil {
		return nil, err
	}
	t := Tokenizer{name: "tokenizer.json", context: context, pad: int32(pad), prefix: p.prefix, suffix: p.suffix, encode: p.encode}
	return t.finish(0, maps.All(p.vocabulary), data)
}

// Context returns the number of ids of a row.
func (t *Tokenizer) Context() int { return t.context }

// Pad returns the id with which rows are filled up.
func (t *Tokenizer) Pad() int32 { return t.pad }

// Name tells whose way of tokenizing this is and from which file: "open_clip
// lower, vocab.json".
func (t *Tokenizer) Name() string { return t.name }

// Hash identifies the vocabulary, the clean-up, the context and the padding: 16
// hexadecimal digits of a SHA-256.
func (t *Tokenizer) Hash() string { return t.hash }

// parallel is the number of captions from which on several cores pay.
const parallel = 64

// Rows returns the ids of the captions, [n, Context].
func (t *Tokenizer) Rows(captions []string) []int32 {
	rows := make([]int32, len(captions)*t.context)
	fill := func(from, to int) {
		for i := from; i < to; i++ {
			t.row(rows[i*t.context:(i+1)*t.context], captions[i])
		}
	}
	if len(captions) < parallel {
		fill(0, len(captions))
		return rows
	}
	workers := runtime.GOMAXPROCS(0)
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() { fill(w*len(captions)/workers, (w+1)*len(captions)/workers) })
	}
	group.Wait()
	return rows
}

func (t *Tokenizer) row(row []int32, caption string) {
	if !utf8.ValidString(caption) {
		caption = string([]rune(caption))
	}
	ids := t.encode(caption)
	suffix := t.suffix
	if n := len(ids) - len(suffix); t.closed && n >= 0 && slices.Equal(ids[n:], suffix) {
		ids = ids[:n]
	}
	ids = ids[:min(len(ids), len(row)-len(t.prefix)-len(suffix))]
	pads := row[len(t.prefix)+len(ids)+len(suffix):]
	if t.left {
		n := len(pads)
		pads, row = row[:n], row[n:]
	}
	row = row[copy(row, t.prefix):]
	row = row[copy(row, ids):]
	copy(row, suffix)
	for i := range pads {
		pads[i] = t.pad
	}
}
