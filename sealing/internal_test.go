package sealing

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/anteroom/anteroom/store"
)

type nothingIngested struct{}

func (nothingIngested) Ingested(context.Context, time.Time) (bool, error) { return false, nil }

// loneKeeper has one key in its folder, and a store that answers nothing.
func loneKeeper(t testing.TB) (*Keeper, *key) {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Dir = t.TempDir()
	nowhere := store.DefaultConfig()
	nowhere.Addresses = []string{"127.0.0.1:1"}
	home, err := store.Open(nowhere)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = home.Close() })
	k, err := NewKeeper(cfg, "emea", KeeperDeps{Home: home, Progress: nothingIngested{}})
	if err != nil {
		t.Fatal(err)
	}
	made, err := newKey("emea", time.Date(2026, 7, 27, 13, 10, 0, 0, time.UTC), cfg.Interval)
	if err != nil {
		t.Fatal(err)
	}
	content, err := made.marshal()
	if err != nil {
		t.Fatal(err)
	}
	if err := k.folder.create(keyName(made.start), content); err != nil {
		t.Fatal(err)
	}
	return k, made
}

// What was sealed opens about what it was sealed for, and nothing else does: not altered, cut, prolonged, of another key, or moved.
func TestOnlyWhatWasSealedOpens(t *testing.T) {
	k, made := loneKeeper(t)
	other, err := newKey("emea", made.start, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		bytesOf := rapid.SliceOfN(rapid.Byte(), 0, 200)
		text, about := bytesOf.Draw(t, "text"), bytesOf.Draw(t, "about")
		sealed, err := seal(made.private.PublicKey(), about, text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := k.Open(t.Context(), made.id, about, sealed)
		if err != nil || !bytes.Equal(got, text) {
			t.Fatalf("opened %x, %v; want %x", got, err, text)
		}
		refused := func(what string, about, sealed []byte) {
			if got, err := k.Open(t.Context(), made.id, about, sealed); !errors.Is(err, ErrAltered) || got != nil {
				t.Fatalf("%s: opened %x, %v", what, got, err)
			}
		}
		altered := bytes.Clone(sealed)
		altered[rapid.IntRange(0, len(sealed)-1).Draw(t, "at")] ^= byte(rapid.IntRange(1, 255).Draw(t, "by"))
		// The most significant bit of an X25519 point is ignored by RFC 7748, and the encapsulated key is a part of what keys are derived from.
		refused("altered", about, altered)
		refused("cut", about, sealed[:rapid.IntRange(0, len(sealed)-1).Draw(t, "length")])
		refused("prolonged", about, append(bytes.Clone(sealed), rapid.Byte().Draw(t, "more")))
		if moved := bytesOf.Draw(t, "moved to"); !bytes.Equal(moved, about) {
			refused("moved", moved, sealed)
		}
		foreign, err := seal(other.private.PublicKey(), about, text)
		if err != nil {
			t.Fatal(err)
		}
		refused("sealed to another key", about, foreign)
	})
}

// A folder that others may look into is refused, and so is one whose id is damaged.
func TestFolderIsKeptToOneself(t *testing.T) {
	dir := t.TempDir()
	if _, err := openFolder(dir, "emea"); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "emea")
	if err := os.Chmod(path, 0o750); err != nil {
		t.Fatal(err)
	}
	if _, err := openFolder(dir, "emea"); err == nil {
		t.Error("a folder of mode 0750 is taken")
	}
	if err := errors.Join(os.Chmod(path, 0o700), os.WriteFile(filepath.Join(path, folderIDFile), []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := openFolder(dir, "emea"); err == nil {
		t.Error("a folder without an id is taken")
	}
}

// What a maker that was killed left behind goes, and a key that it had named already stays.
func TestLeftoversGo(t *testing.T) {
	k, made := loneKeeper(t)
	half := filepath.Join(k.folder.path, makingPrefix+"half")
	whole := filepath.Join(k.folder.path, makingPrefix+"whole")
	if err := errors.Join(os.WriteFile(half, []byte("half a key"), 0o600), os.Link(filepath.Join(k.folder.path, keyName(made.start)), whole)); err != nil {
		t.Fatal(err)
	}
	if err := k.folder.sweep(time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{half, whole} {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("young: %v", err)
		}
	}
	if err := k.folder.sweep(time.Now().Add(2 * leftoverAge)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{half, whole} {
		if _, err := os.Stat(path); !gone(err) {
			t.Errorf("old: %v", err)
		}
	}
	if got, err := k.folder.load(keyName(made.start)); err != nil || got.id != made.id {
		t.Errorf("the key: %v", err)
	}
}

// Whatever comes from Kafka, Open answers with what was sealed or an error, and says nothing of it.
func FuzzOpen(f *testing.F) {
	k, made := loneKeeper(f)
	about, text := []byte("message 1"), []byte("Hello")
	sealed, err := seal(made.private.PublicKey(), about, text)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(made.id, about, sealed)
	f.Add(made.id, about, sealed[:31])
	f.Add(made.id, []byte("message 2"), sealed)
	f.Add("emea-20260727t131000-000000000000", about, sealed)
	f.Add("emea-20260727t131000-"+string(make([]byte, 12)), []byte{}, []byte{})
	f.Add("amer-../../../etc/passwd", about, bytes.Repeat([]byte{0xff}, 32))
	f.Fuzz(func(t *testing.T, id string, about2, sealed2 []byte) {
		got, err := k.Open(t.Context(), id, about2, sealed2)
		if err == nil && (id != made.id || !bytes.Equal(about2, about) || !bytes.Equal(sealed2, sealed) || !bytes.Equal(got, text)) {
			t.Fatalf("opened %q of %q", got, id)
		}
		if err != nil && got != nil {
			t.Fatal("text and error")
		}
	})
}

// BenchmarkSeal is what one message costs for each region that gets it.
func BenchmarkSeal(b *testing.B) {
	for name, size := range map[string]int{"100B": 100, "28KB": 28 << 10} {
		b.Run(name, func(b *testing.B) {
			_, made := loneKeeper(b)
			public := made.private.PublicKey()
			about, text := bytes.Repeat([]byte("a"), 120), bytes.Repeat([]byte("x"), size)
			for b.Loop() {
				if _, err := seal(public, about, text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOpen is what one message costs ingest.
func BenchmarkOpen(b *testing.B) {
	for name, size := range map[string]int{"100B": 100, "28KB": 28 << 10} {
		b.Run(name, func(b *testing.B) {
			k, made := loneKeeper(b)
			about, text := bytes.Repeat([]byte("a"), 120), bytes.Repeat([]byte("x"), size)
			sealed, err := seal(made.private.PublicKey(), about, text)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := k.Open(b.Context(), made.id, about, sealed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
