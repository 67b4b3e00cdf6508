package meeting

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/protocol"
)

// maxNotices is how many notices are remembered of one member; the oldest that no longer hold are forgotten.
const maxNotices = 1000

// notice says that a recording or transcription has started or stopped.
type notice struct {
	id      uuid.UUID
	kind    string
	since   time.Time
	started bool
}

// noticeState is what one member has had of one notice.
type noticeState struct {
	kind string
	// sentAt is when it was handed to the member's connection; recorded: that is in Kafka, so the member's media may be taken.
	sentAt       time.Time
	recorded     bool
	acknowledged bool
	consented    bool
}

// noticeFor is a notice as a member gets it. The lock is held.
func (m *Meeting) noticeFor(n *notice, mb *Member) protocol.Notice {
	return protocol.Notice{
		NoticeID: n.id.String(), Kind: n.kind, Since: n.since.UTC().Format(time.RFC3339),
		ConsentRequired: n.started && m.org.RequireConsent && !mb.entrant.OrgUser,
	}
}

// activeNotices are those that hold: what is recorded or transcribed now.
func (m *Meeting) activeNotices(mb *Member) []protocol.Notice {
	list := []protocol.Notice{}
	for _, kind := range []captureKind{recording, transcription} {
		if c := m.captures[kind]; c != nil && c.notice != nil {
			list = append(list, m.noticeFor(c.notice, mb))
		}
	}
	return list
}

// announce tells everybody who is in at once. Whoever has no connection just now is told in the reply that brings it back. The lock is held.
func (m *Meeting) announce(n *notice) {
	for _, mb := range m.admitted {
		if mb.client == nil {
			continue
		}
		mb.send(protocol.TypeNotice, m.noticeFor(n, mb))
		// To a member whose reply isn't out yet it follows the reply; Ready takes note of it then.
		if mb.ready || !n.started {
			m.noticeSent(mb, n)
		}
	}
}

// noticesTold notes that the notices that hold were in what the member has just been sent. The lock is held.
func (mb *Member) noticesTold() {
	for _, c := range mb.m.captures {
		if c.notice != nil {
			mb.m.noticeSent(mb, c.notice)
		}
	}
	mb.tellStopped()
}

// tellStopped tells a member of before that what was recorded or transcribed then isn't any more: it ended with its process. Where it has been
// started anew by now that notice holds, and this one would mislead. The lock is held.
func (mb *Member) tellStopped() {
	if len(mb.holding) == 0 {
		return
	}
	for _, held := range mb.holding {
		for _, kind := range []captureKind{recording, transcription} {
			if held.Kind == kind.notice(true) && !mb.m.capturing(kind) {
				n := mb.m.stoppedBefore(held.ID, kind)
				mb.send(protocol.TypeNotice, mb.m.noticeFor(n, mb))
				mb.m.noticeSent(mb, n)
			}
		}
	}
	mb.holding = nil
	mb.ticketChanged()
}

// stoppedBefore is the notice, one for everybody, that something which the process of before announced has stopped. The lock is held.
func (m *Meeting) stoppedBefore(started uuid.UUID, kind captureKind) *notice {
	n := m.stopped[started]
	if n == nil {
		n = &notice{id: uuid.New(), kind: kind.notice(false), since: m.started}
		m.stopped[started] = n
	}
	return n
}

// noticeSent has it recorded that the member was told, and then the member's media taken. The lock is held.
func (m *Meeting) noticeSent(mb *Member, n *notice) {
	state := mb.notices[n.id]
	if state == nil {
		if len(mb.notices) >= maxNotices {
			mb.forgetNotices()
		}
		state = &noticeState{}
		mb.notices[n.id] = state
	}
	if !state.sentAt.IsZero() {
		return
	}
	state.kind, state.sentAt = n.kind, time.Now()
	mb.ticketChanged()
	e := m.noticeEvent(mb, n.id, *state, time.Time{})
	m.work.Add(1)
	go func() {
		defer m.work.Done()
		if !m.recordPatiently(e) {
			return
		}
		m.lock()
		state.recorded = true
		m.unlock()
		mb.syncMedia()
	}()
}

// forgetNotices drops what no longer holds. The lock is held.
func (mb *Member) forgetNotices() {
	holds := map[uuid.UUID]bool{}
	for _, c := range mb.m.captures {
		if c.notice != nil {
			holds[c.notice.id] = true
		}
	}
	for id := range mb.notices {
		if !holds[id] {
			delete(mb.notices, id)
		}
	}
}

// recordPatiently records what has happened already, and tries again while Kafka is away. False: it was given up.
func (m *Meeting) recordPatiently(e *eventpb.Event) bool {
	deadline := time.Now().Add(m.cfg.ClosePatience)
	for wait := retryFirst; ; wait = min(2*wait, retryMost) {
		if m.record(m.ctx, e) == nil {
			return true
		}
		m.mu.Lock()
		ended := m.ended
		m.mu.Unlock()
		if ended && time.Now().After(deadline) {
			m.outbox.add(e)
			return false
		}
		select {
		case <-time.After(wait):
		case <-m.ctx.Done():
			return false
		}
	}
}

func (m *Meeting) noticeEvent(mb *Member, id uuid.UUID, s noticeState, acknowledged time.Time) *eventpb.Event {
	n := &eventpb.Notice{ParticipantId: mb.id[:], NoticeId: id[:], Kind: s.kind, SentAtUs: s.sentAt.UnixMicro()}
	if !acknowledged.IsZero() {
		n.AcknowledgedAtUs = acknowledged.UnixMicro()
	}
	e := m.event(time.Now())
	e.MeetingId = m.meetingID
	e.Payload = &eventpb.Event_Notice{Notice: n}
	return e
}

// acknowledge notes that the client has shown a notice, once that is recorded.
func (mb *Member) acknowledge(ctx context.Context, b protocol.NoticeAck) error {
	_, err := mb.acknowledged(ctx, b.NoticeID)
	return err
}

func (mb *Member) acknowledged(ctx context.Context, text string) (*noticeState, error) {
	m := mb.m
	id, err := parseID("notice_id", text)
	if err != nil {
		return nil, err
	}
	m.lock()
	defer m.unlock()
	if err := mb.mustBeIn(); err != nil {
		return nil, err
	}
	state := mb.notices[id]
	if state == nil || state.sentAt.IsZero() {
		return nil, &protocol.Error{Reason: protocol.ReasonNotFound, Field: "notice_id", Message: "You were not sent such a notice."}
	}
	if state.acknowledged {
		return state, nil
	}
	e := m.noticeEvent(mb, id, *state, time.Now())
	m.unlock()
	err = m.record(ctx, e)
	m.lock()
	if err != nil {
		return nil, refusal(protocol.ReasonUnavailable)
	}
	state.acknowledged = true
	mb.ticketChanged()
	return state, nil
}

// consent answers a notice; it acknowledges it too. What it allows or forbids takes effect at once.
func (mb *Member) consent(ctx context.Context, b protocol.Consent) error {
	m := mb.m
	state, err := mb.acknowledged(ctx, b.NoticeID)
	if err != nil {
		return err
	}
	m.lock()
	defer m.unlock()
	if state.consented == b.Accepted {
		return nil
	}
	answer := "declined"
	if b.Accepted {
		answer = "accepted"
	}
	m.operation(mb, "Consent", "answer", answer)
	state.consented = b.Accepted
	m.setGrants(mb, m.grantsOf(mb), true)
	mb.ticketChanged()
	return nil
}

// consented tells whether the member has agreed to everything that is recorded or transcribed now. The lock is held.
func (mb *Member) consented() bool {
	runs := false
	for _, c := range mb.m.captures {
		if c.notice == nil {
			continue
		}
		runs = true
		if s := mb.notices[c.notice.id]; s == nil || !s.consented {
			return false
		}
	}
	return runs
}
