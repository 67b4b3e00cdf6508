package meeting

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/protocol"
)

// End ends the session for everybody, and returns before all is recorded: see Done. With EndedShutdown it hands the session over instead.
func (m *Meeting) End(_ context.Context, reason string) {
	m.lock()
	defer m.unlock()
	m.end(reason)
}

// EndError is why, after an end, the process that comes after this one may not know of it; nil once it is written down.
func (m *Meeting) EndError() error {
	m.lock()
	defer m.unlock()
	return m.endErr
}

// end is End under the lock, which is released while the end is written down: before anybody is told.
func (m *Meeting) end(reason string) {
	if m.ended {
		return
	}
	m.ended = true
	if m.empty != nil {
		m.empty.Stop()
	}
	if reason == EndedTaken {
		m.handOver()
		return
	}
	if reason == EndedShutdown && len(m.members) == 0 && m.admitting.all == 0 {
		reason = EndedEmpty // nobody is there to take it up again
	}
	if reason == EndedShutdown {
		m.handOver()
		return
	}
	if m.start.tried {
		m.unlock()
		err := m.revoke(m.call)
		m.lock()
		m.endErr = err
	}
	told := protocol.Ended{Reason: protocol.ReasonMeetingEnded, Message: text(protocol.ReasonMeetingEnded)}
	for _, mb := range m.everybody() {
		m.depart(mb, departure{left: protocol.ReasonMeetingEnded, ended: told})
	}
	m.chat.forget()
	go m.finish(reason)
}

// handOver lets everybody go without anybody having left: stays and session go on in the process that takes them up. The lock is held.
func (m *Meeting) handOver() {
	told := protocol.Ended{Reason: protocol.ReasonShuttingDown, Message: text(protocol.ReasonShuttingDown), Resume: true}
	for _, mb := range m.everybody() {
		if mb.waiting() {
			m.unqueue(mb)
		} else {
			m.leaving[mb] = true
			m.work.Add(1)
			m.after(func() {
				go func() {
					defer m.work.Done()
					mb.closeMedia() // the streams end here; the next process makes others
				}()
			})
		}
		mb.state = protocol.StateGone
		if mb.grace != nil {
			mb.grace.Stop()
		}
		mb.endClient(told)
	}
	m.members, m.admitted = map[uuid.UUID]*Member{}, nil
	m.chat.forget()
	go m.finish(EndedShutdown)
}

func (m *Meeting) everybody() []*Member {
	all := make([]*Member, 0, len(m.members))
	all = append(all, m.admitted...)
	return append(all, m.waiters...)
}

// finish records what is left of a meeting that ended.
func (m *Meeting) finish(reason string) {
	over := m.startTried() && reason != EndedShutdown
	captured := EndedByUser
	if reason == EndedShutdown {
		captured = EndedShutdown
	}
	m.stopCaptures(captured)
	m.work.Wait()
	if m.room != nil {
		m.room.Close()
	}
	if over {
		now := time.Now()
		ended := m.event(now)
		ended.Payload = &eventpb.Event_CallEnded{CallEnded: &eventpb.CallEnded{EndedAtUs: now.UnixMicro(), Reason: reason}}
		m.outbox.add(ended)
	}
	if lost := m.outbox.drain(m.cfg.ClosePatience); lost > 0 {
		m.log.ErrorContext(m.ctx, "events of an ended meeting could not be recorded", "events", lost)
	}
	if over {
		m.lock()
		m.notify(NotifyMeetingEnded, NotifyCallEnded, uuid.Nil)
		m.unlock()
	}
	m.cancel()
	close(m.done)
}

func (m *Meeting) startTried() bool {
	m.lock()
	defer m.unlock()
	return m.start.tried
}

// watchEmpty starts the time after which a meeting without anybody ends. The lock is held.
func (m *Meeting) watchEmpty() {
	if m.ended || len(m.members) > 0 {
		return
	}
	if m.empty != nil {
		m.empty.Stop()
	}
	after, unused := m.cfg.EmptyTimeout, !m.start.tried
	if unused {
		after = min(after, unusedTimeout)
	}
	var timer *time.Timer
	timer = time.AfterFunc(after, func() {
		m.lock()
		defer m.unlock()
		switch {
		case m.empty != timer || len(m.members) > 0:
		case m.admitting.all > 0, m.start.running != nil, unused && m.start.tried:
			m.watchEmpty()
		default:
			m.end(EndedEmpty)
		}
	})
	m.empty = timer
}
