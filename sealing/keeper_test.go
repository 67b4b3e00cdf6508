package sealing_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/sealing"
)

func TestSealAndOpen(t *testing.T) {
	k := newKit(t)
	keeper := k.keeper()
	if keeper.Check() == nil {
		t.Error("a keeper that has made no key says that there is one")
	}
	k.pass(keeper)
	if err := keeper.Check(); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"20260727t131000.key", "20260727t132000.key", "20260727t133000.key"}, k.files()); diff != "" {
		t.Errorf("keys: %s", diff)
	}
	ring := k.ring()
	s := k.seal(ring, "message 1", "Hello")
	if !strings.HasPrefix(s.KeyID, "amer-20260727t131000-") || len(s.KeyID) > 64 {
		t.Errorf("sealed to %q", s.KeyID)
	}
	k.opens(keeper, s, "message 1", "Hello")

	other := k.keeper()
	k.opens(other, s, "message 1", "Hello") // it has looked at nothing yet
	for name, c := range map[string]struct {
		id, about string
		text      []byte
		want      error
	}{
		"about something else":     {s.KeyID, "message 2", s.Text, sealing.ErrAltered},
		"nothing":                  {s.KeyID, "message 1", nil, sealing.ErrAltered},
		"a key of another region":  {strings.Replace(s.KeyID, "amer", "emea", 1), "message 1", s.Text, sealing.ErrNoKey},
		"a key that never was":     {s.KeyID[:len(s.KeyID)-12] + "000000000000", "message 1", s.Text, sealing.ErrNoKey},
		"no id":                    {"", "message 1", s.Text, sealing.ErrNoKey},
		"an id with a path":        {"amer-../../x", "message 1", s.Text, sealing.ErrNoKey},
		"an interval that is none": {"amer-20269927t131000-000000000000", "message 1", s.Text, sealing.ErrNoKey},
	} {
		if _, err := keeper.Open(t.Context(), c.id, []byte(c.about), c.text); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := ring.Seal("apac", nil, []byte("Hello")); !errors.Is(err, sealing.ErrNoKey) {
		t.Errorf("sealed to a region that has no key: %v", err)
	}
}

// A key is sealed to in its interval, withdrawn after it, and destroyed when all is ingested: from then on nobody opens what was sealed to it.
func TestLifeOfAKey(t *testing.T) {
	k := newKit(t)
	keeper := k.keeper()
	k.pass(keeper)
	ring := k.ring()
	s := k.seal(ring, "a", "Hello")
	k.clock.forward(5*time.Minute + 45*time.Second) // 13:20:00, the interval is over
	next := k.seal(ring, "b", "Hello again")
	if next.KeyID == s.KeyID {
		t.Error("sealed to a key whose interval is over")
	}
	k.opens(keeper, s, "a", "Hello")
	k.progress.set(k.clock.Now().Add(time.Hour), nil)
	k.pass(keeper)
	k.clock.forward(119 * time.Second)
	k.pass(keeper)
	k.opens(keeper, s, "a", "Hello") // within the slack
	k.clock.forward(time.Second)
	k.pass(keeper) // withdrawn
	k.opens(keeper, s, "a", "Hello")
	k.progress.set(time.Time{}, nil)
	k.clock.forward(time.Hour)
	k.pass(keeper)
	k.opens(keeper, s, "a", "Hello") // not ingested
	k.progress.set(k.clock.Now().Add(time.Hour), errors.New("Kafka is away"))
	if err := keeper.Pass(t.Context()); err == nil {
		t.Error("nobody was told that progress is not known")
	}
	k.opens(keeper, s, "a", "Hello")
	k.progress.set(k.clock.Now(), nil)
	k.pass(keeper)
	for name, keeper := range map[string]*sealing.Keeper{"who destroyed it": keeper, "another node": k.keeper()} {
		if _, err := keeper.Open(t.Context(), s.KeyID, []byte("a"), s.Text); !errors.Is(err, sealing.ErrDestroyed) {
			t.Errorf("%s: %v, want %v", name, err, sealing.ErrDestroyed)
		}
	}
	if _, err := os.Stat(filepath.Join(k.cfg.Dir, "amer", "20260727t131000.key")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the key's file: %v", err)
	}
	for _, row := range k.rows() {
		if strings.Contains(string(row.Value), s.KeyID) {
			t.Errorf("its row is there still: %s", row.Value)
		}
	}
	k.opens(keeper, k.seal(k.ring(), "c", "later"), "c", "later")
}
