package author

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/anteroom/anteroom/policy"
)

// InputErr: something is named of the input that isn't in it, where OPA's types don't find that.
const InputErr = "policy_input_error"

// field is a part of the input, or all of it, as the schema has it.
type field struct {
	Type        string           `json:"type"`
	Enum        []string         `json:"enum"`
	Description string           `json:"description"`
	Properties  map[string]field `json:"properties"`
	// Items are of a list.
	Items *field `json:"items"`
	// path is its name in Rego, such as input.participant.kind.
	path string
}

// fieldsOf is the whole input. The schema is part of the program.
func fieldsOf(base *policy.Base) field {
	var root field
	_ = json.Unmarshal(base.Schema(), &root)
	return root.named("input")
}

func (f field) named(path string) field {
	f.path = path
	for name, below := range f.Properties {
		f.Properties[name] = below.named(path + "." + name)
	}
	if f.Items != nil {
		items := f.Items.named(path + "[_]")
		f.Items = &items
	}
	return f
}

// find is the field that a reference names as far as it names one, or what is wrong with it.
func (f field) find(ref ast.Ref) (found field, wrong string) {
	if len(ref) == 0 || !ref[0].Equal(ast.InputRootDocument) {
		return field{}, ""
	}
	for _, term := range ref[1:] {
		if f.Items != nil {
			f = *f.Items
			continue
		}
		name, ok := term.Value.(ast.String)
		if !ok || f.Type != "object" {
			return field{}, ""
		}
		below, ok := f.Properties[string(name)]
		if !ok {
			return field{}, f.without(string(name))
		}
		f = below
	}
	return f, ""
}

func (f field) without(name string) string {
	return "there is no " + f.path + "." + name + "; there are " + strings.Join(slices.Sorted(maps.Keys(f.Properties)), ", ")
}

// checkInput finds what can't be in an input: fields that tests give it (with input.… as …), and words that a field is compared with.
func checkInput(module *ast.Module, input field) ast.Errors {
	var errs ast.Errors
	wrong := func(at *ast.Location, message string) {
		errs = append(errs, ast.NewError(InputErr, at, "%s", message))
	}
	ast.WalkWiths(module, func(with *ast.With) bool {
		if ref, ok := with.Target.Value.(ast.Ref); ok {
			target, message := input.find(ref)
			if message != "" {
				wrong(with.Target.Location, message)
			}
			target.checkValue(with.Value, wrong)
		}
		return false
	})
	if !policy.IsTest(module.Package.Location.File) {
		checkPart(module, wrong)
	}
	ast.WalkExprs(module, func(expr *ast.Expr) bool {
		if expr.IsCall() && len(expr.Operands()) == 2 {
			input.checkComparison(expr.Operator().String(), expr.Operand(0), expr.Operand(1), wrong)
			input.checkComparison(expr.Operator().String(), expr.Operand(1), expr.Operand(0), wrong)
		}
		return false
	})
	return errs
}

// checkPart finds what rules ask of a part of the input that is never there for them: those on how long things are kept see input.kept and nothing else, the
// others see everything else.
func checkPart(module *ast.Module, wrong func(at *ast.Location, message string)) {
	path := strings.TrimPrefix(module.Package.Path.String(), "data.")
	keeps := path == policy.KeepPackage || strings.HasPrefix(path, policy.KeepPackage+".")
	ast.WalkRefs(module, func(ref ast.Ref) bool {
		if len(ref) < 2 || !ref[0].Equal(ast.InputRootDocument) {
			return false
		}
		name, ok := ref[1].Value.(ast.String)
		switch {
		case !ok:
		case keeps && name != "kept":
			wrong(ref[1].Location, "rules of package "+policy.KeepPackage+" see input.kept and nothing else of the input")
		case !keeps && name == "kept":
			wrong(ref[1].Location, "only rules of package "+policy.KeepPackage+" see input.kept")
		}
		return false
	})
}

// checkValue looks at a value that a test gives a field, as far as it is written out.
func (f field) checkValue(value *ast.Term, wrong func(at *ast.Location, message string)) {
	switch v := value.Value.(type) {
	case ast.String:
		f.checkWord(value, string(v), wrong)
	case ast.Call: // object.union of parts
		if v[0].String() == ast.ObjectUnion.Name {
			for _, part := range v[1:] {
				f.checkValue(part, wrong)
			}
		}
	case *ast.Array:
		if f.Items != nil {
			v.Foreach(func(of *ast.Term) { f.Items.checkValue(of, wrong) })
		}
	case ast.Object:
		if f.Type != "object" {
			return
		}
		v.Foreach(func(key, of *ast.Term) {
			name, ok := key.Value.(ast.String)
			if !ok {
				return
			}
			below, ok := f.Properties[string(name)]
			if !ok {
				wrong(key.Location, f.without(string(name)))
			}
			below.checkValue(of, wrong)
		})
	}
}

// checkComparison looks at a field that is compared with a word, or looked for among words.
func (f field) checkComparison(operator string, left, right *ast.Term, wrong func(at *ast.Location, message string)) {
	ref, ok := left.Value.(ast.Ref)
	if !ok {
		return
	}
	of, _ := f.find(ref)
	word := func(term *ast.Term) {
		if text, ok := term.Value.(ast.String); ok {
			of.checkWord(term, string(text), wrong)
		}
	}
	switch operator {
	case ast.Equality.Name, ast.Equal.Name, ast.NotEqual.Name:
		word(right)
	case ast.Member.Name:
		switch among := right.Value.(type) {
		case ast.Set:
			among.Foreach(word)
		case *ast.Array:
			among.Foreach(word)
		}
	}
}

func (f field) checkWord(term *ast.Term, word string, wrong func(at *ast.Location, message string)) {
	if len(f.Enum) == 0 || slices.Contains(f.Enum, word) {
		return
	}
	words := make([]string, len(f.Enum))
	for i, one := range f.Enum {
		words[i] = ast.String(one).String()
	}
	wrong(term.Location, f.path+" is never "+ast.String(word).String()+"; it is one of "+strings.Join(words, ", "))
}
