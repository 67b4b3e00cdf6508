package revisions

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/anteroom/anteroom/policy/author"
	"github.com/anteroom/anteroom/store"
)

// Active says what decides for an organisation.
type Active struct {
	// Revision's number; 0 is the base alone.
	Revision int
	// Version counts activations from 1; 0: there never was one.
	Version uint64
	// Digest of the content; "" of the base alone.
	Digest string
	// RuntimeRevision is what decisions made now name as their revision.
	RuntimeRevision string
	// ActivatedAt and ActivatedBy are nil and "" where nothing ever was.
	ActivatedAt *time.Time
	ActivatedBy string
	Message     string
	// Breaker is nil while the active revision decides.
	Breaker *Broken
}

// Broken says that the active revision failed too often and was given up.
type Broken struct {
	Since time.Time
	// Reason is a policy.FailureKind.
	Reason string
	// RunningRevision decides instead. It is the active one itself where there is no other to go back to: what fails is denied.
	RunningRevision int
}

// activeRow says which revision is active.
type activeRow struct {
	Revision int    `json:"revision"`
	Digest   string `json:"digest"`
	Message  string `json:"message,omitempty"`
	// Runtime is what decisions call the content (idOf), so that it is found by that; "" of the base alone, and in rows of before it was written.
	Runtime string `json:"runtime,omitempty"`
}

// activation is one version of that row.
type activation struct {
	activeRow
	version uint64
	at      time.Time
	by      string
}

// breakerRow says that a version of activeRow was given up.
type breakerRow struct {
	ActiveVersion  uint64 `json:"active_version"`
	FailedRevision int    `json:"failed_revision"`
	FailedDigest   string `json:"failed_digest"`
	// RunningRevision and RunningDigest decide instead.
	RunningRevision int       `json:"running_revision"`
	RunningDigest   string    `json:"running_digest"`
	Since           time.Time `json:"since"`
	Reason          string    `json:"reason"`
}

func activationOf(row store.Control) (activation, error) {
	v, err := decode[activeRow](row)
	return activation{activeRow: v, version: row.Version, at: row.At, by: row.Author}, err
}

// history lists all activations, oldest first.
func (s *Service) history(ctx context.Context, org string) ([]activation, error) {
	return historyOf(ctx, s.deps.Store, org)
}

func historyOf(ctx context.Context, s *store.Store, org string) ([]activation, error) {
	rows, err := s.History(ctx, kindActive, org, idActive)
	if err != nil {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	out := make([]activation, len(rows))
	for i, row := range rows {
		if out[i], err = activationOf(row); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// standing is what an organisation's rows say: what is active, nil if nothing ever was, and the breaker, nil while it doesn't hold.
type standing struct {
	active  *activation
	breaker *breakerRow
	// breakerVersion is the breaker row's, holding or not; 0 without one.
	breakerVersion uint64
}

// runs is what decides: revision and digest. A digest of "" is the base alone.
func (s standing) runs() (revision int, digest string) {
	switch {
	case s.active == nil:
		return 0, ""
	case s.breaker != nil:
		return s.breaker.RunningRevision, s.breaker.RunningDigest
	default:
		return s.active.Revision, s.active.Digest
	}
}

// standingOf reads an organisation's rows out of all of a kind.
func standingOf(rows []store.Control) (standing, error) {
	var out standing
	for _, row := range rows {
		switch row.ID {
		case idActive:
			a, err := activationOf(row)
			if err != nil {
				return out, err
			}
			out.active = &a
		case idBreaker:
			b, err := decode[breakerRow](row)
			if err != nil {
				return out, err
			}
			out.breaker, out.breakerVersion = &b, row.Version
		}
	}
	if out.breaker != nil && (out.active == nil || out.breaker.ActiveVersion != out.active.version) {
		out.breaker = nil
	}
	return out, nil
}

func readStanding(ctx context.Context, s *store.Store, org string) (standing, error) {
	rows, err := s.List(ctx, kindActive, org)
	if err != nil {
		return standing{}, err //nolint:wrapcheck // the store says what it did
	}
	return standingOf(rows)
}

// Active tells what decides for an organisation.
func (s *Service) Active(ctx context.Context, org string) (Active, error) {
	now, err := readStanding(ctx, s.deps.Store, org)
	if err != nil {
		return Active{}, err
	}
	return s.present(ctx, org, now)
}

func (s *Service) present(ctx context.Context, org string, now standing) (Active, error) {
	var out Active
	if a := now.active; a != nil {
		out = Active{Revision: a.Revision, Version: a.version, Digest: a.Digest, ActivatedAt: &a.at, ActivatedBy: a.by, Message: a.Message}
	}
	if b := now.breaker; b != nil {
		out.Breaker = &Broken{Since: b.Since, Reason: b.Reason, RunningRevision: b.RunningRevision}
	}
	out.RuntimeRevision = "base@" + s.deps.Base.Revision()
	_, digest := now.runs()
	if digest == "" {
		return out, nil
	}
	content, err := load(ctx, s.deps.Store, org, digest)
	if err != nil {
		return out, err
	}
	id, err := idOf(content)
	if err == nil && id != "" {
		out.RuntimeRevision += "+" + org + "@" + id
	}
	return out, err
}

// idOf is what the engine calls a content; "" for the base alone.
func idOf(c author.Content) (string, error) {
	if isBaseAlone(c) {
		return "", nil
	}
	r, err := c.Revision()
	if err != nil {
		return "", err //nolint:wrapcheck // it says which file
	}
	return r.ID() //nolint:wrapcheck // it says what it did
}

// Change is what a person does to what is active.
type Change struct {
	// Revision to activate, or to roll back to.
	Revision int
	// IfVersion is the version of Active that is replaced.
	IfVersion uint64
	Message   string
	Author    string
}

// Activate makes a revision decide. It fails with store.ErrConflict where another version than IfVersion is active, ErrNoRevision, *Refused where tests
// fail, cover too little or decisions take too long, or the breaker gave this policy up before, and what a sandbox fails with. When it returns nil, this process decides by the
// revision, and others do within the second.
func (s *Service) Activate(ctx context.Context, org string, c Change) (Active, error) {
	if err := s.stillAt(ctx, org, c.IfVersion); err != nil {
		return Active{}, err
	}
	revision, content, err := s.Revision(ctx, org, c.Revision)
	if err != nil {
		return Active{}, err
	}
	if !isBaseAlone(content) {
		if err := s.notGivenUp(ctx, org, content, true); err != nil {
			return Active{}, err
		}
		if err := s.fit(ctx, org, content); err != nil {
			return Active{}, err
		}
	}
	return s.set(ctx, org, revision, content, c)
}

// Rollback makes a new revision of the content of one that was active before (or 0, the base alone) and activates it. It need not pass tests again, so
// that there is always a way back, but has to compile. It fails like Activate.
func (s *Service) Rollback(ctx context.Context, org string, c Change) (Active, error) {
	if err := s.stillAt(ctx, org, c.IfVersion); err != nil {
		return Active{}, err
	}
	old, content, err := s.Revision(ctx, org, c.Revision)
	if err != nil {
		return Active{}, err
	}
	if old.Number > 0 && old.ActivatedAt == nil {
		return Active{}, &Refused{Errors: []string{fmt.Sprintf("Revision %d was never active: there is no way back to it. Activate it instead.", old.Number)}}
	}
	if !isBaseAlone(content) {
		if err := s.notGivenUp(ctx, org, content, false); err != nil {
			return Active{}, err
		}
		checked, err := s.deps.Sandbox.Check(ctx, content)
		if err != nil {
			return Active{}, err //nolint:wrapcheck // the sandbox says what it did
		}
		if !checked.OK {
			return Active{}, &Refused{Diagnostics: checked.Diagnostics, Errors: []string{"The base policy has changed since: the revision doesn't compile over it any more."}}
		}
	}
	if c.Message == "" {
		c.Message = fmt.Sprintf("Roll back to revision %d", c.Revision)
	}
	n := NewRevision{Content: content, Message: c.Message, Parent: c.Revision, Author: c.Author}
	made, err := s.keep(ctx, org, n, revisionRow{Message: n.Message, Parent: n.Parent, Tests: old.Tests, Coverage: old.Coverage})
	if err != nil {
		return Active{}, err
	}
	return s.set(ctx, org, made, content, c)
}

// stillAt refuses early what the store would refuse late.
func (s *Service) stillAt(ctx context.Context, org string, version uint64) error {
	now, err := readStanding(ctx, s.deps.Store, org)
	if err != nil {
		return err
	}
	var current uint64
	if now.active != nil {
		current = now.active.version
	}
	if current != version {
		return fmt.Errorf("activate: %w: version %d is active", store.ErrConflict, current)
	}
	return nil
}

// set writes that a revision is active.
func (s *Service) set(ctx context.Context, org string, r Revision, content author.Content, c Change) (Active, error) {
	id, err := idOf(content)
	if err != nil {
		return Active{}, err
	}
	v := activeRow{Revision: r.Number, Digest: r.Digest, Message: c.Message, Runtime: id}
	row, err := put(ctx, s.deps.Store, store.Control{Kind: kindActive, Org: org, ID: idActive, Author: c.Author}, v, c.IfVersion)
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("activate: %w: nothing is active", store.ErrConflict)
	}
	if err != nil {
		return Active{}, err
	}
	now, err := standingOf([]store.Control{row})
	if err != nil {
		return Active{}, err
	}
	if s.deps.Follower != nil {
		s.deps.Follower.take(ctx, org)
	}
	return s.present(ctx, org, now)
}
