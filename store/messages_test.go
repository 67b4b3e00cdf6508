package store_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

// wrote writes a revision of the nth message's text.
func (l life) wrote(class string, n int, sent, revised time.Time, text string) {
	l.t.Helper()
	l.exec(`INSERT INTO texts (class, org, meeting_id, call_id, message_id, author_id, sent_at, revised_at, text) VALUES
		($1, 'clinic', $2, 'call', $3, $4, fromUnixTimestamp64Micro($5, 'UTC'), fromUnixTimestamp64Micro($6, 'UTC'), $7)`,
		class, lifeMeeting, lifeItem(n), lifeGuest, sent.UnixMicro(), revised.UnixMicro(), text)
}

// thread reads the texts of the meeting's thread in pages of two.
func (l life) thread(now time.Time) []string {
	l.t.Helper()
	r := store.NewReader(l.s, store.QueryLimits{})
	var out []string
	var after *store.MessageAt
	for {
		page, err := r.ThreadMessages(l.t.Context(), "clinic", lifeMeeting, now, after, 2)
		if err != nil {
			l.t.Fatal(err)
		}
		for _, m := range page {
			out = append(out, string(m.Content))
		}
		if len(page) < 2 {
			return out
		}
		after = new(page[1].At())
	}
}

// copied reads the guest's copy; "" if there is none to read.
func (l life) copied(now time.Time) string {
	l.t.Helper()
	key := store.HolderKey{CallKey: store.CallKey{Org: "clinic", CallID: "call"}, MeetingID: lifeMeeting, HolderID: lifeGuest}
	m, err := store.NewReader(l.s, store.QueryLimits{}).Copy(l.t.Context(), key, now)
	if errors.Is(err, store.ErrNotFound) {
		return ""
	}
	if err != nil {
		l.t.Fatal(err)
	}
	return string(m.Content)
}

// held reads the texts under a hold.
func (l life) held(now time.Time) []string {
	l.t.Helper()
	var out []string
	err := l.s.EachHeld(l.t.Context(), store.ThingFilter{Org: "clinic", At: now}, func(t *store.Thing, m *store.Message) error {
		out = append(out, fmt.Sprintf("%s %s %s", t.Class, t.State, m.Content))
		return nil
	})
	if err != nil {
		l.t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

func TestRule_S3_OnlyTheNewestCopyCanBeRead(t *testing.T) {
	l := life{t, storetest.New(t)}
	at := func(n int) time.Time { return lifeSent.Add(time.Duration(n) * time.Second) }
	for n := 1; n <= 3; n++ {
		text := fmt.Sprintf("text %d", n)
		l.kept("thread", lifeItem(n), uuid.Nil, at(n))
		l.wrote("thread", n, at(n), at(n), text)
		before := l.copied(at(n))
		l.kept("copy", lifeItem(n), lifeGuest, at(n))
		if got := l.copied(at(n)); before != "" && got == before {
			t.Errorf("message %d is kept, and %q can still be read", n, got)
		}
		l.wrote("copy", n, at(n), at(n), text)
		if got := l.copied(at(n)); got != text {
			t.Errorf("of message %d the copy says %q", n, got)
		}
	}
	if diff := cmp.Diff([]string{"text 1", "text 2", "text 3"}, l.thread(at(3))); diff != "" {
		t.Errorf("the thread (-want +got):\n%s", diff)
	}
	// An older one that comes late takes no place.
	l.kept("copy", lifeItem(0), lifeGuest, at(0))
	l.wrote("copy", 0, at(0), at(0), "late")
	if got := l.copied(at(3)); got != "text 3" {
		t.Errorf("after a late message the copy says %q", got)
	}
}

func TestRule_S6_AnEditReplacesTheTextAndADeletionRevivesNone(t *testing.T) {
	l := life{t, storetest.New(t)}
	at := func(n int) time.Time { return lifeSent.Add(time.Duration(n) * time.Second) }
	for n := 1; n <= 2; n++ {
		for class, holder := range map[string]uuid.UUID{"thread": uuid.Nil, "copy": lifeGuest} {
			l.kept(class, lifeItem(n), holder, at(n))
			l.wrote(class, n, at(n), at(n), fmt.Sprintf("text %d", n))
			l.wrote(class, n, at(n), at(n+10), fmt.Sprintf("edited %d", n))
		}
	}
	if diff := cmp.Diff([]string{"edited 1", "edited 2"}, l.thread(at(20))); diff != "" {
		t.Errorf("the thread (-want +got):\n%s", diff)
	}
	if got := l.copied(at(20)); got != "edited 2" {
		t.Errorf("the copy says %q", got)
	}
	l.exec(`INSERT INTO retractions (org, meeting_id, call_id, message_id, retracted_at) VALUES ('clinic', $1, 'call', $2, fromUnixTimestamp64Micro($3, 'UTC'))`,
		lifeMeeting, lifeItem(2), at(19).UnixMicro())
	if diff := cmp.Diff([]string{"edited 1"}, l.thread(at(20))); diff != "" {
		t.Errorf("the thread after a deletion (-want +got):\n%s", diff)
	}
	if got := l.copied(at(20)); got != "" {
		t.Errorf("after the latest message was deleted the copy says %q", got)
	}
	if got := l.held(at(20)); got != nil {
		t.Errorf("without a hold there is held content: %q", got)
	}
	l.decided("copy", lifeResource, seconds(60), true)
	if diff := cmp.Diff([]string{"copy due edited 2", "copy superseded edited 1"}, l.held(at(99))); diff != "" {
		t.Errorf("held content (-want +got):\n%s", diff)
	}
}

func TestRule_R6_NothingIsReadFromTheDueMoment(t *testing.T) {
	l := life{t, storetest.New(t)}
	for class, holder := range map[string]uuid.UUID{"thread": uuid.Nil, "copy": lifeGuest} {
		l.kept(class, lifeItem(1), holder, lifeSent)
		l.wrote(class, 1, lifeSent, lifeSent, "text")
	}
	l.decided("thread", uuid.Nil, seconds(3600), true) // a hold stops purging, not hiding
	l.decided("copy", lifeResource, seconds(7200), false)
	for after, want := range map[time.Duration][2]bool{
		time.Hour - time.Microsecond: {true, true}, time.Hour: {false, true}, 2*time.Hour - time.Microsecond: {false, true}, 2 * time.Hour: {false, false},
	} {
		now := lifeSent.Add(after)
		if got := [2]bool{l.thread(now) != nil, l.copied(now) != ""}; got != want {
			t.Errorf("%v after sending thread and copy can be read: %v, want %v", after, got, want)
		}
	}
}
