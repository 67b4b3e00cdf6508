package author

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/print"

	"github.com/anteroom/anteroom/policy"
)

// EvaluateRequest is what is to be tried.
type EvaluateRequest struct {
	// Input as the schema has it: of a decision, or of one on how long something is kept, which has the field kept and no other.
	Input json.RawMessage `json:"input"`
	// Query is a Rego expression whose value is asked for beside the decision, as in a module of package anteroom.organization; "" for none.
	Query string `json:"query"`
}

// Evaluation is what a policy says of an input.
type Evaluation struct {
	// Effect is allow, lobby or deny; deny, with Error, if the policy failed; "" of what is kept.
	Effect  string   `json:"effect"`
	Reasons []string `json:"reasons"`
	// Rules that refused, by the ids of their metadata.
	Rules       []string `json:"rules"`
	Obligations []string `json:"obligations"`
	// Grants are all capabilities, as if this participant asked for them.
	Grants map[string]policy.Grant `json:"grants"`
	// Value of the query, sets as lists; nil if it is undefined or none was asked. A query with variables has an object of them, one with
	// several results a list.
	Value any `json:"value"`
	// Printed are the lines of print() on the way to the query's value, or to the decision if none was asked, each with its file and line.
	Printed []string `json:"printed"`
	// Covered are the ranges of lines that were evaluated for the decision, by file of the content.
	Covered map[string][][2]int `json:"covered"`
	// Kept is how long something would be kept; nil of any other input.
	Kept *KeptEvaluation `json:"kept"`
	// TookUs is the time of the decision alone in microseconds.
	TookUs int64 `json:"took_us"`
	// Error says why the policy failed, or what is wrong with the content, the input or the query.
	Error string `json:"error"`
}

// maxPrinted is how many lines of print() are told.
const maxPrinted = 1000

// maxQueryBytes is how long a query may be.
const maxQueryBytes = 16 << 10

// Evaluate decides on an input by a content over the base; a content without files is the base alone. Errors are in the evaluation.
func Evaluate(ctx context.Context, base *policy.Base, c Content, request EvaluateRequest) Evaluation {
	e := Evaluation{
		Effect: string(policy.Deny), Reasons: []string{}, Rules: []string{}, Obligations: []string{}, Grants: map[string]policy.Grant{},
		Printed: []string{}, Covered: map[string][][2]int{},
	}
	decide := e.decide
	if isOfKept(request.Input) {
		decide = e.keep
	}
	if err := decide(ctx, base, c, request); err != nil {
		e.Error = err.Error()
	}
	return e
}

func (e *Evaluation) decide(ctx context.Context, base *policy.Base, c Content, request EvaluateRequest) error {
	in, err := readInput(request.Input)
	if err != nil {
		return fmt.Errorf("the input can't be decided on: %w", err)
	}
	engine, err := engineOf(base, c)
	if err != nil {
		return err
	}
	decision, refusals, err := engine.Try(ctx, organization, in)
	if err != nil {
		e.Reasons = []string{string(policy.PolicyFailed)}
		// What was printed and evaluated on the way may tell why.
		return errors.Join(failure(base, err), e.trace(ctx, base, c, ownRules(in), ""))
	}
	e.Effect = string(decision.Effect)
	for _, reason := range decision.Reasons {
		e.Reasons = append(e.Reasons, string(reason))
	}
	for _, refusal := range refusals {
		if refusal.Rule != "" {
			e.Rules = append(e.Rules, refusal.Rule)
		}
	}
	for _, obligation := range decision.Obligations {
		e.Obligations = append(e.Obligations, string(obligation))
	}
	e.TookUs = timed(ctx, engine, in).Microseconds()
	grants, err := engine.TryGrants(ctx, organization, in)
	if err != nil {
		return fmt.Errorf("asked for all capabilities: %w", failure(base, err))
	}
	for capability, grant := range grants {
		e.Grants[string(capability)] = grant
	}
	return e.trace(ctx, base, c, ownRules(in), strings.TrimSpace(request.Query))
}

// failure says why a policy failed.
func failure(base *policy.Base, err error) error {
	if topdown.IsCancel(err) {
		return fmt.Errorf("the policy took longer than %s", base.Config().Timeout)
	}
	return fmt.Errorf("the policy failed: %w", err)
}

// timed is the median of a few decisions.
func timed(ctx context.Context, engine *policy.Engine, in policy.Input) time.Duration {
	took := make([]time.Duration, 5)
	for i := range took {
		started := time.Now()
		_, _, _ = engine.Try(ctx, organization, in)
		took[i] = time.Since(started)
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// organization is whose policy a content is where nobody else's is loaded.
const organization = "organization"

// engineOf decides by a content as the service would once it is active.
func engineOf(base *policy.Base, c Content) (*policy.Engine, error) {
	var own *policy.Revision
	if len(c.Files) > 0 {
		if _, list := c.parse(base); failed(list) {
			return nil, fmt.Errorf("the policy has errors: %s", firstError(ordered(list)))
		}
		r, err := c.Revision()
		if err != nil {
			return nil, err
		}
		own = &r
	}
	engine, err := base.Engine(slog.New(slog.DiscardHandler), organization, own)
	if err != nil {
		if wrong := c.diagnostics(err); wrong[0].File != "" {
			return nil, fmt.Errorf("the policy has errors: %s", firstError(ordered(wrong)))
		}
		return nil, fmt.Errorf("the policy can't be activated: %w", err)
	}
	return engine, nil
}

func firstError(list []Diagnostic) string {
	for _, d := range list {
		if d.Severity == SeverityError {
			return fmt.Sprintf("%s:%d: %s: %s", d.File, d.Line, d.Code, d.Message)
		}
	}
	return ""
}

// readInput takes exactly an input: a field that there isn't would be a typo.
func readInput(text json.RawMessage) (policy.Input, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var in policy.Input
	if err := decoder.Decode(&in); err != nil {
		return in, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return in, errors.New("there is more after the input")
	}
	return in, nil
}

// traced is what is evaluated once more: rules of a package on an input.
type traced struct {
	in   ast.Value
	pkg  string
	asks func(p parsed) []string
}

func ownRules(in policy.Input) traced {
	return traced{in.Value(), policy.OwnPackage, func(p parsed) (asks []string) {
		entries, _ := policy.Entries(p.modules)
		for _, entry := range entries {
			asks = append(asks, fmt.Sprintf(`data.%s.%s with input.capability as ""`, policy.OwnPackage, entry))
		}
		return asks
	}}
}

// trace evaluates the organisation's rules once more, with print() and what is evaluated noted, and the query.
func (e *Evaluation) trace(ctx context.Context, base *policy.Base, c Content, of traced, query string) error {
	p, _ := c.parse(base)
	compiler := base.Compiler(true).WithEnablePrintStatements(true)
	if compiler.Compile(p.over(base, false)); compiler.Failed() {
		return compiler.Errors
	}
	store := inmem.NewFromObjectWithOpts(base.Data(p.data), inmem.OptReturnASTValuesOnRead(true))
	covered := cover.New()
	ask := func(query string, options ...rego.EvalOption) (rego.ResultSet, error) {
		prepared, err := rego.New(
			rego.Query(query), rego.Package(of.pkg), rego.Compiler(compiler), rego.Store(store), rego.StrictBuiltinErrors(true),
		).PrepareForEval(ctx)
		if err != nil {
			return nil, err
		}
		cancel := topdown.NewCancel()
		defer time.AfterFunc(base.Config().Timeout, cancel.Cancel).Stop()
		options = append(options, rego.EvalParsedInput(of.in), rego.EvalExternalCancel(cancel))
		return prepared.Eval(ctx, options...)
	}
	decided := []rego.EvalOption{rego.EvalQueryTracer(covered)}
	if query == "" {
		decided = append(decided, rego.EvalPrintHook(e))
	}
	for _, rule := range of.asks(p) {
		if _, err := ask(rule, decided...); err != nil {
			return err
		}
	}
	report := covered.Report(p.modules)
	for name := range p.modules {
		e.Covered[name] = ranges(report.Files[name].Covered)
	}
	if query == "" {
		return nil
	}
	if len(query) > maxQueryBytes {
		return fmt.Errorf("the query is longer than %d bytes", maxQueryBytes)
	}
	results, err := ask(query, rego.EvalPrintHook(e))
	if err != nil {
		return fmt.Errorf("the query: %w", failure(base, err))
	}
	e.Value = valueOf(results)
	return nil
}

// Print notes a line of print(), for OPA.
func (e *Evaluation) Print(at print.Context, text string) error {
	switch {
	case len(e.Printed) == maxPrinted:
		e.Printed = append(e.Printed, "…")
	case len(e.Printed) < maxPrinted:
		e.Printed = append(e.Printed, fmt.Sprintf("%s:%d: %s", at.Location.File, at.Location.Row, shortened(text)))
	}
	return nil
}

// valueOf is what a query yields, as JSON has it.
func valueOf(results rego.ResultSet) any {
	values := make([]any, 0, len(results))
	for _, r := range results {
		var value any = map[string]any(r.Bindings)
		if len(r.Bindings) == 0 && len(r.Expressions) > 0 {
			value = r.Expressions[len(r.Expressions)-1].Value
		}
		values = append(values, value)
	}
	switch len(values) {
	case 0:
		return nil
	case 1:
		return values[0]
	}
	return values
}
