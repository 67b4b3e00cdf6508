package ingest

import (
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/store"
)

// chatAct is what one record tells of a message of own media.
type chatAct struct {
	offset int64
	event  *eventpb.Event
	chat   *eventpb.Chat
	opened
}

// messageKey names a message.
type messageKey struct {
	org, call string
	message   uuid.UUID
}

func (a *chatAct) key() messageKey {
	return messageKey{a.event.GetOrg(), a.event.GetCallId(), toUUID(a.chat.GetMessageId())}
}

func (a *chatAct) in() store.KeptIn { return keptIn(a.event, a.chat.GetMeetingId()) }

func (a *chatAct) sentAt() time.Time { return instantOf(a.chat.GetSentAtUs()) }

// revisedAt is the version of the text that the act brings. Times of acts rise within a call, by the clock of who relays.
func (a *chatAct) revisedAt() time.Time {
	if a.chat.GetAct() == eventpb.Chat_ACT_SENT {
		return a.sentAt()
	}
	return instantOf(a.event.GetObservedAtUs())
}

// copyFor is what the act has for the guests of a region; nil if nothing.
func (a *chatAct) copyFor(region string) *eventpb.ChatCopy {
	for _, c := range a.chat.GetCopies() {
		if c.GetRegion() == region {
			return c
		}
	}
	return nil
}

// holderKey names a guest of a call.
type holderKey struct {
	org, call string
	holder    uuid.UUID
}

// chatBatch makes rows of the chat acts of one batch. What it makes is a function of these acts alone, whatever is stored already: what was edited,
// deleted or superseded by a record of another batch, before or after, is resolved by the times that rows have, never by the order in which they come.
//
// What the batch itself makes superfluous is not stored at all: a text that a later act replaces or deletes, and a copy whose guest was shown a newer
// message.
type chatBatch struct {
	region string
	// home: the thread is in this region.
	home bool
	acts []chatAct
}

// rows adds the rows of all acts.
func (c *chatBatch) rows(out *store.Batch, counter *rowCounter) {
	newest := c.newestCopies()
	thread, copies := c.latestTexts(store.ClassThread), c.latestTexts(store.ClassCopy)
	// sent are the messages that were sent in this batch, and whether a copy of them is kept.
	sent, retracted := map[messageKey]bool{}, map[messageKey]bool{}
	for i := range c.acts {
		a := &c.acts[i]
		switch key := a.key(); a.chat.GetAct() {
		case eventpb.Chat_ACT_SENT:
			sent[key] = c.keep(a, newest, out, counter) || sent[key]
		case eventpb.Chat_ACT_DELETED:
			retracted[key] = true
			out.Retractions = append(out.Retractions, store.Retraction{KeptIn: a.in(), MessageID: key.message, RetractedAt: a.revisedAt()})
		default:
		}
	}
	for i := range c.acts {
		a := &c.acts[i]
		key := a.key()
		if retracted[key] {
			continue
		}
		if c.home && thread[key] == a {
			c.write(store.ClassThread, a, out, counter)
		}
		if kept, sentHere := sent[key]; copies[key] == a && (kept || !sentHere) {
			c.write(store.ClassCopy, a, out, counter)
		}
	}
}

// newestCopies finds the newest message that each guest was shown in the batch.
func (c *chatBatch) newestCopies() map[holderKey]*chatAct {
	newest := map[holderKey]*chatAct{}
	for i := range c.acts {
		a := &c.acts[i]
		if a.chat.GetAct() != eventpb.Chat_ACT_SENT {
			continue
		}
		for _, h := range a.copyFor(c.region).GetHolders() {
			key := holderKey{a.event.GetOrg(), a.event.GetCallId(), toUUID(h.GetParticipantId())}
			if known := newest[key]; known == nil || a.sentAt().After(known.sentAt()) {
				newest[key] = a
			}
		}
	}
	return newest
}

// latestTexts finds the act that brings the last text of each message. Of equal ones the first counts, unless its text is lost.
func (c *chatBatch) latestTexts(class store.Class) map[messageKey]*chatAct {
	latest := map[messageKey]*chatAct{}
	for i := range c.acts {
		a := &c.acts[i]
		switch a.chat.GetAct() {
		case eventpb.Chat_ACT_SENT, eventpb.Chat_ACT_EDITED:
		default:
			continue
		}
		if class == store.ClassCopy && a.copyFor(c.region) == nil {
			continue
		}
		known := latest[a.key()]
		if known == nil || a.revisedAt().After(known.revisedAt()) || (known.lost && !a.lost && a.revisedAt().Equal(known.revisedAt())) {
			latest[a.key()] = a
		}
	}
	return latest
}

// keep adds what is kept of a message that was sent, and tells whether that includes a copy.
func (c *chatBatch) keep(a *chatAct, newest map[holderKey]*chatAct, out *store.Batch, counter *rowCounter) bool {
	kept := store.Kept{KeptIn: a.in(), Class: store.ClassThread, ItemID: a.key().message, SentAt: a.sentAt()}
	if c.home {
		out.Kept.Add(counter.next(keptTable, a.offset), kept)
	}
	copied := false
	for _, h := range a.copyFor(c.region).GetHolders() {
		key := holderKey{kept.Org, kept.CallID, toUUID(h.GetParticipantId())}
		if newest[key] != a {
			continue
		}
		newest[key] = nil // a guest that is named twice holds one copy
		copied = true
		kept.Class, kept.HolderID, kept.ResourceID = store.ClassCopy, key.holder, parseUUID(h.GetResourceId())
		out.Kept.Add(counter.next(keptTable, a.offset), kept)
		out.Heads = append(out.Heads, store.Head{KeptIn: kept.KeptIn, HolderID: key.holder, MessageID: kept.ItemID, SentAt: kept.SentAt})
	}
	return copied
}

// write adds the text that an act brings. Of what is lost the first text has no row: it is gone, or stored from when the record was ingested before. A
// lost edit has one without text all the same, since the text before it is not the message's any more.
func (c *chatBatch) write(class store.Class, a *chatAct, out *store.Batch, counter *rowCounter) {
	if a.lost && a.chat.GetAct() == eventpb.Chat_ACT_SENT {
		return
	}
	out.Texts.Add(counter.next(textTable, a.offset), store.Text{
		KeptIn: a.in(), Class: class, MessageID: a.key().message, AuthorID: toUUID(a.chat.GetParticipantId()),
		SentAt: a.sentAt(), RevisedAt: a.revisedAt(), Content: a.text,
	})
}
