package anteroom.meeting_test

import data.anteroom.meeting

# A new guest of an ordinary meeting with one user of the organisation in it.
newcomer := {
	"action": "join",
	"capability": "",
	"organization": {
		"kind": "work",
		"anonymous_join": true,
		"enforce_webinar_roles": false,
		"lobby_bypass": "",
		"withdrawn": [],
		"require_consent": false,
	},
	"meeting": {
		"kind": "scheduled",
		"organizer_lobby_bypass": "",
		"lobby_bypass": "",
		"withdrawn": [],
		"organizer_withdrawn": [],
		"recording": false,
		"transcribing": false,
	},
	"participant": {
		"kind": "guest",
		"state": "new",
		"admitted_by_org_user": false,
		"organizer": false,
		"invited": false,
		"presenter": false,
		"room_device": false,
		"consented": false,
	},
	"session": {"org_users": 1, "participants": 1, "chat_members": 1, "room_device": false},
}

colleague := object.union(newcomer, {"participant": {"kind": "org_user"}})

# The effect and the reasons, for an input with some of its parts replaced.
answer(input_of, changes) := {"effect": decision.effect, "reasons": {refusal.reason | some refusal in decision.refusals}} if {
	decision := meeting.decision with input as object.union(input_of, changes)
}

allow := {"effect": "allow", "reasons": set()}

deny(reason) := {"effect": "deny", "reasons": {reason}}

lobby(reason) := {"effect": "lobby", "reasons": {reason}}

test_a_question_unknown_is_denied if {
	answer(newcomer, {"action": "fly"}) == {"effect": "deny", "reasons": set()}
	answer(colleague, {"action": "fly"}) == {"effect": "deny", "reasons": set()}
}

test_j3_anonymous_join if {
	off := {"organization": {"anonymous_join": false}}
	answer(newcomer, off) == deny("anonymous_join_disabled")
	answer(newcomer, object.union(off, {"participant": {"state": "in_lobby"}})) == deny("anonymous_join_disabled")
	answer(newcomer, object.union(off, {"participant": {"state": "admitted"}})) == allow
	answer(colleague, off) == allow
}

test_j4_personal_organization if {
	answer(newcomer, {"organization": {"kind": "personal"}}) == deny("personal_organization")
	answer(colleague, {"organization": {"kind": "personal"}}) == allow
}

test_j5_guest_call if {
	answer(colleague, {"meeting": {"kind": "guest_call"}}) == deny("guest_initiated_call")
	answer(newcomer, {"meeting": {"kind": "guest_call"}, "session": {"org_users": 0}}) == allow
}

test_j8_waiting_for_host if {
	empty := {"session": {"org_users": 0}}
	answer(newcomer, empty) == lobby("waiting_for_host")
	answer(newcomer, object.union(empty, {"meeting": {"lobby_bypass": "everyone"}})) == lobby("waiting_for_host")
	answer(newcomer, object.union(empty, {"participant": {"admitted_by_org_user": true}})) == lobby("waiting_for_host")
	answer(newcomer, object.union(empty, {"participant": {"state": "admitted"}})) == allow
	answer(colleague, empty) == allow
}

test_j9_lobby if {
	answer(newcomer, {}) == lobby("in_lobby")
	answer(newcomer, {"participant": {"state": "in_lobby", "admitted_by_org_user": true}}) == allow
	answer(newcomer, {"participant": {"invited": true, "organizer": true}}) == lobby("in_lobby")
}

test_j10_the_most_specific_setting_wins if {
	answer(newcomer, {"organization": {"lobby_bypass": "everyone"}}) == allow
	answer(newcomer, {
		"organization": {"lobby_bypass": "everyone"},
		"meeting": {"organizer_lobby_bypass": "org_users"},
	}) == lobby("in_lobby")
	answer(newcomer, {
		"organization": {"lobby_bypass": "org_users"},
		"meeting": {"organizer_lobby_bypass": "org_users", "lobby_bypass": "everyone"},
	}) == allow
}

test_j10_users_of_the_organization if {
	answer(colleague, {"meeting": {"lobby_bypass": "everyone"}}) == allow
	answer(colleague, {"meeting": {"lobby_bypass": "org_users"}}) == allow
	answer(colleague, {"meeting": {"lobby_bypass": "invited"}}) == lobby("in_lobby")
	answer(colleague, {"meeting": {"lobby_bypass": "invited"}, "participant": {"invited": true}}) == allow
	answer(colleague, {"meeting": {"lobby_bypass": "organizers"}, "participant": {"invited": true}}) == lobby("in_lobby")
	answer(colleague, {"meeting": {"lobby_bypass": "organizers"}, "participant": {"organizer": true}}) == allow
	answer(colleague, {
		"meeting": {"lobby_bypass": "organizers"},
		"participant": {"admitted_by_org_user": true},
	}) == allow
}

test_j11_live_event if {
	answer(newcomer, {"meeting": {"kind": "live_event"}}).effect == "deny"
	"live_event" in answer(newcomer, {"meeting": {"kind": "live_event"}}).reasons
	answer(colleague, {"meeting": {"kind": "live_event"}}) == allow
}

test_m2_gone if {
	answer(newcomer, {"participant": {"state": "gone"}}) == deny("not_in_meeting")
	answer(colleague, {"participant": {"state": "gone"}}) == deny("not_in_meeting")
}

test_m10_call_limit_guest if {
	bypass := {"meeting": {"lobby_bypass": "everyone"}}
	answer(newcomer, object.union(bypass, {"session": {"participants": 349}})) == allow
	answer(newcomer, object.union(bypass, {"session": {"participants": 350}})) == deny("call_limit_guest")
	answer(colleague, {"session": {"participants": 350}}) == allow
	answer(newcomer, {"session": {"participants": 350}, "participant": {"state": "admitted"}}) == allow
}

test_m10_meeting_full if {
	answer(colleague, {"session": {"participants": 999}}) == allow
	answer(colleague, {"session": {"participants": 1000}}) == deny("meeting_full")
	answer(colleague, {"session": {"participants": 1000}, "participant": {"state": "admitted"}}) == allow
}
