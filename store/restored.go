package store

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// What follows makes a restored backup and the journal's rows agree. It runs once all of the journal is in the tables, and may be repeated.

// GiveUpProven gives up purges that the backup has as unfinished and that were finished since: their leaf is put, so what they purged has its evidence, and
// another attempt could only add to what is proven. What is there of their things is purged as what came back. It returns how many there were.
func (s *Store) GiveUpProven(ctx context.Context) (uint64, error) {
	const proven = `FROM (
			SELECT batch_id, any(kind) AS kind, max(epoch) AS epoch, any(class) AS class, any(day) AS day, max(things) AS things, max(attempts) AS attempts, any(begun) AS begun,
				groupUniqArray(toString(step)) AS steps
			FROM purge_batches GROUP BY batch_id
		) WHERE kind = 'purge' AND NOT hasAny(steps, ['done', 'given_up']) AND toString(batch_id) IN (SELECT id FROM ledger_outbox)`
	found := uint64(0)
	err := s.scan(s.controlContext(ctx, ""), "look for proven purges", "SELECT count() "+proven, func(rows driver.Rows) error { return rows.Scan(&found) })
	if err != nil || found == 0 {
		return 0, err
	}
	err = s.conn.Exec(clickhouse.Context(ctx, clickhouse.WithSettings(repeated(s.controlSettings("")))), `
		INSERT INTO purge_batches (batch_id, kind, step, epoch, class, day, things, attempts, failure, at, begun)
		SELECT batch_id, kind, 'given_up', epoch, class, day, things, attempts, 'restored', now64(6, 'UTC'), begun `+proven)
	return found, wrap("give up proven purges", err)
}

// DropUnproven removes evidence and stored things of batches that neither have a leaf nor are under way in the backup: they were begun while it was made.
// Their things are told of anew.
func (s *Store) DropUnproven(ctx context.Context) error {
	return s.eachShard(ctx, func(ctx context.Context, conn driver.Conn) error {
		for _, table := range []string{"evidence", "stored_things"} {
			err := conn.Exec(clickhouse.Context(ctx, clickhouse.WithSettings(mutating())), "ALTER TABLE "+s.here(table)+" DELETE WHERE toString(batch_id) NOT IN (SELECT id FROM "+
				s.cfg.Database+".ledger_outbox) AND batch_id NOT IN (SELECT batch_id FROM "+s.cfg.Database+".purge_batches)")
			if err != nil {
				return wrap("drop unproven rows of "+table, err)
			}
		}
		return nil
	})
}

// KeepReplacedTexts makes things of texts that an edit had replaced, which the journal knows of, where the edit itself isn't there: the text would be taken
// for the message's.
func (s *Store) KeepReplacedTexts(ctx context.Context) error {
	const key = "class, org, meeting_id, call_id, item_id, holder_id, resource_id, revision_of, revised_at, sent_at"
	return s.eachShard(ctx, func(ctx context.Context, conn driver.Conn) error {
		return wrap("keep replaced texts", conn.Exec(ctx, `INSERT INTO `+s.here("retained")+` (`+key+`, _topic, _partition, _offset, _index)
			SELECT DISTINCT `+key+`, '', 0, -1, 0 FROM `+s.here("hidden")+` AS h
			WHERE revision_of != toUUID('`+uuid.Nil.String()+`')
				AND (toString(class), org, call_id, revision_of, revised_at) IN (SELECT toString(class), org, call_id, message_id, revised_at FROM `+s.here("texts")+`)
				AND (class, org, call_id, item_id) NOT IN (SELECT class, org, call_id, item_id FROM `+s.here("retained")+`)`))
	})
}

// DropStrayHidden removes hidden rows of things that aren't kept: the journal has those of all that was purged since, too.
func (s *Store) DropStrayHidden(ctx context.Context) error {
	const key = "class, org, meeting_id, call_id, item_id, holder_id, revised_at, sent_at"
	return s.eachShard(ctx, func(ctx context.Context, conn driver.Conn) error {
		return wrap("drop stray hidden rows", conn.Exec(clickhouse.Context(ctx, clickhouse.WithSettings(mutating())),
			"ALTER TABLE "+s.here("hidden")+" DELETE WHERE ("+key+") NOT IN (SELECT "+key+" FROM "+s.here("retained")+")"))
	})
}

// EndSweeper makes nobody the region's sweeper, and forgets how far sweeps have looked: what they have found since isn't all in the tables.
func (s *Store) EndSweeper(ctx context.Context) error {
	table := s.cfg.Database + ".sweep_beats"
	if s.cfg.Cluster != "" && !s.cfg.Replicated {
		table += "_local"
	}
	err := s.eachShard(ctx, func(ctx context.Context, conn driver.Conn) error {
		return wrap("forget the sweeper", conn.Exec(ctx, "TRUNCATE TABLE "+table))
	})
	if err != nil {
		return err
	}
	epoch, err := s.SweepEpoch(ctx)
	if err != nil || epoch == 0 {
		return err
	}
	return s.BeatSweep(ctx, epoch, true)
}

// Tombstone says that a thing must never come back.
type Tombstone struct {
	Class            string
	Org, CallID      string
	ItemID, HolderID uuid.UUID
	SentAt, BuriedAt time.Time
}

// PutTombstones writes tombstones. Repeating it is harmless.
func (s *Store) PutTombstones(ctx context.Context, stones []Tombstone) error {
	rows := make([][]any, len(stones))
	for i := range stones {
		t := &stones[i]
		rows[i] = []any{t.Class, t.Org, t.CallID, t.ItemID, t.HolderID, t.SentAt.UTC(), t.BuriedAt.UTC()}
	}
	return s.replaceRows(ctx, "tombstones", "class, org, call_id, item_id, holder_id, sent_at, buried_at", rows)
}
