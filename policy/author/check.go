package author

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/anteroom/anteroom/policy"
)

// What a content may have, beside policy's limits on each module and on data.
const (
	// MaxTests is how many files of tests, each as large as a module at most.
	MaxTests = 64
	// MaxPath is how many characters a file's path has at most.
	MaxPath = 128
	// MaxBytes is how large all files are together at most.
	MaxBytes = 8 << 20
)

// CheckResult says what is to be mended before a content can be a revision.
type CheckResult struct {
	// OK: there is no error. Warnings and what is not formatted don't matter to it.
	OK          bool         `json:"ok"`
	Diagnostics []Diagnostic `json:"diagnostics"`
	// Unformatted are the files that Format would change.
	Unformatted []string `json:"unformatted"`
}

// Check parses and compiles a content as its activation would: strictly, with the built-ins that are allowed and the input's schema. Beyond
// that, and beyond what the stock `opa check --strict --capabilities --schema` finds, it holds a content to the house's rules, whose codes
// begin with policy_. A content without files is the base alone, and OK.
func Check(_ context.Context, base *policy.Base, c Content) CheckResult {
	parsed, list := c.parse(base)
	if !failed(list) {
		list = append(list, c.compile(base, parsed)...)
	}
	unformatted := []string{}
	for name := range parsed.all() {
		if text, err := formatted(name, c.Files[name]); err == nil && text != c.Files[name] {
			unformatted = append(unformatted, name)
		}
	}
	slices.Sort(unformatted)
	list = ordered(list)
	return CheckResult{OK: !failed(list), Diagnostics: append([]Diagnostic{}, list...), Unformatted: unformatted}
}

// parsed are a content's modules by path.
type parsed struct {
	modules, tests map[string]*ast.Module
	data           map[string]any
}

func (p parsed) all() map[string]*ast.Module {
	all := maps.Clone(p.modules)
	maps.Copy(all, p.tests)
	return all
}

// over are the modules with the base's, those of the content under names that the base has not.
func (p parsed) over(base *policy.Base, tests bool) map[string]*ast.Module {
	modules := base.Modules()
	for name, module := range p.modules {
		modules[policy.OwnFolder+name] = module.Copy()
	}
	if tests {
		for name, module := range p.tests {
			modules[policy.OwnFolder+name] = module.Copy()
		}
	}
	return modules
}

// parse reads all files and checks what can be told of each alone.
func (c Content) parse(base *policy.Base) (parsed, []Diagnostic) {
	p := parsed{modules: map[string]*ast.Module{}, tests: map[string]*ast.Module{}}
	list := c.checkSizes()
	if failed(list) {
		return p, list
	}
	fields := fieldsOf(base)
	for _, name := range c.names() {
		if wrong := checkPath(name); wrong != "" {
			list = append(list, wholeFile(name, FileErr, wrong))
			continue
		}
		if name == DataFile {
			var wrong []Diagnostic
			p.data, wrong = c.parseData()
			list = append(list, wrong...)
			continue
		}
		read, into := policy.Parse, p.modules
		if policy.IsTest(name) {
			read, into = policy.ParseTest, p.tests
		}
		module, errs := read(name, c.Files[name])
		list = append(list, c.located(errs)...)
		if module != nil {
			list = append(list, c.located(checkInput(module, fields))...)
			into[name] = module
		}
	}
	return p, list
}

func (c Content) checkSizes() []Diagnostic {
	modules, tests, bytes := 0, 0, 0
	for name, text := range c.Files {
		bytes += len(text)
		switch {
		case policy.IsTest(name):
			tests++
		case isModule(name):
			modules++
		}
	}
	var list []Diagnostic
	for _, limit := range []struct {
		what       string
		value, max int
	}{{"modules", modules, policy.MaxModules}, {"files of tests", tests, MaxTests}, {"bytes", bytes, MaxBytes}} {
		if limit.value > limit.max {
			list = append(list, wholeFile("", policy.SizeErr, fmt.Sprintf("the policy has %d %s, more than %d", limit.value, limit.what, limit.max)))
		}
	}
	if modules == 0 && len(c.Files) > 0 {
		list = append(list, wholeFile("", policy.EntryErr, "the policy has no modules (files that end in .rego and not in _test.rego)"))
	}
	return list
}

// checkPath says what is wrong with a file's path, "" if nothing is.
func checkPath(name string) string {
	if len(name) > MaxPath || name != path.Clean(name) || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./") != "" {
		return fmt.Sprintf("a path has at most %d letters, digits, '_', '-', '.' and '/'", MaxPath)
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || strings.HasPrefix(part, ".") {
			return "no part of a path is empty or begins with '.'"
		}
	}
	if name != DataFile && !isModule(name) {
		return "a policy has files that end in .rego, and " + DataFile
	}
	return ""
}

// compile finds what can be told of all modules together: with the tests, and then of what is activated, which may need nothing of them.
func (c Content) compile(base *policy.Base, p parsed) []Diagnostic {
	if len(c.Files) == 0 {
		return nil
	}
	if _, err := policy.Entries(p.modules); err != nil {
		return []Diagnostic{wholeFile("", policy.EntryErr, err.Error())}
	}
	rounds := []bool{true, false}
	if len(p.tests) == 0 {
		rounds = rounds[1:]
	}
	for _, tests := range rounds {
		compiler := base.Compiler(true).SetErrorLimit(maxDiagnostics).WithEnablePrintStatements(true)
		if compiler.Compile(p.over(base, tests)); compiler.Failed() {
			return c.located(compiler.Errors)
		}
	}
	return nil
}
