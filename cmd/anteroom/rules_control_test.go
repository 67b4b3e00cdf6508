package main

import (
	"net/http"
	"testing"
	"time"

	mediaclient "github.com/anteroom/anteroom/media/client"
	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/policy"
)

// What is changed through the API, with If-Match, reaches the running meeting: not just the next request, but what goes on. How soon it did is in
// the test's log.
func TestControlChangesReachRunningMeetings(t *testing.T) {
	t.Parallel()
	h := newHouse(t, usualRig.get(t), nil)
	app := h.application(nil)
	// reaches logs how long something took from just before the request on.
	reaches := func(t *testing.T, what string, change, arrives func()) {
		t.Helper()
		began := time.Now()
		change()
		arrives()
		t.Logf("%s: after %v", what, time.Since(began).Round(time.Millisecond))
	}
	withdrawn := func(p *person, capability policy.Capability) func() {
		return func() {
			await(p, protocol.TypeCapabilitiesChanged, func(c protocol.CapabilitiesChanged) bool {
				got, ok := c.Capabilities[string(capability)]
				return ok && !got.Allowed && got.Reason == string(policy.PolicyRestricted)
			})
		}
	}

	t.Run("versions", func(t *testing.T) {
		m := h.meeting(nil).in(t)
		path, patch := "/v1/meetings/"+m.id, fields{"title": "Another"}
		tag := h.rig.must(t, http.StatusOK, h.admin, http.MethodGet, path, nil).header.Get("ETag")
		h.rig.must(t, http.StatusPreconditionRequired, h.admin, http.MethodPatch, path, patch)
		h.rig.must(t, http.StatusOK, h.admin, http.MethodPatch, path, patch, "If-Match", tag)
		h.rig.must(t, http.StatusPreconditionFailed, h.admin, http.MethodPatch, path, patch, "If-Match", tag)
	})
	t.Run("lobby bypass", func(t *testing.T) {
		m := h.meeting(nil).in(t)
		m.user("olga")
		guest := m.guest(app, "Gus")
		reaches(t, "bypass for everyone", func() { m.change(fields{"lobby_bypass": "everyone"}) }, func() { guest.awaitState(protocol.StateAdmitted) })
		m.change(fields{"lobby_bypass": nil})
		eventually(t, "the lobby is back", func() (bool, string) {
			late := m.guest(app, "late")
			defer late.Close()
			return late.Joined().State == protocol.StateInLobby, late.Joined().State
		})
		guest.say("who is in stays in")
	})
	t.Run("withdrawn for the meeting", func(t *testing.T) {
		m := h.meeting(nil).in(t)
		host := m.user("olga")
		guest := m.admitted(host, app, "Gus")
		guest.publish(mediaclient.Source{Kind: mediaclient.Screen}, mediaclient.Source{Kind: mediaclient.Audio})
		host.awaitMedia(guest, mediaclient.Screen)
		host.publish(mediaclient.Source{Kind: mediaclient.Screen})
		reaches(t, "screen share withdrawn", func() { m.change(fields{"withdrawn_capabilities": []string{"shareScreen"}}) }, withdrawn(guest, policy.ShareScreen))
		await(guest, protocol.TypeTrackStopped, func(s protocol.TrackStopped) bool { return s.Kind == mediaclient.Screen })
		// The rest goes on, and the org user's screen too.
		host.awaitMorePackets(guest, mediaclient.Audio, host.packetsOf(guest, mediaclient.Audio))
		guest.awaitMorePackets(host, mediaclient.Screen, guest.packetsOf(host, mediaclient.Screen))
		_, err := guest.Publish(guest.soon(), mediaclient.Source{Kind: mediaclient.Screen})
		wantReason(t, "share again", err, string(policy.PolicyRestricted))
	})
	t.Run("withdrawn for the organisation", func(t *testing.T) {
		own := newHouse(t, usualRig.get(t), nil)
		m, app := own.meeting(nil), own.application(nil)
		host := m.user("olga")
		guest := m.admitted(host, app, "Gus")
		guest.say("while I may")
		reaches(t, "chat withdrawn", func() {
			own.changeOrg(fields{"settings": fields{"withdrawn_capabilities": []string{"sendChat"}}})
		}, withdrawn(guest, policy.SendChat))
		_, err := guest.ChatSend(guest.soon(), protocol.ChatSend{Text: "and when I may not"})
		wantReason(t, "write", err, string(policy.PolicyRestricted))
		host.say("org users still write")
		guest.awaitChat("org users still write")
	})
	t.Run("withdrawn by the organiser", func(t *testing.T) {
		own := newHouse(t, usualRig.get(t), nil)
		m, app := own.meeting(nil), own.application(nil)
		host := m.user("olga")
		guest := m.admitted(host, app, "Gus")
		guest.publish(mediaclient.Source{Kind: mediaclient.Video})
		host.awaitMedia(guest, mediaclient.Video)
		reaches(t, "video withdrawn", func() {
			own.changeUser(organizer, fields{"name": organizer, "withdrawn_capabilities": []string{"turnVideoOn"}})
		}, withdrawn(guest, policy.TurnVideoOn))
		await(guest, protocol.TypeTrackStopped, func(s protocol.TrackStopped) bool { return s.Kind == mediaclient.Video })
	})
	t.Run("cancelled", func(t *testing.T) {
		m := h.meeting(nil).in(t)
		host := m.user("olga")
		inside, waiting := m.admitted(host, app, "inside"), m.guest(app, "waiting")
		reaches(t, "cancellation", func() { m.change(fields{"cancelled": true}) }, func() {
			for _, p := range []*person{host, inside, waiting} {
				if got := p.awaitEnd(); got.Reason != protocol.ReasonMeetingEnded || got.Resume {
					t.Errorf("%s: %+v", p.name, got)
				}
			}
		})
		if got := m.refusal(m.guestJoin(app, "late")); got.Reason != protocol.ReasonMeetingEnded {
			t.Errorf("a join afterwards: %s", told(got))
		}
		m.change(fields{"cancelled": false})
		m.user("olga")
	})
	t.Run("anonymous join", func(t *testing.T) {
		own := newHouse(t, usualRig.get(t), nil)
		m, app := own.meeting(nil), own.application(nil)
		m.user("olga")
		guest := m.guest(app, "Gus")
		reaches(t, "no guests", func() { own.changeOrg(fields{"settings": fields{"anonymous_join": false}}) }, func() {
			guest.awaitState(protocol.StateRejected)
		})
	})
}
