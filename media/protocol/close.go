package protocol

// Codes that the server closes a connection with, besides those of RFC 6455: 1000 (the stay ended; the event "ended" says why), 1001 (the
// server shuts down), 1002 (the subprotocol was not offered), 1003 (a binary frame), 1009 (a frame above MaxFrameBytes), 1011 (an error of the server).
const (
	// CloseNoJoin: neither join nor resume succeeded in time.
	CloseNoJoin = 4001
	// CloseRateLimited: requests kept coming after they were refused with rate_limited.
	CloseRateLimited = 4002
	// CloseSlowClient: the client did not read what was sent to it. It may resume.
	CloseSlowClient = 4003
	// ClosePingTimeout: a WebSocket ping was not answered. It may resume.
	ClosePingTimeout = 4004
)

// Reasons of the doors in front of a meeting.
const (
	// ReasonWrongOrganization: the token is of a user of another organisation.
	ReasonWrongOrganization = "wrong_organization"
	// ReasonOriginNotAllowed: the page that connects is of a web origin that is not registered.
	ReasonOriginNotAllowed = "origin_not_allowed"
	// ReasonTooManyMeetings: this server runs as many meetings as it may.
	ReasonTooManyMeetings = "too_many_meetings"
	// ReasonJoinTimeout: nothing joined on this connection in time.
	ReasonJoinTimeout = "join_timeout"
	// ReasonRequestTimeout: the request took too long and was given up.
	ReasonRequestTimeout = "request_timeout"
)

// Requests returns the types of all requests.
func Requests() []string {
	return []string{
		TypeJoin, TypeResume, TypeLeave, TypePing, TypeCapabilities, TypeRoster, TypeLobby, TypeAdmit, TypeAdmitAll, TypeReject,
		TypeAddParticipant, TypeRemove, TypeMute, TypeEndMeeting, TypePublish, TypeSubscribeAnswer, TypeCandidate, TypeSetTrack, TypeReceive,
		TypeChatSend, TypeChatEdit, TypeChatDelete, TypeChatReact, TypeChatTyping, TypeChatRead, TypeChatHistory, TypeActivity, TypeBackground,
		TypeStartRecording, TypeStopRecording, TypeStartTranscript, TypeStopTranscript, TypeNoticeAck, TypeConsent, TypeStats, TypeDiagnostic,
		TypeSurvey,
	}
}

// Events returns the types of all events.
func Events() []string {
	return []string{
		TypeState, TypeCapabilitiesChanged, TypeParticipantJoined, TypeParticipantUpdated, TypeParticipantLeft, TypeLobbyUpdated, TypeInvited,
		TypeSubscribeOffer, TypeCandidate, TypeTrackStopped, TypeMuted, TypeActiveSpeakers, TypeChatMessage, TypeChatEdited, TypeChatDeleted,
		TypeChatReaction, TypeChatTyping, TypeChatRead, TypeActivity, TypeNotice, TypeResumeToken, TypeSlidesLive, TypeEnded,
	}
}
