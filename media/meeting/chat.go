package meeting

import (
	"context"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/policy"
)

// checkText tells whether a message may have this text. It is kept as it is, byte for byte.
func checkText(s string, mayBeEmpty bool) error {
	switch {
	case len(s) > protocol.MaxTextBytes || utf8.RuneCountInString(s) > protocol.MaxTextRunes:
		return &protocol.Error{Reason: protocol.ReasonTooLarge, Field: "text", Message: "A message has at most 8000 characters and 28 KB. Send it in parts."}
	case !mayBeEmpty && strings.TrimSpace(s) == "":
		return invalid("text", "Write something.")
	}
	return nil
}

func checkFile(f *protocol.FileLink) error {
	if f == nil {
		return nil
	}
	if !protocol.ValidName(f.Name) {
		return invalid("file.name", "Give the file a name of 1 to 256 characters.")
	}
	u, err := url.Parse(f.URL)
	if err != nil || len(f.URL) > 2048 || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return invalid("file.url", "Give the file's address as an https URL of at most 2048 characters.")
	}
	return nil
}

func (mb *Member) chatSend(ctx context.Context, b protocol.ChatSend) (any, error) {
	m := mb.m
	m.lock()
	defer m.unlock()
	needs := []policy.Capability{policy.SendChat}
	if b.ReplyTo != "" {
		needs = append(needs, policy.ReplyChat)
	}
	if b.File != nil {
		needs = append(needs, policy.ShareFile)
	}
	for _, capability := range needs {
		if err := mb.useLocked(capability); err != nil {
			return nil, err
		}
	}
	if err := checkFile(b.File); err != nil {
		return nil, err
	}
	if err := checkText(b.Text, b.File != nil); err != nil {
		return nil, err
	}
	if b.ReplyTo != "" {
		if _, err := m.messageFor(mb, "reply_to", b.ReplyTo); err != nil {
			return nil, err
		}
	}
	if err := mb.spend(&mb.limits.chat); err != nil {
		return nil, err
	}
	msg := &message{
		id: uuid.New(), author: mb.id, name: mb.entrant.DisplayName, external: !mb.entrant.OrgUser,
		text: b.Text, replyTo: b.ReplyTo, file: b.File, fileOnly: b.Text == "", sentAt: m.chat.clock(),
	}
	m.chat.place(msg)
	event := m.sentEvent(msg)
	sealed, err := m.sealedText(msg, msg.text)
	if err != nil {
		return nil, err
	}
	err = m.do(ctx, &chatAct{
		event: event, text: sealed, by: mb, needs: needs,
		apply: func() bool { m.relay(msg); return true },
		undo:  func() { m.outbox.add(m.chatEvent(msg, eventpb.Chat_ACT_DELETED, makeUp(msg.sentAt))) },
	})
	if err != nil {
		return nil, err
	}
	return protocol.ChatSent{MessageID: msg.id.String(), SentAt: stamp(msg.sentAt)}, nil
}

// relay puts a message into the history and sends it to everybody who may see it, except its author. The lock is held.
func (m *Meeting) relay(msg *message) {
	m.chat.add(msg)
	for _, mb := range m.admitted {
		if mb.id != msg.author && mb.sees(msg) {
			mb.send(protocol.TypeChatMessage, msg.wire(mb))
		}
	}
}

func (mb *Member) chatEdit(ctx context.Context, b protocol.ChatEdit) error {
	m := mb.m
	m.lock()
	defer m.unlock()
	msg, err := mb.own(policy.EditChat, b.MessageID)
	if err != nil {
		return err
	}
	if err := checkText(b.Text, msg.file != nil); err != nil {
		return err
	}
	at := m.chat.clock()
	sealed, err := m.sealedText(msg, b.Text)
	if err != nil {
		return err
	}
	return m.do(ctx, &chatAct{
		event: m.chatEvent(msg, eventpb.Chat_ACT_EDITED, at), text: sealed, by: mb, needs: []policy.Capability{policy.EditChat},
		apply: func() bool {
			if !m.chat.edit(msg, b.Text, at) {
				return false
			}
			m.tellSeers(msg, mb, protocol.TypeChatEdited, protocol.ChatEdited{MessageID: msg.id.String(), Text: b.Text, EditedAt: stamp(at)})
			return true
		},
		undo: func() { m.restoreText(msg, makeUp(at)) },
	})
}

// restoreText records that a message has the text that it has here: an edit was recorded that didn't take effect.
func (m *Meeting) restoreText(msg *message, at time.Time) {
	if msg.deleted {
		return
	}
	sealed, err := m.sealedText(msg, msg.text)
	if err != nil {
		return // it was sealed before
	}
	m.outbox.addSealed(m.chatEvent(msg, eventpb.Chat_ACT_EDITED, at), sealed)
}

func (mb *Member) chatDelete(ctx context.Context, b protocol.ChatMessageRef) error {
	m := mb.m
	m.lock()
	defer m.unlock()
	msg, err := mb.own(policy.DeleteChat, b.MessageID)
	if err != nil {
		return err
	}
	event := m.chatEvent(msg, eventpb.Chat_ACT_DELETED, m.chat.clock())
	take := func() bool {
		if msg.deleted {
			return false
		}
		msg.deleted = true
		m.chat.remove(msg)
		m.tellSeers(msg, mb, protocol.TypeChatDeleted, protocol.ChatBy{ParticipantID: mb.id.String(), MessageID: msg.id.String()})
		return true
	}
	unsure := false
	err = m.do(ctx, &chatAct{
		// What is deleted never comes back where chat is stored, so a deletion that may be there is carried through.
		event: event, by: mb, final: true, apply: take,
		undo: func() {
			if take() {
				unsure = true
				m.outbox.add(event)
			}
		},
	})
	if unsure {
		return &protocol.Error{
			Reason: protocol.ReasonUnavailable, Message: "It was deleted for everybody here, but that could not be recorded yet, so that a restart of the server may forget it.",
		}
	}
	return err
}

// own is a message that the member may change, since it wrote it. The lock is held.
func (mb *Member) own(capability policy.Capability, id string) (*message, error) {
	if err := mb.useLocked(capability); err != nil {
		return nil, err
	}
	msg, err := mb.m.messageFor(mb, "message_id", id)
	if err != nil {
		return nil, err
	}
	if msg.author != mb.id {
		return nil, refusal(protocol.ReasonNotYours)
	}
	return msg, mb.spend(&mb.limits.chat)
}

// messageFor is a message that the member can see. One that it can't see doesn't exist for it.
func (m *Meeting) messageFor(mb *Member, field, text string) (*message, error) {
	id, err := parseID(field, text)
	if err != nil {
		return nil, err
	}
	msg := m.chat.byID[id]
	if msg == nil || (!mb.sees(msg) && msg.author != mb.id) {
		return nil, &protocol.Error{Reason: protocol.ReasonNotFound, Field: field, Message: "There is no such message."}
	}
	return msg, nil
}

// tellSeers sends something about a message to everybody who may see it, except by. The lock is held.
func (m *Meeting) tellSeers(msg *message, by *Member, typ string, body any) {
	for _, mb := range m.admitted {
		if mb != by && mb.sees(msg) {
			mb.send(typ, body)
		}
	}
}

func (mb *Member) chatReact(b protocol.ChatReact) error {
	m := mb.m
	m.lock()
	defer m.unlock()
	if err := mb.useLocked(policy.ReactChat); err != nil {
		return err
	}
	if len(b.Reaction) > 64 || !utf8.ValidString(b.Reaction) || (b.Reaction != "" && !protocol.ValidName(b.Reaction)) {
		return invalid("reaction", "Use one emoji or a short word, at most 64 bytes; an empty one takes the reaction back.")
	}
	msg, err := m.messageFor(mb, "message_id", b.MessageID)
	if err != nil {
		return err
	}
	if err := mb.spend(&mb.limits.react); err != nil {
		return err
	}
	m.chat.react(msg, mb.id, b.Reaction)
	body := protocol.ChatBy{ParticipantID: mb.id.String(), MessageID: msg.id.String(), Reaction: b.Reaction}
	for _, other := range m.admitted {
		if other != mb && other.sees(msg) && other.may(policy.ReactChat) {
			other.send(protocol.TypeChatReaction, body)
		}
	}
	return nil
}

// chatTyping is relayed once a second at most; more is taken and forgotten.
func (mb *Member) chatTyping() error {
	m := mb.m
	m.lock()
	defer m.unlock()
	if err := mb.useLocked(policy.SendTyping); err != nil {
		return err
	}
	if mb.spend(&mb.limits.typing) != nil {
		return nil
	}
	for _, other := range m.admitted {
		if other != mb && other.may(policy.ReceiveChat) {
			other.send(protocol.TypeChatTyping, protocol.ChatBy{ParticipantID: mb.id.String()})
		}
	}
	return nil
}

func (mb *Member) chatRead(b protocol.ChatMessageRef) error {
	m := mb.m
	m.lock()
	defer m.unlock()
	if err := mb.useLocked(policy.SendReadReceipts); err != nil {
		return err
	}
	msg, err := m.messageFor(mb, "message_id", b.MessageID)
	if err != nil {
		return err
	}
	if err := mb.spend(&mb.limits.react); err != nil {
		return err
	}
	m.tellSeers(msg, mb, protocol.TypeChatRead, protocol.ChatBy{ParticipantID: mb.id.String(), MessageID: msg.id.String()})
	return nil
}

// stamp is a time as the protocol has it, to the millisecond.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }
