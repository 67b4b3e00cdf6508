package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	kafkago "github.com/segmentio/kafka-go"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/internal/config"
	"github.com/anteroom/anteroom/media/record"
)

// What a meeting leaves behind: rows of analytics, records in Kafka, and what a transcription service has heard.

// rows asks for a part of a call that has ended, again and again until it matches, and returns it. Parts are "", "/participants", …
func rows[T any](h *house, call, part string, match func(T) bool) T {
	h.t.Helper()
	var got T
	eventually(h.t, "analytics of the call "+part, func() (bool, string) {
		a := h.rig.ask(h.t, h.admin, http.MethodGet, "/v1/calls/"+call+part, nil)
		if a.status != http.StatusOK {
			return false, fmt.Sprintf("%d %s", a.status, a.body)
		}
		var body T
		if err := json.Unmarshal(a.body, &body); err != nil {
			return false, err.Error()
		}
		got = body
		return match == nil || match(body), string(a.body)
	})
	return got
}

// records reads all records that are in a topic of the rig's broker now.
func (r *rig) records(t *testing.T, topic string) []kafkago.Message {
	t.Helper()
	return records(t, r.data, topic)
}

// records reads all records that are in a topic of a data folder's broker now.
func records(t *testing.T, data, topic string) []kafkago.Message {
	t.Helper()
	c := client(t, data)
	connection, err := c.Dialer().DialContext(t.Context(), "tcp", c.Brokers()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	partitions, err := connection.ReadPartitions(topic)
	if err != nil {
		t.Fatal(err)
	}
	var out []kafkago.Message
	for _, partition := range partitions {
		out = append(out, partitionOf(t, data, topic, partition.ID)...)
	}
	return out
}

func partitionOf(t *testing.T, data, topic string, partition int) []kafkago.Message {
	t.Helper()
	c := client(t, data)
	leader, err := c.Dialer().DialLeader(t.Context(), "tcp", c.Brokers()[0], topic, partition)
	if err != nil {
		t.Fatal(err)
	}
	defer leader.Close()
	first, last, err := leader.ReadOffsets()
	if err != nil {
		t.Fatal(err)
	}
	reader := kafkago.NewReader(kafkago.ReaderConfig{
		Brokers: c.Brokers(), Topic: topic, Partition: partition, Dialer: c.Dialer(), MaxWait: 100 * time.Millisecond,
	})
	defer reader.Close()
	if err := reader.SetOffset(first); err != nil {
		t.Fatal(err)
	}
	var out []kafkago.Message
	for next := first; next < last; {
		ctx, cancel := context.WithTimeout(t.Context(), rigPatience)
		m, err := reader.ReadMessage(ctx)
		cancel()
		if err != nil {
			t.Fatalf("read %s/%d at %d of %d: %v", topic, partition, next, last, err)
		}
		out, next = append(out, m), m.Offset+1
	}
	return out
}

// events are the durable events of a call in Kafka, in the order of each partition.
func (r *rig) events(t *testing.T, call string) []*eventpb.Event {
	t.Helper()
	var out []*eventpb.Event
	for _, m := range r.records(t, event.Topic(config.Default().Ingest.Region, event.Durable)) {
		e, err := event.Decode(m.Value)
		if err != nil {
			t.Fatalf("decode record of %s: %v", m.Topic, err)
		}
		if e.GetCallId() == call {
			out = append(out, e)
		}
	}
	return out
}

// sink is a service that transcriptions go to. It keeps when it first heard whom.
type sink struct {
	server *httptest.Server

	mu    sync.Mutex
	first map[string]time.Time // guarded by mu: when a participant's first packet came
	last  map[string]time.Time // guarded by mu
}

func startSink() *sink {
	s := &sink{first: map[string]time.Time{}, last: map[string]time.Time{}}
	s.server = httptest.NewServer(s)
	return s
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{record.SinkSubprotocol}})
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }()
	var header record.StreamHeader
	for {
		typ, message, err := conn.Read(r.Context())
		switch {
		case err != nil:
			return
		case typ == websocket.MessageText:
			if json.Unmarshal(message, &header) != nil {
				return
			}
		default:
			s.note(header.ParticipantID.String())
		}
	}
}

func (s *sink) note(participant string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.first[participant].IsZero() {
		s.first[participant] = now
	}
	s.last[participant] = now
}

// heard is when the first and the last packet of a participant came; zero: none did.
func (s *sink) heard(participant string) (first, last time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first[participant], s.last[participant]
}
