package store

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Standing is how many things of an organisation are alike at a moment.
type Standing struct {
	Class string
	// Gone: they have to be unreadable, and their bytes are still there. Overdue: for longer than the time that was asked about, and no hold keeps them.
	Gone, Overdue bool
	Held          bool
	// Decided: a rule says whether and when they fall due.
	Decided bool
	// Due is the day (UTC) on which they fall due; nil where they don't, or had to be gone already.
	Due    *time.Time
	Things uint64
}

// EachStanding calls do for the things of an organisation whose bytes are there at a moment, counted by what they have in common. Those that had to be gone for
// longer than late are overdue.
func (r *Reader) EachStanding(ctx context.Context, org string, now time.Time, late time.Duration, do func(Standing) error) error {
	var s Standing
	return r.query(ctx, "count how things stand", `
		SELECT toString(class) AS class_, toBool(why != '') AS gone, toBool(rule_id != '') AS decided, toBool(coalesce(held, 0)) AS held_,
			toBool(gone AND NOT held_ AND coalesce(greatest(assumeNotNull(gone_at), coalesce(released_at, assumeNotNull(gone_at)), inserted_at), now64(6))
				<= fromUnixTimestamp64Micro({late:Int64}, 'UTC')) AS overdue,
			if(gone, NULL, toDate32(due_at)) AS due, count()
		FROM (`+thingsSQL(distributed, "org = {org:String}")+`)
		GROUP BY class_, gone, decided, held_, overdue, due`,
		[]any{clickhouse.Named("org", org), clickhouse.Named("now", micros(now)), clickhouse.Named("late", micros(now.Add(-late)))},
		func(rows driver.Rows) error {
			s = Standing{}
			if err := rows.Scan(&s.Class, &s.Gone, &s.Decided, &s.Held, &s.Overdue, &s.Due, &s.Things); err != nil {
				return err
			}
			s.Due = utc(s.Due)
			return do(s)
		})
}

// EachPurged calls do for each class with how many things of an organisation were purged not before a moment.
func (r *Reader) EachPurged(ctx context.Context, org string, since time.Time, do func(class string, things uint64) error) error {
	return r.query(ctx, "count what was purged", `
		SELECT toString(class) AS class_, uniqExact(copy_id) FROM evidence
		WHERE org = {org:String} AND purged_at >= fromUnixTimestamp64Micro({since:Int64}, 'UTC') GROUP BY class_`,
		[]any{clickhouse.Named("org", org), clickhouse.Named("since", micros(since))},
		func(rows driver.Rows) error {
			var class string
			var things uint64
			if err := rows.Scan(&class, &things); err != nil {
				return err
			}
			return do(class, things)
		})
}
