// Package event owns the wire contract: the events that cross Kafka, their topics, keys, CloudEvents headers and delivery classes.
//
// The body of a record is one protobuf Event (event.proto); it is complete by itself, so that a consumer may ignore the headers.
// The headers are the CloudEvents 1.0 Kafka binding in binary mode, for consumers that are not Anteroom.
// Events of one call share a key, hence a partition per topic, hence an order.
//
// The package imports nothing from this module and promises that what an older version encoded can always be decoded.
package event

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/anteroom/anteroom/event/eventpb"
)

// Class says what may happen to an event when a queue is full.
type Class int

const (
	// Durable events are waited for: the sender gets the broker's acknowledgement or an error.
	Durable Class = iota
	// Lossy events are quality samples: a full queue drops the oldest and counts it.
	Lossy
	// Content is what own media seals: chat with its text, and which guest of a resource a participant is. Durable, on a topic of its own.
	Content
)

// ClassOf tells the delivery class of an event.
func ClassOf(e *eventpb.Event) Class {
	switch e.GetPayload().(type) {
	case *eventpb.Event_StreamReport:
		return Lossy
	case *eventpb.Event_Chat:
		if e.GetSourceKind() == eventpb.SourceKind_SOURCE_KIND_MEDIA {
			return Content
		}
	case *eventpb.Event_ResourceGuest:
		return Content
	}
	return Durable
}

// Header is one Kafka record header.
type Header struct {
	Key   string
	Value []byte
}

// Record is an event ready for a broker.
type Record struct {
	Topic   string
	Key     []byte
	Value   []byte
	Headers []Header
}

// ErrInvalid is wrapped by everything Decode and Encode refuse.
var ErrInvalid = errors.New("invalid event")

// MaxBytes is how large an event may be, encoded: it leaves room for headers below what a broker of default settings takes.
const MaxBytes = 900 << 10

// Encode makes the record of an event: topic by region and class, key by organisation and call.
// An event that Validate refuses is not encoded.
func Encode(e *eventpb.Event) (Record, error) { return encode(e, Topic(e.GetRegion(), ClassOf(e))) }

// EncodeCopy makes the record of a chat act for another region: the same event on that region's topic of copies, without the thread's text and
// the copies of other regions. It fails with ErrInvalid if the act has no copy for the region. Whose guest a participant is goes as it is, to the
// resource's region only.
func EncodeCopy(e *eventpb.Event, region string) (Record, error) {
	if guest := e.GetResourceGuest(); guest != nil {
		if guest.GetResourceRegion() != region {
			return Record{}, fmt.Errorf("%w: a guest of another region's resource", ErrInvalid)
		}
		return encode(e, CopiesTopic(region))
	}
	chat := e.GetChat()
	i := slices.IndexFunc(chat.GetCopies(), func(c *eventpb.ChatCopy) bool { return c.GetRegion() == region })
	if i < 0 {
		return Record{}, fmt.Errorf("%w: no copy for the region", ErrInvalid)
	}
	out := &eventpb.Event{
		Id: e.Id, Org: e.Org, Region: e.Region, CallId: e.CallId, Source: e.Source, Sequence: e.Sequence, ObservedAtUs: e.ObservedAtUs, SourceKind: e.SourceKind,
		Payload: &eventpb.Event_Chat{Chat: &eventpb.Chat{
			ParticipantId: chat.ParticipantId, MessageId: chat.MessageId, Act: chat.Act, MeetingId: chat.MeetingId, SentAtUs: chat.SentAtUs,
			Copies: chat.Copies[i : i+1],
		}},
	}
	return encode(out, CopiesTopic(region))
}

func encode(e *eventpb.Event, topic string) (Record, error) {
	if err := Validate(e); err != nil {
		return Record{}, err
	}
	value, err := proto.Marshal(e)
	if err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return Record{
		Topic:   topic,
		Key:     Key(e.Org, e.CallId),
		Value:   value,
		Headers: Headers(e),
	}, nil
}

// Decode reads the body of a record. The error wraps ErrInvalid and never quotes the body.
func Decode(value []byte) (*eventpb.Event, error) {
	e := new(eventpb.Event)
	if err := proto.Unmarshal(value, e); err != nil {
		return nil, fmt.Errorf("%w: not a protobuf event", ErrInvalid)
	}
	if err := Validate(e); err != nil {
		return nil, err
	}
	return e, nil
}

// Headers are the CloudEvents 1.0 attributes of an event in Kafka's binary mode.
func Headers(e *eventpb.Event) []Header {
	observed := time.UnixMicro(e.ObservedAtUs).UTC().Format("2006-01-02T15:04:05.999999Z07:00")
	return []Header{
		{"ce_specversion", []byte("1.0")},
		{"ce_id", []byte(e.Id)},
		{"ce_source", []byte(e.Source)},
		{"ce_type", []byte(Type(e))},
		{"ce_time", []byte(observed)},
		{"ce_subject", []byte(e.CallId)},
		{"ce_org", []byte(e.Org)},
		{"ce_region", []byte(e.Region)},
		{"ce_sequence", []byte(strconv.FormatUint(e.Sequence, 10))},
		{"content-type", []byte("application/protobuf")},
	}
}

// Key makes the partition key: all events of one call of one organisation share it.
func Key(org, call string) []byte { return []byte(org + "/" + call) }

// NewID makes a fresh event id; time-ordered (UUID version 7) so that sorted ids are roughly sorted by time.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }
