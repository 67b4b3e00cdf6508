package acs

import (
	"math"
	"strings"

	"github.com/anteroom/anteroom/event/eventpb"
)

// decodeTimeSeries makes a report of one stream with the one metric that a record has. Records of one window stay apart, since each
// counts once by itself; whoever reads them merges by stream and time.
func decodeTimeSeries(r *record) {
	media, direction := mediaOf(r.text("MediaStreamType")), directionOf(r.text("MediaStreamDirection"))
	if media == eventpb.Media_MEDIA_UNSPECIFIED || direction == eventpb.Direction_DIRECTION_UNSPECIFIED {
		r.skip = SkipUnsupported
		return
	}
	key := r.participantKey()
	if key == "" {
		r.skip = SkipNoParticipant
		return
	}
	sample := &eventpb.StreamSample{
		StreamId:  r.seriesStream(key, media, direction),
		Direction: direction, Media: media, Codec: r.token("MediaStreamCodec", 32),
	}
	seconds := r.interval()
	value := r.average()
	if r.err != nil {
		return
	}
	if value == nil || !setMetric(sample, r.text("MetricName"), *value, r.covered(seconds)) {
		r.skip = SkipMetric
		return
	}
	if sample.HealedRatio != nil && *sample.HealedRatio > 1 {
		r.failField("Average", "must lie between 0 and 1")
		return
	}
	r.emit(&eventpb.Event{Payload: &eventpb.Event_StreamReport{StreamReport: &eventpb.StreamReport{
		ParticipantId: r.participantOf(key), IntervalMs: uint32(seconds) * 1000, //nolint:gosec // at most an hour
		Streams: []*eventpb.StreamSample{sample},
	}}})
}

// seriesStream is the stream's pseudonym. Azure leaves MediaStreamId empty today; then the streams that a participant receives are
// told apart by who sends them, and streams of one kind and direction beyond that are one.
func (r *record) seriesStream(key string, media eventpb.Media, direction eventpb.Direction) []byte {
	if id := r.id("MediaStreamId"); id != "" {
		return r.streamOf(key, media, direction, id)
	}
	if remote := r.id("RemoteParticipantId"); remote != "" {
		return r.streamOf(key, media, direction, "", remote)
	}
	return r.streamOf(key, media, direction, "")
}

// interval is the length of the window in seconds, 10 where it isn't told.
func (r *record) interval() uint64 {
	const usual, longest = 10, 3600
	n := r.count("AggregationIntervalSeconds", longest)
	if n == nil || *n == 0 {
		return usual
	}
	return *n
}

// covered is for how many seconds of its window a metric was sampled: the client samples each second, and less than a whole window
// at the end of a call.
func (r *record) covered(interval uint64) float64 {
	if n := r.count("Count", 1<<53); n != nil && *n > 0 && *n < interval {
		return float64(*n)
	}
	return float64(interval)
}

// average is the metric's mean over the window.
func (r *record) average() *float64 {
	if mean := r.number("Average", maxMetric); mean != nil {
		return mean
	}
	sum, n := r.number("Sum", maxMetric), r.count("Count", 1<<53)
	if sum == nil || n == nil || *n == 0 {
		return nil
	}
	mean := *sum / float64(*n)
	return &mean
}

// setMetric puts a value where it belongs; false for a metric that isn't stored.
//
// Of the metrics that measure one thing at several places, one is taken: frames as sent and as decoded, heights as sent and as
// received; of round-trip times RTCP's for what is sent (RttInMs) and STUN's for what is received, which has no other (PairRttInMs).
// Totals (FramesSent, TotalFreezeDurationInMs) aren't taken: Azure doesn't say whether they start anew with each window.
func setMetric(s *eventpb.StreamSample, metric string, value, seconds float64) bool {
	f := float32(value)
	sent := s.Direction == eventpb.Direction_DIRECTION_OUTBOUND
	switch name := strings.ToLower(metric); {
	case name == "bitrate":
		s.BitrateBps = &f
	case name == "availablebitrate":
		s.AvailableBitrateBps = &f
	case name == "jitterinms":
		s.JitterMs = &f
	case name == "packetspersecond":
		s.Packets = uint64(math.Round(value * seconds))
	case name == "packetslostpersecond":
		s.PacketsLost = int64(math.Round(value * seconds))
	case name == "rttinms" && sent, name == "pairrttinms" && !sent:
		s.RttMs = &f
	case name == "jitterbufferinms":
		s.JitterBufferMs = &f
	case name == "healedratio":
		s.HealedRatio = &f
	case name == "frameratesent" && sent, name == "frameratedecoded" && !sent:
		s.FrameRate = &f
	case name == "frameheightsent" && sent, name == "frameheightreceived" && !sent:
		s.FrameHeight = &f
	default:
		return false
	}
	return true
}
