package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/anteroom/anteroom/internal/config"
	"github.com/anteroom/anteroom/media/record"
	"github.com/anteroom/anteroom/retention"
	"github.com/anteroom/anteroom/retention/ledger"
	"github.com/anteroom/anteroom/store"
)

// startRetention starts what decides, deletes and proves, in each region whose work this process does.
func (s *service) startRetention(context.Context) error {
	if err := s.startDecider(); err != nil {
		return err
	}
	metrics, err := retention.NewSweepMetrics(s.metrics)
	if err != nil {
		return err
	}
	err = s.eachWorkingRegion(func(r *regionRuntime) error {
		s.startLedger(r)
		return s.startSweeper(r, metrics)
	})
	if err != nil {
		return err
	}
	return s.startExports()
}

// startSweeper deletes what has to be gone in a region.
func (s *service) startSweeper(r *regionRuntime, metrics *retention.SweepMetrics) error {
	deps, err := sweeperDeps(s.cfg, s.ledgers[r.name], r.store, s.log)
	if err != nil {
		return err
	}
	deps.Metrics = metrics
	sweeper, err := retention.NewSweeper(s.cfg.Sweep, deps)
	if err != nil {
		return err
	}
	s.app.Go("sweeper"+r.suffix(), sweeper.Run)
	return nil
}

// sweeperDeps are what a sweeper of a region works with, in the service and in the command.
func sweeperDeps(cfg config.Config, of *ledger.Ledger, tables *store.Store, log *slog.Logger) (retention.SweeperDeps, error) {
	deps := retention.SweeperDeps{
		Region: of.Region(), Store: tables, IDKey: of.IDKey(), Fresh: retention.FreshWithin(tables, cfg.Retention.MaxDecisionAge),
		BrokerExpiry: brokerExpiry(cfg.Ingest.Retention), Log: log.With("room", "retention"),
	}
	if cfg.Recording.Dir != "" {
		files, err := record.New(cfg.Recording, log.With("room", "record"))
		if err != nil {
			return deps, err
		}
		deps.Files = files
	}
	return deps, nil
}

// brokerExpiry is when the broker will have dropped what it keeps of a thing, sealed to a key that is destroyed: everything but recordings came by it.
func brokerExpiry(keeps time.Duration) func(string, time.Time) *time.Time {
	return func(class string, sent time.Time) *time.Time {
		if class == "recording" {
			return nil
		}
		at := sent.Add(keeps)
		return &at
	}
}
