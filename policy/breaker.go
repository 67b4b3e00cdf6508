package policy

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/topdown"
)

// ErrHeld: organisations' policies have not been read yet, so that nobody knows whose policy would have to be asked.
var ErrHeld = errors.New("the organisations' policies have not been read yet")

// FailureKind says how an evaluation went wrong.
type FailureKind string

// The kinds of failures.
const (
	// FailedError: a built-in failed, two rules contradicted each other, or the answer has not the form that it must have.
	FailedError FailureKind = "error"
	// FailedUndefined: there is no answer.
	FailedUndefined FailureKind = "undefined"
	// FailedTimeout: the answer took longer than Config.Timeout.
	FailedTimeout FailureKind = "timeout"
	// FailedNotLoaded: the policy that should decide isn't here (Hold, Refuse).
	FailedNotLoaded FailureKind = "not_loaded"
)

// Failure is one decision that could not be made and was denied.
type Failure struct {
	Org string
	// Revision that failed, as Decision.Revision has it.
	Revision string
	Kind     FailureKind
	// Own tells that it is the organisation's own policy that fails: for the same input, the base policy alone has an answer.
	Own bool
	// Tripped tells that, with this one, the organisation's policy failed as often as Breaker allows. It is told once per activation.
	Tripped bool
	Err     error
}

// Breaker says when an organisation's policy is given up: Failures failures of its own within Window.
type Breaker struct {
	// Failures within Window. Default 5.
	Failures int `koanf:"failures"`
	// Window of time. Default 1m.
	Window time.Duration `koanf:"window"`
}

// counter keeps the times of a snapshot's latest failures.
type counter struct {
	mu      sync.Mutex
	times   []time.Time // guarded by mu
	tripped bool        // guarded by mu
}

// add counts a failure and tells whether it is the one that trips the breaker, which a grave one does by itself.
func (c *counter) add(b Breaker, now time.Time, grave bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tripped {
		return false
	}
	c.times = slices.DeleteFunc(c.times, func(at time.Time) bool { return now.Sub(at) > b.Window })
	c.times = append(c.times, now)
	c.tripped = grave || len(c.times) >= b.Failures
	return c.tripped
}

// Hold denies everybody, whatever the organisation, until Release: nobody is let in by the base policy alone while it isn't known which
// organisations have policies of their own.
func (e *Engine) Hold() { e.replaceAll(&snapshot{revision: e.baseRevision(), refused: ErrHeld}) }

// Release ends Hold: organisations without a policy of their own are decided for by the base policy from now on.
func (e *Engine) Release() { e.replaceAll(nil) }

// replaceAll has held decide for all organisations that have no policy of their own; nil: the base.
func (e *Engine) replaceAll(held *snapshot) {
	e.mu.Lock()
	old := e.current.Load()
	e.current.Store(&table{base: old.base, held: held, own: old.own})
	hooks := slices.Clone(e.hooks)
	e.mu.Unlock()
	for _, hook := range hooks {
		hook("")
	}
}

// Refuse denies everybody of an organisation because its own policy can't be asked; revision is that policy's name. It holds until Activate or
// Deactivate.
func (e *Engine) Refuse(org, revision string, why error) {
	e.swap(org, &snapshot{revision: e.baseRevision() + "+" + org + "@" + revision, refused: why, hasOwn: true})
}

// OnFailure has f called after each decision that failed, on the goroutine of whoever asked: it must not block.
func (e *Engine) OnFailure(f func(Failure)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.onFailure = append(e.onFailure, f)
}

func (e *Engine) baseRevision() string { return "base@" + e.base.revision }

// blame finds out whose failure it is and tells of it. again asks the base policy alone for the same.
func (e *Engine) blame(ctx context.Context, org string, s *snapshot, err error, again func(*snapshot) error) {
	if ctx.Err() != nil {
		return // Who asked has gone.
	}
	f := Failure{Org: org, Revision: s.revision, Kind: kindOfFailure(s, err), Err: err}
	if s.hasOwn && s.refused == nil {
		f.Own = again(e.current.Load().base) == nil
		f.Tripped = f.Own && s.failures.add(e.breaker, time.Now(), errors.Is(err, errHung))
	}
	e.mu.Lock()
	hooks := slices.Clone(e.onFailure)
	e.mu.Unlock()
	for _, hook := range hooks {
		hook(f)
	}
}

func kindOfFailure(s *snapshot, err error) FailureKind {
	switch {
	case s.refused != nil:
		return FailedNotLoaded
	case topdown.IsCancel(err), errors.Is(err, errHung):
		return FailedTimeout
	case errors.Is(err, errUndefined):
		return FailedUndefined
	default:
		return FailedError
	}
}
