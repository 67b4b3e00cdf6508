package event

import (
	"encoding/json"
	"fmt"

	"github.com/anteroom/anteroom/event/eventpb"
)

// ChatContent is what is sealed of a chat message: all that people wrote.
type ChatContent struct {
	Text string `json:"text"`
	// ReplyTo is the id of the message that it answers, UUID text.
	ReplyTo string `json:"reply_to,omitempty"`
	// FileName and FileURL are of a file that was shared as a link.
	FileName string `json:"file_name,omitempty"`
	FileURL  string `json:"file_url,omitempty"`
}

// Marshal gives the bytes that are sealed and, once opened, stored.
func (c ChatContent) Marshal() ([]byte, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode chat content: %w", err)
	}
	return b, nil
}

// ParseChatContent reads what Marshal gave. The error never quotes it.
func ParseChatContent(b []byte) (ChatContent, error) {
	var c ChatContent
	if json.Unmarshal(b, &c) != nil {
		return ChatContent{}, fmt.Errorf("%w: not chat content", ErrInvalid)
	}
	return c, nil
}

// SealingContext binds sealed text to the act it belongs to: sealed text that is moved to another message, call, region or act can't be opened.
// region is the one that the text is sealed for. A guest's id is bound to its participant and resource likewise.
func SealingContext(e *eventpb.Event, region string) []byte {
	if g := e.GetResourceGuest(); g != nil {
		return fmt.Appendf(nil, "anteroom guest 1\n%s\n%s\n%s\n%x\n%s\n%d", region, e.GetOrg(), e.GetCallId(), g.GetParticipantId(), g.GetResourceId(), g.GetJoinedAtUs())
	}
	c := e.GetChat()
	return fmt.Appendf(nil, "anteroom chat 1\n%s\n%s\n%s\n%x\n%d\n%d", region, e.GetOrg(), e.GetCallId(), c.GetMessageId(), c.GetAct(), e.GetObservedAtUs())
}
