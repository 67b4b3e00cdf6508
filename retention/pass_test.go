package retention

import (
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/anteroom/anteroom/directory/registry"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

// TestWhoKnowsLessUndoesNothing: a process that has read fewer changes of policies and holds than another has decided by.
func TestWhoKnowsLessUndoesNothing(t *testing.T) {
	home := storetest.New(t)
	for i := range uint64(2) {
		if _, err := home.Put(t.Context(), store.Control{Kind: registry.KindHold, Org: "contoso", ID: "x", Value: json.RawMessage(`{}`)}, i); err != nil {
			t.Fatal(err)
		}
	}
	newPass := func(seen uint64) *pass {
		return &pass{Decider: &Decider{deps: DeciderDeps{Home: home, Log: slog.New(slog.DiscardHandler)}}, seen: seen, began: time.Now()}
	}
	behind := newPass(1)
	if _, err := behind.seq(t.Context(), 2<<seqBits); !errors.Is(err, errBehind) {
		t.Errorf("behind: %v", err)
	}
	equal := newPass(2)
	first, err := equal.seq(t.Context(), 0)
	if err != nil || first>>seqBits != 2 {
		t.Errorf("first: %d, %v", first, err)
	}
	next, err := equal.seq(t.Context(), first+7) // of the same second, or of a clock that went back
	if err != nil || next != first+8 {
		t.Errorf("next: %d after %d, %v", next, first+7, err)
	}
	if after, err := newPass(3).seq(t.Context(), next); err != nil || after>>seqBits != 3 {
		t.Errorf("with another change: %d, %v", after, err)
	}
	restored, err := equal.seq(t.Context(), 9<<seqBits)
	if err != nil || restored != 9<<seqBits+1 {
		t.Errorf("after a restore: %d, %v", restored, err)
	}
}
