package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
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
	// resourceLog is the name of that database.
	resourceLog string
	// rows, unless nil, is held while a row is scanned: of several queries at once that fill the same things.
	rows *sync.Mutex
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
	return &Reader{conn: s.conn, limits: limits, resourceLog: s.cfg.resourceLog()}
}

// query runs one statement and hands each row to scan. Values reach the server as parameters, never as text of the statement.
func (r *Reader) query(ctx context.Context, action, sql string, args []any, scan func(driver.Rows) error) error {
	limited, cancel := limit(ctx, r.limits.Timeout+5*time.Second)
	defer cancel()
	settings := settings()
	settings["max_execution_time"] = strconv.FormatFloat(r.limits.Timeout.Seconds(), 'f', 6, 64)
	settings["timeout_overflow_mode"] = "throw"
	settings["max_memory_usage"] = r.limits.MaxMemoryBytes
	settings["readonly"] = 2
	rows, err := r.conn.Query(clickhouse.Context(limited, clickhouse.WithSettings(settings)), sql, args...)
	if err != nil {
		return wrapQuery(limited, action, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := r.scan(rows, scan); err != nil {
			return fmt.Errorf("%s: read row: %w", action, err)
		}
	}
	return wrapQuery(limited, action, rows.Err())
}

func (r *Reader) scan(rows driver.Rows, scan func(driver.Rows) error) error {
	if r.rows != nil {
		r.rows.Lock()
		defer r.rows.Unlock()
	}
	return scan(rows)
}

// limit ends a context after a time, with ErrQueryTimeout as its cause: for a server that no longer answers. It is no deadline, since
// the driver would make a limit of its own of one and overwrite the server's.
func limit(ctx context.Context, after time.Duration) (context.Context, func()) {
	limited, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	unlink := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	timer := time.AfterFunc(after, func() { cancel(ErrQueryTimeout) })
	return limited, func() {
		timer.Stop()
		unlink()
		cancel(nil)
	}
}

// wrapQuery tells a query that hit its limits from a server that is away. ctx is that of limit: when the caller's ended, nobody waits
// for the answer and the error stays what it is.
func wrapQuery(ctx context.Context, action string, err error) error {
	if err == nil {
		return nil
	}
	var exception *clickhouse.Exception
	if errors.As(err, &exception) {
		switch refused := (refusedError{exception}); {
		case exception.Code == 159, exception.Code == 160: // TIMEOUT_EXCEEDED, TOO_SLOW
			return fmt.Errorf("%s: %w: %w", action, ErrQueryTimeout, refused)
		case exception.Code == 241: // MEMORY_LIMIT_EXCEEDED
			return fmt.Errorf("%s: %w: %w", action, ErrQueryTooLarge, refused)
		default:
			return wrap(action, refused)
		}
	}
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("%s: %w", action, cause)
	}
	return wrap(action, err)
}

// refusedError is the server's refusal of a query without its words, which quote what was asked for: a name, say, that a log must not
// have.
type refusedError struct{ exception *clickhouse.Exception }

func (e refusedError) Error() string { return fmt.Sprintf("ClickHouse error %d", e.exception.Code) }

func (e refusedError) Unwrap() error { return e.exception }

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

// keysIn is the condition that a row is of one of the calls; the primary key serves it. One call, which is what a page asks for, is asked for without
// the set, whose making costs more than the rest of the question.
func keysIn(keys []CallKey) string {
	if len(keys) == 1 {
		return "(org = {orgs:Array(String)}[1] AND call_id = {calls:Array(String)}[1])"
	}
	return "(org, call_id) IN (SELECT pair.1, pair.2 FROM (SELECT arrayJoin(arrayZip({orgs:Array(String)}, {calls:Array(String)})) AS pair))"
}

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
