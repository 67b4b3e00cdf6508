package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/anteroom/anteroom/api"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/media/nodes"
)

// openNodes makes this process one of several that share the meetings, if it is to be; without the role media it only asks them.
func (s *service) openNodes(withMedia bool) error {
	if s.development || (withMedia && s.cfg.Nodes.URL == "") {
		return nil
	}
	var err error
	s.nodes, err = nodes.New(s.cfg.Nodes, nodes.Deps{Store: s.store, Log: s.log.With("room", "nodes"), Registry: s.metrics})
	return err
}

// startNodes gives signs of life, until the meetings have ended.
func (s *service) startNodes() {
	if s.nodes == nil {
		return
	}
	s.nodes.Watch(func() []string { return s.node.Running() }, func(meetingID string) { s.node.HandOver(context.Background(), meetingID) })
	s.app.Go("media nodes", s.nodes.Run)
	s.app.OnSideCheck("media nodes", func(context.Context) error {
		if !s.nodes.Holds() {
			return errors.New("this node gives no signs of life: its meetings may be taken over, and it begins none")
		}
		return nil
	})
}

// gone is what no resume token may bring back: on this node, and where there are several, on all.
type gone struct {
	here *identity.Verifier
	all  *nodes.Nodes // nil: this node has all meetings
}

func (g gone) Revoke(ctx context.Context, id string, until time.Time) error {
	err := g.here.Revoke(ctx, id, until)
	if g.all != nil {
		err = errors.Join(err, g.all.Revoke(ctx, id, until))
	}
	return err
}

func (g gone) Revoked(id string) bool {
	return g.here.Revoked(id) || (g.all != nil && g.all.Revoked(id))
}

// liveMeetings are those that the API asks for: of this node, of all, or none.
func (s *service) liveMeetings(mounts map[string]api.Mount) api.Meetings {
	var near api.Meetings
	if s.node != nil {
		near = meetings{s.node, s.directory}
	}
	if s.nodes == nil {
		return near
	}
	if near != nil {
		mounts[askPath] = api.Mount{Handler: s.answerAsked(near), OwnRules: true}
	}
	return farMeetings{near, s.nodes, s.identity, &http.Client{Transport: http.DefaultTransport}}
}
