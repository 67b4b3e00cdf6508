package anteroom.meeting

# METADATA
# title: Sending audio, video or a screen
sending := {"unmuteMic", "turnVideoOn", "shareScreen"}

# METADATA
# title: All that belongs to chat
chat := {
	"sendChat", "receiveChat", "editChat", "deleteChat", "sendTyping", "sendReadReceipts",
	"replyChat", "reactChat", "shareFile",
}

# METADATA
# title: What a webinar's presenters do, and its attendees don't
presenting := {
	"unmuteMic", "turnVideoOn", "shareScreen",
	"addParticipant", "removeParticipant", "muteOthers", "manageLobby", "hangUpForEveryone",
	"startRecording", "startTranscription",
}

# METADATA
# title: All capabilities
known := {
	"unmuteMic", "turnVideoOn", "shareScreen", "receiveMedia",
	"sendChat", "receiveChat", "editChat", "deleteChat", "sendTyping", "sendReadReceipts", "replyChat", "reactChat", "shareFile",
	"addParticipant", "removeParticipant", "muteOthers", "manageLobby", "hangUpForEveryone",
	"startRecording", "startTranscription", "backgroundEffect",
	"useReactions", "raiseHand", "usePolls", "useQuestionsAndAnswers", "togetherMode", "breakoutRooms", "slidesLive", "closedCaptions",
}

# METADATA
# title: In the lobby one has nothing
# description: Who was not let in sends nothing, hears nothing and sees nothing.
# custom:
#   rule: M1
#   reason: not_admitted
withhold[capability] contains rego.metadata.rule().custom if {
	outside
	some capability in known
}

# METADATA
# title: After leaving one has nothing
# custom:
#   rule: M2
#   reason: not_in_meeting
withhold[capability] contains rego.metadata.rule().custom if {
	input.participant.state == "gone"
	some capability in known
}

# METADATA
# title: Guests don't decide about others
# description: They neither add nor remove, admit, reject or mute anybody, nor end the meeting.
# custom:
#   rule: M3
#   reason: guest_not_allowed
#   grantable: true
withhold[capability] contains rego.metadata.rule().custom if {
	guest
	some capability in {"addParticipant", "removeParticipant", "muteOthers", "manageLobby", "hangUpForEveryone"}
}

# METADATA
# title: Guests don't record or transcribe
# custom:
#   rule: M4
#   reason: guest_not_allowed
#   grantable: true
withhold[capability] contains rego.metadata.rule().custom if {
	guest
	some capability in {"startRecording", "startTranscription"}
}

# METADATA
# title: No chat for guests in a channel's meeting
# description: They neither send nor receive any; audio and video stay.
# custom:
#   rule: M5
#   reason: channel_meeting
#   grantable: true
withhold[capability] contains rego.metadata.rule().custom if {
	input.meeting.kind == "channel"
	guest
	some capability in chat
}

# METADATA
# title: No background effects for guests
# custom:
#   rule: M6
#   reason: not_supported_for_guests
#   grantable: true
withhold.backgroundEffect contains rego.metadata.rule().custom if guest

# METADATA
# title: Attendees of a webinar listen
# description: |
#   They don't send media, decide about others, or record. Guests are not held to it unless the organisation enforces webinar roles. The
#   organiser is a presenter.
# custom:
#   rule: M7
#   reason: attendee_role
#   grantable: true
withhold[capability] contains rego.metadata.rule().custom if {
	attendee
	some capability in presenting
}

# METADATA
# title: No live slides for guests
# description: They are told that such a share runs, and get no content.
# custom:
#   rule: M9
#   reason: not_supported_for_guests
#   grantable: true
withhold.slidesLive contains rego.metadata.rule().custom if guest

# METADATA
# title: No chat for guests while the chat has too many members
# custom:
#   rule: M10
#   reason: chat_limit_guest
withhold[capability] contains rego.metadata.rule().custom if {
	input.session.chat_members > data.limits.chat_guest
	guest
	some capability in chat
}

# METADATA
# title: Reactions, raised hand, together mode and breakout rooms are not for guests
# custom:
#   rule: M13
#   reason: not_supported_for_guests
#   grantable: true
withhold[capability] contains rego.metadata.rule().custom if {
	guest
	some capability in {"useReactions", "raiseHand", "togetherMode", "breakoutRooms"}
}

# METADATA
# title: Polls, and questions and answers, are not for guests
# custom:
#   rule: M14
#   reason: not_supported_for_guests
#   grantable: true
withhold[capability] contains rego.metadata.rule().custom if {
	guest
	some capability in {"usePolls", "useQuestionsAndAnswers"}
}

# METADATA
# title: Guests chat in text
# description: No files, no replies, no reactions.
# custom:
#   rule: M15
#   reason: not_supported_for_guests
#   grantable: true
withhold[capability] contains rego.metadata.rule().custom if {
	guest
	some capability in {"replyChat", "reactChat", "shareFile"}
}

# METADATA
# title: No closed captions for guests
# custom:
#   rule: M16
#   reason: not_supported_for_guests
#   grantable: true
withhold.closedCaptions contains rego.metadata.rule().custom if guest

# METADATA
# title: Withdrawn from guests
# description: By the organisation, by the organiser for all of the organiser's meetings, or for this meeting.
# custom:
#   rule: M17
#   reason: policy_restricted
withhold[capability] contains rego.metadata.rule().custom if {
	guest
	some capability in withdrawn
}

# METADATA
# title: No media from a guest who has not consented
# description: Holds while the meeting is recorded or transcribed, where the organisation asks for consent.
# custom:
#   rule: P1
#   reason: consent_required
withhold[capability] contains rego.metadata.rule().custom if {
	input.organization.require_consent
	input.participant.consented == false
	guest
	kept
	some capability in sending
}

# METADATA
# title: A guest's screen beside a room device
# description: It works; that the room device is known not to show it well is recorded for administrators.
# custom:
#   rule: M11
obligations contains "record_interop_device_screen_share" if {
	input.action == "use"
	input.capability == "shareScreen"
	input.session.room_device
	guest
}

# METADATA
# title: Attendee
# description: Who takes part in a webinar without being a presenter, and is held to that role.
attendee if {
	webinar_listener
	not guest
}

attendee if {
	webinar_listener
	input.organization.enforce_webinar_roles
}

webinar_listener if {
	input.meeting.kind == "webinar"
	not input.participant.presenter
	not input.participant.organizer
}

# METADATA
# title: Capabilities that were taken from guests
withdrawn contains capability if some capability in input.organization.withdrawn

withdrawn contains capability if some capability in input.meeting.withdrawn

withdrawn contains capability if some capability in input.meeting.organizer_withdrawn

# METADATA
# title: What is said is kept
kept if input.meeting.recording

kept if input.meeting.transcribing
