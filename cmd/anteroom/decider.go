package main

import (
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/retention"
	"github.com/anteroom/anteroom/store"
)

// startDecider decides how long things are kept in the regions whose work this process does.
func (s *service) startDecider() error {
	decider, err := s.newDecider()
	if err != nil {
		return err
	}
	s.app.Go("retention decisions", decider.Run)
	return nil
}

// newDecider makes what decides, and has the directory be followed.
func (s *service) newDecider() (*retention.Decider, error) {
	if err := s.startDirectory(); err != nil {
		return nil, err
	}
	engine, err := policy.NewRetention(s.cfg.Policy)
	if err != nil {
		return nil, err
	}
	deps := retention.DeciderDeps{
		Directory: s.directory, Home: s.store, Regions: map[string]*store.Store{}, Policy: engine, Metrics: s.metrics, Log: s.log.With("room", "retention"),
	}
	for name, r := range s.regions {
		if r.works {
			deps.Regions[name] = r.store
		}
	}
	if s.home.works {
		deps.LeavesOf = s.home.name
	}
	return retention.NewDecider(s.cfg.Retention, deps)
}

// rulebook changes organisations' policies and holds. It needs all regions: a preview counts what they have, and a hold waits for what they purge.
func (s *service) rulebook() (*retention.Rulebook, error) {
	engine, err := policy.NewRetention(s.cfg.Policy)
	if err != nil {
		return nil, err
	}
	deps := retention.RulebookDeps{
		Directory: s.directory, Home: s.store, HomeRegion: s.home.name, Regions: map[string]*store.Store{}, Policy: engine,
		Resources: []string{identity.JoinPageResource}, Silence: s.cfg.Sweep.Silence, Query: s.cfg.API.Query,
		PurgeWindow: s.cfg.Sweep.PurgeWindow, Log: s.log.With("room", "retention"),
	}
	for name, r := range s.regions {
		deps.Regions[name] = r.store
	}
	return retention.NewRulebook(s.cfg.Retention, deps)
}
