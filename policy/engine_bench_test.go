package policy

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
)

// BenchmarkDecide shows the engine's decisions beside plain ones of the rego package: the same policy, data and input, asked the way its
// documentation does.
func BenchmarkDecide(b *testing.B) {
	e, err := New(DefaultConfig(), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	own, err := New(DefaultConfig(), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	if err := own.Activate("acme", Revision{Modules: map[string]string{"quiet.rego": narrowing}}); err != nil {
		b.Fatal(err)
	}
	inputs := map[string]Input{"join": guest(ActionJoin, ""), "use": guest(ActionUse, SendChat), "refuse": guest(ActionUse, RaiseHand)}
	for name, in := range inputs {
		ctx := context.Background()
		b.Run(name+"/engine", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e.Decide(ctx, "acme", in)
			}
		})
		b.Run(name+"/engine-with-own-policy", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				own.Decide(ctx, "acme", in)
			}
		})
		b.Run(name+"/plain-rego", func(b *testing.B) {
			query := plainQuery(b, e)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := query.Eval(ctx, rego.EvalInput(in)); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/plain-rego-map", func(b *testing.B) {
			query := plainQuery(b, e)
			text, err := json.Marshal(in)
			if err != nil {
				b.Fatal(err)
			}
			var asMap map[string]any
			if err := json.Unmarshal(text, &asMap); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := query.Eval(ctx, rego.EvalInput(asMap)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("parallel/engine", func(b *testing.B) {
		in := inputs["use"]
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				e.Decide(context.Background(), "acme", in)
			}
		})
	})
}

// BenchmarkGrants is all capabilities in one evaluation.
func BenchmarkGrants(b *testing.B) {
	e, err := New(DefaultConfig(), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	waiting := guest(ActionUse, "")
	waiting.Participant.State = "in_lobby"
	for name, in := range map[string]Input{"guest": guest(ActionUse, ""), "org-user": orgUser(ActionUse, ""), "waiting": waiting} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e.Grants(context.Background(), "acme", in)
			}
		})
	}
}

func plainQuery(b *testing.B, e *Engine) rego.PreparedEvalQuery {
	b.Helper()
	compiler := ast.NewCompiler().WithCapabilities(e.base.capabilities).WithStrict(true).WithSchemas(e.base.schemas)
	if compiler.Compile(e.base.modules); compiler.Failed() {
		b.Fatal(compiler.Errors)
	}
	query, err := rego.New(
		rego.Query("data.anteroom.meeting.decision"), rego.Compiler(compiler), rego.Store(inmem.NewFromObject(e.base.data)),
	).PrepareForEval(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	return query
}
