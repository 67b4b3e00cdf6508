package quality

// Where the figures come from; shown with each reason.
const (
	sourceCallDiagnostics = "Call Diagnostics portal query (Azure Monitor reference, example queries for ACSCallClientOperations)"
	sourceCQDAudio        = "Call Quality Dashboard, stream classification, audio classifier"
	sourceCQDVideo        = "Call Quality Dashboard, stream classification, video classifier"
	sourceCQDScreen       = "Call Quality Dashboard, stream classification, screen share (VBSS) classifier"
	sourceRealTime        = "real-time telemetry for meetings: values stated as good"
	sourceInsights        = "network insights: impacted calls"
	// The same under every profile.
	sourceNetworkDiagnostic = "user-facing diagnostics: a call in which a network diagnostic went bad is poor"
)

// cqdAudioMinPackets is the newer text of the CQD audio classifier: only
// streams of more than 500 packets are classified.
const cqdAudioMinPackets = 500

// rule is a Rule whose override key is its metric.
func rule(metric Metric, cmp Comparison, threshold float64, source string) Rule {
	return Rule{
		Key: string(metric), Metric: metric, Comparison: cmp,
		Threshold: threshold, Published: threshold, Unit: metric.Unit(),
		Source: source, origin: source,
	}
}

// rulesFor stamps the medium on the rules of all lists, in order.
func rulesFor(media Media, lists ...[]Rule) []Rule {
	var out []Rule
	for _, list := range lists {
		for _, r := range list {
			r.Media = media
			out = append(out, r)
		}
	}
	return out
}

// callDiagnostics is what the reference system's Call Diagnostics portal runs.
// The bitrate rule is for video alone, as in the query. The order is the
// query's and is the order of reasons.
func callDiagnostics() *Profile {
	const src = sourceCallDiagnostics
	every := []Rule{
		rule(MetricJitter, Above, 30, src),
		rule(MetricJitterBuffer, Above, 200, src),
		rule(MetricLoss, Above, 0.1, src),
		rule(MetricRTT, Above, 500, src),
		rule(MetricHealed, Above, 0.1, src),
	}
	return &Profile{
		name:  CallDiagnostics,
		audio: ruleSet{rules: rulesFor(Audio, every)},
		video: ruleSet{rules: rulesFor(Video, every, []Rule{
			rule(MetricFrameRate, Below, 7, src),
			rule(MetricFreeze, Above, 6000, src),
			rule(MetricHeight, Below, 240, src),
			rule(MetricBitrate, Below, 150000, src),
		})},
		screen: ruleSet{rules: rulesFor(Screen, every, []Rule{
			rule(MetricFrameRate, Below, 1, src),
			rule(MetricFreeze, Above, 25000, src),
			rule(MetricHeight, Below, 768, src),
		})},
		any: ruleSet{rules: rulesFor("", every)},
	}
}

// cqd is the stream classification of the Call Quality Dashboard. Its
// Unclassified is [Unknown] with a [Cause].
func cqd(minPackets float64) *Profile {
	visual := func(media Media, fps float64, src string) ruleSet {
		return ruleSet{mode: firstAvailable, rules: rulesFor(media, []Rule{
			rule(MetricFrameLoss, Above, 0.5, src),
			rule(MetricFrameRate, Below, fps, src),
			rule(MetricLossAfterFEC, Above, 0.15, src),
		})}
	}
	return &Profile{
		name:                CQD,
		connectivityDecides: true,
		audio: ruleSet{minPackets: minPackets, rules: rulesFor(Audio, []Rule{
			rule(MetricMOSDegradation, Above, 1.0, sourceCQDAudio),
			rule(MetricRTT, Above, 500, sourceCQDAudio),
			rule(MetricLoss, Above, 0.1, sourceCQDAudio),
			rule(MetricJitter, Above, 30, sourceCQDAudio),
			rule(MetricConcealed, Above, 0.07, sourceCQDAudio),
		})},
		video:  visual(Video, 7, sourceCQDVideo),
		screen: visual(Screen, 2, sourceCQDScreen),
	}
}

// realTime turns the published "good" values round: what is not good is poor,
// so a value exactly at a bound is poor where good is stated as "less than".
// The frame rate is stated for 360p and more (25 to 30) and for 270p and less
// (7 to 15). Between the two, and for an unknown height, the looser bound
// holds. The upper ends are not judged: a smoother picture isn't a poor one.
func realTime() *Profile {
	const src = sourceRealTime
	every := []Rule{
		rule(MetricJitter, AtLeast, 30, src),
		rule(MetricLoss, AtLeast, 0.05, src),
		rule(MetricRTT, AtLeast, 500, src),
	}
	high := rule(MetricFrameRate, Below, 25, src)
	high.Key, high.MinHeightPx = "frame_rate_avg_360p", 360
	low := rule(MetricFrameRate, Below, 7, src)
	low.BelowHeightPx = 360
	return &Profile{
		name:   RealTime,
		audio:  ruleSet{rules: rulesFor(Audio, every, []Rule{rule(MetricBitrate, AtMost, 24000, src)})},
		video:  ruleSet{rules: rulesFor(Video, every, []Rule{high, low})},
		screen: ruleSet{rules: rulesFor(Screen, every)},
		any:    ruleSet{rules: rulesFor("", every)},
	}
}

// insights judges the network alone; a call with a poor stream is "impacted".
func insights() *Profile {
	every := []Rule{
		rule(MetricJitter, Above, 30, sourceInsights),
		rule(MetricLoss, Above, 0.1, sourceInsights),
		rule(MetricRTT, Above, 500, sourceInsights),
	}
	return &Profile{
		name:   Insights,
		audio:  ruleSet{rules: rulesFor(Audio, every)},
		video:  ruleSet{rules: rulesFor(Video, every)},
		screen: ruleSet{rules: rulesFor(Screen, every)},
		any:    ruleSet{rules: rulesFor("", every)},
	}
}
