package notebook

import (
	"html"
	"strings"
)

var bigOperators = map[string]string{
	"sum": "∑", "prod": "∏", "int": "∫", "bigcup": "⋃", "bigcap": "⋂", "bigoplus": "⨁",
}

var functions = set("cos sin tan log ln exp max min lim sup inf arg det dim Pr gcd argmax argmin tanh sign")

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

var letters = map[string]string{
	"alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ϵ", "varepsilon": "ε", "zeta": "ζ", "eta": "η",
	"theta": "θ", "vartheta": "ϑ", "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π",
	"rho": "ρ", "varrho": "ϱ", "sigma": "σ", "tau": "τ", "upsilon": "υ", "phi": "ϕ", "varphi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω",
	"Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω",
	"ell": "ℓ", "infty": "∞", "partial": "∂", "nabla": "∇", "emptyset": "∅", "hbar": "ℏ", "top": "⊤", "bot": "⊥",
}

var operators = map[string]string{
	"cdot": "⋅", "times": "×", "div": "÷", "pm": "±", "mp": "∓", "circ": "∘", "odot": "⊙", "oplus": "⊕", "otimes": "⊗", "ast": "∗",
	"le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "ne": "≠", "neq": "≠", "approx": "≈", "equiv": "≡", "sim": "∼", "simeq": "≃",
	"propto": "∝", "ll": "≪", "gg": "≫", "in": "∈", "notin": "∉", "subset": "⊂", "subseteq": "⊆", "cup": "∪", "cap": "∩", "setminus": "∖",
	"to": "→", "rightarrow": "→", "leftarrow": "←", "Rightarrow": "⇒", "Leftrightarrow": "⇔", "mapsto": "↦", "implies": "⟹", "iff": "⟺",
	"forall": "∀", "exists": "∃", "neg": "¬", "land": "∧", "lor": "∨", "mid": "∣", "parallel": "∥", "perp": "⊥",
	"ldots": "…", "dots": "…", "cdots": "⋯", "vdots": "⋮", "colon": ":", "prime": "′", "dagger": "†", "star": "⋆", "bullet": "∙",
	"{": "{", "}": "}", "|": "‖", "lVert": "‖", "rVert": "‖", "Vert": "‖", "lvert": "|", "rvert": "|", "vert": "|",
	"langle": "⟨", "rangle": "⟩", "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉", "lbrace": "{", "rbrace": "}",
	"%": "%", "#": "#", "&": "&", "_": "_", "$": "$",
}

var spaces = map[string]string{
	",": "0.17em", ":": "0.22em", ">": "0.22em", ";": "0.28em", "!": "-0.17em", " ": "0.33em", "quad": "1em", "qquad": "2em",
}

var accents = map[string]string{
	"hat": "^", "widehat": "^", "bar": "¯", "tilde": "~", "widetilde": "~", "vec": "→", "dot": "˙", "ddot": "¨",
}

// inText is the character that a command stands for in a literal argument.
func inText(name string) (string, bool) {
	for _, m := range []map[string]string{letters, operators, thinSpaces} {
		if c, ok := m[name]; ok {
			return c, true
		}
	}
	return "", false
}

var thinSpaces = map[string]string{",": "\u2009", ":": "\u2005", ">": "\u2005", ";": "\u2004", "!": "", "quad": "\u2003", "qquad": "\u2003\u2003"}

// alphabets set a literal argument in a style.
var alphabets = map[string]func(string) string{
	"text":          func(s string) string { return "<mtext>" + html.EscapeString(s) + "</mtext>" },
	"textit":        func(s string) string { return `<mtext style="font-style:italic">` + html.EscapeString(s) + "</mtext>" },
	"textbf":        func(s string) string { return `<mtext style="font-weight:bold">` + html.EscapeString(s) + "</mtext>" },
	"mathrm":        upright,
	"operatorname":  upright,
	"operatorname*": upright,
	"mathbf":        func(s string) string { return shifted(s, 0x1D400, 0x1D41A) },
	"boldsymbol":    func(s string) string { return shifted(s, 0x1D400, 0x1D41A) },
	"mathcal":       func(s string) string { return shifted(s, 0x1D4D0, 0x1D4EA) },
	"mathbb":        doubleStruck,
}

func upright(s string) string {
	return `<mi mathvariant="normal">` + html.EscapeString(strings.Trim(s, " ")) + "</mi>"
}

// shifted moves letters into one of Unicode's mathematical alphabets.
func shifted(s string, upper, lower rune) string {
	moved := strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return upper + r - 'A'
		case r >= 'a' && r <= 'z':
			return lower + r - 'a'
		}
		return r
	}, s)
	return "<mi>" + html.EscapeString(moved) + "</mi>"
}

// doubleStruck is irregular in Unicode: the oldest letters stand elsewhere.
func doubleStruck(s string) string {
	old := strings.NewReplacer("C", "ℂ", "H", "ℍ", "N", "ℕ", "P", "ℙ", "Q", "ℚ", "R", "ℝ", "Z", "ℤ")
	return shifted(old.Replace(s), 0x1D538, 0x1D552)
}

// environments gives what stands before the rows, after them, and the table.
var environments = map[string][3]string{
	"aligned": {"", "", alignedTable}, "align": {"", "", alignedTable}, "align*": {"", "", alignedTable},
	"cases":   {`<mo stretchy="true">{</mo>`, "", `<mtable columnalign="left left">`},
	"matrix":  {"", "", "<mtable>"},
	"pmatrix": {`<mo stretchy="true">(</mo>`, `<mo stretchy="true">)</mo>`, "<mtable>"},
	"bmatrix": {`<mo stretchy="true">[</mo>`, `<mo stretchy="true">]</mo>`, "<mtable>"},
	"vmatrix": {`<mo stretchy="true">|</mo>`, `<mo stretchy="true">|</mo>`, "<mtable>"},
}

const alignedTable = `<mtable class="aligned" displaystyle="true" columnalign="right left">`
