package ftfy

import (
	"regexp"
	"strings"
)

// badness finds juxtapositions of characters that are mojibake rather than
// meant. Names in braces are ftfy's categories of the characters that occur in
// mojibake; {space} and {word} are Python's \s and \w.
var badness = regexp.MustCompile(strings.NewReplacer(
	"{common}", "\u00a0\u00ad·´–—―…’",
	"{c1}", "\u0080-\u009f",
	"{bad}", "¦¤¨¬¯¸ƒ\u02c6\u02c7\u02d8\u02db\u02dc†‡‰⌐◊\ufffdªº",
	"{law}", "¶§",
	"{currency}", "¢£¥₧€",
	"{start_punctuation}", "¡«¿©΄΅‘‚“„•‹\uf8ff",
	"{end_punctuation}", "®»\u02dd”›™",
	"{numeric}", "²³¹±¼½¾×µ÷⁄∂∆∏∑√∞∩∫≈≠≡≤≥№",
	"{kaomoji}", "Ò-ÖÙ-Üò-öø-üŐŌŪŲ°",
	"{upper_accented}", "À-ÑØÜÝĂĀĄĆČĎĐĘĚĒĖĞĢİĪĶĹĽŁĻŃŇŅŒŘŚŞŠŢŤŮŰŸŹŻŽҐ",
	"{lower_accented}", "ßà-ñăąāćčďđęěēėğģįīķĺľłļœŕśşšťüźżžґ\ufb01\ufb02",
	"{upper_common}", "ÞΑ-ΩΆΈΉΊΌΎΏΪΫЁ-Я",
	"{lower_common}", "α-ωάέήίΰа-џ",
	"{box}", "│┌┐┘├┤┬┼═-╬▀▄█▌▐░▒▓",
	"{space}", `[\t-\r\x{1c}-\x{1f}\x{85}\p{Z}]`,
	"{word}", `[\p{L}\p{N}_]`,
).Replace(strings.Join([]string{
	`[{c1}]`,
	`[{bad}{lower_accented}{upper_accented}{box}{start_punctuation}{end_punctuation}{currency}{numeric}{law}][{bad}]`,
	`[a-zA-Z][{lower_common}{upper_common}][{bad}]`,
	`[{bad}][{lower_accented}{upper_accented}{box}{start_punctuation}{end_punctuation}{currency}{numeric}{law}]`,
	`[{lower_accented}{lower_common}{box}{end_punctuation}{currency}{numeric}][{upper_accented}]`,
	`[{box}{end_punctuation}{currency}{numeric}][{lower_accented}]`,
	`[{lower_accented}{box}{end_punctuation}][{currency}]`,
	`{space}[{upper_accented}][{currency}]`,
	`[{upper_accented}{box}][{numeric}{law}]`,
	`[{lower_accented}{upper_accented}{box}{currency}{end_punctuation}][{start_punctuation}][{numeric}]`,
	`[{lower_accented}{upper_accented}{currency}{numeric}{box}{law}][{end_punctuation}][{start_punctuation}]`,
	`[{currency}{numeric}{box}][{start_punctuation}]`,
	`[a-z][{upper_accented}][{start_punctuation}{currency}]`,
	`[{box}][{kaomoji}]`,
	`[{lower_accented}{upper_accented}{currency}{numeric}{start_punctuation}{end_punctuation}{law}][{box}]`,
	`[{box}][{end_punctuation}]`,
	`[{lower_accented}{upper_accented}][{start_punctuation}{end_punctuation}]{word}`,
	// The ligature œ when not followed by an unaccented Latin letter.
	`[Œœ][^A-Za-z]`,
	// Degree signs after capital letters.
	`[{upper_accented}]°`,
	// Common Windows-1252 two-character mojibake that the cases above miss.
	"[ÂÃÎÐ][€œŠš¢£Ÿž\u00a0\u00ad®©°·»{start_punctuation}{end_punctuation}–—´]",
	`×[²³]`,
	// Windows-1252 mojibake of Arabic words, of four characters because it has common ones.
	`[ØÙ][{common}{currency}{bad}{numeric}{start_punctuation}ŸŠ®°µ»][ØÙ][{common}{currency}{bad}{numeric}{start_punctuation}ŸŠ®°µ»]`,
	// Windows-1252 mojibake that starts sequences of South Asian alphabets.
	`à[²µ¹¼½¾]`,
	// MacRoman.
	`√[±∂†≠®™´≤≥¥µø]`,
	`≈[°¢]`,
	`‚Ä[ìîïòôúùû†°¢π]`,
	`‚[âó][àä°ê]`,
	// Windows-1251 mojibake of characters in the U+2000 range.
	`вЂ`,
	// Windows-1251 mojibake of Latin-1 characters and Cyrillic.
	`[ВГРС][{c1}{bad}{start_punctuation}{end_punctuation}{currency}°µ][ВГРС]`,
	// Windows-1251 on top of Latin-1 mojibake of Windows-1252 characters.
	`ГўВЂВ.[A-Za-z ]`,
	// Windows-1252 encodings of à, á and the no-break space.
	"Ã[\u00a0¡]",
	`[a-z]{space}?[ÃÂ][ ]`,
	`^[ÃÂ][ ]`,
	// Â before a character as an encoding of the same character.
	`[a-z.,?!{end_punctuation}]Â[ {start_punctuation}{end_punctuation}]`,
	// Windows-1253.
	"β€[™\u00a0Ά\u00ad®°]",
	`[ΒΓΞΟ][{c1}{bad}{start_punctuation}{end_punctuation}{currency}°][ΒΓΞΟ]`,
	// Windows-1257.
	`ā€`,
}, "|")))

func isBad(text string) bool { return suspicious(text) && badness.MatchString(text) }

// suspicious spares most texts the pattern, which is slow. All of its
// alternatives have two neighbours beyond ASCII, but for the C1 controls and
// those that begin with one of four letters.
func suspicious(text string) bool {
	before := false
	for _, r := range text {
		now := occurs(r)
		if now && before || 0x80 <= r && r <= 0x9f || r == 'Œ' || r == 'œ' || r == 'Ã' || r == 'Â' {
			return true
		}
		before = now
	}
	return false
}

// occurs tells whether a character beyond ASCII may be among those of badness.
func occurs(r rune) bool {
	return 0x80 <= r && r < 0x530 || 0x2000 <= r && r < 0x2c00 || r == 0xf8ff || r == 0xfb01 || r == 0xfb02 || r == 0xfffd
}

// Characters that the bytes of UTF-8 become in the single-byte encodings.
var (
	firstOf2          = set("Â-ßĀĂĆČĎĐĒĖĘĚĞĢĪİĶĹĻŁŃŅŇŌŐŘŚŞŠŢŪŮŰŲŹŻŽΒ-ΡΣ-ίВ-Я")
	firstOf3          = set("à-ïāăąćčďēėęěģīįķĺļŕźΰ-οа-п")
	firstOf4          = set("ðóđğšπσру")
	continuation      = set(continuationClues + " –—―‘’‚“”„•…")
	strictlyContinued = set(continuationClues)
)

const continuationClues = "\u0080-¿ÆØæøĄąĽľŁłŒœŖŗŚśŞ-šŤťŸ-žƒ\u02c6\u02c7\u02d8\u02db\u02dc\u02dd΄΅ΆΈΉΊΌΎΏЁ-ЌЎЏё-ќўџҐґ†‡‰‹›€№™"

// set reads characters and ranges "a-z".
func set(clues string) map[rune]bool {
	s := map[rune]bool{}
	runes := []rune(clues)
	for i, r := range runes {
		if r == '-' && 0 < i && i+1 < len(runes) {
			for c := runes[i-1]; c < runes[i+1]; c++ {
				s[c] = true
			}
			continue
		}
		s[r] = true
	}
	return s
}

// mojibake returns the end of the run of characters at text[i:] that look like
// UTF-8, i when there are none.
func mojibake(text []rune, i int) int {
	if i > 0 && strictlyContinued[text[i-1]] {
		return i
	}
	for start := i; ; start = i {
		for n, first := range []map[rune]bool{firstOf2, firstOf3, firstOf4} {
			if start < len(text) && first[text[start]] && continued(text[start+1:], n+1) {
				i = start + n + 2
				break
			}
		}
		if i == start {
			return i
		}
	}
}

func continued(text []rune, n int) bool {
	if len(text) < n {
		return false
	}
	for _, r := range text[:n] {
		if !continuation[r] {
			return false
		}
	}
	return true
}
