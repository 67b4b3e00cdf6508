package meeting

import (
	"time"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/forward"
	"github.com/anteroom/anteroom/policy"
)

func laneOf(k forward.Kind) eventpb.Lane {
	switch k {
	case forward.Audio:
		return eventpb.Lane_LANE_AUDIO
	case forward.Screen:
		return eventpb.Lane_LANE_SCREEN
	default:
		return eventpb.Lane_LANE_VIDEO
	}
}

// checkInterop records the known issue of guests' shared screens beside a room device, once per share (M11). The lock is held.
func (m *Meeting) checkInterop() {
	for _, mb := range m.admitted {
		for _, t := range mb.tracks {
			mb.interopShare(t)
		}
	}
}

// interopShare does what policy obliges to when a screen is shared. The lock is held.
func (mb *Member) interopShare(t forward.Track) {
	if t.Kind != forward.Screen || mb.interop[t.ID] {
		return
	}
	d, err := mb.decideUse(policy.ShareScreen)
	if err != nil {
		return
	}
	for _, o := range d.Obligations {
		if o == policy.RecordInteropScreenShare {
			mb.interop[t.ID] = true
			e := mb.m.event(time.Now())
			e.Payload = &eventpb.Event_ClientDiagnostic{ClientDiagnostic: &eventpb.ClientDiagnostic{
				ParticipantId: mb.id[:], Name: "interop_device_screen_share", Value: "True", Lane: eventpb.Lane_LANE_SCREEN, OperationId: t.ID[:],
			}}
			mb.m.outbox.add(e)
		}
	}
}
