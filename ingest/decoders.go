package ingest

import (
	"cmp"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/acs"
	"github.com/anteroom/anteroom/ingest/decode"
	"github.com/anteroom/anteroom/ingest/label"
)

// refusal is why a record, or a part of it, can't be ingested. Reason quotes nothing of it.
type refusal struct {
	// record is the index within a message of several records, -1 for all of it.
	record int
	reason string
}

// decoder makes events of a record's value. It is a pure function of the value.
type decoder func(value []byte) ([]*eventpb.Event, []refusal)

func ownDecoder(region string) decoder {
	return func(value []byte) ([]*eventpb.Event, []refusal) {
		e, err := event.Decode(value)
		if err != nil {
			return nil, []refusal{{-1, err.Error()}}
		}
		if e.Region != region {
			return nil, []refusal{{-1, "the event belongs to another region"}}
		}
		if reason := cmp.Or(wrongChat(e), wrongGuest(e)); reason != "" {
			return nil, []refusal{{-1, reason}}
		}
		return []*eventpb.Event{e}, nil
	}
}

// copiesDecoder takes what copiers of other regions write: chat acts with one copy, the region's, and guests of the region's resources.
func copiesDecoder(region string) decoder {
	return func(value []byte) ([]*eventpb.Event, []refusal) {
		e, err := event.Decode(value)
		if err != nil {
			return nil, []refusal{{-1, err.Error()}}
		}
		chat, guest := e.GetChat(), e.GetResourceGuest()
		switch {
		case guest != nil && e.GetSourceKind() == eventpb.SourceKind_SOURCE_KIND_MEDIA && e.Region != region && guest.GetResourceRegion() == region:
			if reason := wrongGuest(e); reason != "" {
				return nil, []refusal{{-1, reason}}
			}
			return []*eventpb.Event{e}, nil
		case chat == nil || e.GetSourceKind() != eventpb.SourceKind_SOURCE_KIND_MEDIA || e.Region == region:
			return nil, []refusal{{-1, "the event is no copy of another region's chat"}}
		case len(chat.GetCopies()) != 1 || chat.GetCopies()[0].GetRegion() != region || len(chat.GetSealedText()) > 0:
			return nil, []refusal{{-1, "the copy belongs to another region"}}
		}
		if reason := wrongChat(e); reason != "" {
			return nil, []refusal{{-1, reason}}
		}
		return []*eventpb.Event{e}, nil
	}
}

// wrongGuest tells why an event about a guest of a resource can't be stored; "" if it can, and for all others.
func wrongGuest(e *eventpb.Event) string {
	g := e.GetResourceGuest()
	switch {
	case g == nil:
		return ""
	case e.GetSourceKind() != eventpb.SourceKind_SOURCE_KIND_MEDIA:
		return "invalid event: resource_guest is of own media only"
	case parseUUID(g.GetResourceId()) == uuid.Nil:
		return "invalid event: resource_guest.resource_id must be a UUID"
	case parseUUID(g.GetMeetingId()) == uuid.Nil:
		return "invalid event: resource_guest.meeting_id must be a UUID"
	}
	return ""
}

// wasNotStored tells acts from before chat was stored: they say that something was done, and nothing of what.
func wasNotStored(c *eventpb.Chat) bool {
	return c.GetSentAtUs() == 0 && c.GetMeetingId() == "" && len(c.GetSealedText()) == 0 && len(c.GetCopies()) == 0
}

// wrongChat tells why a chat act of own media can't be stored; "" if it can.
func wrongChat(e *eventpb.Event) string {
	c := e.GetChat()
	if c == nil || e.GetSourceKind() != eventpb.SourceKind_SOURCE_KIND_MEDIA || wasNotStored(c) {
		return ""
	}
	switch {
	case c.GetAct() < eventpb.Chat_ACT_SENT || c.GetAct() > eventpb.Chat_ACT_DELETED:
		return "invalid event: chat.act is none of own media"
	case toUUID(c.GetMessageId()) == uuid.Nil:
		return "invalid event: chat.message_id must have 16 bytes"
	case toUUID(c.GetParticipantId()) == uuid.Nil:
		return "invalid event: chat.participant_id must have 16 bytes"
	case parseUUID(c.GetMeetingId()) == uuid.Nil:
		return "invalid event: chat.meeting_id must be a UUID"
	case c.GetSentAtUs() == 0:
		return "invalid event: chat.sent_at_us is missing"
	}
	seen := map[string]bool{}
	for _, one := range c.GetCopies() {
		if seen[one.GetRegion()] {
			return "invalid event: chat.copies has a region twice"
		}
		seen[one.GetRegion()] = true
		for _, h := range one.GetHolders() {
			if parseUUID(h.GetResourceId()) == uuid.Nil {
				return "invalid event: chat.copies.holders.resource_id must be a UUID"
			}
		}
	}
	return ""
}

func acsDecoder(org, region string, pseudonyms label.Pseudonyms) decoder {
	opt := decode.Options{Org: org, Region: region, Pseudonyms: pseudonyms}
	return func(value []byte) ([]*eventpb.Event, []refusal) {
		events, bad, err := acs.DecodeMessage(value, opt)
		if err != nil {
			return nil, []refusal{{-1, err.Error()}}
		}
		var refusals []refusal
		for _, b := range bad {
			refusals = append(refusals, refusal{b.Index, b.Reason})
		}
		return events, refusals
	}
}
