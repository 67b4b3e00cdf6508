package sealing_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anteroom/anteroom/sealing"
	"github.com/anteroom/anteroom/store/storetest"
)

// Nodes that share a folder make one key of each interval, whoever is first, and each opens what is sealed to it.
func TestNodesShareAFolder(t *testing.T) {
	k := newKit(t)
	keepers := []*sealing.Keeper{k.keeper(), k.keeper(), k.keeper()}
	for range 6 {
		var group sync.WaitGroup
		for _, keeper := range keepers {
			group.Go(func() {
				if err := keeper.Pass(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		ring := k.ring()
		s := k.seal(ring, "a", "Hello")
		for _, keeper := range keepers {
			k.opens(keeper, s, "a", "Hello")
		}
		k.clock.forward(k.cfg.Interval)
	}
	if files, rows := k.files(), k.rows(); len(files) != 8 || len(rows) != 8 {
		t.Errorf("%d files, %d rows; want 8 of each", len(files), len(rows))
	}
	k.progress.set(k.clock.Now().Add(time.Hour), nil)
	for range 2 {
		k.clock.forward(k.cfg.Slack)
		var group sync.WaitGroup
		for _, keeper := range keepers {
			group.Go(func() {
				if err := keeper.Pass(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
	if files, rows := k.files(), k.rows(); len(files) != len(rows) || len(files) > 4 {
		t.Errorf("%d files, %d rows after what was done with was destroyed", len(files), len(rows))
	}
}

// A node whose folder is not the region's publishes nothing that others couldn't open, opens nothing, gives nothing up, and says what is wrong.
func TestNodesThatShareNoFolder(t *testing.T) {
	k := newKit(t)
	first := k.keeper()
	k.pass(first)
	s := k.seal(k.ring(), "a", "Hello")
	apart := *k
	apart.cfg.Dir = filepath.Join(t.TempDir(), "keys")
	second := apart.keeper()
	if err := second.Pass(t.Context()); err == nil || !strings.Contains(err.Error(), "another folder") || second.Check() == nil {
		t.Errorf("the other node says %v, and checks %v", err, second.Check())
	}
	if n := len(k.rows()); n != 3 {
		t.Errorf("%d keys are published, want 3", n)
	}
	elsewhere := func(when string) {
		t.Helper()
		if _, err := second.Open(t.Context(), s.KeyID, []byte("a"), s.Text); !errors.Is(err, sealing.ErrElsewhere) {
			t.Errorf("%s: the other node opens: %v", when, err)
		}
	}
	elsewhere("at first")
	k.clock.forward(time.Hour)
	_ = second.Pass(t.Context())
	elsewhere("after its interval")
	k.opens(first, s, "a", "Hello")

	// The first folder is lost for good, and somebody says so.
	id, err := os.ReadFile(filepath.Join(k.cfg.Dir, "amer", "folder.id"))
	if err != nil {
		t.Fatal(err)
	}
	apart.cfg.LostFolders = []string{string(id)}
	second = apart.keeper()
	apart.pass(second)
	if _, err := second.Open(t.Context(), s.KeyID, []byte("a"), s.Text); !errors.Is(err, sealing.ErrDestroyed) {
		t.Errorf("after it was given up: %v", err)
	}
	apart.opens(second, apart.seal(apart.ring(), "b", "again"), "b", "again")
}

// A key that was written and not published, since its maker was killed, is published by whoever comes next.
func TestKilledBetweenFileAndRow(t *testing.T) {
	k := newKit(t)
	k.pass(k.keeper())
	before := k.seal(k.ring(), "a", "Hello")
	k.home = storetest.New(t) // has none of the rows
	next := k.keeper()
	k.pass(next)
	after := k.seal(k.ring(), "a", "Hello")
	if after.KeyID != before.KeyID {
		t.Errorf("sealed to %s, and then to %s", before.KeyID, after.KeyID)
	}
	k.opens(next, before, "a", "Hello")
	k.opens(next, after, "a", "Hello")
}

// A keeper that was killed while it destroyed a key has destroyed it: the next one tidies up, and answers so.
func TestKilledWhileDestroying(t *testing.T) {
	for name, kill := range map[string]func(t *testing.T, path string){
		"overwritten, not removed": func(t *testing.T, path string) {
			info, err := os.Stat(path)
			if err == nil {
				err = os.WriteFile(path, make([]byte, info.Size()), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		},
		"removed, row not marked": func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKit(t)
			k.pass(k.keeper())
			s := k.seal(k.ring(), "a", "Hello")
			kill(t, filepath.Join(k.cfg.Dir, "amer", k.files()[0]))
			k.clock.forward(time.Hour)
			next := k.keeper()
			k.pass(next)
			k.pass(next)
			if _, err := next.Open(t.Context(), s.KeyID, []byte("a"), s.Text); !errors.Is(err, sealing.ErrDestroyed) {
				t.Errorf("open: %v, want %v", err, sealing.ErrDestroyed)
			}
			for _, row := range k.rows() {
				if strings.Contains(string(row.Value), s.KeyID) {
					t.Errorf("its row is there still: %s", row.Value)
				}
			}
		})
	}
}

// The file of the key of now vanishes: another key takes its place, and what was sealed to the first one is known to be lost.
func TestAKeyThatVanishes(t *testing.T) {
	k := newKit(t)
	k.pass(k.keeper())
	lost := k.seal(k.ring(), "a", "Hello")
	if err := os.Remove(filepath.Join(k.cfg.Dir, "amer", k.files()[0])); err != nil {
		t.Fatal(err)
	}
	next := k.keeper()
	k.pass(next)
	s := k.seal(k.ring(), "a", "Hello")
	k.opens(next, s, "a", "Hello")
	if _, err := next.Open(t.Context(), lost.KeyID, []byte("a"), lost.Text); !errors.Is(err, sealing.ErrDestroyed) {
		t.Errorf("open: %v, want %v", err, sealing.ErrDestroyed)
	}
}

// A keeper's clock that is turned forward takes no key that others still seal to: it withdraws it, which they notice, and keeps it for the slack. Turned
// back, it goes on with the keys that it has.
func TestClockIsTurned(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, 24 * time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			k := newKit(t)
			k.progress.set(k.clock.Now().Add(1000*time.Hour), nil)
			keeper := k.keeper()
			k.pass(keeper)
			ring := k.ring()
			s := k.seal(ring, "a", "Hello")
			k.clock.forward(by)
			k.pass(keeper)
			k.opens(keeper, s, "a", "Hello")
			if n := len(k.files()); n != 6 {
				t.Errorf("%d keys, want 3 of before and 3 of now", n)
			}
			k.clock.forward(-by)
			k.pass(keeper)
			k.opens(keeper, s, "a", "Hello")
			again := k.seal(k.ring(), "b", "Hello")
			k.opens(keeper, again, "b", "Hello")
			if again.KeyID != s.KeyID {
				t.Errorf("after the clock was put right sealed to %s, not %s", again.KeyID, s.KeyID)
			}
			k.clock.forward(by)
			for range 3 {
				k.pass(keeper)
				k.clock.forward(k.cfg.Slack)
			}
			if _, err := keeper.Open(t.Context(), s.KeyID, []byte("a"), s.Text); !errors.Is(err, sealing.ErrDestroyed) {
				t.Errorf("when its time has come: %v", err)
			}
		})
	}
}

// While ingest stands still for days, keys stay, and each one that is new has a place of its own.
func TestIngestStandsStillForDays(t *testing.T) {
	k := newKit(t)
	keeper := k.keeper()
	ring := k.ring
	k.pass(keeper)
	first := k.seal(ring(), "a", "Hello")
	for range 3 {
		k.clock.forward(24 * time.Hour)
		k.pass(keeper)
		k.opens(keeper, k.seal(ring(), "b", "again"), "b", "again")
	}
	k.opens(keeper, first, "a", "Hello")
	if n := len(k.rows()); n != 12 {
		t.Errorf("%d keys are published or withdrawn, want 12", n)
	}
	k.progress.set(k.clock.Now().Add(time.Hour), nil)
	k.clock.forward(k.cfg.Slack)
	k.pass(keeper)
	if _, err := k.keeper().Open(t.Context(), first.KeyID, []byte("a"), first.Text); !errors.Is(err, sealing.ErrDestroyed) {
		t.Errorf("open after all is ingested: %v", err)
	}
	if n := len(k.rows()); n != 3 {
		t.Errorf("%d rows are left, want 3", n)
	}
}

// Nothing of a private key is in a log, a row, or an error.
func TestPrivateKeysStayPrivate(t *testing.T) {
	k := newKit(t)
	keeper := k.keeper()
	k.pass(keeper)
	var secrets [][]byte
	for _, name := range k.files() {
		content, err := os.ReadFile(filepath.Join(k.cfg.Dir, "amer", name))
		if err != nil {
			t.Fatal(err)
		}
		var f struct{ Private []byte }
		if err := json.Unmarshal(content, &f); err != nil || len(f.Private) != 32 {
			t.Fatalf("a key of %d bytes, %v", len(f.Private), err)
		}
		secrets = append(secrets, f.Private, []byte(base64.StdEncoding.EncodeToString(f.Private)))
	}
	s := k.seal(k.ring(), "a", "Hello")
	_, refused := keeper.Open(t.Context(), s.KeyID, []byte("b"), s.Text)
	k.progress.set(k.clock.Now().Add(24*time.Hour), nil)
	for range 3 {
		k.clock.forward(time.Hour)
		k.pass(keeper)
	}
	told := k.log.String() + refused.Error()
	for _, row := range k.rows() {
		told += string(row.Value)
	}
	if !strings.Contains(told, "a key was destroyed") {
		t.Error("nothing was logged of a destroyed key")
	}
	for _, secret := range append(secrets, []byte("Hello")) {
		if bytes.Contains([]byte(told), secret) {
			t.Error("a key, or what was sealed, was told")
		}
	}
}
