package ledger_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anteroom/anteroom/internal/faulttest"
	"github.com/anteroom/anteroom/retention/ledger"
	"github.com/anteroom/anteroom/store/storetest"
)

// heard keeps what is logged.
type heard struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.Write(p)
}

// lines counts those with a text.
func (h *heard) lines(with string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Count(h.text.String(), with)
}

// TestAFullDiskLosesNoLeaf fills the ledger's disk again and again, with more or less room left: leaves wait, the log is in order, and goes on when there is
// room. Each leaf is in it once.
func TestAFullDiskLosesNoLeaf(t *testing.T) {
	disk := faulttest.NewDisk(t, 8<<20)
	s, cfg := storetest.NewConfig(t)
	dir, raw := filepath.Join(disk.Dir, "ledger"), connect(t, cfg)
	said := &heard{}
	l, err := ledger.Open(config(dir), region, ledger.Deps{Store: s, Log: slog.New(slog.NewTextHandler(said, nil))})
	if err != nil {
		t.Fatal(err)
	}
	stop := start(t, l)
	leaves := 0
	put := func(n int) {
		t.Helper()
		putNamed(t, raw, fmt.Sprintf("%d-", leaves), n)
		leaves += n
	}
	put(50)
	settle(t, s)
	for _, left := range []int64{0, 4 << 10, 12 << 10, 40 << 10} {
		disk.Fill(left)
		before := said.lines("ledger can't go on")
		for deadline := time.Now().Add(time.Minute); said.lines("ledger can't go on") == before; time.Sleep(50 * time.Millisecond) {
			put(300)
			if time.Now().After(deadline) {
				t.Fatalf("with %d bytes left the ledger does not say that it can't go on", left)
			}
		}
		wantWhole(t, dir, s, fmt.Sprintf("with %d bytes left", left))
		disk.Free()
		settle(t, s)
	}
	stop()
	wantClean(t, l, leaves)
	t.Logf("%d leaves; it said %d times that it could not go on", leaves, said.lines("ledger can't go on"))
}
