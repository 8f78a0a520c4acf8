package ftfy

import (
	"html"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// reference is Python's pattern of a character reference.
var reference = regexp.MustCompile(`&(#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[^\t\n\f <&#;]{1,32};?)`)

// Unescape returns what Python's html.unescape(text) returns. It differs from
// package html in names that go on with other characters and in references to
// code points that HTML forbids.
func Unescape(text string) string {
	if !strings.Contains(text, "&") {
		return text
	}
	return reference.ReplaceAllStringFunc(text, func(match string) string {
		name := match[1:]
		if name[0] == '#' {
			return numbered(name[1:])
		}
		if value, ok := named(name); ok {
			return value
		}
		// The longest beginning that is a name without semicolon: at most 6 letters.
		for n := min(len(name)-1, 6); n > 1; n-- {
			if value, ok := named(name[:n]); ok {
				return value + name[n:]
			}
		}
		return match
	})
}

// named returns the value of an entity, "amp;" or "amp".
func named(name string) (string, bool) {
	s := "&" + name
	value := html.UnescapeString(s)
	if value == s {
		return "", false
	}
	// A value has one or two runes. What package html made of a mere beginning
	// of name has the rest behind it.
	limit := 1
	if strings.HasSuffix(name, ";") {
		limit = 2
	}
	return value, utf8.RuneCountInString(value) <= limit
}

// numbered returns the character of a reference, "233;" or "xe9".
func numbered(digits string) string {
	digits = strings.TrimSuffix(digits, ";")
	base := 10
	if digits[0] == 'x' || digits[0] == 'X' {
		digits, base = digits[1:], 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	switch {
	case err != nil || n > utf8.MaxRune || 0xd800 <= n && n <= 0xdfff || n == 0:
		return "\ufffd"
	case n == '\r':
		return "\r"
	case 0x80 <= n && n <= 0x9f:
		return string(windows1252[n])
	case n < ' ' && n != '\t' && n != '\n' && n != '\f', n == 0x7f, 0xfdd0 <= n && n <= 0xfdef, n&0xfffe == 0xfffe:
		return ""
	}
	return string(rune(n))
}

// whole is ftfy's pattern of an entity that ends in a semicolon.
var whole = regexp.MustCompile(`&#?[0-9A-Za-z]{1,24};`)

// fixEntities unescapes the unambiguous entities, and those in capitals that
// mean a small letter's capital: "P&EACUTE;REZ".
func fixEntities(text string) string {
	if !strings.Contains(text, "&") {
		return text
	}
	return whole.ReplaceAllStringFunc(text, func(match string) string {
		if match[1] == '#' {
			if value := Unescape(match); !strings.Contains(value, ";") {
				return value
			}
			return match
		}
		name := match[1:]
		if value, ok := named(name); ok {
			return value
		}
		if name == strings.ToUpper(name) && Unescape(match) == match {
			if value, ok := named(strings.ToLower(name)); ok {
				return cases.Upper(language.Und).String(value)
			}
		}
		return match
	})
}
