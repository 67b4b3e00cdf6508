package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/ingest"
	"github.com/anteroom/anteroom/internal/config"
	"github.com/anteroom/anteroom/retention/backup"
	"github.com/anteroom/anteroom/retention/journal"
	"github.com/anteroom/anteroom/store"
)

// pruneBackupsEvery is the pause between two looks for backups that have expired.
const pruneBackupsEvery = time.Hour

// backupFolder is where `anteroom run` keeps backups.
func backupFolder(cfg config.Config) string {
	folder := cfg.Backup.Folder
	if folder == "" {
		folder = filepath.Join(cfg.Embedded.Data, "backups")
	}
	if absolute, err := filepath.Abs(folder); err == nil {
		return absolute
	}
	return folder
}

// backupDestination is where a region's backups lie: in the folder, unless another place is configured. "" if none is known.
func backupDestination(cfg config.Config, region string, embedded bool) store.Destination {
	if cfg.Backup.Destination == "" && embedded {
		return store.Destination("File('" + filepath.Join(backupFolder(cfg), region) + "/{name}')")
	}
	return backup.Destined(cfg.Backup.Destination, region)
}

// backupRegion is what backups of a region take. embedded: its ClickHouse is that of `anteroom run`.
func (s *service) backupRegion(r *regionRuntime, embedded bool) backup.Region {
	out := backup.Region{
		Name: r.name, Destination: backupDestination(s.cfg, r.name, embedded), Keep: s.cfg.Backup.Keep, Version: programVersion(),
		Log: s.log.With("room", "backup"),
	}
	for _, region := range s.cfg.AllRegions() {
		if region.Name == r.name {
			out.ClickHouse = region.ClickHouse
		}
	}
	if l := s.ledgers[r.name]; l != nil {
		out.Checkpoint = l.Checkpoint
	}
	return out
}

// removeBackup deletes a region's backup where backups are files of this machine; nil where they aren't.
func removeBackup(cfg config.Config, region string, embedded bool) func(name string) error {
	if !embedded || cfg.Backup.Destination != "" {
		return nil
	}
	return func(name string) error {
		if !filepath.IsLocal(name) || filepath.Base(name) != name {
			return fmt.Errorf("%q is no backup's name", name)
		}
		return os.RemoveAll(filepath.Join(backupFolder(cfg), region, name))
	}
}

// startPruning deletes a region's backups when they have expired.
func (s *service) startPruning(r *regionRuntime) error {
	overdue := backup.OverdueGauge(r.name)
	if err := s.metrics.Register(overdue); err != nil {
		return err
	}
	s.app.Go("backups"+r.suffix(), func(ctx context.Context) error {
		for {
			pruned, err := backup.Prune(ctx, s.backupRegion(r, s.development), removeBackup(s.cfg, r.name, s.development))
			if ctx.Err() != nil {
				return nil //nolint:nilerr // told to stop
			}
			overdue.Set(float64(len(pruned.Overdue)))
			if err != nil {
				s.log.WarnContext(ctx, "expired backups could not be looked at", "region", r.name, "error", err)
			}
			for _, o := range pruned.Overdue {
				s.log.WarnContext(ctx, "a backup has expired and is still there", "region", r.name, "backup", o.Name, "expired_at", o.ExpiresAt, "reason", o.Reason)
			}
			if !pause(ctx, pruneBackupsEvery) {
				return nil
			}
		}
	})
	return nil
}

// journalFolder is where a region's journal is: beside its ledger.
func journalFolder(cfg config.Config, region string) string {
	return filepath.Join(cfg.Ledger.Dir, region, "journal")
}

// openJournal opens a region's journal and has it follow the tables.
func (s *service) openJournal(r *regionRuntime) (*journal.Journal, error) {
	j, err := journal.Open(journalFolder(s.cfg, r.name), journal.Deps{Store: r.store, Region: r.name, Log: s.log.With("room", "journal"), Metrics: s.metrics})
	if err != nil {
		return nil, fmt.Errorf("region %s: %w", r.name, err)
	}
	s.app.OnStop("journal"+r.suffix(), func(context.Context) error { return j.Close() })
	s.app.Go("journal follower"+r.suffix(), j.Run)
	s.app.OnSideCheck("journal"+r.suffix(), func(context.Context) error { return j.Check() })
	return j, nil
}

// regionIngest makes a region's ingest without what it does for others: its groups and what they have committed are what backups are about. It is not
// started.
func (s *service) regionIngest(r *regionRuntime) (*ingest.Service, error) {
	deps := ingest.Deps{
		Kafka: r.kafka, Store: r.store, Keys: s.keys, Chat: r.keeper, Log: s.log.With("room", "ingest", "region", r.name), Metrics: prometheus.NewRegistry(),
	}
	if r.keeper == nil {
		deps.Chat = nil // an interface that holds no keeper is not nil
	}
	if !r.home {
		return ingest.NewFurther(s.cfg.Ingest, r.name, deps)
	}
	if s.keys == nil {
		return nil, fmt.Errorf("%w: labelling.key_file: is needed to ingest", errConfig)
	}
	return ingest.New(s.cfg.Ingest, deps)
}
