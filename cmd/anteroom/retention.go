package main

import (
	"context"
	"log/slog"

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
		if err := s.startSweeper(r, metrics); err != nil {
			return err
		}
		return s.startPruning(r)
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
	deps.BrokerExpiry = brokerExpiry(r.keeping)
	s.startKeeping(r)
	deps.Metrics, deps.Journal = metrics, s.journals[r.name]
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
		Region: of.Region(), Store: tables, IDKey: of.IDKey(), MaxDecisionAge: cfg.Retention.MaxDecisionAge,
		Log: log.With("room", "retention"),
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
