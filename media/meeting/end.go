package meeting

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/protocol"
)

// End ends the session for everybody, and returns before all is recorded: see Done.
func (m *Meeting) End(_ context.Context, reason string) {
	m.lock()
	defer m.unlock()
	m.end(reason)
}

// end is End under the lock.
func (m *Meeting) end(reason string) {
	if m.ended {
		return
	}
	m.ended = true
	if m.empty != nil {
		m.empty.Stop()
	}
	told := protocol.Ended{Reason: protocol.ReasonMeetingEnded, Message: text(protocol.ReasonMeetingEnded)}
	if reason == EndedShutdown {
		told = protocol.Ended{Reason: protocol.ReasonShuttingDown, Message: text(protocol.ReasonShuttingDown), Resume: true}
	}
	for _, mb := range m.everybody() {
		m.depart(mb, departure{left: protocol.ReasonMeetingEnded, ended: told})
	}
	m.chat.forget()
	go m.finish(reason)
}

func (m *Meeting) everybody() []*Member {
	all := make([]*Member, 0, len(m.members))
	all = append(all, m.admitted...)
	return append(all, m.waiters...)
}

// finish records what is left of a meeting that ended.
func (m *Meeting) finish(reason string) {
	m.stopCaptures(EndedByUser)
	m.work.Wait()
	if m.room != nil {
		m.room.Close()
	}
	now := time.Now()
	ended := m.event(now)
	ended.Payload = &eventpb.Event_CallEnded{CallEnded: &eventpb.CallEnded{EndedAtUs: now.UnixMicro(), Reason: reason}}
	m.outbox.add(ended)
	if lost := m.outbox.drain(m.cfg.ClosePatience); lost > 0 {
		m.log.ErrorContext(m.ctx, "events of an ended meeting could not be recorded", "events", lost)
	}
	m.lock()
	m.notify(NotifyMeetingEnded, NotifyCallEnded, uuid.Nil)
	m.unlock()
	m.cancel()
	close(m.done)
}

// watchEmpty starts the time after which a meeting without anybody ends. The lock is held.
func (m *Meeting) watchEmpty() {
	if m.ended || len(m.members) > 0 {
		return
	}
	if m.empty != nil {
		m.empty.Stop()
	}
	var timer *time.Timer
	timer = time.AfterFunc(m.cfg.EmptyTimeout, func() {
		m.lock()
		defer m.unlock()
		switch {
		case m.empty != timer || len(m.members) > 0:
		case m.admitting.all > 0:
			m.watchEmpty()
		default:
			m.end(EndedEmpty)
		}
	})
	m.empty = timer
}
