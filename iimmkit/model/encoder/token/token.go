// Package token turns captions into the token ids a text tower reads.
package token

import (
	"fmt"

	"github.com/gomlx/go-huggingface/tokenizers/hftokenizer"
)

// Tokenizer maps captions to rows of a fixed number of ids.
type Tokenizer struct {
	context, pad int
	hf           *hftokenizer.Tokenizer
}

// ParseHF reads Hugging Face's tokenizer.json. Rows have context ids: a longer
// caption is cut so that its end token stays the last id, a shorter one is
// filled up with pad.
func ParseHF(data []byte, context, pad int) (*Tokenizer, error) {
	hf, err := hftokenizer.NewFromContent(nil, data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	return &Tokenizer{context: context, pad: pad, hf: hf}, nil
}

// Context returns the number of ids of a row.
func (t *Tokenizer) Context() int { return t.context }

// Rows returns the ids of the captions, [n, context].
func (t *Tokenizer) Rows(captions []string) []int32 {
	rows := make([]int32, 0, len(captions)*t.context)
	for _, c := range captions {
		ids := t.hf.Encode(c)
		if n := len(ids); n > t.context {
			end := ids[n-1]
			ids = append(ids[:t.context-1:t.context-1], end)
		}
		for i := range t.context {
			id := t.pad
			if i < len(ids) {
				id = ids[i]
			}
			rows = append(rows, int32(id))
		}
	}
	return rows
}
