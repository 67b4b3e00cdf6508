package meeting

import (
	"maps"

	"github.com/anteroom/anteroom/media/forward"
	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/policy"
)

// grantSet is one answer of policy, shared by all members that it holds for; it never changes.
type grantSet struct {
	grants policy.Grants
	wire   map[string]protocol.Grant
}

func newGrantSet(g policy.Grants) *grantSet {
	set := &grantSet{grants: g, wire: make(map[string]protocol.Grant, len(g))}
	for _, c := range policy.Capabilities() {
		line, ok := g[c]
		if !ok {
			line = policy.Grant{Reason: policy.PolicyFailed}
		}
		set.wire[string(c)] = protocol.Grant{Allowed: line.Allowed, Reason: string(line.Reason)}
	}
	return set
}

// changed are the entries of to that from hasn't.
func changed(from, to *grantSet) map[string]protocol.Grant {
	out := map[string]protocol.Grant{}
	for name, line := range to.wire {
		if from.wire[name] != line {
			out[name] = line
		}
	}
	return out
}

// may tells what was last granted: good enough to choose who is told something, not to let a request pass. The lock is held.
func (mb *Member) may(c policy.Capability) bool {
	return mb.in() && mb.grants != nil && mb.grants.grants[c].Allowed
}

// grantsOf asks for a member's capabilities as things are. The lock is held.
func (m *Meeting) grantsOf(mb *Member) *grantSet {
	in := m.input(mb, policy.ActionUse, "")
	set := newGrantSet(m.deps.Decider.Grants(m.ctx, m.facts.Organization.ID, in))
	if known, ok := m.sets[in.Participant]; ok && maps.Equal(known.wire, set.wire) {
		return known
	}
	m.sets[in.Participant] = set
	return set
}

// regrant asks again for everybody, once for all who are the same to policy, and pushes what changed. The lock is held.
func (m *Meeting) regrant() {
	asked := map[policy.Participant]*grantSet{}
	for _, mb := range m.everybody() {
		p := m.participant(mb)
		set, ok := asked[p]
		if !ok {
			set = m.grantsOf(mb)
			asked[p] = set
		}
		m.setGrants(mb, set, true)
	}
	m.sets = asked // classes that nobody is of any more are forgotten
}

// setGrants puts a member's capabilities into effect. The lock is held.
func (m *Meeting) setGrants(mb *Member, set *grantSet, push bool) {
	before := mb.grants
	mb.grants = set
	if before == set && mb.listening() == mb.may(policy.ReceiveChat) {
		return
	}
	mb.listen()
	if before == nil {
		before = &grantSet{}
	}
	diff := changed(before, set)
	if len(diff) == 0 {
		return
	}
	if push {
		mb.send(protocol.TypeCapabilitiesChanged, protocol.CapabilitiesChanged{Capabilities: diff})
		if line, ok := diff[string(policy.ManageLobby)]; ok && line.Allowed && mb.in() {
			mb.send(protocol.TypeLobbyUpdated, protocol.LobbyUpdated{Waiting: m.lobbyList()})
		}
	}
	if !mb.in() {
		return
	}
	media := false
	for _, c := range mediaCapabilities() {
		if before.wire[string(c)].Allowed != set.wire[string(c)].Allowed {
			media = true
			// What is put into effect unasked is a decision like one on a request; it can't be refused, and what is withdrawn must not wait.
			in := m.input(mb, policy.ActionUse, c)
			m.noteDecision(mb, in, m.deps.Decider.Decide(m.ctx, m.facts.Organization.ID, in))
		}
	}
	if media {
		m.after(mb.syncMedia)
	}
}

func mediaCapabilities() []policy.Capability {
	return []policy.Capability{policy.UnmuteMic, policy.TurnVideoOn, policy.ShareScreen, policy.ReceiveMedia}
}

// capabilityOf is what sending a kind of track needs.
func capabilityOf(k forward.Kind) policy.Capability {
	switch k {
	case forward.Audio:
		return policy.UnmuteMic
	case forward.Screen:
		return policy.ShareScreen
	default:
		return policy.TurnVideoOn
	}
}

// dirt is what has to be worked out anew.
type dirt struct{ grants, waiters, lobby bool }

// stir has settle called soon, by run: many changes at once are then settled once.
func (m *Meeting) stir() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// run settles what changed until the meeting is over.
func (m *Meeting) run() {
	for {
		select {
		case <-m.wake:
			m.lock()
			m.settle()
			m.unlock()
		case <-m.ctx.Done():
			return
		}
	}
}

// settle works out anew what depends on what changed. The lock is held.
func (m *Meeting) settle() {
	if m.ended {
		return
	}
	if m.dirty.grants {
		m.dirty.grants = false
		m.regrant()
	}
	if m.dirty.waiters {
		m.dirty.waiters = false
		m.askWaiters()
	}
	if m.dirty.lobby {
		m.dirty.lobby = m.holdLobby()
	}
}
