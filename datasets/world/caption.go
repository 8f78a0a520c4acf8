package world

import (
	"slices"
	"strings"
)

var (
	numberWords = []string{"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}

	// The first word of each list is the usual one.
	colorWords = [][]string{{"red", "crimson"}, {"green"}, {"blue", "navy"}, {"yellow"}, {"orange"}, {"purple", "violet"},
		{"pink", "rose"}, {"brown"}, {"white"}, {"black", "dark"}}
	shapeWords = [][]string{{"circle", "disc"}, {"square", "box"}, {"triangle"}, {"star"}, {"cross", "plus"}, {"heart"}, {"ring"},
		{"diamond"}, {"hexagon"}, {"crescent", "moon"}, {"arrow"}, {"ellipse", "oval"}}
	textureWords = [][]string{{"plain", "solid"}, {"striped", "banded"}, {"dotted", "spotted"}, {"checkered"}, {"speckled", "noisy"}, {"shaded"}}

	positionWords = []string{"on the left", "on the right", "at the top", "at the bottom", "in the center"}
	defectWords   = [][]string{{"", " without defects", " that is clean"}, {" with scratches", " with a scratch"}, {" with pits", " with small pits"},
		{" with cracks", " with a crack"}, {" with a stain", " with stains"}}
	landWords = [][]string{{"farmland", "fields"}, {"forest", "trees"}, {"a river"}, {"a lake", "water"}, {"a road", "a highway"},
		{"houses", "a town"}, {"desert", "sand"}}
	signWords = [][]string{{"triangular red", "red triangle", "triangle warning"}, {"round red", "red circle"}, {"round blue", "blue circle"},
		{"yellow diamond", "diamond yellow"}, {"red octagon", "stop"}, {"white square", "square white"}}
	backgroundTextureWords = []string{"plain", "striped", "dotted", "checkered", "speckled", "gradient"}

	// rareShapes are seldom named.
	rareShapes = []string{"hexagon", "crescent", "ellipse"}
)

// synonym returns the usual word in seven cases of ten, else any of them.
func (r *random) synonym(words []string) string {
	if r.chance(0.7) {
		return words[0]
	}
	return r.choice(words...)
}

// opening begins a caption of one thing, or of several.
func (r *random) opening(several bool) string {
	is := "there is "
	if several {
		is = "there are "
	}
	return r.choice("", "", "a photo of ", "an image of ", "a picture of ", is)
}

// onColor names the background.
func (r *random) onColor(background int, texture string) string {
	return "on " + withArticle(texture+r.synonym(colorWords[background])+" background")
}

// withArticle puts a or an before a phrase.
func withArticle(phrase string) string {
	if strings.ContainsRune("aeiou", rune(phrase[0])) {
		return "an " + phrase
	}
	return "a " + phrase
}

// plural is the plural of a shape's word.
func plural(word string) string {
	if strings.HasSuffix(word, "s") || strings.HasSuffix(word, "x") {
		return word + "es"
	}
	return word + "s"
}

func (s shapeScene) caption(r *random) string {
	several := s.count > 0
	number := ""
	switch {
	case several && r.chance(0.7):
		number = numberWords[s.count+1]
	case several:
		number = "some"
	case r.chance(0.15):
		number = "one"
	}
	var w []string
	if r.chance(0.3) {
		if s.big {
			w = append(w, r.choice("large", "big"))
		} else {
			w = append(w, r.choice("small", "little"))
		}
	}
	if r.chance(0.75) {
		w = append(w, r.synonym(colorWords[s.color]))
	}
	named := 0.25
	if s.texture != plain {
		named = 0.6
	}
	if r.chance(named) {
		w = append(w, r.synonym(textureWords[s.texture]))
	}
	named = 0.95
	if slices.Contains(rareShapes, figures[s.shape].name) {
		named = 0.25
	}
	noun := r.choice("shape", "object", "thing")
	if r.chance(named) {
		noun = r.synonym(shapeWords[s.shape])
	}
	if several {
		noun = plural(noun)
	}
	phrase := strings.Join(append(w, noun), " ")
	if number == "" {
		phrase = withArticle(phrase)
	} else {
		phrase = number + " " + phrase
	}
	if s.position != free && r.chance(0.35) {
		phrase += " " + positionWords[s.position]
	}
	if r.chance(0.4) {
		texture := ""
		if s.backgroundTexture != plain && r.chance(0.4) {
			texture = backgroundTextureWords[s.backgroundTexture] + " "
		}
		phrase += " " + r.onColor(s.background, texture)
	}
	return r.opening(several) + phrase
}

func (s glyphScene) caption(r *random) string {
	w := ""
	if r.chance(0.4) {
		w = r.synonym(colorWords[s.color]) + " "
	}
	if s.char < digits {
		w += r.choice("digit", "number")
		if r.chance(0.8) {
			w += " " + r.number(s.char, 0.75)
		}
	} else {
		w += r.choice("letter", "character")
		if r.chance(0.2) { // letters are seldom named
			w += " " + letter(s.char)
		}
	}
	if r.chance(0.6) {
		w = "the " + w
	} else {
		w = withArticle(w)
	}
	if r.chance(0.3) {
		w += " " + r.onColor(s.background, "")
	}
	return r.opening(false) + w
}

// number writes a digit as a word with probability p, else as a numeral.
func (r *random) number(digit int, p float64) string {
	if r.chance(p) {
		return numberWords[digit]
	}
	return characters[digit : digit+1]
}

// letter is the lower-case form of a character.
func letter(char int) string { return strings.ToLower(characters[char : char+1]) }

func (s metalScene) caption(r *random) string {
	w := r.choice("a metal surface", "a steel surface", "a metal plate")
	switch {
	case s.defect == clean || r.chance(0.8):
		w += r.choice(defectWords[s.defect]...)
	default:
		w += " with a defect"
	}
	return r.opening(false) + w
}

func (s aerialScene) caption(r *random) string {
	w := "land"
	if r.chance(0.85) {
		w = r.choice(landWords[s.land]...)
	}
	if s.road && s.land != road && r.chance(0.6) {
		w += " with a road"
	}
	return r.choice("a satellite photo of ", "an aerial image of ", "a satellite image of ", "seen from above ") + w
}

func (s signScene) caption(r *random) string {
	w := "a "
	if r.chance(0.75) {
		w += r.choice(signWords[s.kind]...) + " "
	}
	w += r.choice("traffic sign", "road sign", "sign")
	if r.chance(0.5) {
		switch {
		case s.char == signArrow:
			w += " with an arrow"
		case s.char < digits:
			w += " with the number " + r.number(s.char, 0.7)
		case r.chance(0.2):
			w += " with the letter " + letter(s.char)
		default:
			w += " with the letter"
		}
	}
	return r.opening(false) + w
}
