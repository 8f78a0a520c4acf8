package token

import (
	"strings"

	"github.com/iimmkit/iimm/iimmkit/model/encoder/token/sentencepiece"
)

// siglip is Hugging Face's SiglipTokenizer: special tokens are taken out of a
// caption, the rest is canonicalized and encoded behind a marker that is cut
// off again, so that it always begins with a space.
type siglip struct {
	model    *sentencepiece.Model
	specials *addedTokens
	marker   string
	length   int // of the marker, in tokens
	space    int32
}

func newSiglip(m *sentencepiece.Model, end []int32) *siglip {
	s := &siglip{model: m}
	var specials []addedToken
	for _, id := range append([]int32{m.Unknown()}, end...) {
		specials = append(specials, addedToken{ID: id, Content: m.Pieces[id].Text, LStrip: true, RStrip: true})
	}
	s.specials = newAddedTokens(specials)
	s.marker = m.Pieces[m.Unknown()].Text
	s.length = len(m.Encode(s.marker))
	s.space, _ = m.ID(sentencepiece.Space)
	return s
}

func (s *siglip) encode(caption string) []int32 {
	var ids []int32
	text := sentencepiece.Space + strings.ReplaceAll(caption, sentencepiece.Space, " ")
	parts := 0
	s.specials.split(text, func(text string, id int32) {
		parts++
		if text == "" {
			// A special token first in the caption has no space before it.
			if parts == 2 && len(ids) == 1 && ids[0] == s.space {
				ids = ids[:0]
			}
			ids = append(ids, id)
			return
		}
		tokens := s.model.Encode(s.marker + siglipCanonical(text))
		ids = append(ids, tokens[min(s.length, len(tokens)):]...)
	})
	return ids
}
