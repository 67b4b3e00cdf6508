package ingest

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff waits longer after each failure, up to a few seconds: what is retried here is retried for as long as it takes.
type backoff struct{ next time.Duration }

const (
	backoffFirst = 100 * time.Millisecond
	backoffMost  = 5 * time.Second
)

func newBackoff() *backoff { return &backoff{next: backoffFirst} }

func (b *backoff) reset() { b.next = backoffFirst }

// sleep waits, a quarter more or less so that many do not come back at once, or until the context ends.
func (b *backoff) sleep(ctx context.Context) {
	d := b.next - b.next/4 + rand.N(b.next/2) //nolint:gosec // not a secret
	b.next = min(2*b.next, backoffMost)
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
