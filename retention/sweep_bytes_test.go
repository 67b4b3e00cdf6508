package retention_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io/fs"
	mrand "math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/internal/embedded"
	"github.com/anteroom/anteroom/retention"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

// holding lists the files below a folder that hold a text.
func holding(t *testing.T, dir, text string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // gone meanwhile
		}
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if bytes.Contains(content, []byte(text)) {
			rel, _ := filepath.Rel(dir, path)
			out = append(out, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// ownEngine is a ClickHouse of a test's own, that can be killed and come back.
type ownEngine struct {
	cfg     embedded.ClickHouseConfig
	running *embedded.ClickHouse
}

func (e *ownEngine) start(t *testing.T) {
	t.Helper()
	var err error
	if e.running, err = embedded.StartClickHouse(t.Context(), e.cfg); err != nil {
		t.Fatal(err)
	}
}

// kill ends it without a chance to clean up.
func (e *ownEngine) kill(t *testing.T) {
	t.Helper()
	if err := syscall.Kill(e.running.Pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-e.running.Done()
	_ = e.running.Close()
}

// newKeptOn is newKept on an engine of the test's own.
func newKeptOn(t *testing.T) (*kept, *ownEngine) {
	t.Helper()
	ports, err := embedded.FreePorts(2)
	if err != nil {
		t.Fatal(err)
	}
	engine := &ownEngine{cfg: embedded.DefaultClickHouseConfig(t.TempDir())}
	engine.cfg.NativePort, engine.cfg.HTTPPort, engine.cfg.MemoryRatio = ports[0], ports[1], 0.25
	engine.start(t)
	t.Cleanup(func() { _ = engine.running.Close() })
	cfg := store.DefaultConfig()
	cfg.Addresses, cfg.Username, cfg.Password = []string{engine.running.Addr()}, engine.running.User(), engine.running.Password()
	if _, err := store.Migrate(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return &kept{t: t, s: s, cfg: cfg, sql: storetest.NewSQL(t, cfg), key: []byte("a key of the test's own"), files: files{}}, engine
}

// A ClickHouse that is killed in the middle of a purge, and comes back: parts that it had replaced may be there again, its log of parts may have holes, and it
// may have forgotten what it was asked for last.
func TestRule_R6_AKilledClickHouseForgetsNothing(t *testing.T) {
	k, engine := newKeptOn(t)
	k.standard()
	now := noon
	steps := []string{"captured", "deleted", "checked", "purged", "evidence", "tombstones"}
	if os.Getenv(killsEnv) == "" {
		mrand.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
		steps = steps[:2]
	}
	for n, step := range steps {
		k.say(2*n+1, now, "one", 1, 2)
		k.say(2*n+2, now.Add(time.Second), "two", 1)
		now = now.Add(30 * keptDay)
		s := k.sweeper()
		at(s, step, func() { engine.kill(t) })
		if r, err := s.Sweep(t.Context(), now, false); err == nil && !r.Partial {
			t.Errorf("killed at the step %s the sweep says %+v", step, r)
		}
		engine.start(t)
		k.sql.Exec("INSERT INTO sweep_beats (epoch, over) SELECT max(version), true FROM control WHERE kind = 'sweeper'")
		k.once(now)
		k.wantGone("superseded", "copy", message(2*n+1), guest(1))
		k.wantGone("due", "copy", message(2*n+1), guest(2))
		if left := k.sql.Texts("SELECT text FROM texts WHERE class = 'copy'"); len(left) != 1 {
			t.Errorf("killed at the step %s texts %q are left, want the one that isn't due", step, left)
		}
		k.reconcile()
	}
}

// TestRule_R6_NoFileHoldsPurgedBytes searches all files of an engine of its own, whose texts are stored as they are, for what was purged: what is still kept
// is found by the same search. Messages come as ingest stores them, so that no log of queries has them.
func TestRule_R6_NoFileHoldsPurgedBytes(t *testing.T) {
	k, engine := newKeptOn(t)
	dir, s := engine.cfg.Dir, k.s
	k.sql.Exec("ALTER TABLE texts MODIFY COLUMN text String CODEC(NONE)")
	k.standard()

	write := func(n int, sent time.Time, text string, guests ...int) {
		t.Helper()
		b := store.NewBatch()
		b.Reset("topic", 0)
		in := store.KeptIn{Org: keptOrg, CallID: keptCall, MeetingID: keptMeeting}
		at := func(i int) store.Origin { return store.Origin{Offset: int64(n), Index: uint32(i)} } //nolint:gosec // small
		b.Kept.Add(at(0), store.Kept{KeptIn: in, Class: store.ClassThread, ItemID: message(n), SentAt: sent})
		b.Texts.Add(at(0), store.Text{KeptIn: in, Class: store.ClassThread, MessageID: message(n), SentAt: sent, RevisedAt: sent, Content: text + " in the thread"})
		b.Texts.Add(at(1), store.Text{KeptIn: in, Class: store.ClassCopy, MessageID: message(n), SentAt: sent, RevisedAt: sent, Content: text + " as a copy"})
		for i, g := range guests {
			b.Heads = append(b.Heads, store.Head{KeptIn: in, HolderID: guest(g), MessageID: message(n), SentAt: sent})
			b.Kept.Add(at(1+i), store.Kept{KeptIn: in, Class: store.ClassCopy, ItemID: message(n), HolderID: guest(g), ResourceID: app(g), SentAt: sent})
		}
		if err := s.Insert(t.Context(), b, uuid.NewString()); err != nil {
			t.Fatal(err)
		}
	}
	secrets := map[string]string{}
	for _, name := range []string{"superseded", "due", "live"} {
		secrets[name] = name + "-" + rand.Text()
	}
	write(1, noon, secrets["superseded"], 1)
	write(2, noon.Add(time.Second), secrets["due"], 1, 2)
	write(3, noon.Add(31*keptDay), secrets["live"], 1, 2)
	k.sql.Exec("OPTIMIZE TABLE texts FINAL")
	for name, text := range secrets {
		if len(holding(t, dir, text+" as a copy")) == 0 {
			t.Fatalf("the text of the copy that is %s is in no file, so the search proves nothing", name)
		}
	}
	sweeper, err := retention.NewSweeper(sweepConfig(), k.deps())
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	due := noon.Add(30 * keptDay)
	k.sweep(sweeper, due.Add(time.Minute))
	t.Logf("purged, checked and proven after %v", time.Since(began).Round(time.Millisecond))
	for name, text := range secrets {
		found := holding(t, dir, text+" as a copy")
		if purged := name != "live"; purged != (len(found) == 0) {
			t.Errorf("the text of the copy that is %s is in %q", name, found)
		}
		if len(holding(t, dir, text+" in the thread")) == 0 {
			t.Errorf("the message of the thread that is %s as a copy is in no file", name)
		}
	}
	k.sweep(sweeper, due.Add(500*keptDay))
	for name, text := range secrets {
		if found := holding(t, dir, text); len(found) > 0 {
			t.Errorf("the text that was %s is still in %q", name, found)
		}
	}
	k.reconcile()
}
