package ledger_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"github.com/anteroom/anteroom/retention/ledger"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

// fullJournal is one whose disk is full for a while.
type fullJournal struct {
	mu    sync.Mutex
	full  int
	taken []string
	size  func() uint64
	ahead bool
}

func (j *fullJournal) Leaves(_ context.Context, leaves []store.OutboxLeaf) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.size() > uint64(len(j.taken)) {
		j.ahead = true
	}
	if j.full > 0 {
		j.full--
		return errors.New("no space left on device")
	}
	for i := range leaves {
		j.taken = append(j.taken, leaves[i].ID)
	}
	return nil
}

// What the journal doesn't have is not appended: the log can't be made good by a restore if the tables are lost.
func TestNothingIsAppendedThatTheJournalLacks(t *testing.T) {
	s := storetest.New(t)
	cfg := config(t.TempDir())
	j := &fullJournal{full: 3}
	l, err := ledger.Open(cfg, region, ledger.Deps{Store: s, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Journal: j})
	if err != nil {
		t.Fatal(err)
	}
	j.size = func() uint64 {
		at, err := l.Published(t.Context())
		if err != nil && !errors.Is(err, ledger.ErrNoCheckpoint) {
			t.Error(err)
		}
		return at.Size
	}
	put(t, s, leaf("one"), leaf("two"))
	start(t, l)
	settle(t, s)
	put(t, s, leaf("three"))
	settle(t, s)
	j.mu.Lock()
	defer j.mu.Unlock()
	slices.Sort(j.taken)
	if j.full != 0 || j.ahead || !slices.Equal(j.taken, []string{"one", "three", "two"}) {
		t.Errorf("the journal has %q; the log was ahead of it: %v", j.taken, j.ahead)
	}
}
