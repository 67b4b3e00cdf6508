package collect

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
)

// Dialects, as metrics name them.
const (
	dialectJitsi     = "rtcstats-3.1"
	dialectSuccessor = "rtcstats-5.0"
	dialectBatches   = "batches"
)

// live is what a session's decoder does at the end, whatever it reads.
type live interface {
	Events() []*eventpb.Event
	End(why string) []*eventpb.Event
	Call() string
	Participant() []byte
}

// session is one client's call while it is sent.
type session struct {
	token    tokenHash
	id       string // the client's own name for it: its connection id; "" in a dialect without
	resource string
	dialect  string
	began    time.Time

	// conn is the connection that the session hangs on; guarded by the collector's mu. Nil for none, and for batches.
	conn *conn
	// seen is when the client was last heard of; guarded by the collector's mu.
	seen time.Time

	mu      sync.Mutex
	live    live
	out     []event.Record // guarded by mu: numbered, and not known to be in Kafka
	batches uint64         // guarded by mu: number of the last batch that was taken
	over    bool           // guarded by mu: nothing is taken any more
}

// encode numbers what the decoder has settled among what is to be published. The caller holds mu.
func (s *session) encode(events []*eventpb.Event) error {
	for _, e := range events {
		record, err := event.Encode(e)
		if err != nil {
			return fmt.Errorf("encode event: %w", err)
		}
		if len(record.Value) > event.MaxBytes {
			return fmt.Errorf("encode event: it has %d bytes", len(record.Value))
		}
		s.out = append(s.out, record)
	}
	return nil
}

// publish returns when all that was encoded is in Kafka. The caller holds mu.
func (s *session) publish(ctx context.Context, p *publisher) error {
	if len(s.out) == 0 {
		return nil
	}
	if err := p.publish(ctx, s.out); err != nil {
		return err
	}
	s.out = nil
	return nil
}

// end takes nothing any more and publishes the rest, with the call's end and why it is thought to have ended; "" where its client said so.
func (s *session) end(ctx context.Context, p *publisher, why string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return s.publish(ctx, p)
	}
	s.over = true
	if err := s.encode(s.live.End(why)); err != nil {
		return err
	}
	return s.publish(ctx, p)
}

// supportCode is how a user names the call to whoever looks into it.
func supportCode(call string, participant []byte) string {
	id, err := uuid.FromBytes(participant)
	if err != nil {
		return call
	}
	return call + "/" + id.String()
}
