package policy

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Base is the operator's base policy as those see it who check, test and try organisations' policies over it. It never changes.
type Base struct {
	b   *base
	cfg Config
}

// NewBase reads the shipped policy with the operator's data, as New does.
func NewBase(cfg Config) (*Base, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	b, err := loadBase(cfg)
	if err != nil {
		return nil, err
	}
	return &Base{b: b, cfg: cfg}, nil
}

// WithBuiltins is the base with more of OPA's built-ins allowed. It is for tests of what contains them; no configuration leads here.
func (b *Base) WithBuiltins(names ...string) *Base {
	more := *b.b
	capabilities := *more.capabilities
	capabilities.Builtins = slices.Clone(capabilities.Builtins)
	for _, builtin := range ast.CapabilitiesForThisVersion().Builtins {
		if slices.Contains(names, builtin.Name) {
			capabilities.Builtins = append(capabilities.Builtins, builtin)
		}
	}
	more.capabilities = &capabilities
	return &Base{b: &more, cfg: b.cfg}
}

// Config is the operator's, with its defaults.
func (b *Base) Config() Config { return b.cfg }

// Revision names the Rego, the data and the built-ins, as Decision.Revision does after "base@".
func (b *Base) Revision() string { return b.b.revision }

// Modules are the base's, by path, copied.
func (b *Base) Modules() map[string]*ast.Module {
	modules := make(map[string]*ast.Module, len(b.b.modules))
	for name, module := range b.b.modules {
		modules[name] = module.Copy()
	}
	return modules
}

// Data is what the policy sees as data, with an organisation's as data.organization.
func (b *Base) Data(organization map[string]any) map[string]any {
	all := maps.Clone(b.b.data)
	if organization == nil {
		organization = map[string]any{}
	}
	all["organization"] = organization
	return all
}

// Reasons are those of the base policy, the most important first.
func (b *Base) Reasons() []Reason {
	reasons := slices.Collect(maps.Keys(b.b.rank))
	slices.SortFunc(reasons, func(x, y Reason) int { return b.b.rank[x] - b.b.rank[y] })
	return reasons
}

// Builtins are what policies may call.
func (b *Base) Builtins() []*ast.Builtin { return b.b.capabilities.Builtins }

// Schema of the input.
func (b *Base) Schema() json.RawMessage {
	// It is embedded, and read already.
	text, _ := shipped.ReadFile(SchemaFile)
	return text
}

// Compiler is a new one for modules of the base and of an organisation, with what they may call; with the schema, each `input.…` must be
// one that there is.
func (b *Base) Compiler(schema bool) *ast.Compiler {
	compiler := ast.NewCompiler().WithCapabilities(b.b.capabilities).WithStrict(true).WithUseTypeCheckAnnotations(true)
	if schema {
		compiler = compiler.WithSchemas(b.b.schemas)
	}
	return compiler
}

// The files that other tools read beside Rego.
const (
	CapabilitiesFile = "capabilities.json"
	SchemaFile       = "input.schema.json"
	DataFile         = "data.json"
)

// Files are what other tools need to agree with this package about a policy: the base's Rego with its tests, its data with the operator's in it
// (anteroom/…, DataFile), what may be called (CapabilitiesFile) and the input's schema (SchemaFile).
func (b *Base) Files() (map[string]string, error) {
	files, err := shippedTexts(meetingFolder, true)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{CapabilitiesFile, SchemaFile} {
		text, err := fs.ReadFile(shipped, name)
		if err != nil {
			return nil, fmt.Errorf("read the base policy: %w", err)
		}
		files[name] = string(text)
	}
	data, err := json.MarshalIndent(b.b.data, "", "\t")
	if err != nil {
		return nil, fmt.Errorf("encode the base policy's data: %w", err)
	}
	files[DataFile] = string(data) + "\n"
	return files, nil
}

// Engine is a new one over this base that decides for one organisation by a revision, or by the base alone if it is nil.
func (b *Base) Engine(log *slog.Logger, org string, r *Revision) (*Engine, error) {
	e, err := newEngine(b.b, b.cfg, log)
	if err != nil || r == nil {
		return e, err
	}
	if err := e.Activate(org, *r); err != nil {
		return nil, err
	}
	return e, nil
}

// KeptBy is what decides how long things are kept, over this base, for one organisation by a revision, or by the rules of the house alone if it is nil.
func (b *Base) KeptBy(org string, own *Revision) (*KeptBy, error) {
	r, err := NewRetention(b.cfg)
	if err != nil {
		return nil, err
	}
	r.meeting = b.b
	return r.With(org, own)
}

// Refusal is one rule's no.
type Refusal struct {
	Reason Reason
	// Rule is the id of its metadata, "" when it gives none.
	Rule string
}

// Try decides as Decide does, and says which rules refused, the most important first, and why the policy failed if it did: there is no
// decision then, and nothing is logged.
func (e *Engine) Try(ctx context.Context, org string, in Input) (Decision, []Refusal, error) {
	s := e.snapshot(org)
	d, list, err := e.judge(ctx, s, &in)
	d.Revision = s.revision
	return d, refusalsOf(list), err
}

// Replay answers as Try does, and remembers what it answered as Decide does: for who asks for many inputs, and not for how long one takes.
func (e *Engine) Replay(ctx context.Context, org string, in Input) (Decision, []Refusal, error) {
	s := e.snapshot(org)
	j, err := e.remembered(ctx, s, &in)
	j.decision.Revision = s.revision
	return j.decision, refusalsOf(j.refusals), err
}

func refusalsOf(list []refusal) (out []Refusal) {
	for _, r := range list {
		out = append(out, Refusal{Reason: r.reason, Rule: r.rule})
	}
	return out
}

// TryGrants answers as Grants does, and says why the policy failed if it did.
func (e *Engine) TryGrants(ctx context.Context, org string, in Input) (Grants, error) {
	return e.grantsOf(ctx, e.snapshot(org), &in)
}

// IsTest tells whether a file of this name has tests.
func IsTest(name string) bool { return strings.HasSuffix(name, "_test.rego") }
