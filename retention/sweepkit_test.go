package retention_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/retention"
	"github.com/anteroom/anteroom/retention/evidence"
	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

// kept is a region whose kept things a test makes and sweeps.
type kept struct {
	t   *testing.T
	s   *store.Store
	cfg store.Config
	sql *storetest.SQL
	key []byte
	// files are the recordings that there are, by id.
	files files
}

const keptOrg, keptCall = "clinic", "018f0000-0000-7000-8000-000000000001"

var (
	keptMeeting  = uuid.MustParse("11111111-0000-8000-8000-000000000001")
	keptResource = uuid.MustParse("22222222-0000-8000-8000-000000000001")
	otherApp     = uuid.MustParse("22222222-0000-8000-8000-000000000002")
	noon         = time.Date(2032, 3, 4, 12, 0, 0, 0, time.UTC)
)

const keptDay = 24 * time.Hour

func newKept(t *testing.T) *kept {
	t.Helper()
	t.Parallel() // what takes long is waiting for old parts to go
	s, cfg := storetest.NewConfig(t)
	return &kept{t: t, s: s, cfg: cfg, sql: storetest.NewSQL(t, cfg), key: []byte("a key of the test's own"), files: files{}}
}

// id is an id of a kind and number.
func id(kind, n int) uuid.UUID {
	return uuid.MustParse(fmt.Sprintf("%08d-0000-8000-8000-%012d", kind, n))
}

func message(n int) uuid.UUID { return id(44444444, n) }

func guest(n int) uuid.UUID { return id(33333333, n) }

func micro(t time.Time) string {
	return fmt.Sprintf("fromUnixTimestamp64Micro(%d, 'UTC')", t.UnixMicro())
}

// insert inserts rows that may be like others.
func (k *kept) insert(statement string) {
	k.t.Helper()
	k.sql.Exec(strings.Replace(statement, " VALUES", " SETTINGS insert_deduplication_token = '"+rand.Text()+"' VALUES", 1))
}

// keep says that a thing is kept.
func (k *kept) keep(class string, item, holder, resource uuid.UUID, sent time.Time) {
	k.t.Helper()
	k.insert(fmt.Sprintf(`INSERT INTO retained (class, org, meeting_id, call_id, item_id, holder_id, resource_id, sent_at) VALUES ('%s', '%s', '%s', '%s', '%s', '%s', '%s', %s)`,
		class, keptOrg, keptMeeting, keptCall, item, holder, resource, micro(sent)))
}

func (k *kept) text(class string, item uuid.UUID, sent, revised time.Time, text string) {
	k.t.Helper()
	k.insert(fmt.Sprintf(`INSERT INTO texts (class, org, meeting_id, call_id, message_id, sent_at, revised_at, text) VALUES ('%s', '%s', '%s', '%s', '%s', %s, %s, '%s')`,
		class, keptOrg, keptMeeting, keptCall, item, micro(sent), micro(revised), text))
}

// say keeps the nth message in the thread and as a copy of guests of an application.
func (k *kept) say(n int, sent time.Time, text string, guests ...int) {
	k.t.Helper()
	k.keep("thread", message(n), uuid.Nil, uuid.Nil, sent)
	k.text("thread", message(n), sent, sent, text)
	for _, g := range guests {
		k.insert(fmt.Sprintf(`INSERT INTO copy_heads (org, meeting_id, call_id, holder_id, message_id, sent_at) VALUES ('%s', '%s', '%s', '%s', '%s', %s)`,
			keptOrg, keptMeeting, keptCall, guest(g), message(n), micro(sent)))
		k.keep("copy", message(n), guest(g), app(g), sent)
	}
	if len(guests) > 0 {
		k.text("copy", message(n), sent, sent, text)
	}
}

// app is the application of a guest: odd ones are of one, even ones of the other.
func app(guest int) uuid.UUID {
	if guest%2 == 0 {
		return otherApp
	}
	return keptResource
}

// decision is what a test decides of a class.
type decision struct {
	class    string
	resource uuid.UUID
	// period is for good if 0.
	period   time.Duration
	held     bool
	released time.Time
}

var seq atomic.Uint64 // decisions of a test binary rise

func (k *kept) decide(list ...decision) {
	k.t.Helper()
	for _, d := range list {
		period, released := "NULL", "NULL"
		if d.period != 0 {
			period = fmt.Sprint(int64(d.period / time.Second))
		}
		if !d.released.IsZero() {
			released = micro(d.released)
		}
		k.insert(fmt.Sprintf(`INSERT INTO retention_decisions (org, meeting_id, class, resource_id, period_s, held, released_at, rule_id, rule_version, reason, revision, decided_at, seq) VALUES ('%s', '%s', '%s', '%s', %s, %v, %s, 'default', 0, 'test', 'r1', now64(6), %d)`,
			keptOrg, keptMeeting, d.class, d.resource, period, d.held, released, seq.Add(1)))
	}
}

// standard decides that copies are kept for thirty days and the thread for a year.
func (k *kept) standard() {
	k.t.Helper()
	k.decide(decision{class: "copy", resource: keptResource, period: 30 * keptDay}, decision{class: "copy", resource: otherApp, period: 30 * keptDay},
		decision{class: "thread", period: 365 * keptDay})
}

func sweepConfig() retention.SweepConfig {
	cfg := retention.DefaultSweepConfig()
	cfg.BatchThings = 1000
	return cfg
}

func (k *kept) deps() retention.SweeperDeps {
	return retention.SweeperDeps{
		Region: "emea", Store: k.s, IDKey: k.key, Files: k.files, Log: slog.New(slog.NewTextHandler(k.t.Output(), nil)),
		MaxDecisionAge: -1,
		BrokerExpiry:   func(_ string, sent, _ time.Time) *time.Time { at := sent.Add(7 * keptDay); return &at },
	}
}

func (k *kept) sweeper() *retention.Sweeper {
	k.t.Helper()
	s, err := retention.NewSweeper(sweepConfig(), k.deps())
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

// sweep sweeps and wants nothing left undone.
func (k *kept) sweep(s *retention.Sweeper, now time.Time) retention.Result {
	k.t.Helper()
	r, err := s.Sweep(k.t.Context(), now, false)
	if err != nil {
		k.t.Fatal(err)
	}
	if r.Partial {
		k.t.Errorf("the sweep left something undone: %q", r.Problems)
	}
	return r
}

// once sweeps with a sweeper of its own, which looks at everything.
func (k *kept) once(now time.Time) retention.Result {
	k.t.Helper()
	s := k.sweeper()
	r := k.sweep(s, now)
	if err := s.Close(k.t.Context()); err != nil {
		k.t.Fatal(err)
	}
	return r
}

// states counts things by class and state.
func (k *kept) states(now time.Time) map[string]int {
	k.t.Helper()
	out := map[string]int{}
	err := k.s.EachThing(k.t.Context(), store.ThingFilter{At: now}, func(t *store.Thing) error {
		out[t.Class+" "+t.State]++
		return nil
	})
	if err != nil {
		k.t.Fatal(err)
	}
	return out
}

// evidence reads all evidence, in order of copy id, by what it was of.
func (k *kept) evidence() []store.Evidence {
	k.t.Helper()
	var out []store.Evidence
	if err := k.s.EachEvidence(k.t.Context(), store.ThingFilter{}, func(e *store.Evidence) error { out = append(out, *e); return nil }); err != nil {
		k.t.Fatal(err)
	}
	return out
}

// thingID is what a thing's evidence is found by.
func (k *kept) thingID(class string, item, holder uuid.UUID) [32]byte {
	return proof.ThingID(k.key, proof.Class(class), "emea", keptOrg, keptCall, item, holder)
}

// evidenceOf finds a thing's evidence; nil without.
func (k *kept) evidenceOf(class string, item, holder uuid.UUID) *store.Evidence {
	k.t.Helper()
	want := k.thingID(class, item, holder)
	for _, e := range k.evidence() {
		if e.CopyID == want {
			return &e
		}
	}
	return nil
}

// reconcile checks that everything that was ever told of is in exactly one place, that evidence is unique, and that leaves say what tables do.
func (k *kept) reconcile() {
	k.t.Helper()
	ctx := k.t.Context()
	stored, alive := map[[32]byte]bool{}, map[[32]byte]bool{}
	err := k.s.EachStored(ctx, store.ThingFilter{}, func(t *store.StoredThing) error { stored[t.CopyID] = true; return nil })
	if err != nil {
		k.t.Fatal(err)
	}
	err = k.s.EachThing(ctx, store.ThingFilter{}, func(t *store.Thing) error {
		alive[proof.ThingID(k.key, proof.Class(t.Class), "emea", t.Org, t.CallID, t.ItemID, t.HolderID)] = true
		return nil
	})
	if err != nil {
		k.t.Fatal(err)
	}
	gone := map[[32]byte]bool{}
	for _, e := range k.evidence() {
		gone[e.CopyID] = true
		if !stored[e.CopyID] {
			k.t.Errorf("evidence %x of what the ledger never told of", e.CopyID[:4])
		}
	}
	for thing := range stored {
		if alive[thing] == gone[thing] {
			k.t.Errorf("thing %x: kept %v, gone %v", thing[:4], alive[thing], gone[thing])
		}
	}
	if n := k.sql.Count("SELECT toUInt64(count() - uniqExact(copy_id, batch_id)) FROM evidence"); n > 0 {
		k.t.Logf("%d rows of evidence are written again, and count once", n)
	}
	if n := k.sql.Count("SELECT count() FROM (SELECT copy_id FROM evidence GROUP BY copy_id HAVING uniqExact(batch_id) > 1)"); n > 0 {
		k.t.Errorf("%d things are in the evidence of several batches", n)
	}
	k.leavesOf(false)
}

// leavesOf makes the roots of all leaves again. ongoing: a batch may have none yet.
func (k *kept) leavesOf(ongoing bool) {
	k.t.Helper()
	ctx := k.t.Context()
	known := map[string]bool{}
	for _, text := range k.sql.Texts("SELECT leaf FROM ledger_outbox ORDER BY id") {
		leaf, err := proof.ParseLeaf([]byte(text))
		if err != nil {
			k.t.Fatal(err)
		}
		known[leaf.ID] = true
		batch := proof.NewBatch(leaf.Type, leaf.Region, leaf.ID)
		switch leaf.Type {
		case proof.LeafStored:
			err = k.s.EachStoredOf(ctx, uuid.MustParse(leaf.ID), func(t *store.StoredThing) error {
				thing := evidence.Thing("emea", t)
				return batch.Stored(&thing)
			})
		case proof.LeafDeleted:
			err = k.s.EachEvidenceOf(ctx, uuid.MustParse(leaf.ID), func(e *store.Evidence) error {
				row := evidence.Row("emea", e)
				return batch.Deleted(&row)
			})
		default:
			continue
		}
		if err != nil {
			k.t.Fatal(err)
		}
		again, err := batch.Leaf(time.Time(leaf.At))
		if err != nil {
			k.t.Fatal(err)
		}
		if again != leaf && (again.Root != leaf.Root || again.Count != leaf.Count) {
			k.t.Errorf("leaf %s tells of %d with root %s, the tables of %d with %s", leaf.ID, leaf.Count, hex.EncodeToString(leaf.Root[:4]), again.Count, hex.EncodeToString(again.Root[:4]))
		}
	}
	for _, batch := range k.sql.Texts("SELECT DISTINCT toString(batch_id) FROM (SELECT batch_id FROM evidence UNION ALL SELECT batch_id FROM stored_things)") {
		if !known[batch] && !ongoing {
			k.t.Errorf("batch %s has no leaf", batch)
		}
	}
}

// files are recordings that are there.
type files map[uuid.UUID]bool

func (f files) Delete(_ context.Context, _ string, _, recording uuid.UUID) error {
	delete(f, recording)
	return nil
}
