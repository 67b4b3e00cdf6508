package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Scope says which things a step of the sweep looks at.
type Scope struct {
	// where is a condition on the columns that retained and hidden share.
	where string
	// meetings is one on organisation and meeting alone; "" where there is no simpler one.
	meetings string
	args     []any
}

// things is a query for the things in the scope, on one shard.
func (sc Scope) things(s *Store) string {
	if sc.meetings != "" {
		return thingsOf(s.here, sc.where, sc.meetings, sc.meetings)
	}
	return thingsSQL(s.here, sc.where)
}

// thingsAtOnce is how many things are looked at by one query: what it joins is in the server's memory.
const thingsAtOnce = 300_000

// ScopesOfDay are all that was sent on a day: in several parts where that is much.
func ScopesOfDay(of DayKept) []Scope {
	parts := int(of.Rows/thingsAtOnce) + 1 //nolint:gosec // a few
	out := make([]Scope, parts)
	for i := range out {
		out[i] = Scope{where: "toDate(sent_at) = {day:Date}", args: []any{clickhouse.Named("day", of.Day.Format(time.DateOnly))}}
		if parts > 1 {
			out[i].where += fmt.Sprintf(" AND cityHash64(meeting_id) %% %d = %d", parts, i)
		}
	}
	return out
}

// ScopeMeetings is all that is kept of some meetings.
func ScopeMeetings(meetings []MeetingKey) Scope {
	orgs, ids := make([]string, len(meetings)), make([]string, len(meetings))
	for i, m := range meetings {
		orgs[i], ids[i] = m.Org, m.MeetingID.String()
	}
	const where = `(org, meeting_id) IN (SELECT pair.1, toUUID(pair.2) FROM (SELECT arrayJoin(arrayZip({orgs:Array(String)}, {ids:Array(String)})) AS pair))
		AND meeting_id IN (SELECT toUUID(arrayJoin({ids:Array(String)})))`
	return Scope{where: where, meetings: where, args: []any{clickhouse.Named("orgs", orgs), clickhouse.Named("ids", ids)}}
}

// DayKept is a day (UTC) of which something is kept.
type DayKept struct {
	Day  time.Time
	Rows uint64
}

// DaysKept are the days of which things are kept, in order.
func (s *Store) DaysKept(ctx context.Context) ([]DayKept, error) {
	return s.days(ctx, "retained", "toDate(partition)")
}

// days are those that a table has partitions of.
func (s *Store) days(ctx context.Context, table, day string) ([]DayKept, error) {
	sums := map[time.Time]uint64{}
	err := s.eachShard(ctx, func(ctx context.Context, conn driver.Conn) error {
		return scanOn(ctx, conn, "list days of "+table, `SELECT `+day+` AS day, sum(rows) FROM system.parts
			WHERE active AND database = currentDatabase() AND table = {table:String} AND rows > 0 GROUP BY day`, func(rows driver.Rows) error {
			var day time.Time
			var n uint64
			err := rows.Scan(&day, &n)
			sums[day.UTC()] += n
			return err
		}, clickhouse.Named("table", s.local(table)))
	})
	out := make([]DayKept, 0, len(sums))
	for _, day := range slices.SortedFunc(maps.Keys(sums), time.Time.Compare) {
		out = append(out, DayKept{day, sums[day]})
	}
	return out, err
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
			FROM (SELECT *, fromUnixTimestamp64Micro({looked:Int64}, 'UTC') AS looked FROM (`+scope.things(s)+`))
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
				coalesce(released_at, gone_at), inserted_at)) FROM (`+scope.things(s)+`)
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

// ClassDay is what purges go by: all things of a class that were sent on a day.
type ClassDay struct {
	Class string
	Day   time.Time
}

// Purgeable lists of which classes and days there are hidden things that no hold keeps, those first that had to be gone first.
func (s *Store) Purgeable(ctx context.Context, now time.Time) ([]ClassDay, error) {
	var out []ClassDay
	err := s.scan(ctx, "list what is to be purged", `SELECT toString(class) AS class_, toDate(sent_at) AS day FROM hidden
		WHERE hidden_at <= fromUnixTimestamp64Micro({now:Int64}, 'UTC') AND (org, meeting_id, class, resource_id) NOT IN (`+s.heldKeys(s.ofAllHidden())+`)
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
// Only meetings for which the condition holds are looked at: decisions are in order of meetings, and may be many. But where decisions are on another shard,
// that knows nothing of this one's tables, all are: what isn't found here may be deleted.
func (s *Store) heldKeys(meetings string) string {
	return `SELECT org, meeting_id, class, arrayJoin(arrayDistinct([resource_id, ` + noUUID + `])) FROM ` + s.cfg.Database + `.retention_decisions FINAL
		WHERE held AND ` + s.whereDecided(meetings)
}

// whereDecided is a condition on the meetings of decisions, or none where it can't be asked.
func (s *Store) whereDecided(meetings string) string {
	if s.cfg.Cluster != "" && !s.cfg.Replicated {
		return "1"
	}
	return meetings
}

// ofAllHidden is the condition that something of a meeting is hidden, on any shard.
func (s *Store) ofAllHidden() string {
	return "(org, meeting_id) IN (SELECT org, meeting_id FROM " + s.cfg.Database + ".hidden)"
}

// ofHidden is the same on a shard, of what the condition holds for.
func (s *Store) ofHidden(where string) string {
	return "(org, meeting_id) IN (SELECT org, meeting_id FROM " + s.here("hidden") + " WHERE " + where + ")"
}

// EachPurgeable calls do for each thing of a class and day that is hidden since a moment or before, and that no hold keeps, shard by shard; at most limit of
// them. do must not keep the Thing. What is hidden stays as it was when it was: what else is known by now makes no difference any more.
func (s *Store) EachPurgeable(ctx context.Context, of ClassDay, now time.Time, limit int, do func(*Thing) error) error {
	const key = "class, org, meeting_id, call_id, item_id, holder_id, revised_at, sent_at"
	const where = "class = {class:String} AND toDate(sent_at) = {day:Date}"
	var t Thing
	left := limit
	return s.eachShard(ctx, func(ctx context.Context, conn driver.Conn) error {
		if left <= 0 {
			return nil
		}
		return scanOn(ctx, conn, "list what is to be purged", `SELECT toString(h.class), h.org, h.call_id, h.meeting_id, h.item_id, h.holder_id, h.resource, h.text_of, h.revised_at,
				h.sent_at, r.came, h.was.3, h.was.1, true, h.was.2, h.was.4, false, d.released, h.was.5, h.was.6, h.was.7, h.was.8, 'hidden'
			FROM (
				SELECT `+key+`, any(resource_id) AS resource, any(revision_of) AS text_of, argMin((hidden_at, toString(why), due_at, born, toString(rule_id), rule_version,
					toString(reason), toString(revision)), (inserted_at, hidden_at)) AS was
				FROM `+s.here("hidden")+` WHERE `+where+` AND (org, meeting_id, class, resource_id) NOT IN (`+s.heldKeys(s.ofHidden(where))+`) GROUP BY `+key+`
			) AS h
			INNER JOIN (
				SELECT `+key+`, min(inserted_at) AS came FROM `+s.here("retained")+` WHERE `+where+` GROUP BY `+key+`
			) AS r ON r.class = h.class AND r.org = h.org AND r.meeting_id = h.meeting_id AND r.call_id = h.call_id AND r.item_id = h.item_id AND r.holder_id = h.holder_id
				AND r.revised_at = h.revised_at AND r.sent_at = h.sent_at
			LEFT JOIN (
				SELECT org, meeting_id, arrayJoin(arrayDistinct([resource_id, `+noUUID+`])) AS resource_id, max(released_at) AS released
				FROM retention_decisions FINAL WHERE class = {class:String} AND released_at IS NOT NULL AND `+s.whereDecided(s.ofHidden(where))+` GROUP BY org, meeting_id, resource_id
			) AS d ON d.org = h.org AND d.meeting_id = h.meeting_id AND d.resource_id = h.resource
			WHERE h.was.1 <= fromUnixTimestamp64Micro({now:Int64}, 'UTC') LIMIT {limit:UInt64}`, func(rows driver.Rows) error {
			t = Thing{}
			if err := t.scan(rows); err != nil {
				return err
			}
			left--
			return do(&t)
		}, clickhouse.Named("class", of.Class), clickhouse.Named("day", of.Day.Format(time.DateOnly)), clickhouse.Named("now", micros(now)),
			clickhouse.Named("limit", uint64(left))) //nolint:gosec // above zero
	})
}

// HiddenLeft counts what is hidden and not purged yet, by class, and whether it is held.
func (s *Store) HiddenLeft(ctx context.Context) ([]Outlook, error) {
	var out []Outlook
	err := s.scan(ctx, "count what is hidden", `SELECT toString(class), (org, meeting_id, class, resource_id) IN (`+s.heldKeys(s.ofAllHidden())+`) AS is_held,
			uniqExact(class, org, meeting_id, call_id, holder_id, sent_at, item_id), min(hidden_at) FROM hidden GROUP BY class, is_held`, func(rows driver.Rows) error {
		o := Outlook{Hidden: true}
		err := rows.Scan(&o.Class, &o.Held, &o.Things, &o.Oldest)
		o.Oldest = o.Oldest.UTC()
		out = append(out, o)
		return err
	})
	return out, err
}

// EachArrived calls do for each thing that arrived since a moment of the server's clock, or of a day that isn't zero, whatever its state. do must not keep
// the Thing; of it only what names it is set, and SentAt.
func (s *Store) EachArrived(ctx context.Context, since, day time.Time, do func(*Thing) error) error {
	where, args := sinceInserted, []any{clickhouse.Named("since", micros(since))}
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
