package main

import (
	"context"
	"path/filepath"
	"time"

	"github.com/anteroom/anteroom/ingest"
	"github.com/anteroom/anteroom/internal/config"
	"github.com/anteroom/anteroom/retention/report"
	"github.com/anteroom/anteroom/store"
)

// ownExports puts exports into the data folder where no other is configured.
func ownExports(cfg config.Config) config.Config {
	if cfg.Exports.Dir == "" {
		cfg.Exports.Dir = filepath.Join(cfg.Embedded.Data, "exports")
	}
	return cfg
}

// exportJobs are the exports of the installation; nil where no folder is configured.
func (s *service) exportJobs() (*report.Jobs, error) {
	if s.cfg.Exports.Dir == "" {
		return nil, nil
	}
	var regions []string
	for _, r := range s.cfg.AllRegions() {
		regions = append(regions, r.Name)
	}
	return report.NewJobs(s.cfg.Exports, report.JobsDeps{Home: s.store, Regions: regions})
}

// startExports makes reports of the regions whose work this process does: their ledgers are here. It is for the role retention.
func (s *service) startExports() error {
	jobs, err := s.exportJobs()
	if err != nil || jobs == nil {
		return err
	}
	var regions []report.Region
	err = s.eachWorkingRegion(func(r *regionRuntime) error {
		regions = append(regions, report.Region{
			Name: r.name, Store: r.store, Home: s.store, Ledger: s.ledgers[r.name], Watermark: s.watermark(r), BrokerRetention: brokerRetention(r.keeping),
			PurgeWindow: s.cfg.Sweep.PurgeWindow, Version: programVersion(),
		})
		return nil
	})
	if err != nil || len(regions) == 0 {
		return err
	}
	worker, err := report.NewWorker(regions, report.WorkerDeps{Jobs: jobs, Metrics: s.metrics, Log: s.log.With("room", "report")})
	if err != nil {
		return err
	}
	s.app.Go("exports", worker.Run)
	return nil
}

// brokerRetention is how long after it was sent brokers may keep, at the latest, what came by them to a region, as they say themselves; 0 if that isn't
// known, or if it is for good.
func brokerRetention(keeping *ingest.Keeping) func() time.Duration {
	return func() time.Duration {
		now := time.Now()
		gone := keeping.Expires(store.ClassCopy, now, now)
		if gone == nil {
			return 0
		}
		return gone.Sub(now)
	}
}

// watermark tells until when all that was produced for a region is stored: the latest of some moments of which that is known. It is the zero time if it
// is known of none, as while Kafka is away: a report is made all the same, and says so.
func (s *service) watermark(r *regionRuntime) func(context.Context) (time.Time, error) {
	progress := s.progressOf(r)
	return func(ctx context.Context) (time.Time, error) {
		now := time.Now()
		for _, ago := range []time.Duration{
			0, 2 * time.Second, 10 * time.Second, time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour,
		} {
			all, err := progress.Ingested(ctx, now.Add(-ago))
			if err != nil {
				s.log.WarnContext(ctx, "how far a region is ingested can't be told to a report", "region", r.name, "error", err)
				return time.Time{}, ctx.Err()
			}
			if all {
				return now.Add(-ago), nil
			}
		}
		return time.Time{}, nil
	}
}
