package ledger

import (
	"context"
	"time"

	"github.com/anteroom/anteroom/store"
)

// waiting gives the next leaves to append, in order of when they were put.
//
// Mostly nothing has come: the outbox's size says so at no cost. Else what was put lately is looked at, and all of it if the number of older leaves
// isn't what it was: a leaf may have been put with an older time than others, by a server whose clock is behind.
func (l *Ledger) waiting(ctx context.Context) ([]store.OutboxLeaf, error) {
	size, err := l.deps.Store.OutboxSize(ctx)
	if err != nil || (size == l.seen && size > 0) || size == 0 {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	next := l.deps.Now().Add(-overlap)
	if next.Before(l.since) { // a clock that was set back
		next = l.since
	}
	all, older, err := l.deps.Store.OutboxCounts(ctx, l.since)
	if err != nil {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	_, olderThanNext, err := l.deps.Store.OutboxCounts(ctx, next)
	if err != nil {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	since := l.since
	if older != l.older {
		since = time.Time{}
	}
	found, err := l.look(ctx, since, all)
	if err != nil || len(found) > 0 {
		return found, err
	}
	// All that was counted is appended: next time it needn't be looked at.
	l.since, l.older, l.seen = next, olderThanNext, size
	return nil, nil
}

// looks is how many batches one look gives at most: looking again costs more than remembering.
const looks = 16

// look looks at the leaves that were put since a moment, at all for the zero moment.
func (l *Ledger) look(ctx context.Context, since time.Time, rows uint64) ([]store.OutboxLeaf, error) {
	filter := store.WaitingFilter{Since: since, Parts: 1, Limit: uint64(looks*l.cfg.Batch + len(l.refused))}
	if since.IsZero() {
		filter.Parts = 1 + rows/partRows
	}
	var found []store.OutboxLeaf
	for filter.Part = 0; filter.Part < filter.Parts && len(found) == 0; filter.Part++ {
		leaves, err := l.deps.Store.WaitingLeaves(ctx, filter)
		if err != nil {
			return nil, err //nolint:wrapcheck // the store says what it did
		}
		for _, leaf := range leaves {
			if !l.refused[leaf.ID] {
				found = append(found, leaf)
			}
		}
	}
	return found, nil
}
