package live

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/anteroom/anteroom/analytics"
	"github.com/anteroom/anteroom/quality"
	"github.com/anteroom/anteroom/store"
)

const (
	// stays is for how long a call is shown after its end.
	stays = 24 * time.Hour
	// long is how much of a call that has ended is looked at.
	long = 3 * time.Hour
	// open is how long a call may run and be shown.
	open = 7 * 24 * time.Hour
	// settles is for how long after a call's end what is known of it may still change often, and looksBack how often older ones are looked at.
	settles   = 2 * time.Minute
	looksBack = time.Minute
	// maxCalls bounds what is shown of one organisation: the newest.
	maxCalls = 1000
)

// watcher looks at the calls of one organisation, again and again. Calls that ended a while ago don't change, and are looked at now and then only.
type watcher struct {
	org     string
	reader  Reader
	profile *quality.Profile
	window  time.Duration

	// ended are those of the last look back, at lookedBack.
	ended      map[string]*analytics.Call
	lookedBack time.Time
}

// look judges the calls as they are now, the newest first.
func (w *watcher) look(ctx context.Context, now time.Time) ([]*analytics.Call, error) {
	filter := store.LiveFilter{Org: w.org, Now: now, Ended: settles, Open: open, Newest: w.window, Long: long, Limit: maxCalls}
	back := now.Sub(w.lookedBack) >= looksBack
	if back {
		filter.Ended = stays
	}
	records, err := w.reader.LiveRecords(ctx, filter)
	if err != nil {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	if back {
		w.ended, w.lookedBack = map[string]*analytics.Call{}, now
	}
	shown := maps.Clone(w.ended)
	for _, r := range records {
		call := analytics.Judge(w.profile, r)
		shown[r.CallID] = call
		if r.EndedAt != nil {
			w.ended[r.CallID] = call
		}
	}
	out := slices.Collect(maps.Values(shown))
	out = slices.DeleteFunc(out, func(c *analytics.Call) bool { return c.EndedAt != nil && c.EndedAt.Before(now.Add(-stays)) })
	slices.SortFunc(out, func(a, b *analytics.Call) int {
		return cmp.Or(b.FirstSeen.Compare(a.FirstSeen), cmp.Compare(a.CallID, b.CallID))
	})
	return out[:min(len(out), maxCalls)], nil
}
