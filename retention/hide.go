package retention

import (
	"context"
	"slices"
	"time"

	"github.com/anteroom/anteroom/store"
)

const (
	// arrivedSlack is how far back new rows are looked for again: so long may an insert take until it can be read.
	arrivedSlack = 2 * time.Minute
	// textSlack is the same for texts that nobody can read: what makes them so may be removed a while after they came.
	textSlack = 15 * time.Minute
)

// hide stores that what has to be gone can't be read any more: of what is new since the last look, of what fell due since, and of a few days as a whole.
func (p *sweep) hide(ctx context.Context) error {
	server, err := p.deps.Store.Now(ctx)
	if err != nil {
		return err
	}
	days, err := p.dueDays(ctx, server)
	if err != nil {
		return err
	}
	scopes := make([]store.Scope, 0, len(days)+5)
	for _, day := range days {
		scopes = append(scopes, store.ScopeDay(day))
	}
	if !p.looked.now.IsZero() {
		fresh, err := p.fresh(ctx)
		if err != nil {
			return err
		}
		scopes = append(scopes, fresh...)
	}
	for _, scope := range scopes {
		n, err := p.deps.Store.Hide(ctx, scope, p.now, p.looked.now)
		p.result.Hidden += n
		p.deps.Metrics.hidden(p.deps.Region, n)
		if err != nil {
			return err
		}
	}
	p.reached("hidden")
	for _, day := range days {
		p.days[day] = server
	}
	p.looked.now, p.looked.arrived = p.now, server
	return nil
}

// fresh are the scopes of what may have changed since the last look.
func (p *sweep) fresh(ctx context.Context) ([]store.Scope, error) {
	since := p.looked.arrived.Add(-arrivedSlack)
	scopes := append(store.ScopeArrived(since), store.ScopeDecided(since), store.ScopeRetracted(since))
	periods, err := p.deps.Store.Periods(ctx)
	if err != nil {
		return nil, err
	}
	var spans [][2]time.Time
	for _, period := range periods {
		spans = append(spans, [2]time.Time{p.looked.now.Add(-period), p.now.Add(-period)})
	}
	return append(scopes, store.ScopeSent(spans)), nil
}

// dueDays are the days whose things are to be looked at as a whole: all of them the first time; then one after the other, so that each is within FullEvery
// and no look costs much. What is new is found without; this finds what was missed.
func (p *sweep) dueDays(ctx context.Context, server time.Time) ([]time.Time, error) {
	days, err := p.deps.Store.DaysKept(ctx)
	if err != nil {
		return nil, err
	}
	if p.looked.now.IsZero() {
		p.rolled = server
		return days, nil
	}
	if len(days) == 0 || server.Sub(p.rolled) < p.cfg.FullEvery/time.Duration(len(days)) {
		return nil, nil
	}
	p.rolled = server
	oldest := slices.MinFunc(days, func(a, b time.Time) int { return p.days[a].Compare(p.days[b]) })
	known := map[time.Time]time.Time{}
	for _, day := range days {
		known[day] = p.days[day]
	}
	p.days = known
	return []time.Time{oldest}, nil
}
