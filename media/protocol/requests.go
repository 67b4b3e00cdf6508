package protocol

// Requests of clients.
const (
	TypeJoin            = "join"
	TypeResume          = "resume"
	TypeLeave           = "leave"
	TypePing            = "ping"
	TypeCapabilities    = "capabilities"
	TypeRoster          = "roster"
	TypeLobby           = "lobby"
	TypeAdmit           = "admit"
	TypeAdmitAll        = "admit_all"
	TypeReject          = "reject"
	TypeAddParticipant  = "add_participant"
	TypeRemove          = "remove"
	TypeMute            = "mute"
	TypeEndMeeting      = "end_meeting"
	TypePublish         = "publish"
	TypeSubscribeAnswer = "subscribe_answer"
	TypeCandidate       = "candidate" // also an event
	TypeSetTrack        = "set_track"
	TypeReceive         = "receive"
	TypeChatSend        = "chat_send"
	TypeChatEdit        = "chat_edit"
	TypeChatDelete      = "chat_delete"
	TypeChatReact       = "chat_react"
	TypeChatTyping      = "chat_typing" // also an event
	TypeChatRead        = "chat_read"   // also an event
	TypeChatHistory     = "chat_history"
	TypeActivity        = "activity" // also an event
	TypeBackground      = "background_effect"
	TypeStartRecording  = "start_recording"
	TypeStopRecording   = "stop_recording"
	TypeStartTranscript = "start_transcription"
	TypeStopTranscript  = "stop_transcription"
	TypeNoticeAck       = "notice_ack"
	TypeConsent         = "consent"
	TypeStats           = "stats"
	TypeDiagnostic      = "diagnostic"
	TypeSurvey          = "survey"
)

// Join is the first request of a connection: enter the meeting of a link. Reply: Joined.
type Join struct {
	// Meeting and Secret are the two parts of the meeting's link.
	Meeting string `json:"meeting"`
	Secret  string `json:"secret"`
	// Token proves who joins: of a resource (guest) or of the organisation's issuer (org user). Exactly one; a signed-in page of this service
	// may leave both out, its session cookie counts.
	GuestToken string `json:"guest_token,omitempty"`
	UserToken  string `json:"user_token,omitempty"`
	// DisplayName of a guest, 1 to 256 characters, none of them a control or bidi-override character. Org users' names are their issuer's.
	DisplayName string     `json:"display_name,omitempty"`
	Client      ClientInfo `json:"client"`
}

// ClientInfo says what kind of program joins.
type ClientInfo struct {
	// Kind is "browser" (default), "native", "bot" or "room_device" (org users' devices only).
	Kind string `json:"kind,omitempty"`
	// Family and Version are a browser's or SDK's name and major version, OS the system's; at most 32 characters each.
	Family  string `json:"family,omitempty"`
	Version string `json:"version,omitempty"`
	OS      string `json:"os,omitempty"`
}

// Resume takes up a participant whose connection was lost, within the grace, or whose node was lost. Reply: Joined.
type Resume struct {
	ResumeToken string `json:"resume_token"`
}

// Joined answers Join and Resume.
type Joined struct {
	// MeetingTitle is told to the admitted only; Organization always.
	MeetingTitle string `json:"meeting_title,omitempty"`
	Organization string `json:"organization"`
	// CallID and ParticipantID together are the support code.
	CallID        string `json:"call_id"`
	ParticipantID string `json:"participant_id"`
	// Kind is "guest" or "org_user".
	Kind  string `json:"kind"`
	State string `json:"state"`
	// Reason of a state other than admitted.
	Reason       string           `json:"reason,omitempty"`
	Capabilities map[string]Grant `json:"capabilities"`
	// Notices that hold: what is recorded or transcribed. Empty while waiting; they come with the admission.
	Notices     []Notice `json:"notices"`
	ResumeToken string   `json:"resume_token"`
	// ResumeSeconds is the grace.
	ResumeSeconds int         `json:"resume_seconds"`
	ICEServers    []ICEServer `json:"ice_servers"`
	// Roster and Lobby are filled for the admitted; Lobby for those who may manage it.
	Roster []Participant `json:"roster,omitempty"`
	Lobby  []Waiting     `json:"lobby,omitempty"`
	// Resumed: the participant of before; false for a new one.
	Resumed bool `json:"resumed,omitempty"`
}

// ICEServer is as RTCIceServer in browsers.
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

// Grant is one capability.
type Grant struct {
	Allowed bool   `json:"allowed"`
	Reason  string `json:"reason,omitempty"`
}

// Participants is the body of Admit and Reject.
type Participants struct {
	ParticipantIDs []string `json:"participant_ids"`
}

// Target is the body of Remove.
type Target struct {
	ParticipantID string `json:"participant_id"`
}

// AddParticipant invites a user of the organisation into the running session: from then on the user is invited.
type AddParticipant struct {
	User string `json:"user"`
}

// Mute mutes a participant's audio; only that participant can unmute again.
type Mute struct {
	ParticipantID string `json:"participant_id"`
}

// TrackIntent says what the client publishes at a media section.
type TrackIntent struct {
	// Mid of the media section in the offer.
	Mid string `json:"mid"`
	// Kind is "audio", "video" or "screen".
	Kind string `json:"kind"`
	// Muted at the start.
	Muted bool `json:"muted,omitempty"`
}

// Publish offers the publishing peer connection; again for each change (a section set inactive is unpublished). Reply: Published.
type Publish struct {
	SDP    string        `json:"sdp"`
	Tracks []TrackIntent `json:"tracks"`
}

// Published answers Publish. Track ids are the server's.
type Published struct {
	SDP    string            `json:"sdp"`
	Tracks map[string]string `json:"tracks"` // mid to track id
}

// SubscribeAnswer answers a SubscribeOffer of the same version.
type SubscribeAnswer struct {
	Version uint64 `json:"version"`
	SDP     string `json:"sdp"`
}

// Candidate is one ICE candidate; empty Candidate: no more.
type Candidate struct {
	// Peer is "publish" or "subscribe".
	Peer          string  `json:"peer"`
	Candidate     string  `json:"candidate"`
	SDPMid        *string `json:"sdpMid,omitempty"`
	SDPMLineIndex *uint16 `json:"sdpMLineIndex,omitempty"`
}

// SetTrack mutes or unmutes one of the client's own tracks.
type SetTrack struct {
	TrackID string `json:"track_id"`
	Muted   bool   `json:"muted"`
}

// Receive says what the client wants to see: per video or screen track the height that it has room for, 0 for none. Tracks left out are at
// the server's choice.
type Receive struct {
	Tracks []ReceiveTrack `json:"tracks"`
}

// ReceiveTrack is one line of Receive.
type ReceiveTrack struct {
	TrackID   string `json:"track_id"`
	MaxHeight int    `json:"max_height"`
}

// ChatSend sends a message. Reply: ChatSent.
type ChatSend struct {
	Text string `json:"text"`
	// ReplyTo a message, File: org users only.
	ReplyTo string    `json:"reply_to,omitempty"`
	File    *FileLink `json:"file,omitempty"`
}

// FileLink refers to a file; the file itself is elsewhere.
type FileLink struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

// ChatSent answers ChatSend.
type ChatSent struct {
	MessageID string `json:"message_id"`
	// SentAt is RFC 3339 in UTC, to the millisecond.
	SentAt string `json:"sent_at"`
}

// ChatEdit replaces the text of one's own message.
type ChatEdit struct {
	MessageID string `json:"message_id"`
	Text      string `json:"text"`
}

// ChatMessageRef is the body of ChatDelete and ChatRead.
type ChatMessageRef struct {
	MessageID string `json:"message_id"`
}

// ChatReact sets or, with an empty Reaction, takes back a reaction to a message.
type ChatReact struct {
	MessageID string `json:"message_id"`
	Reaction  string `json:"reaction"`
}

// ChatTyping tells the others that one types; the server limits it to one a second.
type ChatTyping struct{}

// ChatHistory asks for messages that the participant was present and allowed for, newest last. Reply: ChatMessages.
type ChatHistory struct {
	// Before a message id; empty: the newest.
	Before string `json:"before,omitempty"`
	// Limit is 1 to 200; default 50.
	Limit int `json:"limit,omitempty"`
}

// ChatMessages answers ChatHistory.
type ChatMessages struct {
	Messages []ChatMessage `json:"messages"`
	More     bool          `json:"more"`
}

// Activity kinds.
const (
	ActivityReaction     = "reaction"
	ActivityRaiseHand    = "raise_hand"
	ActivityLowerHand    = "lower_hand"
	ActivityPoll         = "poll"
	ActivityPollVote     = "poll_vote"
	ActivityQuestion     = "question"
	ActivityAnswer       = "answer"
	ActivityTogetherMode = "together_mode"
	ActivityBreakout     = "breakout_assignment"
	ActivitySlidesLive   = "slides_live"
	ActivityCaptions     = "captions"
)

// BackgroundEffect announces that the client applies an effect to its camera.
type BackgroundEffect struct {
	// Effect is "none", "blur" or "image".
	Effect string `json:"effect"`
}

// NoticeAck says that the client has shown a notice.
type NoticeAck struct {
	NoticeID string `json:"notice_id"`
}

// Consent answers a notice where the organisation asks for consent.
type Consent struct {
	NoticeID string `json:"notice_id"`
	Accepted bool   `json:"accepted"`
}

// Stats is one batch of client statistics; the server sums them up into its reports. At most one per second.
type Stats struct {
	Tracks []TrackStats `json:"tracks"`
}

// TrackStats are the client's own figures of one track over the batch's interval; nil is not known.
type TrackStats struct {
	TrackID string `json:"track_id"`
	// Direction is "send" or "receive", as the client sees it.
	Direction      string   `json:"direction"`
	IntervalMs     float64  `json:"interval_ms"`
	JitterBufferMs *float64 `json:"jitter_buffer_ms,omitempty"`
	// HealedRatio is concealed (not silent) samples of all samples received, 0 to 1.
	HealedRatio      *float64 `json:"healed_ratio,omitempty"`
	FrameRate        *float64 `json:"frame_rate,omitempty"`
	FrameHeight      *float64 `json:"frame_height,omitempty"`
	Frames           *uint64  `json:"frames,omitempty"`
	FramesDropped    *uint64  `json:"frames_dropped,omitempty"`
	Freezes          *uint64  `json:"freezes,omitempty"`
	FreezeMs         *float64 `json:"freeze_ms,omitempty"`
	PacketsDiscarded *uint64  `json:"packets_discarded,omitempty"`
	AvailableBitrate *float64 `json:"available_bitrate_bps,omitempty"`
	// LocalCandidate is "host", "srflx", "prflx" or "relay", Transport "udp", "tcp" or "tls": the server can't tell relays from where it stands.
	LocalCandidate string `json:"local_candidate,omitempty"`
	Transport      string `json:"transport,omitempty"`
}

// Diagnostic is a user-facing diagnostic; names and values (Good, Poor, Bad, True, False) are closed sets, as the reference SDK has them.
type Diagnostic struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Survey rates the call.
type Survey struct {
	// Ratings by subject ("overall", "audio", "video", "screen"), 1 to 5.
	Ratings map[string]int `json:"ratings"`
	// Issues are tags of a closed set, by subject.
	Issues map[string][]string `json:"issues,omitempty"`
}
