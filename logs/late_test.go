package logs_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/logs"
	"github.com/anteroom/anteroom/store"
)

// rate stores a rating by somebody who was in a call.
func (r *rig) rate(id string) {
	r.t.Helper()
	who, about := uuid.New(), uuid.New()
	env := store.Envelope{Org: "contoso", Region: "emea", CallID: id, SourceKind: 1, ObservedAt: time.Now().UTC()}
	r.insert(func(b *store.Batch, origin func() store.Origin) {
		b.Timeline.Add(origin(), env, store.Entry{
			Participant: who[:], Kind: store.SurveyEntry, Name: "survey", Operation: about[:], Attributes: map[string]string{"overall.score": "1", "overall.upper_bound": "5"},
		})
	})
}

// until does something again and again until it says so.
func (r *rig) until(what string, done func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatal("never: " + what)
		}
	}
}

// What happened in a call and becomes known after it was logged, such as a rating after the end, is logged besides, once, whoever does it and whoever is
// killed before or after it is produced. Nothing of what was logged is said again.
func TestWhatBecomesKnownLaterIsLoggedBesides(t *testing.T) {
	for name, killed := range map[string]struct{ refused, lost bool }{"all goes well": {}, "not produced": {true, false}, "produced, and not noted": {true, true}} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.call("call-1", time.Minute, true)
			first, second := r.emitter(), r.emitter()
			r.must(r.pass(first))
			r.must(r.pass(second))
			if len(r.produced) != 1 {
				t.Fatalf("%d were produced at the end: %s", len(r.produced), r.produced)
			}
			r.rate("call-1")
			if killed.refused {
				r.refuse, r.lost = errors.New("killed"), killed.lost
				r.until("the pass that is killed", func() bool { return errors.Is(r.pass(first), r.refuse) })
				r.refuse, r.lost = nil, false
			}
			before := len(r.produced)
			r.until("the rating is produced", func() bool { r.must(r.pass(second)); return len(r.produced) > before })
			for range 3 {
				r.must(r.pass(second))
				r.must(r.pass(r.emitter()))
			}
			further := r.produced[1:]
			if killed.lost { // Then it is produced again, in the same words.
				if len(further) != 2 || !bytes.Equal(further[0], further[1]) {
					t.Fatalf("produced besides: %s", further)
				}
				further = further[1:]
			}
			if len(further) != 1 || !bytes.Contains(further[0], []byte(`"category":"CallSurvey"`)) || bytes.Contains(further[0], []byte("CallSummary")) {
				t.Fatalf("produced besides: %s", further)
			}
			reader := store.NewReader(r.store, store.DefaultQueryLimits())
			for category, want := range map[string]int{logs.CallSurvey: 1, logs.CallSummary: 1} {
				kept, err := reader.Logs(t.Context(), store.LogFilter{Org: "contoso", Category: category, Limit: 10})
				r.must(err)
				if len(kept) != want {
					t.Errorf("%d records of %s are kept, want %d", len(kept), category, want)
				}
			}
		})
	}
}
