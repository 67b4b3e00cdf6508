package main

import (
	"context"
	"errors"
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
	"github.com/anteroom/anteroom/internal/tracing"
	"github.com/anteroom/anteroom/media"
	"github.com/anteroom/anteroom/media/nodes"
	"github.com/anteroom/anteroom/media/record"
	"github.com/anteroom/anteroom/media/signal"
	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/policy/revisions"
	"github.com/anteroom/anteroom/retention/journal"
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
	tracing *tracing.Provider // traces nothing unless an endpoint is configured
	// regions are all that are configured, by name; home is one of them, and store and kafka are its own.
	regions map[string]*regionRuntime
	home    *regionRuntime
	// ledgers by region: those of all that are on this machine.
	ledgers map[string]*ledger.Ledger
	// journals are beside them, of the regions that this process works for in the role retention.
	journals map[string]*journal.Journal
	store    *store.Store
	kafka    *kafka.Client
	keys     *label.Keyring
	importer *ingest.Importer // nil without a labelling key

	directory *registry.Registry
	engine    *policy.Engine      // nil without the roles media and api
	follower  *revisions.Follower // of engine
	identity  *identity.Verifier
	devIssuer *devissuer.Issuer // nil without development
	recorder  *recorder.Recorder
	ring      *sealing.Ring    // nil without the role media
	node      *media.Node      // nil without the role media
	nodes     *nodes.Nodes     // nil where this process alone has the meetings
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
	if err := s.startOperations(ctx); err != nil {
		return err
	}
	if !slices.Contains(roles, roleAPI) && !slices.Contains(roles, roleMedia) {
		return nil
	}
	return s.startHTTP(ctx, slices.Contains(roles, roleMedia))
}

// spansPatience bounds what is still sent of spans when the process stops.
const spansPatience = time.Second

func (s *service) sendSpans(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, spansPatience)
	defer cancel()
	return s.tracing.Close(ctx)
}

// connect makes the clients. None of them waits for its server.
func (s *service) connect(regions []string) error {
	s.metrics = prometheus.NewRegistry()
	s.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	tracing.RouteErrors(s.log)
	var err error
	if s.tracing, err = tracing.New(context.Background(), s.cfg.Tracing, programVersion(), s.log.With("room", "tracing")); err != nil {
		return err
	}
	s.app.OnStop("spans", s.sendSpans)
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
