package revisions

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/anteroom/anteroom/policy/author"
	"github.com/anteroom/anteroom/store"
)

// The states of a revision.
const (
	StateChecked    = "checked"
	StateActive     = "active"
	StateSuperseded = "superseded"
)

// Tests says how a revision's tests ended when it was made.
type Tests struct {
	Passed int `json:"passed"`
	Failed int `json:"failed"`
}

// Revision is one of an organisation's, without its files.
type Revision struct {
	// Number counts from 1.
	Number int
	// Digest of the content.
	Digest  string
	Author  string
	Message string
	// Parent is the number of the revision that it was made from; 0 is the base alone.
	Parent    int
	CreatedAt time.Time
	// State is one of the constants above: superseded is what was active.
	State string
	// ActivatedAt is when it was last activated; nil if it never was.
	ActivatedAt *time.Time
	// Tests and Coverage (percent of lines) are nil where no tests could be run.
	Tests    *Tests
	Coverage *float64
}

// revisionRow is a revision's control row.
type revisionRow struct {
	Digest   string   `json:"digest"`
	Message  string   `json:"message"`
	Parent   int      `json:"parent"`
	Tests    *Tests   `json:"tests,omitempty"`
	Coverage *float64 `json:"coverage,omitempty"`
}

func revisionID(number int) string { return fmt.Sprintf("%08d", number) }

func revisionOf(row store.Control) (Revision, error) {
	v, err := decode[revisionRow](row)
	if err != nil {
		return Revision{}, err
	}
	r := Revision{
		Digest: v.Digest, Author: row.Author, Message: v.Message, Parent: v.Parent, CreatedAt: row.At, State: StateChecked, Tests: v.Tests, Coverage: v.Coverage,
	}
	if _, err := fmt.Sscanf(row.ID, "%d", &r.Number); err != nil {
		return Revision{}, fmt.Errorf("read %s %q: the id is no number", row.Kind, row.ID)
	}
	return r, nil
}

// Revisions lists an organisation's revisions, the newest first.
func (s *Service) Revisions(ctx context.Context, org string) ([]Revision, error) {
	rows, err := s.deps.Store.List(ctx, kindRevision, org)
	if err != nil {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	history, err := s.history(ctx, org)
	if err != nil {
		return nil, err
	}
	out := make([]Revision, 0, len(rows))
	for _, row := range slices.Backward(rows) {
		r, err := revisionOf(row)
		if err != nil {
			return nil, err
		}
		r.stateBy(history)
		out = append(out, r)
	}
	return out, nil
}

// stateBy tells the state by all activations of the organisation, oldest first.
func (r *Revision) stateBy(history []activation) {
	for i, a := range history {
		if a.Revision != r.Number {
			continue
		}
		at := a.at
		r.State, r.ActivatedAt = StateSuperseded, &at
		if i == len(history)-1 {
			r.State = StateActive
		}
	}
}

// Revision reads one with its files. It fails with ErrNoRevision. Number 0 is the base alone.
func (s *Service) Revision(ctx context.Context, org string, number int) (Revision, author.Content, error) {
	if number == 0 {
		return Revision{State: StateChecked}, author.Content{Files: map[string]string{}}, nil
	}
	row, err := s.deps.Store.Get(ctx, kindRevision, org, revisionID(number))
	if errors.Is(err, store.ErrNotFound) {
		return Revision{}, author.Content{}, ErrNoRevision
	}
	if err != nil {
		return Revision{}, author.Content{}, err //nolint:wrapcheck // the store says what it did
	}
	r, err := revisionOf(row)
	if err != nil {
		return r, author.Content{}, err
	}
	history, err := s.history(ctx, org)
	if err != nil {
		return r, author.Content{}, err
	}
	r.stateBy(history)
	content, err := load(ctx, s.deps.Store, org, r.Digest)
	if err != nil {
		return r, content, fmt.Errorf("read revision %d: %w", number, err)
	}
	return r, content, nil
}

// NewRevision is what a revision is made of.
type NewRevision struct {
	Content author.Content
	Message string
	// Parent is 0 or the number of a revision that there is.
	Parent int
	Author string
}

// Create makes a revision of a content that passes author.Check, and runs its tests once. It fails with *Refused, ErrNoRevision for the parent, and
// what a sandbox fails with.
func (s *Service) Create(ctx context.Context, org string, n NewRevision) (Revision, error) {
	if _, _, err := s.Revision(ctx, org, n.Parent); err != nil {
		return Revision{}, fmt.Errorf("parent: %w", err)
	}
	row := revisionRow{Message: n.Message, Parent: n.Parent}
	if !isBaseAlone(n.Content) {
		checked, err := s.deps.Sandbox.Check(ctx, n.Content)
		if err != nil {
			return Revision{}, err //nolint:wrapcheck // the sandbox says what it did
		}
		if !checked.OK {
			return Revision{}, &Refused{Diagnostics: checked.Diagnostics}
		}
		tested, err := s.deps.Sandbox.Test(ctx, n.Content, author.TestOptions{})
		if err != nil {
			return Revision{}, err //nolint:wrapcheck // the sandbox says what it did
		}
		row.Tests, row.Coverage = countOf(tested), &tested.Coverage.Percent
	}
	return s.keep(ctx, org, n, row)
}

// keep writes content and revision, in this order.
func (s *Service) keep(ctx context.Context, org string, n NewRevision, row revisionRow) (Revision, error) {
	var err error
	if row.Digest, err = s.save(ctx, org, n.Content, false); err != nil {
		return Revision{}, err
	}
	rows, err := s.deps.Store.List(ctx, kindRevision, org)
	if err != nil {
		return Revision{}, err //nolint:wrapcheck // the store says what it did
	}
	number := 1
	if len(rows) > 0 {
		last, err := revisionOf(rows[len(rows)-1])
		if err != nil {
			return Revision{}, err
		}
		number = last.Number + 1
	}
	for ; ; number++ { // Whoever makes one at the same time may have this number already.
		made, err := put(ctx, s.deps.Store, store.Control{Kind: kindRevision, Org: org, ID: revisionID(number), Author: n.Author}, row, 0)
		if errors.Is(err, store.ErrConflict) {
			continue
		}
		if err != nil {
			return Revision{}, err
		}
		return revisionOf(made)
	}
}

func countOf(t author.TestResult) *Tests {
	var out Tests
	for _, test := range t.Tests {
		switch test.Outcome {
		case author.Pass:
			out.Passed++
		case author.Fail, author.Error:
			out.Failed++
		}
	}
	return &out
}
