package meeting

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/policy"
)

// Join asks policy and lets somebody in, into the lobby, or not (*protocol.Error). After the reply has been queued, call Member.Ready.
func (m *Meeting) Join(ctx context.Context, e Entrant, c Client) (*Member, protocol.Joined, error) {
	if err := checkEntrant(&e); err != nil {
		return nil, protocol.Joined{}, err
	}
	return m.enter(ctx, m.newMember(uuid.New(), e, c))
}

// enter lets a member that is new here in, into the lobby, or not.
func (m *Meeting) enter(ctx context.Context, mb *Member) (*Member, protocol.Joined, error) {
	m.lock()
	defer m.unlock()
	d, err := m.askEntry(mb)
	if err == nil && !m.start.recorded {
		if err = m.ensureStarted(ctx); err == nil {
			d, err = m.askEntry(mb)
		}
	}
	if err == nil && d.Allowed() {
		d, err = m.confirm(ctx, mb)
	}
	switch {
	case err != nil:
		return nil, protocol.Joined{}, err
	case d.Allowed():
		m.letIn(mb)
	default:
		if err := m.queue(mb, d); err != nil {
			return nil, protocol.Joined{}, err
		}
	}
	return mb, m.joined(mb), nil
}

// askEntry decides on an entry. A deny, and a decision that can't be recorded, are errors.
func (m *Meeting) askEntry(mb *Member) (policy.Decision, error) {
	switch {
	case m.ended:
		return policy.Decision{}, refusal(protocol.ReasonMeetingEnded)
	case m.facts.Meeting.Cancelled:
		return policy.Decision{}, refusal(protocol.ReasonMeetingNotFound)
	}
	d, err := m.decideJoin(mb)
	if err != nil {
		return d, err
	}
	if d.Effect != policy.Allow && d.Effect != policy.Lobby {
		return d, refusal(string(d.Reason()))
	}
	return d, nil
}

// confirm takes a seat and records the join, unless that was done by the process of before, with the lock released meanwhile, and then asks
// again: an org user may have left, or the meeting have ended. Whoever is not let in after all is recorded as having left. It returns with
// the lock held.
func (m *Meeting) confirm(ctx context.Context, mb *Member) (policy.Decision, error) {
	m.admitting.add(mb, 1)
	mb.admitting = true
	m.work.Add(1)
	defer m.work.Done()
	at := time.Now()
	recorded := mb.wasIn
	m.unlock()
	var recordErr error
	if !recorded {
		recordErr = m.record(ctx, m.joinedEvent(mb, at))
	}
	m.lock()
	mb.admitting = false
	m.admitting.add(mb, -1)
	if recordErr != nil {
		m.log.WarnContext(ctx, "a join could not be recorded and was refused", "error", recordErr)
		// Kafka may have it all the same.
		m.outbox.add(m.leftEvent(mb, leftUnconfirmed))
		return policy.Decision{}, refusal(protocol.ReasonUnavailable)
	}
	if mb.state == protocol.StateGone {
		if !recorded {
			m.outbox.add(m.leftEvent(mb, protocol.ReasonConnectionLost))
		}
		return policy.Decision{}, refusal(protocol.ReasonNotInMeeting)
	}
	d, err := m.askEntry(mb)
	if !recorded && (err != nil || !d.Allowed()) {
		m.outbox.add(m.leftEvent(mb, leftUnconfirmed))
	}
	return d, err
}

// letIn makes somebody a participant whose join was recorded. The lock is held.
func (m *Meeting) letIn(mb *Member) {
	waited := mb.waiting()
	if waited {
		m.unqueue(mb)
	}
	mb.state = protocol.StateAdmitted
	m.members[mb.id] = mb
	m.admitted = append(m.admitted, mb)
	m.count.add(mb, 1)
	m.setGrants(mb, m.grantsOf(mb), false)
	if mb.client == nil && mb.grace == nil {
		mb.cutOff()
	}
	for _, other := range m.admitted {
		if other != mb {
			other.send(protocol.TypeParticipantJoined, m.line(mb, other))
		}
	}
	if waited {
		mb.send(protocol.TypeState, protocol.State{
			State: mb.state, MeetingTitle: m.facts.Meeting.Title, Capabilities: mb.grants.wire, Notices: m.activeNotices(mb), Roster: m.rosterFor(mb),
		})
		if mb.client != nil && mb.ready {
			mb.noticesTold()
			m.after(mb.syncMedia)
		}
		mb.ticketChanged()
	}
	m.tellSlides(mb)
	m.logGuest(mb)
	m.operation(mb, "StateChanged", "new_state", mb.state)
	m.notify(NotifyParticipantJoined, NotifyCallParticipantJoined, mb.id)
	if mb.entrant.OrgUser && m.deps.Notifier != nil {
		facts := m.facts
		m.after(func() { m.deps.Notifier.Meeting(NotifyBotJoined, facts, m.call, mb.id) })
	}
	if mb.roomDevice() {
		m.checkInterop()
	}
	// Everybody's capabilities and everybody's wait may depend on who is in. Who has just come in sees the lobby in its reply or gets it now.
	m.dirty = dirt{grants: true, waiters: true, lobby: true}
	m.stir()
}

// joined is the reply to join and resume.
func (m *Meeting) joined(mb *Member) protocol.Joined {
	j := protocol.Joined{
		Organization: m.facts.Organization.Name, CallID: m.call.String(), ParticipantID: mb.id.String(), Kind: mb.kind(), State: mb.state,
		Capabilities: mb.grants.wire, Notices: []protocol.Notice{}, ResumeSeconds: int(m.cfg.ReconnectGrace / time.Second),
		ICEServers: []protocol.ICEServer{},
	}
	if m.deps.Forward != nil {
		j.ICEServers = append(j.ICEServers, m.deps.Forward.ICEServers()...)
	}
	if !mb.in() {
		j.Reason = mb.state
		if r := mb.lastJoin.Reason(); r != "" {
			j.Reason = string(r)
		}
		return j
	}
	j.MeetingTitle, j.Notices, j.Roster = m.facts.Meeting.Title, m.activeNotices(mb), m.rosterFor(mb)
	if mb.may(policy.ManageLobby) {
		j.Lobby = m.lobbyList()
	}
	return j
}
