package token

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// addedToken is a token that is looked for in a caption before anything else.
type addedToken struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
}

// addedTokens finds tokens in captions, at each place the longest.
type addedTokens struct {
	byFirst [256][]addedToken // the longest first
}

func newAddedTokens(tokens []addedToken) *addedTokens {
	a := new(addedTokens)
	for _, t := range tokens {
		if t.Content != "" {
			a.byFirst[t.Content[0]] = append(a.byFirst[t.Content[0]], t)
		}
	}
	for i := range a.byFirst {
		slices.SortStableFunc(a.byFirst[i], func(x, y addedToken) int { return len(y.Content) - len(x.Content) })
	}
	return a
}

// split calls f for each part of text: with the text, or "" and the id of a
// token.
func (a *addedTokens) split(text string, f func(text string, id int32)) {
	from := 0
	for at := 0; at < len(text); {
		t, ok := a.match(text, at)
		if !ok {
			at++
			continue
		}
		start, end := at, at+len(t.Content)
		if t.LStrip {
			start = from + len(strings.TrimRightFunc(text[from:at], unicode.IsSpace))
		}
		if t.RStrip {
			end = len(text) - len(strings.TrimLeftFunc(text[end:], unicode.IsSpace))
		}
		if start > from {
			f(text[from:start], 0)
		}
		f("", t.ID)
		from, at = end, end
	}
	if from < len(text) {
		f(text[from:], 0)
	}
}

func (a *addedTokens) match(text string, at int) (addedToken, bool) {
	for _, t := range a.byFirst[text[at]] {
		if strings.HasPrefix(text[at:], t.Content) {
			if t.SingleWord && (wordBefore(text[:at]) || wordAfter(text[at+len(t.Content):])) {
				return t, false
			}
			return t, true
		}
	}
	return addedToken{}, false
}

func wordBefore(text string) bool {
	r, n := utf8.DecodeLastRuneInString(text)
	return n > 0 && wordRune(r)
}

func wordAfter(text string) bool {
	r, n := utf8.DecodeRuneInString(text)
	return n > 0 && wordRune(r)
}

func wordRune(r rune) bool {
	return unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.Pc)
}
