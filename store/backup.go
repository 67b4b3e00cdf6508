package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/anteroom/anteroom/migrations"
)

// Destination is where backups of a region lie, as its ClickHouse knows it, with {name} in the place of a backup's name: Disk('backups', '{name}'),
// S3(a_named_collection, '{name}'), AzureBlobStorage(a_named_collection, '{name}') or File('/a/folder/{name}'). Credentials don't belong into it: the
// server's configuration has them, under the name of the disk or of the collection. {region} stands for the region's name.
//
// A backup has two parts, each complete in itself. The head has what has to be older than everything else: the manifest, how far sources were
// ingested, how far purges were, and which things were kept. See Backup for why.
type Destination string

var (
	destinationForm = regexp.MustCompile(`^(File\('[^'\\]*'\)|Disk\('[A-Za-z0-9_-]+', *'[^'\\]*'\)|(S3|AzureBlobStorage)\([A-Za-z_][A-Za-z0-9_]*, *'[^'\\]*'\))$`)
	backupName      = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)
)

// Validate refuses what isn't of one of the forms.
func (d Destination) Validate() error {
	switch {
	case !destinationForm.MatchString(string(d)):
		return errors.New("must be Disk('disk', 'path'), S3(collection, 'path'), AzureBlobStorage(collection, 'path') or File('path')")
	case !strings.Contains(string(d), "{name}"):
		return errors.New("has no {name} in its path: each backup needs a place of its own")
	}
	return nil
}

// part is the expression for a part of a backup on one shard ("" for all of them), as BACKUP and RESTORE take it.
func (d Destination) part(name, part, shard string) string {
	if shard != "" {
		part += "/shard-" + shard
	}
	return strings.ReplaceAll(string(d), "{name}", name+"/"+part)
}

// The parts of a backup, in the order in which they are made.
const (
	partHead = "head"
	partData = "data"
)

// headTables are in the part that is made first.
//
// Tables are copied one after the other while the service goes on, and what a restore leaves out of tables that were copied later must never be what it
// has in those of the head: a mark without the rows of its batch, a purge that is called done and whose bytes come back, text without the thing that it
// belongs to, which nothing would ever purge.
func headTables() []string { return []string{"backups", "source_marks", "purge_batches", "retained"} }

var (
	// ErrNoBackup: there is no backup of that name.
	ErrNoBackup = errors.New("there is no such backup")
	// ErrBackupExists: there is one of that name already.
	ErrBackupExists = errors.New("there is a backup of that name already")
)

// Codes of BACKUP and RESTORE.
const (
	codeBackupExists   = 598
	codeBackupNotFound = 599
)

// backupPatience bounds the silence of the server while it copies.
const backupPatience = 48 * time.Hour

// BackUp copies all tables of the region's database. What has to be told of the backup is put into the table backups before (PutBackup). The service may
// go on meanwhile.
func BackUp(ctx context.Context, cfg Config, to Destination, name string) error {
	if err := to.check(name); err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	views, err := migrations.Views(cfg.layout())
	if err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	for _, part := range []string{partHead, partData} {
		err := eachBackupNode(ctx, cfg, func(n node, db *sql.DB) error {
			tables, err := cfg.headOn(ctx, db)
			if err != nil {
				return err
			}
			if part == partData { // see makeViews
				tables = append(tables, slices.Sorted(maps.Keys(views))...)
			}
			_, err = db.ExecContext(ctx, cfg.backupStatement(part, tables)+to.part(name, part, cfg.shardOf(n)))
			return err
		})
		switch {
		case hasCode(err, codeBackupExists):
			return fmt.Errorf("back up: %w: %s", ErrBackupExists, name)
		case err != nil:
			return wrap("back up", err)
		}
	}
	return nil
}

// backupStatement is all of a BACKUP but its destination.
func (c Config) backupStatement(part string, head []string) string {
	for i, table := range head {
		head[i] = c.Database + "." + table
	}
	what := "DATABASE " + c.Database + " EXCEPT TABLES " + strings.Join(head, ", ")
	if part == partHead {
		what = "TABLE " + strings.Join(head, ", TABLE ")
	}
	return "BACKUP " + what + c.onCluster() + " TO "
}

// headOn are the tables of the head as a node names them.
func (c Config) headOn(ctx context.Context, db *sql.DB) ([]string, error) {
	there, err := firstColumn[string](ctx, db, "SELECT name FROM system.tables WHERE database = ?", c.Database)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, table := range headTables() {
		if slices.Contains(there, table+"_local") {
			table += "_local" // beside it is the Distributed table, which is a definition only
		}
		if !slices.Contains(there, table) {
			return nil, fmt.Errorf("table %s is missing in database %s: run `anteroom migrate`", table, c.Database)
		}
		out = append(out, table)
	}
	return out, nil
}

// onCluster has the replicas share the work, for which they need Keeper. Without replicas each shard is copied by itself.
func (c Config) onCluster() string {
	if c.Cluster == "" || !c.Replicated {
		return ""
	}
	return " ON CLUSTER " + c.Cluster
}

// shardOf names a node's shard where each shard is copied by itself.
func (c Config) shardOf(n node) string {
	if c.Cluster == "" || c.Replicated {
		return ""
	}
	return fmt.Sprint(n.shard)
}

// eachBackupNode calls do for each node that has to be told, connected to a database that is always there: all of a cluster without replicas, else
// one.
func eachBackupNode(ctx context.Context, cfg Config, do func(n node, db *sql.DB) error) error {
	cfg.ReadTimeout = backupPatience
	cfg.Database = "system"
	if cfg.Replicated {
		cfg.Cluster = ""
	}
	return eachNode(ctx, cfg, false, do)
}

// BackupExists tells whether anything of a backup is found.
func BackupExists(ctx context.Context, cfg Config, at Destination, name string) (bool, error) {
	if err := at.check(name); err != nil {
		return false, fmt.Errorf("look for backup: %w", err)
	}
	found := false
	err := eachBackupNode(ctx, cfg, func(n node, db *sql.DB) error {
		for _, part := range []string{partHead, partData} {
			// There is no statement that asks. A table that can't be in it is looked for, and the server says what is missing: the backup or the table.
			_, err := db.ExecContext(ctx, "RESTORE TABLE "+cfg.Database+".`no such table` FROM "+at.part(name, part, cfg.shardOf(n)))
			switch {
			case hasCode(err, codeBackupNotFound):
			case hasCode(err, codeBackupEntryNotFound):
				found = true
			case err == nil:
				return errors.New("a table that can't be there was restored")
			default:
				return err
			}
		}
		return nil
	})
	return found, wrap("look for backup", err)
}

const codeBackupEntryNotFound = 605

// ReadBackup reads what a backup tells of itself.
func ReadBackup(ctx context.Context, cfg Config, from Destination, name string) (Backup, error) {
	if err := from.check(name); err != nil {
		return Backup{}, fmt.Errorf("read backup: %w", err)
	}
	one := cfg
	one.Cluster = "" // the first node is enough
	var out Backup
	err := eachBackupNode(ctx, one, func(n node, db *sql.DB) (err error) {
		out, err = cfg.readBackup(ctx, db, from.part(name, partHead, cfg.shardOf(n)), cfg.shardOf(n) != "")
		return err
	})
	if hasCode(err, codeBackupNotFound) {
		return out, fmt.Errorf("read backup: %w: %s", ErrNoBackup, name)
	}
	return out, wrap("read backup", err)
}

// readBackup restores the table backups aside, into a table without replicas: those that serve may still be there.
func (c Config) readBackup(ctx context.Context, db *sql.DB, head string, sharded bool) (out Backup, err error) {
	aside := c.Database + "_manifest"
	drop := func(ctx context.Context) error {
		_, err := db.ExecContext(ctx, "DROP DATABASE IF EXISTS "+aside+" SYNC")
		return err
	}
	if err := drop(ctx); err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, drop(context.WithoutCancel(ctx))) }()
	create, err := migrations.Statement(migrations.Layout{}, "backups")
	if err != nil {
		return out, err
	}
	table := c.Database + ".backups"
	if sharded {
		table += "_local"
	}
	for _, statement := range []string{
		"CREATE DATABASE " + aside,
		strings.Replace(create, " backups (", " "+aside+".backups (", 1),
		"RESTORE TABLE " + table + " AS " + aside + ".backups FROM " + head + " SETTINGS allow_different_table_def = 1",
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return out, err
		}
	}
	row := db.QueryRowContext(ctx, "SELECT "+backupColumns+" FROM "+aside+".backups ORDER BY started_at DESC, inserted_at DESC LIMIT 1")
	err = out.scan(row.Scan)
	return out, err
}

func (d Destination) check(name string) error {
	if err := d.Validate(); err != nil {
		return fmt.Errorf("destination: %w", err)
	}
	if !backupName.MatchString(name) {
		return fmt.Errorf("name: %q must be 1 to 128 letters, digits, '.', '_' and '-', beginning with a letter or digit", name)
	}
	return nil
}

func hasCode(err error, code int32) bool {
	var exception *clickhouse.Exception
	return errors.As(err, &exception) && exception.Code == code
}

// firstColumn reads the first column of a query.
func firstColumn[T any](ctx context.Context, db *sql.DB, query string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		var v T
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}
