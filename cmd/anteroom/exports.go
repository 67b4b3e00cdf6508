package main

import (
	"context"
	"path/filepath"
	"time"

	"github.com/anteroom/anteroom/internal/config"
	"github.com/anteroom/anteroom/retention/report"
	"github.com/anteroom/anteroom/sealing"
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
			Name: r.name, Store: r.store, Home: s.store, Ledger: s.ledgers[r.name], Watermark: watermark(s.progressOf(r)), BrokerRetention: s.cfg.Ingest.Retention,
			PurgeWindow: s.cfg.Sweep.PurgeWindow,
			Version:     programVersion(),
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

// watermark tells until when all that was produced is stored: the latest of some moments of which that is known, and the zero time if it is of none.
func watermark(progress sealing.Progress) func(context.Context) (time.Time, error) {
	return func(ctx context.Context) (time.Time, error) {
		now := time.Now()
		for _, ago := range []time.Duration{
			0, 2 * time.Second, 10 * time.Second, time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour,
		} {
			all, err := progress.Ingested(ctx, now.Add(-ago))
			if err != nil {
				return time.Time{}, err
			}
			if all {
				return now.Add(-ago), nil
			}
		}
		return time.Time{}, nil
	}
}
