package policy

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func anyCapabilities(t *rapid.T, name string) []Capability {
	return rapid.SliceOfN(rapid.SampledFrom(Capabilities()), 0, 4).Draw(t, name)
}

func anyInput(t *rapid.T) Input {
	truth := func(name string) bool { return rapid.Bool().Draw(t, name) }
	bypass := func(name string) Bypass {
		return rapid.SampledFrom([]Bypass{BypassInherit, BypassEveryone, BypassOrgUsers, BypassInvited, BypassOrganizers, "other"}).Draw(t, name)
	}
	count := func(name string) int {
		return rapid.SampledFrom([]int{0, 1, 2, 249, 250, 251, 349, 350, 999, 1000}).Draw(t, name)
	}
	return Input{
		Action:     rapid.SampledFrom([]Action{ActionJoin, ActionUse}).Draw(t, "action"),
		Capability: rapid.SampledFrom(Capabilities()).Draw(t, "capability"),
		Organization: Organization{
			Kind:          rapid.SampledFrom([]string{"work", "personal"}).Draw(t, "organization"),
			AnonymousJoin: truth("anonymous_join"), EnforceWebinarRoles: truth("enforce"), LobbyBypass: bypass("bypass_org"),
			Withdrawn: anyCapabilities(t, "withdrawn_org"), RequireConsent: truth("require_consent"),
		},
		Meeting: Meeting{
			Kind:                 rapid.SampledFrom([]string{"scheduled", "channel", "webinar", "live_event", "guest_call"}).Draw(t, "meeting"),
			OrganizerLobbyBypass: bypass("bypass_organizer"), LobbyBypass: bypass("bypass_meeting"),
			Withdrawn: anyCapabilities(t, "withdrawn_meeting"), OrganizerWithdrawn: anyCapabilities(t, "withdrawn_organizer"),
			Recording: truth("recording"), Transcribing: truth("transcribing"),
		},
		Participant: Participant{
			Kind:              rapid.SampledFrom([]string{"guest", "org_user", ""}).Draw(t, "kind"),
			State:             rapid.SampledFrom([]string{"new", "waiting_for_host", "in_lobby", "admitted", "gone"}).Draw(t, "state"),
			AdmittedByOrgUser: truth("admitted"), Organizer: truth("organizer"), Invited: truth("invited"), Presenter: truth("presenter"),
			RoomDevice: truth("room"), Consented: truth("consented"),
		},
		Session: Session{OrgUsers: count("org_users"), Participants: count("participants"), ChatMembers: count("chat"), RoomDevice: truth("session_room")},
	}
}

// TestDecisionProperties holds for whatever settings there are.
func TestDecisionProperties(t *testing.T) {
	e := engine(t, DefaultConfig())
	never := []Capability{
		AddParticipant, RemoveParticipant, MuteOthers, ManageLobby, HangUpForEveryone, StartRecording, StartTranscription, BackgroundEffect,
		UseReactions, RaiseHand, UsePolls, UseQuestionsAnswers, TogetherMode, BreakoutRooms, SlidesLive, ClosedCaptions, ReplyChat, ReactChat, ShareFile,
	}
	rapid.Check(t, func(t *rapid.T) {
		in := anyInput(t)
		d := e.Decide(context.Background(), "acme", in)
		grants := e.Grants(context.Background(), "acme", in)
		isGuest := in.Participant.Kind != "org_user"
		if len(grants) != len(Capabilities()) {
			t.Fatalf("%d grants", len(grants))
		}
		if d.Allowed() == (len(d.Reasons) > 0) || d.Reason() == PolicyFailed {
			t.Fatalf("%s for %v", d.Effect, d.Reasons)
		}
		if in.Action == ActionUse {
			if d.Effect == Lobby {
				t.Fatal("a use is put into the lobby")
			}
			if g := grants[in.Capability]; g.Allowed != d.Allowed() || g.Reason != d.Reason() {
				t.Fatalf("decided %s %v, granted %+v", d.Effect, d.Reasons, g)
			}
		} else if isGuest && d.Allowed() && in.Participant.State != "admitted" && in.Meeting.Kind != "guest_call" && in.Session.OrgUsers == 0 {
			t.Fatal("a guest is let in while nobody hosts")
		}
		for capability, g := range grants {
			if g.Allowed != (g.Reason == "") {
				t.Fatalf("%s: %+v", capability, g)
			}
			if g.Allowed && in.Participant.State != "admitted" {
				t.Fatalf("%s is allowed outside", capability)
			}
		}
		for _, capability := range never {
			if isGuest && grants[capability].Allowed {
				t.Fatalf("a guest is allowed %s", capability)
			}
		}
	})
}

// anyOwnPolicy has one to four rules on conditions that inputs often meet.
func anyOwnPolicy(t *rapid.T) string {
	var b strings.Builder
	b.WriteString(ownHeader)
	for i := range rapid.IntRange(1, 4).Draw(t, "rules") {
		condition := rapid.SampledFrom([]string{
			`input.participant.kind == "guest"`, `input.participant.kind != "guest"`, `input.meeting.recording`, `not input.participant.invited`,
			`input.session.participants > 100`, `input.participant.state == "admitted"`, `input.action != ""`,
		}).Draw(t, fmt.Sprintf("condition %d", i))
		capability := rapid.SampledFrom(Capabilities()).Draw(t, fmt.Sprintf("of %d", i))
		head := rapid.SampledFrom([]string{
			`deny contains "own_deny"`, `lobby contains "own_lobby"`, fmt.Sprintf("withhold.%s contains \"own_withhold\"", capability),
			fmt.Sprintf("grant contains %q", capability), `grant contains object.get(input, "capability", "raiseHand")`,
		}).Draw(t, fmt.Sprintf("head %d", i))
		fmt.Fprintf(&b, "%s if %s\n\n", head, condition)
	}
	return b.String()
}

// TestDecisionOwnPolicyNeverWidens: whatever an organisation's policy says, what it allows the base allows, or the operator listed.
func TestDecisionOwnPolicyNeverWidens(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Grantable = []string{"raiseHand", "startRecording"}
	e := engine(t, cfg)
	strictness := map[Effect]int{Allow: 0, Lobby: 1, Deny: 2}
	rapid.Check(t, func(t *rapid.T) {
		own := anyOwnPolicy(t)
		if err := e.Activate("acme", Revision{Modules: map[string]string{"own.rego": own}}); err != nil {
			t.Fatalf("%v in\n%s", err, own)
		}
		for range 5 {
			in := anyInput(t)
			base, got := e.Decide(context.Background(), "other", in), e.Decide(context.Background(), "acme", in)
			listed := in.Action == ActionUse && e.grantable[in.Capability] && in.Participant.State == "admitted"
			if strictness[got.Effect] < strictness[base.Effect] && !listed {
				t.Fatalf("%s %v, but the base says %s %v", got.Effect, got.Reasons, base.Effect, base.Reasons)
			}
			before, after := e.Grants(context.Background(), "other", in), e.Grants(context.Background(), "acme", in)
			if g := after[in.Capability]; in.Action == ActionUse && (g.Allowed != got.Allowed() || g.Reason != got.Reason()) {
				t.Fatalf("decided %s %v, granted %+v", got.Effect, got.Reasons, g)
			}
			for capability, g := range after {
				if g.Allowed && !before[capability].Allowed && (!e.grantable[capability] || in.Participant.State != "admitted") {
					t.Fatalf("%s is allowed, but the base says %s", capability, before[capability].Reason)
				}
			}
		}
	})
}
