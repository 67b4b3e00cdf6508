package store_test

import (
	"testing"

	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

func TestMigrateTwice(t *testing.T) {
	s, cfg := storetest.NewConfig(t)
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	applied, err := store.Migrate(t.Context(), cfg)
	if err != nil || applied != 0 {
		t.Fatalf("second migration applied %d, error %v; want 0 and none", applied, err)
	}
	states, err := store.MigrationStatus(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range states[0].Migrations {
		if !state.Applied {
			t.Errorf("%s is not applied", state.File)
		}
	}
}
