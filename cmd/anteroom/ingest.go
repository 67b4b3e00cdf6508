package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/anteroom/anteroom/analytics"
	"github.com/anteroom/anteroom/ingest"
	"github.com/anteroom/anteroom/internal/kafka"
	"github.com/anteroom/anteroom/quality"
	"github.com/anteroom/anteroom/sealing"
	"github.com/anteroom/anteroom/store"
)

// startIngest ingests for each region whose work this process does. All of them end at the same time, since each may take its time to store what it has.
func (s *service) startIngest() error {
	var group []func(context.Context) error
	err := s.eachWorkingRegion(func(r *regionRuntime) error {
		worker, ensure, err := s.ingestOf(r)
		if err != nil {
			return err
		}
		topics := make(chan struct{})
		group = append(group, func(ctx context.Context) error {
			if err := s.ensureTopics(ctx, r, ensure); err != nil {
				return err
			}
			close(topics)
			return worker.Run(ctx)
		})
		s.checkIngest(r, worker, topics)
		s.startKeeping(r)
		return s.startLogs(r)
	})
	if err != nil {
		return err
	}
	s.app.Go("ingest", func(ctx context.Context) error {
		running, ctx := errgroup.WithContext(ctx)
		for _, run := range group {
			running.Go(func() error { return run(ctx) })
		}
		return running.Wait()
	})
	return nil
}

// ingestOf makes the service that ingests for a region, and what creates its topics. At home it starts the roll-ups, too.
func (s *service) ingestOf(r *regionRuntime) (*ingest.Service, func(context.Context) error, error) {
	deps := ingest.Deps{
		Kafka: r.kafka, Store: r.store, Keys: s.keys, Chat: r.keeper, GuestsKept: s.cfg.Logs.ResourceKeep, Tracer: s.tracing.Tracer("ingest"), Log: s.log.With("room", "ingest", "region", r.name),
		Metrics: prometheus.WrapRegistererWith(prometheus.Labels{"region": r.name}, s.metrics),
	}
	if !r.home {
		worker, err := ingest.NewFurther(s.cfg.Ingest, r.name, deps)
		return worker, func(ctx context.Context) error { return ingest.EnsureCopiesTopics(ctx, r.kafka, s.cfg.Ingest, r.name) }, err
	}
	if s.keys == nil {
		return nil, nil, fmt.Errorf("%w: labelling.key_file: the role ingest needs the labelling key, the same on all nodes; make one with: openssl rand -base64 32", errConfig)
	}
	deps.Regions = map[string]*kafka.Client{}
	for _, further := range s.regions {
		if !further.home {
			deps.Regions[further.name] = further.kafka
		}
	}
	worker, err := ingest.New(s.cfg.Ingest, deps)
	if err != nil {
		return nil, nil, err
	}
	rollups, err := store.NewRollups(r.store, s.cfg.Rollups, time.Now, s.log.With("room", "store"), s.metrics)
	if err != nil {
		return nil, nil, err
	}
	s.app.Go("roll-ups", rollups.Run)
	if err := s.startSummaries(r); err != nil {
		return nil, nil, err
	}
	return worker, func(ctx context.Context) error { return ingest.EnsureTopics(ctx, r.kafka, s.cfg.Ingest) }, nil
}

// startSummaries sums up calls, from the first to the last moment that something is ingested.
func (s *service) startSummaries(r *regionRuntime) error {
	profiles, err := quality.NewProfiles(s.cfg.Quality)
	if err != nil {
		return err
	}
	summariser, err := analytics.NewSummariser(r.store, profiles, s.cfg.Analytics, time.Now, s.log.With("room", "analytics"), s.metrics)
	if err != nil {
		return err
	}
	tide := ingest.NewTide(s.cfg.Ingest, r.kafka)
	summariser.Follow(tide.Until)
	s.app.Go("summaries", summariser.Run)
	return nil
}

// checkIngest tells what a region's ingest is waiting for. Nothing waits for that of a further region.
func (s *service) checkIngest(r *regionRuntime, worker *ingest.Service, topics <-chan struct{}) {
	add := func(name string, side bool, probe func(context.Context) error) {
		if side || !r.home {
			s.app.OnSideCheck(name+r.suffix(), probe)
		} else {
			s.app.OnCheck(name, probe)
		}
	}
	add("Kafka topics", false, func(context.Context) error {
		select {
		case <-topics:
			return nil
		default:
			return errors.New("the topics have not been created yet")
		}
	})
	unsafe := &topicsCheck{client: r.kafka, topics: topicsOf(s.cfg.Ingest, r.name, r.home)}
	add("safety of Kafka topics", true, unsafe.check)
	for i, check := range worker.Checks() {
		add(check.Name, check.Side, func(context.Context) error {
			if now := worker.Checks()[i]; !now.OK { // always the same checks in the same order
				return errors.New(now.Reason)
			}
			return nil
		})
	}
}

// ensureTopics creates a region's missing topics, waiting for Kafka for as long as it takes.
func (s *service) ensureTopics(ctx context.Context, r *regionRuntime, ensure func(context.Context) error) error {
	for wait := 250 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		err := ensure(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			s.log.WarnContext(ctx, "Kafka does not create the topics yet", slog.String("region", r.name), slog.Any("error", err), slog.Duration("next_try_in", wait))
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// progressOf tells how far a region's sealed text is ingested.
func (s *service) progressOf(r *regionRuntime) sealing.Progress {
	if r.home {
		return ingest.NewProgress(s.cfg.Ingest, r.kafka)
	}
	return ingest.NewFurtherProgress(s.cfg.Ingest, r.name, s.kafka, r.kafka)
}
