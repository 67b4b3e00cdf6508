package meeting

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/policy"
)

// maxNamed is how many participants one request may name.
const maxNamed = 2000

// handler answers one type of request.
type handler func(ctx context.Context, mb *Member, body json.RawMessage) (any, error)

// with is a handler of requests with a body of type T.
func with[T any](f func(context.Context, *Member, T) (any, error)) handler {
	return func(ctx context.Context, mb *Member, body json.RawMessage) (any, error) {
		var v T
		if err := decode(body, &v); err != nil {
			return nil, err
		}
		return f(ctx, mb, v)
	}
}

// done is with for requests that are answered by nothing but that they worked.
func done[T any](f func(context.Context, *Member, T) error) handler {
	return with(func(ctx context.Context, mb *Member, v T) (any, error) { return struct{}{}, f(ctx, mb, v) })
}

// plain is a handler of requests without a body.
func plain(f func(context.Context, *Member) (any, error)) handler {
	return func(ctx context.Context, mb *Member, _ json.RawMessage) (any, error) { return f(ctx, mb) }
}

// act is plain for requests that are answered by nothing but that they worked.
func act(f func(context.Context, *Member) error) handler {
	return plain(func(ctx context.Context, mb *Member) (any, error) { return struct{}{}, f(ctx, mb) })
}

// handlerOf is the table of requests.
func handlerOf(typ string) handler {
	switch typ {
	case protocol.TypePing:
		return act(func(context.Context, *Member) error { return nil })
	case protocol.TypeLeave:
		return act(func(_ context.Context, mb *Member) error { return mb.leave() })
	case protocol.TypeCapabilities:
		return plain(func(_ context.Context, mb *Member) (any, error) { return mb.capabilities() })
	case protocol.TypeRoster:
		return plain(func(_ context.Context, mb *Member) (any, error) { return mb.roster() })
	case protocol.TypeStats:
		return done(func(_ context.Context, mb *Member, b protocol.Stats) error { return mb.stats(b) })
	case protocol.TypeDiagnostic:
		return done(func(_ context.Context, mb *Member, b protocol.Diagnostic) error { return mb.clientDiagnostic(b) })
	case protocol.TypeSurvey:
		return done(func(_ context.Context, mb *Member, b protocol.Survey) error { return mb.Rate(b) })
	case protocol.TypeActivity:
		return done(func(_ context.Context, mb *Member, b protocol.Activity) error { return mb.activity(b) })
	case protocol.TypeBackground:
		return done(func(_ context.Context, mb *Member, b protocol.BackgroundEffect) error { return mb.background(b) })
	}
	for _, of := range []func(string) handler{managingHandler, mediaHandler, chatHandler, captureHandler} {
		if h := of(typ); h != nil {
			return h
		}
	}
	return nil
}

func managingHandler(typ string) handler {
	switch typ {
	case protocol.TypeLobby:
		return plain(func(_ context.Context, mb *Member) (any, error) { return mb.lobby() })
	case protocol.TypeAdmit:
		return done(func(ctx context.Context, mb *Member, b protocol.Participants) error {
			ids, err := participantIDs(b)
			if err != nil {
				return err
			}
			return mb.admit(ctx, ids)
		})
	case protocol.TypeAdmitAll:
		return act(func(ctx context.Context, mb *Member) error { return mb.admitAll(ctx) })
	case protocol.TypeReject:
		return done(func(_ context.Context, mb *Member, b protocol.Participants) error {
			ids, err := participantIDs(b)
			if err != nil {
				return err
			}
			return mb.reject(ids)
		})
	case protocol.TypeAddParticipant:
		return done(func(_ context.Context, mb *Member, b protocol.AddParticipant) error { return mb.invite(b.User) })
	case protocol.TypeRemove:
		return done(func(_ context.Context, mb *Member, b protocol.Target) error {
			if err := mb.use(policy.RemoveParticipant); err != nil {
				return err
			}
			id, err := parseID("participant_id", b.ParticipantID)
			if err != nil {
				return err
			}
			return mb.remove(id)
		})
	case protocol.TypeMute:
		return done(func(_ context.Context, mb *Member, b protocol.Mute) error { return mb.muteOther(b.ParticipantID) })
	case protocol.TypeEndMeeting:
		return act(func(_ context.Context, mb *Member) error { return mb.endMeeting() })
	}
	return nil
}

func mediaHandler(typ string) handler {
	switch typ {
	case protocol.TypePublish:
		return with(func(ctx context.Context, mb *Member, b protocol.Publish) (any, error) { return mb.publish(ctx, b) })
	case protocol.TypeSubscribeAnswer:
		return done(func(ctx context.Context, mb *Member, b protocol.SubscribeAnswer) error { return mb.answer(ctx, b) })
	case protocol.TypeCandidate:
		return done(func(_ context.Context, mb *Member, b protocol.Candidate) error { return mb.candidate(b) })
	case protocol.TypeSetTrack:
		return done(func(_ context.Context, mb *Member, b protocol.SetTrack) error { return mb.setTrack(b) })
	case protocol.TypeReceive:
		return done(func(_ context.Context, mb *Member, b protocol.Receive) error { return mb.receive(b) })
	}
	return nil
}

func chatHandler(typ string) handler {
	switch typ {
	case protocol.TypeChatSend:
		return with(func(ctx context.Context, mb *Member, b protocol.ChatSend) (any, error) { return mb.chatSend(ctx, b) })
	case protocol.TypeChatEdit:
		return done(func(ctx context.Context, mb *Member, b protocol.ChatEdit) error { return mb.chatEdit(ctx, b) })
	case protocol.TypeChatDelete:
		return done(func(ctx context.Context, mb *Member, b protocol.ChatMessageRef) error { return mb.chatDelete(ctx, b) })
	case protocol.TypeChatReact:
		return done(func(_ context.Context, mb *Member, b protocol.ChatReact) error { return mb.chatReact(b) })
	case protocol.TypeChatTyping:
		return act(func(_ context.Context, mb *Member) error { return mb.chatTyping() })
	case protocol.TypeChatRead:
		return done(func(_ context.Context, mb *Member, b protocol.ChatMessageRef) error { return mb.chatRead(b) })
	case protocol.TypeChatHistory:
		return with(func(_ context.Context, mb *Member, b protocol.ChatHistory) (any, error) { return mb.chatHistory(b) })
	}
	return nil
}

func captureHandler(typ string) handler {
	switch typ {
	case protocol.TypeStartRecording:
		return act(func(ctx context.Context, mb *Member) error { return mb.startCapture(ctx, recording) })
	case protocol.TypeStopRecording:
		return act(func(ctx context.Context, mb *Member) error { return mb.stopCapture(ctx, recording) })
	case protocol.TypeStartTranscript:
		return act(func(ctx context.Context, mb *Member) error { return mb.startCapture(ctx, transcription) })
	case protocol.TypeStopTranscript:
		return act(func(ctx context.Context, mb *Member) error { return mb.stopCapture(ctx, transcription) })
	case protocol.TypeNoticeAck:
		return done(func(ctx context.Context, mb *Member, b protocol.NoticeAck) error { return mb.acknowledge(ctx, b) })
	case protocol.TypeConsent:
		return done(func(ctx context.Context, mb *Member, b protocol.Consent) error { return mb.consent(ctx, b) })
	}
	return nil
}

// Handle answers one request other than join and resume: a body for the reply, or an error (*protocol.Error, or one of the context).
func (mb *Member) Handle(ctx context.Context, typ string, body json.RawMessage) (any, error) {
	h := handlerOf(typ)
	if h == nil {
		return nil, refusal(protocol.ReasonUnknownType)
	}
	mb.m.lock()
	mb.setReady() // a client that asks has had the reply to its join
	err := mb.asks(typ)
	mb.m.unlock()
	if err != nil {
		if typ == protocol.TypeLeave {
			return struct{}{}, nil // gone already
		}
		return nil, err
	}
	reply, err := h(ctx, mb, body)
	if err != nil {
		return nil, err
	}
	return reply, nil
}

// asks tells whether the member may ask for something now. The lock is held.
func (mb *Member) asks(typ string) error {
	switch {
	case mb.state == protocol.StateGone:
		return refusal(protocol.ReasonNotInMeeting)
	case typ == protocol.TypeCandidate, typ == protocol.TypeLeave:
		return nil
	}
	return mb.spend(&mb.limits.control)
}

// History is chat history for somebody who asks otherwise than over the member's connection: unlike a request there, it says nothing of
// whether the reply to join or resume has arrived. Errors are as of Handle.
func (mb *Member) History(b protocol.ChatHistory) (protocol.ChatMessages, error) {
	mb.m.lock()
	err := mb.asks(protocol.TypeChatHistory)
	mb.m.unlock()
	if err != nil {
		return protocol.ChatMessages{}, err
	}
	return mb.chatHistory(b)
}

// decode reads a body. Text must be valid UTF-8: what would be replaced silently is refused, since texts are kept byte for byte.
func decode(body json.RawMessage, v any) error {
	malformed := refusal(protocol.ReasonMalformed)
	if len(body) == 0 {
		body = json.RawMessage("{}")
	}
	if !utf8.Valid(body) {
		return malformed
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if err := d.Decode(v); err != nil {
		return malformed
	}
	if _, err := d.Token(); err != io.EOF {
		return malformed
	}
	return nil
}

func parseID(field, s string) (uuid.UUID, error) {
	id, err := uuid.Parse(s)
	if err != nil || len(s) != 36 {
		return uuid.Nil, invalid(field, "This is not an id of this meeting.")
	}
	return id, nil
}

func participantIDs(b protocol.Participants) ([]uuid.UUID, error) {
	if len(b.ParticipantIDs) == 0 || len(b.ParticipantIDs) > maxNamed {
		return nil, invalid("participant_ids", "Name 1 to 2000 participants.")
	}
	ids := make([]uuid.UUID, 0, len(b.ParticipantIDs))
	for _, s := range b.ParticipantIDs {
		id, err := parseID("participant_ids", s)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (mb *Member) capabilities() (any, error) {
	m := mb.m
	m.lock()
	defer m.unlock()
	m.setGrants(mb, m.grantsOf(mb), true)
	return protocol.CapabilitiesChanged{Capabilities: mb.grants.wire}, nil
}

// rosterReply is the answer to a roster request.
type rosterReply struct {
	Roster []protocol.Participant `json:"roster"`
}

func (mb *Member) roster() (any, error) {
	mb.m.lock()
	defer mb.m.unlock()
	if err := mb.mustBeIn(); err != nil {
		return nil, err
	}
	return rosterReply{mb.m.rosterFor(mb)}, nil
}

func (mb *Member) lobby() (any, error) {
	mb.m.lock()
	defer mb.m.unlock()
	if err := mb.useLocked(policy.ManageLobby); err != nil {
		return nil, err
	}
	return protocol.LobbyUpdated{Waiting: mb.m.lobbyList()}, nil
}

func (mb *Member) endMeeting() error {
	mb.m.lock()
	defer mb.m.unlock()
	if err := mb.useLocked(policy.HangUpForEveryone); err != nil {
		return err
	}
	mb.m.operation(mb, "EndMeeting")
	mb.m.end(EndedByUser)
	return mb.m.endErr
}
