package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// Claim is what one of several media nodes has and no other.
type Claim struct {
	// Kind and ID say what, Epoch the how-manieth owner it has.
	Kind  string
	ID    string
	Epoch uint64
	// Owner is who has it.
	Owner uuid.UUID
	// Until is when nobody needs to know of it any more.
	Until time.Time
}

// Take claims something for its owner, and returns who has it: the first to ask for this epoch. To ask again is harmless. After ErrUnavailable it is
// unknown whether it was taken.
func (s *Store) Take(ctx context.Context, c Claim) (uuid.UUID, error) {
	if c.Kind == "" || c.ID == "" || c.Owner == uuid.Nil {
		return uuid.Nil, errors.New("claim: kind, id or owner is missing")
	}
	for attempt := range controlAttempts {
		owner, err := s.owner(ctx, c)
		if err == nil || !errors.Is(err, ErrNotFound) {
			return owner, err
		}
		// The engine may have noted the token and lost the row, or the row may have expired before the token: then all race again.
		token := fmt.Sprintf("claim:%d:%s:%d:%s:%d:%d", len(c.Kind), c.Kind, len(c.ID), c.ID, c.Epoch, attempt)
		if err := s.insertClaim(ctx, c, token); err != nil {
			return uuid.Nil, err
		}
	}
	return s.owner(ctx, c)
}

func (s *Store) insertClaim(ctx context.Context, c Claim, token string) error {
	batch, err := s.conn.PrepareBatch(s.controlContext(ctx, token), "INSERT INTO media_claims (kind, id, epoch, owner, until)")
	if err != nil {
		return wrap("claim", err)
	}
	if err := batch.Append(c.Kind, c.ID, c.Epoch, c.Owner, c.Until.UTC()); err != nil {
		_ = batch.Abort()
		return fmt.Errorf("claim: %w", err)
	}
	return wrap("claim", batch.Send())
}

// owner is who has an epoch, or ErrNotFound.
func (s *Store) owner(ctx context.Context, c Claim) (uuid.UUID, error) {
	owner := uuid.Nil
	err := s.scan(s.controlContext(ctx, ""), "read claim", `
		SELECT owner FROM media_claims WHERE kind = {kind:String} AND id = {id:String} AND epoch = {epoch:UInt64} ORDER BY at, owner LIMIT 1`,
		func(rows driver.Rows) error { return rows.Scan(&owner) },
		clickhouse.Named("kind", c.Kind), clickhouse.Named("id", c.ID), clickhouse.Named("epoch", fmt.Sprint(c.Epoch)))
	if err == nil && owner == uuid.Nil {
		err = fmt.Errorf("read claim: %w", ErrNotFound)
	}
	return owner, err
}

// LastClaims are the newest claims of things of a kind; those that nobody has are not among them.
func (s *Store) LastClaims(ctx context.Context, kind string, ids []string) ([]Claim, error) {
	var out []Claim
	err := s.scan(s.controlContext(ctx, ""), "read claims", `
		SELECT id, epoch, owner, until FROM media_claims WHERE kind = {kind:String} AND id IN {ids:Array(String)}
		ORDER BY id, epoch DESC, at, owner LIMIT 1 BY id`,
		func(rows driver.Rows) error {
			c := Claim{Kind: kind}
			err := rows.Scan(&c.ID, &c.Epoch, &c.Owner, &c.Until)
			out = append(out, c)
			return err
		}, clickhouse.Named("kind", kind), clickhouse.Named("ids", ids))
	return out, err
}

// Claimed are the ids of a kind that somebody has and that are still needed.
func (s *Store) Claimed(ctx context.Context, kind string) ([]Claim, error) {
	var out []Claim
	err := s.scan(s.controlContext(ctx, ""), "list claims", `
		SELECT DISTINCT id, until FROM media_claims WHERE kind = {kind:String} AND until > now()`,
		func(rows driver.Rows) error {
			c := Claim{Kind: kind}
			err := rows.Scan(&c.ID, &c.Until)
			out = append(out, c)
			return err
		}, clickhouse.Named("kind", kind))
	return out, err
}

// MediaNode is a start of a media node, as its signs of life show it.
type MediaNode struct {
	ID  uuid.UUID
	URL string
	// Over: it has ended by itself.
	Over bool
	// Silence is how long ago its last sign was, by the server's clock.
	Silence time.Duration
}

// BeatMediaNode is a sign of life.
func (s *Store) BeatMediaNode(ctx context.Context, n MediaNode) error {
	return s.replaceRows(ctx, "media_nodes", "node, url, over", [][]any{{n.ID, n.URL, n.Over}})
}

// MediaNodes lists those that have shown a sign of life within a time.
func (s *Store) MediaNodes(ctx context.Context, within time.Duration) ([]MediaNode, error) {
	var out []MediaNode
	err := s.scan(s.controlContext(ctx, ""), "list media nodes", `
		SELECT node, argMax(url, at), max(over), dateDiff('microsecond', max(at), now64(6, 'UTC')) AS silence FROM media_nodes
		GROUP BY node HAVING silence <= {within:Int64} ORDER BY node`,
		func(rows driver.Rows) error {
			var n MediaNode
			var silence int64
			err := rows.Scan(&n.ID, &n.URL, &n.Over, &silence)
			n.Silence = time.Duration(silence) * time.Microsecond
			out = append(out, n)
			return err
		}, clickhouse.Named("within", fmt.Sprint(within.Microseconds())))
	return out, err
}
