package store

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// Evidence is a thing whose bytes are gone, as the table evidence has it.
type Evidence struct {
	// CopyID is the thing's keyed hash (proof.ThingID), Nonce is of this row.
	CopyID         [32]byte
	Nonce          [16]byte
	Class          string
	Org            string
	MeetingID      uuid.UUID
	CallID         string
	ResourceID     uuid.UUID
	SentAt         time.Time
	DueAt          *time.Time
	HiddenAt       time.Time
	PurgedAt       time.Time
	Why            string
	Born           bool
	Held           bool
	LatenessMs     int64
	Attempts       uint32
	RuleID         string
	RuleVersion    uint64
	Reason         string
	Revision       string
	BrokerExpiryAt *time.Time
	// BatchID is that of the leaf that proves it.
	BatchID   uuid.UUID
	WrittenAt time.Time
}

const evidenceColumns = `copy_id, nonce, toString(class), org, meeting_id, call_id, resource_id, sent_at, due_at, hidden_at, purged_at, toString(why), born, held,
	lateness_ms, attempts, toString(rule_id), rule_version, toString(reason), toString(revision), broker_expiry_at, batch_id, written_at`

func (e *Evidence) scan(rows driver.Rows) error {
	var id, nonce string
	err := rows.Scan(&id, &nonce, &e.Class, &e.Org, &e.MeetingID, &e.CallID, &e.ResourceID, &e.SentAt, &e.DueAt, &e.HiddenAt, &e.PurgedAt, &e.Why, &e.Born,
		&e.Held, &e.LatenessMs, &e.Attempts, &e.RuleID, &e.RuleVersion, &e.Reason, &e.Revision, &e.BrokerExpiryAt, &e.BatchID, &e.WrittenAt)
	copy(e.CopyID[:], id)
	copy(e.Nonce[:], nonce)
	e.SentAt, e.HiddenAt, e.PurgedAt, e.WrittenAt = e.SentAt.UTC(), e.HiddenAt.UTC(), e.PurgedAt.UTC(), e.WrittenAt.UTC()
	e.DueAt, e.BrokerExpiryAt = utc(e.DueAt), utc(e.BrokerExpiryAt)
	return err
}

// EachEvidence calls do for each thing that is gone, once, in order of organisation, time of sending and copy id. do must not keep the Evidence.
func (s *Store) EachEvidence(ctx context.Context, f ThingFilter, do func(*Evidence) error) error {
	where, args := f.where()
	return s.eachEvidence(ctx, where, "org, sent_at, copy_id", args, do)
}

// EachEvidenceOf calls do for each row that the leaf of a batch is made of, in order of copy id. do must not keep the Evidence.
func (s *Store) EachEvidenceOf(ctx context.Context, batch uuid.UUID, do func(*Evidence) error) error {
	return s.eachEvidence(ctx, "batch_id = {batch:UUID}", "copy_id", []any{clickhouse.Named("batch", batch)}, do)
}

func (s *Store) eachEvidence(ctx context.Context, where, order string, args []any, do func(*Evidence) error) error {
	var e Evidence
	return s.scan(ctx, "list evidence", `SELECT `+evidenceColumns+` FROM evidence WHERE `+where+`
		ORDER BY `+order+`, written_at, batch_id LIMIT 1 BY copy_id`, func(rows driver.Rows) error {
		e = Evidence{}
		if err := e.scan(rows); err != nil {
			return err
		}
		return do(&e)
	}, args...)
}

// StoredThing says which leaf of the ledger tells that a thing came to be kept.
type StoredThing struct {
	CopyID     [32]byte
	Class      string
	Org        string
	MeetingID  uuid.UUID
	CallID     string
	ResourceID uuid.UUID
	SentAt     time.Time
	BatchID    uuid.UUID
	// Position is the thing's place in the batch.
	Position uint32
}

const storedColumns = "copy_id, toString(class), org, meeting_id, call_id, resource_id, sent_at, batch_id, position"

func (t *StoredThing) scan(rows driver.Rows) error {
	var id string
	err := rows.Scan(&id, &t.Class, &t.Org, &t.MeetingID, &t.CallID, &t.ResourceID, &t.SentAt, &t.BatchID, &t.Position)
	copy(t.CopyID[:], id)
	t.SentAt = t.SentAt.UTC()
	return err
}

// EachStored calls do for each thing that ever was kept, as far as it is told in the ledger, in order of organisation, time of sending and copy id. do
// must not keep the StoredThing.
func (s *Store) EachStored(ctx context.Context, f ThingFilter, do func(*StoredThing) error) error {
	where, args := f.where()
	return s.eachStored(ctx, where, "org, sent_at, copy_id", args, do)
}

// EachStoredOf calls do for each thing that the leaf of a batch is made of, in order of copy id. do must not keep the StoredThing.
func (s *Store) EachStoredOf(ctx context.Context, batch uuid.UUID, do func(*StoredThing) error) error {
	return s.eachStored(ctx, "batch_id = {batch:UUID}", "copy_id", []any{clickhouse.Named("batch", batch)}, do)
}

func (s *Store) eachStored(ctx context.Context, where, order string, args []any, do func(*StoredThing) error) error {
	var t StoredThing
	return s.scan(ctx, "list stored things", `SELECT `+storedColumns+` FROM stored_things WHERE `+where+`
		ORDER BY `+order+`, written_at, batch_id LIMIT 1 BY copy_id`, func(rows driver.Rows) error {
		t = StoredThing{}
		if err := t.scan(rows); err != nil {
			return err
		}
		return do(&t)
	}, args...)
}
