// Package sentencepiece encodes text with the models of SentencePiece 0.2,
// unigram and BPE, to the ids that its C++ library gives.
package sentencepiece

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// Kind is the type of a piece.
type Kind uint64

// The kinds of pieces, numbered as in sentencepiece_model.proto.
const (
	Normal      Kind = 1
	Unknown     Kind = 2
	Control     Kind = 3
	UserDefined Kind = 4
	Unused      Kind = 5
	Byte        Kind = 6
)

// Piece is an entry of the vocabulary.
type Piece struct {
	Text  string
	Score float32
	Kind  Kind
}

// Model is a SentencePiece model. It is safe for concurrent use.
type Model struct {
	Pieces []Piece // by id

	bpe          bool
	byteFallback bool
	unknown      int32
	bytes        [256]int32 // ids of the byte pieces
	ids          map[string]int32
	reserved     map[string]int32
	user         *prefixes
	vocabulary   *prefixes
	minScore     float32
	maxScore     float32
	normalizer   normalizer
}

// Numbers of fields in sentencepiece_model.proto.
const (
	fieldPieces, fieldTrainer, fieldNormalizer = 1, 2, 3

	fieldText, fieldScore, fieldKind = 1, 2, 3

	fieldModelType, fieldSuffix, fieldByteFallback = 3, 24, 35

	fieldCharsmap, fieldDummyPrefix, fieldExtraSpaces, fieldEscape = 2, 3, 4, 5
)

// Parse reads a .model file.
func Parse(data []byte) (*Model, error) {
	m := &Model{unknown: -1, normalizer: normalizer{dummyPrefix: true, collapse: true, escape: true}}
	modelType := uint64(1)
	err := fields(data, func(number protowire.Number, value []byte, n uint64) error {
		switch number {
		case fieldPieces:
			p, err := parsePiece(value)
			if err != nil {
				return fmt.Errorf("piece %d: %w", len(m.Pieces), err)
			}
			m.Pieces = append(m.Pieces, p)
		case fieldTrainer:
			return fields(value, func(number protowire.Number, _ []byte, n uint64) error {
				switch number {
				case fieldModelType:
					modelType = n
				case fieldSuffix:
					m.normalizer.suffix = n != 0
				case fieldByteFallback:
					m.byteFallback = n != 0
				}
				return nil
			})
		case fieldNormalizer:
			return m.normalizer.parse(value)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("sentencepiece model: %w", err)
	}
	switch modelType {
	case 1:
	case 2:
		m.bpe = true
	default:
		return nil, fmt.Errorf("sentencepiece model: type %d is neither unigram (1) nor BPE (2)", modelType)
	}
	if err := m.index(); err != nil {
		return nil, fmt.Errorf("sentencepiece model: %w", err)
	}
	return m, nil
}

func parsePiece(data []byte) (Piece, error) {
	p := Piece{Kind: Normal}
	err := fields(data, func(number protowire.Number, value []byte, n uint64) error {
		switch number {
		case fieldText:
			p.Text = string(value)
		case fieldScore:
			p.Score = math.Float32frombits(uint32(n))
		case fieldKind:
			p.Kind = Kind(n)
		}
		return nil
	})
	switch {
	case err != nil:
		return p, err
	case p.Text == "":
		return p, errors.New("it is empty")
	case p.Score != p.Score || math.IsInf(float64(p.Score), 0):
		return p, fmt.Errorf("score %v of %q", p.Score, p.Text)
	case p.Kind < Normal || p.Kind > Byte:
		return p, fmt.Errorf("kind %d of %q", p.Kind, p.Text)
	}
	return p, nil
}

// fields calls f for each field of a protocol buffer message with its bytes or
// its number.
func fields(data []byte, f func(number protowire.Number, value []byte, n uint64) error) error {
	for len(data) > 0 {
		number, kind, size := protowire.ConsumeTag(data)
		if size < 0 {
			return protowire.ParseError(size)
		}
		data = data[size:]
		var value []byte
		var n uint64
		switch kind {
		case protowire.BytesType:
			value, size = protowire.ConsumeBytes(data)
		case protowire.VarintType:
			n, size = protowire.ConsumeVarint(data)
		case protowire.Fixed32Type:
			var n32 uint32
			n32, size = protowire.ConsumeFixed32(data)
			n = uint64(n32)
		default:
			size = protowire.ConsumeFieldValue(number, kind, data)
		}
		if size < 0 {
			return protowire.ParseError(size)
		}
		data = data[size:]
		if err := f(number, value, n); err != nil {
			return err
		}
	}
	return nil
}

// index builds what encoding needs of the pieces.
func (m *Model) index() error {
	m.ids, m.reserved = map[string]int32{}, map[string]int32{}
	m.user, m.vocabulary = new(prefixes), new(prefixes)
	m.minScore, m.maxScore = math.MaxFloat32, -math.MaxFloat32
	known := [256]bool{}
	for i, p := range m.Pieces {
		id := int32(i)
		into := m.ids
		switch p.Kind {
		case Unknown:
			if m.unknown >= 0 {
				return fmt.Errorf("pieces %d and %d are both the unknown one", m.unknown, i)
			}
			m.unknown = id
			into = m.reserved
		case Control:
			into = m.reserved
		case Byte:
			b, ok := byteOf(p.Text)
			if !ok {
				return fmt.Errorf("piece %d, %q, is no byte", i, p.Text)
			}
			m.bytes[b], known[b] = id, true
			into = m.reserved
		case UserDefined:
			m.user.add(p.Text, id)
		case Normal:
			m.minScore, m.maxScore = min(m.minScore, p.Score), max(m.maxScore, p.Score)
		}
		if _, twice := into[p.Text]; twice {
			return fmt.Errorf("piece %d, %q, is there twice", i, p.Text)
		}
		into[p.Text] = id
		if p.Kind == Normal || p.Kind == UserDefined || p.Kind == Unused {
			m.vocabulary.add(p.Text, id)
		}
	}
	if m.unknown < 0 {
		return errors.New("no piece is the unknown one")
	}
	if m.byteFallback && slices.Contains(known[:], false) {
		return errors.New("byte_fallback is set, but not all of the 256 byte pieces are there")
	}
	m.normalizer.user = m.user
	return nil
}

// byteOf reads "<0x41>".
func byteOf(text string) (b byte, ok bool) {
	if len(text) != 6 {
		return 0, false
	}
	n, err := fmt.Sscanf(text, "<0x%02X>", &b)
	return b, n == 1 && err == nil
}

// ID returns the id of a piece.
func (m *Model) ID(piece string) (int32, bool) {
	if id, ok := m.reserved[piece]; ok {
		return id, true
	}
	id, ok := m.ids[piece]
	return id, ok
}

// Encode returns the ids of text, without any control piece.
func (m *Model) Encode(text string) []int32 { return m.EncodeNormalized(m.normalizer.normalize(text)) }

// segment is a part of normalized text and its piece.
type segment struct {
	text string
	id   int32
}

// EncodeNormalized is Encode of text that needs no normalization.
func (m *Model) EncodeNormalized(text string) []int32 {
	var segments []segment
	if m.bpe {
		segments = m.mergePairs(text)
	} else {
		segments = m.unigram(text)
	}
	ids := make([]int32, 0, len(segments))
	unknownBefore := false
	for _, s := range segments {
		unknown := s.id == m.unknown
		switch {
		case unknown && m.byteFallback:
			for i := range len(s.text) {
				ids = append(ids, m.bytes[s.text[i]])
			}
		case unknown && unknownBefore:
			// A run of unknown pieces is one.
		default:
			ids = append(ids, s.id)
		}
		unknownBefore = unknown
	}
	return ids
}

// BPE tells whether the model is BPE, not unigram.
func (m *Model) BPE() bool { return m.bpe }

// Unknown returns the id of the unknown piece.
func (m *Model) Unknown() int32 { return m.unknown }
