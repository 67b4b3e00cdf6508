package policy

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// scale tells which values of a number of the input a policy can tell apart. Where all that its rules do with the number is to compare it with constants, it
// is the constants; where they do anything else with it, each value is its own.
type scale struct {
	each  bool
	marks []int // in order, each once
}

// place is the same for two values if no rule can tell one from the other: the mark that a value is, or between which marks it is.
func (s *scale) place(n int) int {
	if s.each {
		return n
	}
	i, is := slices.BinarySearch(s.marks, n)
	if is {
		return 2*i + 1
	}
	return 2 * i
}

// scales are those of the numbers of a Session.
type scales struct{ orgUsers, participants, chatMembers scale }

// scalesOf reads modules as they were written, before they are compiled, with the data that they see.
func scalesOf(modules map[string]*ast.Module, data map[string]any) *scales {
	r := scaleReader{data: data, used: map[string]int{}, compared: map[string]int{}, marks: map[string][]int{}}
	for _, module := range modules {
		ast.NewGenericVisitor(r.visit).Walk(module)
	}
	return &scales{orgUsers: r.scale("org_users"), participants: r.scale("participants"), chatMembers: r.scale("chat_members")}
}

// scaleReader counts where the input's numbers are named, and where they are no more than compared.
type scaleReader struct {
	data map[string]any
	// inputs are all places with the variable input, named those of them where it is written out which part is meant and, of the session, which number.
	inputs, named int
	// used and compared are places by the field's name, marks what it is compared with.
	used, compared map[string]int
	marks          map[string][]int
}

func (r *scaleReader) scale(field string) scale {
	if r.inputs != r.named || r.used[field] != r.compared[field] {
		return scale{each: true}
	}
	marks := slices.Clone(r.marks[field])
	slices.Sort(marks)
	return scale{marks: slices.Compact(marks)}
}

// visit looks at one node of a module's tree. Whatever isn't understood makes a number one of which each value counts.
func (r *scaleReader) visit(node any) bool {
	switch x := node.(type) {
	case ast.Var:
		if x.Equal(ast.InputRootDocument.Value) {
			r.inputs++
		}
	case ast.Ref:
		if part, field := partOf(x); part != "" && (part != "session" || field != "") {
			r.named++
			if part == "session" {
				r.used[field]++
			}
		}
	case *ast.With:
		// Elsewhere the data, and with it a constant, is another.
		if ref, ok := x.Target.Value.(ast.Ref); !ok || ref[0].Equal(ast.DefaultRootDocument) {
			r.inputs++
		}
	case *ast.Expr:
		if terms, ok := x.Terms.([]*ast.Term); ok {
			r.compares(terms)
		}
	case ast.Call:
		r.compares(x)
	}
	return false
}

// compares notes a comparison of a number with a constant: an operator and its two sides.
func (r *scaleReader) compares(terms []*ast.Term) {
	if len(terms) != 3 || !slices.Contains([]string{"gt", "gte", "lt", "lte", "equal", "neq", "eq"}, terms[0].String()) {
		return
	}
	for i := 1; i <= 2; i++ {
		ref, _ := terms[i].Value.(ast.Ref)
		part, field := partOf(ref)
		mark, ok := r.constant(terms[3-i].Value)
		if part == "session" && len(ref) == 3 && ok {
			r.compared[field]++
			r.marks[field] = append(r.marks[field], mark)
		}
	}
}

// partOf are the names of input.PART.FIELD, "" for those that aren't written out.
func partOf(ref ast.Ref) (part, field string) {
	if len(ref) < 2 || !ref[0].Equal(ast.InputRootDocument) {
		return "", ""
	}
	first, _ := ref[1].Value.(ast.String)
	if len(ref) > 2 {
		second, _ := ref[2].Value.(ast.String)
		field = string(second)
	}
	return string(first), field
}

// constant is a whole number that is written out or is in the data, which never changes while a snapshot is asked.
func (r *scaleReader) constant(value ast.Value) (int, bool) {
	switch x := value.(type) {
	case ast.Number:
		return x.Int()
	case ast.Ref:
		if !x[0].Equal(ast.DefaultRootDocument) {
			return 0, false
		}
		var at any = r.data
		for _, term := range x[1:] {
			name, ok := term.Value.(ast.String)
			below, is := at.(map[string]any)
			if !ok || !is {
				return 0, false
			}
			at = below[string(name)]
		}
		found, err := ast.InterfaceToValue(at)
		number, ok := found.(ast.Number)
		if err != nil || !ok {
			return 0, false
		}
		return number.Int()
	}
	return 0, false
}
