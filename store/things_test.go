package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

// life writes rows of the tables that tell of kept things.
type life struct {
	t *testing.T
	s *store.Store
}

func (l life) exec(query string, args ...any) {
	l.t.Helper()
	if err := l.s.Conn().Exec(l.t.Context(), query, args...); err != nil {
		l.t.Fatalf("%s: %v", query, err)
	}
}

var (
	lifeMeeting  = uuid.MustParse("11111111-0000-8000-8000-000000000001")
	lifeResource = uuid.MustParse("22222222-0000-8000-8000-000000000001")
	lifeGuest    = uuid.MustParse("33333333-0000-8000-8000-000000000001")
	lifeSent     = time.Date(2028, 2, 29, 23, 59, 59, 999_999_000, time.UTC) // a leap day
)

// lifeItem is the nth message's id.
func lifeItem(n int) uuid.UUID {
	return uuid.MustParse(fmt.Sprintf("44444444-0000-8000-8000-%012d", n))
}

func (l life) kept(class string, item, holder uuid.UUID, sent time.Time) {
	l.t.Helper()
	resource := uuid.Nil
	if holder != uuid.Nil {
		resource = lifeResource
	}
	l.exec(`INSERT INTO retained (class, org, meeting_id, call_id, item_id, holder_id, resource_id, sent_at) VALUES
		($1, 'clinic', $2, 'call', $3, $4, $5, fromUnixTimestamp64Micro($6, 'UTC'))`, class, lifeMeeting, item, holder, resource, sent.UnixMicro())
}

// decided writes the newest decision on a class.
func (l life) decided(class string, resource uuid.UUID, period *int64, held bool) {
	l.t.Helper()
	l.exec(`INSERT INTO retention_decisions (org, meeting_id, class, resource_id, period_s, held, rule_id, rule_version, reason, revision, decided_at) VALUES
		('clinic', $1, $2, $3, $4, $5, 'default', 0, 'copies', 'r1', now64(6))`, lifeMeeting, class, resource, period, held)
}

func seconds(n int64) *int64 { return &n }

// told is what a test compares of a thing.
type told struct {
	Class, State, Why string
	Item              int
	Due, Gone         *time.Time
	Born, Held        bool
}

func (l life) things(now time.Time) []told {
	l.t.Helper()
	var out []told
	err := l.s.EachThing(l.t.Context(), store.ThingFilter{Org: "clinic", At: now}, func(t *store.Thing) error {
		var item int
		if t.ItemID != uuid.Nil {
			if _, err := fmt.Sscanf(t.ItemID.String()[24:], "%d", &item); err != nil {
				return err
			}
		}
		out = append(out, told{t.Class, t.State, t.Why, item, t.DueAt, t.GoneAt, t.Born, t.Held})
		return nil
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return out
}

func (l life) want(now time.Time, want ...told) {
	l.t.Helper()
	if diff := cmp.Diff(want, l.things(now)); diff != "" {
		l.t.Errorf("at %v (-want +got):\n%s", now, diff)
	}
}

// TestThingsHaveOneState walks a copy and a message of the thread through what may become of them.
func TestThingsHaveOneState(t *testing.T) {
	l := life{t, storetest.New(t)}
	ago := func(n int) *time.Time { at := lifeSent.Add(time.Duration(n) * time.Second); return &at }
	l.kept("thread", lifeItem(1), uuid.Nil, lifeSent)
	l.kept("copy", lifeItem(1), lifeGuest, lifeSent)
	for range 2 { // again, as a replay would
		l.kept("copy", lifeItem(1), lifeGuest, lifeSent)
	}
	l.want(lifeSent.AddDate(1, 0, 0),
		told{Class: "thread", State: "stored", Item: 1}, told{Class: "copy", State: "stored", Item: 1})

	const day = 24 * 3600
	l.decided("thread", uuid.Nil, nil, false)
	l.decided("copy", lifeResource, seconds(365*day), true)
	// 2028 has a 29 February: 365 days after it is the 28th.
	due := time.Date(2029, 2, 28, 23, 59, 59, 999_999_000, time.UTC)
	l.want(due.Add(-time.Microsecond),
		told{Class: "thread", State: "stored", Item: 1}, told{Class: "copy", State: "stored", Item: 1, Due: &due, Held: true})
	l.want(due,
		told{Class: "thread", State: "stored", Item: 1}, told{Class: "copy", State: "due", Why: "due", Item: 1, Due: &due, Gone: &due, Held: true})

	// Another message, of which only the head is here so far, and then its copy.
	l.exec(`INSERT INTO copy_heads (org, meeting_id, call_id, holder_id, message_id, sent_at) VALUES ('clinic', $1, 'call', $2, $3, fromUnixTimestamp64Micro($4, 'UTC'))`,
		lifeMeeting, lifeGuest, lifeItem(3), ago(9).UnixMicro())
	later := due.Add(9 * time.Second)
	superseded := told{Class: "copy", State: "superseded", Why: "superseded", Item: 1, Due: &due, Gone: ago(9), Held: true}
	thread := told{Class: "thread", State: "stored", Item: 1}
	l.want(lifeSent, thread, superseded)
	l.kept("copy", lifeItem(3), lifeGuest, *ago(9))
	l.kept("copy", lifeItem(2), lifeGuest, *ago(5)) // late: the next one counts
	superseded.Gone = ago(5)
	l.want(lifeSent, thread, superseded,
		told{Class: "copy", State: "superseded", Why: "superseded", Item: 2, Due: new(due.Add(5 * time.Second)), Gone: ago(9), Held: true},
		told{Class: "copy", State: "stored", Item: 3, Due: &later, Held: true})

	// Retracted before it was superseded.
	l.exec(`INSERT INTO retractions (org, meeting_id, call_id, message_id, retracted_at) VALUES ('clinic', $1, 'call', $2, fromUnixTimestamp64Micro($3, 'UTC'))`,
		lifeMeeting, lifeItem(1), ago(1).UnixMicro())
	thread.State, thread.Why, thread.Gone = "due", "retracted", ago(1)
	superseded.State, superseded.Why, superseded.Gone = "due", "retracted", ago(1)
	if got := l.things(lifeSent); !cmp.Equal(got[:2], []told{thread, superseded}) {
		t.Errorf("retracted: %+v", got[:2])
	}

	// Hidden: a longer period brings it back no more.
	l.exec(`INSERT INTO hidden (class, org, meeting_id, call_id, item_id, holder_id, resource_id, sent_at, due_at, hidden_at, why, born)
		SELECT class, org, meeting_id, call_id, item_id, holder_id, resource_id, sent_at, fromUnixTimestamp64Micro($1, 'UTC'), fromUnixTimestamp64Micro($1, 'UTC'), 'due', 0
		FROM retained WHERE class = 'copy' AND item_id = $2`, later.UnixMicro(), lifeItem(3))
	l.decided("copy", lifeResource, seconds(3650*day), false)
	got := l.things(lifeSent)
	if want := (told{Class: "copy", State: "hidden", Why: "due", Item: 3, Due: &later, Gone: &later}); !cmp.Equal(got[len(got)-1], want) {
		t.Errorf("hidden: %+v, want %+v", got[len(got)-1], want)
	}

	// Buried: whatever comes back is gone as soon as it comes.
	l.exec(`INSERT INTO tombstones (class, org, call_id, item_id, holder_id, sent_at, buried_at)
		SELECT class, org, call_id, item_id, holder_id, sent_at, now64(6) FROM retained WHERE class = 'thread'`)
	if got := l.things(lifeSent)[0]; got.State != "due" || got.Why != "tombstoned" || !got.Born || got.Gone == nil {
		t.Errorf("buried: %+v", got)
	}
}
