package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/ext"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// BatchStep is how far a batch is.
type BatchStep string

// The steps of a batch of things that came to be kept: intent, done. Of a purge: all. GivenUp ends either.
const (
	StepIntent    BatchStep = "intent"
	StepPurged    BatchStep = "purged"
	StepEvidenced BatchStep = "evidenced"
	StepDone      BatchStep = "done"
	StepGivenUp   BatchStep = "given_up"
)

// The kinds of batches.
const (
	KindStored = "stored"
	KindPurge  = "purge"
)

// SweepBatch is a batch as its newest row has it.
type SweepBatch struct {
	ID   uuid.UUID
	Kind string
	Step BatchStep
	// Epoch of the sweeper that wrote the row. From StepPurged on it is that of the sweeper that purged.
	Epoch uint64
	ClassDay
	Things   uint64
	Attempts uint32
	// Failure is why the last attempt failed, "" if it didn't.
	Failure string
	// At is when, by the clock that the sweep was given; from StepPurged on, when the bytes were gone.
	At time.Time
	// Begun is when the batch was begun, and WrittenAt when the row was written, by the server's clock.
	Begun, WrittenAt time.Time
}

const batchColumns = "batch_id, kind, step, epoch, class, day, things, attempts, failure, at, begun"

// WriteBatch notes a batch's step. Of StepPurged there is one row only: of two writers the first wins, and both are told what the first wrote.
func (s *Store) WriteBatch(ctx context.Context, b SweepBatch) (SweepBatch, error) {
	if b.Step != StepPurged {
		return b, s.insertBatch(ctx, b, "")
	}
	for attempt := range controlAttempts {
		token := "purged:" + b.ID.String()
		if attempt > 0 {
			token = fmt.Sprintf("%s:r%d", token, attempt)
		}
		if err := s.insertBatch(ctx, b, token); err != nil {
			return b, err
		}
		written, err := s.purged(ctx, b)
		if err == nil || !errors.Is(err, ErrNotFound) {
			return written, err
		}
	}
	return b, fmt.Errorf("note that a batch is purged: %w: the note was taken and is not there", ErrUnavailable)
}

func (s *Store) insertBatch(ctx context.Context, b SweepBatch, token string) error {
	ctx = s.controlContext(ctx, token)
	batch, err := s.conn.PrepareBatch(ctx, "INSERT INTO purge_batches ("+batchColumns+")")
	if err != nil {
		return wrap("note a batch's step", err)
	}
	if err := batch.Append(b.ID, b.Kind, string(b.Step), b.Epoch, b.Class, b.Day, b.Things, b.Attempts, b.Failure, b.At, b.Begun); err != nil {
		_ = batch.Abort()
		return fmt.Errorf("note a batch's step: %w", err)
	}
	return wrap("note a batch's step", batch.Send())
}

// purged reads the one row that says what was purged.
func (s *Store) purged(ctx context.Context, b SweepBatch) (SweepBatch, error) {
	found := false
	err := s.scan(s.controlContext(ctx, ""), "read what was purged", `SELECT epoch, things, attempts, at FROM purge_batches
		WHERE batch_id = {batch:UUID} AND step = 'purged' ORDER BY inserted_at, epoch LIMIT 1`, func(rows driver.Rows) error {
		found = true
		return rows.Scan(&b.Epoch, &b.Things, &b.Attempts, &b.At)
	}, clickhouse.Named("batch", b.ID))
	b.At = b.At.UTC()
	if err == nil && !found {
		err = fmt.Errorf("read what was purged: %w", ErrNotFound)
	}
	return b, err
}

// UnfinishedBatches lists the batches that are neither done nor given up, the oldest first.
func (s *Store) UnfinishedBatches(ctx context.Context) ([]SweepBatch, error) {
	var out []SweepBatch
	err := s.scan(s.controlContext(ctx, ""), "list unfinished batches", `
		SELECT batch_id, toString(any(kind)), toString(argMax(step, rank)) AS now, argMax(epoch, rank), toString(any(class)), any(day), argMax(things, rank),
			argMax(attempts, rank), argMax(failure, rank), argMax(at, rank), any(begun) AS since, argMax(inserted_at, rank)
		FROM (SELECT *, (toInt8(step), if(step = 'purged', -toUnixTimestamp64Micro(inserted_at), toUnixTimestamp64Micro(inserted_at))) AS rank FROM purge_batches)
		GROUP BY batch_id HAVING now NOT IN ('done', 'given_up') ORDER BY since, batch_id`, func(rows driver.Rows) error {
		var b SweepBatch
		var step string
		if err := rows.Scan(&b.ID, &b.Kind, &step, &b.Epoch, &b.Class, &b.Day, &b.Things, &b.Attempts, &b.Failure, &b.At, &b.Begun, &b.WrittenAt); err != nil {
			return err
		}
		b.Step, b.Day, b.At, b.Begun, b.WrittenAt = BatchStep(step), b.Day.UTC(), b.At.UTC(), b.Begun.UTC(), b.WrittenAt.UTC()
		out = append(out, b)
		return nil
	})
	return out, err
}

// WriteStored stores which things a batch of stored things has: in order of copy id, which makes their places.
func (s *Store) WriteStored(ctx context.Context, batch uuid.UUID, things []StoredThing) error {
	position := uint32(0)
	return s.insertColumns(ctx, "stored_things",
		col("copy_id", things, func(t *StoredThing) string { return string(t.CopyID[:]) }),
		col("class", things, func(t *StoredThing) string { return t.Class }),
		col("org", things, func(t *StoredThing) string { return t.Org }),
		col("meeting_id", things, func(t *StoredThing) uuid.UUID { return t.MeetingID }),
		col("call_id", things, func(t *StoredThing) string { return t.CallID }),
		col("resource_id", things, func(t *StoredThing) uuid.UUID { return t.ResourceID }),
		col("sent_at", things, func(t *StoredThing) time.Time { return t.SentAt }),
		col("batch_id", things, func(*StoredThing) uuid.UUID { return batch }),
		col("position", things, func(*StoredThing) uint32 { position++; return position - 1 }),
	)
}

// ForgetStored removes the rows of a batch of stored things that was cut short before it had a leaf.
func (s *Store) ForgetStored(ctx context.Context, batch uuid.UUID) error {
	return s.onShards(ctx, "forget a stored batch", "ALTER TABLE "+s.here("stored_things")+" DELETE WHERE batch_id = {batch:UUID} SETTINGS mutations_sync = 2",
		clickhouse.Named("batch", batch))
}

// NotStored returns those of some things that are in no stored batch yet, each once.
func (s *Store) NotStored(ctx context.Context, things []StoredThing) ([]StoredThing, error) {
	const atOnce = 50_000
	var out []StoredThing
	for chunk := range slices.Chunk(things, atOnce) {
		ids, err := ext.NewTable("asked", ext.Column("copy_id", "FixedString(32)"))
		if err != nil {
			return nil, fmt.Errorf("look for stored things: %w", err)
		}
		from, to := chunk[0].SentAt, chunk[0].SentAt
		for i := range chunk {
			if err := ids.Append(string(chunk[i].CopyID[:])); err != nil {
				return nil, fmt.Errorf("look for stored things: %w", err)
			}
			if chunk[i].SentAt.Before(from) {
				from = chunk[i].SentAt
			}
			if chunk[i].SentAt.After(to) {
				to = chunk[i].SentAt
			}
		}
		known := make(map[[32]byte]bool, len(chunk))
		err = s.scan(clickhouse.Context(ctx, clickhouse.WithExternalTable(ids)), "look for stored things", `SELECT DISTINCT copy_id FROM stored_things
			WHERE sent_at BETWEEN fromUnixTimestamp64Micro({from:Int64}, 'UTC') AND fromUnixTimestamp64Micro({to:Int64}, 'UTC')
				AND copy_id IN (SELECT copy_id FROM asked)`, func(rows driver.Rows) error {
			var id string
			err := rows.Scan(&id)
			known[[32]byte([]byte(id))] = true
			return err
		}, clickhouse.Named("from", micros(from)), clickhouse.Named("to", micros(to)))
		if err != nil {
			return nil, err
		}
		for i := range chunk {
			if !known[chunk[i].CopyID] {
				known[chunk[i].CopyID] = true
				out = append(out, chunk[i])
			}
		}
	}
	return out, nil
}
