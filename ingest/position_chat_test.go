package ingest_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/sealing"
	"github.com/anteroom/anteroom/store"
)

// TestRule_R6_ARestoreTakesUpWhatChatCameSince: of what was sent after the backup Kafka still has who edited, deleted and was shown what, but no key opens the
// texts. So nothing that was replaced or deleted since can be read.
func TestRule_R6_ARestoreTakesUpWhatChatCameSince(t *testing.T) {
	h := newHouse(t)
	to := backupsOf(t)
	service, stop := h.home.service(t)
	m := h.meeting()
	near := h.guest(h.home)
	_, kept := m.sent(t, "kept")
	edited, editedEvent := m.sent(t, "before")
	deleted, deletedEvent := m.sent(t, "to be deleted")
	_, shown := m.sent(t, "shown first", near)
	h.home.produce(t, kept, editedEvent, deletedEvent, shown)
	h.home.caughtUp(t)
	if got := m.copied(t, near); got != "shown first" {
		t.Fatalf("the copy says %q", got)
	}
	began := time.Now().UTC()
	positions, err := service.Positions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b := store.Backup{Name: "chat", StartedAt: began, ExpiresAt: began.Add(time.Hour), Step: store.BackupBegun, Manifest: "{}"}
	if err := h.home.deps.Store.PutBackup(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if err := store.BackUp(t.Context(), h.home.storage, to, b.Name); err != nil {
		t.Fatal(err)
	}

	_, next := m.sent(t, "shown next", near)
	h.home.produce(t, m.edited(t, edited, "after"), m.deleted(t, deleted), next)
	h.home.caughtUp(t)
	if diff := cmp.Diff([]string{"kept", "after", "shown first", "shown next"}, m.thread(t)); diff != "" {
		t.Errorf("thread (-want +got):\n%s", diff)
	}
	h.forward(sealing.DefaultConfig().Interval + sealing.DefaultConfig().Slack)
	if h.destroyed(t, h.home) == 0 {
		t.Fatal("no key is destroyed: nothing is tried")
	}
	stop()

	from := h.home.restoreTables(t, to, b.Name, positions, began)
	if diff := cmp.Diff([]string{"kept", "before", "to be deleted", "shown first"}, m.thread(t)); diff != "" {
		t.Errorf("thread of the backup (-want +got):\n%s", diff)
	}
	h.home.startServiceFrom(t, from)
	if diff := cmp.Diff([]string{"kept", "shown first"}, m.thread(t)); diff != "" {
		t.Errorf("thread (-want +got):\n%s", diff)
	}
	if got := m.copied(t, near); got != "" {
		t.Errorf("the copy says %q again", got)
	}
}
