package store_test

import (
	"errors"
	"testing"

	"github.com/anteroom/anteroom/internal/faulttest"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

// A server that goes away while it is asked how far it is migrated, at whatever question, is one that is away, and nothing that a process must end by.
func TestAServerThatGoesAwayWhileItIsAskedForMigrationsIsAway(t *testing.T) {
	_, cfg := storetest.NewConfig(t)
	proxy := faulttest.NewProxy(t)
	proxy.To(cfg.Addresses[0])
	cfg.Addresses = []string{proxy.Addr()}
	for _, at := range []int{1, 2, 3, 5, 8, 13, 21, 34, 55} {
		asked, before := 0, proxy.Cuts()
		proxy.CutAnswer(func([]byte) bool { asked++; return asked == at })
		_, err := store.MigrationStatus(t.Context(), cfg)
		if proxy.Cuts() == before {
			t.Fatalf("no answer was cut at what was sent as number %d", at)
		}
		if err != nil && !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("cut at what was sent as number %d: %v", at, err)
		}
		proxy.CutAnswer(nil)
	}
}
