package retention

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/store"
)

// A lock is for good, so that two locked policies that contradict each other must not come to be, also when they are written at once, by two processes: each
// would look before the other is there. So whoever is about to write one announces it first, in a control row of the organisation that one writer at a time
// wins, and looks at what others have announced as well as at what is there.

// kindLocks is the kind of that row, and its id.
const kindLocks = "retention_locks"

const (
	// lockPatience is how long a policy may take to be written after it was announced. After twice that it is there, or won't be.
	lockPatience = 30 * time.Second
	// lockAttempts bounds how often others may be first.
	lockAttempts = 20
)

// announcedLock is a locked policy that is being written.
type announcedLock struct {
	ID     string                    `json:"id"`
	Scope  directory.RetentionScope  `json:"scope"`
	Action directory.RetentionAction `json:"action"`
	At     time.Time                 `json:"at"`
}

// announceLock announces a locked policy that is to take the place of old, and fails like checkLock if it contradicts one that is there or announced.
func (r *Rulebook) announceLock(ctx context.Context, p, old directory.RetentionPolicy, author string) error {
	p = p.WithDefaults()
	for range lockAttempts {
		row, err := r.deps.Home.Get(ctx, kindLocks, p.Org, kindLocks)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err //nolint:wrapcheck // the store says what it did
		}
		var announced []announcedLock
		if err == nil {
			if err := json.Unmarshal(row.Value, &announced); err != nil {
				return fmt.Errorf("read announced locks: version %d is not what it should be", row.Version)
			}
		}
		now := time.Now().UTC()
		announced = slices.DeleteFunc(announced, func(a announcedLock) bool { return now.Sub(a.At) > 2*lockPatience || a.ID == p.ID })
		others := make([]directory.RetentionPolicy, len(announced))
		for i, a := range announced {
			others[i] = directory.RetentionPolicy{ID: a.ID, Org: p.Org, Scope: a.Scope, Action: a.Action, Enabled: true, Locked: true}
		}
		// What was announced longer ago is there by now, and what comes later sees what is announced here.
		if err := r.checkLock(ctx, p, old, others...); err != nil {
			return err
		}
		value, err := json.Marshal(append(announced, announcedLock{p.ID, p.Scope, p.Action, now}))
		if err != nil {
			return fmt.Errorf("announce lock: %w", err)
		}
		_, err = r.deps.Home.Put(ctx, store.Control{Kind: kindLocks, Org: p.Org, ID: kindLocks, Value: value, Author: author}, row.Version)
		if !errors.Is(err, store.ErrConflict) {
			return err //nolint:wrapcheck // the store says what it did
		}
	}
	return fmt.Errorf("announce lock: %w: too many do so at once", store.ErrConflict)
}
