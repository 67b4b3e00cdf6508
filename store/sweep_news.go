package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// An idle sweep must not look at all that is kept. What may have to go since the last look has either arrived since, or was decided on anew, or was
// retracted, or its time has come: each is found by what is new, not by what is there. News tells whether there is any of it, and MeetingsWith what meetings
// it is of; then all that is kept of those meetings is looked at.

const sinceInserted = "inserted_at >= fromUnixTimestamp64Micro({since:Int64}, 'UTC')"

// NewsSince is from when on something is new.
type NewsSince struct {
	// Inserted and Texts are moments of the server's clock.
	Inserted, Texts time.Time
}

// News is how many rows there are of what may call for something to be done.
type News struct {
	// Arrived, Decided, Retracted and Texts came since. Hidden is all that is hidden.
	Arrived, Decided, Retracted, Texts, Hidden uint64
	// Shortest is the shortest period among those decided on; nil if all is kept for good.
	Shortest *time.Duration
	// Periods are all that decisions tell of.
	Periods []time.Duration
	// Server is the server's clock.
	Server time.Time
}

// News tells what is new. It reads little however much is kept.
func (s *Store) News(ctx context.Context, since NewsSince) (News, error) {
	var n News
	var shortest *int64
	var periods []int64
	err := s.scan(s.controlContext(ctx, ""), "look for what is new", `WITH (SELECT (count(), min(period_s)) FROM retention_decisions WHERE `+sinceInserted+`) AS decided
		SELECT decided.1, decided.2, assumeNotNull((SELECT count() FROM retained WHERE `+sinceInserted+`)), assumeNotNull((SELECT count() FROM retractions WHERE `+sinceInserted+`)),
			assumeNotNull((SELECT count() FROM texts WHERE inserted_at >= fromUnixTimestamp64Micro({texts:Int64}, 'UTC'))), assumeNotNull((SELECT count() FROM hidden)),
			(SELECT groupUniqArray(least(assumeNotNull(period_s), `+longest+`)) FROM retention_decisions WHERE period_s IS NOT NULL), now64(6, 'UTC')`,
		func(rows driver.Rows) error {
			return rows.Scan(&n.Decided, &shortest, &n.Arrived, &n.Retracted, &n.Texts, &n.Hidden, &periods, &n.Server)
		}, clickhouse.Named("since", micros(since.Inserted)), clickhouse.Named("texts", micros(since.Texts)))
	if shortest != nil {
		d := time.Duration(*shortest) * time.Second
		n.Shortest = &d
	}
	for _, period := range periods {
		n.Periods = append(n.Periods, time.Duration(period)*time.Second)
	}
	n.Server = n.Server.UTC()
	return n, err
}

// MeetingKey names a meeting.
type MeetingKey struct {
	Org       string
	MeetingID uuid.UUID
}

// Changed says what may have changed of things.
type Changed struct {
	// Since is a moment of the server's clock: what arrived, was decided on, or was retracted since, as far as the others say.
	Since                       time.Time
	Arrived, Decided, Retracted bool
	// SentUntil bounds what was decided on: what was sent later can't be due by it.
	SentUntil time.Time
	// Sent are spans of time, each after its first moment and up to its second, in which something was sent; Days are those in which to look for it.
	Sent []Span
	Days []time.Time
}

// Span is a time, after From and up to To.
type Span struct{ From, To time.Time }

// within is the condition that something was sent in one of some spans.
func within(spans []Span) string {
	parts := make([]string, len(spans))
	for i, span := range spans {
		parts[i] = fmt.Sprintf("(sent_at > fromUnixTimestamp64Micro(%d, 'UTC') AND sent_at <= fromUnixTimestamp64Micro(%d, 'UTC'))", micros(span.From), micros(span.To))
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

// DaysWith counts the rows of what was sent in one of some spans, by day.
func (s *Store) DaysWith(ctx context.Context, spans []Span) (map[time.Time]uint64, error) {
	out := map[time.Time]uint64{}
	if len(spans) == 0 {
		return out, nil
	}
	err := s.scan(ctx, "look for what fell due", "SELECT toDate(sent_at) AS day, count() FROM retained WHERE "+within(spans)+" GROUP BY day", func(rows driver.Rows) error {
		var day time.Time
		var n uint64
		err := rows.Scan(&day, &n)
		out[day.UTC()] = n
		return err
	})
	return out, err
}

// MeetingsWith lists the meetings of things that may have changed, at most limit; more tells that there are others.
func (s *Store) MeetingsWith(ctx context.Context, c Changed, limit int) (meetings []MeetingKey, more bool, err error) {
	var parts []string
	if c.Arrived {
		parts = append(parts, "SELECT org, meeting_id FROM retained WHERE "+sinceInserted)
	}
	if c.Decided {
		parts = append(parts, `SELECT org, meeting_id FROM retained WHERE sent_at <= fromUnixTimestamp64Micro({until:Int64}, 'UTC')
			AND (org, meeting_id) IN (SELECT org, meeting_id FROM retention_decisions WHERE `+sinceInserted+`)
			AND meeting_id IN (SELECT meeting_id FROM retention_decisions WHERE `+sinceInserted+`)`)
	}
	if c.Retracted {
		parts = append(parts, "SELECT org, meeting_id FROM retractions WHERE "+sinceInserted)
	}
	if len(c.Sent) > 0 && len(c.Days) > 0 {
		days := make([]string, len(c.Days))
		for i, day := range c.Days {
			days[i] = "'" + day.Format(time.DateOnly) + "'"
		}
		parts = append(parts, "SELECT org, meeting_id FROM retained WHERE toDate(sent_at) IN ("+strings.Join(days, ", ")+") AND "+within(c.Sent))
	}
	if len(parts) == 0 {
		return nil, false, nil
	}
	err = s.scan(ctx, "look for meetings where something changed", `SELECT DISTINCT org, meeting_id FROM (`+strings.Join(parts, " UNION ALL ")+`) LIMIT {limit:UInt64}`,
		func(rows driver.Rows) error {
			var m MeetingKey
			err := rows.Scan(&m.Org, &m.MeetingID)
			meetings = append(meetings, m)
			return err
		}, clickhouse.Named("since", micros(c.Since)), clickhouse.Named("until", micros(c.SentUntil)), clickhouse.Named("limit", uint64(limit)+1)) //nolint:gosec // a setting
	if len(meetings) > limit {
		return meetings[:limit], true, err
	}
	return meetings, false, err
}

// SweepMarks are how far the sweeps of a region have looked. Zero: not at all.
type SweepMarks struct {
	// Now is the moment that was swept for.
	Now time.Time
	// Arrived, Registered and Texts are moments of the server's clock.
	Arrived, Registered, Texts time.Time
}

// SweepMarks reads the newest, whoever wrote them.
func (s *Store) SweepMarks(ctx context.Context) (SweepMarks, error) {
	var m SweepMarks
	err := s.scan(s.controlContext(ctx, ""), "read how far sweeps have looked", `SELECT looked, arrived, registered, texts FROM sweep_beats FINAL
		WHERE marks ORDER BY epoch DESC LIMIT 1`, func(rows driver.Rows) error { return rows.Scan(&m.Now, &m.Arrived, &m.Registered, &m.Texts) })
	for _, t := range []*time.Time{&m.Now, &m.Arrived, &m.Registered, &m.Texts} {
		if *t = t.UTC(); t.UnixMicro() == 0 {
			*t = time.Time{}
		}
	}
	return m, err
}

// PutSweepMarks stores how far the sweeper of an epoch has looked.
func (s *Store) PutSweepMarks(ctx context.Context, epoch uint64, m SweepMarks) error {
	row := []any{epoch, true}
	for _, t := range []time.Time{m.Now, m.Arrived, m.Registered, m.Texts} {
		if t.IsZero() {
			t = time.UnixMicro(0)
		}
		row = append(row, t)
	}
	return s.replaceRows(ctx, "sweep_beats", "epoch, marks, looked, arrived, registered, texts", [][]any{row})
}
