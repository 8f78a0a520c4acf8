package token

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// pipeline is what a Hugging Face tokenizer.json describes: added tokens are
// taken out of a caption, the rest is normalized, cut into words and these into
// tokens of the vocabulary.
type pipeline struct {
	raw, normalized *addedTokens // matched before and after normalization
	normalize       func(string) string
	split           func(words []string) []string
	model           wordModel
	prefix, suffix  []int32 // put around a caption
	vocabulary      map[string]int32
	padding         *int32 // of the file, if it has one
}

// wordModel appends a word's tokens to dst.
type wordModel interface {
	encode(dst []int32, word string) []int32
}

// object is a part of tokenizer.json: its type, then its members.
type object struct {
	Type string `json:"type"`
	raw  json.RawMessage
}

func (o *object) UnmarshalJSON(data []byte) error {
	var t struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(data, &t); err != nil {
		return err
	}
	o.Type, o.raw = t.Type, slices.Clone(data)
	return nil
}

type tokenizerJSON struct {
	AddedTokens   []addedToken `json:"added_tokens"`
	Normalizer    *object      `json:"normalizer"`
	PreTokenizer  *object      `json:"pre_tokenizer"`
	PostProcessor *object      `json:"post_processor"`
	Model         object       `json:"model"`
	Padding       *struct {
		ID int32 `json:"pad_id"`
	} `json:"padding"`
}

// parsePipeline reads a tokenizer.json. What it does not know of it is an error.
func parsePipeline(data []byte) (*pipeline, error) {
	p, err := readPipeline(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	return p, nil
}

func readPipeline(data []byte) (*pipeline, error) {
	var file tokenizerJSON
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, err
	}
	p := &pipeline{}
	var err error
	if p.normalize, err = newNormalizer(file.Normalizer); err != nil {
		return nil, err
	}
	if p.split, err = newSplitter(file.PreTokenizer); err != nil {
		return nil, err
	}
	if p.model, p.vocabulary, err = newModel(file.Model); err != nil {
		return nil, err
	}
	if p.prefix, p.suffix, err = newTemplate(file.PostProcessor); err != nil {
		return nil, err
	}
	if file.Padding != nil {
		p.padding = &file.Padding.ID
	}
	p.add(file.AddedTokens)
	for word, id := range p.vocabulary {
		if id < 0 {
			return nil, fmt.Errorf("id %d of token %q", id, word)
		}
	}
	return p, nil
}

// add takes tokens into the vocabulary that are matched as a whole.
func (p *pipeline) add(tokens []addedToken) {
	var raw, normalized []addedToken
	for _, t := range tokens {
		if t.Content == "" {
			continue
		}
		if _, known := p.vocabulary[t.Content]; !known {
			p.vocabulary[t.Content] = t.ID
		}
		if t.Normalized {
			t.Content = p.normalize(t.Content)
			normalized = append(normalized, t)
		} else {
			raw = append(raw, t)
		}
	}
	p.raw, p.normalized = newAddedTokens(raw), newAddedTokens(normalized)
}

// encode returns the ids of a caption, without prefix and suffix.
func (p *pipeline) encode(caption string) []int32 {
	var ids []int32
	p.raw.split(caption, func(text string, id int32) {
		if text == "" {
			ids = append(ids, id)
			return
		}
		p.normalized.split(p.normalize(text), func(text string, id int32) {
			if text == "" {
				ids = append(ids, id)
				return
			}
			for _, word := range p.split([]string{text}) {
				ids = p.model.encode(ids, word)
			}
		})
	})
	return ids
}

// newModel returns the model of a tokenizer.json, and its vocabulary.
func newModel(o object) (wordModel, map[string]int32, error) {
	switch o.Type {
	case "BPE", "": // old files do not say it
		return newBPE(o.raw)
	case "Unigram":
		return newUnigram(o.raw)
	case "WordPiece":
		return newWordPiece(o.raw)
	}
	return nil, nil, fmt.Errorf("model %q is not supported", o.Type)
}

// newTemplate returns the tokens that a post-processor puts around a caption.
func newTemplate(o *object) (prefix, suffix []int32, err error) {
	if o == nil {
		return nil, nil, nil
	}
	switch o.Type {
	case "ByteLevel": // offsets only
		return nil, nil, nil
	case "RobertaProcessing", "BertProcessing":
		var pair struct{ Sep, Cls namedID }
		if err := json.Unmarshal(o.raw, &pair); err != nil {
			return nil, nil, err
		}
		return []int32{int32(pair.Cls)}, []int32{int32(pair.Sep)}, nil
	case "Sequence":
		var sequence struct{ Processors []*object }
		if err := json.Unmarshal(o.raw, &sequence); err != nil {
			return nil, nil, err
		}
		for _, child := range sequence.Processors {
			before, after, err := newTemplate(child)
			if err != nil {
				return nil, nil, err
			}
			prefix, suffix = append(before, prefix...), append(suffix, after...)
		}
		return prefix, suffix, nil
	case "TemplateProcessing":
		return readTemplate(o.raw)
	}
	return nil, nil, fmt.Errorf("post-processor %q is not supported", o.Type)
}

func readTemplate(data []byte) (prefix, suffix []int32, err error) {
	var template struct {
		Single []struct {
			SpecialToken *struct{ ID string }
			Sequence     *struct{ ID string }
		}
		SpecialTokens map[string]struct{ IDs []int32 } `json:"special_tokens"`
	}
	if err := json.Unmarshal(data, &template); err != nil {
		return nil, nil, err
	}
	sequences := 0
	for _, item := range template.Single {
		switch {
		case item.Sequence != nil:
			sequences++
		case item.SpecialToken != nil:
			special, ok := template.SpecialTokens[item.SpecialToken.ID]
			if !ok {
				return nil, nil, fmt.Errorf("the template's token %q has no ids", item.SpecialToken.ID)
			}
			if sequences == 0 {
				prefix = append(prefix, special.IDs...)
			} else {
				suffix = append(suffix, special.IDs...)
			}
		}
	}
	if sequences != 1 {
		return nil, nil, fmt.Errorf("the template of one caption holds %d", sequences)
	}
	return prefix, suffix, nil
}

// namedID is ["</s>", 1].
type namedID int32

func (n *namedID) UnmarshalJSON(data []byte) error {
	var pair []json.RawMessage
	if err := json.Unmarshal(data, &pair); err != nil {
		return err
	}
	if len(pair) != 2 {
		return errors.New("a token is not a pair of name and id")
	}
	return json.Unmarshal(pair[1], (*int32)(n))
}
