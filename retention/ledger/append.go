package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"k8s.io/klog/v2"

	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
)

const (
	// overlap is how far back a look at the outbox goes: leaves get their time from the server, and may become visible a little later.
	overlap = 10 * time.Minute
	// partRows is how many leaves of the outbox one part of a look at all of it has, about.
	partRows = 500_000
	// recordRows is how many entries are written at once.
	recordRows = 4096
	// publishLook is how often it is looked for a checkpoint that is to come.
	publishLook = 50 * time.Millisecond
	// closePatience is how long the end of the appender is waited for. What isn't published then is at the next start.
	closePatience = 2 * time.Second
	maxWait       = 30 * time.Second
)

var (
	// ErrShort: the log is shorter than the entries say.
	ErrShort = errors.New("the log in the folder is shorter than what the region's tables know of it: bring back the newest copy of the folder")
	// ErrForked: an entry says that the log has another leaf at its place.
	ErrForked = errors.New("the log in the folder has another leaf than the region's tables know")
)

// RouteLogs sends what tessera logs to a log of ours. It is for the whole process, so main calls it, once.
func RouteLogs(log *slog.Logger) { klog.SetSlogLogger(log) }

// appender is an open log.
type appender struct {
	add    tessera.AddFn
	reader tessera.LogReader
}

// Run appends what comes into the outbox until the context ends. While another process has the folder, it waits for that one's end, however it ends. It
// fails with ErrOther, ErrShort or ErrForked, all of which need a person; everything else is tried again.
func (l *Ledger) Run(ctx context.Context) error {
	if l.deps.Store == nil {
		return errors.New("run ledger: no store")
	}
	lock, err := l.standBy(ctx)
	if lock == nil {
		return err
	}
	defer lock.Close()
	a, stop, err := l.openLog(ctx)
	if err != nil {
		return err
	}
	defer stop()
	return l.run(ctx, a)
}

// lockLook is how often one that waits looks whether it may append.
const lockLook = time.Second

// standBy waits until nobody else appends, and takes the right to. Without an error and a lock, the context has ended.
func (l *Ledger) standBy(ctx context.Context) (*os.File, error) {
	for told := false; ; {
		lock, err := l.folder.lock()
		switch {
		case err == nil && told:
			l.deps.Log.InfoContext(ctx, "this process appends to the ledger now", slog.String("region", l.region))
			return lock, nil
		case !errors.Is(err, ErrLocked):
			return lock, err
		case !told:
			told = true
			l.deps.Log.InfoContext(ctx, "another process appends to the ledger, and this one waits until it ends", slog.String("region", l.region), slog.Any("because", err))
		}
		select {
		case <-ctx.Done():
			return nil, nil //nolint:nilnil // told to stop
		case <-time.After(lockLook):
		}
	}
}

func (l *Ledger) run(ctx context.Context, a *appender) error {
	ready := false
	wait := l.cfg.PollInterval
	for {
		more, err := false, error(nil)
		if !ready {
			if err = l.begin(ctx, a); err == nil {
				ready = true
			}
		}
		if ready {
			more, err = l.pass(ctx, a)
		}
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // told to stop
		case errors.Is(err, ErrOther), errors.Is(err, ErrShort), errors.Is(err, ErrForked):
			return fmt.Errorf("run ledger of %s: %w", l.region, err)
		case err != nil:
			// What became of the leaves that were on their way is in the log: that is looked at again before anything else.
			ready = false
			wait = min(2*wait, maxWait)
			l.metrics.failures.Inc()
			l.deps.Log.WarnContext(ctx, "ledger can't go on", slog.String("region", l.region), slog.Any("error", err), slog.Duration("next_try_in", wait))
		case more:
			continue
		default:
			wait = l.cfg.PollInterval
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// openLog opens the log for appending. What it starts ends some time after the function that it returns was called, which waits for the last
// checkpoint; the log's own locks keep what comes after apart from it.
func (l *Ledger) openLog(ctx context.Context) (*appender, func(), error) {
	driver, err := posix.New(ctx, posix.Config{Path: filepath.Join(l.folder.path, logFolder)})
	if err != nil {
		return nil, nil, fmt.Errorf("open log: %w", err)
	}
	options := tessera.NewAppendOptions().WithCheckpointSigner(l.signer).WithBatching(uint(l.cfg.Batch), 10*time.Millisecond).
		WithCheckpointInterval(l.cfg.CheckpointInterval).WithCheckpointRepublishInterval(0)
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	opened, shutdown, reader, err := tessera.NewAppender(background, driver, options)
	if err != nil {
		cancel()
		return nil, nil, fmt.Errorf("open log: %w", err)
	}
	return &appender{opened.Add, reader}, func() {
		patience, done := context.WithTimeout(background, closePatience)
		defer done()
		if err := shutdown(patience); err != nil {
			l.deps.Log.WarnContext(background, "last checkpoint was not waited for", slog.String("region", l.region), slog.Any("error", err))
		}
		cancel()
	}, nil
}

// begin makes sure that log and tables are each other's, and catches up with the log's tail: leaves that an earlier process appended without noting
// them. Nothing may be appended before.
func (l *Ledger) begin(ctx context.Context, a *appender) error {
	if err := l.claim(ctx); err != nil {
		return err
	}
	size, err := a.reader.IntegratedSize(ctx)
	if err != nil {
		return fmt.Errorf("measure log: %w", err)
	}
	count, highest, err := l.deps.Store.LedgerExtent(ctx)
	if err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	switch {
	case count > 0 && highest >= size:
		return fmt.Errorf("%w (%d leaves, and an entry for index %d)", ErrShort, size, highest)
	case count > 0 && highest+1 == count:
		l.recorded = count
	default: // none, or some are missing
		l.recorded = 0
	}
	if err := l.sameTail(ctx, size); err != nil {
		return err
	}
	if err := l.await(ctx, size); err != nil {
		return err
	}
	l.since, l.older, l.seen = time.Time{}, 0, 0
	return l.record(ctx)
}

// sameTail compares the newest entry with the log.
func (l *Ledger) sameTail(ctx context.Context, size uint64) error {
	if l.recorded == 0 {
		return nil
	}
	at := l.recorded - 1
	var have proof.Hash
	err := l.eachLeaf(ctx, at, at+1, size, func(_ uint64, leaf []byte) error {
		have = proof.LeafHash(leaf)
		return nil
	})
	if err != nil {
		return err
	}
	return l.deps.Store.EachLedgerEntry(ctx, at, func(e store.LedgerEntry) error { //nolint:wrapcheck // the store says what it did
		if e.Index == at && proof.Hash(e.LeafHash) != have {
			return fmt.Errorf("%w, at index %d", ErrForked, at)
		}
		return nil
	})
}

// pass appends what waits, as far as one look finds it, waits until it is published, and notes it. more: there may be more of it.
func (l *Ledger) pass(ctx context.Context, a *appender) (more bool, err error) {
	waiting, err := l.waiting(ctx)
	if err != nil || len(waiting) == 0 {
		return false, err
	}
	l.metrics.waiting.Set(float64(len(waiting)))
	l.metrics.oldest.Set(float64(waiting[0].InsertedAt.Unix()))
	size, appended := uint64(0), 0
	for batch := range slices.Chunk(waiting, l.cfg.Batch) {
		to, n, err := l.append(ctx, a, batch)
		if err != nil {
			return false, err
		}
		size, appended = max(size, to), appended+n
	}
	if err := l.await(ctx, size); err != nil {
		return false, err
	}
	if err := l.record(ctx); err != nil {
		return false, err
	}
	l.metrics.appended.Add(float64(appended))
	l.metrics.waiting.Set(0)
	l.metrics.oldest.Set(0)
	return true, nil
}

// append appends a batch, which the journal has by then. size is that of the log with it.
func (l *Ledger) append(ctx context.Context, a *appender, batch []store.OutboxLeaf) (size uint64, appended int, err error) {
	if l.deps.Journal != nil {
		if err := l.deps.Journal.Leaves(ctx, batch); err != nil {
			return 0, 0, fmt.Errorf("keep leaves in the journal: %w", err)
		}
	}
	futures := make([]tessera.IndexFuture, 0, len(batch))
	for i := range batch {
		text, err := l.prepare(&batch[i])
		if err != nil {
			l.refuse(ctx, batch[i].ID, err)
			continue
		}
		futures = append(futures, a.add(ctx, tessera.NewEntry(text)))
	}
	for _, future := range futures {
		at, e := future()
		err = errors.Join(err, e)
		size = max(size, at.Index+1)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("append leaves: %w", err)
	}
	return size, len(futures), nil
}

// prepare makes of a leaf in the outbox the leaf in the log.
func (l *Ledger) prepare(from *store.OutboxLeaf) ([]byte, error) {
	leaf, err := proof.ParseLeaf(from.Leaf)
	switch {
	case err != nil:
		return nil, err //nolint:wrapcheck // it says what it read
	case leaf.Schema != proof.Schema:
		return nil, fmt.Errorf("schema is %d", leaf.Schema)
	case leaf.Region != l.region:
		return nil, errors.New("it is of another region")
	case leaf.ID != from.ID:
		return nil, errors.New("its id is another one than it was put under")
	}
	leaf = l.inLog(leaf)
	text, err := leaf.Canonical()
	if err == nil && len(text) > tessera.DefaultEntrySizeLimit {
		err = errors.New("it is too large")
	}
	return text, err //nolint:wrapcheck // it says what it did
}

// refuse leaves a leaf where it is. Whoever puts leaves has them made by package proof, so this is a mistake of the program.
func (l *Ledger) refuse(ctx context.Context, id string, reason error) {
	if !l.refused[id] {
		l.refused[id] = true
		l.metrics.refused.Inc()
		l.deps.Log.ErrorContext(ctx, "leaf can't be appended", slog.String("region", l.region), slog.String("leaf", id), slog.Any("error", reason))
	}
}

// await waits until a checkpoint covers a size.
func (l *Ledger) await(ctx context.Context, size uint64) error {
	look := time.NewTicker(publishLook)
	defer look.Stop()
	for {
		published, err := l.Published(ctx)
		switch {
		case err == nil && published.Size >= size:
			l.metrics.size.Set(float64(published.Size))
			return nil
		case err != nil && !errors.Is(err, ErrNoCheckpoint):
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("await checkpoint: %w", ctx.Err())
		case <-look.C:
		}
	}
}

// record writes the entries of all leaves that are published and have none yet, as the log has them.
func (l *Ledger) record(ctx context.Context) error {
	published, err := l.Published(ctx)
	if err != nil {
		return err
	}
	now := l.deps.Now().UTC()
	entries := make([]store.LedgerEntry, 0, min(published.Size-l.recorded, recordRows))
	write := func() error {
		if len(entries) == 0 {
			return nil
		}
		if err := l.deps.Store.PutLedgerEntries(ctx, entries); err != nil {
			return err //nolint:wrapcheck // the store says what it did
		}
		l.recorded += uint64(len(entries))
		entries = entries[:0]
		return nil
	}
	err = l.eachLeaf(ctx, l.recorded, published.Size, published.Size, func(index uint64, text []byte) error {
		leaf, err := proof.ParseLeaf(text)
		if err != nil {
			return fmt.Errorf("leaf at index %d: %w", index, err)
		}
		entries = append(entries, store.LedgerEntry{ID: leaf.ID, Index: index, LeafHash: proof.LeafHash(text), PublishedAt: now})
		if len(entries) == recordRows {
			return write()
		}
		return nil
	})
	return errors.Join(err, write())
}
