package retention

import (
	"cmp"
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
	// meetingsAtOnce is how many meetings are looked at in one go; from manyMeetings on, and for a day of which manyThings fell due, days are looked at as a
	// whole instead.
	meetingsAtOnce = 500
	manyMeetings   = 20_000
	manyThings     = 5_000
)

// hide stores that what has to be gone can't be read any more: of the meetings of which something is new since the last look or fell due since, and of a
// day as a whole now and then.
func (p *sweep) hide(ctx context.Context) error {
	p.since = store.NewsSince{Inserted: p.looked.Arrived.Add(-arrivedSlack), Texts: p.looked.Texts.Add(-textSlack)}
	var err error
	if p.news, err = p.deps.Store.News(ctx, p.since); err != nil {
		return err
	}
	days, err := p.dueDays(ctx)
	if err != nil {
		return err
	}
	scopes, days, err := p.scopes(ctx, days)
	if err != nil {
		return err
	}
	// A look at a moment that is to come tells nothing of what was due by now.
	looked := p.looked.Now
	if looked.After(p.now) {
		looked = time.Time{}
	}
	for _, scope := range scopes {
		n, err := p.deps.Store.Hide(ctx, scope, p.now, looked)
		p.result.Hidden += n
		p.deps.Metrics.hidden(p.deps.Region, n)
		if err != nil {
			return err
		}
	}
	p.reached("hidden")
	for _, day := range days {
		p.days[day.Day] = p.news.Server
	}
	p.looked.Now, p.looked.Arrived = p.now, p.news.Server
	return nil
}

// scopes are what is to be looked at: some days as a whole, and besides what may have changed, meeting by meeting where it is of few, else by days.
func (p *sweep) scopes(ctx context.Context, days []store.DayKept) ([]store.Scope, []store.DayKept, error) {
	var meetings []store.MeetingKey
	if !p.looked.Now.IsZero() {
		changed := p.changed()
		fell, err := p.deps.Store.DaysWith(ctx, changed.Sent)
		if err != nil {
			return nil, nil, err
		}
		for day, n := range fell {
			if n > manyThings {
				days = append(days, store.DayKept{Day: day, Rows: n})
			} else {
				changed.Days = append(changed.Days, day)
			}
		}
		var more bool
		if meetings, more, err = p.deps.Store.MeetingsWith(ctx, changed, manyMeetings); err != nil {
			return nil, nil, err
		}
		if more {
			meetings = nil
			if days, err = p.deps.Store.DaysKept(ctx); err != nil {
				return nil, nil, err
			}
		}
	}
	// Of a day that is there for two reasons the larger figure counts.
	slices.SortFunc(days, func(a, b store.DayKept) int { return cmp.Or(a.Day.Compare(b.Day), cmp.Compare(b.Rows, a.Rows)) })
	days = slices.CompactFunc(days, func(a, b store.DayKept) bool { return a.Day.Equal(b.Day) })
	var scopes []store.Scope
	for chunk := range slices.Chunk(meetings, meetingsAtOnce) {
		scopes = append(scopes, store.ScopeMeetings(chunk))
	}
	for _, day := range days {
		scopes = append(scopes, store.ScopesOfDay(day)...)
	}
	return scopes, days, nil
}

// changed says what may have changed since the last look.
func (p *sweep) changed() store.Changed {
	c := store.Changed{Since: p.since.Inserted, Arrived: p.news.Arrived > 0, Retracted: p.news.Retracted > 0}
	if p.news.Decided > 0 && p.news.Shortest != nil {
		c.Decided, c.SentUntil = true, p.now.Add(-*p.news.Shortest)
	}
	for _, period := range p.news.Periods {
		if p.looked.Now.Before(p.now) {
			c.Sent = append(c.Sent, store.Span{From: p.looked.Now.Add(-period), To: p.now.Add(-period)})
		}
	}
	return c
}

// dueDays are the days whose things are to be looked at as a whole: all of them the first time; then one after the other, so that each is within FullEvery
// and no look costs much. What is new is found without; this finds what was missed.
func (p *sweep) dueDays(ctx context.Context) ([]store.DayKept, error) {
	server := p.news.Server
	if !p.looked.Now.IsZero() && !p.rolled.IsZero() && server.Sub(p.rolled) < p.cfg.FullEvery/maxDays {
		return nil, nil
	}
	days, err := p.deps.Store.DaysKept(ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case p.looked.Now.IsZero():
		p.rolled = server
		return days, nil
	case p.rolled.IsZero():
		p.rolled = server
		return nil, nil
	case len(days) == 0 || server.Sub(p.rolled) < p.cfg.FullEvery/time.Duration(len(days)):
		return nil, nil
	}
	p.rolled = server
	oldest := slices.MinFunc(days, func(a, b store.DayKept) int { return p.days[a.Day].Compare(p.days[b.Day]) })
	known := map[time.Time]time.Time{}
	for _, day := range days {
		known[day.Day] = p.days[day.Day]
	}
	p.days = known
	return []store.DayKept{oldest}, nil
}

// maxDays is more days than there are things of at once, as a rule.
const maxDays = 400
