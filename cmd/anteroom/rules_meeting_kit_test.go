package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	mediaclient "github.com/anteroom/anteroom/media/client"
	"github.com/anteroom/anteroom/media/protocol"
)

// What is sent is small, so that the tests can run side by side.
var (
	mic    = mediaclient.Source{Kind: mediaclient.Audio}
	camera = mediaclient.Source{Kind: mediaclient.Video, Bitrate: 100_000, FrameRate: 15}
	screen = mediaclient.Source{Kind: mediaclient.Screen, Bitrate: 100_000, FrameRate: 8}
)

// stage is a meeting with its organiser in it, and an application that brings guests.
type stage struct {
	*room
	t    *testing.T
	app  *application
	host *person
}

// newStage makes a house on the rig; org and meeting set fields of the two.
func newStage(t *testing.T, r *rig, org, meeting fields) *stage {
	t.Helper()
	h := newHouse(t, r, org)
	s := &stage{room: h.meeting(meeting), t: t, app: h.application(nil)}
	s.host = s.user(organizer)
	return s
}

// inside is a guest whom the organiser let in.
func (s *stage) inside(name string) *person {
	s.t.Helper()
	return s.admitted(s.host, s.app, name)
}

// decided is one entry of the decision log: what who asked for, what was answered and why.
type decided struct {
	who            *person
	action, effect string
	reasons        string
}

func allowed(who *person, action string) decided { return decided{who, action, "allow", ""} }

func denied(who *person, action, reason string) decided {
	return decided{who, action, "deny", reason}
}

// mark is an entry of the timeline.
type mark struct {
	ParticipantID    string            `json:"participant_id"`
	ParticipantLabel string            `json:"participant_label"`
	Kind             string            `json:"kind"`
	Lane             string            `json:"lane"`
	Name             string            `json:"name"`
	Value            string            `json:"value"`
	Attributes       map[string]string `json:"attributes"`
}

// timeline reads all of a call's.
func timeline(h *house, call string) []mark {
	h.t.Helper()
	var all []mark
	for token := ""; ; {
		var page struct {
			Timeline []mark `json:"timeline"`
			Next     string `json:"next_page_token"`
		}
		a := h.rig.ask(h.t, h.admin, http.MethodGet, "/v1/calls/"+call+"/timeline?page_size=1000"+token, nil)
		if a.status == http.StatusNotFound {
			return nil
		}
		if a.status != http.StatusOK {
			h.t.Fatalf("timeline: %d %s", a.status, a.body)
		}
		a.read(h.t, &page)
		all = append(all, page.Timeline...)
		if page.Next == "" {
			return all
		}
		token = "&page_token=" + url.QueryEscape(page.Next)
	}
}

// ended ends the meeting and waits until analytics know that the call has ended.
func (s *stage) ended() string {
	s.t.Helper()
	call := s.endCall(s.host)
	awaitEnded(s.house, call)
	return call
}

func awaitEnded(h *house, call string) {
	h.t.Helper()
	rows(h, call, "", func(c struct {
		EndedAt string `json:"ended_at"`
	},
	) bool {
		return c.EndedAt != ""
	})
}

// logged waits until each decision is in the decision log of a call that has ended.
func (s *stage) logged(call string, want ...decided) {
	s.t.Helper()
	logged(s.house, call, want...)
}

func logged(h *house, call string, want ...decided) {
	h.t.Helper()
	has := func(marks []mark, d decided) bool {
		return slices.ContainsFunc(marks, func(m mark) bool {
			return m.Kind == "decision" && m.ParticipantID == d.who.id() && m.Name == d.action && m.Value == d.effect &&
				slices.Contains(strings.Split(m.Attributes["reasons"], ","), d.reasons) && strings.HasPrefix(m.Attributes["policy_revision"], "base@")
		})
	}
	eventually(h.t, "the decision log", func() (bool, string) {
		marks, missing := timeline(h, call), []string{}
		for _, d := range want {
			if !has(marks, d) {
				missing = append(missing, fmt.Sprintf("%s of %s: %s %q", d.action, d.who.name, d.effect, d.reasons))
			}
		}
		var others []string
		for _, m := range marks {
			if m.Kind == "decision" && len(missing) > 0 {
				others = append(others, fmt.Sprintf("%.8s %s %s %s", m.ParticipantID, m.Name, m.Value, m.Attributes["reasons"]))
			}
		}
		return len(missing) == 0, fmt.Sprintf("missing %q among\n%s", missing, strings.Join(others, "\n"))
	})
}

// gets waits until packets arrive of each of the sources that a participant publishes.
func (p *person) gets(from *person, kinds ...string) {
	p.t.Helper()
	for _, kind := range kinds {
		p.awaitMorePackets(from, kind, p.packetsOf(from, kind)+10)
	}
}

// packetsIn counts all media packets that have come.
func (p *person) packetsIn() uint64 { n, _ := p.Delivered(); return n }

// stops waits until a count stands still while another one goes on by a good deal, and says at what it stands.
func stops(t *testing.T, what string, count, goesOn func() uint64) uint64 {
	t.Helper()
	for deadline := time.Now().Add(rigPatience); ; {
		stands, start := count(), goesOn()
		eventually(t, what+": the media beside it goes on", func() (bool, string) {
			n := goesOn()
			return n >= start+40, fmt.Sprintf("%d packets since", n-start)
		})
		if count() == stands {
			return stands
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: it goes on; %d packets and more", what, count())
		}
	}
}

// silent fails the test if a client was told of one of these; all that was sent to it before has come.
func (p *person) silent(what string, types ...string) {
	p.t.Helper()
	for _, typ := range types {
		if n := count[json.RawMessage](p, typ, nil); n > 0 {
			p.t.Errorf("%s: %s got %d events %s\n%s", what, p.name, n, typ, p.story())
		}
	}
}

// awaitGrant waits until the client was told that a capability is now so.
func (p *person) awaitGrant(capability string, want protocol.Grant) {
	p.t.Helper()
	await(p, protocol.TypeCapabilitiesChanged, func(c protocol.CapabilitiesChanged) bool {
		got, ok := c.Capabilities[capability]
		return ok && got == want
	})
	if got := p.grant(capability); got != want {
		p.t.Errorf("%s: %s is %+v when asked for, and was told as %+v", p.name, capability, got, want)
	}
}

// grant asks for one capability.
func (p *person) grant(capability string) protocol.Grant {
	p.t.Helper()
	all, err := p.Capabilities(p.soon())
	p.do(err)
	got, ok := all[capability]
	if !ok {
		p.t.Fatalf("%s: capability %s is not in %v", p.name, capability, all)
	}
	return got
}

// refuses tries something that must be refused for a reason.
func (p *person) refuses(reason, what string, act func() error) {
	p.t.Helper()
	wantReason(p.t, p.name+": "+what, act(), reason)
}

// tries publish a source, and ends it again if it worked.
func (p *person) tries(source mediaclient.Source) error {
	pubs, err := p.Publish(p.soon(), source)
	if err == nil {
		p.t.Errorf("%s publishes %s", p.name, source.Kind)
		_ = p.Unpublish(p.soon(), pubs...)
	}
	return err
}

// inRoster is somebody's line in the roster that this participant sees; nil: none.
func (p *person) inRoster(who *person) *protocol.Participant {
	p.t.Helper()
	roster, err := p.Roster(p.soon())
	p.do(err)
	for i := range roster {
		if roster[i].ParticipantID == who.id() {
			return &roster[i]
		}
	}
	return nil
}

// narrowRig has small limits, and delivers webhooks to this machine.
var narrowRig = &lazyRig{environ: wideLimits(
	"ANTEROOM_POLICY_LIMITS_PARTICIPANTS=6", "ANTEROOM_POLICY_LIMITS_CALL_GUEST=4", "ANTEROOM_POLICY_LIMITS_CHAT_GUEST=2",
	"ANTEROOM_WEBHOOKS_ALLOW_PRIVATE=true",
)}
