package meeting

import (
	"cmp"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/policy"
)

// audience are the guests of one region who may receive a message when it is sent: they hold a copy of it, whether or not they are there still
// when it is relayed, and nobody else of them is ever shown it.
type audience struct {
	region string
	// files: somebody of them gets the file that the message refers to.
	files bool
}

// sealedText is what is sealed of a message: for the thread, and for each of its audiences (nil where it is the thread's).
type sealedText struct {
	thread []byte
	copies [][]byte
}

// sentEvent tells of a message that is new, to the guests who may receive it now. The lock is held.
func (m *Meeting) sentEvent(msg *message) *eventpb.Event {
	var copies []*eventpb.ChatCopy
	for _, mb := range m.admitted {
		if mb.entrant.OrgUser || !mb.sees(msg) {
			continue
		}
		region := mb.entrant.Region
		i := slices.IndexFunc(msg.audiences, func(a audience) bool { return a.region == region })
		if i < 0 {
			i = len(copies)
			copies = append(copies, &eventpb.ChatCopy{Region: region})
			msg.audiences = append(msg.audiences, audience{region: region})
		}
		msg.audiences[i].files = msg.audiences[i].files || mb.may(policy.ShareFile)
		copies[i].Holders = append(copies[i].Holders, &eventpb.ChatHolder{ParticipantId: mb.id[:], ResourceId: mb.entrant.Resource})
	}
	slices.SortFunc(copies, func(a, b *eventpb.ChatCopy) int { return cmp.Compare(a.Region, b.Region) })
	slices.SortFunc(msg.audiences, func(a, b audience) int { return cmp.Compare(a.region, b.region) })
	e := m.chatEvent(msg, eventpb.Chat_ACT_SENT, msg.sentAt)
	e.GetChat().Copies = copies
	return e
}

// chatEvent is an act on a message, for the regions that have it. Its text, if it has one, comes into it with seal.
func (m *Meeting) chatEvent(msg *message, act eventpb.Chat_Act, at time.Time) *eventpb.Event {
	chat := &eventpb.Chat{
		ParticipantId: msg.author[:], MessageId: msg.id[:], Act: act, MeetingId: m.facts.Meeting.ID, SentAtUs: msg.sentAt.UnixMicro(),
	}
	for _, a := range msg.audiences {
		chat.Copies = append(chat.Copies, &eventpb.ChatCopy{Region: a.region})
	}
	e := m.event(at)
	e.Payload = &eventpb.Event_Chat{Chat: chat}
	return e
}

// sealedText is what an act gives a message as its text. Other regions get nothing of a file that nobody of them is shown. The lock is held.
func (m *Meeting) sealedText(msg *message, text string) (sealedText, error) {
	content := event.ChatContent{Text: text, ReplyTo: msg.replyTo}
	plain, err := content.Marshal()
	if err != nil {
		return sealedText{}, err //nolint:wrapcheck // says what it did
	}
	out := sealedText{thread: plain, copies: make([][]byte, len(msg.audiences))}
	if msg.file != nil {
		content.FileName, content.FileURL = msg.file.Name, msg.file.URL
		if out.thread, err = content.Marshal(); err != nil {
			return sealedText{}, err //nolint:wrapcheck // as above
		}
	}
	for i, a := range msg.audiences {
		switch {
		case a.region == m.region:
		case a.files:
			out.copies[i] = out.thread
		default:
			out.copies[i] = plain
		}
	}
	return out, nil
}

// seal puts text into an event, for each region that gets some sealed to its key of now. What can't be sealed is refused. The lock is not held: it
// takes a tenth of a millisecond per region.
func (m *Meeting) seal(e *eventpb.Event, text sealedText) error {
	if text.thread == nil {
		return nil
	}
	chat := e.GetChat()
	var err error
	if chat.SealingKeyId, chat.SealedText, err = m.sealFor(e, m.region, text.thread); err != nil {
		return err
	}
	for i, c := range chat.GetCopies() {
		if text.copies[i] == nil {
			continue
		}
		if c.SealingKeyId, c.SealedText, err = m.sealFor(e, c.GetRegion(), text.copies[i]); err != nil {
			return err
		}
	}
	if proto.Size(e) > event.MaxBytes {
		return &protocol.Error{Reason: protocol.ReasonTooLarge, Field: "text", Message: "The message is too large to be stored in each region that its readers come from. Send it in parts."}
	}
	return nil
}

func (m *Meeting) sealFor(e *eventpb.Event, region string, text []byte) (keyID string, sealed []byte, err error) {
	if m.deps.Sealer == nil {
		return "", nil, refusal(protocol.ReasonUnavailable)
	}
	keyID, sealed, err = m.deps.Sealer.Seal(region, event.SealingContext(e, region), text)
	if err != nil {
		m.log.WarnContext(m.ctx, "a chat message could not be sealed and was refused", "region", region, "error", err)
		return "", nil, refusal(protocol.ReasonUnavailable)
	}
	return keyID, sealed, nil
}
