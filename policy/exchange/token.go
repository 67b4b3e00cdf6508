package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/internal/bearer"
	"github.com/anteroom/anteroom/store"
)

// TokenKind is the kind of control rows that hold agents' tokens, by id.
const TokenKind = "policy_token"

const (
	tokenPrefix = "apt"
	// maxTokens of an organisation at once, ended ones not counted.
	maxTokens = 100
	// MaxTokenDays is the longest that a token may be good for.
	MaxTokenDays = 366
)

var (
	// ErrToken: the token is none, or has ended, or was revoked.
	ErrToken = errors.New("the token is not good")
	// ErrTooManyTokens: the organisation has as many as it may.
	ErrTooManyTokens = fmt.Errorf("an organisation has at most %d tokens", maxTokens)
)

// Token is one of an organisation's tokens for its agents, without its secret.
type Token struct {
	ID string
	// Name is whatever its maker calls it.
	Name      string
	CreatedBy string
	CreatedAt time.Time
	ExpiresAt time.Time
}

// tokenRow is its control row. The digest is of the secret; the secret itself is nowhere.
type tokenRow struct {
	Name      string    `json:"name"`
	Digest    string    `json:"digest"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Tokens makes, lists, revokes and proves agents' tokens. Safe for concurrent use.
type Tokens struct {
	store *store.Store
	now   func() time.Time

	believed bearer.Beliefs[string] // their organisations
}

// NewTokens makes them on the home region's store.
func NewTokens(s *store.Store) *Tokens {
	return &Tokens{store: s, now: time.Now}
}

// Create makes a token and returns it with its text, which nobody can be told again.
func (t *Tokens) Create(ctx context.Context, org, name, who string, good time.Duration) (Token, string, error) {
	tokens, err := t.List(ctx, org)
	if err != nil {
		return Token{}, "", err
	}
	now := t.now().UTC()
	if tokens = slices.DeleteFunc(tokens, func(one Token) bool { return !one.ExpiresAt.After(now) }); len(tokens) >= maxTokens {
		return Token{}, "", ErrTooManyTokens
	}
	made := Token{ID: uuid.NewString(), Name: name, CreatedBy: who, CreatedAt: now, ExpiresAt: now.Add(good)}
	text, digest, err := bearer.Make(tokenPrefix, org, made.ID)
	if err != nil {
		return Token{}, "", err //nolint:wrapcheck // says what it did
	}
	value, err := json.Marshal(tokenRow{Name: name, Digest: digest, CreatedAt: made.CreatedAt, ExpiresAt: made.ExpiresAt})
	if err != nil {
		return Token{}, "", fmt.Errorf("make token: %w", err)
	}
	row := store.Control{Kind: TokenKind, Org: org, ID: made.ID, Value: value, Author: who, WriteID: uuid.New(), At: now}
	if _, err := t.store.Put(ctx, row, 0); err != nil {
		return Token{}, "", fmt.Errorf("make token: %w", err)
	}
	return made, text, nil
}

// List gives all of an organisation that were not revoked, the newest first.
func (t *Tokens) List(ctx context.Context, org string) ([]Token, error) {
	rows, err := t.store.List(ctx, TokenKind, org)
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	out := make([]Token, 0, len(rows))
	for _, row := range rows {
		one, err := readToken(row)
		if err != nil {
			return nil, err
		}
		out = append(out, Token{ID: row.ID, Name: one.Name, CreatedBy: row.Author, CreatedAt: one.CreatedAt, ExpiresAt: one.ExpiresAt})
	}
	slices.SortFunc(out, func(a, b Token) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return out, nil
}

// Revoke ends a token; within seconds it doesn't work any more. It fails with store.ErrNotFound if there is none of this id.
func (t *Tokens) Revoke(ctx context.Context, org, id, who string) error {
	row, err := t.store.Get(ctx, TokenKind, org, id)
	if err == nil {
		_, err = t.store.Delete(ctx, TokenKind, org, id, who, row.Version)
	}
	if err != nil {
		return fmt.Errorf("revoke token: %w", err)
	}
	t.believed.Forget()
	return nil
}

// Prove tells whose token it is. It fails with ErrToken.
func (t *Tokens) Prove(ctx context.Context, text string) (org string, err error) {
	if org, ok := t.believed.Get(text, t.now()); ok {
		return org, nil
	}
	org, id, secret, ok := bearer.Split(tokenPrefix, text)
	if !ok {
		return "", ErrToken
	}
	row, err := t.store.Get(ctx, TokenKind, org, id)
	if errors.Is(err, store.ErrNotFound) {
		return "", ErrToken
	}
	if err != nil {
		return "", fmt.Errorf("prove token: %w", err)
	}
	one, err := readToken(row)
	if err != nil {
		return "", err
	}
	if !bearer.Fits(one.Digest, secret) || !one.ExpiresAt.After(t.now()) {
		return "", ErrToken
	}
	t.believed.Put(text, org, t.now(), one.ExpiresAt)
	return org, nil
}

func readToken(row store.Control) (tokenRow, error) {
	var one tokenRow
	if err := json.Unmarshal(row.Value, &one); err != nil {
		return one, fmt.Errorf("read token: version %d is not what it should be", row.Version)
	}
	return one, nil
}
