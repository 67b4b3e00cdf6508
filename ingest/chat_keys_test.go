package ingest_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/ingest"
	"github.com/anteroom/anteroom/sealing"
	"github.com/anteroom/anteroom/store"
)

// keysLater has its keys from some moment on.
type keysLater struct {
	keeper *sealing.Keeper
	here   atomic.Bool
	asked  atomic.Int64
}

func (k *keysLater) Open(ctx context.Context, keyID string, about, sealed []byte) ([]byte, error) {
	k.asked.Add(1)
	if !k.here.Load() {
		return nil, sealing.ErrElsewhere
	}
	return k.keeper.Open(ctx, keyID, about, sealed)
}

func TestIngestWaitsForAKeyThatIsNotHereYet(t *testing.T) {
	h := newHouse(t)
	keys := &keysLater{keeper: h.home.keeper}
	h.home.deps.Chat = keys
	service, _ := h.home.service(t)
	m := h.meeting()
	_, e := m.sent(t, "patience")
	h.home.produce(t, e)
	for keys.asked.Load() < 3 {
		time.Sleep(10 * time.Millisecond)
	}
	waits := false
	for _, c := range service.Checks() {
		waits = waits || (!c.OK && c.Name == "ingest opens chat" && strings.Contains(c.Reason, sealing.ErrElsewhere.Error()))
	}
	if !waits {
		t.Errorf("no check says that a key is missing: %+v", service.Checks())
	}
	if n := h.home.count(t, "SELECT count() FROM texts") + h.home.count(t, "SELECT count() FROM dead_letters"); n != 0 {
		t.Errorf("%d rows without the key", n)
	}
	keys.here.Store(true)
	h.home.caughtUp(t)
	if diff := cmp.Diff([]string{"patience"}, m.thread(t)); diff != "" {
		t.Errorf("thread (-want +got):\n%s", diff)
	}
}

// destroyed tells how many of a region's keys there are no more, once its keeper did what is to do.
func (h *house) destroyed(t *testing.T, p *place) uint64 {
	t.Helper()
	for range 2 { // they are withdrawn first
		h.forward(sealing.DefaultConfig().Slack + time.Second)
		if err := p.keeper.Pass(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return h.home.count(t, `SELECT count() FROM (
		SELECT id, argMax(deleted, version) AS gone FROM control WHERE kind = 'sealing_key' AND startsWith(id, $1) GROUP BY id HAVING gone)`, p.name+".")
}

// again has the place's topics ingested from their start, as if nothing had been: by another group, without marks.
func (p *place) again(t *testing.T, h *house) {
	t.Helper()
	p.cfg.Group += "-again"
	p.cfg.FlushInterval = time.Second // all in one batch, whose token is none of before
	p.exec(t, "TRUNCATE TABLE source_marks")
	p.progress = ingest.NewProgress(p.cfg, h.home.deps.Kafka)
	if p.further {
		p.progress = ingest.NewFurtherProgress(p.cfg, p.name, h.home.deps.Kafka, p.deps.Kafka)
	}
}

func (p *place) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"mutations_sync": 2}))
	if err := p.conn.Exec(ctx, query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// TestRule_S5_AKeyIsDestroyedOnceAllThatWasSealedToItIsIngested and not before, in either region; what is replayed afterwards brings nothing back.
func TestRule_S5_R6_AKeyIsDestroyedOnceAllIsIngestedAndNothingComesBack(t *testing.T) {
	h := newHouse(t)
	for _, p := range []*place{h.home, h.far} {
		p.ensureTopics(t)
	}
	m := h.meeting()
	near, far := h.guest(h.home), h.guest(h.far)
	gone, goneEvent := m.sent(t, "gone")
	edited, editedEvent := m.sent(t, "before")
	_, keptEvent := m.sent(t, "kept", near, far)
	edit := m.edited(t, edited, "after")
	h.home.produce(t, goneEvent, editedEvent, keptEvent)
	h.forward(sealing.DefaultConfig().Interval + sealing.DefaultConfig().Slack)
	expect := func(when string, home, further bool) {
		t.Helper()
		if got := [2]bool{h.destroyed(t, h.home) > 0, h.destroyed(t, h.far) > 0}; got != [2]bool{home, further} {
			t.Errorf("%s keys are destroyed at home and in the further region: %v, want %v", when, got, [2]bool{home, further})
		}
	}
	expect("before anything is ingested", false, false)
	stopHome := h.home.start(t)
	h.home.caughtUp(t)
	h.home.produce(t, edit) // in a batch of its own
	h.home.caughtUp(t)
	expect("before the copies are ingested", true, false)
	stopFar := h.far.start(t)
	h.far.caughtUp(t)
	expect("when all is ingested", true, true)
	if diff := cmp.Diff([]string{"gone", "after", "kept"}, m.thread(t)); diff != "" {
		t.Errorf("thread (-want +got):\n%s", diff)
	}
	stopHome()
	stopFar()

	// One message is purged, and the edit of another is lost, as after a restore from before it. Then all is ingested once more.
	h.home.exec(t, "INSERT INTO tombstones (class, org, call_id, item_id, sent_at, buried_at) SELECT class, org, call_id, item_id, sent_at, now64(6) FROM retained WHERE item_id = $1", gone.id)
	h.home.exec(t, "ALTER TABLE retained DELETE WHERE item_id = '"+gone.id.String()+"'")
	h.home.exec(t, "ALTER TABLE texts DELETE WHERE message_id = '"+gone.id.String()+"' OR text LIKE '%after%'")
	for _, p := range []*place{h.home, h.far} {
		p.again(t, h)
		p.start(t)
	}
	h.home.caughtUp(t)
	h.far.caughtUp(t)
	if diff := cmp.Diff([]string{"kept"}, m.thread(t)); diff != "" {
		t.Errorf("thread after a replay (-want +got):\n%s", diff)
	}
	for _, g := range []guest{near, far} {
		if got := m.copied(t, g); got != "kept" {
			t.Errorf("after a replay the copy says %q", got)
		}
	}
	for query, want := range map[string]uint64{
		"SELECT count() FROM texts WHERE class = 'thread' AND notEmpty(text)": 2, // kept and before, which an edit without text has replaced
		"SELECT count() FROM texts WHERE class = 'thread' AND empty(text)":    1,
		"SELECT count() FROM texts WHERE class = 'copy'":                      1,
		"SELECT count() FROM dead_letters":                                    0,
	} {
		if got := h.home.count(t, query); got != want {
			t.Errorf("%s: got %d, want %d", query, got, want)
		}
	}
	// What was purged is accounted for again: it is gone from the moment it came.
	states := map[string]string{}
	err := h.home.deps.Store.EachThing(t.Context(), store.ThingFilter{Org: m.org, Classes: []string{"thread"}}, func(thing *store.Thing) error {
		states[thing.ItemID.String()] += thing.State + " " + thing.Why
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := states[gone.id.String()]; got != "due tombstoned" || len(states) != 3 {
		t.Errorf("the purged message is %q among %d things", got, len(states))
	}
}
