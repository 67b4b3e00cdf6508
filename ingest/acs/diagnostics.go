package acs

import (
	"strings"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/label"
)

// mediaOf takes the words of the call records and of the clients.
func mediaOf(s string) eventpb.Media {
	switch strings.ToLower(s) {
	case "audio":
		return eventpb.Media_MEDIA_AUDIO
	case "video":
		return eventpb.Media_MEDIA_VIDEO
	case "vbss", "appsharing", "screen", "screenshare", "screensharing":
		return eventpb.Media_MEDIA_SCREEN
	}
	return eventpb.Media_MEDIA_UNSPECIFIED
}

// directionOf takes the words of the call records and of the clients.
func directionOf(s string) eventpb.Direction {
	switch strings.ToLower(s) {
	case "inbound", "incoming", "recv", "receive", "received":
		return eventpb.Direction_DIRECTION_INBOUND
	case "outbound", "outgoing", "send", "sent":
		return eventpb.Direction_DIRECTION_OUTBOUND
	}
	return eventpb.Direction_DIRECTION_UNSPECIFIED
}

// streamDirection is the direction as the client sees it. StreamDirection tells; where it is missing, the row does: an endpoint
// reports what it sends, and a server row is what the server sends to the client (so do Azure's own queries conclude).
func (r *record) streamDirection() eventpb.Direction {
	if s := r.text("StreamDirection"); s != "" {
		return directionOf(s)
	}
	if r.endpointType() == "server" {
		return eventpb.Direction_DIRECTION_INBOUND
	}
	return eventpb.Direction_DIRECTION_OUTBOUND
}

// streamOf is the pseudonym of a stream. A stream of the time series and one of the diagnostics with the same id are one stream.
func (r *record) streamOf(participant string, media eventpb.Media, direction eventpb.Direction, id string, more ...string) []byte {
	parts := append([]string{participant, media.String(), direction.String(), id}, more...)
	return r.opt.Pseudonyms.ID(label.Stream, r.call, parts...)
}

// decodeDiagnostics makes the summary of one stream in one direction. No record tells when the stream began or ended, so both stay
// unknown: the time of the record is when Azure wrote it down, up to an hour after the stream's end.
func decodeDiagnostics(r *record) {
	mediaType, streamID := r.text("mediaType"), r.id("streamId")
	if mediaType == "" || streamID == "" {
		r.missing(map[string]string{"mediaType": mediaType, "streamId": streamID})
		return
	}
	media, direction := mediaOf(mediaType), r.streamDirection()
	if media == eventpb.Media_MEDIA_UNSPECIFIED || direction == eventpb.Direction_DIRECTION_UNSPECIFIED {
		r.skip = SkipUnsupported
		return
	}
	key := r.participantKey()
	if key == "" {
		r.skip = SkipNoParticipant
		return
	}
	// A minute has no more than 60,000 ms of freeze, give or take what rounding adds; far more would be another unit.
	const ratio, milliseconds, minute = 1, 1e9, 66_000
	s := &eventpb.StreamEnded{
		ParticipantId: r.participantOf(key), StreamId: r.streamOf(key, media, direction, streamID),
		Direction: direction, Media: media,
		Codec: r.token("CodecName", 32), Transport: r.transport(),
		Packets:           r.count("PacketUtilization", 1<<53),
		LossRatio:         r.number("packetLossRateAvg", ratio),
		LossRatioMax:      r.number("packetLossRateMax", ratio),
		JitterMsAvg:       r.number("jitterAvg", milliseconds),
		JitterMsMax:       r.number("jitterMax", milliseconds),
		RttMsAvg:          r.number("roundTripTimeAvg", milliseconds),
		RttMsMax:          r.number("roundTripTimeMax", milliseconds),
		JitterBufferMsAvg: r.number("JitterBufferSizeAvg", milliseconds),
		JitterBufferMsMax: r.number("JitterBufferSizeMax", milliseconds),
		HealedRatio:       r.number("HealedDataRatioAvg", ratio),
		HealedRatioMax:    r.number("HealedDataRatioMax", ratio),
		FrameRateAvg:      r.number("VideoFrameRateAvg", maxMetric),
		HeightAvg:         r.number("RecvResolutionHeight", maxMetric),
		// Milliseconds: the unit of Azure's page. The table reference says microseconds, with which its own thresholds make no sense.
		FreezeMsPerMin: r.number("RecvFreezeDurationPerMinuteInMs", minute),
		BitrateAvg:     r.number("VideoBitRateAvg", maxMetric),
		BitrateMax:     r.number("VideoBitRateMax", maxMetric),
	}
	if r.endpointType() == "server" {
		s.ObservedBy = "server"
	}
	r.emit(&eventpb.Event{Payload: &eventpb.Event_StreamEnded{StreamEnded: s}})
}

// missing deals with a record that doesn't say what it is about: early updates may, others may not.
func (r *record) missing(required map[string]string) {
	if r.revision > 0 {
		r.skip = SkipIncomplete
		return
	}
	for _, name := range []string{"mediaType", "streamId", "RecordingId"} {
		if value, asked := required[name]; asked && value == "" {
			r.failField(name, "is missing")
			return
		}
	}
}

func (r *record) transport() string {
	switch s := strings.ToLower(r.text("transportType")); s {
	case "udp", "tcp", "tls":
		return s
	}
	return ""
}
