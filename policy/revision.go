package policy

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// What an organisation's policy may take up, so that one organisation's authors can't use up the service's memory.
const (
	maxModules     = 64
	maxModuleBytes = 256 << 10
	maxDataBytes   = 1 << 20
	// maxNumberChars of a number in Rego: enough for 64 bits.
	maxNumberChars = 20
)

// Revision is an organisation's own policy: Rego of package anteroom.organization, or packages below it.
//
// Of package anteroom.organization these rules are asked, each a set that the policy adds to (`deny contains "reason" if …`); a policy has at least one:
//
//	deny      reasons why the participant may not enter
//	lobby     reasons why it waits
//	withhold  withhold[capability]: reasons why it may not use the capability
//	grant     capabilities that it may use although the base policy's rules on roles refuse them, if the operator lists them as grantable
//
// A reason is text of a-z, 0-9 and '_', at most 64 characters, or an object with such a "reason" and the "rule" it comes from, as
// rego.metadata.rule().custom yields it. The rules speak of all capabilities at once: input.capability is empty for them.
type Revision struct {
	// Modules are Rego sources by file name; at most 64 of 256 KiB each.
	Modules map[string]string
	// Data is what the policy sees as data.organization; at most 1 MiB as JSON. Nil for none.
	Data map[string]any
}

// ID is the digest of the revision's content: 128 bits of SHA-256 in hexadecimal.
func (r Revision) ID() (string, error) {
	data, err := json.Marshal(r.Data)
	if err != nil {
		return "", fmt.Errorf("encode the policy's data: %w", err)
	}
	return digest(r.Modules, data), nil
}

// digest is of names, contents and lengths, so that no two different sets of parts have the same.
func digest(modules map[string]string, more ...[]byte) string {
	h := sha256.New()
	write := func(part []byte) {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write(part)
	}
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		write([]byte(name))
		write([]byte(modules[name]))
	}
	for _, part := range more {
		write(part)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// parse checks what can be told before compiling: sizes, packages, and that what is asked of the policy has the right form.
func (r Revision) parse() (modules map[string]*ast.Module, entries []string, err error) {
	if len(r.Modules) == 0 || len(r.Modules) > maxModules {
		return nil, nil, fmt.Errorf("a policy has 1 to %d modules, not %d", maxModules, len(r.Modules))
	}
	data, err := json.Marshal(r.Data)
	if err != nil {
		return nil, nil, fmt.Errorf("encode the policy's data: %w", err)
	}
	if len(data) > maxDataBytes {
		return nil, nil, fmt.Errorf("the policy's data has %d bytes, more than %d", len(data), maxDataBytes)
	}
	modules = make(map[string]*ast.Module, len(r.Modules))
	found := map[string]bool{}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(r.Modules)) {
		text := r.Modules[name]
		if len(text) > maxModuleBytes {
			errs = append(errs, fmt.Errorf("%s: has %d bytes, more than %d", name, len(text), maxModuleBytes))
			continue
		}
		module, err := parseModule(name, text)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, checkModule(name, module, found)...)
		modules["organization/"+name] = module
	}
	if len(errs) == 0 && len(found) == 0 {
		errs = append(errs, fmt.Errorf("package %s has none of the rules that are asked: deny, lobby, withhold, grant", ownPackage))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, nil, err
	}
	return modules, slices.Sorted(maps.Keys(found)), nil
}

func checkModule(name string, module *ast.Module, found map[string]bool) []error {
	var errs []error
	path := strings.TrimPrefix(module.Package.Path.String(), "data.")
	if path != ownPackage && !strings.HasPrefix(path, ownPackage+".") {
		errs = append(errs, fmt.Errorf("%s: package %s is not %s or below it", name, path, ownPackage))
	}
	for _, rule := range module.Rules {
		entry := string(rule.Head.Ref()[0].Value.(ast.Var))
		if path == ownPackage && slices.Contains(ownEntries(), entry) {
			found[entry] = true
			refs := 1
			if entry == entryWithhold {
				refs = 2
			}
			if rule.Head.RuleKind() != ast.MultiValue || len(rule.Head.Ref()) != refs || len(rule.Head.Args) > 0 {
				errs = append(errs, fmt.Errorf("%s: %s must add to a set (%s)", rule.Location, entry, entryForm(entry)))
			}
		}
	}
	return append(errs, checkTerms(module)...)
}

// checkTerms looks at every term of a module, those in the names of its rules included.
func checkTerms(module *ast.Module) []error {
	var errs []error
	check := func(term *ast.Term) bool {
		switch value := term.Value.(type) {
		case ast.Number:
			// Arithmetic on huge numbers can't be interrupted.
			if len(value) > maxNumberChars || strings.ContainsAny(string(value), "eE") {
				errs = append(errs, fmt.Errorf("%s: a number has at most %d characters and no exponent", term.Location, maxNumberChars))
			}
		case ast.Ref:
			if value.HasPrefix(ast.Ref{ast.InputRootDocument, ast.InternedTerm("capability")}) {
				errs = append(errs, fmt.Errorf("%s: input.capability is empty here; name the capability, as in withhold.sendChat or withhold[capability]", term.Location))
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
