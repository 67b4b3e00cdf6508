package meeting

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/media/protocol"
)

// clockSlack is by how much the clock of the node that issued a ticket may be ahead of this one's. Who was here since is known by name, not by time.
const clockSlack = 10 * time.Second

// Resume gives a member a new connection. A ticket whose member is unknown here (the node was lost, and this is a session that Revive opened)
// makes the member anew with its id and admission, re-checked by policy. ErrResumeExpired: the member is gone for good.
func (m *Meeting) Resume(ctx context.Context, t Ticket, c Client) (*Member, protocol.Joined, error) {
	if t.Call != m.call || t.Participant == uuid.Nil {
		return nil, protocol.Joined{}, ErrResumeExpired
	}
	m.lock()
	mb := m.members[t.Participant]
	if mb != nil && mb.going {
		m.unlock()
		return nil, protocol.Joined{}, ErrResumeExpired
	}
	if mb != nil {
		defer m.unlock()
		j := m.reconnect(mb, c)
		return mb, j, nil
	}
	// In a session that this process began, who isn't here is gone. In one that it took over, only tickets of before may be of somebody unknown.
	unknown := m.revived && !m.ended && !m.goneBefore[t.Participant] && t.IssuedAt.Before(m.started.Add(clockSlack))
	if unknown {
		m.goneBefore[t.Participant] = true // a member is revived once
	}
	m.unlock()
	if !unknown {
		return nil, protocol.Joined{}, ErrResumeExpired
	}
	mb, j, err := m.revive(ctx, t, c)
	if err != nil {
		m.lock()
		delete(m.goneBefore, t.Participant)
		m.unlock()
		return nil, protocol.Joined{}, err
	}
	return mb, j, nil
}

func (m *Meeting) revive(ctx context.Context, t Ticket, c Client) (*Member, protocol.Joined, error) {
	e := t.Entrant
	if err := checkEntrant(&e); err != nil {
		return nil, protocol.Joined{}, err
	}
	mb := m.newMember(t.Participant, e, c)
	mb.admittedByOrgUser, mb.wasIn = t.AdmittedByOrgUser, t.Admitted
	mb.holding = slices.Clone(t.Holding)
	for _, text := range t.Acknowledged {
		if id, err := uuid.Parse(text); err == nil && len(mb.notices) < maxNotices {
			mb.notices[id] = &noticeState{acknowledged: true}
		}
	}
	mb, j, err := m.enter(ctx, mb)
	j.Resumed = err == nil
	return mb, j, err
}

// reconnect makes c the member's client. The lock is held.
func (m *Meeting) reconnect(mb *Member, c Client) protocol.Joined {
	mb.endClient(protocol.Ended{Reason: protocol.ReasonReplaced, Message: text(protocol.ReasonReplaced)})
	if mb.grace != nil {
		mb.grace.Stop()
		mb.grace = nil
	}
	mb.client, mb.ready, mb.held = c, false, nil
	if mb.in() {
		m.tellUpdated(mb)
		if mb.offer != nil {
			// The last offer may never have arrived.
			mb.send(protocol.TypeSubscribeOffer, *mb.offer)
		}
		mb.reoffer = true
		m.tellSlides(mb)
	}
	m.operation(mb, "Reconnected")
	j := m.joined(mb)
	j.Resumed = true
	return j
}

// offerAnew has the peer offer what the member receives once more: to a client that has its connections still, nothing changes by that.
func (mb *Member) offerAnew() {
	mb.mediaMu.Lock()
	defer mb.mediaMu.Unlock()
	if mb.peer != nil {
		mb.peer.Offer()
	}
}
