package notebook

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A notebook can take parameters in two ways. Cells ask for them by nb.Param,
// which reads them from the environment; and, as papermill does it, a cell
// tagged "parameters" declares package variables or constants, behind which a
// cell tagged "injected-parameters" declares some of them anew. The second way
// works in Go since GoNB lets a later declaration replace an earlier one.

// ParamsVariable is the environment variable that holds the parameters of an
// execution: a JSON object of strings.
const ParamsVariable = "IIMM_PARAMS"

const (
	tagParameters = "parameters"
	tagInjected   = "injected-parameters"
)

var paramName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)

// CheckParamName says what is wrong with the name of a parameter.
func CheckParamName(name string) error {
	if !paramName.MatchString(name) {
		return fmt.Errorf("parameter name %q: letters, digits, - and _, a letter first", name)
	}
	return nil
}

// paramEnv returns the environment variable that holds the parameters, which
// nb.Param reads.
func paramEnv(params map[string]string) ([]string, error) {
	for _, name := range sortedKeys(params) {
		if err := CheckParamName(name); err != nil {
			return nil, err
		}
	}
	if params == nil {
		params = map[string]string{}
	}
	all, err := json.Marshal(params)
	if err != nil {
		return nil, err
	}
	return []string{ParamsVariable + "=" + string(all)}, nil
}

var paramCall = regexp.MustCompile(`\bnb\.Param(?:\[[^\]]*\])?\(\s*"([^"]+)"`)

// Parameters returns the names of the parameters that a notebook takes, in the
// order of their first use: those that code cells ask for by nb.Param, and what
// a cell tagged "parameters" declares.
func (n *Notebook) Parameters() []string {
	var names []string
	add := func(name string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, c := range n.Cells {
		if c.Type != "code" {
			continue
		}
		if c.tagged(tagParameters) {
			// A cell that cannot be read fails where it is executed.
			declared, _ := declarations(c.Source)
			for _, d := range declared {
				add(d.name)
			}
		}
		for _, m := range paramCall.FindAllStringSubmatch(c.Source, -1) {
			add(m[1])
		}
	}
	return names
}

// tagged reports whether a cell has a tag.
func (c *Cell) tagged(tag string) bool {
	tags, _ := c.Metadata["tags"].([]any)
	return slices.Contains(tags, any(tag))
}

// inject puts the given parameters that the cell tagged "parameters" declares
// into a cell behind it, in place of one that an earlier execution left. With
// none of them given the notebook stays as it is.
func (n *Notebook) inject(params map[string]string) error {
	at := slices.IndexFunc(n.Cells, func(c *Cell) bool { return c.Type == "code" && c.tagged(tagParameters) })
	if at < 0 || len(params) == 0 {
		return nil
	}
	declared, err := declarations(n.Cells[at].Source)
	if err != nil {
		return fmt.Errorf("the cell tagged %s: %w", tagParameters, err)
	}
	var source strings.Builder
	for _, d := range declared {
		value, given := params[d.name]
		if !given {
			continue
		}
		line, err := d.with(value)
		if err != nil {
			return fmt.Errorf("parameter %s: %w", d.name, err)
		}
		source.WriteString(line + "\n")
	}
	if source.Len() == 0 {
		return nil
	}
	n.Cells = slices.DeleteFunc(n.Cells, func(c *Cell) bool { return c.Type == "code" && c.tagged(tagInjected) })
	at = slices.IndexFunc(n.Cells, func(c *Cell) bool { return c.Type == "code" && c.tagged(tagParameters) })
	id := tagInjected
	for i := 2; slices.ContainsFunc(n.Cells, func(c *Cell) bool { return c.ID == id }); i++ {
		id = fmt.Sprintf("%s-%d", tagInjected, i)
	}
	n.Cells = slices.Insert(n.Cells, at+1, &Cell{
		ID: id, Type: "code", Source: strings.TrimSuffix(source.String(), "\n"),
		Metadata: map[string]any{"tags": []any{tagInjected}},
	})
	return nil
}

// declaration is one variable or constant that a parameters cell declares.
type declaration struct {
	keyword string // var or const
	name    string
	typ     string // as declared, "" when left to the value
	kind    string // of the value: string, bool, int, uint, float, duration; "" is not known
	value   string // as declared
}

// declarations reads the package variables and constants of a cell.
func declarations(source string) ([]declaration, error) {
	var file strings.Builder
	file.WriteString("package p\n")
	for line := range strings.Lines(source) {
		trimmed := strings.TrimSpace(line)
		if trimmed == "%%" || strings.HasPrefix(trimmed, "%% ") || trimmed == "%main" {
			break // statements follow
		}
		if !strings.HasPrefix(trimmed, "!") && !strings.HasPrefix(trimmed, "%") {
			file.WriteString(line)
		}
	}
	f, err := parser.ParseFile(token.NewFileSet(), "", file.String(), parser.SkipObjectResolution)
	if err != nil {
		return nil, errors.New("its declarations are not Go: " + err.Error())
	}
	var found []declaration
	for _, d := range f.Decls {
		group, ok := d.(*ast.GenDecl)
		if !ok || group.Tok != token.VAR && group.Tok != token.CONST {
			continue
		}
		for _, spec := range group.Specs {
			s := spec.(*ast.ValueSpec)
			for i, name := range s.Names {
				if name.Name == "_" {
					continue
				}
				d := declaration{keyword: group.Tok.String(), name: name.Name}
				if i < len(s.Values) {
					d.value, d.kind = types.ExprString(s.Values[i]), kindOfValue(s.Values[i])
				}
				typ := s.Type
				if typ == nil && i < len(s.Values) {
					if call, ok := s.Values[i].(*ast.CallExpr); ok && kindOfType(types.ExprString(call.Fun)) != "" {
						typ = call.Fun // a conversion
					}
				}
				if typ != nil {
					d.typ = types.ExprString(typ)
					d.kind = kindOfType(d.typ)
				}
				found = append(found, d)
			}
		}
	}
	return found, nil
}

func kindOfType(typ string) string {
	switch typ {
	case "string", "bool":
		return typ
	case "int", "int8", "int16", "int32", "int64":
		return "int"
	case "uint", "uint8", "uint16", "uint32", "uint64":
		return "uint"
	case "float32", "float64":
		return "float"
	case "time.Duration":
		return "duration"
	}
	return ""
}

// kindOfValue tells the kind of a value from how it is written.
func kindOfValue(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		switch e.Kind {
		case token.STRING:
			return "string"
		case token.INT:
			return "int"
		case token.FLOAT:
			return "float"
		}
	case *ast.Ident:
		if e.Name == "true" || e.Name == "false" {
			return "bool"
		}
	case *ast.UnaryExpr:
		if e.Op == token.SUB || e.Op == token.ADD {
			return kindOfValue(e.X)
		}
	case *ast.ParenExpr:
		return kindOfValue(e.X)
	case *ast.SelectorExpr:
		units := []string{"time.Nanosecond", "time.Microsecond", "time.Millisecond", "time.Second", "time.Minute", "time.Hour"}
		if slices.Contains(units, types.ExprString(e)) {
			return "duration"
		}
	case *ast.BinaryExpr:
		x, y := kindOfValue(e.X), kindOfValue(e.Y)
		if x == "duration" || y == "duration" {
			return "duration"
		}
		if x == y && (x == "int" || x == "float" || x == "string") {
			return x
		}
	}
	return ""
}

// with returns the declaration with another value, written as Go.
func (d declaration) with(given string) (string, error) {
	var literal string
	var err error
	want := d.kind
	switch d.kind {
	case "string":
		literal = strconv.Quote(given)
	case "bool":
		var v bool
		v, err = strconv.ParseBool(given)
		literal, want = strconv.FormatBool(v), "true or false"
	case "int":
		var v int64
		v, err = strconv.ParseInt(given, 10, 64)
		literal, want = strconv.FormatInt(v, 10), "a whole number"
	case "uint":
		var v uint64
		v, err = strconv.ParseUint(given, 10, 64)
		literal, want = strconv.FormatUint(v, 10), "a whole number from 0"
	case "float":
		var v float64
		v, err = strconv.ParseFloat(given, 64)
		if err == nil && (math.IsNaN(v) || math.IsInf(v, 0)) {
			err = strconv.ErrRange
		}
		// Without a point the value of an untyped declaration would be an integer.
		if literal = strconv.FormatFloat(v, 'g', -1, 64); !strings.ContainsAny(literal, ".e") {
			literal += ".0"
		}
		want = "a number"
	case "duration":
		var v time.Duration
		v, err = time.ParseDuration(given)
		literal, want = fmt.Sprintf("time.Duration(%d)", v.Nanoseconds()), "a duration such as 90s or 5m"
	default:
		return "", fmt.Errorf("its type is not to be seen in %q: declare it as string, bool, a number or time.Duration", strings.TrimSpace(d.typ+" = "+d.value))
	}
	if err != nil {
		return "", fmt.Errorf("%q is not %s", given, want)
	}
	name := d.name
	if d.typ != "" {
		name += " " + d.typ
	}
	return d.keyword + " " + name + " = " + literal, nil
}
