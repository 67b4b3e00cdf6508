package main

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/logs"
	"github.com/anteroom/anteroom/store"
)

// startLogs writes down how calls went once they have ended: in the home region for the organisations, in each region for its resources.
func (s *service) startLogs(r *regionRuntime) error {
	log, home := s.log.With("room", "logs", "region", r.name), store.NewReader(s.store, s.cfg.API.Query)
	metrics := prometheus.WrapRegistererWith(prometheus.Labels{"region": r.name}, s.metrics)
	if r.home {
		producer := s.kafka.NewProducer()
		s.app.OnStop("log producer", func(context.Context) error { return producer.Close() })
		write := func(ctx context.Context, records ...event.Record) error {
			_, err := producer.Write(ctx, records...)
			return err
		}
		emitter, err := logs.NewEmitter(s.cfg.Logs, logs.Deps{Store: s.store, Reader: home, Region: r.name, Write: write, Log: log, Metrics: metrics})
		if err != nil {
			return err
		}
		s.app.Go("logs", emitter.Run)
	}
	writer, err := logs.NewResourceWriter(s.cfg.Logs, logs.ResourceDeps{Region: r.store, Home: home, Log: log, Metrics: metrics})
	if err != nil {
		return err
	}
	s.app.Go("resource logs"+r.suffix(), writer.Run)
	return nil
}
