package meeting

import (
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
	if was == protocol.StateAdmitted {
		m.departed(mb, d.left)
	}
	m.watchEmpty()
}

// departed is what follows when a participant has gone.
func (m *Meeting) departed(mb *Member, reason string) {
	m.admitted = slices.DeleteFunc(m.admitted, func(o *Member) bool { return o == mb })
	m.count.add(mb, -1)
	mb.seen, mb.hand, mb.tracks = nil, false, nil
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
		if mb.grace == timer && mb.client == nil {
			m.depart(mb, departure{left: protocol.ReasonConnectionLost})
		}
	})
	mb.grace = timer
	if mb.in() {
		m.tellUpdated(mb)
	}
	m.operation(mb, "ConnectionLost")
}

// leave is the member's own wish.
func (mb *Member) leave() {
	mb.m.lock()
	defer mb.m.unlock()
	mb.m.depart(mb, departure{left: "left", ended: protocol.Ended{Reason: "left", Message: text("left")}})
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
	m.depart(other, departure{left: protocol.ReasonRemoved, ended: ended})
	return nil
}
