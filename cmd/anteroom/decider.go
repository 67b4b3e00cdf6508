package main

import (
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/policy/revisions"
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
	engine, own, err := s.keptBy()
	if err != nil {
		return nil, err
	}
	deps := retention.DeciderDeps{
		Directory: s.directory, Home: s.store, Regions: map[string]*store.Store{}, Policy: engine, Own: own, Metrics: s.metrics, Log: s.log.With("room", "retention"),
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

// keptBy is what decides how long things are kept, by the rules of the house and those that organisations have active. Each of its users has one of its own,
// since each looks when it needs to.
func (s *service) keptBy() (*policy.Retention, *revisions.Keeping, error) {
	engine, err := policy.NewRetention(s.cfg.Policy)
	if err != nil {
		return nil, nil, err
	}
	return engine, revisions.NewKeeping(s.store, engine, s.log.With("room", "retention")), nil
}

// rulebook changes organisations' policies and holds. It needs all regions: a preview counts what they have, and a hold waits for what they purge.
func (s *service) rulebook() (*retention.Rulebook, error) {
	engine, own, err := s.keptBy()
	if err != nil {
		return nil, err
	}
	deps := retention.RulebookDeps{
		Directory: s.directory, Home: s.store, HomeRegion: s.home.name, Regions: map[string]*store.Store{}, Policy: engine, Own: own,
		Resources: []string{identity.JoinPageResource}, Silence: s.cfg.Sweep.Silence, Query: s.cfg.API.Query,
		PurgeWindow: s.cfg.Sweep.PurgeWindow, Log: s.log.With("room", "retention"),
	}
	for name, r := range s.regions {
		deps.Regions[name] = r.store
	}
	return retention.NewRulebook(s.cfg.Retention, deps)
}
