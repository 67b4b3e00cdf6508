package backup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/store"
)

// Overdue is a backup that has expired and is still there.
type Overdue struct {
	Name      string    `json:"name"`
	ExpiresAt time.Time `json:"expires_at"`
	// Reason why it is.
	Reason string `json:"reason"`
}

// Pruned is what became of expired backups.
type Pruned struct {
	Region  string    `json:"region"`
	Gone    []string  `json:"gone"`
	Overdue []Overdue `json:"overdue"`
}

// OverdueGauge is the metric of how many backups of a region are so.
func OverdueGauge(region string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "anteroom_backups_overdue", Help: "Backups that have expired and are still there.", ConstLabels: prometheus.Labels{"region": region},
	})
}

// Prune sees to it that backups that have expired are gone. ClickHouse has no statement that deletes a backup: remove does, where backups are files of this
// machine (nil: they aren't), else whoever owns the destination has to, by a lifecycle rule for instance. In any case ClickHouse is asked whether it
// still finds the backup before that is called gone; until then reports name it.
func Prune(ctx context.Context, r Region, remove func(name string) error) (Pruned, error) {
	out := Pruned{Region: r.Name, Gone: []string{}, Overdue: []Overdue{}}
	s, err := store.Open(r.ClickHouse)
	if err != nil {
		return out, err //nolint:wrapcheck // the store says what it did
	}
	defer s.Close()
	backups, err := s.Backups(ctx)
	if err != nil {
		return out, err //nolint:wrapcheck // the store says what it did
	}
	now := r.now()
	var errs []error
	for _, b := range backups {
		if b.Step == store.BackupGone || b.ExpiresAt.After(now) {
			continue
		}
		reason, err := r.prune(ctx, s, b, remove)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("backup %s: %w", b.Name, err))
			out.Overdue = append(out.Overdue, Overdue{b.Name, b.ExpiresAt, err.Error()})
		case reason != "":
			out.Overdue = append(out.Overdue, Overdue{b.Name, b.ExpiresAt, reason})
		default:
			out.Gone = append(out.Gone, b.Name)
			r.log().InfoContext(ctx, "an expired backup is gone", "region", r.Name, "backup", b.Name, "expired_at", b.ExpiresAt)
		}
	}
	return out, errors.Join(errs...)
}

// prune deletes one backup, and tells why it is still there if it is.
func (r Region) prune(ctx context.Context, s *store.Store, b store.Backup, remove func(name string) error) (string, error) {
	if r.Destination == "" {
		return "backup.destination is not configured, so nobody can look for it", nil
	}
	if remove != nil {
		if err := remove(b.Name); err != nil {
			return "", err
		}
	}
	found, err := store.BackupExists(ctx, r.ClickHouse, r.Destination, b.Name)
	if err != nil {
		return "", err //nolint:wrapcheck // the store says what it did
	}
	if found {
		return "ClickHouse still finds it, and can't delete it: delete it where it lies", nil
	}
	b.Step = store.BackupGone
	return "", s.PutBackup(ctx, b) //nolint:wrapcheck // the store says what it did
}
