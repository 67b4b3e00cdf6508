package policy

import "time"

// Action is what is asked for: ActionJoin or ActionUse.
type Action string

// The actions.
const (
	// ActionJoin asks whether the participant may enter: allow admits, lobby waits, deny refuses. It is asked again for everybody who
	// waits whenever something changed.
	ActionJoin Action = "join"
	// ActionUse asks whether an admitted participant may use Input.Capability now.
	ActionUse Action = "use"
)

// Effect is what a decision says.
type Effect string

// The effects.
const (
	Allow Effect = "allow"
	Lobby Effect = "lobby"
	Deny  Effect = "deny"
)

// Reason is the stable id of why a decision is what it is (docs of each stand in the Rego's metadata).
type Reason string

// The reasons of the shipped policy. Others may come from an organisation's own policy.
const (
	AnonymousJoinDisabled Reason = "anonymous_join_disabled"
	PersonalOrganization  Reason = "personal_organization"
	GuestInitiatedCall    Reason = "guest_initiated_call"
	LiveEvent             Reason = "live_event"
	WaitingForHost        Reason = "waiting_for_host"
	InLobby               Reason = "in_lobby"
	MeetingFull           Reason = "meeting_full"
	CallLimitGuest        Reason = "call_limit_guest"
	ChatLimitGuest        Reason = "chat_limit_guest"
	NotAdmitted           Reason = "not_admitted"
	NotInMeeting          Reason = "not_in_meeting"
	GuestNotAllowed       Reason = "guest_not_allowed"
	ChannelMeeting        Reason = "channel_meeting"
	NotSupportedForGuests Reason = "not_supported_for_guests"
	AttendeeRole          Reason = "attendee_role"
	PolicyRestricted      Reason = "policy_restricted"
	ConsentRequired       Reason = "consent_required"
	// PolicyFailed: the policy could not be evaluated; it fails closed.
	PolicyFailed Reason = "policy_failed"
)

// Obligation is something that whoever asked must do because of a decision.
type Obligation string

// The obligations of the shipped policy.
const (
	// RecordInteropScreenShare: record the known-issue diagnostic interop_device_screen_share (M11).
	RecordInteropScreenShare Obligation = "record_interop_device_screen_share"
)

// Bypass says who needn't wait in the lobby.
type Bypass string

// Who bypasses the lobby; the empty Bypass inherits from the next more general setting.
const (
	BypassInherit    Bypass = ""
	BypassEveryone   Bypass = "everyone"
	BypassOrgUsers   Bypass = "org_users"
	BypassInvited    Bypass = "invited"
	BypassOrganizers Bypass = "organizers"
)

// Input is all that a decision depends on. It has no names, ids or addresses.
type Input struct {
	Action Action `json:"action"`
	// Capability that is asked for; empty for ActionJoin.
	Capability   Capability   `json:"capability,omitempty"`
	Organization Organization `json:"organization"`
	Meeting      Meeting      `json:"meeting"`
	Participant  Participant  `json:"participant"`
	Session      Session      `json:"session"`
}

// Organization is what the hosting organisation has set.
type Organization struct {
	// Kind is "work" or "personal".
	Kind                string       `json:"kind"`
	AnonymousJoin       bool         `json:"anonymous_join"`
	EnforceWebinarRoles bool         `json:"enforce_webinar_roles"`
	LobbyBypass         Bypass       `json:"lobby_bypass"`
	Withdrawn           []Capability `json:"withdrawn"`
	// RequireConsent: while recorded or transcribed, a guest sends no media before it consented.
	RequireConsent bool `json:"require_consent"`
}

// Meeting is what holds for one meeting.
type Meeting struct {
	// Kind is "scheduled", "channel", "webinar", "live_event" or "guest_call" (started by a resource's guest).
	Kind string `json:"kind"`
	// OrganizerLobbyBypass is the policy of the meeting's organiser, LobbyBypass the meeting's own setting.
	OrganizerLobbyBypass Bypass       `json:"organizer_lobby_bypass"`
	LobbyBypass          Bypass       `json:"lobby_bypass"`
	Withdrawn            []Capability `json:"withdrawn"`
	// OrganizerWithdrawn are withdrawn by the organiser for all of the organiser's meetings.
	OrganizerWithdrawn []Capability `json:"organizer_withdrawn"`
	Recording          bool         `json:"recording"`
	Transcribing       bool         `json:"transcribing"`
}

// Participant is who asks, by role only.
type Participant struct {
	// Kind is "guest" or "org_user".
	Kind string `json:"kind"`
	// State is "new", "waiting_for_host", "in_lobby", "admitted" or "gone".
	State string `json:"state"`
	// AdmittedByOrgUser: an org user let this one in, so it need not wait any more.
	AdmittedByOrgUser bool `json:"admitted_by_org_user"`
	Organizer         bool `json:"organizer"`
	Invited           bool `json:"invited"`
	Presenter         bool `json:"presenter"`
	RoomDevice        bool `json:"room_device"`
	Consented         bool `json:"consented"`
}

// Session is what goes on in the running meeting. Those who wait don't count.
type Session struct {
	// OrgUsers and Participants are admitted and not gone; Participants counts both kinds.
	OrgUsers     int `json:"org_users"`
	Participants int `json:"participants"`
	// ChatMembers are admitted participants that the kind of meeting gives chat to.
	ChatMembers int `json:"chat_members"`
	// RoomDevice: a video-interop room device is in the meeting.
	RoomDevice bool `json:"room_device"`
}

// Decision is what policy answers. The zero Decision denies nothing and allows nothing: whoever gets one must treat it as Deny.
type Decision struct {
	Effect Effect `json:"effect"`
	// Reasons of a lobby or deny, most important first; the first one is what the client is told.
	Reasons     []Reason     `json:"reasons"`
	Obligations []Obligation `json:"obligations"`
	// Rules that fired, by the ids of their metadata.
	Rules []string `json:"rules,omitempty"`
	// Revision that decided, as "base@REV" or "base@REV+ORG@REV".
	Revision string `json:"-"`
	// Took is the evaluation time.
	Took time.Duration `json:"-"`
	// Error is why no policy answered; empty if one did.
	Error FailureKind `json:"-"`
}

// Allowed tells whether the decision is allow.
func (d Decision) Allowed() bool { return d.Effect == Allow }

// Reason is the first reason, or "".
func (d Decision) Reason() Reason {
	if len(d.Reasons) == 0 {
		return ""
	}
	return d.Reasons[0]
}

// Grant is one line of a participant's capability map.
type Grant struct {
	Allowed bool `json:"allowed"`
	// Reason why not; empty when allowed.
	Reason Reason `json:"reason,omitempty"`
}

// Grants are all capabilities of one participant; every Capability has an entry.
type Grants map[Capability]Grant
