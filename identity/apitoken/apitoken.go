// Package apitoken keeps an organisation's tokens for its scripts: made by an admin, good for some of the admin's roles and for a time, revoked within
// seconds.
//
// A token's secret is told once and kept nowhere: its row has a digest. When a token was last used is kept to the hour.
package apitoken

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/internal/bearer"
	"github.com/anteroom/anteroom/store"
)

// Kind of the control rows, by the token's id.
const Kind = "api_token"

const (
	prefix = "aat"
	// MaxTokens of an organisation that have not ended.
	MaxTokens = 100
	// MaxDays is the longest that a token may be good for.
	MaxDays = 366
	// usedEvery is how often it is written down that a token is used.
	usedEvery = time.Hour
	subject   = "token:"
)

// ErrTooMany: the organisation has as many as it may.
var ErrTooMany = fmt.Errorf("an organisation has at most %d tokens", MaxTokens)

// Token is one of an organisation's tokens, without its secret.
type Token struct {
	ID, Name string
	// Roles that its bearer has.
	Roles []identity.Role
	// ReadOnly: good for reading only.
	ReadOnly             bool
	CreatedBy            string
	CreatedAt, ExpiresAt time.Time
	// UsedAt is when it was last used, to the hour; zero for never.
	UsedAt time.Time
}

// row is the control row's value.
type row struct {
	Name      string          `json:"name"`
	Roles     []identity.Role `json:"roles"`
	ReadOnly  bool            `json:"read_only"`
	Digest    string          `json:"digest"`
	CreatedBy string          `json:"created_by"`
	CreatedAt time.Time       `json:"created_at"`
	ExpiresAt time.Time       `json:"expires_at"`
	UsedAt    time.Time       `json:"used_at,omitzero"`
}

// Tokens makes, lists, revokes and proves them. Safe for concurrent use.
type Tokens struct {
	store *store.Store
	now   func() time.Time

	believed bearer.Beliefs[Bearer]
}

// Bearer is who came with a token.
type Bearer struct {
	identity.Principal
	ReadOnly bool
}

// New keeps tokens in the home region's store. now may be nil.
func New(s *store.Store, now func() time.Time) *Tokens {
	if now == nil {
		now = time.Now
	}
	return &Tokens{store: s, now: now}
}

// Is tells whether a bearer token has the form of these, good or not.
func Is(token string) bool { return strings.HasPrefix(token, prefix+".") }

// IsSubject tells whether a principal's subject is that of a token rather than of a person.
func IsSubject(s string) bool { return strings.HasPrefix(s, subject) }

// Create makes a token with the name, the roles and the end of t, and returns it with its text, which nobody can be told again.
func (t *Tokens) Create(ctx context.Context, org string, one Token) (Token, string, error) {
	known, err := t.List(ctx, org)
	if err != nil {
		return Token{}, "", err
	}
	now := t.now().UTC()
	if known = slices.DeleteFunc(known, func(k Token) bool { return !k.ExpiresAt.After(now) }); len(known) >= MaxTokens {
		return Token{}, "", ErrTooMany
	}
	one.ID, one.CreatedAt, one.UsedAt = uuid.NewString(), now, time.Time{}
	text, digest, err := bearer.Make(prefix, org, one.ID)
	if err != nil {
		return Token{}, "", err //nolint:wrapcheck // says what it did
	}
	r := row{Name: one.Name, Roles: one.Roles, ReadOnly: one.ReadOnly, Digest: digest, CreatedBy: one.CreatedBy, CreatedAt: now, ExpiresAt: one.ExpiresAt.UTC()}
	if err := t.put(ctx, org, one.ID, r, one.CreatedBy, 0); err != nil {
		return Token{}, "", fmt.Errorf("make token: %w", err)
	}
	return one, text, nil
}

func (t *Tokens) put(ctx context.Context, org, id string, r row, author string, version uint64) error {
	value, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write token: %w", err)
	}
	_, err = t.store.Put(ctx, store.Control{Kind: Kind, Org: org, ID: id, Value: value, Author: author, WriteID: uuid.New(), At: t.now()}, version)
	return err //nolint:wrapcheck // the store says what it did
}

// List gives all of an organisation that were not revoked, the newest first.
func (t *Tokens) List(ctx context.Context, org string) ([]Token, error) {
	rows, err := t.store.List(ctx, Kind, org)
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	out := make([]Token, 0, len(rows))
	for _, one := range rows {
		r, err := read(one)
		if err != nil {
			return nil, err
		}
		out = append(out, Token{one.ID, r.Name, r.Roles, r.ReadOnly, r.CreatedBy, r.CreatedAt, r.ExpiresAt, r.UsedAt})
	}
	slices.SortFunc(out, func(a, b Token) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return out, nil
}

// Revoke ends a token. It fails with store.ErrNotFound if the organisation has none of this id.
func (t *Tokens) Revoke(ctx context.Context, org, id, who string) error {
	for {
		one, err := t.store.Get(ctx, Kind, org, id)
		if err == nil {
			_, err = t.store.Delete(ctx, Kind, org, id, who, one.Version)
		}
		if errors.Is(err, store.ErrConflict) { // its use was written down meanwhile
			continue
		}
		if err != nil {
			return fmt.Errorf("revoke token: %w", err)
		}
		t.believed.Forget()
		return nil
	}
}

// Prove tells who bears a token. The errors are *identity.Error, of the store or of the context.
func (t *Tokens) Prove(ctx context.Context, text string) (Bearer, error) {
	refused := &identity.Error{Reason: identity.TokenSignature, Detail: "the token is none of this service's, or was revoked; make another one"}
	if known, ok := t.believed.Get(text, t.now()); ok {
		return known, nil
	}
	org, id, secret, ok := bearer.Split(prefix, text)
	if !ok {
		return Bearer{}, refused
	}
	one, err := t.store.Get(ctx, Kind, org, id)
	if errors.Is(err, store.ErrNotFound) {
		return Bearer{}, refused
	}
	if err != nil {
		return Bearer{}, fmt.Errorf("prove token: %w", err)
	}
	r, err := read(one)
	if err != nil {
		return Bearer{}, err
	}
	now := t.now()
	switch {
	case !bearer.Fits(r.Digest, secret):
		return Bearer{}, refused
	case !r.ExpiresAt.After(now):
		return Bearer{}, &identity.Error{Reason: identity.TokenExpired, Detail: "the token has expired; make another one"}
	}
	if now.Sub(r.UsedAt) > usedEvery {
		r.UsedAt = now.UTC().Truncate(usedEvery)
		// Whoever loses against a revocation, or against another use, has nothing to add.
		_ = t.put(ctx, org, id, r, subject+id, one.Version)
	}
	out := Bearer{identity.Principal{Roles: r.Roles, Org: org, Subject: subject + id, Name: r.Name, Expires: r.ExpiresAt}, r.ReadOnly}
	t.believed.Put(text, out, now, r.ExpiresAt)
	return out, nil
}

func read(one store.Control) (row, error) {
	var r row
	if err := json.Unmarshal(one.Value, &r); err != nil {
		return r, fmt.Errorf("read token: version %d is not what it should be", one.Version)
	}
	return r, nil
}
