package revisions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/policy/author"
	"github.com/anteroom/anteroom/policy/sandbox"
	"github.com/anteroom/anteroom/store"
)

// The kinds of control rows.
const (
	kindRevision = "policy_revision"
	// kindActive has two rows of each organisation: what is active, and the breaker's.
	kindActive = "policy_active"
	kindDraft  = "policy_draft"

	idActive  = "active"
	idBreaker = "breaker"
)

var (
	// ErrNoRevision: the organisation has no revision of that number.
	ErrNoRevision = errors.New("there is no revision of this number")
	// ErrNoDraft: the organisation has no draft of that id, or its content is gone with the years.
	ErrNoDraft = errors.New("there is no draft of this id")
	// ErrTooManyDrafts: forget some first.
	ErrTooManyDrafts = errors.New("the organisation has as many drafts as it may; delete some first")
	// ErrDamaged: what is stored isn't what its digest names.
	ErrDamaged = errors.New("the stored content of the policy is not what its digest names")
)

// Refused says why a content can't become a revision, or a revision can't be activated.
type Refused struct {
	// Diagnostics are of the files.
	Diagnostics []author.Diagnostic
	// Errors are sentences for the author.
	Errors []string
}

func (r *Refused) Error() string {
	if len(r.Errors) > 0 {
		return r.Errors[0]
	}
	return "the policy has mistakes"
}

// Sandbox tries policies in a process of its own; *sandbox.Client is one.
type Sandbox interface {
	Check(ctx context.Context, c author.Content) (author.CheckResult, error)
	Test(ctx context.Context, c author.Content, o author.TestOptions) (author.TestResult, error)
	Budget(ctx context.Context, c author.Content, inputs []json.RawMessage) (sandbox.Budgeted, error)
}

// Deps are what a Service works with.
type Deps struct {
	// Store keeps everything. Required.
	Store *store.Store
	// Sandbox tries policies. Required.
	Sandbox Sandbox
	// Base is the operator's policy, by which runtime revisions are named. Required.
	Base *policy.Base
	// Bar is how many percent of an organisation's policy its tests must cover. Default: DefaultBar.
	Bar func(ctx context.Context, org string) (int, error)
	// Follower is told at once of what this process activates. Default: none.
	Follower *Follower
	// Log. Default: none.
	Log *slog.Logger
}

// Service keeps contents, revisions and drafts. All methods are safe for concurrent use, and fail with store.ErrUnavailable while the store is away:
// whether something was written is unknown then.
type Service struct {
	cfg  Config
	deps Deps
}

// New makes a service.
func New(cfg Config, deps Deps) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Store == nil || deps.Sandbox == nil || deps.Base == nil {
		return nil, errors.New("make revisions: no store, no sandbox or no base policy")
	}
	if deps.Bar == nil {
		deps.Bar = func(context.Context, string) (int, error) { return DefaultBar, nil }
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{cfg: cfg.withDefaults(), deps: deps}, nil
}

// Bar is how many percent of the organisation's policy its tests must cover.
func (s *Service) Bar(ctx context.Context, org string) (int, error) { return s.deps.Bar(ctx, org) }

// save stores a content and returns its name.
func (s *Service) save(ctx context.Context, org string, c author.Content, draft bool) (string, error) {
	if c.Files == nil {
		c.Files = map[string]string{}
	}
	text, err := json.Marshal(c.Files)
	if err != nil {
		return "", fmt.Errorf("encode policy: %w", err)
	}
	digest := c.Digest()
	return digest, s.deps.Store.PutPolicyContent(ctx, store.PolicyContent{Org: org, Digest: digest, Draft: draft, Files: string(text)})
}

// load reads a content and holds it against its name. It fails with store.ErrNotFound or ErrDamaged.
func load(ctx context.Context, s *store.Store, org, digest string) (author.Content, error) {
	text, err := s.PolicyContent(ctx, org, digest)
	if err != nil {
		return author.Content{}, err //nolint:wrapcheck // the store says what it did
	}
	var c author.Content
	if err := json.Unmarshal([]byte(text), &c.Files); err != nil || c.Digest() != digest {
		return author.Content{}, ErrDamaged
	}
	return c, nil
}

// isBaseAlone tells the content that has nothing of its own.
func isBaseAlone(c author.Content) bool { return len(c.Files) == 0 }

// decode reads a control row's value.
func decode[T any](row store.Control) (T, error) {
	var out T
	if err := json.Unmarshal(row.Value, &out); err != nil {
		return out, fmt.Errorf("read %s %q, version %d: not the JSON that it should be", row.Kind, row.ID, row.Version)
	}
	return out, nil
}

// put writes a control row's next version.
func put(ctx context.Context, s *store.Store, row store.Control, value any, ifVersion uint64) (store.Control, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return store.Control{}, fmt.Errorf("write %s: %w", row.Kind, err)
	}
	row.Value = text
	return s.Put(ctx, row, ifVersion) //nolint:wrapcheck // the store says what it did
}
