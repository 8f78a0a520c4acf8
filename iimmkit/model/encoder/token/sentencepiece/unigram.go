package sentencepiece

import (
	"fmt"
	"math"
	"slices"
)

// unknownPenalty is how much less likely than the least likely piece an unknown
// character is.
const unknownPenalty = 10

// bestPath returns the most likely segmentation of text (Viterbi). score gives
// the sum of a piece and the path before it, false for a piece not to be used;
// unknown is the score of a character that is no piece. Sums are compared in
// float64 and kept in F: that decides ties, as in unigram_model.cc.
func bestPath[F float32 | float64](text string, vocabulary *prefixes, unknownID int32, unknown F, score func(id int32, length int, before F) (float64, bool)) []segment {
	type end struct {
		id    int32
		start int // -1: not reached
		score F
	}
	best := make([]end, len(text)+1)
	for i := range best {
		best[i].start = -1
	}
	best[0].score = 0
	reach := func(to, from int, id int32, score float64) {
		if e := &best[to]; e.start < 0 || score > float64(e.score) {
			*e = end{id: id, start: from, score: F(score)}
		}
	}
	for start := 0; start < len(text); {
		before := best[start].score
		char := charLen(text[start:])
		single := false
		vocabulary.each(text[start:], func(length int, id int32) {
			if s, ok := score(id, length, before); ok {
				reach(start+length, start, id, s)
				single = single || length == char
			}
		})
		if !single {
			reach(start+char, start, unknownID, float64(unknown+before))
		}
		start += char
	}
	var segments []segment
	for to := len(text); to > 0; {
		e := best[to]
		segments = append(segments, segment{text[e.start:to], e.id})
		to = e.start
	}
	slices.Reverse(segments)
	return segments
}

// charLen is the length that the first byte of text announces for its
// character; text is UTF-8 once normalized.
func charLen(text string) int {
	return min(len(text), int("\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x02\x02\x03\x04"[text[0]>>4]))
}

// unigram is the segmentation of a SentencePiece model.
func (m *Model) unigram(text string) []segment {
	return bestPath(text, m.vocabulary, m.unknown, m.minScore-unknownPenalty, func(id int32, length int, before float32) (float64, bool) {
		switch p := &m.Pieces[id]; p.Kind {
		case Unused:
			return 0, false
		case UserDefined:
			return float64(float32(length)*m.maxScore) - 0.1 + float64(before), true
		default:
			return float64(p.Score + before), true
		}
	})
}

// Unigram is the unigram model of Hugging Face's tokenizers: the search is the
// same, scores are float64 and all pieces are searched for.
type Unigram struct {
	ids        map[string]int32
	scores     []float64
	vocabulary *prefixes
	unknown    int32 // -1: none
	bytes      *[256]int32
	unlikely   float64
}

// NewUnigram takes pieces by id and their scores. unknown is the id of the
// unknown piece, -1 for none; with byteFallback unknown characters are spelled
// in the pieces <0x00> to <0xFF> where those are there.
func NewUnigram(pieces []string, scores []float64, unknown int32, byteFallback bool) (*Unigram, error) {
	if unknown >= int32(len(pieces)) {
		return nil, fmt.Errorf("unk_id %d of %d pieces", unknown, len(pieces))
	}
	u := &Unigram{ids: make(map[string]int32, len(pieces)), scores: scores, vocabulary: new(prefixes), unknown: unknown, unlikely: math.Inf(1)}
	for i, p := range pieces {
		if p == "" || math.IsNaN(scores[i]) || math.IsInf(scores[i], 0) {
			return nil, fmt.Errorf("piece %d, %q, has score %v", i, p, scores[i])
		}
		u.ids[p] = int32(i)
		u.vocabulary.add(p, int32(i))
		u.unlikely = min(u.unlikely, scores[i]-unknownPenalty)
	}
	if byteFallback {
		u.bytes = new([256]int32)
		for b := range u.bytes {
			id, ok := u.ids[fmt.Sprintf("<0x%02X>", b)]
			if !ok {
				u.bytes = nil
				break
			}
			u.bytes[b] = id
		}
	}
	return u, nil
}

// Encode appends the ids of word to dst.
func (u *Unigram) Encode(dst []int32, word string) []int32 {
	segments := bestPath(word, u.vocabulary, u.unknown, u.unlikely, func(id int32, _ int, before float64) (float64, bool) {
		return u.scores[id] + before, true
	})
	unknownBefore := false
	for _, s := range segments {
		unknown := s.id == u.unknown
		_, known := u.ids[s.text]
		switch {
		case unknown && u.bytes != nil && !known:
			for i := range len(s.text) {
				dst = append(dst, u.bytes[s.text[i]])
			}
		case unknown && (unknownBefore || u.unknown < 0):
			// A run of unknown characters is one.
		default:
			dst = append(dst, s.id)
		}
		unknownBefore = unknown
	}
	return dst
}
