package analytics

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/quality"
	"github.com/anteroom/anteroom/store"
)

// Side is where trouble likely is.
type Side string

// The sides. The empty one is not known.
const (
	SenderUplink     Side = "sender_uplink"
	Server           Side = "server"
	ReceiverDownlink Side = "receiver_downlink"
	Device           Side = "device"
	// NoSide: it was measured, and hardly anything was lost on any.
	NoSide Side = "none"
)

// network reports the metrics that a network makes bad.
func network(m quality.Metric) bool {
	switch m {
	case quality.MetricJitter, quality.MetricJitterBuffer, quality.MetricLoss, quality.MetricRTT, quality.MetricLossAfterFEC, quality.MetricFrameLoss:
		return true
	}
	return false
}

// sideOfStream tells where a poor stream's trouble likely is: by what was measured on both sides of the server, else by what the client itself
// complained about, else, where only the far end of a sent stream measured it, on the way there.
func (c *Call) sideOfStream(s *Stream) Side {
	if s.LikelySide != "" && s.LikelySide != string(NoSide) {
		return Side(s.LikelySide)
	}
	if side := c.complaint(s); side != "" {
		return side
	}
	if s.LikelySide == "" && s.Direction == "outbound" && s.ObservedBy == "server" && slices.ContainsFunc(s.Reasons, func(r quality.Reason) bool { return network(r.Metric) }) {
		return SenderUplink
	}
	return Side(s.LikelySide)
}

// complaint is the side that diagnostics of the stream's own client speak of.
func (c *Call) complaint(s *Stream) Side {
	bad := c.bad[s.ParticipantID]
	has := func(parts ...string) bool {
		return slices.ContainsFunc(bad, func(name string) bool {
			return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(strings.ToLower(name), part) })
		})
	}
	outbound := s.Direction == "outbound"
	switch {
	case outbound && has("networksendquality"):
		return SenderUplink
	case !outbound && has("networkreceivequality"):
		return ReceiverDownlink
	case outbound && s.Media == "video" && has("camera"),
		outbound && s.Media == "audio" && has("microphone"),
		outbound && s.Media == "screen" && has("capturer", "screenshare"),
		!outbound && s.Media == "audio" && has("speakernot", "nospeaker"):
		return Device
	}
	return ""
}

// complaints are the diagnostics that went bad, by participant.
func complaints(marks []store.TimelineEntry) map[uuid.UUID][]string {
	out := make(map[uuid.UUID][]string)
	for i := range marks {
		e := &marks[i]
		if went, _ := quality.BadDiagnosticValue(e.Value); e.Kind == "diagnostic" && went {
			out[e.ParticipantID] = append(out[e.ParticipantID], e.Name)
		}
	}
	return out
}

// sideOfDiagnostic is the side that a diagnostic speaks of by its name.
func sideOfDiagnostic(info quality.DiagnosticInfo) Side {
	switch {
	case info.Name == "networkSendQuality":
		return SenderUplink
	case info.Name == "networkReceiveQuality":
		return ReceiverDownlink
	case info.Lane == quality.LaneNetwork:
		return ""
	}
	return Device
}

// sideOfEnd is the side that a result category blames.
func sideOfEnd(category string) Side {
	if strings.Contains(strings.ToLower(category), "server") {
		return Server
	}
	return ""
}
