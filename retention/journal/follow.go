package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
)

const (
	// pollEvery is how long a change of a control row may wait until it is looked for.
	pollEvery = 500 * time.Millisecond
	// pruneEvery is the pause between two looks for files that no backup needs.
	pruneEvery = time.Hour
	// startOverlap is how far back the first look of a process goes, and overlap each one after: rows get their time before they can be read. No insert takes
	// longer.
	startOverlap = 10 * time.Minute
	overlap      = 2 * time.Minute
	// hiddenOverlap is shorter: who hides waits until its rows can be read, so only the clocks of a cluster's nodes may differ.
	hiddenOverlap = 5 * time.Second
	// ahead is how far beyond the server's clock rows are looked for: other nodes' clocks may be ahead.
	ahead   = time.Second
	maxWait = 30 * time.Second
)

// tail is how far a table has been followed.
type tail struct {
	// Mark is the server's time up to which its rows are in the journal.
	Mark time.Time `json:"mark"`
	// looked tells that this process has looked once, seen has digests of the rows of the last look's overlap, and when they were seen first.
	looked bool
	seen   map[uint64]time.Time
	// last is what the last look saw.
	last store.Looked
}

// from is the moment from which on rows are looked for.
func (t *tail) from(begins time.Time, overlap time.Duration) time.Time {
	switch {
	case t.Mark.IsZero():
		return begins.Add(-startOverlap)
	case !t.looked:
		return t.Mark.Add(-startOverlap)
	}
	return t.Mark.Add(-overlap)
}

// followed are the tables that are looked at by time.
func followed() []string { return []string{"control", "backups", "attendance"} }

// hiddenTable is looked at when the sweep says so.
const hiddenTable = "hidden"

func (j *Journal) readMarks() (map[string]tail, error) {
	marks := map[string]tail{}
	text, err := os.ReadFile(filepath.Join(j.dir, marksFile))
	if errors.Is(err, fs.ErrNotExist) {
		return marks, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &marks)
	}
	if err != nil {
		return nil, fmt.Errorf("read journal: %s: %w", marksFile, err)
	}
	return marks, nil
}

// Run follows control rows, backups and attendance, and removes files that no backup needs, until the context ends. What fails is tried again, and told by
// Check.
func (j *Journal) Run(ctx context.Context) error {
	failures, pruned := 0, time.Time{}
	for {
		err := j.Follow(ctx)
		if err == nil && j.deps.Now().Sub(pruned) >= pruneEvery {
			pruned = j.deps.Now()
			err = j.pruneUnneeded(ctx)
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to stop
		}
		j.trouble.Store(&err)
		wait := pollEvery
		if err != nil {
			j.metrics.failures.Inc()
			failures++
			wait = min(pollEvery<<min(failures, 6), maxWait)
			j.deps.Log.WarnContext(ctx, "the journal can't follow", "region", j.deps.Region, "error", err, "next_try_in", wait)
		} else {
			failures = 0
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// Check tells why the journal can't follow; nil if it does.
func (j *Journal) Check() error {
	if err := j.trouble.Load(); err != nil {
		return *err
	}
	return nil
}

// Follow takes over what was put into the tables that are followed, once.
func (j *Journal) Follow(ctx context.Context) error {
	if !j.claimed.Load() {
		if err := j.claim(ctx); err != nil {
			return err
		}
		j.claimed.Store(true)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	since := map[string]time.Time{}
	for _, table := range followed() {
		t := j.tails[table]
		since[table] = t.from(j.about.Begins, overlap)
	}
	now, looks, err := j.deps.Store.LookSince(ctx, since, ahead)
	if err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	for _, table := range followed() {
		if t := j.tails[table]; t.looked && t.last == looks[table] {
			err = j.mark(table, t.next(now, overlap), false)
		} else {
			err = j.follow(ctx, table, since[table], now, overlap, looks[table])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Hidden takes over what was hidden. When it returns nil, what the caller has hidden before is on disk.
func (j *Journal) Hidden(ctx context.Context) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	now, err := j.deps.Store.Now(ctx)
	if err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	t := j.tails[hiddenTable]
	return j.follow(ctx, hiddenTable, t.from(j.about.Begins, hiddenOverlap), now, hiddenOverlap, store.Looked{})
}

// follow appends the rows of a table that came since the last look. The caller holds mu.
func (j *Journal) follow(ctx context.Context, table string, from, now time.Time, overlap time.Duration, seen store.Looked) error {
	t := j.tails[table]
	next := t.next(now, overlap)
	next.last = seen
	written := false
	err := j.deps.Store.CopySince(ctx, table, from, now.Add(ahead), func(rows store.RowText) error {
		fresh := next.unseen(rows, now)
		written = written || fresh.Rows > 0
		return j.write(fresh)
	})
	if err == nil && written {
		err = j.sync()
	}
	if err != nil {
		return err
	}
	return j.mark(table, next, written)
}

// mark notes how far a table was followed, on disk if rows were written, and now and then. The caller holds mu.
func (j *Journal) mark(table string, next tail, written bool) error {
	j.tails[table] = next
	if !written && next.Mark.Sub(j.saved) < overlap {
		return nil // an older mark only means that more is looked at again
	}
	j.saved = next.Mark
	return writeFile(j.dir, marksFile, j.tails, false)
}

// next is the tail after a look at a time.
func (t *tail) next(now time.Time, overlap time.Duration) tail {
	next := tail{Mark: now, looked: true, seen: map[uint64]time.Time{}, last: t.last}
	for digest, at := range t.seen {
		if at.After(now.Add(-overlap - time.Second)) {
			next.seen[digest] = at
		}
	}
	return next
}

var seed = maphash.MakeSeed()

// unseen are the rows that weren't there at the last look.
func (t *tail) unseen(rows store.RowText, now time.Time) store.RowText {
	fresh := store.RowText{Table: rows.Table, Columns: rows.Columns}
	for line := range bytes.Lines(rows.Text) {
		digest := maphash.Bytes(seed, line)
		if _, known := t.seen[digest]; known {
			continue
		}
		t.seen[digest] = now
		fresh.Rows++
		fresh.Text = append(fresh.Text, line...)
	}
	return fresh
}

// Leaves takes over leaves that are about to be appended to the ledger, with the rows that leaves of batches were made of. When it returns nil they are on
// disk.
func (j *Journal) Leaves(ctx context.Context, leaves []store.OutboxLeaf) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	ids := make([]string, len(leaves))
	for i := range leaves {
		leaf := &leaves[i]
		ids[i] = leaf.ID
		if err := j.batch(ctx, leaf); err != nil {
			return err
		}
	}
	if err := j.deps.Store.CopyLeaves(ctx, ids, j.write); err != nil {
		return err //nolint:wrapcheck // it says what it did
	}
	return j.sync()
}

// batch takes over what the leaf of a batch was made of. The caller holds mu.
func (j *Journal) batch(ctx context.Context, leaf *store.OutboxLeaf) error {
	parsed, err := proof.ParseLeaf(leaf.Leaf)
	if err != nil {
		return nil //nolint:nilerr // the ledger refuses it, and says so
	}
	table := map[proof.LeafType]string{proof.LeafStored: "stored_things", proof.LeafDeleted: "evidence"}[parsed.Type]
	batch, err := uuid.Parse(leaf.ID)
	if table == "" || err != nil {
		return nil //nolint:nilerr // of no batch
	}
	found := uint64(0)
	err = j.deps.Store.CopyBatch(ctx, table, batch, func(rows store.RowText) error {
		found += uint64(rows.Rows) //nolint:gosec // a count
		return j.write(rows)
	})
	if err == nil && found < uint64(parsed.Count) {
		// On replicas they may be on their way.
		err = fmt.Errorf("leaf %s: table %s has %d of %d rows so far", leaf.ID, table, found, parsed.Count)
	}
	return err
}

// claimKind is the control row, in the region's own database and under its name, that says which journal is the region's: a backup notes it, since only with
// that journal it can be restored.
const claimKind = "journal"

// claim tells the region's tables of this journal.
func (j *Journal) claim(ctx context.Context) error {
	about := j.About()
	mine, err := json.Marshal(about)
	if err != nil {
		return fmt.Errorf("claim journal: %w", err)
	}
	row, err := j.deps.Store.Get(ctx, claimKind, "", j.deps.Region)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err //nolint:wrapcheck // the store says what it did
	}
	var theirs About
	if err == nil && json.Unmarshal(row.Value, &theirs) == nil && theirs.ID == about.ID {
		return nil
	}
	if err == nil {
		j.deps.Log.WarnContext(ctx, "the region has a new journal: backups that were made with the old one can be restored with that only",
			"region", j.deps.Region, "old", theirs.ID, "new", about.ID)
	}
	_, err = j.deps.Store.Put(ctx, store.Control{Kind: claimKind, ID: j.deps.Region, Value: mine, Author: "journal"}, row.Version)
	return err //nolint:wrapcheck // the store says what it did
}

// Claimed is the journal that a region's tables know; store.ErrNotFound if they know none.
func Claimed(ctx context.Context, s *store.Store, region string) (About, error) {
	var a About
	row, err := s.Get(ctx, claimKind, "", region)
	if err != nil {
		return a, err //nolint:wrapcheck // the store says what it did
	}
	if err := json.Unmarshal(row.Value, &a); err != nil {
		return a, fmt.Errorf("read claim of journal: %w", err)
	}
	return a, nil
}

// pruneUnneeded removes what all kept backups have: of no backup nothing is needed, since the next one has all that is there by then.
func (j *Journal) pruneUnneeded(ctx context.Context) error {
	backups, err := j.deps.Store.Backups(ctx)
	if err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	now := j.deps.Now()
	oldest := now
	for _, b := range backups {
		if b.Step != store.BackupGone && b.ExpiresAt.After(now) && b.StartedAt.Before(oldest) {
			oldest = b.StartedAt
		}
	}
	// Clocks of whoever makes backups may differ.
	return j.Prune(ctx, oldest.Add(-time.Hour))
}
