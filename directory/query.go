package directory

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Limits of a query: it is asked for every user.
const (
	MaxQueryBytes = 4096
	// maxQueryTests are comparisons, and maxQueryDepth is how deep parentheses and "not" may lie.
	maxQueryTests = 100
	maxQueryDepth = 20
)

// Query is a condition on a user's attributes, such as
//
//	department == "Legal" and not country in ["DE", "FR"]
//
// A test is one of
//
//	attribute == "text"             has this value, letter by letter
//	attribute != "text"             has another value or none
//	attribute in ["a", "b"]         has one of these values
//	attribute startswith "text"     has a value that begins so
//	has attribute                   has any value
//
// and tests are joined by not, and, or (in this order of strength) and parentheses. An attribute is written as it is if it consists of letters,
// digits, '_', '-' and '.', begins with a letter or '_' and is none of the words above; otherwise in backquotes. In texts \" is a quote and \\ a backslash.
type Query struct{ root node }

// QueryError says where a query can't be read.
type QueryError struct {
	// Column counts characters from 1.
	Column int
	// Reason is what is wrong there. It never quotes the query.
	Reason string
}

func (e *QueryError) Error() string { return fmt.Sprintf("at column %d: %s", e.Column, e.Reason) }

// ParseQuery reads a query. It fails with *QueryError.
func ParseQuery(text string) (*Query, error) {
	if len(text) > MaxQueryBytes {
		return nil, &QueryError{1, fmt.Sprintf("the query has more than %d bytes", MaxQueryBytes)}
	}
	tokens, err := lexQuery(text)
	if err != nil {
		return nil, err
	}
	p := queryParser{tokens: tokens}
	root, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if end := p.peek(); end.kind != tokenEnd {
		return nil, end.unexpected("and, or, or the end")
	}
	return &Query{root}, nil
}

// Matches tells whether a user with these attributes meets the condition.
func (q *Query) Matches(attributes map[string]string) bool { return q.root.matches(attributes) }

// String is the query in its one form: two queries with the same form say the same.
func (q *Query) String() string { return q.root.String() }

// Widens tells whether whoever met old meets q, as far as the forms show it: all that old's "or" joins is joined by q's too.
func (q *Query) Widens(old *Query) bool {
	now := alternatives(q.root)
	for _, was := range alternatives(old.root) {
		if !slices.Contains(now, was) {
			return false
		}
	}
	return true
}

func alternatives(n node) []string {
	if either, ok := n.(orNode); ok {
		out := make([]string, len(either))
		for i, one := range either {
			out[i] = one.String()
		}
		return out
	}
	return []string{n.String()}
}

// node is a part of a query.
type node interface {
	fmt.Stringer
	matches(attributes map[string]string) bool
}

type (
	orNode  []node
	andNode []node
	notNode struct{ of node }
	// testNode compares one attribute.
	testNode struct {
		attribute string
		operator  string
		values    []string
	}
)

// Operators of tests, as they are written.
const (
	opEqual      = "=="
	opUnequal    = "!="
	opIn         = "in"
	opStartsWith = "startswith"
	opHas        = "has"
)

func (n orNode) matches(attributes map[string]string) bool {
	return slices.ContainsFunc(n, func(one node) bool { return one.matches(attributes) })
}

func (n andNode) matches(attributes map[string]string) bool {
	return !slices.ContainsFunc(n, func(one node) bool { return !one.matches(attributes) })
}

func (n notNode) matches(attributes map[string]string) bool { return !n.of.matches(attributes) }

func (n testNode) matches(attributes map[string]string) bool {
	value, has := attributes[n.attribute]
	switch n.operator {
	case opHas:
		return has
	case opUnequal:
		return !has || value != n.values[0]
	case opStartsWith:
		return has && strings.HasPrefix(value, n.values[0])
	default:
		return has && slices.Contains(n.values, value)
	}
}

// The forms have parentheses only where the query had to have them, so that nothing lies deeper than it did.
func (n orNode) String() string  { return joinNodes(n, " or ") }
func (n andNode) String() string { return joinNodes(n, " and ") }

func (n notNode) String() string {
	switch n.of.(type) {
	case orNode, andNode:
		return "not (" + n.of.String() + ")"
	}
	return "not " + n.of.String()
}

func (n testNode) String() string {
	name := n.attribute
	if !bareName(name) {
		name = "`" + name + "`"
	}
	switch n.operator {
	case opHas:
		return opHas + " " + name
	case opIn:
		quoted := make([]string, len(n.values))
		for i, v := range n.values {
			quoted[i] = quoteText(v)
		}
		return name + " in [" + strings.Join(quoted, ", ") + "]"
	default:
		return name + " " + n.operator + " " + quoteText(n.values[0])
	}
}

func joinNodes(nodes []node, word string) string {
	out := make([]string, len(nodes))
	for i, n := range nodes {
		out[i] = n.String()
		if _, either := n.(orNode); either {
			out[i] = "(" + out[i] + ")"
		}
	}
	return strings.Join(out, word)
}

func quoteText(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func bareName(name string) bool {
	for i, r := range name {
		if !nameRune(r, i == 0) {
			return false
		}
	}
	return name != "" && !slices.Contains(queryWords(), name)
}

func queryWords() []string { return []string{"and", "or", "not", opIn, opHas, opStartsWith} }

// queryParser reads tokens from left to right.
type queryParser struct {
	tokens []token
	tests  int
}

func (p *queryParser) peek() token { return p.tokens[0] }

func (p *queryParser) next() token {
	t := p.tokens[0]
	if t.kind != tokenEnd {
		p.tokens = p.tokens[1:]
	}
	return t
}

// take takes a word or sign if it is next.
func (p *queryParser) take(text string) bool {
	if t := p.peek(); (t.kind != tokenWord && t.kind != tokenSign) || t.text != text {
		return false
	}
	p.next()
	return true
}

// or and and flatten what lies within each other: "(a or b) or c" is "a or b or c", so that a query that was widened is found in the wider one.
func (p *queryParser) or(depth int) (node, error) {
	list, err := p.joined("or", func() (node, error) { return p.and(depth) })
	if err != nil || len(list) == 1 {
		return first(list), err
	}
	var flat orNode
	for _, one := range list {
		if inner, ok := one.(orNode); ok {
			flat = append(flat, inner...)
		} else {
			flat = append(flat, one)
		}
	}
	return flat, nil
}

func (p *queryParser) and(depth int) (node, error) {
	list, err := p.joined("and", func() (node, error) { return p.unary(depth) })
	if err != nil || len(list) == 1 {
		return first(list), err
	}
	var flat andNode
	for _, one := range list {
		if inner, ok := one.(andNode); ok {
			flat = append(flat, inner...)
		} else {
			flat = append(flat, one)
		}
	}
	return flat, nil
}

func first(list []node) node {
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

// joined reads what a word joins: at least one part.
func (p *queryParser) joined(word string, part func() (node, error)) ([]node, error) {
	var list []node
	for {
		one, err := part()
		if err != nil {
			return nil, err
		}
		list = append(list, one)
		if !p.take(word) {
			return list, nil
		}
	}
}

func (p *queryParser) unary(depth int) (node, error) {
	at := p.peek()
	if depth > maxQueryDepth {
		return nil, &QueryError{at.column, fmt.Sprintf("this lies more than %d deep", maxQueryDepth)}
	}
	switch {
	case p.take("not"):
		of, err := p.unary(depth + 1)
		return notNode{of}, err
	case p.take("("):
		inner, err := p.or(depth + 1)
		if err == nil && !p.take(")") {
			err = p.peek().unexpected("a closing parenthesis")
		}
		return inner, err
	}
	return p.test()
}

func (p *queryParser) test() (node, error) {
	at := p.peek()
	if p.tests++; p.tests > maxQueryTests {
		return nil, &QueryError{at.column, fmt.Sprintf("this is more than %d comparisons", maxQueryTests)}
	}
	if p.take(opHas) {
		name, err := p.attribute()
		return testNode{attribute: name, operator: opHas}, err
	}
	name, err := p.attribute()
	if err != nil {
		return nil, err
	}
	for _, operator := range []string{opEqual, opUnequal, opStartsWith} {
		if p.take(operator) {
			value, err := p.text()
			return testNode{name, operator, []string{value}}, err
		}
	}
	if !p.take(opIn) {
		return nil, p.peek().unexpected("==, !=, in or startswith")
	}
	values, err := p.list()
	return testNode{name, opIn, values}, err
}

func (p *queryParser) attribute() (string, error) {
	t := p.next()
	if t.kind == tokenQuoted || (t.kind == tokenWord && !slices.Contains(queryWords(), t.text)) {
		return t.text, nil
	}
	return "", t.unexpected("an attribute's name")
}

func (p *queryParser) text() (string, error) {
	t := p.next()
	if t.kind != tokenText {
		return "", t.unexpected("a text in double quotes")
	}
	return t.text, nil
}

func (p *queryParser) list() ([]string, error) {
	if !p.take("[") {
		return nil, p.peek().unexpected("a list such as [" + strconv.Quote("a") + "]")
	}
	var values []string
	for {
		value, err := p.text()
		if err != nil {
			return nil, err
		}
		values = append(values, value)
		if p.take("]") {
			return values, nil
		}
		if !p.take(",") {
			return nil, p.peek().unexpected("a comma or a closing bracket")
		}
	}
}
