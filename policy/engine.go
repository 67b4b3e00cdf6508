package policy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// errNoReason reaches the log only: whoever asks for a decision gets Deny with PolicyFailed.
var errNoReason = errors.New("the policy refuses without a reason: the action or the capability is unknown to it")

// Engine decides. All methods are safe for concurrent use; decisions wait for no
// activation.
type Engine struct {
	base      *base
	keys      keys
	grantable map[Capability]bool
	timeout   time.Duration
	breaker   Breaker
	log       *slog.Logger

	// current is replaced as a whole, never changed.
	current atomic.Pointer[table]

	// mu orders replacements of current and guards hooks. Hooks are called without it.
	mu        sync.Mutex
	hooks     []func(org string)
	onFailure []func(Failure)
}

// table is what holds: the base's snapshot, and by organisation those that have a policy of their own.
type table struct {
	base *snapshot
	own  map[string]*snapshot
	// held stands in for base during Hold; nil otherwise.
	held *snapshot
}

// New compiles the base policy with the operator's data.
func New(cfg Config, log *slog.Logger) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	b, err := loadBase(cfg)
	if err != nil {
		return nil, err
	}
	return newEngine(b, cfg, log)
}

// newEngine makes one of a base with the configuration's defaults filled in.
func newEngine(b *base, cfg Config, log *slog.Logger) (*Engine, error) {
	e := &Engine{base: b, keys: newKeys(), grantable: map[Capability]bool{}, timeout: cfg.Timeout, breaker: cfg.Breaker, log: log}
	for _, name := range cfg.Grantable {
		e.grantable[Capability(name)] = true
	}
	s, err := b.compile(context.Background(), nil, nil, nil, cfg.Timeout)
	if err != nil {
		return nil, fmt.Errorf("base policy: %w", err)
	}
	s.revision = "base@" + b.revision
	if err := e.warm(s); err != nil {
		return nil, fmt.Errorf("base policy: %w", err)
	}
	e.current.Store(&table{base: s})
	return e, nil
}

// Activate makes a revision an organisation's own policy. It compiles and tries it first, which takes milliseconds, and swaps only what
// works; decisions go on under the old policy meanwhile. The error names file and line.
func (e *Engine) Activate(org string, r Revision) error {
	id, err := r.ID()
	if err != nil {
		return err
	}
	modules, entries, err := r.parse()
	if err != nil {
		return err
	}
	s, err := e.base.compile(context.Background(), modules, entries, r.Data, e.timeout)
	if err != nil {
		return err
	}
	s.revision = "base@" + e.base.revision + "+" + org + "@" + id
	if err := e.warm(s); err != nil {
		return err
	}
	e.swap(org, s)
	return nil
}

// Deactivate leaves an organisation with the base policy alone.
func (e *Engine) Deactivate(org string) { e.swap(org, nil) }

// OnChange has f called after each Activate and Deactivate, on their goroutine, when decisions are already made under the new policy.
func (e *Engine) OnChange(f func(org string)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.hooks = append(e.hooks, f)
}

// Revision is what decides for an organisation now, as Decision.Revision has it.
func (e *Engine) Revision(org string) string { return e.snapshot(org).revision }

func (e *Engine) swap(org string, s *snapshot) {
	e.mu.Lock()
	old := e.current.Load()
	next := &table{base: old.base, held: old.held, own: maps.Clone(old.own)}
	if s == nil {
		delete(next.own, org)
	} else {
		if next.own == nil {
			next.own = map[string]*snapshot{}
		}
		next.own[org] = s
	}
	e.current.Store(next)
	hooks := slices.Clone(e.hooks)
	e.mu.Unlock()
	for _, hook := range hooks {
		hook(org)
	}
}

func (e *Engine) snapshot(org string) *snapshot {
	t := e.current.Load()
	if s, ok := t.own[org]; ok {
		return s
	}
	if t.held != nil {
		return t.held
	}
	return t.base
}

// warm asks a snapshot what it will be asked, so that its first real decision is as fast as the others and one that can't answer is never
// activated.
func (e *Engine) warm(s *snapshot) error {
	for _, kind := range []string{"guest", "org_user"} {
		in := Input{
			Action: ActionJoin, Organization: Organization{Kind: "work", AnonymousJoin: true}, Meeting: Meeting{Kind: "scheduled"},
			Participant: Participant{Kind: kind, State: "new"},
		}
		if _, err := e.decide(context.Background(), s, &in); err != nil {
			return fmt.Errorf("try a decision: %w", err)
		}
		if _, err := e.grantsOf(context.Background(), s, &in); err != nil {
			return fmt.Errorf("try the capabilities: %w", err)
		}
	}
	return nil
}
