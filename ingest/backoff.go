package ingest

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"
)

// backoff waits longer after each failure, up to a few seconds: what is retried here is retried for as long as it takes.
type backoff struct {
	next time.Duration
	// failures since the last success.
	failures int
}

const (
	backoffFirst = 100 * time.Millisecond
	backoffMost  = 5 * time.Second
)

func newBackoff() *backoff { return &backoff{next: backoffFirst} }

func (b *backoff) reset() { b.next, b.failures = backoffFirst, 0 }

// level is how loud a failure is to be logged: the first of a row as a warning; what goes on is for the checks and counters to tell.
func (b *backoff) level() slog.Level {
	b.failures++
	if b.failures == 1 {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

// sleep waits, a quarter more or less so that many do not come back at once, or until the context ends.
func (b *backoff) sleep(ctx context.Context) {
	d := b.next - b.next/4 + rand.N(b.next/2) //nolint:gosec // not a secret
	b.next = min(2*b.next, backoffMost)
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
