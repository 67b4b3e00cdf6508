package protocol

import "encoding/json"

// Subprotocol is the WebSocket subprotocol; a new major version gets a new name.
const Subprotocol = "anteroom.v1"

// Limits of one connection. What is above them is refused or cut, never kept.
const (
	// MaxFrameBytes is the largest frame that a client may send.
	MaxFrameBytes = 256 << 10
	// MaxTextRunes is the length of a chat message in Unicode code points, MaxTextBytes in UTF-8 (28 KB, as in the reference system).
	MaxTextRunes = 8000
	MaxTextBytes = 28 << 10
	// MaxNameRunes is the length of a display name.
	MaxNameRunes = 256
	// MaxSDPBytes is the length of one session description.
	MaxSDPBytes = 200 << 10
)

// Frame is one message in either direction.
//
// A client's request has Type and an ID of its own choosing (1 to 2^53-1, rising); it is answered by exactly one frame of type "reply" with the
// same ID, and either Body or Error. All other frames of the server are events: they have no ID.
type Frame struct {
	Type  string          `json:"type"`
	ID    uint64          `json:"id,omitempty"`
	Body  json.RawMessage `json:"body,omitempty"`
	Error *Error          `json:"error,omitempty"`
}

// Reply is the type of the frames that answer.
const Reply = "reply"

// Error says why a request was refused.
type Error struct {
	// Reason is a stable id: one of this package's or of policy's.
	Reason string `json:"reason"`
	// Message in plain English: what happened, what to do.
	Message string `json:"message"`
	// Field of the body that is wrong, if one is.
	Field string `json:"field,omitempty"`
}

func (e *Error) Error() string { return e.Reason }

// Reasons of the protocol itself. Those of decisions are policy's, those of tokens identity's.
const (
	ReasonMalformed       = "malformed_message"
	ReasonUnknownType     = "unknown_message"
	ReasonInvalidField    = "invalid_field"
	ReasonTooLarge        = "message_too_large"
	ReasonNotJoined       = "not_joined"
	ReasonAlreadyJoined   = "already_joined"
	ReasonRateLimited     = "rate_limited"
	ReasonSlowClient      = "slow_client"
	ReasonMeetingNotFound = "meeting_not_found"
	ReasonMeetingEnded    = "meeting_ended"
	ReasonInvalidName     = "invalid_display_name"
	ReasonInvalidSDP      = "invalid_sdp"
	ReasonInvalidToken    = "invalid_token"
	ReasonResumeExpired   = "resume_expired"
	ReasonLobbyRejected   = "lobby_rejected"
	ReasonLobbyTimeout    = "lobby_timeout"
	ReasonRemoved         = "removed"
	ReasonReplaced        = "replaced"
	ReasonConnectionLost  = "connection_lost"
	ReasonNotInMeeting    = "not_in_meeting"
	ReasonNotAdmitted     = "not_admitted"
	ReasonNotFound        = "not_found"
	ReasonNotYours        = "not_your_message"
	ReasonShuttingDown    = "shutting_down"
	ReasonUnavailable     = "events_unavailable"
	ReasonNoSink          = "transcription_unavailable"
	ReasonTooManyTracks   = "too_many_tracks"
	ReasonInternal        = "internal"
)

// States of a participant.
const (
	StateWaitingForHost = "waiting_for_host"
	StateInLobby        = "in_lobby"
	StateAdmitted       = "admitted"
	StateRejected       = "rejected"
	StateTimeout        = "timeout"
	StateGone           = "gone"
)
