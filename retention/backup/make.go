package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/anteroom/anteroom/retention/journal"
	"github.com/anteroom/anteroom/store"
)

// Region is what backups of a region take.
type Region struct {
	Name string
	// ClickHouse is where its tables are.
	ClickHouse store.Config
	// Destination is where its backups are, with {name}.
	Destination store.Destination
	// Keep is how long a backup is kept.
	Keep time.Duration
	// Version is the program's.
	Version string
	// Positions reads how far the region's ingest has committed.
	Positions func(context.Context) ([]store.Position, error)
	// Checkpoint reads the ledger's. Nil where the ledger can't be read.
	Checkpoint func(context.Context) ([]byte, error)
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Log. Default: none.
	Log *slog.Logger
}

// Destined puts a region's name into a destination.
func Destined(destination, region string) store.Destination {
	return store.Destination(strings.ReplaceAll(destination, "{region}", region))
}

func (r Region) now() time.Time {
	if r.Now == nil {
		return time.Now().UTC().Truncate(time.Microsecond)
	}
	return r.Now().UTC().Truncate(time.Microsecond)
}

func (r Region) log() *slog.Logger {
	if r.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return r.Log
}

// DefaultName is a name for a backup that is made at a moment.
func DefaultName(at time.Time) string { return at.UTC().Format("20060102T150405Z") }

// ErrNoJournal: no process keeps what would be needed to restore.
var ErrNoJournal = errors.New("the region has no journal yet, without which a backup could not be restored: start the role retention for it first")

// Make makes a backup while the service goes on. The region's tables know of it before it begins, and say that it failed if it does.
func Make(ctx context.Context, r Region, name string) (Manifest, error) {
	s, err := store.Open(r.ClickHouse)
	if err != nil {
		return Manifest{}, err //nolint:wrapcheck // the store says what it did
	}
	defer s.Close()
	m, err := r.manifest(ctx, s, name)
	if err != nil {
		return m, err
	}
	found, err := store.BackupExists(ctx, r.ClickHouse, r.Destination, name)
	if err == nil && found {
		err = fmt.Errorf("back up: %w: %s", store.ErrBackupExists, name)
	}
	if err != nil {
		return m, err //nolint:wrapcheck // the store says what it did
	}
	if err := r.forget(ctx, s, name); err != nil {
		return m, err
	}
	text, err := json.Marshal(m)
	if err != nil {
		return m, fmt.Errorf("write manifest: %w", err)
	}
	row := store.Backup{Name: name, StartedAt: m.StartedAt, ExpiresAt: m.ExpiresAt, Step: store.BackupBegun, Manifest: string(text)}
	if err := s.PutBackup(ctx, row); err != nil {
		return m, err //nolint:wrapcheck // the store says what it did
	}
	err = store.BackUp(ctx, r.ClickHouse, r.Destination, name)
	row.Step = store.BackupDone
	if err != nil {
		row.Step = store.BackupFailed
	}
	// Also when it was told to stop: what was copied by then is there.
	telling, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return m, errors.Join(err, s.PutBackup(telling, row))
}

// forget notes of earlier backups of a name, which nobody finds any more, that they are gone: when they expire, the new one would be taken for them.
func (r Region) forget(ctx context.Context, s *store.Store, name string) error {
	backups, err := s.Backups(ctx)
	if err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	for _, b := range backups {
		if b.Name == name && b.Step != store.BackupGone {
			b.Step = store.BackupGone
			if err := s.PutBackup(ctx, b); err != nil {
				return err //nolint:wrapcheck // the store says what it did
			}
		}
	}
	return nil
}

// manifest says all that a restore has to know. What is in it is older than what is in the tables: positions are read first.
func (r Region) manifest(ctx context.Context, s *store.Store, name string) (Manifest, error) {
	m := Manifest{Format: format, Schema: schema, Name: name, Region: r.Name, Database: r.ClickHouse.Database, MadeBy: r.Version, StartedAt: r.now()}
	m.ExpiresAt = m.StartedAt.Add(r.Keep)
	states, err := store.MigrationStatus(ctx, r.ClickHouse)
	if err != nil {
		return m, err //nolint:wrapcheck // the store says what it did
	}
	for _, migration := range states[0].Migrations {
		if migration.Applied {
			m.SchemaVersion = max(m.SchemaVersion, migration.Version)
		}
	}
	if r.ClickHouse.Cluster != "" && !r.ClickHouse.Replicated {
		m.Shards = len(states)
	}
	about, err := journal.Claimed(ctx, s, r.Name)
	if errors.Is(err, store.ErrNotFound) {
		return m, fmt.Errorf("back up region %s: %w", r.Name, ErrNoJournal)
	}
	if err != nil {
		return m, err //nolint:wrapcheck // it says what it did
	}
	m.Journal = about.ID
	if m.Positions, err = r.Positions(ctx); err != nil {
		return m, fmt.Errorf("read how far region %s is ingested: %w", r.Name, err)
	}
	count, highest, err := s.LedgerExtent(ctx)
	if err != nil {
		return m, err //nolint:wrapcheck // the store says what it did
	}
	if count > 0 {
		m.Ledger = highest + 1
	}
	if r.Checkpoint != nil {
		checkpoint, err := r.Checkpoint(ctx)
		if err != nil {
			r.log().WarnContext(ctx, "the ledger's checkpoint is not in the backup's manifest", "region", r.Name, "error", err)
		}
		m.Checkpoint = string(checkpoint)
	}
	return m, nil
}
