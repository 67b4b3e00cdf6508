package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/anteroom/anteroom/api"
	"github.com/anteroom/anteroom/collect"
	"github.com/anteroom/anteroom/identity/apitoken"
	"github.com/anteroom/anteroom/ingest"
	"github.com/anteroom/anteroom/ingest/decode"
	"github.com/anteroom/anteroom/quality"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/web"
)

// checkPatience bounds the checks of one /readyz.
const checkPatience = 3 * time.Second

// startHTTP binds the address, so that trouble with it is known at once, starts what stands behind it, and begins to answer.
func (s *service) startHTTP(ctx context.Context, withMedia bool) error {
	if s.development && s.cfg.API.TLS.CertFile != "" {
		return fmt.Errorf("%w: api.tls: anteroom run speaks http, to this machine only; leave it out", errConfig)
	}
	listener, err := api.Listen(ctx, s.cfg.API, s.remote())
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("api.listen: %s is taken by another process: stop that one, or choose another with --listen or ANTEROOM_LISTEN", s.cfg.API.Listen)
	}
	if err != nil {
		return err
	}
	s.app.OnStop("listener", func(context.Context) error { _ = listener.Close(); return nil }) // mostly closed by the API
	s.url = "http://" + listener.Addr().String()
	if s.cfg.API.TLS.CertFile != "" {
		s.url = "https://" + listener.Addr().String()
	}
	if err := s.startDirectory(); err != nil {
		return err
	}
	if err := s.openNodes(withMedia); err != nil {
		return err
	}
	if err := s.startIdentity(listener); err != nil {
		return err
	}
	if err := s.startPolicies(); err != nil {
		return err
	}
	if withMedia {
		if err := s.startMedia(ctx); err != nil {
			return err
		}
	}
	deps, err := s.apiDeps()
	if err != nil {
		return err
	}
	if s.api, err = api.New(s.cfg.API, deps); err != nil {
		return err
	}
	s.app.Go("API", func(ctx context.Context) error { return s.api.Serve(ctx, listener) })
	return nil
}

// remote tells whether other machines may reach the service: not while an issuer is on that believes anybody.
func (s *service) remote() bool { return !s.development && s.cfg.Identity.DevelopmentIssuer == "" }

// apiDeps gathers what the API works with.
func (s *service) apiDeps() (api.Deps, error) {
	profiles, err := quality.NewProfiles(s.cfg.Quality)
	if err != nil {
		return api.Deps{}, err
	}
	deps := api.Deps{
		Store: s.store, Profiles: profiles, Registry: s.metrics, Logger: s.log.With("room", "api"), Version: programVersion(),
		Ready: s.ready, Auth: s.identity, Sessions: s.identity, Tokens: apitoken.New(s.store, nil), JoinPage: s.identity, Links: s.identity, PageKey: s.identity.PageKey(), Directory: s.directory,
		Login: func(redirectURL string) (api.Login, error) { return s.identity.Login(redirectURL) },
		Mounts: map[string]api.Mount{
			"/": {Handler: web.Handler()}, "/join/": {Handler: web.Handler()}, "/assets/": {Handler: web.Handler()},
			"/console": {Handler: web.Handler()}, "/console/": {Handler: web.Handler()},
		},
		Remote: s.remote(), Live: s.cfg.Live, Tracer: s.tracing.Tracer("api"),
	}
	deps.Resources, deps.RegionStores = s.identity, map[string]*store.Store{}
	for _, r := range s.cfg.AllRegions() {
		deps.Regions = append(deps.Regions, r.Name)
		deps.RegionStores[r.Name] = s.regions[r.Name].store
	}
	if s.keys != nil { // without the labelling key a file can't be decoded, and imports are refused
		s.importer = ingest.NewImporter(s.cfg.Ingest, ingest.Deps{Kafka: s.kafka, Store: s.store, Keys: s.keys, Metrics: s.metrics, Log: s.log})
		s.app.OnStop("import producer", func(context.Context) error { return s.importer.Close() })
		deps.Importer = importer{s.importer}
	}
	collector, err := s.startCollector()
	if err != nil {
		return api.Deps{}, err
	}
	if collector != nil {
		deps.Collector = batches{collector}
		mount := api.Mount{Handler: collector, OwnRules: true}
		deps.Mounts[collect.Path], deps.Mounts[collect.Path+"/"] = mount, mount
	}
	deps.Meetings = s.liveMeetings(deps.Mounts)
	if s.node != nil {
		deps.Surveys = meetings{s.node, s.directory}
		deps.Mounts["/v1/connect"] = api.Mount{Handler: s.signal, OwnRules: true}
	}
	if deps.Retention, err = s.rulebook(); err != nil {
		return api.Deps{}, err
	}
	if deps.Policies, err = s.policies(deps.Mounts, deps.Retention); err != nil {
		return api.Deps{}, err
	}
	if deps.Recordings, err = s.recordedFiles(); err != nil {
		return api.Deps{}, err
	}
	deps.Ledgers = servedLedgers(s.ledgers)
	if deps.Exports, err = s.exportJobs(); err != nil {
		return api.Deps{}, err
	}
	if s.devIssuer != nil {
		deps.Mounts[devIssuerPath+"/"] = api.Mount{Handler: s.devIssuer.Handler()}
	}
	return deps, nil
}

// ready makes the checks of all that was started.
func (s *service) ready(ctx context.Context) []api.Check {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	health := s.app.Health(ctx)
	checks := make([]api.Check, len(health))
	for i, c := range health {
		checks[i] = api.Check(c)
	}
	return checks
}

// importer hands the API's imports to ingest, which knows nothing of the API.
type importer struct{ ingest *ingest.Importer }

func (i importer) Import(ctx context.Context, in api.ImportRequest) (api.ImportResult, error) {
	got, err := i.ingest.Import(ctx, ingest.ImportRequest{
		Format: ingest.Format(in.Format), Org: in.Org, OrgUser: in.As == "org", Body: in.Body,
	})
	var bad *decode.Error
	if errors.As(err, &bad) {
		return api.ImportResult{}, &api.BadInput{Line: bad.Line, Field: bad.Field, Reason: bad.Reason}
	}
	if err != nil {
		return api.ImportResult{}, err
	}
	return api.ImportResult{CallIDs: got.Calls, Events: int64(got.Events), AlreadyImported: got.AlreadyImported}, nil
}
