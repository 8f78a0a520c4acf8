package token

import (
	"encoding/json"
	"errors"

	"github.com/iimmkit/iimm/iimmkit/model/encoder/token/sentencepiece"
)

// unigram is the most likely segmentation of a word.
type unigram struct{ *sentencepiece.Unigram }

func (u unigram) encode(dst []int32, word string) []int32 { return u.Encode(dst, word) }

func newUnigram(data []byte) (wordModel, map[string]int32, error) {
	var file struct {
		Vocab        []scored
		UnkID        *int32 `json:"unk_id"`
		ByteFallback bool   `json:"byte_fallback"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, nil, err
	}
	if len(file.Vocab) == 0 {
		return nil, nil, errors.New("the vocabulary is empty")
	}
	pieces, scores := make([]string, len(file.Vocab)), make([]float64, len(file.Vocab))
	ids := make(map[string]int32, len(file.Vocab))
	for i, s := range file.Vocab {
		pieces[i], scores[i] = s.piece, s.score
		ids[s.piece] = int32(i)
	}
	unknown := int32(-1)
	if file.UnkID != nil {
		unknown = *file.UnkID
	}
	u, err := sentencepiece.NewUnigram(pieces, scores, unknown, file.ByteFallback)
	if err != nil {
		return nil, nil, err
	}
	return unigram{u}, ids, nil
}

// scored is ["piece", -3.2].
type scored struct {
	piece string
	score float64
}

func (s *scored) UnmarshalJSON(data []byte) error {
	var pair []json.RawMessage
	if err := json.Unmarshal(data, &pair); err != nil {
		return err
	}
	if len(pair) != 2 {
		return errors.New("an entry of the vocabulary is not a pair of piece and score")
	}
	if err := json.Unmarshal(pair[0], &s.piece); err != nil {
		return err
	}
	return json.Unmarshal(pair[1], &s.score)
}
