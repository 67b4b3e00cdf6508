package store_test

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/internal/embedded/embeddedtest"
	"github.com/anteroom/anteroom/migrations"
	"github.com/anteroom/anteroom/store"
)

// TestUpgradeWithRows takes databases of older levels, with rows in each of their tables, to the newest one: each row is there, with all that it had.
func TestUpgradeWithRows(t *testing.T) {
	for _, level := range []int64{24, 129} {
		t.Run(strconv.FormatInt(level, 10), func(t *testing.T) {
			engine := embeddedtest.ClickHouse(t)
			cfg := store.DefaultConfig()
			cfg.Addresses, cfg.Database, cfg.Username, cfg.Password = []string{engine.Addr}, engine.Database, engine.User, engine.Password
			s, err := store.Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			upTo(t, s, cfg, level)
			control := store.Control{Kind: "organization", ID: "contoso", Version: 1}
			exec(t, s, `INSERT INTO control (kind, org, id, version, value, author, at, write_id) VALUES ('organization', '', 'contoso', 1, '{"id":"contoso"}', 'test', now64(6), generateUUIDv4())`)
			before := map[string]digest{}
			for _, table := range tablesOf(t, s) {
				before[table] = fill(t, s, table)
			}
			if len(before) < 8 {
				t.Fatalf("only %d tables have rows", len(before))
			}
			applied, err := store.Migrate(t.Context(), cfg)
			if err != nil || applied == 0 {
				t.Fatalf("%d migrations were applied: %v", applied, err)
			}
			after := map[string]digest{}
			for table, was := range before {
				after[table] = digestOf(t, s, table, was.Columns)
			}
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("rows (-before +after):\n%s", diff)
			}
			if got, err := s.Get(t.Context(), control.Kind, "", control.ID); err != nil || string(got.Value) != `{"id":"contoso"}` {
				t.Errorf("control row %+v, %v", got, err)
			}
			if again, err := store.Migrate(t.Context(), cfg); err != nil || again != 0 {
				t.Errorf("once more: %d, %v", again, err)
			}
		})
	}
}

func exec(t *testing.T, s *store.Store, statement string) {
	t.Helper()
	if err := s.Conn().Exec(t.Context(), statement); err != nil {
		t.Fatalf("%.200s: %v", statement, err)
	}
}

// upTo makes tables as a program did that knew no later migration than level.
func upTo(t *testing.T, s *store.Store, cfg store.Config, level int64) {
	t.Helper()
	if _, err := store.MigrationStatus(t.Context(), cfg); err != nil { // makes the table of versions
		t.Fatal(err)
	}
	files, err := migrations.Render(migrations.Layout{ResourceLog: cfg.Database + "_resource_log"})
	if err != nil {
		t.Fatal(err)
	}
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		number, _, _ := strings.Cut(name, "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if version > level {
			break
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		lines := slices.DeleteFunc(strings.Split(string(text), "\n"), func(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "--") })
		exec(t, s, strings.TrimSuffix(strings.TrimSpace(strings.Join(lines, "\n")), ";"))
		exec(t, s, fmt.Sprintf("INSERT INTO goose_db_version (version_id, is_applied) VALUES (%d, 1)", version))
	}
}

// tablesOf are the tables with rows of their own, but for that of versions.
func tablesOf(t *testing.T, s *store.Store) []string {
	t.Helper()
	return column(t, s, "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree' AND name != 'goose_db_version' ORDER BY name")
}

func column(t *testing.T, s *store.Store, query string) (out []string) {
	t.Helper()
	rows, err := s.Conn().Query(t.Context(), query)
	if err != nil {
		t.Fatalf("%.200s: %v", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			t.Fatal(err)
		}
		out = append(out, one)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		t.Fatal(err)
	}
	return out
}

// digest is what a table holds in some of its columns, whatever the order.
type digest struct {
	Columns string
	Rows    uint64
	Sum     string
}

func digestOf(t *testing.T, s *store.Store, table, columns string) digest {
	t.Helper()
	d := digest{Columns: columns}
	if err := s.Conn().QueryRow(t.Context(), "SELECT count(), toString(sumWithOverflow(cityHash64("+columns+"))) FROM "+table).Scan(&d.Rows, &d.Sum); err != nil {
		t.Fatalf("%s: %v", table, err)
	}
	return d
}

// fill puts rows of random values into a table, of which nothing expires meanwhile.
func fill(t *testing.T, s *store.Store, table string) digest {
	t.Helper()
	exec(t, s, "SYSTEM STOP TTL MERGES "+table)
	var names, types []string
	for _, one := range column(t, s, "SELECT name || '\t' || type FROM system.columns WHERE database = currentDatabase() AND table = '"+table+"' AND default_kind IN ('', 'DEFAULT') ORDER BY position") {
		name, kind, _ := strings.Cut(one, "\t")
		if strings.Contains(name, ".") || strings.HasPrefix(kind, "AggregateFunction") {
			continue // arrays that go together, and states of quantiles, can't be made up: they stay empty
		}
		names, types = append(names, "`"+name+"`"), append(types, "`"+name+"` "+kind)
	}
	structure := strings.ReplaceAll(strings.Join(types, ", "), "'", `\'`)
	columns := strings.Join(names, ", ")
	exec(t, s, fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM generateRandom('%s', 7, 8, 2) LIMIT 40", table, columns, columns, structure))
	d := digestOf(t, s, table, columns)
	if d.Rows == 0 {
		t.Fatalf("%s has no rows", table)
	}
	return d
}
