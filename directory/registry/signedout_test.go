package registry_test

import (
	"testing"
	"time"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/directory/registry"
	"github.com/anteroom/anteroom/store/storetest"
)

// A session that is ended on one node is ended on the others, and after a start as well; the row keeps none that would have ended by itself.
func TestSessionsThatWereEnded(t *testing.T) {
	s, _ := storetest.Reused(t)
	here, there := open(t, s), open(t, s)
	ended := func(r *registry.Registry, org, subject, session string) bool {
		t.Helper()
		got, err := r.SessionEnded(t.Context(), org, subject, session)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	later := time.Now().Add(time.Hour)
	for _, session := range []string{"OLD", "ONE", "TWO"} {
		ends := later
		if session == "OLD" {
			ends = time.Now().Add(-time.Hour)
		}
		if err := here.EndSession(t.Context(), "contoso", "ada", session, ends); err != nil {
			t.Fatal(err)
		}
	}
	if !ended(here, "contoso", "ada", "ONE") || ended(here, "contoso", "ada", "THREE") || ended(here, "fabrikam", "ada", "ONE") || ended(here, "", "ada", "ONE") {
		t.Error("here")
	}
	for !ended(there, "contoso", "ada", "TWO") { // half a second
		time.Sleep(10 * time.Millisecond)
	}
	if again := open(t, s); !ended(again, "contoso", "ada", "ONE") || !ended(again, "contoso", "ada", "TWO") {
		t.Error("after a new start")
	}
	row, ok := here.SignedOut.Find("", directory.SignedOutID("contoso", "ada"))
	if _, old := row.Value.Sessions["OLD"]; !ok || old || len(row.Value.Sessions) != 2 {
		t.Errorf("the row: %+v", row)
	}
	if directory.SignedOutID("a", "bc") == directory.SignedOutID("ab", "c") {
		t.Error("two users have one row")
	}
}
