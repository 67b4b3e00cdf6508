package retention

import (
	"context"
	"time"

	"github.com/anteroom/anteroom/store"
)

// resume brings to their end the batches that another sweeper, or an earlier start of this one, has left, and those that something was in the way of.
func (p *sweep) resume(ctx context.Context) error {
	if p.resumed && len(p.failing) == 0 {
		return nil
	}
	fresh, err := p.fresh(ctx)
	if err != nil {
		return err
	}
	batches, err := p.deps.Store.UnfinishedBatches(ctx)
	if err != nil {
		return err
	}
	rounds := map[store.ClassDay]*round{}
	var order []store.ClassDay
	for _, b := range batches {
		if b.Kind == store.KindStored {
			if err := p.resumeStored(ctx, b); err != nil {
				return err
			}
			continue
		}
		r := rounds[b.ClassDay]
		if r == nil {
			r = &round{ClassDay: b.ClassDay}
			rounds[b.ClassDay] = r
			order = append(order, b.ClassDay)
		}
		r.batches = append(r.batches, b)
	}
	var proven []*round
	for _, of := range order {
		r := rounds[of]
		if deletes := r.deletes(); deletes && !fresh {
			// What is deleted already may be proven; the rest waits.
			p.failing[of] = r.batches
			p.result.problem("%s of %s: decisions are not up to date", of.Class, of.Day.Format(time.DateOnly))
			continue
		} else if deletes && !p.resumed {
			// Whoever was about to drop parts by their names, and wakes now, finds none.
			if err := p.deps.Store.RenameParts(ctx, of, p.at()); err != nil {
				return err
			}
		}
		ok, err := p.finish(ctx, r)
		if err != nil {
			return err
		}
		if ok {
			proven = append(proven, r)
		}
	}
	if err := p.forget(ctx, proven...); err != nil {
		return err
	}
	p.resumed = true
	return nil
}

// deletes tells whether any batch of the round has still to delete.
func (r *round) deletes() bool {
	for i := range r.batches {
		if r.batches[i].Step == store.StepIntent {
			return true
		}
	}
	return false
}

// resumeStored ends a batch of stored things. With all its rows it is told of, if it wasn't; with less of them nobody was told of it, and its things are told
// of anew.
func (p *sweep) resumeStored(ctx context.Context, b store.SweepBatch) error {
	rows := uint64(0)
	err := p.deps.Store.EachStoredOf(ctx, b.ID, func(*store.StoredThing) error { rows++; return nil })
	if err != nil {
		return err
	}
	if rows == b.Things {
		return p.tellStored(ctx, b)
	}
	if rows > 0 {
		if err := p.deps.Store.ForgetStored(ctx, b.ID); err != nil {
			return err
		}
	}
	b.Step, b.Epoch = store.StepGivenUp, p.epoch
	_, err = p.deps.Store.WriteBatch(ctx, b)
	return err
}

const (
	// setsKept and batchesKept are how long it is remembered what batches were about, for those who look into what happened.
	setsKept    = 2 * 24 * time.Hour
	batchesKept = 62 * 24 * time.Hour
	tidyEvery   = time.Hour
)

// tidy forgets old batches, unless some are not ended.
func (p *sweep) tidy(ctx context.Context) error {
	if time.Since(p.tidied) < tidyEvery || len(p.failing) > 0 {
		return nil
	}
	server, err := p.deps.Store.Now(ctx)
	if err != nil {
		return err
	}
	if err := p.deps.Store.TidySweeps(ctx, server.Add(-setsKept), server.Add(-batchesKept)); err != nil {
		return err
	}
	p.tidied = time.Now()
	return nil
}

// dryRun tells what a sweep would do.
func (p *sweep) dryRun(ctx context.Context) error {
	days, err := p.deps.Store.DaysKept(ctx)
	if err != nil {
		return err
	}
	sums := map[ResultLine]*ResultLine{}
	for _, day := range days {
		for _, scope := range store.ScopesOfDay(day) {
			lines, err := p.deps.Store.Outlook(ctx, scope, p.now)
			if err != nil {
				return err
			}
			for _, o := range lines {
				p.count(sums, o)
			}
		}
	}
	for _, line := range sums {
		p.result.Outlook = append(p.result.Outlook, *line)
	}
	sortLines(p.result.Outlook)
	return nil
}

func (p *sweep) count(sums map[ResultLine]*ResultLine, o store.Outlook) {
	if !o.Hidden {
		p.result.Hidden += o.Things
	}
	if o.Held {
		p.result.HeldBack += o.Things
	} else {
		p.result.Purged += o.Things
	}
	key := ResultLine{Class: o.Class, Why: o.Why, Rule: o.RuleID, Hidden: o.Hidden, Held: o.Held}
	line := sums[key]
	if line == nil {
		line = &ResultLine{Class: o.Class, Why: o.Why, Rule: o.RuleID, Hidden: o.Hidden, Held: o.Held, Oldest: o.Oldest}
		sums[key] = line
	}
	line.Things += o.Things
	if o.Oldest.Before(line.Oldest) {
		line.Oldest = o.Oldest
	}
}
