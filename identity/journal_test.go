package identity

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

func openTestJournal(t *testing.T, path string, most int, now func() time.Time) *journal {
	t.Helper()
	j, err := openJournal(path, most, now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func mustUse(t *testing.T, j *journal, token string, forget time.Time) {
	t.Helper()
	if err := j.Use(t.Context(), "r", token, forget); err != nil {
		t.Fatalf("use %s: %v", token, err)
	}
}

func TestJournalSurvivesATornEnd(t *testing.T) {
	forget := time.Now().Add(time.Hour)
	path := filepath.Join(t.TempDir(), "j")
	j := openTestJournal(t, path, 100, time.Now)
	for i := range 3 {
		mustUse(t, j, strconv.Itoa(i), forget)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil || len(whole) != 3*journalRecord {
		t.Fatalf("got %d bytes, %v", len(whole), err)
	}
	// oneWrite has the three in one write, of which one record was lost.
	oneWrite := func(lost int) []byte {
		var content []byte
		for i := range 3 {
			content = appendRecord(content, journalUse{newUseKey("r", strconv.Itoa(i)), forget.Unix()}, 0)
		}
		clear(content[lost*journalRecord : (lost+1)*journalRecord])
		return content
	}
	for _, test := range []struct {
		name    string
		content []byte
		// kept is how many of the three are still known; -1: the file is refused.
		kept int
	}{
		{"whole", whole, 3},
		{"cut in the last record", whole[:len(whole)-1], 2},
		{"cut to one byte of the last record", whole[:2*journalRecord+1], 2},
		{"zeros behind, as after a power cut", append(bytes.Clone(whole), make([]byte, 5*journalRecord+7)...), 3},
		{"last record damaged", append(bytes.Clone(whole[:len(whole)-1]), whole[len(whole)-1]^1), 2},
		{"first record damaged", append([]byte{whole[0] ^ 1}, whole[1:]...), -1},
		{"empty", nil, 0},
		{"a hole in a last write", oneWrite(1), 1},
		{"a hole at the end of a last write", oneWrite(2), 2},
		{"a hole before the last write", append(oneWrite(1), appendRecord(nil, journalUse{newUseKey("r", "3"), forget.Unix()}, 3)...), -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "j")
			if err := os.WriteFile(path, test.content, 0o600); err != nil {
				t.Fatal(err)
			}
			j, err := openJournal(path, 100, time.Now)
			if test.kept < 0 {
				if err == nil {
					t.Error("a damaged journal was opened, and a used token forgotten")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			mustUse(t, j, "new", forget)
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			j = openTestJournal(t, path, 100, time.Now) // what was written behind the cut can be read
			for i := range 3 {
				want := Reason("")
				if i < test.kept {
					want = TokenReplayed
				}
				if got := ReasonOf(j.Use(t.Context(), "r", strconv.Itoa(i), forget)); got != want {
					t.Errorf("token %d: %q, want %q", i, got, want)
				}
			}
			if got := ReasonOf(j.Use(t.Context(), "r", "new", forget)); got != TokenReplayed {
				t.Errorf("new token: %q", got)
			}
		})
	}
}

func TestJournalIsBounded(t *testing.T) {
	var mu sync.Mutex
	at := time.Now()
	now := func() time.Time { mu.Lock(); defer mu.Unlock(); return at }
	path := filepath.Join(t.TempDir(), "j")
	j := openTestJournal(t, path, 8, now)
	use := func(resource, token string) Reason {
		return ReasonOf(j.Use(t.Context(), resource, token, now().Add(time.Minute)))
	}
	for _, step := range []struct {
		resource, token string
		want            Reason
	}{
		{"a", "1", ""},
		{"a", "2", ""},
		{"a", "3", JournalUnavailable}, // a quarter is one resource's
		{"a", "1", TokenReplayed},
		{"b", "1", ""},
		{"b", "2", ""},
		{"c", "1", ""},
		{"c", "2", ""},
		{"d", "1", ""},
		{"d", "2", ""},
		{"e", "1", JournalUnavailable},
	} {
		if got := use(step.resource, step.token); got != step.want {
			t.Fatalf("%s %s: %q, want %q", step.resource, step.token, got, step.want)
		}
	}
	mu.Lock()
	at = at.Add(2 * time.Minute)
	mu.Unlock()
	if got := use("e", "1"); got != "" {
		t.Errorf("after the others have expired: %q", got)
	}
	if len(j.used) != 1 || len(j.of) != 1 {
		t.Errorf("remembers %d tokens of %d resources, want 1 of 1", len(j.used), len(j.of))
	}
}

func TestJournalIsWrittenAnew(t *testing.T) {
	var mu sync.Mutex
	at := time.Now()
	now := func() time.Time { mu.Lock(); defer mu.Unlock(); return at }
	path := filepath.Join(t.TempDir(), "j")
	j := openTestJournal(t, path, 1_000_000, now)
	mustUse(t, j, "kept", now().Add(time.Hour))
	for round := range 3 {
		var group sync.WaitGroup
		for i := range 2500 {
			group.Go(func() {
				if err := j.Use(t.Context(), "r", fmt.Sprint(round, " ", i), now().Add(time.Minute)); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		mu.Lock()
		at = at.Add(3 * time.Minute)
		mu.Unlock()
	}
	mustUse(t, j, "last", now().Add(time.Hour))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if records := info.Size() / journalRecord; records > 2*2501+journalSlack {
		t.Errorf("the file has %d records", records)
	}
	j = openTestJournal(t, path, 1_000_000, now)
	for _, token := range []string{"kept", "last"} {
		if got := ReasonOf(j.Use(t.Context(), "r", token, now().Add(time.Hour))); got != TokenReplayed {
			t.Errorf("%s: %q after the file was written anew", token, got)
		}
	}
}

// A disk that fails refuses guests, and they come in again when it works again, with nothing forgotten.
func TestJournalOnAFailingDisk(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "j")
	forget := time.Now().Add(time.Hour)
	j := openTestJournal(t, path, 100, time.Now)
	mustUse(t, j, "before", forget)
	_ = j.file.Close()                                   // writes fail from here on,
	if err := os.Mkdir(path+".new", 0o700); err != nil { // and so does a new file
		t.Fatal(err)
	}
	for _, token := range []string{"1", "2"} {
		if got := ReasonOf(j.Use(t.Context(), "r", token, forget)); got != JournalUnavailable {
			t.Errorf("on a failing disk: %q", got)
		}
	}
	if err := os.Remove(path + ".new"); err != nil {
		t.Fatal(err)
	}
	mustUse(t, j, "after", forget)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = openTestJournal(t, path, 100, time.Now)
	for _, token := range []string{"before", "1", "2", "after"} {
		if got := ReasonOf(j.Use(t.Context(), "r", token, forget)); got != TokenReplayed {
			t.Errorf("%s: %q", token, got)
		}
	}
}

func TestJournalWhenTheCallerGoesAway(t *testing.T) {
	j := openTestJournal(t, filepath.Join(t.TempDir(), "j"), 100, time.Now)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = j.Use(ctx, "r", "1", time.Now().Add(time.Hour)) // either way it is used
	if got := ReasonOf(j.Use(t.Context(), "r", "1", time.Now().Add(time.Hour))); got != TokenReplayed {
		t.Errorf("got %q", got)
	}
}

func BenchmarkJournal(b *testing.B) {
	j, err := openJournal(filepath.Join(b.TempDir(), "j"), 10_000_000, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	forget := time.Now().Add(time.Hour)
	var mu sync.Mutex
	next := 0
	b.SetParallelism(100)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			mu.Lock()
			next++
			token := strconv.Itoa(next)
			mu.Unlock()
			if err := j.Use(b.Context(), token, token, forget); err != nil {
				b.Error(err)
			}
		}
	})
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
}
