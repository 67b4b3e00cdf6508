// Package storetest gives tests a migrated store of their own on the ClickHouse that the tests of the binary share. The package
// that uses it needs `func TestMain(m *testing.M) { embeddedtest.Main(m) }`.
package storetest

import (
	"testing"

	"github.com/anteroom/anteroom/internal/embedded/embeddedtest"
	"github.com/anteroom/anteroom/store"
)

// New returns a store on a fresh, migrated database, closed and dropped after the test.
func New(t testing.TB) *store.Store {
	t.Helper()
	s, _ := NewConfig(t)
	return s
}

// NewConfig is New for tests that open further stores on the same database.
func NewConfig(t testing.TB) (*store.Store, store.Config) {
	t.Helper()
	cfg := config(embeddedtest.ClickHouse(t))
	migrate(t, cfg)
	return open(t, cfg), cfg
}

// config is that of the test's database on an engine.
func config(engine embeddedtest.Engine) store.Config {
	cfg := store.DefaultConfig()
	cfg.Addresses = []string{engine.Addr}
	cfg.Database, cfg.Username, cfg.Password = engine.Database, engine.User, engine.Password
	return cfg
}

func migrate(t testing.TB, cfg store.Config) {
	t.Helper()
	if _, err := store.Migrate(t.Context(), cfg); err != nil {
		t.Fatalf("migrate the test's database: %v", err)
	}
}

// open opens a store until the test ends.
func open(t testing.TB, cfg store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(cfg)
	if err != nil {
		t.Fatalf("open the test's store: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the test's store: %v", err)
		}
	})
	return s
}
