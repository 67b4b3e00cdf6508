package storetest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/anteroom/anteroom/internal/embedded/embeddedtest"
	"github.com/anteroom/anteroom/store"
)

// pool are migrated databases that no test uses now. Making and dropping one takes a statement per table and migration, some hundred times what emptying one takes.
var pool struct { //nolint:gochecknoglobals // the tests of a binary share one engine, and so its databases
	mu   sync.Mutex
	made int
	free []string
}

// Reused is NewConfig for packages with many small tests: the database may be one that an earlier test used, emptied since. What the server remembers of it outside of
// its tables (logs, finished mutations) is there still: who asks for that takes NewConfig.
func Reused(t testing.TB) (*store.Store, store.Config) {
	t.Helper()
	cfg := config(embeddedtest.ClickHouse(t))
	var fresh bool
	cfg.Database, fresh = take()
	if fresh {
		migrate(t, cfg)
	}
	// Clean-ups run in reverse: the store is closed before its database is emptied.
	t.Cleanup(func() {
		if err := empty(context.Background(), cfg); err != nil {
			t.Errorf("empty the test's database: %v", err)
			return
		}
		pool.mu.Lock()
		defer pool.mu.Unlock()
		pool.free = append(pool.free, cfg.Database)
	})
	return open(t, cfg), cfg
}

// take gives the name of a database, and whether it has yet to be made.
func take() (name string, fresh bool) {
	pool.mu.Lock()
	defer pool.mu.Unlock()
	if last := len(pool.free) - 1; last >= 0 {
		name, pool.free = pool.free[last], pool.free[:last]
		return name, false
	}
	pool.made++
	return "test_reused_" + strconv.Itoa(pool.made), true
}

// empty deletes all rows but those that tell which migrations were applied.
func empty(ctx context.Context, cfg store.Config) error {
	conn, err := clickhouse.Open(&clickhouse.Options{Addr: cfg.Addresses, Auth: clickhouse.Auth{Database: cfg.Database, Username: cfg.Username, Password: cfg.Password}})
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close()
	tables, err := filled(ctx, conn)
	if err != nil {
		return err
	}
	for _, table := range tables {
		if err := conn.Exec(ctx, "TRUNCATE TABLE "+table+" SYNC"); err != nil {
			return fmt.Errorf("empty %s: %w", table, err)
		}
	}
	return nil
}

func filled(ctx context.Context, conn driver.Conn) ([]string, error) {
	rows, err := conn.Query(ctx, "SELECT DISTINCT table FROM system.parts WHERE database = currentDatabase()")
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	defer rows.Close()
	var tables []string
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			return nil, fmt.Errorf("list tables: %w", err)
		}
		tables = append(tables, table)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	return slices.DeleteFunc(tables, func(name string) bool { return name == "goose_db_version" }), nil
}
