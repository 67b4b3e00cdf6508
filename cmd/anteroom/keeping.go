package main

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/ingest"
	"github.com/anteroom/anteroom/internal/config"
	"github.com/anteroom/anteroom/internal/kafka"
	"github.com/anteroom/anteroom/store"
)

// keep makes what tells how long brokers keep what came by them to a region.
func (s *service) keep(r *regionRuntime) *ingest.Keeping {
	var further *kafka.Client
	if !r.home {
		further = r.kafka
	}
	return ingest.NewKeeping(s.cfg.Ingest, s.kafka, r.name, further, s.log.With("room", "ingest", "region", r.name),
		prometheus.WrapRegistererWith(prometheus.Labels{"region": r.name}, s.metrics))
}

// startKeeping has it look, once for all roles.
func (s *service) startKeeping(r *regionRuntime) {
	if r.looks {
		return
	}
	r.looks = true
	s.app.Go("look at topics"+r.suffix(), r.keeping.Run)
}

// keepingOf asks the brokers of a region once; nil where there are none to ask, as beside `anteroom run`.
func (c *cli) keepingOf(ctx context.Context, cfg config.Config, region string) *ingest.Keeping {
	log := newLog(c.stderr, cfg.Log)
	home, err := kafka.New(cfg.Home().Kafka)
	if err != nil || len(cfg.Home().Kafka.Brokers) == 0 {
		return nil
	}
	defer home.Close()
	var further *kafka.Client
	if i := slices.IndexFunc(cfg.Regions, func(r config.Region) bool { return r.Name == region }); i >= 0 {
		if further, err = kafka.New(cfg.Regions[i].Kafka); err != nil {
			return nil
		}
		defer further.Close()
	}
	keeping := ingest.NewKeeping(cfg.Ingest, home, region, further, log, prometheus.NewRegistry())
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	if err := keeping.Look(ctx); err != nil {
		log.WarnContext(ctx, "how long brokers keep what is purged is not known", slog.Any("error", err))
	}
	return keeping
}

// brokerExpiry answers for classes by their names.
func brokerExpiry(keeping *ingest.Keeping) func(string, time.Time, time.Time) *time.Time {
	return func(class string, sent, purged time.Time) *time.Time {
		for _, c := range []store.Class{store.ClassThread, store.ClassCopy, store.ClassNotice, store.ClassDecision} {
			if c.String() == class {
				return keeping.Expires(c, sent, purged)
			}
		}
		return nil
	}
}
