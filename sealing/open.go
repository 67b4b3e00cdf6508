package sealing

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// Open gives what was sealed to a key of the region about something. It fails with
//
//   - ErrDestroyed: the key is gone for good;
//   - ErrAltered: the text, or what it is about, is not what was sealed;
//   - ErrNoKey: the region never published such a key, or forgot it, a month after it was destroyed;
//   - anything else, ErrElsewhere among it: try again.
//
// Errors never quote what was sealed.
func (k *Keeper) Open(ctx context.Context, keyID string, about, sealed []byte) ([]byte, error) {
	text, err := k.open(ctx, keyID, about, sealed)
	k.metrics.opened(err)
	return text, err
}

func (k *Keeper) open(ctx context.Context, keyID string, about, sealed []byte) ([]byte, error) {
	start, ok := startOf(k.region, keyID)
	if !ok {
		return nil, ErrNoKey
	}
	held, destroyed := k.held(keyID)
	switch {
	case held != nil:
		return open(held.private, about, sealed)
	case destroyed:
		return nil, ErrDestroyed
	}
	// Another node may have made it since this one looked.
	loaded, err := k.folder.load(keyName(start))
	switch {
	case err == nil && loaded.id == keyID:
		k.take(loaded)
		return open(loaded.private, about, sealed)
	case err != nil && !gone(err):
		return nil, err
	}
	return nil, k.fate(ctx, keyID, start)
}

func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) }

func (k *Keeper) held(id string) (held *key, destroyed bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keys[id], k.gone[id]
}

func (k *Keeper) take(loaded *key) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys[loaded.id] = loaded
}

// fate is the error for a key whose file isn't there, by the history of the slots that it can have had.
func (k *Keeper) fate(ctx context.Context, id string, start time.Time) error {
	fate := ErrNoKey
	for lap := 0; ; lap++ {
		versions, err := k.deps.Home.History(ctx, Kind, "", slotName(k.region, start, lap))
		if err != nil {
			return fmt.Errorf("read history of keys: %w", err)
		}
		if len(versions) == 0 { // a lap begins only where all of before are taken
			break
		}
		for i, c := range versions {
			if p, err := parseRow(c); c.Deleted || err != nil || p.ID != id {
				continue
			}
			if i+1 == len(versions) {
				return ErrElsewhere
			}
			fate = ErrDestroyed
		}
	}
	if errors.Is(fate, ErrDestroyed) {
		k.mu.Lock()
		k.noteGone(id)
		k.mu.Unlock()
	}
	return fate
}
