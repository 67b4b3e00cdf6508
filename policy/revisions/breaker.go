package revisions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/policy/author"
	"github.com/anteroom/anteroom/store"
)

// breakerAuthor is who changes the breaker's row.
const breakerAuthor = "service:breaker"

// note counts a failure, and has a policy given up that failed too often. It is called where a decision was asked for, and doesn't block.
func (f *Follower) note(x policy.Failure) {
	f.metrics.failures.WithLabelValues(string(x.Kind), strconv.FormatBool(x.Own)).Inc()
	if !x.Tripped {
		return
	}
	f.tripping.Lock()
	f.tripped[x.Org] = x
	f.tripping.Unlock()
	select {
	case f.poke <- struct{}{}:
	default:
	}
}

// tend gives up what failed too often, and tries again what could not be read.
func (f *Follower) tend(ctx context.Context) {
	ticker := time.NewTicker(retryEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-f.poke:
		}
		for org, failure := range f.takeTripped() {
			if err := f.giveUp(ctx, failure); err != nil {
				f.log.WarnContext(ctx, "policy that fails can't be given up yet", slog.String("organization", org), slog.String("error", err.Error()))
				f.tripping.Lock()
				f.tripped[org] = failure
				f.tripping.Unlock()
			}
		}
		for _, org := range f.toRetry() {
			f.take(ctx, org)
		}
	}
}

func (f *Follower) takeTripped() map[string]policy.Failure {
	f.tripping.Lock()
	defer f.tripping.Unlock()
	out := f.tripped
	f.tripped = map[string]policy.Failure{}
	return out
}

// giveUp writes down that what decides for an organisation failed too often, for all processes to go by.
func (f *Follower) giveUp(ctx context.Context, x policy.Failure) error {
	now, err := readStanding(ctx, f.store, x.Org)
	if err != nil {
		return err
	}
	f.mu.Lock()
	has := f.orgs[x.Org]
	current := has != nil && now.active != nil && has.active == now.active.version && has.breaker == now.breakerVersion &&
		f.engine.Revision(x.Org) == x.Revision // What decides by these rows is what failed, and not what took its place meanwhile.
	f.mu.Unlock()
	if !current { // Others were faster: with another activation, or with this.
		f.take(ctx, x.Org)
		return nil
	}
	revision, digest := now.runs()
	row := breakerRow{
		ActiveVersion: now.active.version, FailedRevision: revision, FailedDigest: digest, RunningRevision: revision, RunningDigest: digest,
		Since: time.Now().UTC().Truncate(time.Microsecond), Reason: string(x.Kind),
	}
	good, err := f.lastGood(ctx, x.Org, now, digest)
	if err != nil {
		return err
	}
	if good != nil {
		row.RunningRevision, row.RunningDigest = good.Revision, good.Digest
	}
	_, err = put(ctx, f.store, store.Control{Kind: kindActive, Org: x.Org, ID: idBreaker, Author: breakerAuthor}, row, now.breakerVersion)
	if err != nil && !errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("write breaker: %w", err)
	}
	f.log.ErrorContext(ctx, "policy fails too often and is given up", slog.String("organization", x.Org), slog.Int("failed_revision", row.FailedRevision),
		slog.Int("running_revision", row.RunningRevision), slog.String("kind", row.Reason))
	f.take(ctx, x.Org)
	return nil
}

// lastGood is the last activation before the present one of a policy that never failed; nil if there is none. The base alone is no stand-in for a
// policy of one's own: who has nothing to go back to stays with what fails, and what fails is denied.
func (f *Follower) lastGood(ctx context.Context, org string, now standing, failing string) (*activation, error) {
	history, err := historyOf(ctx, f.store, org)
	if err != nil {
		return nil, err
	}
	rows, err := f.store.History(ctx, kindActive, org, idBreaker)
	if err != nil {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	bad := map[string]bool{"": true, author.Content{}.Digest(): true, failing: true}
	for _, row := range rows {
		b, err := decode[breakerRow](row)
		if err != nil {
			return nil, err
		}
		bad[b.FailedDigest] = true
	}
	for i := len(history) - 1; i >= 0; i-- {
		if a := &history[i]; a.version < now.active.version && !bad[a.Digest] {
			return a, nil
		}
	}
	return nil, nil //nolint:nilnil // there need be none
}
