package anteroom.meeting

# METADATA
# title: Who is gone is gone
# description: Who left, was removed or was cut off for too long joins as somebody new, with a new id.
# custom:
#   rule: M2
#   reason: not_in_meeting
deny contains rego.metadata.rule().custom if input.participant.state == "gone"

# METADATA
# title: The organisation has switched guests off
# description: Holds for the next attempt and for everybody who still waits; guests who are inside stay.
# custom:
#   rule: J3
#   reason: anonymous_join_disabled
deny contains rego.metadata.rule().custom if {
	input.organization.anonymous_join == false
	guest
	outside
}

# METADATA
# title: Personal organisations host no guests
# custom:
#   rule: J4
#   reason: personal_organization
deny contains rego.metadata.rule().custom if {
	input.organization.kind == "personal"
	guest
}

# METADATA
# title: A call that a guest started is for guests
# description: A user of the organisation can't join it.
# custom:
#   rule: J5
#   reason: guest_initiated_call
deny contains rego.metadata.rule().custom if {
	input.meeting.kind == "guest_call"
	not guest
}

# METADATA
# title: No guests in live events
# custom:
#   rule: J11
#   reason: live_event
deny contains rego.metadata.rule().custom if {
	input.meeting.kind == "live_event"
	guest
}

# METADATA
# title: The meeting is full
# description: For everybody. Only participants who are inside count.
# custom:
#   rule: M10
#   reason: meeting_full
deny contains rego.metadata.rule().custom if {
	input.session.participants >= data.limits.participants
	outside
}

# METADATA
# title: The call has as many participants as one with guests may have
# description: Users of the organisation are refused at the meeting's limit only.
# custom:
#   rule: M10
#   reason: call_limit_guest
deny contains rego.metadata.rule().custom if {
	input.session.participants >= data.limits.call_guest
	guest
	outside
}

# METADATA
# title: Guests wait for a host
# description: |
#   While no user of the organisation is in the meeting, no guest is let in, whatever the lobby's settings are and even if one was admitted
#   before. Nobody hosts a call that a guest started.
# custom:
#   rule: J8
#   reason: waiting_for_host
lobby contains rego.metadata.rule().custom if {
	input.session.org_users < 1
	input.meeting.kind != "guest_call"
	guest
	outside
}

# METADATA
# title: Guests wait until a user of the organisation admits them
# description: Only the setting "everyone" spares a guest the lobby.
# custom:
#   rule: J9
#   reason: in_lobby
lobby contains rego.metadata.rule().custom if {
	input.session.org_users >= 1
	input.participant.admitted_by_org_user == false
	input.meeting.kind != "guest_call"
	lobby_bypass != "everyone"
	guest
	outside
}

# METADATA
# title: Users of the organisation wait where the lobby's setting says so
# description: With "invited" those who are not invited wait, with "organizers" all but the organiser.
# custom:
#   rule: J10
#   reason: in_lobby
lobby contains rego.metadata.rule().custom if {
	input.participant.kind == "org_user"
	input.participant.admitted_by_org_user == false
	not org_user_bypasses
	outside
}

# METADATA
# title: The lobby setting that holds
# description: The most specific one, the meeting's, its organiser's, the organisation's; users of the organisation when none is set.
default lobby_bypass := "org_users"

lobby_bypass := input.meeting.lobby_bypass if {
	input.meeting.lobby_bypass != ""
} else := input.meeting.organizer_lobby_bypass if {
	input.meeting.organizer_lobby_bypass != ""
} else := input.organization.lobby_bypass if {
	input.organization.lobby_bypass != ""
}

# METADATA
# title: A user of the organisation who need not wait
org_user_bypasses if input.participant.organizer

org_user_bypasses if lobby_bypass in {"everyone", "org_users"}

org_user_bypasses if {
	lobby_bypass == "invited"
	input.participant.invited
}
