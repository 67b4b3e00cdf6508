package policy

import "github.com/open-policy-agent/opa/v1/ast"

// keys are the terms that every input shares, so that a decision allocates only what differs.
type keys struct {
	action, capability, organization, meeting, participant, session *ast.Term

	kind, anonymousJoin, enforceWebinarRoles, lobbyBypass, withdrawn, requireConsent *ast.Term

	organizerLobbyBypass, organizerWithdrawn, recording, transcribing *ast.Term

	state, admittedByOrgUser, organizer, invited, presenter, roomDevice, consented *ast.Term

	orgUsers, participants, chatMembers *ast.Term
}

func newKeys() keys {
	s := ast.StringTerm
	return keys{
		action: s("action"), capability: s("capability"), organization: s("organization"),
		meeting: s("meeting"), participant: s("participant"), session: s("session"),
		kind: s("kind"), anonymousJoin: s("anonymous_join"), enforceWebinarRoles: s("enforce_webinar_roles"),
		lobbyBypass: s("lobby_bypass"), withdrawn: s("withdrawn"), requireConsent: s("require_consent"),
		organizerLobbyBypass: s("organizer_lobby_bypass"), organizerWithdrawn: s("organizer_withdrawn"),
		recording: s("recording"), transcribing: s("transcribing"),
		state: s("state"), admittedByOrgUser: s("admitted_by_org_user"), organizer: s("organizer"), invited: s("invited"),
		presenter: s("presenter"), roomDevice: s("room_device"), consented: s("consented"),
		orgUsers: s("org_users"), participants: s("participants"), chatMembers: s("chat_members"),
	}
}

// value is the input as OPA evaluates it: what encoding/json and a parser would make of it, without the detour through text.
func (k *keys) value(in *Input) ast.Value {
	text, truth, number := ast.StringTerm, ast.InternedTerm[bool], ast.InternedTerm[int]
	return ast.NewObject(
		[2]*ast.Term{k.action, text(string(in.Action))},
		[2]*ast.Term{k.capability, text(string(in.Capability))},
		[2]*ast.Term{k.organization, ast.ObjectTerm(
			[2]*ast.Term{k.kind, text(in.Organization.Kind)},
			[2]*ast.Term{k.anonymousJoin, truth(in.Organization.AnonymousJoin)},
			[2]*ast.Term{k.enforceWebinarRoles, truth(in.Organization.EnforceWebinarRoles)},
			[2]*ast.Term{k.lobbyBypass, text(string(in.Organization.LobbyBypass))},
			[2]*ast.Term{k.withdrawn, list(in.Organization.Withdrawn)},
			[2]*ast.Term{k.requireConsent, truth(in.Organization.RequireConsent)},
		)},
		[2]*ast.Term{k.meeting, ast.ObjectTerm(
			[2]*ast.Term{k.kind, text(in.Meeting.Kind)},
			[2]*ast.Term{k.organizerLobbyBypass, text(string(in.Meeting.OrganizerLobbyBypass))},
			[2]*ast.Term{k.lobbyBypass, text(string(in.Meeting.LobbyBypass))},
			[2]*ast.Term{k.withdrawn, list(in.Meeting.Withdrawn)},
			[2]*ast.Term{k.organizerWithdrawn, list(in.Meeting.OrganizerWithdrawn)},
			[2]*ast.Term{k.recording, truth(in.Meeting.Recording)},
			[2]*ast.Term{k.transcribing, truth(in.Meeting.Transcribing)},
		)},
		[2]*ast.Term{k.participant, ast.ObjectTerm(
			[2]*ast.Term{k.kind, text(in.Participant.Kind)},
			[2]*ast.Term{k.state, text(in.Participant.State)},
			[2]*ast.Term{k.admittedByOrgUser, truth(in.Participant.AdmittedByOrgUser)},
			[2]*ast.Term{k.organizer, truth(in.Participant.Organizer)},
			[2]*ast.Term{k.invited, truth(in.Participant.Invited)},
			[2]*ast.Term{k.presenter, truth(in.Participant.Presenter)},
			[2]*ast.Term{k.roomDevice, truth(in.Participant.RoomDevice)},
			[2]*ast.Term{k.consented, truth(in.Participant.Consented)},
		)},
		[2]*ast.Term{k.session, ast.ObjectTerm(
			[2]*ast.Term{k.orgUsers, number(in.Session.OrgUsers)},
			[2]*ast.Term{k.participants, number(in.Session.Participants)},
			[2]*ast.Term{k.chatMembers, number(in.Session.ChatMembers)},
			[2]*ast.Term{k.roomDevice, truth(in.Session.RoomDevice)},
		)},
	)
}

func list(of []Capability) *ast.Term {
	terms := make([]*ast.Term, len(of))
	for i, c := range of {
		terms[i] = ast.StringTerm(string(c))
	}
	return ast.ArrayTerm(terms...)
}

// Value is the input as Rego sees it.
func (in Input) Value() ast.Value {
	k := newKeys()
	return k.value(&in)
}
