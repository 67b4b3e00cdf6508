package meeting

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/policy"
)

func states(s *screen) []string {
	list := []string{}
	for _, st := range take[protocol.State](s, protocol.TypeState) {
		list = append(list, st.State)
	}
	return list
}

func TestGuestWaitsForHostAndIsAdmitted(t *testing.T) {
	bubble(t, func(k *kit) {
		g := k.guest("Gina")
		if g.joined.State != protocol.StateWaitingForHost || len(g.joined.Roster) != 0 || g.joined.MeetingTitle != "" {
			t.Errorf("joined as %+v, want to wait and to be told nothing of the meeting", g.joined)
		}
		g.refused(protocol.TypeChatSend, protocol.ChatSend{Text: "hello"}, protocol.ReasonNotAdmitted)
		g.refused(protocol.TypeRoster, nil, protocol.ReasonNotAdmitted)

		u := k.user("uma")
		if u.joined.State != protocol.StateAdmitted || !u.joined.Capabilities[string(policy.ManageLobby)].Allowed {
			t.Errorf("org user joined as %+v", u.joined)
		}
		g.stateIs(protocol.StateInLobby)
		if diff := cmp.Diff([]string{protocol.StateInLobby}, states(g.screen)); diff != "" {
			t.Error(diff)
		}
		lobby := take[protocol.LobbyUpdated](u.screen, protocol.TypeLobbyUpdated)
		if len(lobby) == 0 {
			t.Fatal("the org user wasn't told who waits")
		}
		want := []protocol.Waiting{{
			ParticipantID: g.ID().String(), DisplayName: "Gina", Kind: "guest", External: true, State: protocol.StateInLobby,
			Since: k.m.started.UTC().Format(time.RFC3339),
		}}
		if diff := cmp.Diff(want, lobby[len(lobby)-1].Waiting); diff != "" {
			t.Error(diff)
		}

		u.must(protocol.TypeAdmit, protocol.Participants{ParticipantIDs: []string{g.ID().String()}})
		g.stateIs(protocol.StateAdmitted)
		told := take[protocol.State](g.screen, protocol.TypeState)
		if len(told) != 1 || told[0].MeetingTitle != "Plans" || len(told[0].Roster) != 2 || !told[0].Capabilities["sendChat"].Allowed {
			t.Errorf("admitted with %+v", told)
		}
		joined := take[protocol.Participant](u.screen, protocol.TypeParticipantJoined)
		if len(joined) != 1 || !joined[0].External || joined[0].Kind != "guest" {
			t.Errorf("the org user was told %+v", joined)
		}
		if left := take[protocol.LobbyUpdated](u.screen, protocol.TypeLobbyUpdated); len(left) == 0 || len(left[len(left)-1].Waiting) != 0 {
			t.Errorf("the lobby is not empty: %+v", left)
		}
	})
}

func TestLobbyManagedByOrgUsersOnly(t *testing.T) {
	bubble(t, func(k *kit) {
		u := k.user("uma")
		inside := k.admitted("Gina", u)
		waits := k.guest("Gerd")
		ids := protocol.Participants{ParticipantIDs: []string{waits.ID().String()}}
		inside.refused(protocol.TypeAdmit, ids, string(policy.GuestNotAllowed))
		inside.refused(protocol.TypeAdmitAll, nil, string(policy.GuestNotAllowed))
		inside.refused(protocol.TypeReject, ids, string(policy.GuestNotAllowed))
		inside.refused(protocol.TypeLobby, nil, string(policy.GuestNotAllowed))
		if n := len(take[protocol.LobbyUpdated](inside.screen, protocol.TypeLobbyUpdated)); n > 0 {
			t.Errorf("a guest was told %d times who waits", n)
		}
		u.must(protocol.TypeReject, ids)
		if waits.reason() != protocol.ReasonLobbyRejected {
			t.Errorf("ended with %q", waits.reason())
		}
		u.refused(protocol.TypeAdmit, ids, protocol.ReasonNotFound)

		other := k.guest("Gus")
		another := k.guest("Greta")
		u.must(protocol.TypeAdmitAll, nil)
		other.stateIs(protocol.StateAdmitted)
		another.stateIs(protocol.StateAdmitted)
	})
}

func TestBypassLetsWaitingGuestsIn(t *testing.T) {
	everyone := func(f *Facts, _ *Deps) { f.Meeting.LobbyBypass = "everyone" }
	bubble(t, func(k *kit) {
		first, second := k.guest("Gina"), k.guest("Gerd")
		first.stateIs(protocol.StateWaitingForHost)
		u := k.user("uma")
		first.stateIs(protocol.StateAdmitted)
		second.stateIs(protocol.StateAdmitted)

		u.must(protocol.TypeLeave, nil)
		first.stateIs(protocol.StateAdmitted)
		if late := k.guest("Gus"); late.joined.State != protocol.StateWaitingForHost {
			t.Errorf("without a host a guest joined as %s", late.joined.State)
		}
	}, everyone)
}

func TestLastHostLeavesSoThatTheLobbyWaitsAgain(t *testing.T) {
	bubble(t, func(k *kit) {
		u, v := k.user("uma"), k.user("vera")
		inside := k.admitted("Gina", u)
		waits := k.guest("Gerd")
		u.must(protocol.TypeLeave, nil)
		waits.stateIs(protocol.StateInLobby)
		v.must(protocol.TypeLeave, nil)
		waits.stateIs(protocol.StateWaitingForHost)
		inside.stateIs(protocol.StateAdmitted)
		k.user("uma")
		waits.stateIs(protocol.StateInLobby)
	})
}

func TestLobbyTimeoutCountsBothStates(t *testing.T) {
	bubble(t, func(k *kit) {
		g := k.guest("Gina")
		time.Sleep(20 * time.Minute / 5)
		u := k.user("uma")
		g.stateIs(protocol.StateInLobby)
		time.Sleep(26*time.Minute - time.Second)
		g.stateIs(protocol.StateInLobby)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if g.reason() != protocol.ReasonLobbyTimeout {
			t.Errorf("ended with %q", g.reason())
		}
		if got := states(g.screen); got[len(got)-1] != protocol.StateTimeout {
			t.Errorf("states %v", got)
		}
		u.stateIs(protocol.StateAdmitted)
	})
}

func TestSettingsReachThoseWhoWait(t *testing.T) {
	bubble(t, func(k *kit) {
		u := k.user("uma")
		inside := k.admitted("Gina", u)
		waits := k.guest("Gerd")
		off := false
		changed := k.facts
		changed.Organization.Settings.AnonymousJoin = &off
		k.m.Update(t.Context(), changed)
		if waits.reason() != string(policy.AnonymousJoinDisabled) {
			t.Errorf("who waited ended with %q", waits.reason())
		}
		inside.stateIs(protocol.StateAdmitted)
		if _, err := k.tryJoin(guest("Gus")); reasonOf(err) != string(policy.AnonymousJoinDisabled) {
			t.Errorf("join: %v", err)
		}

		changed.Organization.Settings.AnonymousJoin = nil
		k.m.Update(t.Context(), changed)
		waits = k.guest("Gerd")
		changed.Meeting.LobbyBypass = "everyone"
		k.m.Update(t.Context(), changed)
		synctest.Wait()
		waits.stateIs(protocol.StateAdmitted)
	})
}

func TestOrgUsersWaitWhereOnlyInvitedBypass(t *testing.T) {
	invited := func(f *Facts, _ *Deps) { f.Meeting.LobbyBypass = "invited"; f.Meeting.Invited = []string{"uma"} }
	bubble(t, func(k *kit) {
		v := k.user("vera")
		v.stateIs(protocol.StateInLobby)
		g := k.guest("Gina")
		g.stateIs(protocol.StateWaitingForHost) // one who waits hosts nobody
		u := k.user("uma")
		u.stateIs(protocol.StateAdmitted)
		g.stateIs(protocol.StateInLobby)
		u.must(protocol.TypeAddParticipant, protocol.AddParticipant{User: "vera"})
		v.stateIs(protocol.StateAdmitted)
	}, invited)
}

func TestLimitsOfPolicy(t *testing.T) {
	bubble(t, func(k *kit) {
		u := k.user("uma")
		k.admitted("Gina", u)
		v := k.user("vera")
		if _, err := k.tryJoin(guest("Gerd")); reasonOf(err) != string(policy.CallLimitGuest) {
			t.Errorf("guest at the limit: %v", err)
		}
		w := k.user("wim")
		if _, err := k.tryJoin(orgUser("xaver")); reasonOf(err) != string(policy.MeetingFull) {
			t.Errorf("org user at the limit: %v", err)
		}
		w.must(protocol.TypeLeave, nil)
		v.must(protocol.TypeLeave, nil)
		if g := k.guest("Gerd"); g.joined.State != protocol.StateInLobby {
			t.Errorf("with a free seat a guest is %s", g.joined.State)
		}
	}, withLimits(t, policy.Limits{Participants: 4, CallGuest: 3, ChatGuest: 2}))
}

func TestWhoWaitsGoesOnWaitingWhileFull(t *testing.T) {
	bubble(t, func(k *kit) {
		g := k.guest("Gina")
		u := k.user("uma")
		v := k.user("vera")
		k.user("wim")
		g.stateIs(protocol.StateInLobby)
		u.refused(protocol.TypeAdmit, protocol.Participants{ParticipantIDs: []string{g.ID().String()}}, string(policy.CallLimitGuest))
		g.stateIs(protocol.StateInLobby)
		v.must(protocol.TypeLeave, nil)
		g.stateIs(protocol.StateAdmitted) // an org user has said yes already
	}, withLimits(t, policy.Limits{Participants: 4, CallGuest: 3, ChatGuest: 2}))
}

func TestConfirmedMeansRecorded(t *testing.T) {
	bubble(t, func(k *kit) {
		u := k.user("uma")
		gate := make(chan struct{})
		k.notes.set(func(n *notes) { n.gate = gate })
		s := &screen{}
		answered := make(chan error, 1)
		go func() {
			_, _, err := k.m.Join(t.Context(), orgUser("vera"), s)
			answered <- err
		}()
		synctest.Wait()
		if n := len(take[protocol.Participant](u.screen, protocol.TypeParticipantJoined)); n > 0 || len(answered) > 0 {
			t.Error("a join was told before it was recorded")
		}
		if n := len(k.m.Roster()); n != 1 {
			t.Errorf("%d in the roster", n)
		}
		k.notes.set(func(n *notes) { n.gate = nil })
		close(gate)
		if err := <-answered; err != nil {
			t.Error(err)
		}
		if n := len(take[protocol.Participant](u.screen, protocol.TypeParticipantJoined)); n != 1 {
			t.Errorf("told %d times", n)
		}
	})
}

func TestHostLeavesWhileGuestIsAdmitted(t *testing.T) {
	bubble(t, func(k *kit) {
		u := k.user("uma")
		g := k.guest("Gina")
		gate := make(chan struct{})
		k.notes.set(func(n *notes) { n.gate = gate })
		answered := make(chan error, 1)
		go func() {
			answered <- u.admit(t.Context(), []uuid.UUID{g.ID()})
		}()
		synctest.Wait()
		if err := u.leave(); err != nil {
			t.Error(err)
		}
		k.notes.set(func(n *notes) { n.gate = nil })
		close(gate)
		if err := <-answered; reasonOf(err) != string(policy.WaitingForHost) {
			t.Errorf("admit: %v", err)
		}
		synctest.Wait()
		g.stateIs(protocol.StateWaitingForHost)
		if left := of(k.notes, (*eventpb.Event).GetParticipantLeft); len(left) != 2 {
			t.Errorf("%d left, want the host and the guest that had been recorded as joined", len(left))
		}
	})
}

func TestNames(t *testing.T) {
	bubble(t, func(k *kit) {
		for _, name := range []string{"", "  ", "a\x00b", "evil\u202egnp", "a\u2066b"} {
			if _, err := k.tryJoin(guest(name)); reasonOf(err) != protocol.ReasonInvalidName {
				t.Errorf("name %q: %v", name, err)
			}
		}
		if g := k.guest("  Zoë 👩‍💻 "); g.entrant.DisplayName != "Zoë 👩‍💻" {
			t.Errorf("name became %q", g.entrant.DisplayName)
		}
		device := guest("Device")
		device.Client.Kind = clientRoomDevice
		if _, err := k.tryJoin(device); reasonOf(err) != protocol.ReasonInvalidField {
			t.Errorf("a guest's room device: %v", err)
		}
	})
}

func TestStartIsRecordedOrFails(t *testing.T) {
	bubble(t, func(k *kit) {
		k.notes.set(func(n *notes) { n.down = true })
		for range 2 {
			if _, err := k.tryJoin(orgUser("uma")); reasonOf(err) != protocol.ReasonUnavailable {
				t.Errorf("joined with Kafka away: %v", err)
			}
		}
		k.notes.set(func(n *notes) { n.down = false })
		k.user("uma")
		if n := len(of(k.notes, (*eventpb.Event).GetCallStarted)); n != 1 {
			t.Errorf("started %d times", n)
		}
	})
	if _, err := Start(t.Context(), Config{LobbyTimeout: -1}, facts(), Deps{Recorder: &notes{}}); err == nil {
		t.Error("started with a bad configuration")
	}
}

func TestPersonalOrganizationsHostNoGuests(t *testing.T) {
	bubble(t, func(k *kit) {
		k.user("uma")
		if _, err := k.tryJoin(guest("Gina")); reasonOf(err) != string(policy.PersonalOrganization) {
			t.Errorf("join: %v", err)
		}
	}, func(f *Facts, _ *Deps) { f.Organization.Kind = directory.KindPersonal })
}

func TestCrowdAtTheDoor(t *testing.T) {
	bubble(t, func(k *kit) {
		u := k.user("uma")
		u.clear()
		for range 500 {
			k.guest("Gina")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		told := take[protocol.LobbyUpdated](u.screen, protocol.TypeLobbyUpdated)
		if len(told) > lobbyLong+5 || len(told[len(told)-1].Waiting) != 500 {
			t.Errorf("told %d times, in the end of %d", len(told), len(told[len(told)-1].Waiting))
		}
	})
}

func TestLobbyIsBounded(t *testing.T) {
	bubble(t, func(k *kit) {
		k.m.cfg.MaxWaiting = 2
		k.guest("Gina")
		k.guest("Gerd")
		if _, err := k.tryJoin(guest("Gus")); reasonOf(err) != string(policy.MeetingFull) {
			t.Errorf("join: %v", err)
		}
		k.user("uma")
	})
}
