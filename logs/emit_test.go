package logs_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/internal/embedded/embeddedtest"
	"github.com/anteroom/anteroom/logs"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

func TestMain(m *testing.M) { embeddedtest.Main(m) }

// rig has tables, and what was produced.
type rig struct {
	t        *testing.T
	store    *store.Store
	now      time.Time
	produced [][]byte
	// refuse is why nothing can be produced; lost: it is produced, and the answer is lost.
	refuse error
	lost   bool
	offset int64
}

func newRig(t *testing.T) *rig {
	return &rig{t: t, store: storetest.New(t), now: time.Now().UTC()}
}

func (r *rig) emitter() *logs.Emitter {
	r.t.Helper()
	e, err := logs.NewEmitter(logs.Config{}, logs.Deps{
		Store: r.store, Reader: store.NewReader(r.store, store.DefaultQueryLimits()), Region: "emea", Now: func() time.Time { return r.now },
		Write: func(_ context.Context, records ...event.Record) error {
			if r.refuse != nil && !r.lost {
				return r.refuse
			}
			for _, one := range records {
				if one.Topic != "anteroom.emea.logs" {
					r.t.Errorf("produced to %s", one.Topic)
				}
				r.produced = append(r.produced, one.Value)
			}
			return r.refuse
		},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return e
}

// insert stores rows of a call.
func (r *rig) insert(add func(b *store.Batch, origin func() store.Origin)) {
	r.t.Helper()
	b := store.NewBatch()
	b.Reset("events", 0)
	r.offset++
	index := uint32(0)
	add(b, func() store.Origin { index++; return store.Origin{Offset: r.offset, Index: index} })
	if err := r.store.Insert(r.t.Context(), b, uuid.NewString()); err != nil {
		r.t.Fatal(err)
	}
}

// call stores one that ended some time ago, with a guest who left if left says so.
func (r *rig) call(id string, ended time.Duration, left bool) {
	r.t.Helper()
	end := r.now.Add(-ended)
	env := store.Envelope{Org: "contoso", Region: "emea", CallID: id, SourceKind: 1, ObservedAt: end}
	who := uuid.New()
	r.insert(func(b *store.Batch, origin func() store.Origin) {
		b.Calls.AddStarted(origin(), env, &eventpb.CallStarted{StartedAtUs: end.Add(-time.Hour).UnixMicro(), Kind: eventpb.CallKind_CALL_KIND_MEETING})
		b.Calls.AddEnded(origin(), env, &eventpb.CallEnded{EndedAtUs: end.UnixMicro(), Reason: "x"})
		b.Participants.AddJoined(origin(), env, store.Who{Identity: store.Guest}, &eventpb.ParticipantJoined{ParticipantId: who[:], JoinedAtUs: end.Add(-time.Minute).UnixMicro()})
		if left {
			b.Participants.AddLeft(origin(), env, &eventpb.ParticipantLeft{ParticipantId: who[:], LeftAtUs: end.UnixMicro(), EndCode: "0"})
		}
	})
}

func (r *rig) pass(e *logs.Emitter) error { return e.Pass(r.t.Context()) }

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// A call is logged once: when everybody's end is known, or when it has been waited for long enough; not while it runs, and not again by anybody.
func TestCallsAreLoggedOnceWhenComplete(t *testing.T) {
	r := newRig(t)
	r.call("left", time.Minute, true)
	r.call("open", time.Minute, false)
	r.call("old", time.Hour, false)
	r.insert(func(b *store.Batch, origin func() store.Origin) {
		env := store.Envelope{Org: "contoso", Region: "emea", CallID: "runs", SourceKind: 1, ObservedAt: r.now}
		b.Calls.AddStarted(origin(), env, &eventpb.CallStarted{StartedAtUs: r.now.UnixMicro()})
	})
	first, second := r.emitter(), r.emitter()
	r.must(r.pass(first))
	r.must(r.pass(second))
	if len(r.produced) != 2 {
		t.Errorf("%d calls were logged, want those that are complete: %s", len(r.produced), r.produced)
	}
	r.now = r.now.Add(30 * time.Minute)
	r.must(r.pass(second))
	r.must(r.pass(first))
	if len(r.produced) != 3 {
		t.Errorf("%d calls were logged, want the one as well that was waited for: %s", len(r.produced), r.produced)
	}
}

// Whoever is killed before, or after, Kafka has the records: the same bytes are produced by who comes next, although more is known by then.
func TestWhatIsProducedAgainIsTheSame(t *testing.T) {
	for name, lost := range map[string]bool{"not produced": false, "produced, and not noted": true} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.call("call-1", time.Minute, true)
			r.refuse, r.lost = errors.New("killed"), lost
			if err := r.pass(r.emitter()); !errors.Is(err, r.refuse) {
				t.Fatalf("the first pass: %v", err)
			}
			before := slices.Clone(r.produced)
			r.refuse, r.lost = nil, false
			r.call("call-1", time.Minute, true) // one more guest, late
			next := r.emitter()
			r.must(r.pass(next))
			if len(r.produced) != len(before) {
				t.Error("another process produced while the first one may be at it")
			}
			r.now = r.now.Add(2 * time.Minute)
			r.must(r.pass(next))
			r.must(r.pass(next))
			if len(r.produced) != len(before)+1 {
				t.Fatalf("%d were produced, want one more than %d", len(r.produced), len(before))
			}
			reader := store.NewReader(r.store, store.DefaultQueryLimits())
			kept, err := reader.Logs(t.Context(), store.LogFilter{Org: "contoso", Category: logs.CallSummary, Limit: 10})
			r.must(err)
			if len(kept) != 1 {
				t.Fatalf("%d records are kept", len(kept))
			}
			if diff := cmp.Diff(`{"records":[`+kept[0].Body+`]}`, string(r.produced[len(before)])); diff != "" {
				t.Errorf("what is produced isn't what is kept (-kept +produced):\n%s", diff)
			}
			if lost {
				if diff := cmp.Diff(string(before[0]), string(r.produced[1])); diff != "" {
					t.Errorf("what was produced again is something else (-first +second):\n%s", diff)
				}
			}
		})
	}
}
