package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/anteroom/anteroom/api"
	"github.com/anteroom/anteroom/ingest"
	"github.com/anteroom/anteroom/ingest/decode"
	"github.com/anteroom/anteroom/quality"
)

// checkPatience bounds the checks of one /readyz.
const checkPatience = 3 * time.Second

// startAPI binds the address, so that trouble with it is known at once, and begins to answer.
func (s *service) startAPI(ctx context.Context) error {
	profiles, err := quality.NewProfiles(s.cfg.Quality)
	if err != nil {
		return err
	}
	deps := api.Deps{
		Store: s.store, Profiles: profiles, Registry: s.metrics, Logger: s.log.With("room", "api"), Version: programVersion(),
		Ready: s.ready,
	}
	if s.keys != nil { // without the labelling key a file can't be decoded, and imports are refused
		s.importer = ingest.NewImporter(s.cfg.Ingest, ingest.Deps{Kafka: s.kafka, Store: s.store, Keys: s.keys, Metrics: s.metrics, Log: s.log})
		s.app.OnStop("import producer", func(context.Context) error { return s.importer.Close() })
		deps.Importer = importer{s.importer}
	}
	server, err := api.New(s.cfg.API, deps)
	if err != nil {
		return err
	}
	listener, err := server.Listen(ctx)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("api.listen: %s is taken by another process: stop that one, or choose another with --listen or ANTEROOM_LISTEN", s.cfg.API.Listen)
	}
	if err != nil {
		return err
	}
	s.url = "http://" + listener.Addr().String()
	s.app.Go("API", func(ctx context.Context) error { return server.Serve(ctx, listener) })
	return nil
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
