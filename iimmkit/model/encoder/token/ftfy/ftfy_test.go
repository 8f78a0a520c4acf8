package ftfy

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// Texts and what ftfy 6.3.1 makes of them.
var fixed = [][2]string{
	{"plain ASCII, with \"quotes\"", "plain ASCII, with \"quotes\""},
	{"", ""},
	{"Broken text&hellip; it&#x2019;s \ufb02ubberi\ufb01c!", "Broken text\u2026 it's flubberific!"},
	{"\uff2c\uff2f\uff35\uff24\u3000\uff2e\uff2f\uff29\uff33\uff25\uff33", "LOUD NOISES"},
	{"\uff35\uff80\uff70\uff9d", "Uターン"},
	{"\uff76\uff9e", "ガ"},
	{"âœ\u201d No problems", "\u2714 No problems"},
	{"&macr;\\_(ã\u0083\u0084)_/&macr;", "¯\\_(ツ)_/¯"},
	{"sÃ³", "só"},
	{"voilÃ le travail", "voilà le travail"},
	{"Ã la mode", "à la mode"},
	{"Ã s vezes", "às vezes"},
	{"Ã quele", "àquele"},
	{"P&EACUTE;REZ", "PÉREZ"},
	{"BUNDESSTRA&SZLIG;E", "BUNDESSTRASSE"},
	{"&ntilde; &Ntilde; &NTILDE; &nTILDE;", "ñ Ñ Ñ &nTILDE;"},
	{"a < b &amp; c", "a < b &amp; c"},
	{"x &amp; y\n<b>&amp;</b>\n&amp;", "x & y\n<b>&amp;</b>\n&amp;"},
	{"\x1b[36;44mblue\x1b[0m", "blue"},
	{"a\x0d\nb\x0dc\u2028d\u2029e", "a\nb\nc\nd\ne"},
	{"a\u0085b", "a\u2026b"},
	{"\ufeffa\x00b\x7fc\ufff9d\u206ae", "abcde"},
	{"ŉ Ǆ ǲ ĳ \ufb06", "'n DŽ Dz ij st"},
	{"â\u20acœ like this â\u20ac\ufffd", "\" like this \ufffd"},
	{"Ã\ufffd", "\ufffd"},
	{"\ufffda", "\ufffda"},
	{"\x1aÃ©", "é"},
	{"Ð\u009cÐ¾Ñ\u0081ÐºÐ²Ð°", "Москва"},
	{"РњРѕСЃРєРІР°", "РњРѕСЃРєРІР°"},
	{"Îœ", "Μ"},
	{"schÃ¶n und ð\u009f\u0098\u0080", "schön und \U0001f600"},
	{"í\u00a0½í¸\u0080", "\U0001f600"},
	{"null! Ã©À\u0080", "null! é"},
	{"ÃƒÂ©", "é"},
	{"l\u2019humanitÃ©", "l'humanité"},
	{"\u221a© in MacRoman: caf\u221a©", "é in MacRoman: café"},
	{"\u251c\u2310 cp437", "é cp437"},
	{"â\u2030¤ and â\u2030¥", "\u2264 and \u2265"},
	{"the price is £5 Â£10", "the price is £5 £10"},
	{"Â¿", "¿"},
	{"ÂµÂ°", "µ°"},
	{"\u2116 5 °C", "\u2116 5 °C"},
	{"Ø§Ù\u201eØ¹Ø±Ø¨ÙŠØ©", "العربية"},
	{"à¤¹à¤¿", "हि"},
	{"A\u030a e\u0301 \ud55c", "Å é \ud55c"},
	{"e\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323\u0301\u0323", "ẹ\u0323\u0323\u0323\u0323\u0323\u0323\u0323\u0323\u0323\u0323\u0323\u0323\u0323\u0323\u0323\u0323\u0323\u0323\u0323\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301"},
	{"&#59; &#38; &#x26;amp; &#0; &#128;", "&#59; & & \ufffd \u20ac"},
	{"â\u20ac\u201dâ\u20ac\u201d", "\u2014\u2014"},
	{"ã\u201a¢ã\u201a¤", "アイ"},
	{"Å\u00a0", "Å\u00a0"},
	{"don´t", "don´t"},
	{"x\u0345", "x\u0345"},
}

// Texts and what html.unescape of Python 3.11 makes of them.
var unescaped = [][2]string{
	{"&amp;", "&"},
	{"&ampfoo;", "&foo;"},
	{"&notit;", "¬it;"},
	{"&notin;", "\u2209"},
	{"&acE;", "\u223e\u0333"},
	{"&bne;", "=\u20e5"},
	{"&#233;&#xe9;&#XE9;", "ééé"},
	{"&#0;", "\ufffd"},
	{"&#13;", "\x0d"},
	{"&#128;", "\u20ac"},
	{"&#129;", "\u0081"},
	{"&#150", "\u2013"},
	{"&#x110000;", "\ufffd"},
	{"&#99999999999999999999;", "\ufffd"},
	{"&#xd800;", "\ufffd"},
	{"&#1;", ""},
	{"&#11;", ""},
	{"&#12;", "\x0c"},
	{"&#xfdd0;", ""},
	{"&#x1fffe;", ""},
	{"&#", "&#"},
	{"&#x;", "&#x;"},
	{"&;", "&;"},
	{"& b", "& b"},
	{"&copy b", "© b"},
	{"&COPY", "©"},
	{"&copyr", "©r"},
	{"&amp.x", "&.x"},
	{"&lt<", "<<"},
	{"&semi;", ";"},
	{"&frac12", "½"},
	{"&thetasym", "&thetasym"},
	{"&NotEqualTilde;", "\u2242\u0338"},
	{"&foo&bar", "&foo&bar"},
	{"&CounterClockwiseContourIntegral;", "\u2233"},
	{"&am", "&am"},
	{"&quot;hi&quot;", "\"hi\""},
	{"&ampé", "&é"},
	{"&ap", "&ap"},
	{"&apE;", "\u2a70"},
}

func TestFixEqualsPython(t *testing.T) {
	for _, c := range fixed {
		if got := Fix(c[0]); got != c[1] {
			t.Errorf("Fix(%+q) = %+q, want %+q", c[0], got, c[1])
		}
	}
}

func TestUnescapeEqualsPython(t *testing.T) {
	for _, c := range unescaped {
		if got := Unescape(c[0]); got != c[1] {
			t.Errorf("Unescape(%+q) = %+q, want %+q", c[0], got, c[1])
		}
	}
}

func TestInvalidBytesBecomeReplacementCharacters(t *testing.T) {
	if got := Fix("a\xff\xfeb"); got != "a\ufffd\ufffdb" {
		t.Errorf("%+q", got)
	}
}

// Package norm breaks runs of more than 30 marks apart; Unicode does not.
func TestNFCOfManyMarks(t *testing.T) {
	marks := strings.Repeat("\u0301", 40)
	for text, want := range map[string]string{
		"e" + marks:            "é" + marks[2:],
		"e\u0323" + marks:      "ẹ" + marks,
		"e" + marks + "\u0323": "ẹ" + marks,
		"ガ" + marks:            "ガ" + marks,
	} {
		if got := NFC(text); got != want {
			t.Errorf("NFC(%+q) = %+q, want %+q", text, got, want)
		}
	}
}

// Whatever the pattern finds must be suspicious: all pairs of its characters.
func TestSuspicionCoversThePattern(t *testing.T) {
	var chars []rune
	for _, r := range badness.String() {
		if !slices.Contains(chars, r) {
			chars = append(chars, r)
		}
	}
	for _, a := range chars {
		for _, b := range chars {
			for _, text := range []string{string([]rune{a, b}), string([]rune{'a', a, b}), string([]rune{a, b, '1'}), string([]rune{'a', ' ', a, b})} {
				if !suspicious(text) && badness.MatchString(text) {
					t.Fatalf("%q is bad, but not suspicious", text)
				}
			}
		}
	}
}

func FuzzFix(f *testing.F) {
	for _, c := range fixed {
		f.Add(c[0])
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := Unescape(Fix(text))
		if !utf8.ValidString(got) {
			t.Errorf("Fix(%+q) = %+q is no UTF-8", text, got)
		}
	})
}

func BenchmarkFix(b *testing.B) {
	for name, text := range map[string]string{"ascii": "a photo of a cat on a mat", "accents": "une photo d’un café à Zürich", "mojibake": "une photo dâ€™un cafÃ© Ã  ZÃ¼rich"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Fix(text)
			}
		})
	}
}
