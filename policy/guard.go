package policy

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/metrics"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// What one evaluation of an organisation's policy may take of this process before it is ended. The sandbox tries policies on some inputs; what one
// does on an input that nobody tried, it does here.
const (
	// maxStackBytes: the evaluator calls itself once for each element of two lists that it compares, and a stack that meets the runtime's limit ends
	// the whole process.
	maxStackBytes = 48 << 20
	// maxLiveBytes is how much more is in use at the end of a garbage collection than was at the beginning.
	maxLiveBytes = 256 << 20
	// guardEvery is after how many steps it is looked, which an ordinary decision doesn't come to.
	guardEvery = 4096
)

// errHung: a built-in function doesn't come back, and nothing can end it. Whoever asked is answered all the same, and this snapshot isn't asked again.
var errHung = errors.New("the policy hangs in a built-in function")

// guard ends an evaluation where the evaluator itself doesn't look: it sees each step, those within a comparison too.
type guard struct {
	ended atomic.Bool
	steps int
	// stacks and live are what this process had of each when it was looked first, bytes.
	stacks, live uint64
}

// Enabled and Config are for OPA.
func (*guard) Enabled() bool               { return true }
func (*guard) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

// TraceEvent counts a step. There is no other way out of a comparison than a panic, which snapshot.eval makes an error of.
func (g *guard) TraceEvent(topdown.Event) {
	g.steps++
	if g.steps%guardEvery != 0 {
		return
	}
	if g.ended.Load() {
		panic(&topdown.Error{Code: topdown.CancelErr, Message: "caller cancelled query execution"})
	}
	used := [...]metrics.Sample{{Name: "/memory/classes/heap/stacks:bytes"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(used[:])
	stacks, live := used[0].Value.Uint64(), used[1].Value.Uint64()
	if g.steps == guardEvery {
		g.stacks, g.live = stacks, live
	}
	if stacks > g.stacks+maxStackBytes || live > g.live+maxLiveBytes {
		panic(&topdown.Error{Code: topdown.InternalErr, Message: fmt.Sprintf(
			"the evaluation took too much memory: %d MiB of stack, %d MiB of values", (stacks-min(stacks, g.stacks))>>20, (live-min(live, g.live))>>20)})
	}
}

// atOnce is how many evaluations of one organisation's policy run at a time: what hangs, or takes memory, does so at most so often. They keep
// processors busy, so that more of them would decide no faster.
func atOnce() int { return 2 * runtime.GOMAXPROCS(0) }

// evalOwn answers a query that asks an organisation's rules: on a goroutine of its own, for whoever asked isn't to hang with it.
func (s *snapshot) evalOwn(ctx context.Context, query *rego.PreparedEvalQuery, input ast.Value) (answer, error) {
	patience := time.NewTimer(2 * s.timeout) // The evaluator notices s.timeout by itself, but within a built-in function.
	defer patience.Stop()
	select {
	case s.running <- struct{}{}:
	case <-ctx.Done():
		return answer{}, ctx.Err()
	case <-patience.C:
		return answer{}, &topdown.Error{Code: topdown.CancelErr, Message: "the policy's other evaluations take too long"}
	}
	if s.hung.Load() {
		<-s.running
		return answer{}, errHung
	}
	type outcome struct {
		answer answer
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		defer func() { <-s.running }()
		g := &guard{}
		defer time.AfterFunc(s.timeout, func() { g.ended.Store(true) }).Stop()
		var o outcome
		o.answer, o.err = s.eval(ctx, query, input, rego.EvalQueryTracer(g))
		done <- o
	}()
	select {
	case o := <-done:
		return o.answer, o.err
	case <-patience.C:
		s.hung.Store(true)
		return answer{}, errHung
	}
}
