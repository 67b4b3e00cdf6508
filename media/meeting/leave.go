package meeting

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/media/protocol"
)

// leftUnconfirmed is why somebody left whose join was never confirmed to anybody.
const leftUnconfirmed = "not_confirmed"

// departure is how somebody goes.
type departure struct {
	// left is what the others are told, and what is recorded.
	left string
	// state is what is recorded of somebody who waited; empty: gone.
	state string
	// ended is what the client is told.
	ended protocol.Ended
	// written: it has been tried to write down that the member is gone.
	written bool
}

// dismiss ends a stay, or a wait, for good: from here on nobody takes it up again, that is written down for the process that may come after
// this one, and only then it takes effect and anybody is told. What can't be written down takes effect all the same, and is an error. The
// lock is held, and released meanwhile.
func (m *Meeting) dismiss(mb *Member, d departure) error {
	if mb.state == protocol.StateGone {
		return nil
	}
	mb.going = true
	m.work.Add(1)
	defer m.work.Done()
	m.unlock()
	err := m.revoke(mb.id)
	m.lock()
	d.written = true
	m.depart(mb, d)
	return err
}

// revoke writes down that a participant, or the call, is gone for good. The lock is not held.
func (m *Meeting) revoke(id uuid.UUID) error {
	if m.deps.Gone == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(m.ctx, m.cfg.RecordTimeout)
	defer cancel()
	if err := m.deps.Gone.Revoke(ctx, id); err != nil {
		m.log.ErrorContext(ctx, "an end could not be written down; a restart may forget it", "error", err)
		return &protocol.Error{
			Reason: protocol.ReasonUnavailable, Message: "It has taken effect, but could not be written down, so that a restart of the server may forget it. Try again.",
		}
	}
	return nil
}

// depart ends a stay, or a wait, for good. The lock is held.
func (m *Meeting) depart(mb *Member, d departure) {
	if mb.state == protocol.StateGone {
		return
	}
	was := mb.state
	if mb.waiting() {
		m.unqueue(mb)
	}
	mb.state = protocol.StateGone
	delete(m.members, mb.id)
	if m.revived {
		m.goneBefore[mb.id] = true
	}
	if mb.grace != nil {
		mb.grace.Stop()
	}
	if d.state == "" {
		d.state = protocol.StateGone
	}
	m.operation(mb, "StateChanged", "new_state", d.state, "reason", d.left)
	mb.endClient(d.ended)
	switch {
	case was == protocol.StateAdmitted:
		m.departed(mb, d.left)
	case mb.wasIn:
		m.outbox.add(m.leftEvent(mb, d.left))
	}
	if !d.written && !m.ended { // the end of the call is written down for all of them
		m.work.Add(1)
		m.after(func() {
			go func() {
				defer m.work.Done()
				_ = m.revoke(mb.id)
			}()
		})
	}
	m.watchEmpty()
}

// departed is what follows when a participant has gone.
func (m *Meeting) departed(mb *Member, reason string) {
	m.admitted = slices.DeleteFunc(m.admitted, func(o *Member) bool { return o == mb })
	m.count.add(mb, -1)
	mb.seen, mb.seenFiles, mb.hand, mb.tracks = nil, nil, false, nil
	for _, other := range m.admitted {
		other.send(protocol.TypeParticipantLeft, protocol.ParticipantLeft{ParticipantID: mb.id.String(), Reason: leftReason(reason)})
	}
	m.notify(NotifyParticipantLeft, NotifyCallParticipantLeft, mb.id)
	if m.slides == mb.id {
		m.slidesStopped()
	}
	m.leaving[mb] = true
	m.work.Add(1)
	m.after(func() { go mb.goodbye(reason) })
	m.dirty = dirt{grants: true, waiters: true, lobby: m.dirty.lobby}
	m.stir()
	if len(m.admitted) == 0 && !m.ended && len(m.captures) > 0 {
		m.work.Add(1)
		m.after(func() {
			go func() {
				defer m.work.Done()
				m.stopCaptures("everyone_left")
			}()
		})
	}
}

// leftReason is of the protocol's closed set.
func leftReason(reason string) string {
	switch reason {
	case "left", protocol.ReasonRemoved, protocol.ReasonConnectionLost, protocol.ReasonMeetingEnded:
		return reason
	}
	return "left"
}

// goodbye stops the media, so that the streams' summaries come first, and records that the participant left.
func (mb *Member) goodbye(reason string) {
	m := mb.m
	defer m.work.Done()
	left := m.leftEvent(mb, reason)
	mb.closeMedia()
	m.outbox.add(left)
	m.lock()
	delete(m.leaving, mb)
	m.unlock()
}

// Disconnected starts the grace of a member whose connection was lost. It is ignored if the client is not the current one.
func (mb *Member) Disconnected(c Client) {
	mb.m.lock()
	defer mb.m.unlock()
	if mb.client == nil || mb.client != c {
		return
	}
	mb.client, mb.held = nil, nil
	mb.cutOff()
}

// holdRetry is when it is looked again whether the session is this process's.
const holdRetry = time.Second

// cutOff starts the grace. The lock is held, and the member has no client.
func (mb *Member) cutOff() {
	m := mb.m
	if mb.state == protocol.StateGone {
		return
	}
	mb.ready = false
	if mb.grace != nil {
		mb.grace.Stop()
	}
	var timer *time.Timer
	timer = time.AfterFunc(m.cfg.ReconnectGrace, func() {
		m.lock()
		defer m.unlock()
		switch {
		case mb.grace != timer || mb.client != nil:
		case m.deps.Holds != nil && !m.deps.Holds():
			timer.Reset(holdRetry)
		default:
			_ = m.dismiss(mb, departure{left: protocol.ReasonConnectionLost})
		}
	})
	mb.grace = timer
	if mb.in() {
		m.tellUpdated(mb)
	}
	m.operation(mb, "ConnectionLost")
}

// leave is the member's own wish.
func (mb *Member) leave() error {
	mb.m.lock()
	defer mb.m.unlock()
	return mb.m.dismiss(mb, departure{left: "left", ended: protocol.Ended{Reason: "left", Message: text("left")}})
}

// remove is an org user's wish about a participant.
func (mb *Member) remove(id uuid.UUID) error {
	m := mb.m
	m.lock()
	defer m.unlock()
	other := m.members[id]
	if other == nil || !other.in() {
		return refusal(protocol.ReasonNotFound)
	}
	ended := protocol.Ended{Reason: protocol.ReasonRemoved, Message: text(protocol.ReasonRemoved)}
	return m.dismiss(other, departure{left: protocol.ReasonRemoved, ended: ended})
}
