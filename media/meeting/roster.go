package meeting

import (
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

// tellUpdated tells everybody else of a participant's line. The lock is held.
func (m *Meeting) tellUpdated(mb *Member) {
	for _, other := range m.admitted {
		if other != mb {
			other.send(protocol.TypeParticipantUpdated, m.line(mb, other))
		}
	}
}
