package ftfy

import (
	"slices"

	"golang.org/x/text/unicode/norm"
)

// maxMarks is the longest run of combining marks that package norm leaves
// together: it follows the Stream-Safe Text Format, which Python does not.
const maxMarks = 30

// NFC returns text in normalization form C, whatever the number of marks on a
// letter.
func NFC(text string) string {
	if ascii(text) {
		return text
	}
	run := 0
	for rest := text; rest != ""; {
		p := norm.NFD.PropertiesString(rest)
		if p.Size() == 0 {
			break
		}
		// A precomposed letter can bring up to three marks.
		if run++; p.CCC() == 0 {
			run = 3
		}
		if run > maxMarks {
			return composeLong(text)
		}
		rest = rest[p.Size():]
	}
	return norm.NFC.String(text)
}

// composeLong is NFC by the definition of Unicode (section 3.11), for runs of
// marks of any length.
func composeLong(text string) string {
	type char struct {
		r   rune
		ccc uint8
	}
	var chars []char
	for _, r := range text {
		for _, d := range norm.NFD.String(string(r)) {
			chars = append(chars, char{d, norm.NFD.PropertiesString(string(d)).CCC()})
		}
	}
	for i := 0; i < len(chars); i++ {
		end := i
		for end < len(chars) && chars[end].ccc != 0 {
			end++
		}
		slices.SortStableFunc(chars[i:end], func(a, b char) int { return int(a.ccc) - int(b.ccc) })
		i = end
	}
	var out []rune
	starter, last := -1, uint8(0)
	for _, c := range chars {
		if starter >= 0 && (last < c.ccc || last == 0 && starter == len(out)-1) {
			if pair := []rune(norm.NFC.String(string([]rune{out[starter], c.r}))); len(pair) == 1 {
				out[starter] = pair[0]
				continue
			}
		}
		if c.ccc == 0 {
			starter = len(out)
		}
		last = c.ccc
		out = append(out, c.r)
	}
	return string(out)
}
