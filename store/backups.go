package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Backup is a backup of the region's tables, as the region itself knows of it.
type Backup struct {
	Name string
	// StartedAt is when it began, by the clock of who made it: what was gone by then isn't in it.
	StartedAt time.Time
	// Step is how far it came.
	Step BackupStep
	// ExpiresAt is when it is to be deleted.
	ExpiresAt time.Time
	// Manifest is JSON: what a restore has to know.
	Manifest string
}

// BackupStep is how far a backup came.
type BackupStep string

// A backup that failed may have left files, so only what is gone can't have anything.
const (
	BackupBegun  BackupStep = "begun"
	BackupDone   BackupStep = "done"
	BackupFailed BackupStep = "failed"
	BackupGone   BackupStep = "gone"
)

const backupColumns = "name, started_at, toString(step), expires_at, manifest"

func (b *Backup) scan(scan func(...any) error) error {
	var step string
	err := scan(&b.Name, &b.StartedAt, &step, &b.ExpiresAt, &b.Manifest)
	b.Step, b.StartedAt, b.ExpiresAt = BackupStep(step), b.StartedAt.UTC(), b.ExpiresAt.UTC()
	return err
}

// PutBackup tells of a backup, or how far it came.
func (s *Store) PutBackup(ctx context.Context, b Backup) error {
	batch, err := s.conn.PrepareBatch(clickhouse.Context(ctx, clickhouse.WithSettings(repeated(s.controlSettings("")))), "INSERT INTO backups (name, started_at, step, expires_at, manifest)")
	if err != nil {
		return wrap("put backup", err)
	}
	if err := batch.Append(b.Name, b.StartedAt.UTC(), string(b.Step), b.ExpiresAt.UTC(), b.Manifest); err != nil {
		_ = batch.Abort()
		return fmt.Errorf("put backup: %w", err)
	}
	return wrap("put backup", batch.Send())
}

// Backups lists what is known of backups, also of those that are gone, the newest first.
func (s *Store) Backups(ctx context.Context) ([]Backup, error) {
	var out []Backup
	err := s.scan(s.controlContext(ctx, ""), "list backups", `SELECT `+backupColumns+` FROM (
			SELECT * FROM backups ORDER BY name, started_at, inserted_at DESC LIMIT 1 BY name, started_at
		) ORDER BY started_at DESC, name`, func(rows driver.Rows) error {
		var b Backup
		err := b.scan(rows.Scan)
		out = append(out, b)
		return err
	})
	return out, err
}

// LastBackup is the one that is to be deleted last, of those that may have what was gone at a moment: they began before it, and nobody has found them to
// be gone. Its expiry may be past, if nobody could delete it. The zero moment means any. It fails with ErrNotFound if there is none.
func (s *Store) LastBackup(ctx context.Context, gone time.Time) (Backup, error) {
	all, err := s.Backups(ctx)
	if err != nil {
		return Backup{}, err
	}
	var last Backup
	for _, b := range all {
		if b.Step != BackupGone && (gone.IsZero() || b.StartedAt.Before(gone)) && b.ExpiresAt.After(last.ExpiresAt) {
			last = b
		}
	}
	if last.Name == "" {
		return last, fmt.Errorf("get last backup: %w", ErrNotFound)
	}
	return last, nil
}
