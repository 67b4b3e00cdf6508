package main

import (
	"context"
	"errors"

	"github.com/anteroom/anteroom/api"
	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/policy/exchange"
	"github.com/anteroom/anteroom/policy/replay"
	"github.com/anteroom/anteroom/policy/revisions"
	"github.com/anteroom/anteroom/policy/sandbox"
	"github.com/anteroom/anteroom/retention"
)

// startPolicies makes what decides, and has it follow what organisations have active: until that is read, everybody is denied.
func (s *service) startPolicies() error {
	log := s.log.With("room", "policy")
	var err error
	if s.engine, err = policy.New(s.cfg.Policy, log); err != nil {
		return err
	}
	s.follower, err = revisions.NewFollower(revisions.FollowerDeps{Store: s.store, Engine: s.engine, Metrics: s.metrics, Log: log})
	if err != nil {
		return err
	}
	s.app.Go("policies", s.follower.Run)
	s.app.OnCheck("policies", s.follower.Check)
	// One organisation's trouble holds up no other.
	s.app.OnSideCheck("each organisation's policy", s.follower.CheckEach)
	return nil
}

// policies are what organisations' policies are made and tried with; the rulebook counts what is kept, for replays. Agents get mounts of their own.
func (s *service) policies(mounts map[string]api.Mount, rules *retention.Rulebook) (*api.Policies, error) {
	base, err := policy.NewBase(s.cfg.Policy)
	if err != nil {
		return nil, err
	}
	children, err := sandbox.New(s.cfg.Sandbox, s.cfg.Policy, s.log.With("room", "sandbox"))
	if err != nil {
		return nil, err
	}
	s.app.OnStop("sandbox", func(context.Context) error { children.Close(); return nil })
	service, err := revisions.New(s.cfg.Revisions, revisions.Deps{
		Store: s.store, Sandbox: children, Base: base, Bar: s.coverageBar, Follower: s.follower, Log: s.log.With("room", "revisions"),
	})
	if err != nil {
		return nil, err
	}
	out := &api.Policies{Revisions: service, Sandbox: children, Base: base, Tokens: exchange.NewTokens(s.store)}
	out.Replays, err = replay.New(replay.Deps{
		Store: s.store, Query: replayQuery(s.cfg), Sandbox: children, Rulebook: rules, Log: s.log.With("room", "replay"),
	})
	if err != nil {
		return nil, err
	}
	s.app.Go("replays", out.Replays.Run)
	return out, s.serveAgents(out, mounts)
}

// coverageBar is how many percent of an organisation's policy its tests must cover, as the organisation has it.
func (s *service) coverageBar(ctx context.Context, org string) (int, error) {
	o, found, err := s.directory.Organization(ctx, org)
	if err == nil && !found {
		err = errors.New("read the organisation's settings: it is not known here yet")
	}
	return o.Settings.CoverageBar(), err
}
