package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// The codes of what this package finds in a policy, beside OPA's own (rego_parse_error, rego_type_error and so on). They never change.
const (
	SizeErr       = "policy_size_error"
	DepthErr      = "policy_depth_error"
	PackageErr    = "policy_package_error"
	EntryErr      = "policy_entry_error"
	NumberErr     = "policy_number_error"
	CapabilityErr = "policy_capability_error"
	PeriodErr     = "policy_period_error"
	SchemaErr     = "policy_schema_error"
	TestErr       = "policy_test_error"
)

// OwnFolder is before the names of an organisation's modules where they stand beside the base's.
const OwnFolder = "organization/"

// Parse parses one module of an organisation's policy and checks what can be told of it alone: its size, its package, and that what is asked of
// the policy has the right form. Each error has its place and a code, one of OPA's or of this package's.
func Parse(name, text string) (*ast.Module, ast.Errors) {
	module, errs := ParseModule(name, text)
	if len(errs) > 0 {
		return nil, errs
	}
	errs = append(errs, checkPackage(module, OwnPackage)...)
	errs = append(errs, checkEntries(module)...)
	errs = append(errs, checkShortens(module)...)
	errs = append(errs, checkSchemas(module)...)
	return module, append(errs, checkTerms(module, true)...)
}

// ParseTest parses one module of tests, which are in package anteroom.organization_test or below it.
func ParseTest(name, text string) (*ast.Module, ast.Errors) {
	module, errs := ParseModule(name, text)
	if len(errs) > 0 {
		return nil, errs
	}
	errs = append(checkPackage(module, testPackage), checkSchemas(module)...)
	return module, append(errs, checkTerms(module, false)...)
}

// ParseModule parses Rego of this version of the language within the limits on size and depth.
func ParseModule(name, text string) (*ast.Module, ast.Errors) {
	if len(text) > MaxModuleBytes {
		return nil, ast.Errors{finding(SizeErr, at(name, 1, 1), "the file has %d bytes, more than %d", len(text), MaxModuleBytes)}
	}
	module, err := parseModule(name, text)
	var errs ast.Errors
	switch {
	case err == nil:
		if place := tooDeep(module); place != nil {
			return nil, ast.Errors{finding(DepthErr, place, "more than %d terms are within each other", MaxDepth)}
		}
		return module, nil
	case errors.As(err, &errs):
		return nil, errs
	default:
		return nil, ast.Errors{finding(ast.ParseErr, at(name, 1, 1), "%s", err)}
	}
}

// Entries are the rules that the modules have of those that an organisation's policy is asked for about participants; none, if it speaks of how long
// things are kept only. It is an error if it has nothing that is asked for.
func Entries(modules map[string]*ast.Module) ([]string, error) {
	found := map[string]bool{}
	for _, module := range modules {
		for _, rule := range module.Rules {
			if entry, ok := entryOf(module, rule); ok {
				found[entry] = true
			}
		}
	}
	if len(found) == 0 && !Shortens(modules) {
		return nil, fmt.Errorf("package %s has none of the rules that are asked: deny, lobby, withhold, grant, nor package %s shorten", OwnPackage, KeepPackage)
	}
	return slices.Sorted(maps.Keys(found)), nil
}

func finding(code string, place *ast.Location, format string, args ...any) *ast.Error {
	return ast.NewError(code, place, format, args...)
}

func at(name string, row, col int) *ast.Location { return ast.NewLocation(nil, name, row, col) }

func checkPackage(module *ast.Module, allowed string) ast.Errors {
	path := packageOf(module)
	if path == allowed || strings.HasPrefix(path, allowed+".") {
		return nil
	}
	return ast.Errors{finding(PackageErr, module.Package.Location, "package %s is not %s or below it", path, allowed)}
}

func packageOf(module *ast.Module) string {
	return strings.TrimPrefix(module.Package.Path.String(), "data.")
}

// entryOf is which of the rules that are asked for a rule is part of.
func entryOf(module *ast.Module, rule *ast.Rule) (string, bool) {
	name, _ := rule.Head.Ref()[0].Value.(ast.Var)
	entry := string(name)
	return entry, packageOf(module) == OwnPackage && slices.Contains(ownEntries(), entry)
}

func checkEntries(module *ast.Module) ast.Errors {
	var errs ast.Errors
	for _, rule := range module.Rules {
		entry, ok := entryOf(module, rule)
		if !ok {
			continue
		}
		refs := 1
		if entry == entryWithhold {
			refs = 2
		}
		if rule.Head.RuleKind() != ast.MultiValue || len(rule.Head.Ref()) != refs || len(rule.Head.Args) > 0 {
			errs = append(errs, finding(EntryErr, rule.Location, "%s must add to a set (%s)", entry, entryForm(entry)))
			continue
		}
		errs = append(errs, checkCapability(rule, entry)...)
	}
	return errs
}

// checkCapability finds capabilities that don't exist, where they are named in a rule's head.
func checkCapability(rule *ast.Rule, entry string) ast.Errors {
	var named *ast.Term
	switch entry {
	case entryWithhold:
		named = rule.Head.Ref()[1]
	case entryGrant:
		named = rule.Head.Key
	}
	if named == nil {
		return nil
	}
	name, ok := named.Value.(ast.String)
	if !ok || slices.Contains(Capabilities(), Capability(name)) {
		return nil
	}
	return ast.Errors{finding(CapabilityErr, cmpLocation(named.Location, rule.Location), "%q is not a capability", string(name))}
}

func cmpLocation(place, other *ast.Location) *ast.Location {
	if place == nil {
		return other
	}
	return place
}

// checkSchemas finds schemas of the author's own, which would take the input for something that it isn't.
func checkSchemas(module *ast.Module) ast.Errors {
	var errs ast.Errors
	for _, annotation := range module.Annotations {
		if len(annotation.Schemas) > 0 {
			errs = append(errs, finding(SchemaErr, annotation.Location, "the input's schema is given; metadata can't name others"))
		}
	}
	return errs
}

// checkTerms looks at every term of a module, those in the names of its rules included.
func checkTerms(module *ast.Module, own bool) ast.Errors {
	var errs ast.Errors
	check := func(term *ast.Term) bool {
		switch value := term.Value.(type) {
		case ast.Number:
			// Arithmetic on huge numbers can't be interrupted.
			if len(value) > MaxNumberChars || strings.ContainsAny(string(value), "eE") {
				errs = append(errs, finding(NumberErr, term.Location, "a number has at most %d characters and no exponent", MaxNumberChars))
			}
		case ast.Ref:
			if own && value.HasPrefix(ast.Ref{ast.InputRootDocument, ast.InternedTerm("capability")}) {
				errs = append(errs, finding(CapabilityErr, term.Location,
					"input.capability is empty here; name the capability, as in withhold.sendChat or withhold[capability]"))
			}
			if own && value.HasPrefix(ast.Ref{ast.DefaultRootDocument, ast.InternedTerm("anteroom"), ast.InternedTerm("organization_test")}) {
				errs = append(errs, finding(TestErr, term.Location, "tests are no part of the policy; what both need belongs into a module"))
			} else if own && tooWide(value) {
				errs = append(errs, finding(PackageErr, term.Location,
					"a policy names what it needs of data: data.organization, data.anteroom.organization, data.anteroom.meeting or what that has in its data"))
			}
		}
		return false
	}
	ast.WalkTerms(module, check)
	for _, rule := range module.Rules {
		for _, term := range rule.Head.Ref() {
			ast.WalkTerms(term, check)
		}
	}
	return errs
}

// tooWide tells a reference that could be to what merges the policy with the base, here or in an agent's bundle, and so to itself.
func tooWide(ref ast.Ref) bool {
	if !ref[0].Equal(ast.DefaultRootDocument) {
		return false
	}
	if len(ref) < 2 {
		return true
	}
	root, named := ref[1].Value.(ast.String)
	if !named || root != "anteroom" {
		return !named
	}
	if len(ref) < 3 {
		return true
	}
	name, _ := ref[2].Value.(ast.String)
	return name != "meeting" && name != "organization"
}

func entryForm(entry string) string {
	switch entry {
	case entryWithhold:
		return `withhold["sendChat"] contains "reason" if …`
	case entryGrant:
		return `grant contains "raiseHand" if …`
	default:
		return entry + ` contains "reason" if …`
	}
}

func parseModule(name, text string) (*ast.Module, error) {
	module, err := ast.ParseModuleWithOpts(name, text, ast.ParserOptions{ProcessAnnotation: true, RegoVersion: ast.RegoV1})
	if err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}
	if module == nil {
		return nil, fmt.Errorf("parse %s: the module is empty", name)
	}
	return module, nil
}

// tooDeep is the first place where more terms are within each other than MaxDepth, or nil.
func tooDeep(module *ast.Module) *ast.Location {
	var place *ast.Location
	depth := 0
	enter := func(x any) bool {
		switch node := x.(type) {
		case *ast.Term:
			if depth++; depth > MaxDepth {
				place = node.Location
			}
		case *ast.Rule: // an else is within the rule before it
			if depth++; depth > MaxDepth {
				place = node.Location
			}
		}
		return place != nil
	}
	leave := func(x any) {
		switch x.(type) {
		case *ast.Term, *ast.Rule:
			depth--
		}
	}
	ast.NewBeforeAfterVisitor(enter, leave).Walk(module)
	return place
}
