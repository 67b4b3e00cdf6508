package main

import (
	"context"
	"time"

	"github.com/anteroom/anteroom/store"
)

// summaryPatience is how long summaries of calls are waited for. They come all the same.
const summaryPatience = 30 * time.Second

// awaitSummaries returns when the summaries of calls are up to date, by which lists find them, or when that takes too long.
func (s *service) awaitSummaries(ctx context.Context, org string, calls []string) error {
	reader := store.NewReader(s.store, store.QueryLimits{})
	for deadline := time.Now().Add(summaryPatience); time.Now().Before(deadline); {
		left, err := reader.UnsummedOf(ctx, org, calls)
		if err != nil || left == 0 {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
