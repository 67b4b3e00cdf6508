package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"runtime/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/ingest"
	"github.com/anteroom/anteroom/ingest/label"
	"github.com/anteroom/anteroom/internal/kafka"
	"github.com/anteroom/anteroom/store"
)

const (
	contenderIngest  = "anteroom"
	contenderServe   = "anteroom-serve"
	contenderColumns = "raw-columns"
	contenderRows    = "raw-rows"
	contenderStore   = "store"
)

// ingestMemory is the soft limit of memory that ingest runs with, in bytes: GOMEMLIMIT of deploy/kubernetes/base/ingest.yaml.
const ingestMemory = 420 << 20

// newService makes the ingest service as `anteroom serve --roles=ingest` has it, with its default configuration but for the
// consumer group, which is new for each measurement.
func (p plan) newService() (*ingest.Service, func(), error) {
	debug.SetMemoryLimit(ingestMemory)
	kafkaConfig := kafka.DefaultConfig()
	kafkaConfig.Brokers = p.Brokers
	client, err := kafka.New(kafkaConfig)
	if err != nil {
		return nil, nil, err
	}
	storage, err := store.Open(p.Target.config())
	if err != nil {
		return nil, nil, err
	}
	keys, err := label.NewKeyring(make([]byte, label.MinKeyLen))
	if err != nil {
		return nil, nil, err
	}
	cfg := ingest.DefaultConfig()
	cfg.Region, cfg.Group = p.Region, p.Group
	service, err := ingest.New(cfg, ingest.Deps{
		Kafka: client, Store: storage, Keys: keys, Metrics: prometheus.NewRegistry(),
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	return service, func() { _ = storage.Close(); client.Close() }, err
}

// catchUp starts the service on a full topic and stops the clock when all rows can be queried. Joining the group counts.
func (p plan) catchUp(ctx context.Context) (outcome, error) {
	service, closeClients, err := p.newService()
	if err != nil {
		return outcome{}, err
	}
	defer closeClients()
	conn, err := p.Target.open()
	if err != nil {
		return outcome{}, err
	}
	defer conn.Close()
	if p.Profile != "" {
		file, err := os.Create(p.Profile)
		if err != nil {
			return outcome{}, fmt.Errorf("write profile: %w", err)
		}
		defer file.Close()
		if err := pprof.StartCPUProfile(file); err != nil {
			return outcome{}, fmt.Errorf("write profile: %w", err)
		}
		defer pprof.StopCPUProfile()
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	meter := startMeter(p.ClickHousePid, p.KafkaPid)
	go func() { ended <- service.Run(running) }()
	if err := waitForRows(ctx, conn, p.Rows); err != nil {
		return outcome{}, err
	}
	out := outcome{Usage: meter.stop()}
	stop()
	if err := <-ended; err != nil {
		return out, err
	}
	var batches uint64
	err = conn.QueryRow(ctx, "SELECT uniqExact(partition, first_offset) FROM ingest_batches").Scan(&batches)
	out.Inserts = int(batches)
	return out, err
}

// serve runs the service until standard input ends.
func (p plan) serve(ctx context.Context) (outcome, error) {
	service, closeClients, err := p.newService()
	if err != nil {
		return outcome{}, err
	}
	defer closeClients()
	meter := startMeter(p.ClickHousePid, p.KafkaPid)
	err = service.Run(ctx)
	return outcome{Usage: meter.stop()}, err
}

// pollInterval is how often the stored rows are counted while a contender works. All are asked alike.
const pollInterval = 50 * time.Millisecond

// waitForRows waits until the table has its rows; more of them is an error.
func waitForRows(ctx context.Context, conn querier, want int) error {
	for {
		var got uint64
		if err := conn.QueryRow(ctx, "SELECT count() FROM samples").Scan(&got); err != nil {
			return fmt.Errorf("count rows: %w", err)
		}
		if got == uint64(want) {
			return nil
		}
		if got > uint64(want) {
			return fmt.Errorf("%d rows are stored of %d produced", got, want)
		}
		select {
		case <-time.After(pollInterval):
		case <-ctx.Done():
			return fmt.Errorf("%d of %d rows are stored: %w", got, want, ctx.Err())
		}
	}
}
