package meeting

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/prototext"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/policy"
)

func TestReconnectWithinTheGrace(t *testing.T) {
	bubble(t, func(k *kit) {
		u := k.user("uma")
		g := k.admitted("Gina", u)
		ticket := g.Ticket()
		g.Disconnected(g.screen)
		updated := take[protocol.Participant](u.screen, protocol.TypeParticipantUpdated)
		if len(updated) != 1 || updated[0].Connected {
			t.Errorf("told %+v", updated)
		}
		time.Sleep(19 * time.Second)
		again := &screen{}
		mb, j, err := k.m.Resume(t.Context(), ticket, again)
		if err != nil || mb != g.Member || !j.Resumed || j.State != protocol.StateAdmitted || len(j.Roster) != 2 {
			t.Fatalf("resume: %v %+v", err, j)
		}
		mb.Ready()
		time.Sleep(time.Minute)
		g.stateIs(protocol.StateAdmitted)

		third := &screen{}
		if _, _, err := k.m.Resume(t.Context(), ticket, third); err != nil {
			t.Fatal(err)
		}
		if again.reason() != protocol.ReasonReplaced {
			t.Errorf("the older client ended with %q", again.reason())
		}
		mb.Disconnected(again) // late news of a connection that was replaced
		time.Sleep(time.Minute)
		g.stateIs(protocol.StateAdmitted)

		mb.Disconnected(third)
		time.Sleep(21 * time.Second)
		synctest.Wait()
		left := take[protocol.ParticipantLeft](u.screen, protocol.TypeParticipantLeft)
		if diff := cmp.Diff([]protocol.ParticipantLeft{{ParticipantID: g.ID().String(), Reason: protocol.ReasonConnectionLost}}, left); diff != "" {
			t.Error(diff)
		}
		if _, _, err := k.m.Resume(t.Context(), ticket, &screen{}); !errors.Is(err, ErrResumeExpired) {
			t.Errorf("resume after the grace: %v", err)
		}
		fresh := k.guest("Gina")
		if fresh.ID() == g.ID() || fresh.joined.State != protocol.StateInLobby {
			t.Errorf("who comes again is %s", fresh.joined.State)
		}
	})
}

func TestRemovedAndGoneHaveNothing(t *testing.T) {
	bubble(t, func(k *kit) {
		u := k.user("uma")
		g := k.admitted("Gina", u)
		id := u.say("before")
		u.must(protocol.TypeRemove, protocol.Target{ParticipantID: g.ID().String()})
		if g.reason() != protocol.ReasonRemoved {
			t.Errorf("ended with %q", g.reason())
		}
		g.clear()
		for typ, body := range map[string]any{
			protocol.TypeChatSend: protocol.ChatSend{Text: "x"}, protocol.TypeChatHistory: nil, protocol.TypeChatRead: protocol.ChatMessageRef{MessageID: id},
			protocol.TypeRoster: nil, protocol.TypeCapabilities: nil, protocol.TypePublish: protocol.Publish{SDP: "v=0"}, protocol.TypePing: nil,
		} {
			g.refused(typ, body, protocol.ReasonNotInMeeting)
		}
		u.say("after")
		if n := g.count(); n > 0 {
			t.Errorf("%d events after the end", n)
		}
		if _, _, err := k.m.Resume(t.Context(), g.Ticket(), &screen{}); !errors.Is(err, ErrResumeExpired) {
			t.Errorf("resume: %v", err)
		}
	})
}

func TestMeetingEndsForEverybody(t *testing.T) {
	bubble(t, func(k *kit) {
		u := k.user("uma")
		g := k.admitted("Gina", u)
		waits := k.guest("Gerd")
		g.refused(protocol.TypeEndMeeting, nil, string(policy.GuestNotAllowed))
		u.must(protocol.TypeEndMeeting, nil)
		for _, p := range []*person{u, g, waits} {
			if p.reason() != protocol.ReasonMeetingEnded {
				t.Errorf("ended with %q", p.reason())
			}
		}
		<-k.m.Done()
		if _, err := k.tryJoin(orgUser("vera")); reasonOf(err) != protocol.ReasonMeetingEnded {
			t.Errorf("join: %v", err)
		}
		left, ended := of(k.notes, (*eventpb.Event).GetParticipantLeft), of(k.notes, (*eventpb.Event).GetCallEnded)
		if len(left) != 2 || len(ended) != 1 || ended[0].Reason != EndedByUser {
			t.Errorf("recorded %d leaves and %v", len(left), ended)
		}
		all := k.notes.all()
		if all[len(all)-1].GetCallEnded() == nil {
			t.Errorf("the last event is %v", all[len(all)-1])
		}
	})
}

func TestEmptyMeetingEnds(t *testing.T) {
	bubble(t, func(k *kit) {
		time.Sleep(unusedTimeout / 2) // one in which nobody ever was ends sooner
		u := k.user("uma")
		time.Sleep(10 * time.Minute)
		u.must(protocol.TypeLeave, nil)
		time.Sleep(5*time.Minute - time.Second)
		select {
		case <-k.m.Done():
			t.Error("ended too early")
		default:
		}
		time.Sleep(2 * time.Second)
		<-k.m.Done()
		if ended := of(k.notes, (*eventpb.Event).GetCallEnded); len(ended) != 1 || ended[0].Reason != EndedEmpty {
			t.Errorf("recorded %v", ended)
		}
	})
}

func TestEndIsRecordedOnceKafkaIsBack(t *testing.T) {
	bubble(t, func(k *kit) {
		k.user("uma")
		k.notes.set(func(n *notes) { n.down = true })
		k.m.End(t.Context(), EndedByUser)
		time.Sleep(20 * time.Second)
		k.notes.set(func(n *notes) { n.down = false })
		<-k.m.Done()
		if n := len(of(k.notes, (*eventpb.Event).GetParticipantLeft)) + len(of(k.notes, (*eventpb.Event).GetCallEnded)); n != 2 {
			t.Errorf("%d of 2 recorded", n)
		}
	})
}

func TestEndGivesUpAfterItsPatience(t *testing.T) {
	bubble(t, func(k *kit) {
		k.user("uma")
		k.notes.set(func(n *notes) { n.down = true })
		began := time.Now()
		k.m.End(t.Context(), EndedShutdown)
		<-k.m.Done()
		if took := time.Since(began); took > 2*time.Minute {
			t.Errorf("took %s of the bubble's time", took)
		}
	})
}

func TestReviveAfterTheNodeWasLost(t *testing.T) {
	bubble(t, func(k *kit) {
		u := k.user("uma")
		g := k.admitted("Gina", u)
		host, inside := u.Ticket(), g.Ticket()
		time.Sleep(time.Second)

		m, err := Revive(t.Context(), Config{}, k.facts, k.deps, k.m.Call())
		if err != nil || m.Call() != k.m.Call() {
			t.Fatalf("revive: %v", err)
		}
		defer func() { m.End(t.Context(), EndedByUser); <-m.Done() }()
		if n := len(of(k.notes, (*eventpb.Event).GetCallStarted)); n != 1 {
			t.Errorf("started %d times", n)
		}
		first, j, err := m.Resume(t.Context(), inside, &screen{})
		if err != nil || first.ID() != g.ID() || j.State != protocol.StateWaitingForHost {
			t.Fatalf("guest before the host: %v %+v", err, j)
		}
		_, j, err = m.Resume(t.Context(), host, &screen{})
		if err != nil || j.State != protocol.StateAdmitted || !j.Resumed {
			t.Fatalf("host: %v %+v", err, j)
		}
		synctest.Wait()
		(&person{Member: first, screen: &screen{}, k: k}).stateIs(protocol.StateAdmitted) // an org user had let it in

		if err := first.leave(); err != nil {
			t.Error(err)
		}
		if _, _, err := m.Resume(t.Context(), inside, &screen{}); !errors.Is(err, ErrResumeExpired) {
			t.Errorf("resume after leaving: %v", err)
		}
		inside.Call = uuid.New()
		if _, _, err := m.Resume(t.Context(), inside, &screen{}); !errors.Is(err, ErrResumeExpired) {
			t.Errorf("resume of another call: %v", err)
		}
		inside.Call, inside.Participant, inside.IssuedAt = m.Call(), uuid.New(), time.Now().Add(2*clockSlack)
		if _, _, err := m.Resume(t.Context(), inside, &screen{}); !errors.Is(err, ErrResumeExpired) {
			t.Errorf("a ticket of this process of somebody it doesn't know: %v", err)
		}
	})
}

func TestEventsHoldBackUntilTheJoinIsAnswered(t *testing.T) {
	bubble(t, func(k *kit) {
		u := k.user("uma")
		s := &screen{}
		mb, j, err := k.m.Join(t.Context(), orgUser("vera"), s)
		if err != nil || len(j.Roster) != 2 {
			t.Fatalf("join: %v %+v", err, j)
		}
		u.say("early")
		if s.count() != 0 {
			t.Error("an event came before the reply")
		}
		mb.Ready()
		if got := take[protocol.ChatMessage](s, protocol.TypeChatMessage); len(got) != 1 {
			t.Errorf("%d of 1 message came after it", len(got))
		}
	})
}

func TestRosterLabelsAndGuestsAreAnonymousInEvents(t *testing.T) {
	bubble(t, func(k *kit) {
		u := k.user("uma")
		secret := guest("Gina Geheim")
		secret.UserID = "gina@example.org" // what a careless caller might set
		secret.Client = protocol.ClientInfo{Family: "Ginas Telefon", Version: "gina", OS: "Gina OS"}
		g := k.join(secret)
		u.must(protocol.TypeAdmit, protocol.Participants{ParticipantIDs: []string{g.ID().String()}})
		g.say("my name is Gina Geheim")
		for _, line := range k.m.Roster() {
			if isGuest := line.ParticipantID == g.ID().String(); line.External != isGuest || (line.Kind == "guest") != isGuest {
				t.Errorf("roster has %+v", line)
			}
		}
		for _, e := range k.notes.all() {
			if text := prototext.Format(e) + string(e.GetDecision().GetInput()); strings.Contains(strings.ToLower(text), "gina") {
				t.Errorf("an event knows the guest: %s", text)
			}
			if e.Org != "contoso" || e.Region != "emea" || e.CallId != k.m.Call().String() {
				t.Errorf("event of another call: %v", e)
			}
		}
		joined := of(k.notes, (*eventpb.Event).GetParticipantJoined)
		if len(joined) != 2 || joined[0].Identity.UserId != "uma" || joined[0].ClientVersion != "141" || joined[0].OsFamily != "Windows" {
			t.Errorf("joined %v", joined)
		}
		if id := joined[1].Identity; id.Kind != eventpb.Identity_KIND_GUEST || id.UserId != "" || joined[1].ClientFamily != "other" {
			t.Errorf("the guest joined as %v", joined[1])
		}
	})
}

func TestCapabilitiesPushedWhenTheyChange(t *testing.T) {
	bubble(t, func(k *kit) {
		u := k.user("uma")
		g := k.admitted("Gina", u)
		changed := k.facts
		changed.Meeting.WithdrawnCapabilities = []string{"sendChat", "shareScreen"}
		k.m.Update(t.Context(), changed)
		pushed := take[protocol.CapabilitiesChanged](g.screen, protocol.TypeCapabilitiesChanged)
		restricted := protocol.Grant{Reason: string(policy.PolicyRestricted)}
		want := []protocol.CapabilitiesChanged{{Capabilities: map[string]protocol.Grant{"sendChat": restricted, "shareScreen": restricted}}}
		if diff := cmp.Diff(want, pushed); diff != "" {
			t.Error(diff)
		}
		if n := len(take[protocol.CapabilitiesChanged](u.screen, protocol.TypeCapabilitiesChanged)); n != 0 {
			t.Errorf("the org user was told %d times", n)
		}
		g.refused(protocol.TypeChatSend, protocol.ChatSend{Text: "x"}, string(policy.PolicyRestricted))
		u.say("org users may")
		all := g.must(protocol.TypeCapabilities, nil).(protocol.CapabilitiesChanged).Capabilities
		if len(all) != len(policy.Capabilities()) {
			t.Errorf("%d capabilities", len(all))
		}
	})
}

// hooks is a Notifier that remembers.
type hooks struct{ events []string }

func (h *hooks) Meeting(event string, _ Facts, _, _ uuid.UUID) { h.events = append(h.events, event) }

func TestNotifications(t *testing.T) {
	for _, test := range []struct {
		name, kind string
		want       []string
	}{
		{"meeting", "scheduled", []string{
			NotifyMeetingStarted, NotifyLobbyWaiting, NotifyParticipantJoined, NotifyBotJoined, NotifyParticipantJoined, NotifyParticipantLeft,
			NotifyParticipantLeft, NotifyMeetingEnded,
		}},
		{"guest's call", "guest_call", []string{
			NotifyMeetingStarted, NotifyCallStarted, NotifyParticipantJoined, NotifyCallParticipantJoined, NotifyParticipantLeft,
			NotifyCallParticipantLeft, NotifyMeetingEnded, NotifyCallEnded,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := &hooks{}
			bubble(t, func(k *kit) {
				g := k.guest("Gina")
				if test.kind == "scheduled" {
					u := k.user("uma")
					u.must(protocol.TypeAdmitAll, nil)
					g.must(protocol.TypeLeave, nil)
				}
			}, func(f *Facts, d *Deps) { f.Meeting.Kind = test.kind; d.Notifier = h })
			if diff := cmp.Diff(test.want, h.events); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBadRequests(t *testing.T) {
	bubble(t, func(k *kit) {
		u := k.user("uma")
		for _, test := range []struct{ typ, body, reason string }{
			{"nonsense", `{}`, protocol.ReasonUnknownType},
			{protocol.TypeJoin, `{}`, protocol.ReasonUnknownType},
			{protocol.TypeChatSend, `{"text":`, protocol.ReasonMalformed},
			{protocol.TypeChatSend, `{"text":1}`, protocol.ReasonMalformed},
			{protocol.TypeChatSend, "{\"text\":\"\xff\"}", protocol.ReasonMalformed},
			{protocol.TypeChatSend, `{"text":"a"} {}`, protocol.ReasonMalformed},
			{protocol.TypeRemove, `{"participant_id":"x"}`, protocol.ReasonInvalidField},
			{protocol.TypeRemove, `{"participant_id":"` + uuid.NewString() + `"}`, protocol.ReasonNotFound},
			{protocol.TypeAdmit, `{}`, protocol.ReasonInvalidField},
			{protocol.TypeMute, `{"participant_id":"` + uuid.NewString() + `"}`, protocol.ReasonNotFound},
			{protocol.TypePublish, `{"sdp":""}`, protocol.ReasonInvalidSDP},
			{protocol.TypePublish, `{"sdp":"x","tracks":[{"kind":"smell"}]}`, protocol.ReasonInvalidField},
			{protocol.TypeCandidate, `{"peer":"left"}`, protocol.ReasonInvalidField},
			{protocol.TypeSetTrack, `{"track_id":"` + uuid.NewString() + `"}`, protocol.ReasonNotFound},
			{protocol.TypeReceive, `{"tracks":[{"track_id":"` + uuid.NewString() + `","max_height":-1}]}`, protocol.ReasonInvalidField},
			{protocol.TypeActivity, `{"kind":"dance"}`, protocol.ReasonInvalidField},
			{protocol.TypeBackground, `{"effect":"fire"}`, protocol.ReasonInvalidField},
			{protocol.TypeDiagnostic, `{"name":"mood","value":"Bad"}`, protocol.ReasonInvalidField},
			{protocol.TypeDiagnostic, `{"name":"cameraFreeze","value":"so so"}`, protocol.ReasonInvalidField},
			{protocol.TypeSurvey, `{"ratings":{"overall":6}}`, protocol.ReasonInvalidField},
			{protocol.TypeSurvey, `{"ratings":{"food":5}}`, protocol.ReasonInvalidField},
			{protocol.TypeSurvey, `{"ratings":{"overall":5},"issues":{"overall":["call me at 555"]}}`, protocol.ReasonInvalidField},
			{protocol.TypeNoticeAck, `{"notice_id":"` + uuid.NewString() + `"}`, protocol.ReasonNotFound},
			{protocol.TypeStartRecording, `{}`, ReasonNoRecording},
			{protocol.TypeStartTranscript, `{}`, protocol.ReasonNoSink},
			{protocol.TypeStopRecording, `{}`, protocol.ReasonNotFound},
		} {
			_, err := u.Handle(t.Context(), test.typ, []byte(test.body))
			if reasonOf(err) != test.reason {
				t.Errorf("%s %s: %v, want %s", test.typ, test.body, err, test.reason)
			}
		}
		u.must(protocol.TypeDiagnostic, protocol.Diagnostic{Name: "cameraFreeze", Value: "True"})
		u.must(protocol.TypeSurvey, protocol.Survey{Ratings: map[string]int{"overall": 4}, Issues: map[string][]string{"overall": {"HadToRejoin"}}})
		u.refused(protocol.TypeSurvey, protocol.Survey{Ratings: map[string]int{"overall": 4}}, protocol.ReasonRateLimited)
	})
}
