package protocol

import "encoding/json"

// Events that the server sends unasked. Those that are requests too are in requests.go.
const (
	TypeState               = "state"
	TypeCapabilitiesChanged = "capabilities_changed"
	TypeParticipantJoined   = "participant_joined"
	TypeParticipantUpdated  = "participant_updated"
	TypeParticipantLeft     = "participant_left"
	TypeLobbyUpdated        = "lobby_updated"
	TypeInvited             = "participant_invited"
	TypeSubscribeOffer      = "subscribe_offer"
	TypeTrackStopped        = "track_stopped"
	TypeMuted               = "muted"
	TypeActiveSpeakers      = "active_speakers"
	TypeChatMessage         = "chat_message"
	TypeChatEdited          = "chat_edited"
	TypeChatDeleted         = "chat_deleted"
	TypeChatReaction        = "chat_reaction"
	TypeNotice              = "notice"
	TypeResumeToken         = "resume_token"
	TypeSlidesLive          = "slides_live_hidden"
	TypeEnded               = "ended"
)

// State tells a participant that its own state changed. With StateAdmitted it carries what Joined would have.
type State struct {
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
	// Message in plain English, for states that end the stay.
	Message      string           `json:"message,omitempty"`
	MeetingTitle string           `json:"meeting_title,omitempty"`
	Capabilities map[string]Grant `json:"capabilities"`
	Notices      []Notice         `json:"notices,omitempty"`
	Roster       []Participant    `json:"roster,omitempty"`
}

// CapabilitiesChanged has the entries that changed.
type CapabilitiesChanged struct {
	Capabilities map[string]Grant `json:"capabilities"`
}

// Participant is one line of the roster. Kind and External come from the server; nothing a guest sends changes them.
type Participant struct {
	ParticipantID string `json:"participant_id"`
	DisplayName   string `json:"display_name"`
	// Kind is "guest" or "org_user"; External is true for guests: they are labelled external wherever they are shown.
	Kind     string `json:"kind"`
	External bool   `json:"external"`
	// RoomDevice: a video-interop room device of the organisation.
	RoomDevice bool    `json:"room_device,omitempty"`
	HandRaised bool    `json:"hand_raised,omitempty"`
	Tracks     []Track `json:"tracks"`
	// Connected is false while the participant may still come back within the grace.
	Connected bool `json:"connected"`
}

// Track is something that a participant publishes.
type Track struct {
	TrackID string `json:"track_id"`
	// Kind is "audio", "video" or "screen".
	Kind  string `json:"kind"`
	Muted bool   `json:"muted"`
}

// ParticipantLeft names who is gone.
type ParticipantLeft struct {
	ParticipantID string `json:"participant_id"`
	// Reason is "left", "removed", "connection_lost" or "meeting_ended".
	Reason string `json:"reason"`
}

// Waiting is somebody before the door; org users see them.
type Waiting struct {
	ParticipantID string `json:"participant_id"`
	DisplayName   string `json:"display_name"`
	Kind          string `json:"kind"`
	External      bool   `json:"external"`
	// State is "waiting_for_host" or "in_lobby".
	State string `json:"state"`
	// Since is RFC 3339 in UTC.
	Since string `json:"since"`
}

// LobbyUpdated has everybody who waits, oldest first.
type LobbyUpdated struct {
	Waiting []Waiting `json:"waiting"`
}

// Invited tells org users that one of them invited a user.
type Invited struct {
	User string `json:"user"`
	By   string `json:"by"`
}

// SubscribeOffer offers the subscribing peer connection; answer with the same version. A newer offer makes an unanswered one void.
type SubscribeOffer struct {
	Version uint64            `json:"version"`
	SDP     string            `json:"sdp"`
	Tracks  []SubscribedTrack `json:"tracks"`
}

// SubscribedTrack says whose track a media section has.
type SubscribedTrack struct {
	Mid           string `json:"mid"`
	TrackID       string `json:"track_id"`
	ParticipantID string `json:"participant_id"`
	Kind          string `json:"kind"`
}

// TrackStopped: the server stopped one of the client's own tracks.
type TrackStopped struct {
	TrackID string `json:"track_id"`
	Kind    string `json:"kind"`
	Reason  string `json:"reason"`
}

// Muted: an org user muted the client's audio.
type Muted struct {
	TrackID string `json:"track_id"`
	By      string `json:"by"`
}

// ActiveSpeakers are participants, the most active first.
type ActiveSpeakers struct {
	ParticipantIDs []string `json:"participant_ids"`
}

// ChatMessage is a message as the others see it.
type ChatMessage struct {
	MessageID     string    `json:"message_id"`
	ParticipantID string    `json:"participant_id"`
	DisplayName   string    `json:"display_name"`
	External      bool      `json:"external"`
	Text          string    `json:"text"`
	SentAt        string    `json:"sent_at"`
	EditedAt      string    `json:"edited_at,omitempty"`
	ReplyTo       string    `json:"reply_to,omitempty"`
	File          *FileLink `json:"file,omitempty"`
	// Reactions by reaction: how many.
	Reactions map[string]int `json:"reactions,omitempty"`
}

// ChatEdited replaces a message's text.
type ChatEdited struct {
	MessageID string `json:"message_id"`
	Text      string `json:"text"`
	EditedAt  string `json:"edited_at"`
}

// ChatBy is the event of typing, reading, deleting and reacting.
type ChatBy struct {
	ParticipantID string `json:"participant_id"`
	MessageID     string `json:"message_id,omitempty"`
	Reaction      string `json:"reaction,omitempty"`
}

// Activity is relayed among org users; Data is at most 16 KiB of JSON and passed on unread.
type Activity struct {
	Kind string `json:"kind"`
	// ParticipantID is the server's, of who sent it.
	ParticipantID string          `json:"participant_id,omitempty"`
	Data          json.RawMessage `json:"data,omitempty"`
}

// SlidesLiveHidden tells a guest that a presentation runs which is not shown to guests.
type SlidesLiveHidden struct {
	Running bool   `json:"running"`
	Reason  string `json:"reason"`
}

// Notice says that the meeting is being recorded or transcribed, or not any more.
type Notice struct {
	NoticeID string `json:"notice_id"`
	// Kind is "recording_started", "recording_stopped", "transcription_started" or "transcription_stopped".
	Kind string `json:"kind"`
	// Since is when it started or stopped, RFC 3339 in UTC.
	Since string `json:"since"`
	// ConsentRequired: this client sends no media before it has consented.
	ConsentRequired bool `json:"consent_required,omitempty"`
}

// ResumeTokenIssued replaces the resume token.
type ResumeTokenIssued struct {
	ResumeToken string `json:"resume_token"`
}

// Ended is the last event before the server closes the connection.
type Ended struct {
	// Reason is "meeting_ended", "removed", "left", "replaced", "slow_client", "shutting_down", "lobby_rejected", "lobby_timeout",
	// or of policy where joining is not allowed any more.
	Reason  string `json:"reason"`
	Message string `json:"message"`
	// Resume: the client may come back with its resume token.
	Resume bool `json:"resume,omitempty"`
}
