package policy

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// What an organisation's policy may take up, so that one organisation's authors can't use up the service's memory.
const (
	MaxModules     = 64
	MaxModuleBytes = 256 << 10
	MaxDataBytes   = 1 << 20
	// MaxNumberChars of a number in Rego: enough for 64 bits.
	MaxNumberChars = 20
	// MaxDepth of terms within each other in Rego: what is deeper takes the compiler and the evaluator more stack than they have.
	MaxDepth = 200
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
	if len(r.Modules) == 0 || len(r.Modules) > MaxModules {
		return nil, nil, fmt.Errorf("a policy has 1 to %d modules, not %d", MaxModules, len(r.Modules))
	}
	data, err := json.Marshal(r.Data)
	if err != nil {
		return nil, nil, fmt.Errorf("encode the policy's data: %w", err)
	}
	if len(data) > MaxDataBytes {
		return nil, nil, fmt.Errorf("the policy's data has %d bytes, more than %d", len(data), MaxDataBytes)
	}
	modules = make(map[string]*ast.Module, len(r.Modules))
	var errs ast.Errors
	for _, name := range slices.Sorted(maps.Keys(r.Modules)) {
		module, wrong := Parse(name, r.Modules[name])
		if len(wrong) == 0 {
			modules[OwnFolder+name] = module
		}
		errs = append(errs, wrong...)
	}
	if len(errs) > 0 {
		return nil, nil, errs
	}
	if entries, err = Entries(modules); err != nil {
		return nil, nil, err
	}
	return modules, entries, nil
}
