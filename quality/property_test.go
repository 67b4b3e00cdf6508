package quality

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// lowerIsWorse says in which direction a metric gets worse.
func lowerIsWorse(m Metric) bool {
	return m == MetricFrameRate || m == MetricHeight || m == MetricBitrate
}

// scale is a figure near the thresholds of the metric, so that draws fall on
// both sides of them.
func scale(m Metric) float64 {
	switch m {
	case MetricJitter:
		return 60
	case MetricJitterBuffer:
		return 400
	case MetricRTT:
		return 1000
	case MetricMOSDegradation:
		return 2
	case MetricFrameRate:
		return 40
	case MetricFreeze:
		return 50000
	case MetricHeight:
		return 1200
	case MetricBitrate:
		return 300000
	}
	return 0.4 // ratios
}

// drawValue draws a value around the thresholds, or none, or one that can't be.
func drawValue(t *rapid.T, m Metric) Value {
	label := string(m)
	switch rapid.IntRange(0, 9).Draw(t, label+" kind") {
	case 0, 1, 2:
		return Value{}
	case 3:
		return Value{V: rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 0, math.MaxFloat64}).Draw(t, label), Known: true}
	}
	return Value{V: rapid.Float64Range(0, scale(m)).Draw(t, label), Known: true}
}

func drawMeasures(t *rapid.T) Measures {
	m := Measures{
		Media:              rapid.SampledFrom([]Media{Audio, Video, Screen, "", "data"}).Draw(t, "media"),
		Direction:          rapid.SampledFrom([]Direction{Inbound, Outbound, ""}).Draw(t, "direction"),
		ConnectivityFailed: rapid.IntRange(0, 9).Draw(t, "connectivity") == 0,
	}
	if rapid.Bool().Draw(t, "packets known") {
		m.Packets = Of(rapid.SampledFrom([]float64{0, 1, 500, 501, 100000}).Draw(t, "packets"))
	}
	for _, metric := range allMetrics() {
		set(&m, metric, drawValue(t, metric))
	}
	return m
}

func drawProfile(t *rapid.T, all *Profiles) *Profile {
	p, ok := all.Get(rapid.SampledFrom(ProfileNames()).Draw(t, "profile"))
	if !ok {
		t.Fatal("a named profile is missing")
	}
	return p
}

// Making a known metric worse never turns poor into good. Height is left out
// under real-time, which doesn't judge it but picks the frame rate's bound by it.
func TestWorseIsNeverBetter(t *testing.T) {
	all := profiles(t, DefaultConfig())
	rapid.Check(t, func(t *rapid.T) {
		p, m := drawProfile(t, all), drawMeasures(t)
		before := Judge(p, m)
		metric := rapid.SampledFrom(allMetrics()).Draw(t, "worse metric")
		v := metric.of(&m)
		if !v.Known || p.Name() == RealTime && metric == MetricHeight {
			return
		}
		worse := m
		if lowerIsWorse(metric) {
			set(&worse, metric, Of(v.V*rapid.Float64Range(0, 1).Draw(t, "factor")))
		} else {
			set(&worse, metric, Of(min(v.V+rapid.Float64Range(0, 2*scale(metric)).Draw(t, "more"), math.MaxFloat64)))
		}
		after := Judge(p, worse)
		if before.Verdict == Poor && after.Verdict != Poor {
			t.Fatalf("%s: %s made worse: %v became %v", p.Name(), metric, before, after)
		}
		if (before.Verdict == Unknown) != (after.Verdict == Unknown) {
			t.Fatalf("%s: %s made worse: %v became %v", p.Name(), metric, before, after)
		}
	})
}

func TestAssessmentIsConsistent(t *testing.T) {
	all := profiles(t, DefaultConfig())
	rapid.Check(t, func(t *rapid.T) {
		p, m := drawProfile(t, all), drawMeasures(t)
		a := Judge(p, m)
		if (a.Verdict == Poor) != (len(a.Reasons) > 0) || (a.Verdict == Unknown) != (a.Cause != "") {
			t.Fatalf("inconsistent: %+v", a)
		}
		seen := map[Metric]bool{}
		for _, r := range a.Reasons {
			if seen[r.Metric] {
				t.Fatalf("%s twice: %v", r.Metric, a.Reasons)
			}
			seen[r.Metric] = true
			if !r.Comparison.holds(r.Value, r.Threshold) || r.Value != r.Metric.of(&m).V {
				t.Fatalf("reason doesn't hold: %v", r)
			}
		}
		if diff := cmp.Diff(a, Judge(p, m)); diff != "" {
			t.Fatalf("judged twice:\n%s", diff)
		}
		other := m
		other.Direction = Inbound
		if b := Judge(p, other); b.Verdict != a.Verdict {
			t.Fatalf("direction changed the verdict: %s, %s", a.Verdict, b.Verdict)
		}
	})
}

func drawMOSInput(t *rapid.T) MOSInput {
	in := MOSInput{
		Media: Audio, Codec: rapid.SampledFrom([]string{"opus", "PCMU", ""}).Draw(t, "codec"),
		LossRatio: Of(rapid.Float64Range(0, 1).Draw(t, "loss")),
		FEC:       rapid.Bool().Draw(t, "fec"), RED: rapid.Bool().Draw(t, "red"), DTX: rapid.Bool().Draw(t, "dtx"),
	}
	if rapid.Bool().Draw(t, "rtt known") {
		in.RTTMs = Of(rapid.Float64Range(0, 3000).Draw(t, "rtt"))
	}
	if rapid.Bool().Draw(t, "jitter known") {
		in.JitterMs = Of(rapid.Float64Range(0, 500).Draw(t, "jitter"))
	}
	if rapid.Bool().Draw(t, "buffer known") {
		in.JitterBufferMs = Of(rapid.Float64Range(0, 3000).Draw(t, "buffer"))
	}
	if rapid.Bool().Draw(t, "bitrate known") {
		in.BitrateBps = Of(rapid.Float64Range(0, 600000).Draw(t, "bitrate"))
	}
	return in
}

func TestMOSFallsWithLossAndDelay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawMOSInput(t)
		before, ok := EstimateMOS(in)
		if !ok || before.MOS < 1 || before.MOS > 4.5 || math.IsNaN(before.MOS) || before.R < 0 || before.R > 100 {
			t.Fatalf("out of range: %+v", before)
		}
		worse := in
		switch rapid.SampledFrom([]string{"loss", "rtt", "jitter", "buffer"}).Draw(t, "worse") {
		case "loss":
			worse.LossRatio.V += rapid.Float64Range(0, 1).Draw(t, "more loss")
		case "rtt":
			worse.RTTMs = Of(in.RTTMs.V + rapid.Float64Range(0, 3000).Draw(t, "more rtt"))
		case "jitter":
			worse.JitterMs = Of(in.JitterMs.V + rapid.Float64Range(0, 500).Draw(t, "more jitter"))
		case "buffer":
			if !in.JitterBufferMs.Known {
				return
			}
			worse.JitterBufferMs.V += rapid.Float64Range(0, 3000).Draw(t, "more buffer")
		}
		after, ok := EstimateMOS(worse)
		// Annex B's cubic is increasing; 1e-12 allows for rounding.
		if !ok || after.MOS > before.MOS+1e-12 {
			t.Fatalf("MOS rose from %v to %v", before, after)
		}
	})
}

func TestCallIsPoorIffSomethingWas(t *testing.T) {
	verdicts := []Verdict{Good, Poor, Unknown, ""}
	rapid.Check(t, func(t *rapid.T) {
		in := CallInput{UnexpectedEnds: rapid.IntRange(0, 5).Draw(t, "ends")}
		poor := 0
		for _, v := range rapid.SliceOfN(rapid.SampledFrom(verdicts), 0, 8).Draw(t, "streams") {
			in.Streams = append(in.Streams, Assessment{Verdict: v})
			if v == Poor {
				poor++
			}
		}
		got := JudgeCall(in)
		if (got.Verdict == Poor) != (poor > 0) || got.Issues.Total != poor+in.UnexpectedEnds ||
			got.GoodStreams+got.PoorStreams+got.UnknownStreams != len(in.Streams) {
			t.Fatalf("%+v", got)
		}
		in.Diagnostics = []Diagnostic{{Name: "networkReconnect", Value: "Bad"}}
		if again := JudgeCall(in); again.Verdict != Poor || again.Issues.Total != got.Issues.Total+1 {
			t.Fatalf("with a bad network: %+v", again)
		}
	})
}
