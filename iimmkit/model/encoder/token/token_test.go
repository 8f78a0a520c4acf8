package token

import (
	"slices"
	"testing"
)

func never() bool { return false }

func testVocabulary(t testing.TB) (Vocabulary, *Tokenizer) {
	t.Helper()
	v := BuildVocabulary([]string{"a red circle", "two red circles on a blue background", "a metal surface with pits"}, 1)
	data, err := v.HF()
	if err != nil {
		t.Fatal(err)
	}
	tok, err := ParseHF(data, 24, 0)
	if err != nil {
		t.Fatal(err)
	}
	return v, tok
}

// WordPiece is greedy: a word that is not in the vocabulary and begins with
// one that is, would be cut there by Hugging Face's tokenizer and by ours.
func TestRowsEqualTheTrainingEncoding(t *testing.T) {
	v, tok := testVocabulary(t)
	for _, caption := range []string{"a red circle", "A  Red Circle ", `the digit "7"`, "rolled-in scale", "aquarium_fish", ""} {
		want := v.Encode(nil, caption, never)
		for len(want) < 24 {
			want = append(want, 0)
		}
		if got := tok.Rows([]string{caption}); !slices.Equal(got, want) {
			t.Errorf("%q:\n got %v\nwant %v", caption, got, want)
		}
	}
}

func TestLongCaptionKeepsItsEndToken(t *testing.T) {
	v, tok := testVocabulary(t)
	row := tok.Rows([]string{"unbelievably extraordinarily incomprehensible"})
	if len(row) != 24 || row[23] != int32(len(v.Words)-1) {
		t.Errorf("row %v does not end in the end token %d", row, len(v.Words)-1)
	}
}

func TestSpelledWordsDifferFromWhole(t *testing.T) {
	v, _ := testVocabulary(t)
	if got, want := len(v.Encode(nil, "red", func() bool { return true })), 5; got != want {
		t.Errorf("spelled word has %d ids, want %d", got, want)
	}
	if got, want := len(v.Encode(nil, "red", never)), 3; got != want {
		t.Errorf("whole word has %d ids, want %d", got, want)
	}
}
