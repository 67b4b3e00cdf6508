package client

import (
	"context"
	"encoding/json"

	"github.com/anteroom/anteroom/media/protocol"
)

// Each request returns *protocol.Error when it is refused. docs/protocol.md says what each does.

// Leave ends the stay.
func (c *Client) Leave(ctx context.Context) error {
	return c.Request(ctx, protocol.TypeLeave, nil, nil)
}

// Ping asks whether the server is there.
func (c *Client) Ping(ctx context.Context) error { return c.Request(ctx, protocol.TypePing, nil, nil) }

// Capabilities are the participant's, by name.
func (c *Client) Capabilities(ctx context.Context) (map[string]protocol.Grant, error) {
	var reply protocol.CapabilitiesChanged
	err := c.Request(ctx, protocol.TypeCapabilities, nil, &reply)
	return reply.Capabilities, err
}

// Roster is who is in.
func (c *Client) Roster(ctx context.Context) ([]protocol.Participant, error) {
	var reply struct {
		Roster []protocol.Participant `json:"roster"`
	}
	err := c.Request(ctx, protocol.TypeRoster, nil, &reply)
	return reply.Roster, err
}

// Lobby is who waits.
func (c *Client) Lobby(ctx context.Context) ([]protocol.Waiting, error) {
	var reply protocol.LobbyUpdated
	err := c.Request(ctx, protocol.TypeLobby, nil, &reply)
	return reply.Waiting, err
}

// Admit lets some in who wait.
func (c *Client) Admit(ctx context.Context, participants ...string) error {
	return c.Request(ctx, protocol.TypeAdmit, protocol.Participants{ParticipantIDs: participants}, nil)
}

// AdmitAll lets everybody in who waits.
func (c *Client) AdmitAll(ctx context.Context) error {
	return c.Request(ctx, protocol.TypeAdmitAll, nil, nil)
}

// Reject turns some away who wait.
func (c *Client) Reject(ctx context.Context, participants ...string) error {
	return c.Request(ctx, protocol.TypeReject, protocol.Participants{ParticipantIDs: participants}, nil)
}

// AddParticipant invites a user of the organisation.
func (c *Client) AddParticipant(ctx context.Context, user string) error {
	return c.Request(ctx, protocol.TypeAddParticipant, protocol.AddParticipant{User: user}, nil)
}

// Remove removes a participant.
func (c *Client) Remove(ctx context.Context, participant string) error {
	return c.Request(ctx, protocol.TypeRemove, protocol.Target{ParticipantID: participant}, nil)
}

// Mute mutes a participant's audio.
func (c *Client) Mute(ctx context.Context, participant string) error {
	return c.Request(ctx, protocol.TypeMute, protocol.Mute{ParticipantID: participant}, nil)
}

// EndMeeting ends the meeting for everybody.
func (c *Client) EndMeeting(ctx context.Context) error {
	return c.Request(ctx, protocol.TypeEndMeeting, nil, nil)
}

// SetTrack mutes or unmutes one of the participant's own tracks.
func (c *Client) SetTrack(ctx context.Context, track string, muted bool) error {
	return c.Request(ctx, protocol.TypeSetTrack, protocol.SetTrack{TrackID: track, Muted: muted}, nil)
}

// Receive says what there is room for.
func (c *Client) Receive(ctx context.Context, tracks ...protocol.ReceiveTrack) error {
	return c.Request(ctx, protocol.TypeReceive, protocol.Receive{Tracks: tracks}, nil)
}

// ChatSend sends a message.
func (c *Client) ChatSend(ctx context.Context, req protocol.ChatSend) (protocol.ChatSent, error) {
	var reply protocol.ChatSent
	err := c.Request(ctx, protocol.TypeChatSend, req, &reply)
	return reply, err
}

// ChatEdit replaces the text of a message.
func (c *Client) ChatEdit(ctx context.Context, message, text string) error {
	return c.Request(ctx, protocol.TypeChatEdit, protocol.ChatEdit{MessageID: message, Text: text}, nil)
}

// ChatDelete deletes a message.
func (c *Client) ChatDelete(ctx context.Context, message string) error {
	return c.Request(ctx, protocol.TypeChatDelete, protocol.ChatMessageRef{MessageID: message}, nil)
}

// ChatReact sets a reaction to a message, or takes it back with "".
func (c *Client) ChatReact(ctx context.Context, message, reaction string) error {
	return c.Request(ctx, protocol.TypeChatReact, protocol.ChatReact{MessageID: message, Reaction: reaction}, nil)
}

// ChatTyping tells the others that one types.
func (c *Client) ChatTyping(ctx context.Context) error {
	return c.Request(ctx, protocol.TypeChatTyping, nil, nil)
}

// ChatRead says up to which message one has read.
func (c *Client) ChatRead(ctx context.Context, message string) error {
	return c.Request(ctx, protocol.TypeChatRead, protocol.ChatMessageRef{MessageID: message}, nil)
}

// ChatHistory asks for messages.
func (c *Client) ChatHistory(ctx context.Context, req protocol.ChatHistory) (protocol.ChatMessages, error) {
	var reply protocol.ChatMessages
	err := c.Request(ctx, protocol.TypeChatHistory, req, &reply)
	return reply, err
}

// Activity relays an activity of one of protocol's kinds.
func (c *Client) Activity(ctx context.Context, kind string, data json.RawMessage) error {
	return c.Request(ctx, protocol.TypeActivity, protocol.Activity{Kind: kind, Data: data}, nil)
}

// BackgroundEffect announces an effect: none, blur or image.
func (c *Client) BackgroundEffect(ctx context.Context, effect string) error {
	return c.Request(ctx, protocol.TypeBackground, protocol.BackgroundEffect{Effect: effect}, nil)
}

// StartRecording starts a recording.
func (c *Client) StartRecording(ctx context.Context) error {
	return c.Request(ctx, protocol.TypeStartRecording, nil, nil)
}

// StopRecording stops it.
func (c *Client) StopRecording(ctx context.Context) error {
	return c.Request(ctx, protocol.TypeStopRecording, nil, nil)
}

// StartTranscription starts a transcription.
func (c *Client) StartTranscription(ctx context.Context) error {
	return c.Request(ctx, protocol.TypeStartTranscript, nil, nil)
}

// StopTranscription stops it.
func (c *Client) StopTranscription(ctx context.Context) error {
	return c.Request(ctx, protocol.TypeStopTranscript, nil, nil)
}

// NoticeAck says that a notice was shown.
func (c *Client) NoticeAck(ctx context.Context, notice string) error {
	return c.Request(ctx, protocol.TypeNoticeAck, protocol.NoticeAck{NoticeID: notice}, nil)
}

// Consent answers a notice that asks for consent.
func (c *Client) Consent(ctx context.Context, notice string, accepted bool) error {
	return c.Request(ctx, protocol.TypeConsent, protocol.Consent{NoticeID: notice, Accepted: accepted}, nil)
}

// Stats hands over the client's own figures.
func (c *Client) Stats(ctx context.Context, stats protocol.Stats) error {
	return c.Request(ctx, protocol.TypeStats, stats, nil)
}

// Diagnostic hands over a user-facing diagnostic.
func (c *Client) Diagnostic(ctx context.Context, name, value string) error {
	return c.Request(ctx, protocol.TypeDiagnostic, protocol.Diagnostic{Name: name, Value: value}, nil)
}

// Survey rates the call.
func (c *Client) Survey(ctx context.Context, survey protocol.Survey) error {
	return c.Request(ctx, protocol.TypeSurvey, survey, nil)
}
