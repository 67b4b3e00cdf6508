package meeting

import (
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/policy"
)

// line is a participant as another one sees it: who may not raise a hand sees none. The lock is held.
func (m *Meeting) line(mb, reader *Member) protocol.Participant {
	p := protocol.Participant{
		ParticipantID: mb.id.String(), DisplayName: mb.entrant.DisplayName, Kind: mb.kind(), External: !mb.entrant.OrgUser,
		RoomDevice: mb.roomDevice(), HandRaised: mb.hand && (reader == nil || reader.may(policy.RaiseHand)),
		Tracks: make([]protocol.Track, len(mb.tracks)), Connected: mb.client != nil,
	}
	for i, t := range mb.tracks {
		p.Tracks[i] = protocol.Track{TrackID: t.ID.String(), Kind: string(t.Kind), Muted: t.Muted}
	}
	return p
}

func (m *Meeting) rosterFor(reader *Member) []protocol.Participant {
	list := make([]protocol.Participant, len(m.admitted))
	for i, mb := range m.admitted {
		list[i] = m.line(mb, reader)
	}
	return list
}

// Roster is what org users see.
func (m *Meeting) Roster() []protocol.Participant {
	m.lock()
	defer m.unlock()
	return m.rosterFor(nil)
}

// Users are the org users who are in: participant id to user id.
func (m *Meeting) Users() map[uuid.UUID]string {
	m.lock()
	defer m.unlock()
	users := make(map[uuid.UUID]string, m.count.orgUsers)
	for _, mb := range m.admitted {
		if mb.entrant.OrgUser {
			users[mb.id] = mb.entrant.UserID
		}
	}
	return users
}

// MemberOf is the participant that an org user is; of several the one that came first. nil: the user is not in.
func (m *Meeting) MemberOf(user string) *Member {
	m.lock()
	defer m.unlock()
	for _, mb := range m.admitted {
		if mb.entrant.OrgUser && mb.entrant.UserID == user {
			return mb
		}
	}
	return nil
}

// tellUpdated tells everybody else of a participant's line. The lock is held.
func (m *Meeting) tellUpdated(mb *Member) {
	for _, other := range m.admitted {
		if other != mb {
			other.send(protocol.TypeParticipantUpdated, m.line(mb, other))
		}
	}
}

// Present are the ids of all who are in or wait, also while they have no connection, and of those who are just leaving.
func (m *Meeting) Present() []uuid.UUID {
	m.lock()
	defer m.unlock()
	ids := make([]uuid.UUID, 0, len(m.members)+len(m.leaving))
	for id := range m.members {
		ids = append(ids, id)
	}
	for mb := range m.leaving {
		ids = append(ids, mb.id)
	}
	return ids
}
