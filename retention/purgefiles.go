package retention

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/store"
)

// deleteFiles deletes recordings, each after a look at whether it is held.
func (p *sweep) deleteFiles(ctx context.Context, r *round) (store.Remains, error) {
	for i := range r.batches {
		b := &r.batches[i]
		var things []store.SetThing
		err := p.deps.Store.EachToDelete(ctx, b.ID, func(t *store.SetThing) error {
			things = append(things, *t)
			return nil
		})
		if err != nil {
			return store.RemainsNone, err
		}
		var held []store.SetThing
		for j := range things {
			t := &things[j]
			kept, err := p.deleteFile(ctx, t)
			if errors.Is(err, errStale) {
				return failStale, nil
			}
			if err != nil {
				return failFiles, err
			}
			if kept {
				held = append(held, *t)
			}
		}
		if err := p.deps.Store.TakeOut(ctx, b.ID, b.Begun, p.epoch, held); err != nil {
			return store.RemainsNone, err
		}
	}
	return store.RemainsNone, nil
}

// errStale: the region's decisions are too old to delete by.
var errStale = errors.New("decisions are not up to date")

// deleteFile deletes a recording and tells whether it is kept instead, for a hold.
func (p *sweep) deleteFile(ctx context.Context, t *store.SetThing) (kept bool, err error) {
	if err := p.stillLeads(ctx); err != nil {
		return false, err
	}
	if fresh, err := p.fresh(ctx); err != nil || !fresh {
		return false, errors.Join(err, errStale)
	}
	held, err := p.deps.Store.HeldNow(ctx, t.Org, t.MeetingID, t.Class, t.ResourceID)
	if err != nil || held {
		return held, err
	}
	// Of a call that is none of ours there are no files.
	if call, ours := uuid.Parse(t.CallID); ours == nil {
		if err := p.deps.Files.Delete(ctx, t.Org, call, t.ItemID); err != nil {
			return false, fmt.Errorf("delete a recording: %w", err)
		}
	}
	return false, nil
}
