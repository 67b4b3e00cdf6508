package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Scope says which things a step of the sweep looks at. An idle sweep must not look at all that is kept: what may have to go since the last look has either
// arrived since, or was decided on anew, or was retracted, or its time has come; each is found by what is new, not by what is there.
type Scope struct {
	// where is a condition on the columns that retained and hidden share. It may name tables of the shard by {table}.
	where string
	args  []any
}

// sql is the condition, on one shard or on all.
func (sc Scope) sql(names func(string) string) string {
	out := sc.where
	for _, table := range []string{"retained", "retractions", "hidden"} {
		out = strings.ReplaceAll(out, "{"+table+"}", names(table))
	}
	return out
}

func sinceArg(since time.Time) []any { return []any{clickhouse.Named("since", micros(since))} }

const sinceInserted = "inserted_at >= fromUnixTimestamp64Micro({since:Int64}, 'UTC')"

// ScopeDay is all that was sent on a day.
func ScopeDay(day time.Time) Scope {
	return Scope{"toDate(sent_at) = {day:Date}", []any{clickhouse.Named("day", day.Format(time.DateOnly))}}
}

// ScopeArrived is what arrived since a moment of the server's clock, and the older copies of the guests whose copies did.
func ScopeArrived(since time.Time) []Scope {
	return []Scope{
		{`class = 'copy' AND (org, meeting_id, call_id, holder_id) IN (SELECT org, meeting_id, call_id, holder_id FROM {retained}
			WHERE class = 'copy' AND ` + sinceInserted + `)`, sinceArg(since)},
		{`class != 'copy' AND (class, org, meeting_id, call_id, item_id) IN (SELECT class, org, meeting_id, call_id, item_id FROM {retained}
			WHERE class != 'copy' AND ` + sinceInserted + `)`, sinceArg(since)},
	}
}

// ScopeDecided is what was decided on since a moment of the server's clock.
func ScopeDecided(since time.Time) Scope {
	return Scope{`(org, meeting_id, class, resource_id) IN (SELECT org, meeting_id, class, resource_id FROM retention_decisions FINAL
		WHERE ` + sinceInserted + `)`, sinceArg(since)}
}

// ScopeRetracted is what was retracted since a moment of the server's clock.
func ScopeRetracted(since time.Time) Scope {
	return Scope{`(org, meeting_id, call_id, item_id) IN (SELECT org, meeting_id, call_id, message_id FROM {retractions} WHERE ` + sinceInserted + `)`, sinceArg(since)}
}

// ScopeSent is what was sent in one of some spans, each after its first moment and up to its second.
func ScopeSent(spans [][2]time.Time) Scope {
	var within []string
	for _, span := range spans {
		within = append(within, fmt.Sprintf("(sent_at > fromUnixTimestamp64Micro(%d, 'UTC') AND sent_at <= fromUnixTimestamp64Micro(%d, 'UTC'))", micros(span[0]), micros(span[1])))
	}
	if within == nil {
		within = []string{"0"}
	}
	return Scope{where: "(" + strings.Join(within, " OR ") + ")"}
}

// Periods are the different periods that decisions tell of, in order.
func (s *Store) Periods(ctx context.Context) ([]time.Duration, error) {
	var out []time.Duration
	err := s.scan(ctx, "list periods", `SELECT DISTINCT least(assumeNotNull(period_s), `+longest+`) AS period FROM retention_decisions FINAL
		WHERE period_s IS NOT NULL ORDER BY period`, func(rows driver.Rows) error {
		var period int64
		err := rows.Scan(&period)
		out = append(out, time.Duration(period)*time.Second)
		return err
	})
	return out, err
}

// DaysKept are the days (UTC) of which things are kept, in order.
func (s *Store) DaysKept(ctx context.Context) ([]time.Time, error) {
	return s.days(ctx, "retained", "toDate(partition)")
}

// days are those that a table has partitions of.
func (s *Store) days(ctx context.Context, table, day string) ([]time.Time, error) {
	var out []time.Time
	err := s.eachShard(ctx, func(ctx context.Context, conn driver.Conn) error {
		return scanOn(ctx, conn, "list days of "+table, `SELECT DISTINCT `+day+` FROM system.parts
			WHERE active AND database = currentDatabase() AND table = {table:String} AND rows > 0`, func(rows driver.Rows) error {
			var day time.Time
			err := rows.Scan(&day)
			out = append(out, day.UTC())
			return err
		}, clickhouse.Named("table", s.local(table)))
	})
	slices.SortFunc(out, time.Time.Compare)
	return slices.CompactFunc(out, time.Time.Equal), err
}

// Hide stores for good of all things in a scope that have to be gone at a moment that they can't be read any more, and returns how many there are now. It may
// be repeated, and run twice at once. looked is when the last look at all things ended that hid what was due then, zero for never: what is due since
// before, and was here, can only have become so by a decision since, and had to be unreadable from about then.
func (s *Store) Hide(ctx context.Context, scope Scope, now, looked time.Time) (uint64, error) {
	var hidden atomic.Uint64
	err := s.eachShard(ctx, func(ctx context.Context, conn driver.Conn) error {
		ctx = clickhouse.Context(ctx, clickhouse.WithSettings(repeated(settings())), clickhouse.WithProgress(func(p *clickhouse.Progress) { hidden.Add(p.WroteRows) }))
		const columns = `class, org, meeting_id, call_id, item_id, holder_id, resource_id, revision_of, revised_at, sent_at, due_at`
		err := conn.Exec(ctx, `INSERT INTO `+s.here("hidden")+` (`+columns+`, hidden_at, why, born, rule_id, rule_version, reason, revision)
			SELECT `+columns+`, if(why = 'due' AND inserted_at < looked, greatest(assumeNotNull(gone_at), looked), assumeNotNull(gone_at)), why, born,
				rule_id, rule_version, reason, revision
			FROM (SELECT *, fromUnixTimestamp64Micro({looked:Int64}, 'UTC') AS looked FROM (`+thingsSQL(s.here, scope.sql(s.here))+`))
			WHERE NOT is_hidden AND why != ''`,
			append([]any{clickhouse.Named("now", micros(now)), clickhouse.Named("looked", micros(looked))}, scope.args...)...)
		return wrap("hide what has to be gone", err)
	})
	return hidden.Load(), err
}

// here names a table as a statement for one node has to: with the database, since the engine runs mutations without one.
func (s *Store) here(table string) string { return s.cfg.Database + "." + s.local(table) }

// Outlook counts things that have to be gone, or are hidden already.
type Outlook struct {
	Class, Why, RuleID string
	// Hidden: they are so already. Held: a hold keeps them from being purged.
	Hidden, Held bool
	Things       uint64
	// Oldest is the moment from which lateness of the latest of them counts.
	Oldest time.Time
}

// Outlook counts what has to be gone at a moment of what is in a scope, by class, reason and rule.
func (s *Store) Outlook(ctx context.Context, scope Scope, now time.Time) ([]Outlook, error) {
	var out []Outlook
	err := s.eachShard(ctx, func(ctx context.Context, conn driver.Conn) error {
		return scanOn(ctx, conn, "count what has to be gone", `SELECT toString(class) AS class_, why, rule_id, is_hidden, held, count(), min(greatest(assumeNotNull(gone_at),
				coalesce(released_at, gone_at), inserted_at)) FROM (`+thingsSQL(s.here, scope.sql(s.here))+`)
			WHERE why != '' GROUP BY class_, why, rule_id, is_hidden, held ORDER BY class_, why, rule_id, is_hidden, held`, func(rows driver.Rows) error {
			var o Outlook
			err := rows.Scan(&o.Class, &o.Why, &o.RuleID, &o.Hidden, &o.Held, &o.Things, &o.Oldest)
			o.Oldest = o.Oldest.UTC()
			out = append(out, o)
			return err
		}, append([]any{clickhouse.Named("now", micros(now))}, scope.args...)...)
	})
	return out, err
}

// ScopeHidden is what is hidden, purged soon or held: of a class and day, or of all if class is "".
func ScopeHidden(class string, day time.Time) Scope {
	const key = "class, org, meeting_id, call_id, holder_id, sent_at, item_id"
	if class == "" {
		return Scope{where: "(" + key + ") IN (SELECT " + key + " FROM {hidden})"}
	}
	const of = "toString(class) = {class:String} AND toDate(sent_at) = {day:Date}"
	return Scope{
		of + " AND (" + key + ") IN (SELECT " + key + " FROM {hidden} WHERE " + of + ")",
		[]any{clickhouse.Named("class", class), clickhouse.Named("day", day.Format(time.DateOnly))},
	}
}

// ClassDay is what purges go by: all things of a class that were sent on a day.
type ClassDay struct {
	Class string
	Day   time.Time
}

// Purgeable lists of which classes and days there are hidden things that no hold keeps, those first that had to be gone first.
func (s *Store) Purgeable(ctx context.Context, now time.Time) ([]ClassDay, error) {
	var out []ClassDay
	err := s.scan(ctx, "list what is to be purged", `SELECT toString(class) AS class_, toDate(sent_at) AS day FROM hidden
		WHERE hidden_at <= fromUnixTimestamp64Micro({now:Int64}, 'UTC') AND (org, meeting_id, class, resource_id) NOT IN (`+s.heldKeys()+`)
		GROUP BY class_, day ORDER BY min(hidden_at), class_, day`, func(rows driver.Rows) error {
		var cd ClassDay
		err := rows.Scan(&cd.Class, &cd.Day)
		cd.Day = cd.Day.UTC()
		out = append(out, cd)
		return err
	}, clickhouse.Named("now", micros(now)))
	return out, err
}

// heldKeys are the organisations, meetings, classes and resources that a hold covers, and for each the zero resource: what copies share is held with any.
func (s *Store) heldKeys() string {
	return `SELECT org, meeting_id, class, arrayJoin(arrayDistinct([resource_id, ` + noUUID + `])) FROM ` + s.cfg.Database + `.retention_decisions FINAL WHERE held`
}

// EachPurgeable calls do for each thing of a class and day that is hidden since a moment or before, and that no hold keeps, shard by shard; at most limit of
// them. do must not keep the Thing.
func (s *Store) EachPurgeable(ctx context.Context, of ClassDay, now time.Time, limit int, do func(*Thing) error) error {
	scope := ScopeHidden(of.Class, of.Day)
	var t Thing
	left := limit
	return s.eachShard(ctx, func(ctx context.Context, conn driver.Conn) error {
		if left <= 0 {
			return nil
		}
		args := append([]any{clickhouse.Named("now", micros(now)), clickhouse.Named("limit", uint64(left))}, scope.args...)
		return scanOn(ctx, conn, "list what is to be purged", `SELECT `+thingColumns+` FROM (`+thingsSQL(s.here, scope.sql(s.here))+`)
			WHERE is_hidden AND NOT held AND gone_at <= fromUnixTimestamp64Micro({now:Int64}, 'UTC') LIMIT {limit:UInt64}`, func(rows driver.Rows) error {
			t = Thing{}
			if err := t.scan(rows); err != nil {
				return err
			}
			left--
			return do(&t)
		}, args...)
	})
}

// EachArrived calls do for each thing that arrived since a moment of the server's clock, or of a day that isn't zero, whatever its state. do must not keep
// the Thing; of it only what names it is set, and SentAt.
func (s *Store) EachArrived(ctx context.Context, since, day time.Time, do func(*Thing) error) error {
	where, args := sinceInserted, sinceArg(since)
	if !day.IsZero() {
		where, args = "toDate(sent_at) = {day:Date}", []any{clickhouse.Named("day", day.Format(time.DateOnly))}
	}
	var t Thing
	return s.scan(ctx, "list what arrived", `SELECT toString(class), org, meeting_id, call_id, item_id, holder_id, any(resource_id), sent_at FROM retained
		WHERE `+where+` GROUP BY class, org, meeting_id, call_id, item_id, holder_id, sent_at`, func(rows driver.Rows) error {
		t = Thing{}
		if err := rows.Scan(&t.Class, &t.Org, &t.MeetingID, &t.CallID, &t.ItemID, &t.HolderID, &t.ResourceID, &t.SentAt); err != nil {
			return err
		}
		t.SentAt = t.SentAt.UTC()
		return do(&t)
	}, args...)
}

// scanOn is Store.scan on one node.
func scanOn(ctx context.Context, conn driver.Conn, action, query string, row func(driver.Rows) error, args ...any) error {
	return (&Store{conn: conn}).scan(ctx, action, query, row, args...)
}
