package webrtcstats

import (
	"math"
	"time"

	"github.com/anteroom/anteroom/event/eventpb"
)

// A client's clock is believed if what it sends at once seems to be at most this old, which may be what it kept while it was cut off, or
// to come so soon.
const (
	believedBehind = 15 * time.Minute
	believedAhead  = time.Minute
)

// Skew is by how much a client's clock is wrong, in ms to be added, when it sent at now what it says was at: 0 where it may be right. It is
// whole intervals of reports, so that those stay as they are.
func Skew(at float64, now time.Time) float64 {
	off := float64(now.UnixMicro())/1000 - at
	if off <= float64(believedBehind.Milliseconds()) && off >= -float64(believedAhead.Milliseconds()) {
		return 0
	}
	return math.Round(off/WindowMs) * WindowMs
}

// Shift moves all times of events by so many ms.
func (c *Call) Shift(ms float64) { c.live.shift = microseconds(ms) }

// move shifts the times of an event.
func move(e *eventpb.Event, us int64) {
	later := func(times ...*int64) {
		for _, t := range times {
			if *t != 0 {
				*t += us
			}
		}
	}
	later(&e.ObservedAtUs)
	switch p := e.Payload.(type) {
	case *eventpb.Event_CallStarted:
		later(&p.CallStarted.StartedAtUs)
	case *eventpb.Event_CallEnded:
		later(&p.CallEnded.EndedAtUs)
	case *eventpb.Event_ParticipantJoined:
		later(&p.ParticipantJoined.JoinedAtUs)
	case *eventpb.Event_ParticipantLeft:
		later(&p.ParticipantLeft.LeftAtUs)
	case *eventpb.Event_StreamEnded:
		later(&p.StreamEnded.StartedAtUs, &p.StreamEnded.EndedAtUs)
	}
}
