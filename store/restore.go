package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/anteroom/anteroom/migrations"
)

// A region is restored into a database beside its own, under another name, and gets its name when all is done. Until then there is no database of the
// region's name: whoever wants to read or write is refused by the server itself, whatever process it is, and a crash at any moment leaves it so.

var (
	// ErrRestoring: the region is being restored.
	ErrRestoring = errors.New("the region is being restored; if that was cut short, run `anteroom restore` again")
	// ErrNotEmpty: there are rows in the database that would be lost.
	ErrNotEmpty = errors.New("the database is not empty")
)

// Restored is the configuration for the database that a restore is made in.
func (c Config) Restored() Config {
	c.ResourceLog = c.resourceLog() // That one isn't restored: it is the region's all along.
	c.Database += "_restoring"
	return c
}

// replaced is the database of the region's name as it was, until the restore has succeeded.
func (c Config) replaced() string { return c.Database + "_replaced" }

// Restoring tells whether a restore of the database has begun and not ended.
func Restoring(ctx context.Context, cfg Config) (bool, error) {
	system, restoring := cfg, false
	system.Database = "system"
	err := eachNode(ctx, system, false, func(_ node, db *sql.DB) error {
		there, err := hasDatabase(ctx, db, cfg.Restored().Database)
		restoring = restoring || there
		return err
	})
	return restoring, wrap("look for a restore", err)
}

func hasDatabase(ctx context.Context, db *sql.DB, name string) (bool, error) {
	names, err := firstColumn[string](ctx, db, "SELECT name FROM system.databases WHERE name = ?", name)
	return len(names) > 0, err
}

// BeginRestore takes the region's database out of service on all nodes. It fails with ErrNotEmpty where rows would be lost, unless replace says that they
// may be, or an earlier restore was cut short. What was there is kept until EndRestore, except on replicas, which can't have two tables of one path.
func BeginRestore(ctx context.Context, cfg Config, replace bool) error {
	again, err := Restoring(ctx, cfg)
	if err != nil {
		return err
	}
	system := cfg
	system.Database = "system"
	if !replace && !again {
		err := eachNode(ctx, system, false, func(_ node, db *sql.DB) error {
			rows, err := firstColumn[uint64](ctx, db, "SELECT toUInt64(ifNull(sum(total_rows), 0)) FROM system.tables WHERE database = ? AND name != 'goose_db_version'", cfg.Database)
			if err == nil && len(rows) > 0 && rows[0] > 0 {
				err = fmt.Errorf("%w: %s has %d rows", ErrNotEmpty, cfg.Database, rows[0])
			}
			return err
		})
		if err != nil {
			return wrap("begin restore", err)
		}
	}
	// First on all nodes the mark that there is a restore, then what takes the region out of service.
	for _, do := range []func(ctx context.Context, db *sql.DB) error{cfg.markRestore, cfg.setAside} {
		if err := eachNode(ctx, system, false, func(_ node, db *sql.DB) error { return do(ctx, db) }); err != nil {
			return wrap("begin restore", err)
		}
	}
	return nil
}

// markRestore makes the empty database that a restore goes into, without what an earlier attempt has left in it.
func (c Config) markRestore(ctx context.Context, db *sql.DB) error {
	to := c.Restored().Database
	if _, err := db.ExecContext(ctx, "CREATE DATABASE IF NOT EXISTS "+to); err != nil {
		return err
	}
	all, err := migrations.Tables(c.layout())
	if err != nil {
		return err
	}
	for _, table := range all {
		// Where an earlier attempt was cut short between detaching and attaching a table (see numberParts). There is no telling whether it was.
		_, _ = db.ExecContext(ctx, "ATTACH TABLE IF NOT EXISTS "+to+"."+table)
	}
	tables, err := firstColumn[string](ctx, db, "SELECT name FROM system.tables WHERE database = ?", to)
	if err != nil {
		return err
	}
	for _, table := range tables {
		if _, err := db.ExecContext(ctx, "DROP TABLE IF EXISTS "+to+"."+table+" SYNC"); err != nil {
			return err
		}
	}
	return nil
}

func (c Config) setAside(ctx context.Context, db *sql.DB) error {
	there, err := hasDatabase(ctx, db, c.Database)
	if err != nil || !there {
		return err
	}
	aside, err := hasDatabase(ctx, db, c.replaced())
	if err != nil {
		return err
	}
	statement := "RENAME DATABASE " + c.Database + " TO " + c.replaced()
	if aside || c.Cluster != "" && c.Replicated { // aside: this node was through with a restore that others weren't through with
		statement = "DROP DATABASE " + c.Database + " SYNC"
	}
	_, err = db.ExecContext(ctx, statement)
	return err
}

// RestoreTables fills the database that BeginRestore has made. The tables are then as the program that made the backup had them: Migrate them.
func RestoreTables(ctx context.Context, cfg Config, from Destination, name string) error {
	if err := from.check(name); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	to := cfg.Restored().Database
	err := eachBackupNode(ctx, cfg, func(n node, db *sql.DB) error {
		what := "DATABASE " + cfg.Database + " AS " + to
		for _, part := range []string{partData, partHead} {
			// The head has no definition of the database, and the tables that go into it have to be named.
			if part == partHead {
				var tables []string
				for _, table := range headTables() {
					if cfg.shardOf(n) != "" {
						table += "_local"
					}
					tables = append(tables, cfg.Database+"."+table+" AS "+to+"."+table)
				}
				what = "TABLE " + strings.Join(tables, ", TABLE ")
			}
			if _, err := db.ExecContext(ctx, "RESTORE "+what+cfg.onCluster()+" FROM "+from.part(name, part, cfg.shardOf(n))); err != nil {
				return err
			}
		}
		return numberParts(ctx, db, to)
	})
	if hasCode(err, codeBackupNotFound) {
		return fmt.Errorf("restore: %w: %s", ErrNoBackup, name)
	}
	if err != nil {
		return wrap("restore", err)
	}
	return wrap("restore", cfg.redistribute(ctx, to))
}

// numberParts has tables count parts and mutations on from where the backup's did. A restored part keeps the number of the last mutation that it went through,
// while the restored table counts from one: each mutation with a lower number is taken for done, and deletes nothing without a word. When it is attached, a
// table counts on from the highest number of its parts. (Replicated tables have their numbers from Keeper.)
func numberParts(ctx context.Context, db *sql.DB, database string) error {
	tables, err := firstColumn[string](ctx, db, "SELECT name FROM system.tables WHERE database = ? AND engine LIKE '%MergeTree' AND engine NOT LIKE 'Replicated%'", database)
	if err != nil {
		return err
	}
	for _, table := range tables {
		for _, statement := range []string{"DETACH TABLE " + database + "." + table + " SYNC", "ATTACH TABLE " + database + "." + table} {
			if _, err := db.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
	}
	return nil
}

// EndRestore gives the restored database the region's name, after what it replaces is gone. The connections to the restored one have to be closed before.
func EndRestore(ctx context.Context, cfg Config) error {
	system := cfg
	system.Database = "system"
	if err := cfg.redistribute(ctx, cfg.Database); err != nil {
		return wrap("end restore", err)
	}
	for _, do := range []func(ctx context.Context, db *sql.DB) error{
		func(ctx context.Context, db *sql.DB) error {
			_, err := db.ExecContext(ctx, "DROP DATABASE IF EXISTS "+cfg.replaced()+" SYNC")
			return err
		},
		func(ctx context.Context, db *sql.DB) error {
			// A node that has its name already was there before an earlier attempt was cut short.
			there, err := hasDatabase(ctx, db, cfg.Restored().Database)
			if err == nil && there {
				_, err = db.ExecContext(ctx, "RENAME DATABASE "+cfg.Restored().Database+" TO "+cfg.Database)
			}
			return err
		},
	} {
		if err := eachNode(ctx, system, false, func(_ node, db *sql.DB) error { return do(ctx, db) }); err != nil {
			return wrap("end restore", err)
		}
	}
	return wrap("end restore", cfg.makeViews(ctx))
}

// makeViews makes the views, which are in no backup: they name their database, and the user with whose rights they read.
func (c Config) makeViews(ctx context.Context) error {
	views, err := migrations.Views(c.layout())
	if err != nil {
		return err
	}
	return eachNode(ctx, c, false, func(_ node, db *sql.DB) error {
		for _, view := range slices.Sorted(maps.Keys(views)) {
			for _, do := range []string{"DROP VIEW IF EXISTS " + view, views[view]} {
				if _, err := db.ExecContext(ctx, do); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// redistribute makes the restored database's Distributed tables anew, to look into a database: they name it, and its name is to change.
func (c Config) redistribute(ctx context.Context, into string) error {
	tables, err := migrations.Distributed(c.layout())
	if err != nil || len(tables) == 0 {
		return err
	}
	system, in := c, c.Restored().Database
	system.Database = "system"
	return eachNode(ctx, system, false, func(_ node, db *sql.DB) error {
		if there, err := hasDatabase(ctx, db, in); err != nil || !there {
			return err
		}
		for _, table := range slices.Sorted(maps.Keys(tables)) {
			statement := strings.ReplaceAll(tables[table], "currentDatabase()", "'"+into+"'")
			statement = strings.Replace(statement, "CREATE TABLE IF NOT EXISTS "+table+" AS ", "CREATE TABLE "+in+"."+table+" AS "+in+".", 1)
			for _, do := range []string{"DROP TABLE IF EXISTS " + in + "." + table + " SYNC", statement} {
				if _, err := db.ExecContext(ctx, do); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
