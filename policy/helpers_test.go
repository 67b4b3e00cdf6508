package policy

import (
	"log/slog"
	"testing"
)

// narrowing is an organisation's policy as its author would write it.
const narrowing = `package anteroom.organization

# METADATA
# title: No guests beside room devices
# custom:
#   rule: ACME1
#   reason: room_device_present
deny contains rego.metadata.rule().custom if {
	input.participant.kind == "guest"
	input.session.room_device
}

lobby contains "acme_lobby" if {
	input.participant.kind == "guest"
	not input.participant.admitted_by_org_user
}

withhold.shareScreen contains "acme_no_screens" if input.participant.kind == "guest"

grant contains "raiseHand" if input.meeting.kind == "scheduled"

grant contains "startRecording"
`

// guest is an admitted guest of an ordinary meeting with one user of the organisation; for ActionJoin it is new.
func guest(action Action, capability Capability) Input {
	in := Input{
		Action: action, Capability: capability,
		Organization: Organization{Kind: "work", AnonymousJoin: true, LobbyBypass: BypassOrgUsers},
		Meeting:      Meeting{Kind: "scheduled"},
		Participant:  Participant{Kind: "guest", State: "admitted", AdmittedByOrgUser: true},
		Session:      Session{OrgUsers: 1, Participants: 2, ChatMembers: 2},
	}
	if action == ActionJoin {
		in.Participant.State, in.Participant.AdmittedByOrgUser = "new", false
	}
	return in
}

func orgUser(action Action, capability Capability) Input {
	in := guest(action, capability)
	in.Participant.Kind, in.Participant.AdmittedByOrgUser = "org_user", false
	return in
}

func engine(t testing.TB, cfg Config) *Engine {
	t.Helper()
	e, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return e
}
