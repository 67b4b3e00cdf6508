package store_test

import (
	"os"
	"testing"

	"github.com/anteroom/anteroom/internal/embedded"
	"github.com/anteroom/anteroom/store"
)

// openEngine migrates and opens a store on an engine of the test's own.
func openEngine(t *testing.T, engine *embedded.ClickHouse) *store.Store {
	t.Helper()
	cfg := store.DefaultConfig()
	cfg.Addresses, cfg.Username, cfg.Password = []string{engine.Addr()}, engine.User(), engine.Password()
	if _, err := store.Migrate(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// kill ends an engine without a chance to clean up.
func kill(t *testing.T, engine *embedded.ClickHouse) {
	t.Helper()
	process, err := os.FindProcess(engine.Pid())
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-engine.Done()
	_ = engine.Close()
}
