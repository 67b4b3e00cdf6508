package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// leafAttempts bounds the inserts of one leaf whose token a crash of the server left without a row.
const leafAttempts = 5

// PutLeaf hands a leaf to the region's ledger: canonical JSON under an id by which it is appended once, however often it is put. Of several leaves of
// one id the first counts. When it returns nil the leaf is there.
func (s *Store) PutLeaf(ctx context.Context, id string, leaf []byte) error {
	if id == "" {
		return errors.New("put leaf: id is empty")
	}
	for attempt := range leafAttempts {
		token := "leaf:" + id
		if attempt > 0 {
			token = fmt.Sprintf("%s:r%d", token, attempt)
		}
		if err := s.insertLeaf(ctx, id, leaf, token); err != nil {
			return err
		}
		// The engine may have noted the token and lost the row, when it was killed in between; see replay.go.
		var there uint64
		err := s.scan(s.controlContext(ctx, ""), "read back leaf", "SELECT count() FROM ledger_outbox WHERE id = {id:String}",
			func(rows driver.Rows) error { return rows.Scan(&there) }, clickhouse.Named("id", id))
		if err != nil {
			return err
		}
		if there > 0 {
			return nil
		}
	}
	return fmt.Errorf("put leaf: %w: it was taken and is not there", ErrUnavailable)
}

func (s *Store) insertLeaf(ctx context.Context, id string, leaf []byte, token string) error {
	batch, err := s.conn.PrepareBatch(s.controlContext(ctx, token), "INSERT INTO ledger_outbox (id, leaf)")
	if err != nil {
		return wrap("put leaf", err)
	}
	if err := batch.Append(id, string(leaf)); err != nil {
		_ = batch.Abort()
		return fmt.Errorf("put leaf: %w", err)
	}
	return wrap("put leaf", batch.Send())
}

// OutboxLeaf is a leaf on its way into the ledger.
type OutboxLeaf struct {
	ID   string
	Leaf []byte
	// InsertedAt is when it was put, by the server's clock.
	InsertedAt time.Time
}

// OutboxCounts tells how many leaves the outbox has, waiting or not, and how many of them were put before a moment.
func (s *Store) OutboxCounts(ctx context.Context, before time.Time) (all, older uint64, err error) {
	err = s.scan(s.controlContext(ctx, ""), "count leaves", `SELECT count(), countIf(inserted_at < fromUnixTimestamp64Micro({before:Int64}, 'UTC')) FROM ledger_outbox`,
		func(rows driver.Rows) error { return rows.Scan(&all, &older) }, clickhouse.Named("before", micros(before)))
	return all, older, err
}

// OutboxSize tells how many leaves the outbox has, waiting or not. It reads no rows.
func (s *Store) OutboxSize(ctx context.Context) (size uint64, err error) {
	err = s.scan(s.controlContext(ctx, ""), "count leaves", "SELECT count() FROM ledger_outbox", func(rows driver.Rows) error { return rows.Scan(&size) })
	return size, err
}

// WaitingFilter says which waiting leaves are meant.
type WaitingFilter struct {
	// Since: put then or later. Zero: whenever.
	Since time.Time
	// Part of Parts: those whose id's hash falls into it, so that a look at all of a large outbox needs little memory. Zero Parts is one.
	Part, Parts uint64
	Limit       uint64
}

// WaitingLeaves are leaves of the outbox that have no entry, in order of when they were put and id.
func (s *Store) WaitingLeaves(ctx context.Context, f WaitingFilter) ([]OutboxLeaf, error) {
	since := int64(0)
	if !f.Since.IsZero() {
		since = micros(f.Since)
	}
	const these = `inserted_at >= fromUnixTimestamp64Micro({since:Int64}, 'UTC') AND cityHash64(id) % {parts:UInt64} = {part:UInt64}`
	var out []OutboxLeaf
	err := s.scan(s.controlContext(ctx, ""), "look for waiting leaves", `
		SELECT id, argMin(leaf, inserted_at) AS leaf, min(ledger_outbox.inserted_at) AS put_at FROM ledger_outbox
		WHERE `+these+` AND id NOT IN (SELECT id FROM ledger_entries WHERE id IN (SELECT id FROM ledger_outbox WHERE `+these+`))
		GROUP BY id ORDER BY put_at, id LIMIT {limit:UInt64}`,
		func(rows driver.Rows) error {
			var l OutboxLeaf
			var leaf string
			err := rows.Scan(&l.ID, &leaf, &l.InsertedAt)
			l.Leaf, l.InsertedAt = []byte(leaf), l.InsertedAt.UTC()
			out = append(out, l)
			return err
		},
		clickhouse.Named("since", since), clickhouse.Named("parts", fmt.Sprint(max(f.Parts, 1))), clickhouse.Named("part", fmt.Sprint(f.Part)),
		clickhouse.Named("limit", fmt.Sprint(f.Limit)))
	return out, err
}

// Waiting tells how many leaves wait and since when the first does; zero if none does.
func (s *Store) Waiting(ctx context.Context) (count uint64, since time.Time, err error) {
	err = s.scan(s.controlContext(ctx, ""), "count waiting leaves", `
		SELECT uniqExact(id), min(inserted_at) FROM ledger_outbox WHERE id NOT IN (SELECT id FROM ledger_entries)`,
		func(rows driver.Rows) error { return rows.Scan(&count, &since) })
	if count == 0 {
		since = time.Time{}
	}
	return count, since.UTC(), err
}

// LedgerEntry says where a leaf is in the region's ledger.
type LedgerEntry struct {
	ID    string
	Index uint64
	// LeafHash is RFC 6962's of the leaf as it is in the log.
	LeafHash [32]byte
	// PublishedAt is when a signed checkpoint was first seen to cover it.
	PublishedAt time.Time
}

const entryColumns = "id, log_index, leaf_hash, published_at"

func (e *LedgerEntry) scan(rows driver.Rows) error {
	var hash string
	err := rows.Scan(&e.ID, &e.Index, &hash, &e.PublishedAt)
	copy(e.LeafHash[:], hash)
	e.PublishedAt = e.PublishedAt.UTC()
	return err
}

// PutLedgerEntries writes entries. Repeating it is harmless.
func (s *Store) PutLedgerEntries(ctx context.Context, entries []LedgerEntry) error {
	batch, err := s.conn.PrepareBatch(clickhouse.Context(ctx, clickhouse.WithSettings(repeated(s.controlSettings("")))), "INSERT INTO ledger_entries ("+entryColumns+")")
	if err != nil {
		return wrap("put ledger entries", err)
	}
	for i := range entries {
		e := &entries[i]
		if err := batch.Append(e.ID, e.Index, string(e.LeafHash[:]), e.PublishedAt); err != nil {
			_ = batch.Abort()
			return fmt.Errorf("put ledger entries: %w", err)
		}
	}
	return wrap("put ledger entries", batch.Send())
}

// LedgerEntries are those of the leaves with these ids, as far as they are published.
func (s *Store) LedgerEntries(ctx context.Context, ids []string) (map[string]LedgerEntry, error) {
	out := make(map[string]LedgerEntry, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	err := s.scan(s.controlContext(ctx, ""), "look up ledger entries", `
		SELECT `+entryColumns+` FROM ledger_entries WHERE id IN {ids:Array(String)} ORDER BY id, published_at DESC`,
		func(rows driver.Rows) error {
			var e LedgerEntry
			err := e.scan(rows)
			out[e.ID] = e
			return err
		}, clickhouse.Named("ids", ids))
	return out, err
}

// LedgerExtent tells how many different indices the entries have, and the highest.
func (s *Store) LedgerExtent(ctx context.Context) (count, highest uint64, err error) {
	err = s.scan(s.controlContext(ctx, ""), "measure ledger entries", "SELECT uniqExact(log_index), max(log_index) FROM ledger_entries",
		func(rows driver.Rows) error { return rows.Scan(&count, &highest) })
	return count, highest, err
}

// EachLedgerEntry calls do for each entry from an index on, in order of index; twice if two rows claim it.
func (s *Store) EachLedgerEntry(ctx context.Context, from uint64, do func(LedgerEntry) error) error {
	return s.scan(ctx, "read ledger entries", `
		SELECT `+entryColumns+` FROM ledger_entries FINAL WHERE log_index >= {from:UInt64} ORDER BY log_index, id SETTINGS max_bytes_before_external_sort = 200000000`,
		func(rows driver.Rows) error {
			var e LedgerEntry
			if err := e.scan(rows); err != nil {
				return err
			}
			return do(e)
		}, clickhouse.Named("from", fmt.Sprint(from)))
}

// EachOutboxLeaf calls do for each leaf that was put, once, with its entry if there is one (else nil).
func (s *Store) EachOutboxLeaf(ctx context.Context, do func(OutboxLeaf, *LedgerEntry) error) error {
	return s.scan(ctx, "read outbox", `
		SELECT o.id, o.leaf, o.put_at, e.there, e.log_index, e.leaf_hash, e.published_at
		FROM (SELECT id, argMin(leaf, inserted_at) AS leaf, min(inserted_at) AS put_at FROM ledger_outbox GROUP BY id) AS o
		LEFT JOIN (SELECT `+entryColumns+`, 1 AS there FROM ledger_entries FINAL) AS e ON e.id = o.id
		SETTINGS max_bytes_before_external_group_by = 200000000, join_algorithm = 'grace_hash', max_rows_in_join = 0, max_bytes_in_join = 0`,
		func(rows driver.Rows) error {
			var l OutboxLeaf
			var e LedgerEntry
			var leaf, hash string
			var there uint8
			if err := rows.Scan(&l.ID, &leaf, &l.InsertedAt, &there, &e.Index, &hash, &e.PublishedAt); err != nil {
				return err
			}
			l.Leaf = []byte(leaf)
			if there == 0 {
				return do(l, nil)
			}
			e.ID = l.ID
			copy(e.LeafHash[:], hash)
			return do(l, &e)
		})
}

// EachEvidenceByBatch calls do for each row of evidence, in order of batch and copy id: what the leaves of deletion batches are made of. do must not
// keep the Evidence.
func (s *Store) EachEvidenceByBatch(ctx context.Context, do func(*Evidence) error) error {
	var e Evidence
	return s.scan(ctx, "list evidence", `SELECT `+evidenceColumns+` FROM evidence ORDER BY batch_id, copy_id, written_at LIMIT 1 BY batch_id, copy_id
		SETTINGS max_bytes_before_external_sort = 200000000`, func(rows driver.Rows) error {
		e = Evidence{}
		if err := e.scan(rows); err != nil {
			return err
		}
		return do(&e)
	})
}

// EachStoredByBatch calls do for each stored thing, in order of batch and copy id: what the leaves of stored batches are made of. do must not keep the
// StoredThing.
func (s *Store) EachStoredByBatch(ctx context.Context, do func(*StoredThing) error) error {
	var t StoredThing
	return s.scan(ctx, "list stored things", `SELECT `+storedColumns+` FROM stored_things ORDER BY batch_id, copy_id, written_at LIMIT 1 BY batch_id, copy_id
		SETTINGS max_bytes_before_external_sort = 200000000`, func(rows driver.Rows) error {
		t = StoredThing{}
		if err := t.scan(rows); err != nil {
			return err
		}
		return do(&t)
	})
}
