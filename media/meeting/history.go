package meeting

import (
	"math"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/policy"
)

// message is one that was relayed. Guarded by Meeting.mu.
type message struct {
	id       uuid.UUID
	seq      uint64 // place in the order in which messages were sent, which is that of relaying
	author   uuid.UUID
	name     string
	external bool
	text     string
	sentAt   time.Time
	editedAt time.Time
	replyTo  string
	file     *protocol.FileLink
	// fileOnly: it was sent as nothing but a file, for those only who get files, whatever an edit makes of it.
	fileOnly bool
	// audiences are the regions that have copies of it, in order.
	audiences []audience
	// deleted by its author.
	deleted bool
	// reactions by participant: one each.
	reactions map[uuid.UUID]string
}

// What a message takes besides its text, and a reaction besides its own, about, in bytes.
const (
	overhead         = 256
	reactionOverhead = 64
)

func (msg *message) size() int {
	n := overhead + len(msg.text) + len(msg.name)
	if msg.file != nil {
		n += len(msg.file.Name) + len(msg.file.URL)
	}
	for _, r := range msg.reactions {
		n += reactionSize(r)
	}
	return n
}

func reactionSize(reaction string) int {
	if reaction == "" {
		return 0
	}
	return reactionOverhead + len(reaction)
}

// wire is the message as a reader sees it: files and reactions are for those who may share and react themselves.
func (msg *message) wire(reader *Member) protocol.ChatMessage {
	out := protocol.ChatMessage{
		MessageID: msg.id.String(), ParticipantID: msg.author.String(), DisplayName: msg.name, External: msg.external, Text: msg.text,
		SentAt: stamp(msg.sentAt), ReplyTo: msg.replyTo,
	}
	if !msg.editedAt.IsZero() {
		out.EditedAt = stamp(msg.editedAt)
	}
	if msg.file != nil && reader.may(policy.ShareFile) {
		file := *msg.file
		out.File = &file
	}
	if len(msg.reactions) > 0 && reader.may(policy.ReactChat) {
		out.Reactions = map[string]int{}
		for _, r := range msg.reactions {
			out.Reactions[r]++
		}
	}
	return out
}

// chatLog is the chat of one session: what is on its way, and what was relayed, bounded. Guarded by Meeting.mu.
type chatLog struct {
	maxMessages, maxBytes int

	pending  []*chatAct
	next     uint64
	messages []*message // oldest first
	byID     map[uuid.UUID]*message
	bytes    int
	last     time.Time
}

func newChatLog(cfg Config) chatLog {
	return chatLog{maxMessages: cfg.ChatMessages, maxBytes: cfg.ChatBytes, byID: map[uuid.UUID]*message{}}
}

// clock is now, and later than all it said before, so that times order messages as they were relayed. The microsecond after each is left free for
// what makes up for the act of that time: it must come before all later acts.
func (c *chatLog) clock() time.Time {
	now := time.Now().UTC().Truncate(time.Microsecond)
	if !now.After(makeUp(c.last)) {
		now = makeUp(c.last).Add(time.Microsecond)
	}
	c.last = now
	return now
}

// makeUp is when something is done that makes up for an act which didn't take effect.
func makeUp(act time.Time) time.Time { return act.Add(time.Microsecond) }

// place gives a message that is being sent its place. Who is there from here on is not shown it.
func (c *chatLog) place(msg *message) {
	msg.seq = c.next
	c.next++
}

// add takes a message in that was placed; in the order of places.
func (c *chatLog) add(msg *message) {
	c.messages = append(c.messages, msg)
	c.byID[msg.id] = msg
	c.bytes += msg.size()
	c.evict()
}

// evict drops the oldest while there is more than is kept.
func (c *chatLog) evict() {
	for len(c.messages) > c.maxMessages || (c.bytes > c.maxBytes && len(c.messages) > 1) {
		c.drop(0)
	}
}

func (c *chatLog) drop(i int) {
	msg := c.messages[i]
	c.bytes -= msg.size()
	delete(c.byID, msg.id)
	if i == 0 {
		c.messages[0] = nil
		c.messages = c.messages[1:]
		return
	}
	copy(c.messages[i:], c.messages[i+1:])
	c.messages[len(c.messages)-1] = nil
	c.messages = c.messages[:len(c.messages)-1]
}

func (c *chatLog) edit(msg *message, text string, at time.Time) bool {
	if c.byID[msg.id] != msg {
		return false
	}
	c.bytes += len(text) - len(msg.text)
	msg.text, msg.editedAt = text, at
	c.evict()
	return true
}

// react notes the reaction of a participant, or takes it back ("").
func (c *chatLog) react(msg *message, by uuid.UUID, reaction string) {
	if c.byID[msg.id] != msg {
		return
	}
	c.bytes += reactionSize(reaction) - reactionSize(msg.reactions[by])
	switch {
	case reaction == "":
		delete(msg.reactions, by)
	case msg.reactions == nil:
		msg.reactions = map[uuid.UUID]string{by: reaction}
	default:
		msg.reactions[by] = reaction
	}
	c.evict()
}

// remove drops a message, unless it was dropped already.
func (c *chatLog) remove(msg *message) {
	if i := slices.Index(c.messages, msg); i >= 0 {
		c.drop(i)
	}
}

// forget drops all that was said: the session has ended.
func (c *chatLog) forget() {
	c.messages, c.byID, c.bytes = nil, map[uuid.UUID]*message{}, 0
}

// span of places in the order of sending, end excluded.
type span struct{ from, to uint64 }

const open64 = uint64(math.MaxUint64)

// spans are in order; the last may be open.
type spans []span

func (s spans) open() bool { return len(s) > 0 && s[len(s)-1].to == open64 }

// turn begins or ends a span at a place.
func (s spans) turn(on bool, next uint64) spans {
	switch last := len(s) - 1; {
	case on == s.open():
	case !on && s[last].from == next:
		s = s[:last]
	case !on:
		s[last].to = next
	case last >= 0 && s[last].to == next:
		s[last].to = open64
	default:
		s = append(s, span{next, open64})
	}
	return s
}

func (s spans) has(place uint64) bool {
	for i := len(s) - 1; i >= 0; i-- {
		if place >= s[i].from {
			return place < s[i].to
		}
	}
	return false
}

func (mb *Member) listening() bool { return mb.seen.open() }

// listen notes what the member gets of what is said from here on. The lock is held.
func (mb *Member) listen() {
	next := mb.m.chat.next
	mb.seen = mb.seen.turn(mb.may(policy.ReceiveChat), next)
	mb.seenFiles = mb.seenFiles.turn(mb.may(policy.ReceiveChat) && mb.may(policy.ShareFile), next)
}

// sees tells whether the member was there, and allowed to receive, when the message was sent, and is now. A message that is nothing but
// a file isn't there for those who get no files. The lock is held.
func (mb *Member) sees(msg *message) bool {
	if !mb.may(policy.ReceiveChat) || (msg.text == "" && !mb.may(policy.ShareFile)) {
		return false
	}
	if msg.fileOnly {
		return mb.seenFiles.has(msg.seq)
	}
	return mb.seen.has(msg.seq)
}

// Bounds of one page of history.
const (
	historyDefault = 50
	historyMost    = 200
)

func (mb *Member) chatHistory(b protocol.ChatHistory) (protocol.ChatMessages, error) {
	none := protocol.ChatMessages{}
	m := mb.m
	m.lock()
	defer m.unlock()
	if err := mb.useLocked(policy.ReceiveChat); err != nil {
		return none, err
	}
	if b.Limit == 0 {
		b.Limit = historyDefault
	}
	if b.Limit < 1 || b.Limit > historyMost {
		return none, invalid("limit", "Ask for 1 to 200 messages.")
	}
	if err := mb.spend(&mb.limits.history); err != nil {
		return none, err
	}
	before := open64
	if b.Before != "" {
		msg, err := m.messageFor(mb, "before", b.Before)
		if err != nil {
			return none, err
		}
		before = msg.seq
	}
	page := protocol.ChatMessages{Messages: []protocol.ChatMessage{}}
	var found []*message
	for i := len(m.chat.messages) - 1; i >= 0; i-- {
		msg := m.chat.messages[i]
		if msg.seq >= before || !mb.sees(msg) {
			continue
		}
		if len(found) == b.Limit {
			page.More = true
			break
		}
		found = append(found, msg)
	}
	for i := len(found) - 1; i >= 0; i-- {
		page.Messages = append(page.Messages, found[i].wire(mb))
	}
	return page, nil
}
