package storetest_test

import (
	"testing"

	"github.com/anteroom/anteroom/internal/embedded/embeddedtest"
	"github.com/anteroom/anteroom/store/storetest"
)

func TestMain(m *testing.M) { embeddedtest.Main(m) }

// A database that was used before is empty, and remembers no tokens: the same insert is stored again.
func TestReusedDatabasesAreLikeNew(t *testing.T) {
	const insert = `INSERT INTO control (kind, org, id, version, value) SETTINGS insert_deduplication_token = 'a' VALUES ('k', 'o', 'i', 1, '{}')`
	var databases []string
	for range 2 {
		t.Run("use", func(t *testing.T) {
			_, cfg := storetest.Reused(t)
			databases = append(databases, cfg.Database)
			sql := storetest.NewSQL(t, cfg)
			if n := sql.Count("SELECT count() FROM control"); n != 0 {
				t.Errorf("%d rows are left", n)
			}
			sql.Exec(insert)
			sql.Exec(insert)
			if n := sql.Count("SELECT count() FROM control"); n != 1 {
				t.Errorf("got %d rows, want 1", n)
			}
		})
	}
	if databases[0] != databases[1] {
		t.Errorf("databases %v, want one twice", databases)
	}
}
