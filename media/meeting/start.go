package meeting

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/protocol"
)

// unusedTimeout ends a session in which nobody ever was: all who came were refused.
const unusedTimeout = time.Second

// start is how far the record of the call's start is. Guarded by Meeting.mu.
type start struct {
	// tried: Kafka may have it. recorded: it has.
	tried, recorded bool
	// running is closed when the try under way is over; nil: there is none.
	running chan struct{}
}

// ensureStarted records that the call has started, before the first enters or waits. Those who come meanwhile share the outcome. The lock is
// held, and released meanwhile.
func (m *Meeting) ensureStarted(ctx context.Context) error {
	unavailable := &protocol.Error{
		Reason: protocol.ReasonUnavailable, Message: "The meeting could not be started, because the start could not be recorded. Try again in a moment.",
	}
	if running := m.start.running; running != nil {
		m.unlock()
		<-running // bounded by RecordTimeout
		m.lock()
		if !m.start.recorded {
			return unavailable
		}
	}
	if m.start.recorded {
		return nil
	}
	running := make(chan struct{})
	m.start.tried, m.start.running = true, running
	m.work.Add(1)
	defer m.work.Done()
	now := time.Now()
	e := m.event(now)
	e.Payload = &eventpb.Event_CallStarted{CallStarted: &eventpb.CallStarted{
		StartedAtUs: now.UnixMicro(), Kind: eventpb.CallKind_CALL_KIND_MEETING, MeetingId: m.facts.Meeting.ID,
	}}
	m.unlock()
	err := m.record(ctx, e)
	m.lock()
	m.start.running = nil
	close(running)
	if err != nil {
		m.log.WarnContext(ctx, "the start of a call could not be recorded", "error", err)
		return unavailable
	}
	m.start.recorded = true
	m.notify(NotifyMeetingStarted, NotifyCallStarted, uuid.Nil)
	return nil
}
