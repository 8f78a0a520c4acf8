package sentencepiece

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// number is a field of a message that is no piece.
type number struct {
	field protowire.Number
	value uint64
}

// build writes a model file.
func build(pieces []Piece, trainer, normalizer []number) []byte {
	var model []byte
	for _, p := range pieces {
		var m []byte
		m = protowire.AppendTag(m, fieldText, protowire.BytesType)
		m = protowire.AppendString(m, p.Text)
		m = protowire.AppendTag(m, fieldScore, protowire.Fixed32Type)
		m = protowire.AppendFixed32(m, math.Float32bits(p.Score))
		m = protowire.AppendTag(m, fieldKind, protowire.VarintType)
		m = protowire.AppendVarint(m, uint64(p.Kind))
		model = protowire.AppendTag(model, fieldPieces, protowire.BytesType)
		model = protowire.AppendBytes(model, m)
	}
	for field, numbers := range map[protowire.Number][]number{fieldTrainer: trainer, fieldNormalizer: normalizer} {
		var m []byte
		for _, n := range numbers {
			m = protowire.AppendTag(m, n.field, protowire.VarintType)
			m = protowire.AppendVarint(m, n.value)
		}
		model = protowire.AppendTag(model, field, protowire.BytesType)
		model = protowire.AppendBytes(model, m)
	}
	return model
}

var (
	unigramPieces = []Piece{
		{"<unk>", 0, Unknown}, {"</s>", 0, Control}, {"▁", -2, Normal}, {"a", -3, Normal}, {"b", -3.5, Normal}, {"ab", -5, Normal},
		{"▁a", -4, Normal}, {"<sep>", 0, UserDefined}, {"aba", -1, Unused}, {"ba", -6.5, Normal}, {"é", -7, Normal},
	}
	bpePieces = []Piece{
		{"<unk>", 0, Unknown}, {"a", -9, Normal}, {"b", -10, Normal}, {"c", -11, Normal}, {"ab", -1, Unused}, {"abc", -2, Normal},
		{"▁", -12, Normal}, {"bc", -3, Normal}, {"abcabc", -4, Unused}, {"<x>", 0, UserDefined},
	}
)

// The ids are those of the Python package sentencepiece 0.2.3 for these models.
func TestEncodeEqualsSentencePiece(t *testing.T) {
	for _, m := range []struct {
		name  string
		model []byte
		ids   map[string][]int32
	}{
		{"unigram", build(unigramPieces, nil, nil), map[string][]int32{
			"": {}, "ab": {2, 5}, "aba b": {2, 5, 3, 2, 4}, "zz ab zé<sep>ab  a": {2, 0, 2, 5, 2, 0, 10, 7, 5, 6}, "<sep>": {2, 7},
			"</s>a": {2, 0, 3}, " a<sep>  b ": {6, 7, 2, 4}, "abab": {2, 5, 5}, "ÿ": {2, 0},
		}},
		{"space behind words", build(unigramPieces, []number{{fieldSuffix, 1}}, nil), map[string][]int32{
			"": {}, "ab": {5, 2}, "aba b": {5, 3, 2, 4, 2}, "zz ab zé<sep>ab  a": {0, 2, 5, 2, 0, 10, 7, 5, 6, 2}, "<sep>": {7, 2}, " a<sep>  b ": {3, 7, 2, 4, 2},
		}},
		{"spaces kept", build(unigramPieces, nil, []number{{fieldExtraSpaces, 0}, {fieldDummyPrefix, 0}}), map[string][]int32{
			"ab": {5}, "zz ab zé<sep>ab  a": {0, 2, 5, 2, 0, 10, 7, 5, 2, 6}, " a<sep>  b ": {6, 7, 2, 2, 4, 2},
		}},
		{"bpe", build(bpePieces, []number{{fieldModelType, 2}}, nil), map[string][]int32{
			"abc": {6, 5}, "abcabc": {6, 5, 5}, "ab": {6, 1, 2}, "abab c": {6, 1, 2, 1, 2, 6, 3}, "ab<x>c": {6, 1, 2, 9, 3}, "zab": {6, 0, 1, 2}, "bcabc": {6, 7, 5},
		}},
	} {
		model, err := Parse(m.model)
		if err != nil {
			t.Fatal(err)
		}
		for text, want := range m.ids {
			if got := model.Encode(text); !slices.Equal(got, want) {
				t.Errorf("%s %q: got %v, want %v", m.name, text, got, want)
			}
		}
	}
}

func TestUnknownCharactersAreSpelledInBytes(t *testing.T) {
	pieces := []Piece{{"<unk>", 0, Unknown}, {"a", -1, Normal}}
	for b := range 256 {
		pieces = append(pieces, Piece{fmt.Sprintf("<0x%02X>", b), 0, Byte})
	}
	m, err := Parse(build(pieces, []number{{fieldByteFallback, 1}}, []number{{fieldDummyPrefix, 0}}))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := m.Encode("aé"), []int32{1, 2 + 0xc3, 2 + 0xa9}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := m.Encode("\xff"), []int32{2 + 0xef, 2 + 0xbf, 2 + 0xbd}; !slices.Equal(got, want) {
		t.Errorf("an invalid byte: got %v, want %v", got, want)
	}
	pieces = pieces[:200]
	if _, err := Parse(build(pieces, []number{{fieldByteFallback, 1}}, nil)); err == nil || !strings.Contains(err.Error(), "256") {
		t.Errorf("missing byte pieces: %v", err)
	}
}

func TestBrokenModelsAreRefused(t *testing.T) {
	unknown := Piece{"<unk>", 0, Unknown}
	for want, model := range map[string][]byte{
		"unknown":  build([]Piece{{"a", 0, Normal}}, nil, nil),
		"both":     build([]Piece{unknown, {"<x>", 0, Unknown}}, nil, nil),
		"twice":    build([]Piece{unknown, {"a", 0, Normal}, {"a", 0, Normal}}, nil, nil),
		"empty":    build([]Piece{unknown, {"", 0, Normal}}, nil, nil),
		"score":    build([]Piece{unknown, {"a", float32(math.NaN()), Normal}}, nil, nil),
		"kind":     build([]Piece{unknown, {"a", 0, 9}}, nil, nil),
		"no byte":  build([]Piece{unknown, {"<0xZZ>", 0, Byte}}, nil, nil),
		"type 4":   build([]Piece{unknown}, []number{{fieldModelType, 4}}, nil),
		"sentence": []byte("<html>not found</html>"),
	} {
		if _, err := Parse(model); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
	for _, charsmap := range []string{"", "\x01", "\x08\x00\x00\x00\x00\x00", "\x00\x00\x00\x00", "\x03\x00\x00\x00abc"} {
		if _, err := ParseCharsmap([]byte(charsmap)); err == nil {
			t.Errorf("charsmap %q was read", charsmap)
		}
	}
}

// TestUnigramOfHuggingFace: special pieces are pieces like others there.
func TestUnigramOfHuggingFace(t *testing.T) {
	u, err := NewUnigram([]string{"<unk>", "</s>", "a", "ab", "b"}, []float64{0, 0, -1, -1.5, -1}, 0, false)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := u.Encode(nil, "ab</s>zzb"), []int32{3, 1, 0, 4}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, err := NewUnigram([]string{"a"}, []float64{0}, 1, false); err == nil {
		t.Error("an unknown piece that is not there was accepted")
	}
}

func FuzzModel(f *testing.F) {
	f.Add(build(unigramPieces, nil, nil), "zz ab zé<sep>ab  a")
	f.Add(build(bpePieces, []number{{fieldModelType, 2}}, nil), "abab c<x>")
	f.Add(build(unigramPieces, []number{{fieldSuffix, 1}}, []number{{fieldEscape, 0}}), "a  b")
	f.Fuzz(func(t *testing.T, model []byte, text string) {
		m, err := Parse(model)
		if err != nil {
			return
		}
		for _, id := range m.Encode(text) {
			if id < 0 || int(id) >= len(m.Pieces) {
				t.Fatalf("id %d of %d pieces", id, len(m.Pieces))
			}
		}
	})
}

func FuzzCharsmap(f *testing.F) {
	f.Add([]byte("\x08\x00\x00\x00\x00\x04\x00\x00\x61\x05\x00\x00b\x00"), "abc")
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		c, err := ParseCharsmap(data)
		if err != nil || !utf8.ValidString(text) {
			return
		}
		if _, n := c.Longest(text); n > len(text) {
			t.Fatalf("a rule of %d bytes for a text of %d", n, len(text))
		}
		if _, n := c.Shortest(text); n > len(text) {
			t.Fatalf("a rule of %d bytes for a text of %d", n, len(text))
		}
	})
}
