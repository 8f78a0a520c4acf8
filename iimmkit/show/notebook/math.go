package notebook

import (
	"fmt"
	"html"
	"strings"
	"unicode"
	"unicode/utf8"
)

// mathML turns a TeX formula into MathML, which browsers set without script.
// It knows the part of TeX that notebooks about statistics use; an error says
// what it does not know, and the caller shows the source instead.
func mathML(tex string, block bool) (string, error) {
	p := &texParser{rest: tex}
	body, err := p.row("")
	if err != nil {
		return "", err
	}
	attr := ""
	if block {
		attr = ` display="block"`
	}
	return fmt.Sprintf(`<math%s alttext="%s">%s</math>`, attr, html.EscapeString(tex), body), nil
}

// texParser reads a formula from left to right.
type texParser struct {
	rest  string
	depth int
}

// maxDepth bounds the nesting, and with it the stack.
const maxDepth = 100

// next returns the next token: a command with its backslash, or one character.
func (p *texParser) next() string {
	p.rest = strings.TrimLeftFunc(p.rest, unicode.IsSpace)
	token := p.peekRaw()
	p.rest = p.rest[len(token):]
	return token
}

func (p *texParser) peek() string {
	p.rest = strings.TrimLeftFunc(p.rest, unicode.IsSpace)
	return p.peekRaw()
}

func (p *texParser) peekRaw() string {
	if p.rest == "" {
		return ""
	}
	if p.rest[0] != '\\' {
		_, n := utf8.DecodeRuneInString(p.rest)
		return p.rest[:n]
	}
	n := 1
	for n < len(p.rest) && (p.rest[n] >= 'a' && p.rest[n] <= 'z' || p.rest[n] >= 'A' && p.rest[n] <= 'Z') {
		n++
	}
	if n == 1 && len(p.rest) > 1 {
		_, size := utf8.DecodeRuneInString(p.rest[1:])
		n += size
	}
	return p.rest[:n]
}

// row reads terms up to a closing token, which it takes, and wraps them.
func (p *texParser) row(until string) (string, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxDepth {
		return "", fmt.Errorf("formula nested deeper than %d", maxDepth)
	}
	var b strings.Builder
	for {
		token := p.peek()
		if token == until {
			p.next()
			return "<mrow>" + b.String() + "</mrow>", nil
		}
		switch token {
		case "":
			return "", fmt.Errorf("formula ends where %s is expected", until)
		case "}", `\right`, `\end`, "&", `\\`:
			return "", fmt.Errorf("unexpected %s", token)
		}
		term, err := p.scripted()
		if err != nil {
			return "", err
		}
		b.WriteString(term)
	}
}

// scripted reads a term with its superscript and subscript.
func (p *texParser) scripted() (string, error) {
	base, limits := "<mrow></mrow>", false
	if t := p.peek(); t != "^" && t != "_" {
		var err error
		if base, limits, err = p.term(); err != nil {
			return "", err
		}
	}
	var sub, super string
	for {
		var into *string
		switch p.peek() {
		case "^":
			into = &super
		case "_":
			into = &sub
		case "'":
			p.next()
			super += "<mo>′</mo>"
			continue
		default:
			if strings.Count(super, "<mo>′") > 1 {
				super = "<mrow>" + super + "</mrow>"
			}
			return script(base, sub, super, limits), nil
		}
		p.next()
		if *into != "" {
			return "", fmt.Errorf("two scripts of one kind on one term")
		}
		s, err := p.argument()
		if err != nil {
			return "", err
		}
		*into = s
	}
}

func script(base, sub, super string, limits bool) string {
	one, other, both := "msub", "msup", "msubsup"
	if limits {
		one, other, both = "munder", "mover", "munderover"
	}
	switch {
	case sub != "" && super != "":
		return "<" + both + ">" + base + sub + super + "</" + both + ">"
	case sub != "":
		return "<" + one + ">" + base + sub + "</" + one + ">"
	case super != "":
		return "<" + other + ">" + base + super + "</" + other + ">"
	}
	return base
}

// term reads one unit: a character, a number, a group or a command with its
// arguments. limits tells that scripts go below and above it.
func (p *texParser) term() (s string, limits bool, err error) {
	token := p.next()
	switch {
	case token == "":
		return "", false, fmt.Errorf("formula ends where a term is expected")
	case token == "{":
		s, err = p.row("}")
		return s, false, err
	case token == "~":
		return `<mspace width="0.33em"></mspace>`, false, nil
	case isDigit(token):
		n := 0
		for n < len(p.rest) && (p.rest[n] >= '0' && p.rest[n] <= '9' || p.rest[n] == '.' && n+1 < len(p.rest) && p.rest[n+1] >= '0' && p.rest[n+1] <= '9') {
			n++
		}
		token += p.rest[:n]
		p.rest = p.rest[n:]
		return "<mn>" + token + "</mn>", false, nil
	case token[0] != '\\':
		return character(token), false, nil
	}
	return p.command(token)
}

func character(c string) string {
	r, _ := utf8.DecodeRuneInString(c)
	switch {
	case c == "-":
		return "<mo>−</mo>"
	case c == "*":
		return "<mo>∗</mo>"
	case c == "|":
		return `<mo stretchy="false">|</mo>`
	case unicode.IsLetter(r):
		return "<mi>" + html.EscapeString(c) + "</mi>"
	case strings.Contains("()[]", c):
		return `<mo stretchy="false">` + c + "</mo>"
	}
	return "<mo>" + html.EscapeString(c) + "</mo>"
}

func isDigit(token string) bool { return token != "" && token[0] >= '0' && token[0] <= '9' }

// argument reads what a command or a script applies to: a group or one term. Of
// a number that is one digit, as in TeX: \frac12 is a half.
func (p *texParser) argument() (string, error) {
	if isDigit(p.peek()) {
		return "<mn>" + p.next() + "</mn>", nil
	}
	s, _, err := p.term()
	return s, err
}

// literal reads a group as it stands.
func (p *texParser) literal() (string, error) {
	if p.next() != "{" {
		return "", fmt.Errorf("{ expected")
	}
	depth, escaped := 1, false
	for i, r := range p.rest {
		if escaped || r == '\\' {
			escaped = !escaped
			continue
		}
		switch r {
		case '{':
			depth++
		case '}':
			depth--
		}
		if depth == 0 {
			s := p.rest[:i]
			p.rest = p.rest[i+1:]
			return s, nil
		}
	}
	return "", fmt.Errorf("} expected")
}

func (p *texParser) command(token string) (s string, limits bool, err error) {
	name := token[1:]
	if mo, ok := bigOperators[name]; ok {
		return `<mo movablelimits="true">` + mo + "</mo>", true, nil
	}
	if functions[name] {
		limits := name == "max" || name == "min" || name == "lim" || name == "sup" || name == "inf" || name == "argmax" || name == "argmin"
		if limits {
			return `<mo movablelimits="true">` + name + "</mo>", true, nil
		}
		return "<mi>" + name + `</mi><mspace width="0.17em"></mspace>`, false, nil
	}
	if mi, ok := letters[name]; ok {
		return "<mi>" + mi + "</mi>", false, nil
	}
	if mo, ok := operators[name]; ok {
		return "<mo>" + html.EscapeString(mo) + "</mo>", false, nil
	}
	if width, ok := spaces[name]; ok {
		return `<mspace width="` + width + `"></mspace>`, false, nil
	}
	if accent, ok := accents[name]; ok {
		a, err := p.argument()
		return `<mover accent="true">` + a + "<mo>" + accent + "</mo></mover>", false, err
	}
	if variant, ok := alphabets[name]; ok {
		s, err := p.literal()
		if err == nil {
			s, err = literalText(s)
		}
		if err != nil {
			return "", false, fmt.Errorf("%s: %w", token, err)
		}
		return variant(s), name == "operatorname*", nil
	}
	switch name {
	case "frac", "dfrac", "tfrac", "binom":
		return p.fraction(name)
	case "sqrt":
		return p.root()
	case "left":
		s, err := p.fenced()
		return s, false, err
	case "begin":
		s, err := p.environment()
		return s, false, err
	case "overline":
		// A border grows with what is under it; an accent stays short.
		a, err := p.argument()
		return `<mrow class="overline">` + a + "</mrow>", false, err
	case "underbrace", "overbrace":
		a, err := p.argument()
		if name == "underbrace" {
			return "<munder>" + a + "<mo>⏟</mo></munder>", true, err
		}
		return "<mover>" + a + "<mo>⏞</mo></mover>", true, err
	case "displaystyle", "textstyle", "limits", "nolimits", "big", "Big", "bigl", "bigr", "Bigl", "Bigr":
		return "", false, nil
	}
	return "", false, fmt.Errorf("TeX command %s is not known", token)
}

// literalText replaces the commands in a literal argument by what they stand for.
func literalText(s string) (string, error) {
	p := &texParser{rest: s}
	var b strings.Builder
	for p.rest != "" {
		token := p.peekRaw()
		p.rest = p.rest[len(token):]
		switch name, command := strings.CutPrefix(token, `\`); {
		case token == "~" || command && name == " ":
			b.WriteString("\u00a0")
		case token == "{" || token == "}": // groups only
		case !command:
			b.WriteString(token)
		default:
			text, known := inText(name)
			if !known {
				return "", fmt.Errorf("TeX command %s is not known in text", token)
			}
			b.WriteString(text)
			if unicode.IsLetter(rune(name[0])) { // a space ends the name
				p.rest = strings.TrimLeft(p.rest, " ")
			}
		}
	}
	return b.String(), nil
}

func (p *texParser) fraction(name string) (string, bool, error) {
	over, err := p.argument()
	if err != nil {
		return "", false, err
	}
	under, err := p.argument()
	if name == "binom" {
		return "<mrow><mo>(</mo><mfrac linethickness=\"0\">" + over + under + "</mfrac><mo>)</mo></mrow>", false, err
	}
	return "<mfrac>" + over + under + "</mfrac>", false, err
}

func (p *texParser) root() (string, bool, error) {
	if p.peek() != "[" {
		a, err := p.argument()
		return "<msqrt>" + a + "</msqrt>", false, err
	}
	p.next()
	degree, err := p.row("]")
	if err != nil {
		return "", false, err
	}
	a, err := p.argument()
	return "<mroot>" + a + degree + "</mroot>", false, err
}

// fenced reads what stands between \left and \right with their delimiters.
func (p *texParser) fenced() (string, error) {
	open, err := p.delimiter()
	if err != nil {
		return "", err
	}
	body, err := p.row(`\right`)
	if err != nil {
		return "", err
	}
	end, err := p.delimiter()
	return "<mrow>" + open + body + end + "</mrow>", err
}

func (p *texParser) delimiter() (string, error) {
	token := p.next()
	if token == "." {
		return "", nil
	}
	if token == "" {
		return "", fmt.Errorf("delimiter expected")
	}
	if token[0] == '\\' {
		mo, ok := operators[token[1:]]
		if !ok {
			return "", fmt.Errorf("%s is no delimiter", token)
		}
		token = mo
	}
	return `<mo stretchy="true">` + html.EscapeString(token) + "</mo>", nil
}

// environment reads the rows of aligned, cases and the matrices.
func (p *texParser) environment() (string, error) {
	name, err := p.literal()
	if err != nil {
		return "", err
	}
	fence, ok := environments[name]
	if !ok {
		return "", fmt.Errorf("TeX environment %s is not known", name)
	}
	var b strings.Builder
	b.WriteString("<mtr><mtd>")
	for {
		switch p.peek() {
		case "&":
			p.next()
			b.WriteString("</mtd><mtd>")
			continue
		case `\\`:
			p.next()
			b.WriteString("</mtd></mtr><mtr><mtd>")
			continue
		case `\end`:
			p.next()
			if end, err := p.literal(); err != nil || end != name {
				return "", fmt.Errorf("\\begin{%s} is ended by \\end{%s}", name, end)
			}
			b.WriteString("</mtd></mtr>")
			return "<mrow>" + fence[0] + fence[2] + b.String() + "</mtable>" + fence[1] + "</mrow>", nil
		case "", "}", `\right`:
			return "", fmt.Errorf("\\end{%s} expected", name)
		}
		term, err := p.scripted()
		if err != nil {
			return "", err
		}
		b.WriteString(term)
	}
}
