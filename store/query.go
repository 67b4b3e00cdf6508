package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

var (
	// ErrQueryTimeout: a query ran out of its time. There may be an answer: an empty one must not be made of this.
	ErrQueryTimeout = errors.New("query took too long")
	// ErrQueryTooLarge: a query ran out of its memory.
	ErrQueryTooLarge = errors.New("query needs too much memory")
)

// QueryLimits bound each query of a Reader.
type QueryLimits struct {
	// Timeout of one query. Default 20s.
	Timeout time.Duration `koanf:"timeout"`
	// MaxMemoryBytes is what one query may take of the server's memory. Default 2 GiB.
	MaxMemoryBytes uint64 `koanf:"max_memory_bytes"`
}

// DefaultQueryLimits returns the limits that hold unless configured.
func DefaultQueryLimits() QueryLimits {
	return QueryLimits{Timeout: 20 * time.Second, MaxMemoryBytes: 2 << 30}
}

// Reader answers questions about calls. Facts that a source restated are resolved when they are read: each column has the value of
// the highest revision that knows it, the newest among equals. It is safe for concurrent use and never writes.
type Reader struct {
	conn   driver.Conn
	limits QueryLimits
}

// NewReader makes a reader. A limit that is zero is the default one.
func NewReader(s *Store, limits QueryLimits) *Reader {
	standard := DefaultQueryLimits()
	if limits.Timeout <= 0 {
		limits.Timeout = standard.Timeout
	}
	if limits.MaxMemoryBytes == 0 {
		limits.MaxMemoryBytes = standard.MaxMemoryBytes
	}
	return &Reader{conn: s.conn, limits: limits}
}

// query runs one statement and hands each row to scan. Values reach the server as parameters, never as text of the statement.
func (r *Reader) query(ctx context.Context, action, sql string, args []any, scan func(driver.Rows) error) error {
	// The server's limit ends the query there; the context's is for a server that no longer answers.
	limited, cancel := context.WithTimeout(ctx, r.limits.Timeout+5*time.Second)
	defer cancel()
	settings := settings()
	settings["max_execution_time"] = r.limits.Timeout.Seconds()
	settings["timeout_overflow_mode"] = "throw"
	settings["max_memory_usage"] = r.limits.MaxMemoryBytes
	settings["readonly"] = 2
	rows, err := r.conn.Query(clickhouse.Context(limited, clickhouse.WithSettings(settings)), sql, args...)
	if err != nil {
		return wrapQuery(ctx, action, err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err has what matters
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("%s: read row: %w", action, err)
		}
	}
	return wrapQuery(ctx, action, rows.Err())
}

// wrapQuery tells a query that hit its limits from a server that is away. ctx is the caller's: when that ended, nobody waits for
// the answer and the error stays what it is.
func wrapQuery(ctx context.Context, action string, err error) error {
	if err == nil {
		return nil
	}
	var exception *clickhouse.Exception
	if errors.As(err, &exception) {
		switch exception.Code {
		case 159, 160: // TIMEOUT_EXCEEDED, TOO_SLOW
			return fmt.Errorf("%s: %w: %w", action, ErrQueryTimeout, err)
		case 241: // MEMORY_LIMIT_EXCEEDED
			return fmt.Errorf("%s: %w: %w", action, ErrQueryTooLarge, err)
		}
	}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return fmt.Errorf("%s: %w: %w", action, ErrQueryTimeout, err)
	}
	return wrap(action, err)
}

// CallKey names a call. Call ids of foreign systems are unique within an organisation only.
type CallKey struct {
	Org    string
	CallID string
}

// keyArgs are the parameters of keysIn.
func keyArgs(keys []CallKey) []any {
	orgs, calls := make([]string, len(keys)), make([]string, len(keys))
	for i, k := range keys {
		orgs[i], calls[i] = k.Org, k.CallID
	}
	return []any{clickhouse.Named("orgs", orgs), clickhouse.Named("calls", calls)}
}

// keysIn is the condition that a row is of one of the calls; the primary key serves it.
const keysIn = `(org, call_id) IN (SELECT pair.1, pair.2 FROM (SELECT arrayJoin(arrayZip({orgs:Array(String)}, {calls:Array(String)})) AS pair))`

// newest orders the rows that speak of one thing: the highest is believed. The origin makes ties come out alike each time.
const newest = `(revision, observed_at, _offset, _index)`

// known is the SQL for a column's value of the newest row that has one: NULL is skipped by argMax itself.
func known(column string) string { return "argMax(" + column + ", " + newest + ") AS " + column + "_" }

// knownText is known for a column where ” is not known.
func knownText(column string) string {
	return "argMaxIf(" + column + ", " + newest + ", " + column + " != '') AS " + column + "_"
}

// knownEnum is known for an enum where 0 is not known; the value comes as its number.
func knownEnum(column string) string {
	return "toInt8(argMaxIf(toInt8(" + column + "), " + newest + ", toInt8(" + column + ") != 0)) AS " + column + "_"
}

// micros is an instant as the server takes it, without loss.
func micros(t time.Time) int64 { return t.UnixMicro() }

// utc makes the driver's instants UTC and drops the zero instant of an unset value.
func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	out := t.UTC()
	return &out
}
