package logs

import (
	"context"
	"fmt"
	"time"

	"github.com/anteroom/anteroom/store"
)

// overlap is by how much a look for further records begins before the last one: clocks of servers differ.
const overlap = 10 * time.Minute

// late writes further records of calls that were logged and of which more has become known since: what happened in them, such as a rating that was given
// after the end. Summaries of participants and streams stay as they were logged, since a log is not written over, and readers take them for final.
func (e *Emitter) late(ctx context.Context, now, known time.Time) error {
	since := known.Add(-looksBack)
	if at := e.caughtUp.Add(-overlap); at.After(since) {
		since = at
	}
	found, err := e.deps.Reader.LateLogs(ctx, since, atOnce)
	if err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	for rest := found; len(rest) > 0; {
		chunk := rest[:min(len(rest), loads)]
		rest = rest[len(chunk):]
		keys := make([]store.CallKey, len(chunk))
		for i := range chunk {
			keys[i] = chunk[i].CallKey
		}
		records, err := e.deps.Reader.Load(ctx, keys)
		if err != nil {
			return err //nolint:wrapcheck // as above
		}
		for i, r := range records {
			if r == nil {
				continue
			}
			if err := e.extend(ctx, r, chunk[i].Made, now, known); err != nil {
				return err
			}
		}
	}
	if len(found) < atOnce {
		e.caughtUp = known
	}
	return nil
}

// extend stores a call's further records, unless they are, and produces them as they are stored.
func (e *Emitter) extend(ctx context.Context, r *store.Record, made, now, known time.Time) error {
	timeline, err := timelineOf(ctx, e.deps.Reader, r)
	if err != nil {
		return err
	}
	c := newCall(r, timeline, now, forOrganization)
	if err := c.happenings(); err != nil {
		return err
	}
	for i := range c.out {
		c.out[i].ExpiresAt = now.Add(e.cfg.Keep)
	}
	further, err := e.deps.Store.ExtendCallLog(ctx, r.CallKey, e.writer, made, c.out)
	if err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	if len(further) > 0 {
		if err := e.deps.Write(ctx, Messages(e.deps.Region, r.CallKey, further)...); err != nil {
			return fmt.Errorf("produce further records of call: %w", err)
		}
	}
	for i := range further {
		e.records.WithLabelValues(further[i].Category).Inc()
	}
	return e.deps.Store.MarkCallLog(ctx, r.CallKey, len(further), known) //nolint:wrapcheck // as above
}
