package meeting

import (
	"time"

	"github.com/anteroom/anteroom/event/eventpb"
)

// logGuest has it recorded, for the log of the resource in the resource's own region, which guest of the resource a participant is. The id that the resource gave
// the guest is sealed to that region's key: nobody on the way can read it, and no other event has it. It is tried for as long as the meeting runs, and a while
// after; a guest whose record is lost is in the resource's log without its stay, and nowhere else either. Nobody waits for it. The lock is held.
func (m *Meeting) logGuest(mb *Member) {
	if mb.entrant.OrgUser {
		return
	}
	joined := time.Now()
	m.work.Add(1)
	m.after(func() {
		go func() {
			defer m.work.Done()
			m.recordGuest(mb, joined)
		}()
	})
}

// recordGuest seals and records; anew with each attempt, since keys change. The lock is not held.
func (m *Meeting) recordGuest(mb *Member, joined time.Time) {
	deadline := time.Time{}
	for wait := retryFirst; ; wait = min(2*wait, retryMost) {
		e, err := m.guestEvent(mb, joined)
		if err == nil {
			err = m.record(m.ctx, e)
		}
		if err == nil {
			return
		}
		m.mu.Lock()
		ended := m.ended
		m.mu.Unlock()
		if ended && deadline.IsZero() {
			deadline = time.Now().Add(m.cfg.ClosePatience)
		}
		if ended && time.Now().After(deadline) {
			m.log.ErrorContext(m.ctx, "whose guest a participant was could not be recorded; the log of its application lacks the stay", "participant", mb.id, "error", err)
			return
		}
		select {
		case <-time.After(wait):
		case <-m.ctx.Done():
			return
		}
	}
}

// guestEvent tells whose guest a participant is, with the guest's id sealed.
func (m *Meeting) guestEvent(mb *Member, joined time.Time) (*eventpb.Event, error) {
	guest := &eventpb.ResourceGuest{
		ParticipantId: mb.id[:], ResourceId: mb.entrant.Resource, ResourceRegion: mb.entrant.Region, MeetingId: m.meetingID, JoinedAtUs: joined.UnixMicro(),
	}
	e := m.event(joined)
	e.Payload = &eventpb.Event_ResourceGuest{ResourceGuest: guest}
	if mb.entrant.GuestID == "" {
		return e, nil
	}
	var err error
	guest.SealingKeyId, guest.SealedUserId, err = m.sealFor(e, mb.entrant.Region, []byte(mb.entrant.GuestID))
	return e, err
}
