package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/anteroom/anteroom/api"
	"github.com/anteroom/anteroom/internal/config"
	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/policy/exchange"
	"github.com/anteroom/anteroom/policy/revisions"
	"github.com/anteroom/anteroom/store"
)

// ownBundleKey puts the key of bundles into the data folder where no other is configured.
func ownBundleKey(cfg config.Config) config.Config {
	if cfg.Bundles.KeyFile == "" {
		cfg.Bundles.KeyFile = filepath.Join(cfg.Embedded.Data, "policy-bundles.pem")
	}
	return cfg
}

// replayQuery is what a replay may ask of the store: nobody waits for its answer, and a month's inputs take longer than a screen's.
func replayQuery(cfg config.Config) store.QueryLimits {
	return store.QueryLimits{Timeout: max(5*time.Minute, cfg.API.Query.Timeout), MaxMemoryBytes: cfg.API.Query.MaxMemoryBytes}
}

// serveAgents answers stock policy agents beside the API.
func (s *service) serveAgents(p *api.Policies, mounts map[string]api.Mount) error {
	if path := s.cfg.Bundles.KeyFile; path != "" {
		read := exchange.ReadKey
		if path == filepath.Join(s.cfg.Embedded.Data, filepath.Base(path)) { // its own, under `anteroom run`
			read = exchange.EnsureKey
		}
		var err error
		if p.BundleKey, err = read(path); err != nil {
			return fmt.Errorf("bundles.key_file: %w", err)
		}
	}
	agents, err := exchange.New(s.cfg.Bundles, exchange.Deps{
		Store: s.store, Tokens: p.Tokens, Base: p.Base, Policies: running{p.Revisions}, Decider: s.engine, Key: p.BundleKey, Registry: s.metrics,
		Log: s.log.With("room", "exchange"),
	})
	if err != nil {
		return err
	}
	s.app.OnStop("policy agents that wait", func(context.Context) error { agents.Close(); return nil })
	for _, path := range exchange.Paths() {
		mounts[path] = api.Mount{Handler: agents, OwnRules: true}
	}
	return nil
}

// running is what decides for organisations, for their agents: what is active or, if that was given up, what decides instead.
type running struct{ revisions *revisions.Service }

func (r running) ActiveName(ctx context.Context, org string) (string, error) {
	active, err := r.revisions.Active(ctx, org)
	return nameOf(&active), err
}

// nameOf is another one with each activation, a rollback too.
func nameOf(active *revisions.Active) string {
	name := fmt.Sprintf("%s#%d", active.RuntimeRevision, active.Version)
	if active.Breaker != nil {
		name += fmt.Sprintf(".%d", active.Breaker.RunningRevision)
	}
	return name
}

func (r running) Active(ctx context.Context, org string) (exchange.Active, error) {
	active, err := r.revisions.Active(ctx, org)
	if err != nil {
		return exchange.Active{}, err
	}
	number := active.Revision
	if active.Breaker != nil {
		number = active.Breaker.RunningRevision
	}
	out := exchange.Active{Name: nameOf(&active)}
	content, err := r.revisions.Content(ctx, org, revisions.Reference{Revision: &number})
	if err != nil || len(content.Files) == 0 {
		return out, err
	}
	var own policy.Revision
	if own, err = content.Revision(); err == nil {
		out.Revision = &own
	}
	return out, err
}
