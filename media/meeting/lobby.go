package meeting

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/policy"
)

// waitState is the state of somebody whom policy lets wait.
func waitState(d policy.Decision) string {
	if d.Reason() == policy.WaitingForHost {
		return protocol.StateWaitingForHost
	}
	return protocol.StateInLobby
}

// queue makes somebody wait. The lock is held.
func (m *Meeting) queue(mb *Member, d policy.Decision) error {
	if len(m.waiters) >= m.cfg.MaxWaiting {
		return &protocol.Error{Reason: string(policy.MeetingFull), Message: "Too many people wait in the lobby already. Try again later."}
	}
	mb.state = waitState(d)
	mb.since = time.Now()
	m.members[mb.id] = mb
	m.waiters = append(m.waiters, mb)
	mb.lobbyTime = time.AfterFunc(m.cfg.LobbyTimeout, func() { m.lobbyTimeout(mb) })
	m.setGrants(mb, m.grantsOf(mb), false)
	m.operation(mb, "StateChanged", "new_state", mb.state)
	m.notify(NotifyLobbyWaiting, "", mb.id)
	m.dirty.lobby = true
	m.stir()
	return nil
}

// unqueue takes somebody out of those who wait. The lock is held.
func (m *Meeting) unqueue(mb *Member) {
	if mb.lobbyTime != nil {
		mb.lobbyTime.Stop()
	}
	m.waiters = slices.DeleteFunc(m.waiters, func(w *Member) bool { return w == mb })
	m.dirty.lobby = true
	m.stir()
}

func (m *Meeting) lobbyTimeout(mb *Member) {
	m.lock()
	defer m.unlock()
	if mb.waiting() {
		_ = m.turnAwayForGood([]*Member{mb}, protocol.StateTimeout, protocol.ReasonLobbyTimeout)
	}
}

// turnAway ends the wait of somebody who isn't let in. The lock is held.
func (m *Meeting) turnAway(mb *Member, state, reason string) {
	mb.send(protocol.TypeState, protocol.State{State: state, Reason: reason, Message: text(reason), Capabilities: mb.grants.wire})
	m.depart(mb, departure{left: reason, state: state, written: mb.going, ended: protocol.Ended{Reason: reason, Message: text(reason)}})
}

// turnAwayForGood is turnAway for what policy does not say again of itself: it is written down before anybody is told. The lock is held, and
// released meanwhile.
func (m *Meeting) turnAwayForGood(list []*Member, state, reason string) error {
	if m.ended {
		return nil
	}
	m.work.Add(1)
	defer m.work.Done()
	for _, mb := range list {
		mb.going = mb.going || mb.waiting()
	}
	m.unlock()
	errs := make(chan error, len(list))
	for _, mb := range list {
		go func() { errs <- m.revoke(mb.id) }() // they share the writes
	}
	var first error
	for range list {
		if err := <-errs; err != nil {
			first = err
		}
	}
	m.lock()
	for _, mb := range list {
		switch {
		case mb.waiting():
			m.turnAway(mb, state, reason)
		case mb.in(): // let in just before
			m.depart(mb, departure{left: protocol.ReasonRemoved, written: true, ended: protocol.Ended{Reason: reason, Message: text(reason)}})
		}
	}
	return first
}

// lobbyList is who waits, oldest first. The lock is held.
func (m *Meeting) lobbyList() []protocol.Waiting {
	list := make([]protocol.Waiting, len(m.waiters))
	for i, mb := range m.waiters {
		list[i] = protocol.Waiting{
			ParticipantID: mb.id.String(), DisplayName: mb.entrant.DisplayName, Kind: mb.kind(), External: !mb.entrant.OrgUser,
			State: mb.state, Since: mb.since.UTC().Format(time.RFC3339),
		}
	}
	return list
}

// Lobby lists who waits, oldest first.
func (m *Meeting) Lobby() []protocol.Waiting {
	m.lock()
	defer m.unlock()
	return m.lobbyList()
}

// A long list is told less often, so that a crowd at the door doesn't drown those inside.
const (
	lobbyLong  = 50
	lobbyPause = 500 * time.Millisecond
)

// holdLobby tells who waits, at once or, when the list is long and was told just now, in a moment: true. The lock is held.
func (m *Meeting) holdLobby() bool {
	pause := lobbyPause - time.Since(m.lobbyTold)
	if len(m.waiters) <= lobbyLong || m.lobbyTold.IsZero() || pause <= 0 {
		m.lobbyTold = time.Now()
		m.tellLobby()
		return false
	}
	if !m.lobbyLater {
		m.lobbyLater = true
		time.AfterFunc(pause, func() {
			m.lock()
			defer m.unlock()
			m.lobbyLater = false
			m.stir()
		})
	}
	return true
}

// tellLobby tells who may manage the lobby who waits. The lock is held.
func (m *Meeting) tellLobby() {
	body := protocol.LobbyUpdated{Waiting: m.lobbyList()}
	for _, mb := range m.admitted {
		if mb.may(policy.ManageLobby) {
			mb.send(protocol.TypeLobbyUpdated, body)
		}
	}
}

// askWaiters decides again on everybody who waits. Equal questions of one pass are asked once; an answer is recorded when it is another one than
// the member's last. The lock is held.
func (m *Meeting) askWaiters() {
	answers := map[policy.Participant]policy.Decision{}
	for _, mb := range slices.Clone(m.waiters) {
		if mb.admitting || mb.going || !mb.waiting() {
			continue
		}
		in := m.input(mb, policy.ActionJoin, "")
		d, ok := answers[in.Participant]
		if !ok {
			d = m.deps.Decider.Decide(m.ctx, m.facts.Organization.ID, in)
			answers[in.Participant] = d
		}
		if d.Allowed() {
			// Asked again, and recorded, when the seat is taken.
			mb.admitting = true
			m.work.Add(1)
			go m.admitPatiently(mb)
			continue
		}
		if m.noteJoin(mb, in, d) != nil {
			continue
		}
		m.keepWaiting(mb, d)
	}
}

// keepWaiting puts a decision other than allow into effect on somebody who waits. The lock is held.
func (m *Meeting) keepWaiting(mb *Member, d policy.Decision) {
	switch {
	case d.Effect == policy.Lobby:
		if state := waitState(d); state != mb.state {
			mb.state = state
			m.setGrants(mb, m.grantsOf(mb), false)
			mb.send(protocol.TypeState, protocol.State{State: state, Reason: string(d.Reason()), Capabilities: mb.grants.wire})
			m.operation(mb, "StateChanged", "new_state", state)
			m.dirty.lobby = true
			m.stir()
		}
	case d.Reason() == policy.MeetingFull, d.Reason() == policy.CallLimitGuest, d.Reason() == policy.PolicyFailed, d.Reason() == "":
		// Who waits goes on waiting: a seat may become free, a policy be mended.
	default:
		m.turnAway(mb, protocol.StateRejected, string(d.Reason()))
	}
}

// admitPatiently admits somebody who may come in by now, and tries again while events can't be recorded. The caller has set mb.admitting and
// counted the work.
func (m *Meeting) admitPatiently(mb *Member) {
	defer m.work.Done()
	for wait := time.Second; ; wait = min(2*wait, 10*time.Second) {
		m.lock()
		mb.admitting = false
		err := m.admitLocked(m.ctx, mb)
		again := isUnavailable(err) && mb.waiting() && !m.ended
		mb.admitting = again
		m.unlock()
		if !again {
			return
		}
		select {
		case <-time.After(wait):
		case <-m.ctx.Done():
			return
		}
	}
}

func isUnavailable(err error) bool {
	var refused *protocol.Error
	return errors.As(err, &refused) && refused.Reason == protocol.ReasonUnavailable
}

// admitLocked lets somebody in who waits, if policy says so now. The lock is held, and released while the join is recorded.
func (m *Meeting) admitLocked(ctx context.Context, mb *Member) error {
	if !mb.waiting() || mb.going {
		return refusal(protocol.ReasonNotFound)
	}
	if mb.admitting {
		return nil // somebody else does it
	}
	in := m.input(mb, policy.ActionJoin, "")
	d := m.deps.Decider.Decide(m.ctx, m.facts.Organization.ID, in)
	if err := m.noteJoin(mb, in, d); err != nil {
		return err
	}
	if d.Allowed() {
		confirmed, err := m.confirm(ctx, mb)
		switch {
		case err == nil && confirmed.Allowed():
			m.letIn(mb)
			return nil
		case isUnavailable(err), !mb.waiting():
			return err
		}
	}
	m.keepWaiting(mb, mb.lastJoin)
	return refusal(string(mb.lastJoin.Reason()))
}

// admit lets those in whom an org user chose.
func (mb *Member) admit(ctx context.Context, ids []uuid.UUID) error {
	m := mb.m
	if err := mb.use(policy.ManageLobby); err != nil {
		return err
	}
	results := make(chan error, len(ids))
	limit := make(chan struct{}, parallel)
	for _, id := range ids {
		limit <- struct{}{}
		go func() {
			defer func() { <-limit }()
			m.lock()
			defer m.unlock()
			results <- m.admitByUser(ctx, id)
		}()
	}
	var first error
	for range ids {
		if err := <-results; err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (m *Meeting) admitByUser(ctx context.Context, id uuid.UUID) error {
	mb := m.members[id]
	if mb == nil || !mb.waiting() {
		return refusal(protocol.ReasonNotFound)
	}
	mb.admittedByOrgUser = true
	err := m.admitLocked(ctx, mb)
	if err != nil && mb.waiting() && isUnavailable(err) {
		mb.admittedByOrgUser = false // the org user is told that it failed, and may do it again
	}
	if err == nil {
		m.operation(mb, "Admitted")
	}
	return err
}

func (mb *Member) admitAll(ctx context.Context) error {
	mb.m.lock()
	ids := make([]uuid.UUID, 0, len(mb.m.waiters))
	for _, w := range mb.m.waiters {
		ids = append(ids, w.id)
	}
	mb.m.unlock()
	err := mb.admit(ctx, ids)
	var refused *protocol.Error
	if errors.As(err, &refused) && refused.Reason == protocol.ReasonNotFound {
		return nil // left while being admitted
	}
	return err
}

// reject turns those away whom an org user chose.
func (mb *Member) reject(ids []uuid.UUID) error {
	m := mb.m
	if err := mb.use(policy.ManageLobby); err != nil {
		return err
	}
	m.lock()
	defer m.unlock()
	var missing error
	var list []*Member
	for _, id := range ids {
		other := m.members[id]
		if other == nil || !other.waiting() {
			missing = refusal(protocol.ReasonNotFound)
			continue
		}
		list = append(list, other)
	}
	if err := m.turnAwayForGood(list, protocol.StateRejected, protocol.ReasonLobbyRejected); err != nil {
		return err
	}
	return missing
}

// invite makes a user of the organisation an invited one, for this session.
func (mb *Member) invite(user string) error {
	m := mb.m
	if err := mb.use(policy.AddParticipant); err != nil {
		return err
	}
	if user == "" || len(user) > 256 {
		return invalid("user", "Name the user to add by its id, at most 256 characters.")
	}
	m.lock()
	defer m.unlock()
	if len(m.invited) >= maxInvited && !m.invited[user] {
		return refusal(protocol.ReasonRateLimited)
	}
	m.invited[user] = true
	for _, other := range m.admitted {
		if other.entrant.OrgUser {
			other.send(protocol.TypeInvited, protocol.Invited{User: user, By: mb.id.String()})
		}
	}
	m.operation(mb, "AddParticipant")
	m.dirty = dirt{grants: true, waiters: true, lobby: m.dirty.lobby}
	m.stir()
	return nil
}
