package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// Control is one version of one control row: an organisation, a policy, a hold and the like.
//
// A version is written by at most one writer. All writers of version n+1 insert under one deduplication token, so the server
// takes the first and drops the others, and each reads back whose row is there. The engine may have noted the token and lost
// the row, when it was killed in between: then nobody is there, and the writers race again under the token with a suffix. The
// window of 10,000 tokens bounds how long a writer may stall between comparing and inserting; past it, two rows could claim one
// version, and the one that the server took first is the version for every reader.
type Control struct {
	// Kind, Org and ID name the row. Org is empty for what belongs to the operator.
	Kind string
	Org  string
	ID   string
	// Version counts from 1 without gaps.
	Version uint64
	// Value is JSON; empty in a deletion.
	Value json.RawMessage
	// Deleted: the row ceased to exist with this version.
	Deleted bool
	// Author is who changed it, as identity names them: never a guest.
	Author string
	// At is when, in UTC to the microsecond. Zero when putting: now.
	At time.Time
	// WriteID tells writers apart. Zero when putting: random. Who puts again with the id of an attempt that ended in
	// ErrUnavailable gets the row of that attempt if it was written.
	WriteID uuid.UUID
}

// controlColumns are the columns in the order of scanControl.
const controlColumns = "kind, org, id, version, value, deleted, author, at, write_id"

// controlAttempts bounds the races for one version that a crash of the server emptied: one per crash within one Put.
const controlAttempts = 5

// Get returns the newest version of a row. It fails with ErrNotFound if there is none or if the newest is a deletion.
func (s *Store) Get(ctx context.Context, kind, org, id string) (Control, error) {
	row, err := s.newest(ctx, kind, org, id)
	if err != nil {
		return Control{}, err
	}
	if row.Deleted {
		return Control{}, fmt.Errorf("get %s %q: %w", kind, id, ErrNotFound)
	}
	return row, nil
}

// List returns the newest version of each row of a kind and organisation in order of id, without those deleted.
func (s *Store) List(ctx context.Context, kind, org string) ([]Control, error) {
	return s.queryControl(ctx, "list "+kind, `
		SELECT `+controlColumns+` FROM (
			SELECT * FROM control WHERE kind = {kind:String} AND org = {org:String}
			ORDER BY id, version DESC, inserted_at, write_id LIMIT 1 BY id
		) WHERE NOT deleted ORDER BY id`,
		clickhouse.Named("kind", kind), clickhouse.Named("org", org))
}

// ListEverywhere returns the newest version of each row of a kind, of all organisations, those deleted too.
func (s *Store) ListEverywhere(ctx context.Context, kind string) ([]Control, error) {
	return s.queryControl(ctx, "list "+kind, `
		SELECT `+controlColumns+` FROM control WHERE kind = {kind:String}
		ORDER BY org, id, version DESC, inserted_at, write_id LIMIT 1 BY org, id`, clickhouse.Named("kind", kind))
}

// History returns all versions of a row, oldest first, deletions among them; none is no error.
func (s *Store) History(ctx context.Context, kind, org, id string) ([]Control, error) {
	return s.queryControl(ctx, "read history of "+kind, `
		SELECT `+controlColumns+` FROM control
		WHERE kind = {kind:String} AND org = {org:String} AND id = {id:String}
		ORDER BY version, inserted_at, write_id LIMIT 1 BY version`,
		clickhouse.Named("kind", kind), clickhouse.Named("org", org), clickhouse.Named("id", id))
}

// Put writes the version after ifVersion, which must be the newest, and returns it as it was stored. With ifVersion 0 there must
// be no row, or a deleted one. It fails with ErrConflict if that isn't so or another writer was first, and with ErrNotFound if
// ifVersion names a version of a row that never was. After ErrUnavailable it is unknown whether the row was written.
func (s *Store) Put(ctx context.Context, row Control, ifVersion uint64) (Control, error) {
	if row.Kind == "" || row.ID == "" {
		return Control{}, errors.New("put control row: kind or id is empty")
	}
	if !row.Deleted && !json.Valid(row.Value) {
		return Control{}, fmt.Errorf("put %s: value is not JSON", row.Kind)
	}
	if row.WriteID == uuid.Nil {
		row.WriteID = uuid.New()
	}
	if row.At.IsZero() {
		row.At = time.Now()
	}
	row.At = row.At.UTC().Truncate(time.Microsecond)
	current, err := s.newest(ctx, row.Kind, row.Org, row.ID)
	switch {
	case errors.Is(err, ErrNotFound) && ifVersion > 0:
		return Control{}, err
	case err != nil && !errors.Is(err, ErrNotFound):
		return Control{}, err
	case err == nil && current.WriteID == row.WriteID:
		return current, nil
	case current.Version != ifVersion && (ifVersion != 0 || !current.Deleted):
		return Control{}, conflict(row, current.Version)
	}
	row.Version = current.Version + 1
	return s.claim(ctx, row)
}

// Delete puts a deletion.
func (s *Store) Delete(ctx context.Context, kind, org, id, author string, ifVersion uint64) (Control, error) {
	if ifVersion == 0 {
		return Control{}, fmt.Errorf("delete %s: version to delete is missing", kind)
	}
	return s.Put(ctx, Control{Kind: kind, Org: org, ID: id, Author: author, Deleted: true}, ifVersion)
}

// claim races for the row's version.
func (s *Store) claim(ctx context.Context, row Control) (Control, error) {
	token := controlToken(row)
	for attempt := range controlAttempts {
		if attempt > 0 {
			token = fmt.Sprintf("%s:r%d", controlToken(row), attempt)
		}
		if err := s.insertControl(ctx, row, token); err != nil {
			return Control{}, err
		}
		winner, err := s.version(ctx, row)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return Control{}, err
		}
		if winner.WriteID != row.WriteID {
			return Control{}, conflict(row, winner.Version)
		}
		return winner, nil
	}
	return Control{}, fmt.Errorf("put %s %q: %w: version %d was taken and is not there", row.Kind, row.ID, ErrUnavailable, row.Version)
}

// controlToken is one for all writers of a version. Lengths keep ("a", "b:c") apart from ("a:b", "c").
func controlToken(row Control) string {
	var b strings.Builder
	b.WriteString("control")
	for _, part := range []string{row.Kind, row.Org, row.ID} {
		fmt.Fprintf(&b, ":%d:%s", len(part), part)
	}
	fmt.Fprintf(&b, ":%d", row.Version)
	return b.String()
}

func (s *Store) insertControl(ctx context.Context, row Control, token string) error {
	action := "put " + row.Kind
	batch, err := s.conn.PrepareBatch(s.controlContext(ctx, token), "INSERT INTO control ("+controlColumns+")")
	if err != nil {
		return wrap(action, err)
	}
	err = batch.Append(row.Kind, row.Org, row.ID, row.Version, string(row.Value), row.Deleted, row.Author, row.At, row.WriteID)
	if err != nil {
		_ = batch.Abort()
		return fmt.Errorf("%s: %w", action, err)
	}
	return wrap(action, batch.Send())
}

// controlContext adds the token, and on Replicated tables what makes reads see each acknowledged write: quorum inserts one after
// the other (sequential consistency knows nothing of parallel ones), and reads from replicas that have all of them.
func (s *Store) controlContext(ctx context.Context, token string) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(s.controlSettings(token)))
}

func (s *Store) controlSettings(token string) clickhouse.Settings {
	set := settings()
	if token != "" {
		set["insert_deduplication_token"] = token
	}
	if s.cfg.Cluster != "" && s.cfg.Replicated {
		set["insert_quorum"] = "auto"
		set["insert_quorum_parallel"] = 0
		set["select_sequential_consistency"] = 1
	}
	return set
}

// newest returns the newest version of a row, a deletion too.
func (s *Store) newest(ctx context.Context, kind, org, id string) (Control, error) {
	rows, err := s.queryControl(ctx, "get "+kind, `
		SELECT `+controlColumns+` FROM control
		WHERE kind = {kind:String} AND org = {org:String} AND id = {id:String}
		ORDER BY version DESC, inserted_at, write_id LIMIT 1`,
		clickhouse.Named("kind", kind), clickhouse.Named("org", org), clickhouse.Named("id", id))
	if err != nil {
		return Control{}, err
	}
	if len(rows) == 0 {
		return Control{}, fmt.Errorf("get %s %q: %w", kind, id, ErrNotFound)
	}
	return rows[0], nil
}

// version returns the row that is the version of the given one.
func (s *Store) version(ctx context.Context, row Control) (Control, error) {
	rows, err := s.queryControl(ctx, "read back "+row.Kind, `
		SELECT `+controlColumns+` FROM control
		WHERE kind = {kind:String} AND org = {org:String} AND id = {id:String} AND version = {version:UInt64}
		ORDER BY inserted_at, write_id LIMIT 1`,
		clickhouse.Named("kind", row.Kind), clickhouse.Named("org", row.Org), clickhouse.Named("id", row.ID),
		clickhouse.Named("version", fmt.Sprint(row.Version)))
	if err != nil {
		return Control{}, err
	}
	if len(rows) == 0 {
		return Control{}, fmt.Errorf("read back %s %q: %w", row.Kind, row.ID, ErrNotFound)
	}
	return rows[0], nil
}

func (s *Store) queryControl(ctx context.Context, action, query string, args ...any) ([]Control, error) {
	rows, err := s.conn.Query(s.controlContext(ctx, ""), query, args...)
	if err != nil {
		return nil, wrap(action, err)
	}
	defer rows.Close()
	var out []Control
	for rows.Next() {
		row, err := scanControl(rows)
		if err != nil {
			return nil, wrap(action, err)
		}
		out = append(out, row)
	}
	return out, wrap(action, rows.Err())
}

func scanControl(rows driver.Rows) (Control, error) {
	var row Control
	var value string
	err := rows.Scan(&row.Kind, &row.Org, &row.ID, &row.Version, &value, &row.Deleted, &row.Author, &row.At, &row.WriteID)
	if value != "" {
		row.Value = json.RawMessage(value)
	}
	row.At = row.At.UTC()
	return row, err
}

func conflict(row Control, version uint64) error {
	return fmt.Errorf("put %s %q: %w: it is at version %d", row.Kind, row.ID, ErrConflict, version)
}
