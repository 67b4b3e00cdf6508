package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/anteroom/anteroom/api"
	"github.com/anteroom/anteroom/directory/registry"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/identity/devissuer"
	"github.com/anteroom/anteroom/ingest"
	"github.com/anteroom/anteroom/ingest/label"
	"github.com/anteroom/anteroom/internal/app"
	"github.com/anteroom/anteroom/internal/config"
	"github.com/anteroom/anteroom/internal/kafka"
	"github.com/anteroom/anteroom/internal/recorder"
	"github.com/anteroom/anteroom/media"
	"github.com/anteroom/anteroom/media/record"
	"github.com/anteroom/anteroom/media/signal"
	"github.com/anteroom/anteroom/retention/ledger"
	"github.com/anteroom/anteroom/sealing"
	"github.com/anteroom/anteroom/store"
)

// service is the wiring of one process: what its roles share, started from the bottom up. Each part adds its own end to the
// app as it starts, so the stop runs from the API down to the connections; what stops below them (engines, lock) was added before.
type service struct {
	cli *cli
	app *app.App
	cfg config.Config
	log *slog.Logger

	metrics *prometheus.Registry
	// regions are all that are configured, by name; home is one of them, and store and kafka are its own.
	regions map[string]*regionRuntime
	home    *regionRuntime
	// ledgers by region: those of all that are on this machine.
	ledgers  map[string]*ledger.Ledger
	store    *store.Store
	kafka    *kafka.Client
	keys     *label.Keyring
	importer *ingest.Importer // nil without a labelling key

	directory *registry.Registry
	identity  *identity.Verifier
	devIssuer *devissuer.Issuer // nil without development
	recorder  *recorder.Recorder
	ring      *sealing.Ring    // nil without the role media
	node      *media.Node      // nil without the role media
	signal    *signal.Handler  // nil without the role media
	files     *record.Recorder // nil where nothing is recorded
	api       *api.Server
	// development: everything is on this machine, and a development issuer signs in whoever asks.
	development bool
	// url is where the API listens; empty without that role.
	url string
	// loading tells that demonstration calls are still to come.
	loading atomic.Bool
}

// start starts the roles, with the work of the regions that are named; of none: of all.
func (s *service) start(ctx context.Context, roles []role, regions []string) error {
	if err := s.connect(regions); err != nil {
		return err
	}
	if slices.Contains(roles, roleIngest) {
		if err := s.startKeepers(); err != nil {
			return err
		}
		if err := s.startIngest(); err != nil {
			return err
		}
	}
	if err := s.openLedgers(slices.Contains(roles, roleRetention)); err != nil {
		return err
	}
	if slices.Contains(roles, roleRetention) {
		if err := s.startRetention(ctx); err != nil {
			return err
		}
	}
	if !slices.Contains(roles, roleAPI) && !slices.Contains(roles, roleMedia) {
		return nil
	}
	return s.startHTTP(ctx, slices.Contains(roles, roleMedia))
}

// connect makes the clients. None of them waits for its server.
func (s *service) connect(regions []string) error {
	s.metrics = prometheus.NewRegistry()
	s.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := s.connectRegions(regions); err != nil {
		return err
	}
	s.app.OnCheck("demonstration calls", func(context.Context) error {
		if s.loading.Load() {
			return errors.New("they are being loaded")
		}
		return nil
	})
	master, err := s.cfg.Labelling.Master()
	if err != nil || master == nil {
		return err
	}
	s.keys, err = label.NewKeyring(master)
	return err
}

func (s *service) startIngest() error {
	if !s.home.works {
		return nil
	}
	if s.keys == nil {
		return fmt.Errorf("%w: labelling.key_file: the role ingest needs the labelling key, the same on all nodes; make one with: openssl rand -base64 32", errConfig)
	}
	deps := ingest.Deps{Kafka: s.kafka, Store: s.store, Keys: s.keys, Metrics: s.metrics, Log: s.log.With("room", "ingest")}
	worker, err := ingest.New(s.cfg.Ingest, deps)
	if err != nil {
		return err
	}
	rollups, err := store.NewRollups(s.store, s.cfg.Rollups, time.Now, s.log.With("room", "store"), s.metrics)
	if err != nil {
		return err
	}
	topics := make(chan struct{})
	s.app.Go("roll-ups", rollups.Run)
	s.app.Go("ingest", func(ctx context.Context) error {
		if err := s.ensureTopics(ctx); err != nil {
			return err
		}
		close(topics)
		return worker.Run(ctx)
	})
	s.app.OnCheck("Kafka topics", func(context.Context) error {
		select {
		case <-topics:
			return nil
		default:
			return errors.New("the topics have not been created yet")
		}
	})
	for i, check := range worker.Checks() {
		s.app.OnCheck(check.Name, func(context.Context) error {
			if now := worker.Checks()[i]; !now.OK { // always the same checks in the same order
				return errors.New(now.Reason)
			}
			return nil
		})
	}
	return nil
}

// ensureTopics creates the missing topics, waiting for Kafka for as long as it takes.
func (s *service) ensureTopics(ctx context.Context) error {
	for wait := 250 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		err := ingest.EnsureTopics(ctx, s.kafka, s.cfg.Ingest)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			s.log.WarnContext(ctx, "Kafka does not create the topics yet", "error", err, "next_try_in", wait)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
