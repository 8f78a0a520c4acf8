package token

import (
	"math"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// smallPieces is a SentencePiece model: the unknown piece, the end token, then
// pieces of a score each.
func smallPieces() []byte {
	var model []byte
	for i, piece := range []struct {
		text  string
		score float32
	}{{"<unk>", 0}, {"</s>", 0}, {"▁", -2}, {"a", -3}, {"cat", -4}, {"▁cat", -3}, {"s", -3}, {"_", -3}, {"aquariumfish", -5}, {"▁a", -3}} {
		kind := uint64(1)
		if i < 2 {
			kind = uint64(2 + i)
		}
		var p []byte
		p = protowire.AppendString(protowire.AppendTag(p, 1, protowire.BytesType), piece.text)
		p = protowire.AppendFixed32(protowire.AppendTag(p, 2, protowire.Fixed32Type), math.Float32bits(piece.score))
		p = protowire.AppendVarint(protowire.AppendTag(p, 3, protowire.VarintType), kind)
		model = protowire.AppendBytes(protowire.AppendTag(model, 1, protowire.BytesType), p)
	}
	return model
}

// The ids are those of SiglipTokenizer of transformers 5.24 for this model.
func TestSiglipTokenizerEqualsHuggingFace(t *testing.T) {
	tok := open(t, map[string][]byte{"spiece.model": smallPieces()}, Options{Family: "siglip", Library: HuggingFace, Context: 8, Vocabulary: 10})
	for caption, want := range map[string][]int32{
		"A cat's": {9, 5, 6, 1}, "aquarium_fish": {2, 8, 1}, "": {1}, "</s>": {1}, "cat </s> a": {5, 1, 3, 1}, "</s>cat": {1, 4, 1},
		"<unk> a": {0, 3, 1}, "▁cat": {2, 5, 1}, "zz cat": {2, 0, 5, 1}, "  a \u3000 cat!": {2, 9, 5, 1}, "cat</s>": {5, 1},
	} {
		for len(want) < 8 {
			want = append(want, 1)
		}
		if got := tok.Rows([]string{caption}); !slices.Equal(got, want) {
			t.Errorf("%q: got %v, want %v", caption, got, want)
		}
	}
	short := open(t, map[string][]byte{"spiece.model": smallPieces()}, Options{Family: "siglip", Library: HuggingFace, Context: 4})
	if got, want := short.Rows([]string{"cat a cat a"}), []int32{5, 9, 5, 1}; !slices.Equal(got, want) {
		t.Errorf("cut: got %v, want %v", got, want)
	}
}

// open_clip's way with the same model: "_" becomes a space.
func TestOpenCLIPTurnsUnderscoresIntoSpaces(t *testing.T) {
	tok := open(t, map[string][]byte{"spiece.model": smallPieces()}, Options{Family: "siglip", Library: OpenCLIP, Context: 5})
	if got, want := tok.Rows([]string{"A_cat's"}), []int32{9, 5, 6, 1, 1}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
