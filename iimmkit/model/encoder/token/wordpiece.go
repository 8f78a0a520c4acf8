package token

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"unicode/utf8"
)

// Vocabulary is the word list of a small WordPiece tokenizer: frequent words
// whole, any other word spelled in letters and digits. Id 0 fills rows up; the
// end token has the largest id.
type Vocabulary struct {
	Words []string       // by id
	ids   map[string]int // of Words
}

const (
	padWord, startWord, unknownWord, endWord = "<pad>", "<s>", "<unk>", "</s>"
	letters                                  = "abcdefghijklmnopqrstuvwxyz0123456789-"
	// maxWordLetters: longer words are unknown.
	maxWordLetters = 64
)

// BuildVocabulary takes the words that occur at least min times in captions.
func BuildVocabulary(captions []string, min int) Vocabulary {
	count := map[string]int{}
	for _, c := range captions {
		for _, w := range strings.Fields(normalize(c)) {
			count[w]++
		}
	}
	var frequent []string
	for w, n := range count {
		if n >= min && len(w) > 1 {
			frequent = append(frequent, w)
		}
	}
	sort.Strings(frequent)
	words := []string{padWord, startWord, unknownWord}
	for _, l := range letters {
		words = append(words, string(l), "##"+string(l))
	}
	words = append(words, frequent...)
	words = append(words, endWord)
	v := Vocabulary{Words: words, ids: make(map[string]int, len(words))}
	for i, w := range words {
		v.ids[w] = i
	}
	return v
}

// normalize is what the tokenizer does to a caption before it is cut into words.
func normalize(caption string) string {
	return strings.NewReplacer(`"`, "", "_", " ").Replace(strings.ToLower(caption))
}

// Encode appends a caption's ids to dst: start token, words, end token. A word
// for which spell returns true is spelled though it is in the vocabulary.
func (v Vocabulary) Encode(dst []int32, caption string, spell func() bool) []int32 {
	dst = append(dst, int32(v.ids[startWord]))
	for _, w := range strings.Fields(normalize(caption)) {
		if id, ok := v.ids[w]; ok && !spell() {
			dst = append(dst, int32(id))
			continue
		}
		for i, l := range w {
			piece := string(l)
			if i > 0 {
				piece = "##" + piece
			}
			id, ok := v.ids[piece]
			if !ok {
				id = v.ids[unknownWord]
			}
			dst = append(dst, int32(id))
		}
	}
	return append(dst, int32(v.ids[endWord]))
}

// HF returns the vocabulary as Hugging Face's tokenizer.json.
func (v Vocabulary) HF() ([]byte, error) {
	type object = map[string]any
	special := func(words ...string) []object {
		var list []object
		for _, w := range words {
			list = append(list, object{"id": v.ids[w], "content": w, "special": true,
				"single_word": false, "lstrip": false, "rstrip": false, "normalized": false})
		}
		return list
	}
	replace := func(from, to string) object {
		return object{"type": "Replace", "pattern": object{"String": from}, "content": to}
	}
	template := func(word string) object {
		return object{"id": word, "ids": []int{v.ids[word]}, "tokens": []string{word}}
	}
	token := func(word string) object { return object{"SpecialToken": object{"id": word, "type_id": 0}} }
	sequence := object{"Sequence": object{"id": "A", "type_id": 0}}
	data, err := json.MarshalIndent(object{
		"version":        "1.0",
		"truncation":     nil,
		"padding":        nil,
		"added_tokens":   special(padWord, startWord, unknownWord, endWord),
		"normalizer":     object{"type": "Sequence", "normalizers": []object{{"type": "Lowercase"}, replace(`"`, ""), replace("_", " ")}},
		"pre_tokenizer":  object{"type": "WhitespaceSplit"},
		"post_processor": object{"type": "TemplateProcessing", "single": []object{token(startWord), sequence, token(endWord)}, "pair": []object{token(startWord), sequence, token(endWord)}, "special_tokens": object{startWord: template(startWord), endWord: template(endWord)}},
		"decoder":        object{"type": "WordPiece", "prefix": "##", "cleanup": true},
		"model":          object{"type": "WordPiece", "unk_token": unknownWord, "continuing_subword_prefix": "##", "max_input_chars_per_word": maxWordLetters, "vocab": v.ids},
	}, "", " ")
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	return append(data, '\n'), nil
}

// wordPiece takes the longest pieces from the left.
type wordPiece struct {
	ids     map[string]int32
	prefix  string // of pieces that go on with a word
	unknown int32
	longest int // characters of a word that is looked at
}

func newWordPiece(data []byte) (wordModel, map[string]int32, error) {
	file := struct {
		Vocab    map[string]int32
		UnkToken string `json:"unk_token"`
		Prefix   string `json:"continuing_subword_prefix"`
		MaxChars int    `json:"max_input_chars_per_word"`
	}{UnkToken: "[UNK]", Prefix: "##", MaxChars: 100}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, nil, err
	}
	unknown, ok := file.Vocab[file.UnkToken]
	if !ok {
		return nil, nil, fmt.Errorf("the unknown token %q is not in the vocabulary", file.UnkToken)
	}
	return &wordPiece{ids: file.Vocab, prefix: file.Prefix, unknown: unknown, longest: file.MaxChars}, file.Vocab, nil
}

func (w *wordPiece) encode(dst []int32, word string) []int32 {
	if utf8.RuneCountInString(word) > w.longest {
		return append(dst, w.unknown)
	}
	first := len(dst)
	for start := 0; start < len(word); {
		end, prefix := len(word), ""
		if start > 0 {
			prefix = w.prefix
		}
		for end > start {
			if id, ok := w.ids[prefix+word[start:end]]; ok {
				dst = append(dst, id)
				break
			}
			_, n := utf8.DecodeLastRuneInString(word[start:end])
			end -= n
		}
		if end == start {
			return append(dst[:first], w.unknown)
		}
		start = end
	}
	return dst
}
