package report

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/retention/evidence"
	"github.com/anteroom/anteroom/retention/ledger"
	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
)

// world is a region with a real store and a real ledger, in which things are kept and go as ingest and the sweep would have it.
type world struct {
	*desk
	conn   driver.Conn
	ledger *ledger.Ledger
	region string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	d := newDesk(t)
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr: d.cfg.Addresses, Auth: clickhouse.Auth{Database: d.cfg.Database, Username: d.cfg.Username, Password: d.cfg.Password},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	cfg := ledger.DefaultConfig()
	cfg.Dir, cfg.PollInterval, cfg.CheckpointInterval = t.TempDir(), 20*time.Millisecond, 100*time.Millisecond
	l, err := ledger.Open(cfg, "emea", ledger.Deps{Store: d.store, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("ledger: %v", err)
		}
	})
	return &world{desk: d, conn: conn, ledger: l, region: "emea"}
}

// things that are kept or were.
type thing struct {
	class, org        string
	meeting, resource uuid.UUID
	call              string
	item, holder      uuid.UUID
	sent              time.Time
}

func numbered(kind byte, n int) uuid.UUID {
	return uuid.MustParse(fmt.Sprintf("%02x%06x-0000-8000-8000-%012d", kind, n>>24, n&0xffffff))
}

// copyOf is one guest's copy of the nth message.
func copyOf(org string, n int, sent time.Time) thing {
	return thing{
		class: "copy", org: org, meeting: numbered(1, n/100), resource: numbered(2, 0), call: "call-" + org, item: numbered(3, n), holder: numbered(4, n%7), sent: sent,
	}
}

func (w *world) id(t thing) proof.Hash {
	return proof.ThingID(w.ledger.IDKey(), proof.Class(t.class), w.region, t.org, t.call, t.item, t.holder)
}

func (w *world) insert(table, columns string, n int, row func(i int) []any) {
	w.t.Helper()
	batch, err := w.conn.PrepareBatch(w.t.Context(), "INSERT INTO "+table+" ("+columns+")")
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range n {
		if err := batch.Append(row(i)...); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	if err := w.conn.Exec(w.t.Context(), query, args...); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
}

// keep makes things kept.
func (w *world) keep(things ...thing) {
	w.t.Helper()
	w.insert("retained", "class, org, meeting_id, call_id, item_id, holder_id, resource_id, sent_at, _topic, _partition, _offset, _index", len(things), func(i int) []any {
		t := things[i]
		return []any{t.class, t.org, t.meeting, t.call, t.item, t.holder, t.resource, t.sent, "", int32(0), int64(-1), uint32(i)}
	})
}

// decide writes what a class of a meeting's things is kept for.
func (w *world) decide(t thing, period time.Duration, held bool, rule string) {
	w.t.Helper()
	seconds := int64(period / time.Second)
	w.exec(`INSERT INTO retention_decisions (org, meeting_id, class, resource_id, period_s, held, rule_id, rule_version, reason, revision, decided_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 3, 'shortest', 'r1', now64(6))`, t.org, t.meeting, t.class, t.resource, seconds, held, rule)
}

// inOrder sorts things by their ids, as batches have them.
func (w *world) inOrder(things []thing) ([]thing, []proof.Hash) {
	type pair struct {
		thing
		id proof.Hash
	}
	pairs := make([]pair, len(things))
	for i, t := range things {
		pairs[i] = pair{t, w.id(t)}
	}
	slices.SortFunc(pairs, func(a, b pair) int { return cmp.Compare(string(a.id[:]), string(b.id[:])) })
	ids := make([]proof.Hash, len(things))
	things = slices.Clone(things)
	for i, p := range pairs {
		things[i], ids[i] = p.thing, p.id
	}
	return things, ids
}

// tell puts a batch of stored things into the ledger, and says which batch each is in.
func (w *world) tell(things ...thing) uuid.UUID {
	w.t.Helper()
	things, ids := w.inOrder(things)
	id := uuid.New()
	batch := proof.NewBatch(proof.LeafStored, w.region, id.String())
	for i, t := range things {
		err := batch.Stored(&proof.StoredThing{
			Schema: proof.Schema, ID: hex.EncodeToString(ids[i][:]), Organization: t.org, Region: w.region, Class: proof.Class(t.class), SentAt: proof.Time(t.sent),
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	w.insert("stored_things", "copy_id, class, org, meeting_id, call_id, resource_id, sent_at, batch_id, position", len(things), func(i int) []any {
		t := things[i]
		return []any{string(ids[i][:]), t.class, t.org, t.meeting, t.call, t.resource, t.sent, id, uint32(i)}
	})
	w.put(batch)
	return id
}

// bury writes the evidence of things that are gone; published with its leaf, else without.
func (w *world) bury(published bool, rule string, late time.Duration, things ...thing) uuid.UUID {
	w.t.Helper()
	things, ids := w.inOrder(things)
	id := uuid.New()
	batch := proof.NewBatch(proof.LeafDeleted, w.region, id.String())
	var rows []store.Evidence
	for i, t := range things {
		due := t.sent.Add(24 * time.Hour)
		e := store.Evidence{
			CopyID: ids[i], Nonce: proof.NewNonce(), Class: t.class, Org: t.org, MeetingID: t.meeting, CallID: t.call, ResourceID: t.resource, SentAt: t.sent,
			DueAt: &due, HiddenAt: due, PurgedAt: due.Add(late), Why: "due", LatenessMs: late.Milliseconds(), Attempts: 1, RuleID: rule, RuleVersion: 3,
			Reason: "shortest", Revision: "r1", BatchID: id,
		}
		row := evidence.Row(w.region, &e)
		if err := batch.Deleted(&row); err != nil {
			w.t.Fatal(err)
		}
		rows = append(rows, e)
	}
	w.insert("evidence", `copy_id, nonce, class, org, meeting_id, call_id, resource_id, sent_at, due_at, hidden_at, purged_at, why, born, held, lateness_ms, attempts,
		rule_id, rule_version, reason, revision, broker_expiry_at, batch_id`, len(rows), func(i int) []any {
		e := &rows[i]
		return []any{
			string(e.CopyID[:]), string(e.Nonce[:]), e.Class, e.Org, e.MeetingID, e.CallID, e.ResourceID, e.SentAt, e.DueAt, e.HiddenAt, e.PurgedAt, e.Why, e.Born,
			e.Held, e.LatenessMs, e.Attempts, e.RuleID, e.RuleVersion, e.Reason, e.Revision, e.BrokerExpiryAt, e.BatchID,
		}
	})
	if published {
		w.put(batch)
	}
	return id
}

func (w *world) put(batch *proof.Batch) {
	w.t.Helper()
	leaf, err := batch.Leaf(w.clock.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	w.putLeaf(leaf)
}

func (w *world) putLeaf(leaf proof.Leaf) {
	w.t.Helper()
	text, err := leaf.Canonical()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.store.PutLeaf(w.t.Context(), leaf.ID, text); err != nil {
		w.t.Fatal(err)
	}
}

// published waits until the ledger has all that was put.
func (w *world) published() {
	w.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		count, _, err := w.store.Waiting(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		if count == 0 {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%d leaves wait", count)
		}
	}
}

// makes runs a worker on this region.
func (w *world) makes() {
	w.t.Helper()
	worker, err := NewWorker([]Region{{
		Name: w.region, Store: w.store, Home: w.store, Ledger: w.ledger, Version: "test", BrokerRetention: func() time.Duration { return 7 * 24 * time.Hour },
		Watermark: func(context.Context) (time.Time, error) { return w.clock.Now(), nil },
	}}, WorkerDeps{Jobs: w.Jobs, Log: slog.New(slog.NewTextHandler(w.t.Output(), nil))})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- worker.Run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("worker: %v", err)
		}
	})
}
