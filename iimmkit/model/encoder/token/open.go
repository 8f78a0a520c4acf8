package token

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/model/encoder/token/sentencepiece"
)

// Options say for which model a tokenizer is opened.
type Options struct {
	// Family is "clip", "coca", "eva02" or "siglip".
	Family string
	// Library, "open_clip" or "hf", is whose checkpoint it is: their clean-ups
	// and padding differ.
	Library string
	// Context is the number of ids of a row.
	Context int
	// Vocabulary is the number of tokens that the model knows: a tokenizer with
	// larger ids is refused. 0: not checked.
	Vocabulary int
	// Clean is open_clip's tokenizer_kwargs.clean: "whitespace", "lower" or
	// "canonicalize". Empty: "canonicalize" for SigLIP, else "lower".
	Clean string
	// OpenAI is the content of bpe_simple_vocab_16e6.txt.gz, for a folder
	// without tokenizer: open_clip brings it itself.
	OpenAI []byte
}

// Libraries whose tokenizers are followed.
const (
	OpenCLIP    = "open_clip"
	HuggingFace = "hf"
)

// OpenAIFile is the vocabulary of OpenAI's CLIP, which open_clip uses for
// all checkpoints that name no other tokenizer.
const OpenAIFile = "bpe_simple_vocab_16e6.txt.gz"

// FileNames are the files of a checkpoint folder that Open reads.
var FileNames = []string{
	"tokenizer.json", "vocab.json", "merges.txt", "spiece.model", "tokenizer.model", OpenAIFile,
	"tokenizer_config.json", "special_tokens_map.json",
}

// ErrNone is returned by Open for a folder without tokenizer files.
var ErrNone = errors.New("no tokenizer: none of tokenizer.json, vocab.json with merges.txt, spiece.model, tokenizer.model, " + OpenAIFile + " is there")

// Open finds the tokenizer of a checkpoint folder.
func Open(files fs.FS, o Options) (*Tokenizer, error) {
	if o.Library != OpenCLIP && o.Library != HuggingFace {
		return nil, fmt.Errorf("tokenizer: library %q is neither %s nor %s", o.Library, OpenCLIP, HuggingFace)
	}
	f := folder{files: files}
	settings := f.settings()
	pieces := f.first("spiece.model", "tokenizer.model")
	described := f.first("tokenizer.json")
	vocab, merges := f.first("vocab.json"), f.first("merges.txt")
	openai := f.first(OpenAIFile)
	if f.err != nil {
		return nil, f.err
	}
	if openai == nil && len(o.OpenAI) > 0 {
		openai = &content{OpenAIFile, o.OpenAI}
	}
	switch {
	// Hugging Face's SiglipTokenizer reads the SentencePiece model itself.
	case pieces != nil && (described == nil || o.Library == HuggingFace && o.Family == "siglip" && pieces.name == "spiece.model"):
		return openPieces(pieces, settings, o)
	case described != nil:
		return openDescribed(described, settings, o)
	case vocab != nil && merges != nil:
		return openVocabulary(vocab, merges, settings, o)
	case openai != nil:
		return openOpenAI(openai, o)
	}
	return nil, ErrNone
}

type content struct {
	name string
	data []byte
}

// folder reads files and keeps the first error that is not absence.
type folder struct {
	files fs.FS
	err   error
}

func (f *folder) first(names ...string) *content {
	for _, name := range names {
		data, err := fs.ReadFile(f.files, name)
		if err == nil {
			return &content{name, data}
		}
		if !errors.Is(err, fs.ErrNotExist) && f.err == nil {
			f.err = fmt.Errorf("tokenizer: %w", err)
		}
	}
	return nil
}

// settings are what tokenizer_config.json and special_tokens_map.json say.
type settings struct {
	Pad  tokenName `json:"pad_token"`
	EOS  tokenName `json:"eos_token"`
	Side string    `json:"padding_side"`
	file []byte
}

// tokenName is "</s>" or {"content": "</s>"}.
type tokenName string

func (n *tokenName) UnmarshalJSON(data []byte) error {
	var token struct{ Content string }
	if json.Unmarshal(data, (*string)(n)) == nil {
		return nil
	}
	if err := json.Unmarshal(data, &token); err != nil {
		return err
	}
	*n = tokenName(token.Content)
	return nil
}

func (f *folder) settings() settings {
	var s settings
	for _, name := range []string{"special_tokens_map.json", "tokenizer_config.json"} {
		if c := f.first(name); c != nil {
			if err := json.Unmarshal(c.data, &s); err != nil && f.err == nil {
				f.err = fmt.Errorf("tokenizer: %s: %w", name, err)
			}
			s.file = append(s.file, c.data...)
		}
	}
	return s
}

// cleaner returns open_clip's clean-up of captions.
func (o Options) cleaner() (cleaner, error) {
	switch {
	case o.Clean != "":
		return parseCleaner(o.Clean)
	case o.Family == "siglip":
		return cleanCanonicalize, nil
	}
	return cleanLower, nil
}

// cleaned puts open_clip's clean-up before encode.
func (o Options) cleaned(t *Tokenizer, encode func(string) []int32) error {
	if o.Library != OpenCLIP {
		t.encode = encode
		return nil
	}
	c, err := o.cleaner()
	if err != nil {
		return fmt.Errorf("tokenizer: %w", err)
	}
	t.name += " " + string(c)
	t.encode = func(caption string) []int32 { return encode(c.clean(caption)) }
	return nil
}

// openOpenAI reads OpenAI's vocabulary.
func openOpenAI(c *content, o Options) (*Tokenizer, error) {
	v, err := readOpenAI(bytes.NewReader(c.data))
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %s: %w", c.name, err)
	}
	if o.Library == OpenCLIP {
		return newSimple(v, o, c.name, c.data)
	}
	return newCLIPTokenizer(v, "", o, c.name, c.data)
}

// openVocabulary reads vocab.json and merges.txt.
func openVocabulary(vocab, merges *content, s settings, o Options) (*Tokenizer, error) {
	ids, pairs, err := readVocabularyFiles(vocab.data, merges.data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	v, err := newCLIPVocabulary(ids, pairs)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: vocab.json: %w", err)
	}
	if o.Library == OpenCLIP {
		return newSimple(v, o, vocab.name, vocab.data, merges.data)
	}
	return newCLIPTokenizer(v, string(s.Pad), o, vocab.name, vocab.data, merges.data, s.file)
}

// newSimple is open_clip's SimpleTokenizer.
func newSimple(v clipVocabulary, o Options, file string, data ...[]byte) (*Tokenizer, error) {
	c, err := o.cleaner()
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	b, err := newCLIPBPE(v, c)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %s: %w", file, err)
	}
	t := Tokenizer{name: fmt.Sprintf("open_clip %s, %s", c, file), context: o.Context, prefix: []int32{v.start}, suffix: []int32{v.end}, encode: b.encode}
	return t.finish(o.Vocabulary, maps.All(v.ids), data...)
}

// newCLIPTokenizer is Hugging Face's CLIPTokenizer. Its padding is the end
// token: of several the text tower takes the first.
func newCLIPTokenizer(v clipVocabulary, pad string, o Options, file string, data ...[]byte) (*Tokenizer, error) {
	p := clipPipeline(v)
	t := Tokenizer{name: "hf CLIPTokenizer, " + file, context: o.Context, pad: v.end, prefix: p.prefix, suffix: p.suffix, encode: p.encode}
	if id, ok := v.ids[pad]; ok {
		t.pad = id
	}
	return t.finish(o.Vocabulary, maps.All(v.ids), data...)
}

// openDescribed reads a tokenizer.json.
func openDescribed(c *content, s settings, o Options) (*Tokenizer, error) {
	p, err := parsePipeline(c.data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	// open_clip reads CLIP's own vocabulary by its own code.
	if b, ok := p.model.(*bpe); ok && o.Library == OpenCLIP && b.suffix == endOfWord {
		v, err := newCLIPVocabulary(p.vocabulary, b.pairs)
		if err != nil {
			return nil, fmt.Errorf("tokenizer: %s: %w", c.name, err)
		}
		return newSimple(v, o, c.name, c.data)
	}
	t := Tokenizer{name: o.Library, context: o.Context, prefix: p.prefix, suffix: p.suffix}
	if err := o.cleaned(&t, p.encode); err != nil {
		return nil, err
	}
	t.name += ", " + c.name
	_, isUnigram := p.model.(unigram)
	find := func(name string) (int32, bool) { id, ok := p.vocabulary[name]; return id, ok }
	if err := t.ends(find, isUnigram, s, o); err != nil {
		return nil, err
	}
	if p.padding != nil && s.Pad == "" {
		t.pad = *p.padding
	}
	return t.finish(o.Vocabulary, maps.All(p.vocabulary), c.data, s.file)
}

// openPieces reads a SentencePiece model.
func openPieces(c *content, s settings, o Options) (*Tokenizer, error) {
	m, err := sentencepiece.Parse(c.data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %s: %w", c.name, err)
	}
	t := Tokenizer{name: o.Library, context: o.Context}
	if err := t.ends(m.ID, !m.BPE(), s, o); err != nil {
		return nil, err
	}
	encode := m.Encode
	if o.Library == HuggingFace && o.Family == "siglip" && !m.BPE() {
		t.name += " SiglipTokenizer"
		t.closed = true
		encode = newSiglip(m, t.suffix).encode
	}
	if err := o.cleaned(&t, encode); err != nil {
		return nil, err
	}
	t.name += ", " + c.name
	ids := func(yield func(string, int32) bool) {
		for id, p := range m.Pieces {
			if !yield(p.Text, int32(id)) {
				return
			}
		}
	}
	return t.finish(o.Vocabulary, ids, c.data, s.file)
}

// ends sets the padding, and for SigLIP the end token where the file names
// none. SigLIP fills up with its end token, SigLIP 2, whose vocabulary is
// Gemma's BPE, with <pad>.
func (t *Tokenizer) ends(find func(string) (int32, bool), unigram bool, s settings, o Options) error {
	first := func(names ...string) (int32, bool) {
		for _, name := range names {
			if id, ok := find(name); ok && name != "" {
				return id, true
			}
		}
		return 0, false
	}
	if len(t.suffix) == 0 && o.Family == "siglip" {
		id, ok := first(string(s.EOS), "</s>", "<eos>")
		if !ok {
			return fmt.Errorf("tokenizer: no end token: none of %s is in the vocabulary", strings.Join([]string{"</s>", "<eos>"}, ", "))
		}
		t.suffix = []int32{id}
	}
	pad, named := first(string(s.Pad))
	switch {
	case named:
	case o.Family == "siglip" && unigram:
		pad = t.suffix[0]
	default:
		pad, _ = first("<pad>", "[PAD]", hfCLIP.specials[1])
	}
	t.pad, t.left = pad, s.Side == "left"
	return nil
}
