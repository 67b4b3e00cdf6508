package main

import (
	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/retention"
	"github.com/anteroom/anteroom/store"
)

// startDecider decides how long things are kept in the regions whose work this process does.
func (s *service) startDecider() error {
	if err := s.startDirectory(); err != nil {
		return err
	}
	engine, err := policy.NewRetention(s.cfg.Policy)
	if err != nil {
		return err
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
	decider, err := retention.NewDecider(s.cfg.Retention, deps)
	if err != nil {
		return err
	}
	s.app.Go("retention decisions", decider.Run)
	return nil
}
