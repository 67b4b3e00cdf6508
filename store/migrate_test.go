package store_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/migrations"
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

func TestMigrateTwiceAtOnce(t *testing.T) {
	_, cfg := storetest.NewConfig(t)
	other := cfg
	other.Database = cfg.Database + "_at_once"
	s, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	defer func() {
		if err := s.Conn().Exec(context.Background(), "DROP DATABASE IF EXISTS "+other.Database+" SYNC"); err != nil {
			t.Error(err)
		}
	}()
	ended := make(chan error)
	for range 3 {
		go func() {
			_, err := store.Migrate(t.Context(), other)
			ended <- err
		}()
	}
	for range 3 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if applied, err := store.Migrate(t.Context(), other); err != nil || applied != 0 {
		t.Errorf("the next migration applied %d, error %v; want 0 and none", applied, err)
	}
	tables := func(cfg store.Config) []string {
		return texts(t, s, "SELECT name FROM system.tables WHERE database = '"+cfg.Database+"' ORDER BY name")
	}
	if diff := cmp.Diff(tables(cfg), tables(other)); diff != "" {
		t.Errorf("tables (-one migration +three at once):\n%s", diff)
	}
}

func TestMigrateRefusesAnotherDatabase(t *testing.T) {
	tests := []struct {
		name    string
		version int64 // stands in the database, though the program or the layout has no such version
		want    error
	}{
		{"of a newer program", 99_999, migrations.ErrAhead},
		{"of a cluster", 2, migrations.ErrLayout},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, cfg := storetest.NewConfig(t)
			err := s.Conn().Exec(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES ($1, 1)", test.version)
			if err != nil {
				t.Fatal(err)
			}
			if applied, err := store.Migrate(t.Context(), cfg); applied != 0 || !errors.Is(err, test.want) {
				t.Errorf("applied %d, error %v; want 0, %v", applied, err, test.want)
			}
			if _, err := store.MigrationStatus(t.Context(), cfg); !errors.Is(err, test.want) {
				t.Errorf("status: %v; want %v", err, test.want)
			}
		})
	}
}
