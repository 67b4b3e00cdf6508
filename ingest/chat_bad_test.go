package ingest_test

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
)

// TestRule_S4_ChatThatCantBeStoredIsADeadLetterWithoutItsText: of the wrong region, altered, or sealed to no key that ever was.
func TestRule_S4_ChatThatCantBeStoredIsADeadLetterWithoutItsText(t *testing.T) {
	h := newHouse(t)
	h.home.start(t)
	h.far.start(t)
	m := h.meeting()
	g := h.guest(h.far)
	spoilt := func(change func(*eventpb.Event)) *eventpb.Event {
		_, e := m.sent(t, "canary")
		change(e)
		return e
	}
	_, good := m.sent(t, "good", g)
	const forged = "forged-text-in-the-clear"
	elsewhere := spoilt(func(e *eventpb.Event) { e.Region = "nowhere" })
	h.home.produceTo(t, event.Topic(h.home.name, event.Content),
		elsewhere,
		spoilt(func(e *eventpb.Event) { e.GetChat().SealedText[40] ^= 1 }),
		spoilt(func(e *eventpb.Event) { e.CallId = "another call" }), // what was sealed was about this one
		spoilt(func(e *eventpb.Event) { e.GetChat().SealedText = []byte(forged) }),
		spoilt(func(e *eventpb.Event) { e.GetChat().SealingKeyId = h.home.name + "-no-such-key" }),
		spoilt(func(e *eventpb.Event) { e.GetChat().MeetingId = "no id" }),
		spoilt(func(e *eventpb.Event) { e.GetChat().Act = eventpb.Chat_ACT_OTHER }),
		spoilt(func(e *eventpb.Event) { // as media wrote it before chat was stored: it's in the timeline only
			id := e.GetChat().MessageId
			e.Payload = &eventpb.Event_Chat{Chat: &eventpb.Chat{Act: eventpb.Chat_ACT_SENT, MessageId: id}}
		}),
		good,
	)
	h.home.caughtUp(t)
	h.far.caughtUp(t)
	if diff := cmp.Diff([]string{"good"}, m.thread(t)); diff != "" {
		t.Errorf("thread (-want +got):\n%s", diff)
	}
	if got := m.copied(t, g); got != "good" {
		t.Errorf("the copy says %q", got)
	}
	altered := "its text can't be opened: what was sealed has been altered"
	h.home.expectLetters(t,
		altered, altered, altered, "its text can't be opened: there is no such key",
		"invalid event: chat.act is none of own media", "invalid event: chat.meeting_id must be a UUID", "the event belongs to another region",
	)

	// At the further region: what is for another one, what has more than the copy, and what isn't chat at all.
	copied, err := event.EncodeCopy(good, h.far.name)
	if err != nil {
		t.Fatal(err)
	}
	wrong := func(n uint64, change func(*eventpb.Event)) *eventpb.Event {
		e, err := event.Decode(copied.Value)
		if err != nil {
			t.Fatal(err)
		}
		e.Source, e.Sequence = "media/wrong", n
		change(e)
		return e
	}
	h.far.produceTo(t, event.CopiesTopic(h.far.name),
		wrong(1, func(e *eventpb.Event) { e.GetChat().Copies[0].Region = "apac" }),
		wrong(2, func(e *eventpb.Event) { e.Region = h.far.name }),
		wrong(3, func(e *eventpb.Event) { e.GetChat().SealedText = []byte(forged) }),
		wrong(4, func(e *eventpb.Event) {
			e.GetChat().Copies = append(e.GetChat().Copies, proto.CloneOf(e.GetChat().Copies[0]))
		}),
		wrong(5, func(e *eventpb.Event) { e.GetChat().Copies[0].SealedText[50] ^= 1 }),
		wrong(6, func(e *eventpb.Event) { e.GetChat().Copies[0].Holders[0].ResourceId = "no id" }),
		h.home.report("call", "media/one/1", 1, 1),
	)
	h.far.caughtUp(t)
	if got := m.copied(t, g); got != "good" {
		t.Errorf("after the wrong ones the copy says %q", got)
	}
	other := "the copy belongs to another region"
	h.far.expectLetters(t,
		"invalid event: chat.copies.holders.resource_id must be a UUID", altered, other, other, other,
		"the event is no copy of another region's chat", "the event is no copy of another region's chat",
	)
	for _, p := range []*place{h.home, h.far} {
		for _, body := range p.letters(t) {
			if bytes.Contains(body, []byte(forged)) || bytes.Contains(body, []byte("canary")) {
				t.Errorf("a dead letter of %s has text: %s", p.name, body)
			}
		}
	}
}

// produceTo writes events to a topic that needn't be theirs.
func (p *place) produceTo(t *testing.T, topic string, events ...*eventpb.Event) {
	t.Helper()
	records := make([]event.Record, len(events))
	for i, e := range events {
		value, err := proto.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		records[i] = event.Record{Topic: topic, Key: event.Key(e.Org, e.CallId), Value: value, Headers: event.Headers(e)}
	}
	producer := p.deps.Kafka.NewProducer()
	defer func() { _ = producer.Close() }()
	if _, err := producer.Write(t.Context(), records...); err != nil {
		t.Fatal(err)
	}
}

// expectLetters compares the reasons of the region's dead letters, as they are stored, with those in order.
func (p *place) expectLetters(t *testing.T, want ...string) {
	t.Helper()
	p.eventually(t, uint64(len(want)), "SELECT count() FROM dead_letters FINAL")
	var got []string
	if err := p.conn.QueryRow(t.Context(), "SELECT arraySort(groupArray(reason)) FROM dead_letters FINAL").Scan(&got); err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("dead letters of %s (-want +got):\n%s", p.name, diff)
	}
}

// letters are the bodies of the region's dead letters in Kafka.
func (p *place) letters(t *testing.T) [][]byte { return p.values(t, event.DeadLetterTopic(p.name)) }

// values are the values of all records of a topic.
func (p *place) values(t *testing.T, topic string) [][]byte {
	t.Helper()
	offsets, err := p.deps.Kafka.TopicOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for id, at := range offsets {
		if at.First == at.End {
			continue
		}
		conn, err := p.deps.Kafka.Dialer().DialLeader(t.Context(), "tcp", p.deps.Kafka.Brokers()[0], topic, id)
		if err != nil {
			t.Fatal(err)
		}
		for next := at.First; next < at.End; {
			if _, err := conn.Seek(next, kafkago.SeekAbsolute); err != nil {
				t.Fatal(err)
			}
			batch := conn.ReadBatchWith(kafkago.ReadBatchConfig{MinBytes: 1, MaxBytes: 10 << 20, MaxWait: time.Second})
			for {
				message, err := batch.ReadMessage()
				if err != nil {
					break
				}
				next = message.Offset + 1
				out = append(out, message.Value)
			}
			if err := batch.Close(); err != nil && !strings.Contains(err.Error(), io.ErrUnexpectedEOF.Error()) {
				t.Fatal(err)
			}
		}
		_ = conn.Close()
	}
	return out
}
