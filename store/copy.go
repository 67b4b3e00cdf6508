package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// RowText are rows of a table as text, as they are kept outside of ClickHouse: see package journal.
type RowText struct {
	Table   string   `json:"table"`
	Columns []string `json:"columns"`
	Rows    int      `json:"rows"`
	// Text has a line per row, as ClickHouse's format TabSeparated has it.
	Text []byte `json:"-"`
}

// copied says how rows of a table are found and told apart when they are copied: by when they were put, or by batch.
type copied struct {
	key string // the same in two rows: one of them is enough
	// order are columns that the table is in order of, so that few of its rows are looked at.
	order string
	at    string // when the server took it; "" if it isn't looked for by that
	batch string // "" if it isn't looked for by batch
}

// copiedTables are those whose rows a restore must not lose: nothing else has them.
func copiedTables() map[string]copied {
	return map[string]copied{
		"control":    {key: "kind, org, id, version, write_id", order: "kind, org, id", at: "inserted_at"},
		"backups":    {key: "name, started_at, step", order: "name", at: "inserted_at"},
		"attendance": {key: "org, meeting_id, user_id, call_id", order: "org, meeting_id", at: "inserted_at"},
		"hidden": {
			key: "class, org, meeting_id, call_id, item_id, holder_id, revised_at, sent_at, hidden_at, why", order: "class, org, meeting_id, call_id, holder_id", at: "inserted_at",
		},
		"stored_things": {key: "batch_id, copy_id", order: "org, sent_at", batch: "batch_id"},
		"evidence":      {key: "batch_id, copy_id", order: "org, sent_at", batch: "batch_id"},
		"ledger_outbox": {key: "id", order: "inserted_at", at: "inserted_at"},
	}
}

// chunkRows is how many rows are text at once: some megabytes.
const chunkRows = 50_000

// Now is the server's time.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	var now time.Time
	err := s.scan(ctx, "read clock", "SELECT now64(6, 'UTC')", func(rows driver.Rows) error { return rows.Scan(&now) })
	return now.UTC(), err
}

// CopySince calls do with the rows of a table that were put from a moment (inclusive) to another (exclusive), by the server's clock: control, backups,
// attendance, hidden or ledger_outbox. What is being inserted may have an earlier time than what is there already.
func (s *Store) CopySince(ctx context.Context, table string, from, to time.Time, do func(RowText) error) error {
	of := copiedTables()[table]
	if of.at == "" {
		return fmt.Errorf("copy %s: it isn't looked for by time", table)
	}
	return s.copyRows(ctx, table, of.at+" >= fromUnixTimestamp64Micro({from:Int64}, 'UTC') AND "+of.at+" < fromUnixTimestamp64Micro({to:Int64}, 'UTC')", do,
		clickhouse.Named("from", micros(from)), clickhouse.Named("to", micros(to)))
}

// Looked is what was seen of rows that were put within a span: how many they are, and the sum of their keys' digests. Two looks that are equal saw the same rows.
type Looked struct{ Rows, Sum uint64 }

// LookSince looks at the rows of tables that were put from a moment of each (inclusive) to ahead of now (exclusive), in one question, so that they need to be
// copied only when there are others than before. now is the server's time before it looked. The tables are those of CopySince.
func (s *Store) LookSince(ctx context.Context, since map[string]time.Time, ahead time.Duration) (now time.Time, looks map[string]Looked, err error) {
	tables := slices.Sorted(maps.Keys(since))
	parts, args := make([]string, len(tables)), []any{clickhouse.Named("ahead", ahead.Microseconds())}
	for i, table := range tables {
		of := copiedTables()[table]
		if of.at == "" {
			return now, nil, fmt.Errorf("look at %s: it isn't looked for by time", table)
		}
		from := fmt.Sprintf("from%d", i)
		parts[i] = `SELECT '` + table + `', now64(6, 'UTC'), count(), sum(cityHash64(` + of.key + `)) FROM ` + table + `
			WHERE ` + of.at + ` >= fromUnixTimestamp64Micro({` + from + `:Int64}, 'UTC') AND ` + of.at + ` < now64(6, 'UTC') + toIntervalMicrosecond({ahead:Int64})`
		args = append(args, clickhouse.Named(from, micros(since[table])))
	}
	looks = map[string]Looked{}
	err = s.scan(s.controlContext(ctx, ""), "look for new rows", strings.Join(parts, " UNION ALL "), func(rows driver.Rows) error {
		var table string
		var at time.Time
		var l Looked
		if err := rows.Scan(&table, &at, &l.Rows, &l.Sum); err != nil {
			return err
		}
		if now.IsZero() || at.Before(now) {
			now = at.UTC()
		}
		looks[table] = l
		return nil
	}, args...)
	if err == nil && len(looks) != len(tables) {
		err = fmt.Errorf("look for new rows: %d of %d tables answered", len(looks), len(tables))
	}
	return now, looks, err
}

// CopyBatch calls do with the rows of a batch: of stored_things or evidence.
func (s *Store) CopyBatch(ctx context.Context, table string, batch uuid.UUID, do func(RowText) error) error {
	of := copiedTables()[table]
	if of.batch == "" {
		return fmt.Errorf("copy %s: it has no batches", table)
	}
	return s.copyRows(ctx, table, of.batch+" = {batch:UUID}", do, clickhouse.Named("batch", batch))
}

// CopyLeaves calls do with the rows of leaves in the outbox.
func (s *Store) CopyLeaves(ctx context.Context, ids []string, do func(RowText) error) error {
	return s.copyRows(ctx, "ledger_outbox", "id IN {ids:Array(String)}", do, clickhouse.Named("ids", ids))
}

func (s *Store) copyRows(ctx context.Context, table, where string, do func(RowText) error, args ...any) error {
	columns, err := s.columns(ctx, table)
	if err != nil {
		return err
	}
	out := RowText{Table: table}
	for _, c := range columns {
		out.Columns = append(out.Columns, c.name)
	}
	give := func() error {
		if out.Rows == 0 {
			return nil
		}
		err := do(out)
		out.Rows, out.Text = 0, nil
		return err
	}
	err = s.scan(s.controlContext(ctx, ""), "copy "+table, "SELECT formatRow('TSV', "+strings.Join(out.Columns, ", ")+") FROM "+table+" WHERE "+where,
		func(rows driver.Rows) error {
			var line string
			if err := rows.Scan(&line); err != nil {
				return err
			}
			out.Rows, out.Text = out.Rows+1, append(out.Text, line...)
			if out.Rows < chunkRows {
				return nil
			}
			return give()
		}, args...)
	return errors.Join(err, give())
}

// PutCopied puts rows that were copied, without those that are there, and tells how many those weren't.
func (s *Store) PutCopied(ctx context.Context, rows RowText) (uint64, error) {
	of, ok := copiedTables()[rows.Table]
	if !ok {
		return 0, fmt.Errorf("put copied rows: table %q is not copied", rows.Table)
	}
	have, err := s.columns(ctx, rows.Table)
	if err != nil {
		return 0, err
	}
	structure := make([]string, len(rows.Columns))
	for i, name := range rows.Columns {
		at := slices.IndexFunc(have, func(c tableColumn) bool { return c.name == name })
		if at < 0 {
			return 0, fmt.Errorf("put copied rows: table %s has no column %s: they are of a newer program", rows.Table, name)
		}
		structure[i] = name + " " + have[at].kind
	}
	// Read once, and aside: a text is large, and it is compared and put.
	aside := "copied_" + strings.ToLower(rand.Text())
	if err := s.conn.Exec(ctx, "CREATE TABLE "+aside+" ("+strings.Join(structure, ", ")+") ENGINE = Memory"); err != nil {
		return 0, wrap("put copied rows", err)
	}
	defer func() { _ = s.conn.Exec(context.WithoutCancel(ctx), "DROP TABLE IF EXISTS "+aside+" SYNC") }()
	err = s.conn.Exec(ctx, "INSERT INTO "+aside+" SELECT * FROM format(TSV, {structure:String}, {text:String})",
		clickhouse.Named("structure", strings.Join(structure, ", ")), clickhouse.Named("text", string(rows.Text)))
	if err != nil {
		return 0, wrap("put copied rows", err)
	}
	var added atomic.Uint64
	set := repeated(s.controlSettings(""))
	set["max_partitions_per_insert_block"] = 0
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(set), clickhouse.WithProgress(func(p *clickhouse.Progress) { added.Add(p.WroteRows) }))
	columns := strings.Join(rows.Columns, ", ")
	err = s.conn.Exec(ctx, `INSERT INTO `+rows.Table+` (`+columns+`) SELECT `+columns+` FROM `+aside+` WHERE (`+of.key+`) NOT IN (
			SELECT `+of.key+` FROM `+rows.Table+`
			WHERE (`+of.order+`) GLOBAL IN (SELECT `+of.order+` FROM `+aside+`) AND (`+of.key+`) GLOBAL IN (SELECT `+of.key+` FROM `+aside+`)
		) LIMIT 1 BY `+of.key)
	return added.Load(), wrap("put copied rows", err)
}

type tableColumn struct{ name, kind string }

// columns are those of a table that have values of their own.
func (s *Store) columns(ctx context.Context, table string) ([]tableColumn, error) {
	var out []tableColumn
	err := s.scan(ctx, "list columns", `
		SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = {table:String} AND default_kind NOT IN ('ALIAS', 'MATERIALIZED')
		ORDER BY position`, func(rows driver.Rows) error {
		var c tableColumn
		err := rows.Scan(&c.name, &c.kind)
		out = append(out, c)
		return err
	}, clickhouse.Named("table", table))
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("list columns: there is no table %s", table)
	}
	return out, err
}
