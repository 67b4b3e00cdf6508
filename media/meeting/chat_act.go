package meeting

import (
	"context"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/policy"
)

// chatAct is something on its way into the chat: it is recorded first, and takes effect in the order in which it was asked for, so that all
// clients see one order.
type chatAct struct {
	event *eventpb.Event
	// text is what is sealed into the event.
	text sealedText
	// by is who asked, needs what it must be allowed still when its turn comes: it may have been removed meanwhile.
	by    *Member
	needs []policy.Capability
	// final: once it may be recorded it takes effect, whatever has become of who asked.
	final bool
	// apply relays it; false: what it was about is gone by then. Called with the lock held.
	apply func() bool
	// undo makes up for the event when it was recorded, or may have been, and doesn't take effect.
	undo func()

	// tried: Kafka may have it. settled is closed when err is the outcome.
	tried, recorded bool
	err             error
	settled         chan struct{}
}

// do records an act and waits for its turn. The lock is held, and released meanwhile.
func (m *Meeting) do(ctx context.Context, a *chatAct) error {
	a.settled = make(chan struct{})
	m.chat.pending = append(m.chat.pending, a)
	m.work.Add(1)
	m.unlock()
	err := m.seal(a.event, a.text)
	if err == nil {
		a.tried = true
		if err = m.record(ctx, a.event); err != nil {
			m.log.WarnContext(ctx, "a chat message could not be recorded and was refused", "error", err)
			err = refusal(protocol.ReasonUnavailable)
		}
	}
	m.lock()
	a.recorded, a.err = true, err
	m.advance()
	m.work.Done()
	m.unlock()
	<-a.settled // those before it are waited for no longer than they may be recorded
	m.lock()
	return a.err
}

// advance lets the acts take effect whose turn it is. The lock is held.
func (m *Meeting) advance() {
	c := &m.chat
	for len(c.pending) > 0 && c.pending[0].recorded {
		a := c.pending[0]
		c.pending = c.pending[1:]
		if a.err == nil && !a.final {
			a.err = a.by.still(a.needs)
		}
		if a.err == nil && !a.apply() {
			a.err = refusal(protocol.ReasonNotFound)
		}
		if a.err != nil && a.tried {
			a.undo()
		}
		close(a.settled)
	}
}

// still tells whether the member is in and may do what it was allowed before. That was decided and recorded then; now only a refusal is. The
// lock is held.
func (mb *Member) still(needs []policy.Capability) error {
	if err := mb.mustBeIn(); err != nil {
		return err
	}
	m := mb.m
	for _, capability := range needs {
		in := m.input(mb, policy.ActionUse, capability)
		if d := m.deps.Decider.Decide(m.ctx, m.facts.Organization.ID, in); !d.Allowed() {
			m.noteDecision(mb, in, d)
			return refusal(string(d.Reason()))
		}
	}
	return nil
}
