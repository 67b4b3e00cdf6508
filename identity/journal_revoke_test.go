package identity

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// What was revoked stays so in the next process, until its time is over; to revoke twice is no error, and keeps the later time.
func TestRevokedStaysRevoked(t *testing.T) {
	path := filepath.Join(t.TempDir(), revokedFile)
	clock := time.Now()
	now := func() time.Time { return clock }
	open := func() *journal {
		t.Helper()
		j, err := openJournal(path, 100, now)
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	check := func(j *journal, id string, want bool) {
		t.Helper()
		if got := j.has(newRevokeKey(id)); got != want {
			t.Errorf("%s: revoked is %v, want %v", id, got, want)
		}
	}
	j := open()
	check(j, "anna", false)
	for id, until := range map[string]time.Duration{"anna": time.Minute, "bert": time.Hour} {
		for _, until := range []time.Duration{until, until / 2} {
			if err := j.revoke(t.Context(), id, clock.Add(until)); err != nil {
				t.Fatal(err)
			}
		}
	}
	// The process is lost: the next one reads what is there, with a torn end.
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(content, "torn"...), 0o600); err != nil {
		t.Fatal(err)
	}
	next := open()
	check(next, "anna", true)
	check(next, "bert", true)
	check(next, "carl", false)
	clock = clock.Add(50 * time.Second)
	check(next, "anna", true)
	clock = clock.Add(11 * time.Second)
	check(next, "anna", false)
	check(next, "bert", true)
	if err := next.Close(); err != nil {
		t.Fatal(err)
	}
	if err := next.revoke(t.Context(), "dora", clock.Add(time.Minute)); ReasonOf(err) != JournalUnavailable {
		t.Errorf("revoke on a closed journal: %v", err)
	}
}

// Whoever's revocation was confirmed is in the file, however many there are at once.
func TestRevokedAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), revokedFile)
	j, err := openJournal(path, maxRevoked, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	const many = 500
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			if err := j.revoke(t.Context(), fmt.Sprint(i%400), time.Now().Add(time.Minute)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	next, err := openJournal(path, maxRevoked, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 400 {
		if !next.has(newRevokeKey(fmt.Sprint(i))) {
			t.Errorf("%d is forgotten", i)
		}
	}
}
