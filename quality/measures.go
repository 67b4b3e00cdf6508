package quality

// Media is what a stream carries.
type Media string

// The closed set of media. Any other text is judged only by the rules that a
// profile states for every medium.
const (
	Audio  Media = "audio"
	Video  Media = "video"
	Screen Media = "screen"
)

// Direction is the way a stream runs, as the client sees it.
type Direction string

// The two directions.
const (
	Inbound  Direction = "inbound"
	Outbound Direction = "outbound"
)

// Measures is what is known of one stream over its life (or over one interval,
// when a sample is judged). Every Value may be missing.
//
// A rate of zero is a measurement and is judged as such: leave a rate unknown
// for a stream that was switched off, rather than writing zero.
type Measures struct {
	Media     Media
	Direction Direction // copied into reasons; no rule depends on it

	Packets            Value // packets of the stream; a known 0 means that no media flowed
	JitterMs           Value // average inter-arrival jitter (RFC 3550), ms
	JitterBufferMs     Value // average delay in the receiver's jitter buffer, ms
	LossRatio          Value // lost / (received + lost), 0..1
	RTTMs              Value // average round-trip time, ms
	HealedRatio        Value // (concealed - silently concealed) / samples received, 0..1
	ConcealedRatio     Value // concealed / samples received, 0..1
	MOSDegradation     Value // network MOS degradation reported by an endpoint, MOS points
	FrameRate          Value // average frames per second
	FreezeMsPerMin     Value // frozen time per minute at the receiver, ms/min
	ReceivedHeightPx   Value // average height of received frames, px
	BitrateBps         Value // average bitrate of the stream, bit/s
	FrameLossRatio     Value // frames lost as displayed, 0..1
	LossAfterFECRatio  Value // packet loss after forward error correction, 0..1
	ConnectivityFailed bool  // ICE is known to have failed for the stream
}

// Metric names a judged measure; the texts are the field names of the API.
type Metric string

// The closed set of judged metrics.
const (
	MetricJitter         Metric = "jitter_ms_avg"
	MetricJitterBuffer   Metric = "jitter_buffer_ms_avg"
	MetricLoss           Metric = "loss_ratio"
	MetricRTT            Metric = "rtt_ms_avg"
	MetricHealed         Metric = "healed_ratio"
	MetricConcealed      Metric = "concealed_ratio"
	MetricMOSDegradation Metric = "mos_degradation"
	MetricFrameRate      Metric = "frame_rate_avg"
	MetricFreeze         Metric = "freeze_ms_per_min"
	MetricHeight         Metric = "height_avg"
	MetricBitrate        Metric = "bitrate_avg"
	MetricFrameLoss      Metric = "frame_loss_ratio"
	MetricLossAfterFEC   Metric = "loss_after_fec_ratio"
)

// unitRatio is the unit of what is written from 0 to 1.
const unitRatio = "ratio"

// Unit is the unit of a metric, as shown beside its value.
func (m Metric) Unit() string {
	switch m {
	case MetricJitter, MetricJitterBuffer, MetricRTT:
		return "ms"
	case MetricLoss, MetricHealed, MetricConcealed, MetricFrameLoss, MetricLossAfterFEC:
		return unitRatio
	case MetricMOSDegradation:
		return "MOS"
	case MetricFrameRate:
		return "fps"
	case MetricFreeze:
		return "ms/min"
	case MetricHeight:
		return "px"
	case MetricBitrate:
		return "bit/s"
	}
	return ""
}

// of reads the metric from the measures, cleaned.
func (m Metric) of(s *Measures) Value {
	var v Value
	switch m {
	case MetricJitter:
		v = s.JitterMs
	case MetricJitterBuffer:
		v = s.JitterBufferMs
	case MetricLoss:
		v = s.LossRatio
	case MetricRTT:
		v = s.RTTMs
	case MetricHealed:
		v = s.HealedRatio
	case MetricConcealed:
		v = s.ConcealedRatio
	case MetricMOSDegradation:
		v = s.MOSDegradation
	case MetricFrameRate:
		v = s.FrameRate
	case MetricFreeze:
		v = s.FreezeMsPerMin
	case MetricHeight:
		v = s.ReceivedHeightPx
	case MetricBitrate:
		v = s.BitrateBps
	case MetricFrameLoss:
		v = s.FrameLossRatio
	case MetricLossAfterFEC:
		v = s.LossAfterFECRatio
	}
	return v.clean()
}
