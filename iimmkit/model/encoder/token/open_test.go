package token

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/go-huggingface/tokenizers/hftokenizer"

	"github.com/iimmkit/iimm/iimmkit/file/reference"
)

// smallMerges makes "cat</w>" and "dog</w>" of bytes.
var smallMerges = []string{"c a", "ca t</w>", "d o", "do g</w>"}

// smallOpenAI is a file in the layout of bpe_simple_vocab_16e6.txt.gz.
func smallOpenAI(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	fmt.Fprintf(w, "#version: 0.2\n%s\n", strings.Join(smallMerges, "\n"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// smallFiles are vocab.json and merges.txt of the same vocabulary.
func smallFiles(t testing.TB) map[string][]byte {
	t.Helper()
	v, err := readOpenAI(bytes.NewReader(smallOpenAI(t)))
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range openCLIP.specials {
		v.ids[hfCLIP.specials[i]] = v.ids[w]
		delete(v.ids, w)
	}
	vocab, err := json.Marshal(v.ids)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{"vocab.json": vocab, "merges.txt": []byte("#version: 0.2\n" + strings.Join(smallMerges, "\n") + "\n")}
}

// Ids by the order of OpenAI's file: 512 bytes, 4 merges, start, end.
const smallCat, smallDog, smallStart, smallEnd = 513, 515, 516, 517

func TestRowsAreCutBeforeTheEndTokenAndFilledUp(t *testing.T) {
	files := smallFiles(t)
	for _, c := range []struct {
		library string
		want    []int32
	}{
		{OpenCLIP, []int32{smallStart, smallCat, smallDog, smallEnd, 0, smallStart, smallCat, smallCat, smallCat, smallEnd, smallStart, smallEnd, 0, 0, 0}},
		{HuggingFace, []int32{smallStart, smallCat, smallDog, smallEnd, smallEnd, smallStart, smallCat, smallCat, smallCat, smallEnd, smallStart, smallEnd, smallEnd, smallEnd, smallEnd}},
	} {
		tok := open(t, files, Options{Family: "clip", Library: c.library, Context: 5, Vocabulary: 518})
		if got := tok.Rows([]string{"Cat  DOG", "cat cat cat dog", ""}); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %v\nwant %v", c.library, got, c.want)
		}
	}
}

func TestOpenAIFileAndVocabularyFilesAgree(t *testing.T) {
	o := Options{Family: "clip", Library: OpenCLIP, Context: 20}
	a := open(t, smallFiles(t), o)
	b := open(t, map[string][]byte{OpenAIFile: smallOpenAI(t)}, o)
	o.OpenAI = smallOpenAI(t)
	c := open(t, nil, o)
	captions := []string{"a Cat's dog, é 😀 &amp; “x”", "cat7dog"}
	if !slices.Equal(a.Rows(captions), b.Rows(captions)) || !slices.Equal(a.Rows(captions), c.Rows(captions)) {
		t.Errorf("%v\n%v\n%v", a.Rows(captions), b.Rows(captions), c.Rows(captions))
	}
}

func TestRowsOfManyCaptionsEqualThoseOfEach(t *testing.T) {
	tok := open(t, smallFiles(t), Options{Family: "clip", Library: OpenCLIP, Context: 9})
	var captions []string
	var want []int32
	for i := range 3 * parallel {
		captions = append(captions, fmt.Sprintf("cat %d dog", i))
		want = append(want, tok.Rows(captions[i:])...)
	}
	if !slices.Equal(tok.Rows(captions), want) {
		t.Error("rows depend on the number of captions")
	}
}

func TestInvalidCaptionsAreReadAsReplacementCharacters(t *testing.T) {
	for _, library := range []string{OpenCLIP, HuggingFace} {
		tok := open(t, smallFiles(t), Options{Family: "clip", Library: library, Context: 12})
		if a, b := tok.Rows([]string{"cat \xff"}), tok.Rows([]string{"cat \ufffd"}); !slices.Equal(a, b) {
			t.Errorf("%s: %v, %v", library, a, b)
		}
	}
}

func TestHashTellsVariantsApart(t *testing.T) {
	files := smallFiles(t)
	seen := map[string]Options{}
	for _, o := range []Options{
		{Library: OpenCLIP, Context: 9}, {Library: HuggingFace, Context: 9}, {Library: OpenCLIP, Context: 10},
		{Library: OpenCLIP, Context: 9, Clean: "whitespace"},
	} {
		o.Family = "clip"
		tok := open(t, files, o)
		if other, twice := seen[tok.Hash()]; twice {
			t.Errorf("%+v and %+v have one hash", o, other)
		}
		seen[tok.Hash()] = o
		if again := open(t, files, o); again.Hash() != tok.Hash() {
			t.Errorf("%+v: %s, then %s", o, tok.Hash(), again.Hash())
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	good := smallFiles(t)
	o := Options{Family: "clip", Library: OpenCLIP, Context: 77}
	with := func(f func(*Options)) Options { p := o; f(&p); return p }
	for _, c := range []struct {
		want  string
		files map[string][]byte
		o     Options
	}{
		{"no tokenizer", nil, o},
		{"no tokenizer", map[string][]byte{"vocab.json": good["vocab.json"]}, o},
		{"another model", good, with(func(o *Options) { o.Vocabulary = 517 })},
		{"no room", good, with(func(o *Options) { o.Context = 2 })},
		{"library", good, with(func(o *Options) { o.Library = "timm" })},
		{"clean-up", good, with(func(o *Options) { o.Clean = "upper" })},
		{"merges.txt: merge 0", map[string][]byte{"vocab.json": good["vocab.json"], "merges.txt": []byte("c a t\n")}, o},
		{"lacks", map[string][]byte{"vocab.json": good["vocab.json"], "merges.txt": []byte("z z\n")}, o},
		{"no start and end", map[string][]byte{"vocab.json": []byte(`{"a":0}`), "merges.txt": nil}, o},
		{"for byte", map[string][]byte{"vocab.json": []byte(`{"<|startoftext|>":0,"<|endoftext|>":1}`), "merges.txt": nil}, o},
		{"vocab.json", map[string][]byte{"vocab.json": []byte(`[1]`), "merges.txt": nil}, o},
		{"gzip", map[string][]byte{OpenAIFile: []byte("<html>not found</html>")}, o},
		{"sentencepiece", map[string][]byte{"spiece.model": []byte("<html>")}, with(func(o *Options) { o.Family = "siglip" })},
		{"tokenizer_config.json", map[string][]byte{"tokenizer_config.json": []byte(`{"pad_token":1}`), "vocab.json": good["vocab.json"], "merges.txt": nil}, o},
		{`normalizer "BertNormalizer"`, map[string][]byte{"tokenizer.json": []byte(`{"normalizer":{"type":"BertNormalizer"}}`)}, o},
		{`pre-tokenizer "Digits"`, map[string][]byte{"tokenizer.json": []byte(`{"pre_tokenizer":{"type":"Digits"}}`)}, o},
		{`model "WordLevel"`, map[string][]byte{"tokenizer.json": []byte(`{"model":{"type":"WordLevel"}}`)}, o},
		{"pattern", map[string][]byte{"tokenizer.json": []byte(`{"pre_tokenizer":{"type":"Split","behavior":"Removed","pattern":{"Regex":"a(?!b)"}}}`)}, o},
		{"unk_id 4", map[string][]byte{"tokenizer.json": []byte(`{"model":{"type":"Unigram","unk_id":4,"vocab":[["a",0]]}}`)}, o},
		{"tokenizer.json", map[string][]byte{"tokenizer.json": []byte(`{"model":`)}, o},
	} {
		_, err := Open(folderOf(c.files), c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want an error with %q, got %v", c.want, err)
		}
	}
	if _, err := Open(folderOf(nil), o); !errors.Is(err, ErrNone) {
		t.Errorf("an empty folder: %v", err)
	}
}

// unigramJSON is a SigLIP-like tokenizer.json.
const unigramJSON = `{
 "added_tokens":[{"id":1,"content":"</s>","special":true}],
 "normalizer":{"type":"Sequence","normalizers":[{"type":"Lowercase"},{"type":"Replace","pattern":{"Regex":"\\s+"},"content":" "}]},
 "pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"always"},
 "post_processor":{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A"}},{"SpecialToken":{"id":"</s>"}}],"special_tokens":{"</s>":{"ids":[1]}}},
 "model":{"type":"Unigram","unk_id":2,"vocab":[["<pad>",0],["</s>",0],["<unk>",0],["▁cat",-3],["▁",-4],["s",-5],["▁a",-3]]}}`

func TestSigLIPIsFilledUpAsItsFilesSay(t *testing.T) {
	o := Options{Family: "siglip", Library: HuggingFace, Context: 6}
	for settings, want := range map[string][]int32{
		`{}`:                      {6, 3, 5, 1, 1, 1},
		`{"pad_token":"<pad>"}`:   {6, 3, 5, 1, 0, 0},
		`{"padding_side":"left"}`: {1, 1, 6, 3, 5, 1},
		`{"pad_token":{"content":"<pad>"},"padding_side":"right"}`: {6, 3, 5, 1, 0, 0},
	} {
		tok := open(t, map[string][]byte{"tokenizer.json": []byte(unigramJSON), "tokenizer_config.json": []byte(settings)}, o)
		if got := tok.Rows([]string{"A\u2003cats"}); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", settings, got, want)
		}
	}
}

// \s is of Unicode in tokenizer.json, and punctuation is gone in open_clip.
func TestOpenCLIPCanonicalizesBeforeTheTokenizer(t *testing.T) {
	tok := open(t, map[string][]byte{"tokenizer.json": []byte(unigramJSON)}, Options{Family: "siglip", Library: OpenCLIP, Context: 5})
	if got, want := tok.Rows([]string{"“A”_&quot;CAT's&quot;!"}), []int32{6, 3, 5, 1, 1}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// The hand-written scanner equals the regular expression.
func TestCLIPWordsEqualTheirPattern(t *testing.T) {
	pattern := regexp.MustCompile(unicodeClasses(clipPattern))
	rng := rand.New(rand.NewPCG(1, 2))
	parts := []string{"a", "Z", "é", "字", "7", "½", "'s", "'ll", "'", "!", " ", "\u00a0", "\u3000", "\u0301", "😀", "<|endoftext|>", "<|startoftext|>", "<", "|", "\x00", "\x85", "ſ"}
	for range 20000 {
		var text string
		for range rng.IntN(8) {
			text += parts[rng.IntN(len(parts))]
		}
		if got, want := fmt.Sprint(hfCLIP.matches(text)), fmt.Sprint(pattern.FindAllStringIndex(text, -1)); got != want {
			t.Fatalf("%q: got %s, want %s", text, got, want)
		}
	}
}

// The micro models' WordPiece, against go-huggingface's.
func TestWordPieceEqualsGoHuggingFace(t *testing.T) {
	v, tok := testVocabulary(t)
	data, err := v.HF()
	if err != nil {
		t.Fatal(err)
	}
	reference, err := hftokenizer.NewFromContent(nil, data)
	if err != nil {
		t.Fatal(err)
	}
	for _, caption := range []string{"a red circle", "metal_surface reddish", `"two" pits 7`, "", "ünknown", "<s> red", strings.Repeat("x", maxWordLetters), strings.Repeat("x", maxWordLetters+1)} {
		var want []int32
		for _, id := range reference.Encode(caption) {
			want = append(want, int32(id))
		}
		got := slices.Concat(tok.prefix, tok.encode(caption), tok.suffix)
		if !slices.Equal(got, want) {
			t.Errorf("%q:\n got %v\nwant %v", caption, got, want)
		}
	}
}

// Python's str.lower.
func TestLowerCaseEqualsPython(t *testing.T) {
	for text, want := range map[string]string{
		"ΣΊΣΥΦΟΣ": "σίσυφος", "ΑΣ'": "ας'", "Σ": "σ", "ΑΣ.Β": "ασ.β", "ΑΣ. Β": "ας. β", "İI": "i̇i", "ẞ": "ß", "ΑΣ\u0301": "ας\u0301", "ᾈΣ": "ᾀς",
	} {
		if got := pythonLower(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func FuzzTokenizerJSON(f *testing.F) {
	v, _ := testVocabulary(f)
	data, err := v.HF()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data, "two red circles")
	f.Add([]byte(unigramJSON), "A cat’s </s> x")
	f.Add([]byte(`{"normalizer":{"type":"NFC"},"pre_tokenizer":{"type":"ByteLevel"},"post_processor":{"type":"RobertaProcessing","sep":["b",1],"cls":["a",0]},
		"model":{"type":"BPE","unk_token":"a","vocab":{"a":0,"b":1,"ab":2},"merges":[["a","b"]]}}`), "ab ba")
	f.Add([]byte(`{"pre_tokenizer":{"type":"Split","behavior":"MergedWithPrevious","pattern":{"String":" "}},"model":{"type":"BPE","vocab":{"a":0},"merges":["a a"]}}`), "a a")
	f.Fuzz(func(t *testing.T, data []byte, caption string) {
		tok, err := ParseHF(data, 16, 0)
		if err != nil {
			return
		}
		if n := len(tok.Rows([]string{caption})); n != 16 {
			t.Fatalf("%d ids", n)
		}
	})
}

func FuzzVocabularyFiles(f *testing.F) {
	files := smallFiles(f)
	f.Add(files["vocab.json"], files["merges.txt"], "a cat’s dog")
	f.Fuzz(func(t *testing.T, vocab, merges []byte, caption string) {
		for _, library := range []string{OpenCLIP, HuggingFace} {
			tok, err := Open(folderOf(map[string][]byte{"vocab.json": vocab, "merges.txt": merges}), Options{Family: "clip", Library: library, Context: 16, Vocabulary: 1000})
			if err != nil {
				continue
			}
			for _, id := range tok.Rows([]string{caption}) {
				if id < 0 || id >= 1000 {
					t.Fatalf("id %d", id)
				}
			}
		}
	})
}

func FuzzOpenAI(f *testing.F) {
	f.Add(smallOpenAI(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		if v, err := readOpenAI(bytes.NewReader(data)); err == nil && int(v.end) >= len(v.ids)+len(v.merges)+2*256 {
			t.Fatalf("end token %d of %d", v.end, len(v.ids))
		}
	})
}

func BenchmarkRows(b *testing.B) {
	fixtures := func(name string) []byte { return read(b, reference.Fixtures(b, "tokens", name)) }
	var captions []string
	for i := range 1024 {
		captions = append(captions, fmt.Sprintf("a centered satellite photo of annual crop land number %d.", i))
	}
	for name, open := range map[string]func() *Tokenizer{
		"clip/open_clip": func() *Tokenizer {
			return open(b, map[string][]byte{OpenAIFile: read(b, reference.Data(b, "tokenizer", OpenAIFile))}, Options{Family: "clip", Library: OpenCLIP, Context: 77})
		},
		"clip/hf": func() *Tokenizer {
			return open(b, map[string][]byte{"tokenizer.json": read(b, reference.Data(b, "tokenizer", "clip-tokenizer.json"))}, Options{Family: "clip", Library: HuggingFace, Context: 77})
		},
		"siglip/unigram": func() *Tokenizer {
			return open(b, map[string][]byte{"spiece.model": fixtures("t5_unigram.model")}, Options{Family: "siglip", Library: OpenCLIP, Context: 64})
		},
		"siglip/bpe": func() *Tokenizer {
			return open(b, map[string][]byte{"tokenizer.model": fixtures("gemma_like.model")}, Options{Family: "siglip", Library: OpenCLIP, Context: 64})
		},
	} {
		b.Run(name, func(b *testing.B) {
			tok := open()
			for b.Loop() {
				tok.Rows(captions)
			}
			b.ReportMetric(float64(len(captions)*b.N)/b.Elapsed().Seconds(), "captions/s")
		})
	}
}
