package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/anteroom/anteroom/internal/embedded"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

func row(id string, value string) store.Control {
	return store.Control{Kind: "policy", Org: "o", ID: id, Author: "admin@o", Value: json.RawMessage(value)}
}

func TestPutComparesVersions(t *testing.T) {
	s := storetest.New(t)
	ctx := t.Context()
	steps := []struct {
		name      string
		row       store.Control
		ifVersion uint64
		version   uint64
		err       error
	}{
		{name: "change what never was", row: row("p", `{}`), ifVersion: 1, err: store.ErrNotFound},
		{name: "create", row: row("p", `{"a":1}`), version: 1},
		{name: "create again", row: row("p", `{"a":2}`), err: store.ErrConflict},
		{name: "change", row: row("p", `{"a":3}`), ifVersion: 1, version: 2},
		{name: "change an old version", row: row("p", `{"a":4}`), ifVersion: 1, err: store.ErrConflict},
		{name: "change a version to come", row: row("p", `{"a":4}`), ifVersion: 3, err: store.ErrConflict},
		{name: "delete", row: store.Control{Kind: "policy", Org: "o", ID: "p", Deleted: true}, ifVersion: 2, version: 3},
		{name: "create after deletion", row: row("p", `{"a":5}`), version: 4},
		{name: "another row", row: row("q", `[]`), version: 1},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			got, err := s.Put(ctx, step.row, step.ifVersion)
			if !errors.Is(err, step.err) || got.Version != step.version {
				t.Fatalf("version %d, error %v; want %d, %v", got.Version, err, step.version, step.err)
			}
		})
	}
	ignore := cmpopts.IgnoreFields(store.Control{}, "At", "WriteID")
	history, err := s.History(ctx, "policy", "o", "p")
	if err != nil {
		t.Fatal(err)
	}
	want := []store.Control{
		{Kind: "policy", Org: "o", ID: "p", Version: 1, Author: "admin@o", Value: json.RawMessage(`{"a":1}`)},
		{Kind: "policy", Org: "o", ID: "p", Version: 2, Author: "admin@o", Value: json.RawMessage(`{"a":3}`)},
		{Kind: "policy", Org: "o", ID: "p", Version: 3, Deleted: true},
		{Kind: "policy", Org: "o", ID: "p", Version: 4, Author: "admin@o", Value: json.RawMessage(`{"a":5}`)},
	}
	if diff := cmp.Diff(want, history, ignore); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	list, err := s.List(ctx, "policy", "o")
	if err != nil {
		t.Fatal(err)
	}
	q := store.Control{Kind: "policy", Org: "o", ID: "q", Version: 1, Author: "admin@o", Value: json.RawMessage(`[]`)}
	if diff := cmp.Diff([]store.Control{want[3], q}, list, ignore); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	if _, err := s.Delete(ctx, "policy", "o", "q", "admin@o", 1); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(ctx, "policy", "o", "q"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("get of a deleted row: %v", err)
	}
	for _, org := range []string{"", "O", "p"} {
		if _, err := s.Get(ctx, "policy", org, "p"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("get from organisation %q: %v", org, err)
		}
	}
}

func TestPutAgainAfterUnknownOutcome(t *testing.T) {
	s := storetest.New(t)
	first, err := s.Put(t.Context(), row("p", `1`), 0)
	if err != nil {
		t.Fatal(err)
	}
	again := row("p", `1`)
	again.WriteID = first.WriteID
	second, err := s.Put(t.Context(), again, 0)
	if diff := cmp.Diff(first, second); diff != "" || err != nil {
		t.Errorf("error %v (-first +second):\n%s", err, diff)
	}
}

// TestPutFindsALostVersion: the engine may note a token and then lose the row. A token without a row is what is left.
func TestPutFindsALostVersion(t *testing.T) {
	s := storetest.New(t)
	if _, err := s.Put(t.Context(), row("p", `1`), 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Conn().Exec(t.Context(), "ALTER TABLE control DELETE WHERE 1 SETTINGS mutations_sync = 2"); err != nil {
		t.Fatal(err)
	}
	got, err := s.Put(t.Context(), row("p", `2`), 0)
	if err != nil || got.Version != 1 {
		t.Fatalf("version %d, error %v; want 1 and none", got.Version, err)
	}
}

// race lets writers add one to a number until each has done so often enough, and returns who won each version.
func race(t *testing.T, ctx context.Context, stores []*store.Store, writers, wins int) map[uint64]string {
	t.Helper()
	var mu sync.Mutex
	won := map[uint64]string{}
	var group sync.WaitGroup
	for w := range writers {
		s, author := stores[w%len(stores)], fmt.Sprintf("writer-%d", w)
		group.Go(func() {
			for done := 0; done < wins; {
				current, err := s.Get(ctx, "counter", "", "c")
				if err != nil && !errors.Is(err, store.ErrNotFound) {
					t.Error(err)
					return
				}
				next := store.Control{Kind: "counter", ID: "c", Author: author, Value: json.RawMessage(`1`)}
				got, err := s.Put(ctx, next, current.Version)
				if errors.Is(err, store.ErrConflict) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if other, taken := won[got.Version]; taken {
					t.Errorf("version %d was won by %s and %s", got.Version, other, author)
				}
				won[got.Version] = author
				mu.Unlock()
				done++
			}
		})
	}
	group.Wait()
	return won
}

func checkRace(t *testing.T, s *store.Store, won map[uint64]string, writers int) {
	t.Helper()
	history, err := s.History(t.Context(), "counter", "", "c")
	if err != nil {
		t.Fatal(err)
	}
	got := map[uint64]string{}
	for i, row := range history {
		if row.Version != uint64(i+1) {
			t.Errorf("version %d stands at place %d", row.Version, i+1)
		}
		got[row.Version] = row.Author
	}
	if diff := cmp.Diff(won, got); diff != "" {
		t.Errorf("who was told to have won is not who did (-told +stored):\n%s", diff)
	}
	if stored := count(t, t.Context(), s.Conn(), "SELECT count() FROM control WHERE kind = 'counter'"); stored != uint64(len(won)) {
		t.Errorf("%d rows for %d versions", stored, len(won))
	}
	if len(won) < writers {
		t.Errorf("%d versions were won by %d writers", len(won), writers)
	}
}

func TestFiftyWritersOneWinner(t *testing.T) {
	first, cfg := storetest.NewConfig(t)
	second, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	won := race(t, t.Context(), []*store.Store{first, second}, 50, 1)
	checkRace(t, first, won, 50)
}

func TestHistorySurvivesAKill(t *testing.T) {
	cfg := embedded.DefaultClickHouseConfig(t.TempDir())
	engine, err := embedded.StartClickHouse(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := openEngine(t, engine)
	for i := range uint64(5) {
		if _, err := s.Put(t.Context(), row("p", fmt.Sprint(i)), i); err != nil {
			t.Fatal(err)
		}
	}
	want, err := s.History(t.Context(), "policy", "o", "p")
	if err != nil {
		t.Fatal(err)
	}
	kill(t, engine)
	if _, err := s.Get(t.Context(), "policy", "o", "p"); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("get without a server: %v; want ErrUnavailable", err)
	}
	engine, err = embedded.StartClickHouse(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	s = openEngine(t, engine)
	got, err := s.History(t.Context(), "policy", "o", "p")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("history after a kill (-before +after):\n%s", diff)
	}
	if _, err := s.Put(t.Context(), row("p", `6`), 4); !errors.Is(err, store.ErrConflict) {
		t.Errorf("put on an old version after a kill: %v", err)
	}
	if next, err := s.Put(t.Context(), row("p", `6`), 5); err != nil || next.Version != 6 {
		t.Errorf("put after a kill: version %d, %v", next.Version, err)
	}
}

func TestWatchTellsEachChange(t *testing.T) {
	s := storetest.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if _, err := s.Put(ctx, row("old", `1`), 0); err != nil {
		t.Fatal(err)
	}
	told := make(chan store.Control)
	ended := make(chan error, 1)
	go func() {
		ended <- s.Watch(ctx, "policy", func(row store.Control) error {
			select {
			case told <- row:
			case <-ctx.Done():
			}
			return nil
		})
	}()
	check := func(id string, version uint64, deleted bool) {
		t.Helper()
		got := <-told
		if got.ID != id || got.Version != version || got.Deleted != deleted {
			t.Fatalf("told %s version %d deleted %v; want %s version %d deleted %v", got.ID, got.Version, got.Deleted, id, version, deleted)
		}
	}
	check("old", 1, false)
	if _, err := s.Put(ctx, row("new", `1`), 0); err != nil {
		t.Fatal(err)
	}
	check("new", 1, false)
	if _, err := s.Delete(ctx, "policy", "o", "old", "a", 1); err != nil {
		t.Fatal(err)
	}
	check("old", 2, true)
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("watch ended with %v", err)
	}
}

// Watchers share their looks at the versions, and nothing else: each is told of its kind, whoever watches others, comes later, leaves or is slow.
func TestWatchersAreToldOfTheirOwnKind(t *testing.T) {
	s := storetest.New(t)
	watch := func(kind string) (told chan string, stop func()) {
		ctx, cancel := context.WithCancel(t.Context())
		told, ended := make(chan string), make(chan error, 1)
		go func() {
			ended <- s.Watch(ctx, kind, func(row store.Control) error {
				select {
				case told <- row.Kind + " " + string(row.Value):
				case <-ctx.Done():
				}
				return nil
			})
		}()
		return told, func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("watch ended with %v", err)
			}
		}
	}
	put := func(kind, value string, version uint64) {
		t.Helper()
		r := row("p", value)
		r.Kind = kind
		if _, err := s.Put(t.Context(), r, version); err != nil {
			t.Fatal(err)
		}
	}
	want := func(told chan string, what string) {
		t.Helper()
		if got := <-told; got != what {
			t.Fatalf("told %s, want %s", got, what)
		}
	}
	slow, stopSlow := watch("slow")
	put("slow", `1`, 0)
	first, stopFirst := watch("first")
	put("first", `1`, 0)
	want(first, "first 1")
	second, stopSecond := watch("second")
	put("second", `1`, 0)
	want(second, "second 1")
	stopFirst()
	put("second", `2`, 1)
	want(second, "second 2")
	want(slow, "slow 1")
	stopSlow()
	stopSecond()
	again, stopAgain := watch("first")
	want(again, "first 1")
	put("first", `2`, 1)
	want(again, "first 2")
	stopAgain()
}

// What became of keys that chat is sealed to is forgotten after a month, and so is how far reports were while they were made. Nothing else is.
func TestControlForgetsOldKeysOnly(t *testing.T) {
	s := storetest.New(t)
	ctx := t.Context()
	for _, kind := range []string{"sealing_key", "policy"} {
		for version, age := range []string{"31 DAY", "29 DAY"} {
			err := s.Conn().Exec(ctx, fmt.Sprintf(
				"INSERT INTO control (kind, id, version, value, inserted_at) VALUES ('%s', 'a', %d, '1', now64(6) - INTERVAL %s)", kind, version+1, age))
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Conn().Exec(ctx, "OPTIMIZE TABLE control FINAL"); err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[string]int{"sealing_key": 1, "policy": 2} {
		history, err := s.History(ctx, kind, "", "a")
		if err != nil || len(history) != want || history[len(history)-1].Version != 2 {
			t.Errorf("%s: %d versions, %v; want %d", kind, len(history), err, want)
		}
	}
	// Of a report, what the service noted on the way.
	for version, by := range [][2]string{
		{"ann", "awaiting_approval"}, {"ada", "queued"}, {"service:exports", "running"}, {"service:exports", "queued"}, {"service:exports", "done"},
	} {
		err := s.Conn().Exec(ctx, fmt.Sprintf("INSERT INTO control (kind, org, id, version, author, value, inserted_at) VALUES ('export', 'o', 'a', %d, '%s', '%s', now64(6) - INTERVAL 31 DAY)",
			version+1, by[0], `{"state":"`+by[1]+`","parts":{"emea":{"state":"running"}}}`))
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Conn().Exec(ctx, "OPTIMIZE TABLE control FINAL"); err != nil {
		t.Fatal(err)
	}
	var left []uint64
	history, err := s.History(ctx, "export", "o", "a")
	for _, row := range history {
		left = append(left, row.Version)
	}
	if diff := cmp.Diff([]uint64{1, 2, 5}, left); diff != "" || err != nil {
		t.Errorf("versions of a report (-want +got): %v\n%s", err, diff)
	}
	if row, err := s.Put(ctx, store.Control{Kind: "sealing_key", ID: "a", Value: json.RawMessage(`2`)}, 2); err != nil || row.Version != 3 {
		t.Errorf("the next version: %d, %v", row.Version, err)
	}
}
