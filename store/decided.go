package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// clockSlack is by how much a clock may go back and still be believed: less than any period, more than clocks are corrected by in passing.
const clockSlack = time.Second

// DecisionMark tells how much the retention decisions of a region know.
type DecisionMark struct {
	// Seen is how many versions of policies and holds were known (ControlVersions of the home region).
	Seen uint64
	// At is when those were read, by the clock of this store's database.
	At time.Time
	// Age is since then, by the same clock; negative if that went back.
	Age time.Duration
}

// Fresh tells whether the decisions can be relied on for what can't be undone: they were up to date at most so long ago. A clock that went back
// makes nothing fresh.
func (m DecisionMark) Fresh(within time.Duration) bool {
	return m.Age >= -clockSlack && m.Age <= within
}

// MarkDecisions says that all decisions of this region are made from so many versions of policies and holds, which were read so long ago.
func (s *Store) MarkDecisions(ctx context.Context, seen uint64, ago time.Duration) error {
	err := s.conn.Exec(clickhouse.Context(ctx, clickhouse.WithSettings(repeated(settings()))), `
		INSERT INTO decision_marks (id, n, seen, at)
		SELECT '', max(n) + 1, {seen:UInt64}, now64(6, 'UTC') - toIntervalMicrosecond({ago:Int64}) FROM decision_marks`,
		clickhouse.Named("seen", fmt.Sprint(seen)), clickhouse.Named("ago", fmt.Sprint(ago.Microseconds())))
	return wrap("mark retention decisions", err)
}

// DecisionMark reads the newest. It fails with ErrNotFound if nothing was ever decided here.
func (s *Store) DecisionMark(ctx context.Context) (DecisionMark, error) {
	var mark DecisionMark
	found := false
	err := s.scan(s.controlContext(ctx, ""), "read mark of retention decisions", `
		SELECT seen, at, dateDiff('microsecond', at, now64(6, 'UTC')) FROM decision_marks ORDER BY n DESC LIMIT 1`,
		func(rows driver.Rows) error {
			var age int64
			err := rows.Scan(&mark.Seen, &mark.At, &age)
			mark.At, mark.Age, found = mark.At.UTC(), time.Duration(age)*time.Microsecond, true
			return err
		})
	if err == nil && !found {
		err = fmt.Errorf("read mark of retention decisions: %w", ErrNotFound)
	}
	return mark, err
}

// ControlVersions counts all versions there are of rows of some kinds, of all organisations. It rises by one with each change, deletions too.
func (s *Store) ControlVersions(ctx context.Context, kinds ...string) (uint64, error) {
	var sum uint64
	err := s.scan(s.controlContext(ctx, ""), "count control versions", `
		SELECT sum(newest) FROM (SELECT max(version) AS newest FROM control WHERE kind IN {kinds:Array(String)} GROUP BY kind, org, id)`,
		func(rows driver.Rows) error { return rows.Scan(&sum) }, clickhouse.Named("kinds", kinds))
	return sum, err
}
