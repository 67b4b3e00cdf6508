package store

import (
	"context"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// minutesKept is for how long after a rebuild the minutes are expected to be there: a day less than the TTL of rollup_minute.
const minutesKept = 30 * 24 * time.Hour

// DirtyHours returns, oldest first, the hours that ended by closedBefore whose roll-ups are not built from all rows stored: see
// the comment on roll-ups for what makes an hour dirty.
func (s *Store) DirtyHours(ctx context.Context, closedBefore time.Time) ([]time.Time, error) {
	return s.dirtyHours(ctx, closedBefore, time.Unix(0, 0))
}

// hourState is what is known of the roll-ups of one hour.
type hourState struct {
	// Of ingest_batches: the samples stored, and when a batch was last written.
	stored    uint64
	lastBatch time.Time
	// Of rollup_hours: the newest rebuild.
	seen, built uint64
	rebuiltAt   time.Time
	// Of the roll-ups: the samples they hold.
	inHour, inMinutes uint64
}

func (h hourState) dirty(now time.Time) bool {
	return h.stored > h.seen ||
		!h.lastBatch.Before(h.rebuiltAt.Truncate(time.Second)) || // inserted_at has whole seconds
		h.inHour != h.built ||
		h.inMinutes != h.built && now.Sub(h.rebuiltAt) < minutesKept
}

// dirtyHours is DirtyHours among the hours of which a batch was written since.
func (s *Store) dirtyHours(ctx context.Context, closedBefore, since time.Time) ([]time.Time, error) {
	states, now, err := s.storedHours(ctx, closedBefore, since)
	if err != nil || len(states) == 0 {
		return nil, err
	}
	if err := s.rebuiltHours(ctx, states); err != nil {
		return nil, err
	}
	var out []time.Time
	for hour, state := range states {
		if state.dirty(now) {
			out = append(out, hour)
		}
	}
	slices.SortFunc(out, time.Time.Compare)
	return out, nil
}

// storedHours returns the hours that have batches, and the server's time.
func (s *Store) storedHours(ctx context.Context, closedBefore, since time.Time) (map[time.Time]*hourState, time.Time, error) {
	states := map[time.Time]*hourState{}
	var now time.Time
	err := s.scan(ctx, "read stored hours", `
		SELECT hour, sum(samples), max(inserted_at), now('UTC') FROM ingest_batches FINAL
		WHERE hour <= {last:DateTime('UTC')} AND hour IN (
			SELECT hour FROM ingest_batches WHERE inserted_at >= {since:DateTime('UTC')}
		) GROUP BY hour`,
		func(rows driver.Rows) error {
			var hour time.Time
			state := new(hourState)
			err := rows.Scan(&hour, &state.stored, &state.lastBatch, &now)
			states[hour.UTC()] = state
			return err
		},
		clickhouse.Named("last", closedBefore.UTC().Add(-time.Hour).Format(time.DateTime)),
		clickhouse.Named("since", since.UTC().Format(time.DateTime)))
	return states, now, err
}

// rebuiltHours adds what the last rebuild said and what the roll-ups hold.
func (s *Store) rebuiltHours(ctx context.Context, states map[time.Time]*hourState) error {
	var first, last time.Time
	for hour := range states {
		if first.IsZero() || hour.Before(first) {
			first = hour
		}
		if hour.After(last) {
			last = hour
		}
	}
	span := []any{
		clickhouse.Named("first", first.Format(time.DateTime)), clickhouse.Named("last", last.Format(time.DateTime)),
		clickhouse.Named("end", last.Add(time.Hour).Format(time.DateTime)),
	}
	err := s.scan(ctx, "read rebuilt hours", `
		SELECT hour, argMax(batch_samples, rebuilt_at), argMax(samples, rebuilt_at), max(rebuilt_at) FROM rollup_hours
		WHERE hour BETWEEN {first:DateTime('UTC')} AND {last:DateTime('UTC')} GROUP BY hour`,
		func(rows driver.Rows) error {
			var hour time.Time
			var row hourState
			err := rows.Scan(&hour, &row.seen, &row.built, &row.rebuiltAt)
			if state := states[hour.UTC()]; state != nil {
				state.seen, state.built, state.rebuiltAt = row.seen, row.built, row.rebuiltAt
			}
			return err
		}, span...)
	if err != nil {
		return err
	}
	held := func(query string, set func(*hourState, uint64)) error {
		return s.scan(ctx, "count roll-ups", query, func(rows driver.Rows) error {
			var hour time.Time
			var n uint64
			err := rows.Scan(&hour, &n)
			if state := states[hour.UTC()]; state != nil {
				set(state, n)
			}
			return err
		}, span...)
	}
	err = held(`SELECT hour, sum(samples) FROM rollup_hour
		WHERE hour BETWEEN {first:DateTime('UTC')} AND {last:DateTime('UTC')} GROUP BY hour`,
		func(state *hourState, n uint64) { state.inHour = n })
	if err != nil {
		return err
	}
	return held(`SELECT toStartOfHour(minute) AS hour, sum(samples) FROM rollup_minute
		WHERE minute >= {first:DateTime('UTC')} AND minute < {end:DateTime('UTC')} GROUP BY hour`,
		func(state *hourState, n uint64) { state.inMinutes = n })
}

// scan runs a query and calls row for each of its rows.
func (s *Store) scan(ctx context.Context, action, query string, row func(driver.Rows) error, args ...any) error {
	rows, err := s.conn.Query(ctx, query, args...)
	if err != nil {
		return wrap(action, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return wrap(action, err)
		}
	}
	return wrap(action, rows.Err())
}
