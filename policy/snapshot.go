package policy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"
)

const (
	basePackage = "anteroom.meeting"
	// OwnPackage has the rules of an organisation's policy.
	OwnPackage = "anteroom.organization"
	// KeepPackage has the rules of an organisation's policy on how long things are kept.
	KeepPackage = OwnPackage + ".retention"
	// testPackage has the tests of an organisation's policy, which are no part of what is activated.
	testPackage = "anteroom.organization_test"
	// entryPackage gathers what an organisation's policy has into one value; nobody writes it but entryModule.
	entryPackage = "anteroom.entry"

	entryDeny     = "deny"
	entryLobby    = "lobby"
	entryWithhold = "withhold"
	entryGrant    = "grant"
)

// ownEntries are the rules that an organisation's policy is asked for.
func ownEntries() []string { return []string{entryDeny, entryLobby, entryWithhold, entryGrant} }

// snapshot is one compiled revision of the base policy, alone or with one organisation's. It never changes, so that evaluations share it
// without a lock; a new revision is a new snapshot.
type snapshot struct {
	// decide yields the base's decision, grants the base's withhold, own the organisation's rules.
	decide, grants, own rego.PreparedEvalQuery
	// revision as Decision.Revision has it.
	revision string
	// hasOwn: an organisation's rules are part of it, and must be part of every answer.
	hasOwn  bool
	timeout time.Duration
	// refused is why this snapshot has no answer to anything; nil for those that decide.
	refused error
	// decisions and allGrants are those that were made by it; nil where none are remembered.
	decisions *memo[judged]
	allGrants *memo[Grants]
	// failures of the organisation's rules so far.
	failures counter
	// running has a place for each evaluation of the organisation's rules; hung tells that one of them will not end.
	running chan struct{}
	hung    atomic.Bool
}

var errUndefined = errors.New("the policy's answer is undefined")

// compile builds a snapshot of the base and, if there are any, an organisation's modules.
func (b *base) compile(ctx context.Context, own map[string]*ast.Module, entries []string, data map[string]any, timeout time.Duration) (*snapshot, error) {
	modules := maps.Clone(b.modules)
	maps.Copy(modules, own)
	if len(entries) > 0 {
		module, err := parseModule(entryPackage, entryModule(entries))
		if err != nil {
			return nil, err
		}
		modules[entryPackage] = module
	}
	all := maps.Clone(b.data)
	if data == nil {
		data = map[string]any{}
	}
	all["organization"] = data
	ask, err := b.preparer(ctx, modules, all)
	if err != nil {
		return nil, err
	}
	s := ownSnapshot(timeout)
	s.hasOwn = len(entries) > 0
	told := scalesOf(modules, all)
	s.decisions, s.allGrants = newMemo[judged](told), newMemo[Grants](told)
	if s.decide, err = ask(fmt.Sprintf("base := data.%s.decision", basePackage)); err != nil {
		return nil, fmt.Errorf("prepare decisions: %w", err)
	}
	if s.grants, err = ask(fmt.Sprintf("base := data.%s.%s", basePackage, entryWithhold)); err != nil {
		return nil, fmt.Errorf("prepare grants: %w", err)
	}
	if s.hasOwn {
		if s.own, err = ask(fmt.Sprintf("own := data.%s.own", entryPackage)); err != nil {
			return nil, fmt.Errorf("prepare the organisation's rules: %w", err)
		}
	}
	return s, nil
}

// preparer compiles modules with their data and gives what makes queries of them.
func (b *base) preparer(ctx context.Context, modules map[string]*ast.Module, data map[string]any) (func(query string) (rego.PreparedEvalQuery, error), error) {
	compiler := ast.NewCompiler().
		WithCapabilities(b.capabilities).
		WithStrict(true).
		WithSchemas(b.schemas).
		WithUseTypeCheckAnnotations(true)
	if compiler.Compile(modules); compiler.Failed() {
		return nil, fmt.Errorf("compile: %w", compiler.Errors)
	}
	store := inmem.NewFromObjectWithOpts(data, inmem.OptReturnASTValuesOnRead(true))
	return func(query string) (rego.PreparedEvalQuery, error) {
		return rego.New(
			rego.Query(query),
			rego.Compiler(compiler),
			rego.Store(store),
			rego.StrictBuiltinErrors(true),
			rego.GenerateJSON(func(term *ast.Term, _ *rego.EvalContext) (any, error) { return term.Value, nil }),
		).PrepareForEval(ctx)
	}, nil
}

func entryModule(entries []string) string {
	asked := make([]string, len(entries))
	for i, entry := range entries {
		asked[i] = fmt.Sprintf("%q: data.%s.%s", entry, OwnPackage, entry)
	}
	return "package " + entryPackage + "\n\nown := {" + strings.Join(asked, ", ") + "}\n"
}

// answer is what a query yields: the value of the base's entry, and of the organisation's entries by name, nil without any.
type answer struct {
	base ast.Value
	own  ast.Object
}

// ownSnapshot is one that can be asked by evalOwn, without queries yet.
func ownSnapshot(timeout time.Duration) *snapshot {
	return &snapshot{timeout: timeout, running: make(chan struct{}, atOnce())}
}

// ask answers a query to the base, and what the organisation's rules say of the same.
func (s *snapshot) ask(ctx context.Context, k *keys, query *rego.PreparedEvalQuery, in *Input) (answer, error) {
	if s.refused != nil {
		return answer{}, s.refused
	}
	a, err := s.eval(ctx, query, k.value(in))
	if err != nil || !s.hasOwn {
		return a, err
	}
	// An organisation's rules can't see which capability is asked for, so that they say the same of it alone and among all.
	general := *in
	general.Capability = ""
	own, err := s.evalOwn(ctx, &s.own, k.value(&general))
	if err == nil && own.own == nil {
		err = errUndefined
	}
	a.own = own.own
	return a, err
}

// eval answers a query to shipped rules. It returns an error for whatever isn't a defined answer in time, a panic of the evaluator included.
func (s *snapshot) eval(ctx context.Context, query *rego.PreparedEvalQuery, input ast.Value, more ...rego.EvalOption) (a answer, err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case *topdown.Error: // the guard's
			a, err = answer{}, p
		default:
			a, err = answer{}, fmt.Errorf("the evaluator panicked (%T)", p)
		}
	}()
	if err := ctx.Err(); err != nil {
		return answer{}, err
	}
	// A cancel of our own spares the goroutine that the evaluator would start to watch the context.
	cancel := topdown.NewCancel()
	defer time.AfterFunc(s.timeout, cancel.Cancel).Stop()
	if ctx.Done() != nil {
		defer context.AfterFunc(ctx, cancel.Cancel)()
	}
	more = append(more, rego.EvalParsedInput(input), rego.EvalExternalCancel(cancel), rego.EvalMetrics(metrics.NoOp()))
	results, err := query.Eval(ctx, more...)
	if err != nil {
		return answer{}, err
	}
	if len(results) != 1 {
		return answer{}, errUndefined
	}
	a.base, _ = results[0].Bindings["base"].(ast.Value)
	a.own, _ = results[0].Bindings["own"].(ast.Object)
	if a.base == nil && a.own == nil {
		return answer{}, errUndefined
	}
	return a, nil
}
