package token

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/iimmkit/iimm/iimmkit/model/encoder/token/ftfy"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/token/sentencepiece"
)

// newNormalizer returns the function that a normalizer of tokenizer.json describes.
func newNormalizer(o *object) (func(string) string, error) {
	if o == nil {
		return func(s string) string { return s }, nil
	}
	switch o.Type {
	case "Sequence":
		var sequence struct{ Normalizers []*object }
		if err := json.Unmarshal(o.raw, &sequence); err != nil {
			return nil, err
		}
		var steps []func(string) string
		for _, child := range sequence.Normalizers {
			step, err := newNormalizer(child)
			if err != nil {
				return nil, err
			}
			steps = append(steps, step)
		}
		return func(s string) string {
			for _, step := range steps {
				s = step(s)
			}
			return s
		}, nil
	case "NFC":
		return ftfy.NFC, nil
	case "NFD":
		return norm.NFD.String, nil
	case "NFKC":
		return norm.NFKC.String, nil
	case "NFKD":
		return norm.NFKD.String, nil
	case "Lowercase":
		return rustLower, nil
	case "Replace":
		return newReplacer(o.raw)
	case "Prepend":
		var prepend struct{ Prepend string }
		if err := json.Unmarshal(o.raw, &prepend); err != nil {
			return nil, err
		}
		return func(s string) string {
			if s == "" {
				return s
			}
			return prepend.Prepend + s
		}, nil
	case "Strip":
		strip := struct {
			Left  bool `json:"strip_left"`
			Right bool `json:"strip_right"`
		}{}
		if err := json.Unmarshal(o.raw, &strip); err != nil {
			return nil, err
		}
		return func(s string) string {
			if strip.Left {
				s = strings.TrimLeftFunc(s, unicode.IsSpace)
			}
			if strip.Right {
				s = strings.TrimRightFunc(s, unicode.IsSpace)
			}
			return s
		}, nil
	case "Precompiled":
		var precompiled struct {
			Charsmap string `json:"precompiled_charsmap"`
		}
		if err := json.Unmarshal(o.raw, &precompiled); err != nil {
			return nil, err
		}
		data, err := base64.StdEncoding.DecodeString(precompiled.Charsmap)
		if err != nil {
			return nil, fmt.Errorf("precompiled_charsmap: %w", err)
		}
		rules, err := sentencepiece.ParseCharsmap(data)
		if err != nil {
			return nil, err
		}
		return func(s string) string { return precompiledRules(rules, s) }, nil
	}
	return nil, fmt.Errorf("normalizer %q is not supported", o.Type)
}

// pattern is a string or a regular expression of tokenizer.json.
type pattern struct {
	String *string
	Regex  *string
}

func (p pattern) compile() (*regexp.Regexp, error) {
	switch {
	case p.String != nil:
		return regexp.MustCompile(regexp.QuoteMeta(*p.String)), nil
	case p.Regex != nil:
		re, err := regexp.Compile(unicodeClasses(*p.Regex))
		if err != nil {
			return nil, fmt.Errorf("pattern %q is not supported: %w", *p.Regex, err)
		}
		return re, nil
	}
	return nil, fmt.Errorf("a pattern is neither String nor Regex")
}

// unicodeClasses rewrites \s, \d and \w, which are of ASCII in Go and of
// Unicode in Oniguruma.
func unicodeClasses(re string) string {
	var out strings.Builder
	class := false
	for i := 0; i < len(re); i++ {
		c := re[i]
		if c == '\\' && i+1 < len(re) {
			i++
			inside, ok := map[byte]string{
				's': `\t-\r\x{85}\p{Z}`, 'd': `\p{Nd}`, 'w': `\p{L}\p{M}\p{N}\p{Pc}`,
			}[re[i]|0x20]
			negated := re[i]&0x20 == 0
			switch {
			case !ok || negated && class:
				out.WriteByte('\\')
				out.WriteByte(re[i])
			case class:
				out.WriteString(inside)
			case negated:
				out.WriteString("[^" + inside + "]")
			default:
				out.WriteString("[" + inside + "]")
			}
			continue
		}
		if c == '[' {
			class = true
		} else if c == ']' {
			class = false
		}
		out.WriteByte(c)
	}
	return out.String()
}

func newReplacer(data []byte) (func(string) string, error) {
	var replace struct {
		Pattern pattern
		Content string
	}
	if err := json.Unmarshal(data, &replace); err != nil {
		return nil, err
	}
	if s := replace.Pattern.String; s != nil {
		if *s == "" {
			return nil, fmt.Errorf("normalizer Replace of nothing")
		}
		return func(text string) string { return strings.ReplaceAll(text, *s, replace.Content) }, nil
	}
	re, err := replace.Pattern.compile()
	if err != nil {
		return nil, err
	}
	return func(text string) string { return re.ReplaceAllLiteralString(text, replace.Content) }, nil
}

// precompiledRules applies SentencePiece's rules as Hugging Face's crate does:
// to short grapheme clusters as a whole, else to single characters. A cluster
// is taken as a character with the marks behind it, which is all that fits into
// its limit of 5 bytes but for rare prepended signs.
func precompiledRules(rules *sentencepiece.Charsmap, text string) string {
	var out strings.Builder
	for text != "" {
		first, n := utf8.DecodeRuneInString(text)
		if strings.HasPrefix(text, "\r\n") {
			n = 2
		}
		for control := unicode.In(first, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp); !control && n < len(text); {
			r, size := utf8.DecodeRuneInString(text[n:])
			if !extends(r) {
				break
			}
			n += size
		}
		cluster := text[:n]
		text = text[n:]
		if len(cluster) < 6 {
			if s, ok := rules.Shortest(cluster); ok > 0 {
				out.WriteString(s)
				continue
			}
		}
		for _, r := range cluster {
			if s, ok := rules.Shortest(string(r)); ok > 0 {
				out.WriteString(s)
			} else {
				out.WriteRune(r)
			}
		}
	}
	return out.String()
}

// extends tells whether r belongs to the grapheme cluster of the character
// before it.
func extends(r rune) bool {
	return unicode.In(r, unicode.M) || r == 0x200c || r == 0x200d || 0x1f3fb <= r && r <= 0x1f3ff ||
		r == 0xff9e || r == 0xff9f
}
