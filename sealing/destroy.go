package sealing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/anteroom/anteroom/store"
)

// destroyDone destroys the keys that can't be sealed to any more and whose text is all ingested, and marks the rows of keys that are gone.
//
// A key is withdrawn first, and destroyed when it has been withdrawn for the slack: so a clock that runs ahead, or was turned forward, takes no
// key that others still seal to; it takes them the key, which they notice before anything is lost.
func (k *Keeper) destroyDone(ctx context.Context, now time.Time, rows map[string]publishedKey) error {
	var errs []error
	ended := k.oldestFirst()
	if i := slices.IndexFunc(ended, func(held *key) bool { return now.Before(held.end.Add(k.cfg.Slack)) }); i >= 0 {
		ended = ended[:i]
	}
	for _, held := range ended {
		if err := k.withdraw(ctx, held, rows); err != nil && !errors.Is(err, store.ErrConflict) { // then another node does it, which the next look sees
			errs = append(errs, err)
		}
	}
	for _, held := range ended {
		withdrawn, known := k.over[held.id]
		if !known || now.Sub(withdrawn) < k.cfg.Slack {
			continue
		}
		ingested, err := k.deps.Progress.Ingested(ctx, withdrawn.Add(k.cfg.Slack))
		if err != nil {
			errs = append(errs, fmt.Errorf("ask what is ingested: %w", err))
			break
		}
		if !ingested {
			break // nor is what was sealed later
		}
		if err := k.folder.destroy(keyName(held.start)); err != nil {
			errs = append(errs, err)
			continue
		}
		k.forget(held)
		k.metrics.destroyed.Inc()
		k.deps.Log.InfoContext(ctx, "a key was destroyed", "region", k.region, "key", held.id)
	}
	for _, p := range rows {
		if err := k.markGone(ctx, now, p); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// withdraw tells media not to seal to a key any more, and notes since when this process has known that they have been told.
func (k *Keeper) withdraw(ctx context.Context, held *key, rows map[string]publishedKey) error {
	if _, known := k.over[held.id]; known {
		return nil
	}
	for slot, p := range rows {
		if p.ID != held.id || p.Withdrawn {
			continue
		}
		p.Withdrawn = true
		stored, err := k.put(ctx, p)
		if err != nil {
			return err
		}
		rows[slot] = stored
	}
	k.over[held.id] = k.deps.Now()
	return nil
}

func (k *Keeper) oldestFirst() []*key {
	k.mu.Lock()
	defer k.mu.Unlock()
	list := make([]*key, 0, len(k.keys))
	for _, held := range k.keys {
		list = append(list, held)
	}
	slices.SortFunc(list, func(a, b *key) int { return a.end.Compare(b.end) })
	return list
}

func (k *Keeper) forget(held *key) {
	delete(k.over, held.id)
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.keys, held.id)
	k.noteGone(held.id)
}

// noteGone remembers a destroyed key. The lock is held.
func (k *Keeper) noteGone(id string) {
	if len(k.gone) >= maxGone {
		clear(k.gone)
	}
	k.gone[id] = true
}

// markGone marks the row of a key whose file is gone: destroyed here or by another node, or by a process that was killed before it could mark it.
func (k *Keeper) markGone(ctx context.Context, now time.Time, p publishedKey) error {
	if now.Before(p.End.Add(k.cfg.Slack)) {
		return nil
	}
	lost := slices.Contains(k.cfg.LostFolders, p.Folder)
	if p.Folder != k.folder.id && !lost {
		return nil // whether it is gone isn't seen from here
	}
	if p.Folder == k.folder.id {
		if _, err := k.folder.load(keyName(p.Start)); !gone(err) {
			return nil
		}
	}
	if err := k.delete(ctx, p); err != nil {
		return err
	}
	if lost {
		k.deps.Log.WarnContext(ctx, "a key of a lost folder was given up, and with it what was sealed to it", slog.String("region", k.region), slog.String("key", p.ID))
	}
	return nil
}
