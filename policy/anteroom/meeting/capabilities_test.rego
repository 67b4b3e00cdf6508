package anteroom.meeting_test

import data.anteroom.meeting

# A guest, and a user of the organisation, who are inside.
guest := object.union(newcomer, {"action": "use", "participant": {"state": "admitted"}})

member := object.union(guest, {"participant": {"kind": "org_user"}})

# Why the capability is refused, with some parts of the input replaced. Nothing: it is allowed.
refused(input_of, capability, changes) := {refusal.reason | some refusal in decision.refusals} if {
	decision := meeting.decision with input as object.union(object.union(input_of, {"capability": capability}), changes)
	decision.effect == {true: "allow", false: "deny"}[count(decision.refusals) == 0]
}

# These capabilities are refused for this reason, and no others are.
exactly(input_of, changes, capabilities, reason) if {
	withhold := meeting.withhold with input as object.union(input_of, changes)
	capabilities == {capability |
		some capability, refusals in withhold
		some refusal in refusals
		refusal.reason == reason
	}
}

managing := {"addParticipant", "removeParticipant", "muteOthers", "manageLobby", "hangUpForEveryone"}

keeping := {"startRecording", "startTranscription"}

# M6, M9, M13, M14, M15 and M16, in this order.
unsupported := {
	"backgroundEffect",
	"slidesLive",
	"useReactions", "raiseHand", "togetherMode", "breakoutRooms",
	"usePolls", "useQuestionsAndAnswers",
	"replyChat", "reactChat", "shareFile",
	"closedCaptions",
}

guests_have := {
	"unmuteMic", "turnVideoOn", "shareScreen", "receiveMedia",
	"sendChat", "receiveChat", "editChat", "deleteChat", "sendTyping", "sendReadReceipts",
}

test_themes_cover_all_capabilities if ((managing | keeping) | unsupported) | guests_have == meeting.known

test_an_unknown_capability_is_denied if {
	decision := meeting.decision with input as object.union(member, {"capability": "fly"})
	decision.effect == "deny"
}

test_org_user_has_everything if {
	every capability in meeting.known {
		refused(member, capability, {}) == set()
	}
}

test_m1_guest_inside_has_media_and_chat if {
	every capability in guests_have {
		refused(guest, capability, {}) == set()
	}
}

test_m1_outside if {
	exactly(guest, {"participant": {"state": "new"}}, meeting.known, "not_admitted")
	exactly(guest, {"participant": {"state": "waiting_for_host"}}, meeting.known, "not_admitted")
	exactly(guest, {"participant": {"state": "in_lobby"}}, meeting.known, "not_admitted")
	exactly(member, {"participant": {"state": "in_lobby"}}, meeting.known, "not_admitted")
}

test_m2_gone_has_nothing if {
	exactly(guest, {"participant": {"state": "gone"}}, meeting.known, "not_in_meeting")
	exactly(member, {"participant": {"state": "gone"}}, meeting.known, "not_in_meeting")
}

test_m3_m4 if {
	exactly(guest, {}, managing | keeping, "guest_not_allowed")
	refused(guest, "removeParticipant", {}) == {"guest_not_allowed"}
	refused(guest, "startRecording", {}) == {"guest_not_allowed"}
}

test_m5_channel if {
	exactly(guest, {"meeting": {"kind": "channel"}}, meeting.chat, "channel_meeting")
	refused(guest, "unmuteMic", {"meeting": {"kind": "channel"}}) == set()
	refused(member, "sendChat", {"meeting": {"kind": "channel"}}) == set()
}

test_m6_m9_m13_to_m16 if {
	exactly(guest, {}, unsupported, "not_supported_for_guests")
}

test_m7_webinar if {
	webinar := {"meeting": {"kind": "webinar"}}
	enforced := object.union(webinar, {"organization": {"enforce_webinar_roles": true}})
	exactly(member, webinar, meeting.presenting, "attendee_role")
	exactly(member, object.union(webinar, {"participant": {"presenter": true}}), set(), "attendee_role")
	exactly(member, object.union(webinar, {"participant": {"organizer": true}}), set(), "attendee_role")
	exactly(guest, webinar, set(), "attendee_role")
	exactly(guest, enforced, meeting.presenting, "attendee_role")
	exactly(guest, object.union(enforced, {"participant": {"presenter": true}}), set(), "attendee_role")
}

test_m10_chat_limit if {
	exactly(guest, {"session": {"chat_members": 251}}, meeting.chat, "chat_limit_guest")
	exactly(guest, {"session": {"chat_members": 250}}, set(), "chat_limit_guest")
	exactly(member, {"session": {"chat_members": 999}}, set(), "chat_limit_guest")
}

test_m11_interop_device if {
	room := {"capability": "shareScreen", "session": {"room_device": true}}
	of_guest := meeting.decision with input as object.union(guest, room)
	of_guest.effect == "allow"
	of_guest.obligations == {"record_interop_device_screen_share"}
	of_member := meeting.decision with input as object.union(member, room)
	of_member.obligations == set()
}

test_m17_withdrawn if {
	exactly(guest, {"organization": {"withdrawn": ["sendChat"]}}, {"sendChat"}, "policy_restricted")
	exactly(guest, {"meeting": {"withdrawn": ["unmuteMic"]}}, {"unmuteMic"}, "policy_restricted")
	exactly(guest, {"meeting": {"organizer_withdrawn": ["receiveMedia"]}}, {"receiveMedia"}, "policy_restricted")
	exactly(member, {"organization": {"withdrawn": ["sendChat"]}}, set(), "policy_restricted")
}

test_p1_consent if {
	asked := {"organization": {"require_consent": true}}
	exactly(guest, object.union(asked, {"meeting": {"recording": true}}), meeting.sending, "consent_required")
	exactly(guest, object.union(asked, {"meeting": {"transcribing": true}}), meeting.sending, "consent_required")
	exactly(guest, asked, set(), "consent_required")
	exactly(guest, {"meeting": {"recording": true}}, set(), "consent_required")
	exactly(guest, object.union(asked, {"meeting": {"recording": true}, "participant": {"consented": true}}), set(), "consent_required")
	exactly(member, object.union(asked, {"meeting": {"recording": true}}), set(), "consent_required")
}
