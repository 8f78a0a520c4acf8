package token

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// clipVocabulary is a byte-level BPE vocabulary whose words end in endOfWord.
type clipVocabulary struct {
	ids        map[string]int32
	merges     map[[2]int32]mergeRule
	start, end int32
}

// mergeRule: the pair of this rank becomes the token id; low ranks go first.
type mergeRule struct{ rank, id int32 }

const endOfWord = "</w>"

// byteRunes spell bytes as printable characters, as GPT-2 does.
var byteRunes = func() (runes [256]rune) {
	next := rune(256)
	for b := range rune(256) {
		if '!' <= b && b <= '~' || '¡' <= b && b <= '¬' || '®' <= b && b <= 'ÿ' {
			runes[b] = b
		} else {
			runes[b] = next
			next++
		}
	}
	return runes
}()

// byteLevel spells word in byteRunes.
func byteLevel(word string) string {
	runes := make([]rune, len(word))
	for i := range len(word) {
		runes[i] = byteRunes[word[i]]
	}
	return string(runes)
}

// Sizes of OpenAI's vocabulary: the file lists more merges than are used.
const (
	openaiVocabulary = 49408
	openaiMerges     = openaiVocabulary - 2*256 - 2
	// maxUnpacked bounds what a gzip file may unpack to; OpenAI's has 3 MB.
	maxUnpacked = 64 << 20
)

// readOpenAI reads bpe_simple_vocab_16e6.txt.gz: a line of heading, then a
// merge a line. Ids are in the order of bytes, bytes at the end of a word,
// merges, start and end token.
func readOpenAI(r io.Reader) (clipVocabulary, error) {
	unpacked, err := gzip.NewReader(r)
	if err != nil {
		return clipVocabulary{}, err
	}
	data, err := io.ReadAll(io.LimitReader(unpacked, maxUnpacked+1))
	if err != nil {
		return clipVocabulary{}, err
	}
	if len(data) > maxUnpacked {
		return clipVocabulary{}, fmt.Errorf("unpacked it is larger than %d bytes", maxUnpacked)
	}
	lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	lines = lines[1:min(len(lines), 1+openaiMerges)]
	var words []string
	for _, suffix := range []string{"", endOfWord} {
		// Printable bytes come first.
		for _, printable := range []bool{true, false} {
			for b, r := range byteRunes {
				if (r == rune(b)) == printable {
					words = append(words, string(r)+suffix)
				}
			}
		}
	}
	pairs, err := cutMerges(lines)
	if err != nil {
		return clipVocabulary{}, err
	}
	for _, p := range pairs {
		words = append(words, p[0]+p[1])
	}
	words = append(words, openCLIP.specials...)
	ids := make(map[string]int32, len(words))
	for i, w := range words {
		ids[w] = int32(i)
	}
	merges, err := readMerges(pairs, ids)
	if err != nil {
		return clipVocabulary{}, err
	}
	return clipVocabulary{ids: ids, merges: merges, start: int32(len(words) - 2), end: int32(len(words) - 1)}, nil
}

// cutMerges cuts lines "left right".
func cutMerges(lines []string) ([][2]string, error) {
	pairs := make([][2]string, len(lines))
	for i, line := range lines {
		left, right, ok := strings.Cut(line, " ")
		if !ok || left == "" || right == "" || strings.Contains(right, " ") {
			return nil, fmt.Errorf("merge %d, %q, is not of two tokens", i, line)
		}
		pairs[i] = [2]string{left, right}
	}
	return pairs, nil
}

// readMerges ranks merges of tokens of a vocabulary.
func readMerges(pairs [][2]string, ids map[string]int32) (map[[2]int32]mergeRule, error) {
	merges := make(map[[2]int32]mergeRule, len(pairs))
	for i, p := range pairs {
		left, okLeft := ids[p[0]]
		right, okRight := ids[p[1]]
		whole, okWhole := ids[p[0]+p[1]]
		if !okLeft || !okRight || !okWhole {
			return nil, fmt.Errorf("merge %d, %q and %q: the vocabulary lacks a part or the whole", i, p[0], p[1])
		}
		merges[[2]int32{left, right}] = mergeRule{rank: int32(i), id: whole}
	}
	return merges, nil
}

// readVocabularyFiles reads vocab.json and merges.txt.
func readVocabularyFiles(vocab, merges []byte) (map[string]int32, [][2]string, error) {
	var ids map[string]int32
	if err := json.Unmarshal(vocab, &ids); err != nil {
		return nil, nil, fmt.Errorf("vocab.json: %w", err)
	}
	var lines []string
	for line := range strings.Lines(string(merges)) {
		line = strings.TrimRight(line, "\r\n")
		if line != "" && !strings.HasPrefix(line, "#version") {
			lines = append(lines, line)
		}
	}
	pairs, err := cutMerges(lines)
	if err != nil {
		return nil, nil, fmt.Errorf("merges.txt: %w", err)
	}
	return ids, pairs, nil
}

// newCLIPVocabulary finds the start and the end token among ids.
func newCLIPVocabulary(ids map[string]int32, pairs [][2]string) (clipVocabulary, error) {
	for word, id := range ids {
		if id < 0 {
			return clipVocabulary{}, fmt.Errorf("id %d of token %q", id, word)
		}
	}
	merges, err := readMerges(pairs, ids)
	if err != nil {
		return clipVocabulary{}, err
	}
	for _, names := range []clipWords{hfCLIP, openCLIP} {
		start, okStart := ids[names.specials[0]]
		end, okEnd := ids[names.specials[1]]
		if okStart && okEnd {
			return clipVocabulary{ids: ids, merges: merges, start: start, end: end}, nil
		}
	}
	return clipVocabulary{}, fmt.Errorf("no start and end token: neither %s nor %s", strings.Join(hfCLIP.specials, " and "), strings.Join(openCLIP.specials, " and "))
}
