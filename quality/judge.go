package quality

import "math"

// Verdict is the judgement of a stream or a call.
type Verdict string

// The three verdicts. The zero Verdict is read as Unknown.
const (
	Good    Verdict = "good"
	Poor    Verdict = "poor"
	Unknown Verdict = "unknown"
)

// Cause says why a stream is unknown.
type Cause string

// The closed set of causes.
const (
	CauseNoMedia      Cause = "no_media"            // known to have no packets
	CauseNoMetric     Cause = "no_metric"           // no metric is known that the profile judges for this medium
	CauseFewPackets   Cause = "too_few_packets"     // cqd: too few packets to classify
	CauseConnectivity Cause = "connectivity_failed" // cqd: ICE failed
)

// Text is the cause as a sentence for people.
func (c Cause) Text() string {
	switch c {
	case CauseNoMedia:
		return "No packet of this stream was seen."
	case CauseNoMetric:
		return "None of the metrics that this profile judges was reported for this stream."
	case CauseFewPackets:
		return "The stream has too few packets to be classified."
	case CauseConnectivity:
		return "The connection for this stream could not be established (ICE failed)."
	}
	return ""
}

// Reason is one threshold that a poor stream broke.
type Reason struct {
	Metric     Metric     `json:"metric"`
	Value      float64    `json:"value"` // in Unit
	Comparison Comparison `json:"comparison"`
	Threshold  float64    `json:"threshold"` // in Unit
	Unit       string     `json:"unit"`
	Source     string     `json:"source"`
	Media      Media      `json:"media"`
	Direction  Direction  `json:"direction,omitempty"`
}

// String is the reason as shown to people, such as "jitter_ms_avg 34 > 30 ms".
// The value is rounded to thousandths; one that so little separates from the
// threshold that rounding would hide it is "just above" or "just below" it.
// Ratios have no unit.
func (r Reason) String() string {
	const thousandths = 1000 // finer than that nobody reads; Value has it all
	text := formatNumber(r.Threshold)
	if r.Unit != "" && r.Unit != unitRatio {
		text += " " + r.Unit
	}
	value := math.Round(r.Value*thousandths) / thousandths
	switch {
	case r.Comparison.holds(value, r.Threshold):
		return string(r.Metric) + " " + formatNumber(value) + " " + string(r.Comparison) + " " + text
	case r.Value > r.Threshold:
		return string(r.Metric) + " just above " + text
	}
	return string(r.Metric) + " just below " + text
}

// Assessment is the judgement of one stream under one profile.
type Assessment struct {
	Profile string  `json:"profile"`
	Verdict Verdict `json:"verdict"`
	// Cause is set exactly when the verdict is unknown.
	Cause Cause `json:"cause,omitempty"`
	// Reasons is non-empty exactly when the verdict is poor. Its order is the
	// profile's order of rules.
	Reasons []Reason `json:"reasons,omitempty"`
}

// Judge applies the profile to what is known of one stream.
//
// The stream is unknown when it is known to have no packets, or when no metric
// is known that the profile judges for its medium; cqd has two more causes.
// Otherwise it is poor if a rule says so, and good if none does. A value
// exactly at a threshold is poor only where the comparison includes it.
// Judge allocates nothing unless the stream is poor.
func Judge(p *Profile, m Measures) Assessment {
	a := Assessment{Profile: p.name, Verdict: Unknown}
	set := p.set(m.Media)
	packets := m.Packets.clean()
	switch {
	case p.connectivityDecides && m.ConnectivityFailed:
		a.Cause = CauseConnectivity
		return a
	case packets.Known && packets.V == 0:
		a.Cause = CauseNoMedia
		return a
	case set.minPackets > 0 && packets.Known && packets.V <= set.minPackets:
		a.Cause = CauseFewPackets
		return a
	}
	seen := false
	for i := range set.rules {
		r := &set.rules[i]
		v := r.Metric.of(&m)
		if !v.Known || !r.applies(&m) {
			continue
		}
		seen = true
		if r.Comparison.holds(v.V, r.Threshold) {
			a.Reasons = append(a.Reasons, Reason{
				Metric: r.Metric, Value: v.V, Comparison: r.Comparison, Threshold: r.Threshold,
				Unit: r.Unit, Source: r.Source, Media: m.Media, Direction: m.Direction,
			})
		}
		if set.mode == firstAvailable {
			break
		}
	}
	switch {
	case !seen:
		a.Cause = CauseNoMetric
	case len(a.Reasons) > 0:
		a.Verdict = Poor
	default:
		a.Verdict = Good
	}
	return a
}
