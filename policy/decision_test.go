package policy

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// change is one difference from an ordinary input.
type change func(*Input)

func state(s string) change           { return func(in *Input) { in.Participant.State = s } }
func kind(k string) change            { return func(in *Input) { in.Meeting.Kind = k } }
func orgUsers(n int) change           { return func(in *Input) { in.Session.OrgUsers = n } }
func participants(n int) change       { return func(in *Input) { in.Session.Participants = n } }
func chatMembers(n int) change        { return func(in *Input) { in.Session.ChatMembers = n } }
func bypass(b Bypass) change          { return func(in *Input) { in.Meeting.LobbyBypass = b } }
func organizerBypass(b Bypass) change { return func(in *Input) { in.Meeting.OrganizerLobbyBypass = b } }
func orgBypass(b Bypass) change       { return func(in *Input) { in.Organization.LobbyBypass = b } }
func personal(in *Input)              { in.Organization.Kind = "personal" }
func noGuests(in *Input)              { in.Organization.AnonymousJoin = false }
func enforced(in *Input)              { in.Organization.EnforceWebinarRoles = true }
func consent(in *Input)               { in.Organization.RequireConsent = true }
func recording(in *Input)             { in.Meeting.Recording = true }
func transcribing(in *Input)          { in.Meeting.Transcribing = true }
func consented(in *Input)             { in.Participant.Consented = true }
func admitted(in *Input)              { in.Participant.AdmittedByOrgUser = true }
func organizer(in *Input)             { in.Participant.Organizer = true }
func invited(in *Input)               { in.Participant.Invited = true }
func presenter(in *Input)             { in.Participant.Presenter = true }
func roomDevice(in *Input)            { in.Session.RoomDevice = true }

func with(in Input, changes ...change) Input {
	for _, c := range changes {
		c(&in)
	}
	return in
}

// unknown is somebody whose kind nothing proves.
func unknown(in *Input) { in.Participant.Kind = "" }

// TestDecisionJoin has each rule on entering, the permitted case beside each refusal.
func TestDecisionJoin(t *testing.T) {
	guest, user := guest(ActionJoin, ""), orgUser(ActionJoin, "")
	for _, c := range []struct {
		name    string
		in      Input
		effect  Effect
		reasons []Reason
		rules   []string
	}{
		{"J3 guests may", with(guest, bypass("everyone")), Allow, nil, nil},
		{"J3 guests may not", with(guest, bypass("everyone"), noGuests), Deny, []Reason{"anonymous_join_disabled"}, []string{"J3"}},
		{"J3 nor may those who wait", with(guest, noGuests, state("in_lobby")), Deny, []Reason{"anonymous_join_disabled"}, []string{"J3"}},
		{"J3 nor may those admitted but not in", with(guest, noGuests, state("in_lobby"), admitted), Deny, []Reason{"anonymous_join_disabled"}, []string{"J3"}},
		{"J3 who is inside stays", with(guest, noGuests, state("admitted")), Allow, nil, nil},
		{"J3 users may", with(user, noGuests), Allow, nil, nil},
		{"J4 guest", with(guest, bypass("everyone"), personal), Deny, []Reason{"personal_organization"}, []string{"J4"}},
		{"J4 user", with(user, personal), Allow, nil, nil},
		{"J5 user", with(user, kind("guest_call")), Deny, []Reason{"guest_initiated_call"}, []string{"J5"}},
		{"J5 guest, with nobody to admit it", with(guest, kind("guest_call"), orgUsers(0), participants(0)), Allow, nil, nil},
		{"J5 guest, whoever is counted", with(guest, kind("guest_call"), orgUsers(1)), Allow, nil, nil},
		{"J8 nobody hosts", with(guest, orgUsers(0)), Lobby, []Reason{"waiting_for_host"}, []string{"J8"}},
		{"J8 even with bypass", with(guest, orgUsers(0), bypass("everyone")), Lobby, []Reason{"waiting_for_host"}, []string{"J8"}},
		{"J8 even when admitted before", with(guest, orgUsers(0), state("in_lobby"), admitted), Lobby, []Reason{"waiting_for_host"}, []string{"J8"}},
		{"J8 who is inside stays", with(guest, orgUsers(0), state("admitted")), Allow, nil, nil},
		{"J8 is not for users", with(user, orgUsers(0)), Allow, nil, nil},
		{"J9 guest waits", guest, Lobby, []Reason{"in_lobby"}, []string{"J9"}},
		{"J9 after waiting for a host", with(guest, state("waiting_for_host")), Lobby, []Reason{"in_lobby"}, []string{"J9"}},
		{"J9 guest was admitted", with(guest, state("in_lobby"), admitted), Allow, nil, nil},
		{"J9 who is not proven is a guest", with(user, unknown), Lobby, []Reason{"in_lobby"}, []string{"J9"}},
		{"J10 everyone", with(guest, bypass("everyone")), Allow, nil, nil},
		{"J10 everyone, already waiting", with(guest, bypass("everyone"), state("in_lobby")), Allow, nil, nil},
		{"J10 of the organiser", with(guest, organizerBypass("everyone")), Allow, nil, nil},
		{"J10 of the organisation", with(guest, orgBypass("everyone")), Allow, nil, nil},
		{"J10 the meeting's beats the organiser's", with(guest, organizerBypass("everyone"), bypass("invited")), Lobby, []Reason{"in_lobby"}, []string{"J9"}},
		{"J10 the organiser's beats the organisation's", with(guest, orgBypass("everyone"), organizerBypass("org_users")), Lobby, []Reason{"in_lobby"}, []string{"J9"}},
		{"J10 none set", with(user, orgBypass("")), Allow, nil, nil},
		{"J10 invited: user is", with(user, bypass("invited"), invited), Allow, nil, nil},
		{"J10 invited: user is not", with(user, bypass("invited")), Lobby, []Reason{"in_lobby"}, []string{"J10"}},
		{"J10 invited: user is not and nobody hosts", with(user, bypass("invited"), orgUsers(0)), Lobby, []Reason{"in_lobby"}, []string{"J10"}},
		{"J10 invited: guests wait even if named", with(guest, bypass("invited"), invited), Lobby, []Reason{"in_lobby"}, []string{"J9"}},
		{"J10 organizers: user is", with(user, bypass("organizers"), organizer), Allow, nil, nil},
		{"J10 organizers: user is invited", with(user, bypass("organizers"), invited), Lobby, []Reason{"in_lobby"}, []string{"J10"}},
		{"J10 organizers: user was admitted", with(user, bypass("organizers"), admitted), Allow, nil, nil},
		{"J10 an unknown setting spares organisers only", with(user, bypass("anyone")), Lobby, []Reason{"in_lobby"}, []string{"J10"}},
		{"J10 who is inside stays", with(user, bypass("organizers"), state("admitted")), Allow, nil, nil},
		{"J11 guest", with(guest, kind("live_event"), bypass("everyone")), Deny, []Reason{"live_event"}, []string{"J11"}},
		{"J11 user", with(user, kind("live_event")), Allow, nil, nil},
		{"J12 who is gone is somebody new", with(guest, state("gone"), bypass("everyone")), Deny, []Reason{"not_in_meeting"}, []string{"M2"}},
		{"M10 guest at 349", with(guest, bypass("everyone"), participants(349)), Allow, nil, nil},
		{"M10 guest at 350", with(guest, bypass("everyone"), participants(350)), Deny, []Reason{"call_limit_guest"}, []string{"M10"}},
		{"M10 user at 999", with(user, participants(999)), Allow, nil, nil},
		{"M10 user at 1000", with(user, participants(1000)), Deny, []Reason{"meeting_full"}, []string{"M10"}},
		{"M10 guest at 1000", with(guest, participants(1000)), Deny, []Reason{"meeting_full", "call_limit_guest"}, []string{"M10", "M10"}},
		{"M10 who is inside stays", with(guest, state("admitted"), participants(1000)), Allow, nil, nil},
		{"deny beats lobby", with(guest, noGuests, orgUsers(0)), Deny, []Reason{"anonymous_join_disabled"}, []string{"J3"}},
	} {
		t.Run(c.name, func(t *testing.T) { check(t, c.in, c.effect, c.reasons, c.rules) })
	}
}

func check(t *testing.T, in Input, effect Effect, reasons []Reason, rules []string) {
	t.Helper()
	got := engine(t, DefaultConfig()).Decide(context.Background(), "acme", in)
	want := Decision{Effect: effect, Reasons: reasons, Rules: rules}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Decision{}, "Took", "Revision", "Obligations"), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(got.Revision, "base@") || got.Took <= 0 {
		t.Errorf("revision %q, took %v", got.Revision, got.Took)
	}
}

// TestDecisionUse has each rule on capabilities: what is refused and why, and everything else allowed.
func TestDecisionUse(t *testing.T) {
	everything := func(reason Reason) map[Capability]Reason {
		all := map[Capability]Reason{}
		for _, c := range Capabilities() {
			all[c] = reason
		}
		return all
	}
	over := func(under map[Capability]Reason, reason Reason, capabilities ...Capability) map[Capability]Reason {
		all := maps.Clone(under)
		for _, c := range capabilities {
			all[c] = reason
		}
		return all
	}
	guest, user := guest(ActionUse, ""), orgUser(ActionUse, "")
	none := map[Capability]Reason{}
	media := []Capability{UnmuteMic, TurnVideoOn, ShareScreen}
	chat := []Capability{SendChat, ReceiveChat, EditChat, DeleteChat, SendTyping, SendReadReceipts}
	allChat := append(slices.Clone(chat), ReplyChat, ReactChat, ShareFile)
	managing := []Capability{AddParticipant, RemoveParticipant, MuteOthers, ManageLobby, HangUpForEveryone, StartRecording, StartTranscription}
	// M3, M4, M6, M9, M13 to M16: what no guest has.
	usual := over(over(none, "guest_not_allowed", managing...), "not_supported_for_guests", BackgroundEffect, SlidesLive, UseReactions, RaiseHand,
		TogetherMode, BreakoutRooms, UsePolls, UseQuestionsAnswers, ReplyChat, ReactChat, ShareFile, ClosedCaptions)
	attendee := over(none, "attendee_role", append(slices.Clone(media), managing...)...)
	withdraw := func(in *Input) {
		in.Organization.Withdrawn = []Capability{SendChat, RaiseHand}
		in.Meeting.Withdrawn = []Capability{UnmuteMic}
		in.Meeting.OrganizerWithdrawn = []Capability{ReceiveMedia}
	}
	for _, c := range []struct {
		name string
		in   Input
		want map[Capability]Reason
	}{
		{"M1 user inside", user, none},
		{"M1 M3 M4 M6 M9 M13-M16 guest inside", guest, usual},
		{"M1 whose kind nothing proves", with(user, unknown), usual},
		{"M1 guest new", with(guest, state("new")), everything("not_admitted")},
		{"M1 guest waiting for a host", with(guest, state("waiting_for_host")), everything("not_admitted")},
		{"M1 guest in the lobby", with(guest, state("in_lobby")), everything("not_admitted")},
		{"M1 user in the lobby", with(user, state("in_lobby"), organizer), everything("not_admitted")},
		{"M1 a state nobody knows", with(user, state("")), everything("not_admitted")},
		{"M2 guest gone", with(guest, state("gone")), everything("not_in_meeting")},
		{"M2 user gone", with(user, state("gone")), everything("not_in_meeting")},
		{"M5 guest", with(guest, kind("channel")), over(usual, "channel_meeting", allChat...)},
		{"M5 user", with(user, kind("channel")), none},
		{"M7 guests are not held to it", with(guest, kind("webinar")), usual},
		{"M7 enforced", with(guest, kind("webinar"), enforced), over(usual, "attendee_role", media...)},
		{"M7 enforced, no webinar", with(guest, enforced), usual},
		{"M7 user who attends", with(user, kind("webinar")), attendee},
		{"M7 user who presents", with(user, kind("webinar"), presenter), none},
		{"M7 user who organises", with(user, kind("webinar"), organizer), none},
		{"M10 chat of 250", with(guest, chatMembers(250)), usual},
		{"M10 chat of 251", with(guest, chatMembers(251)), over(usual, "chat_limit_guest", chat...)},
		{"M10 user in a chat of 999", with(user, chatMembers(999)), none},
		{"M17 guest", with(guest, withdraw), over(usual, "policy_restricted", SendChat, UnmuteMic, ReceiveMedia)},
		{"M17 user", with(user, withdraw), none},
		{"P1 recorded", with(guest, consent, recording), over(usual, "consent_required", media...)},
		{"P1 transcribed", with(guest, consent, transcribing), over(usual, "consent_required", media...)},
		{"P1 consented", with(guest, consent, recording, consented), usual},
		{"P1 not asked for", with(guest, recording), usual},
		{"P1 nothing runs", with(guest, consent), usual},
		{"P1 user", with(user, consent, recording), none},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := engine(t, DefaultConfig())
			want := Grants{}
			for _, capability := range Capabilities() {
				reason, refused := c.want[capability]
				want[capability] = Grant{Allowed: !refused, Reason: reason}
			}
			if diff := cmp.Diff(want, e.Grants(context.Background(), "acme", c.in)); diff != "" {
				t.Errorf("grants (-want +got):\n%s", diff)
			}
			got := Grants{}
			for _, capability := range Capabilities() {
				in := c.in
				in.Capability = capability
				d := e.Decide(context.Background(), "acme", in)
				got[capability] = Grant{Allowed: d.Allowed(), Reason: d.Reason()}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("decisions (-want +got):\n%s", diff)
			}
		})
	}
}

// TestDecisionM11: a guest's screen share beside a room device is allowed, and known to be an issue.
func TestDecisionM11(t *testing.T) {
	e := engine(t, DefaultConfig())
	issue := []Obligation{RecordInteropScreenShare}
	for _, c := range []struct {
		name string
		in   Input
		want Decision
	}{
		{"guest", with(guest(ActionUse, ShareScreen), roomDevice), Decision{Effect: Allow, Obligations: issue}},
		{"guest, no room device", guest(ActionUse, ShareScreen), Decision{Effect: Allow}},
		{"guest, another capability", with(guest(ActionUse, UnmuteMic), roomDevice), Decision{Effect: Allow}},
		{"guest who may not share", with(guest(ActionUse, ShareScreen), roomDevice, state("in_lobby")), Decision{Effect: Deny, Reasons: []Reason{NotAdmitted}, Rules: []string{"M1"}}},
		{"user", with(orgUser(ActionUse, ShareScreen), roomDevice), Decision{Effect: Allow}},
		{"guest who joins", with(guest(ActionJoin, ShareScreen), roomDevice, bypass("everyone")), Decision{Effect: Allow}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := e.Decide(context.Background(), "acme", c.in)
			if diff := cmp.Diff(c.want, got, cmpopts.IgnoreFields(Decision{}, "Took", "Revision"), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestDecisionLimitsAreTheOperators: other limits hold, and make another revision.
func TestDecisionLimitsAreTheOperators(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Limits = Limits{Participants: 5, CallGuest: 3, ChatGuest: 2}
	e := engine(t, cfg)
	if e.Revision("acme") == engine(t, DefaultConfig()).Revision("acme") {
		t.Error("other limits have the same revision")
	}
	for _, c := range []struct {
		in   Input
		want Reason
	}{
		{with(orgUser(ActionJoin, ""), participants(4)), ""},
		{with(orgUser(ActionJoin, ""), participants(5)), MeetingFull},
		{with(guest(ActionJoin, ""), participants(2), bypass("everyone")), ""},
		{with(guest(ActionJoin, ""), participants(3), bypass("everyone")), CallLimitGuest},
		{with(guest(ActionUse, SendChat), chatMembers(2)), ""},
		{with(guest(ActionUse, SendChat), chatMembers(3)), ChatLimitGuest},
	} {
		if got := e.Decide(context.Background(), "acme", c.in).Reason(); got != c.want {
			t.Errorf("%+v: %q, want %q", c.in.Session, got, c.want)
		}
	}
}

func TestDecisionConfigIsChecked(t *testing.T) {
	err := Config{Timeout: -1, Limits: Limits{CallGuest: -3}, Grantable: []string{"raiseHand", "fly"}}.Validate()
	want := "timeout: is negative\nlimits.call_guest: -3 is negative\ngrantable[1]: \"fly\" is not a capability"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := (Config{}).Validate(); err != nil {
		t.Errorf("the zero configuration: %v", err)
	}
}
