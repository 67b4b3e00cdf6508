package quality

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// published is the table of the design, written out by hand so that the rules
// in the code are compared with it and not with themselves.
type published struct {
	profile   string
	media     Media
	metric    Metric
	cmp       Comparison
	threshold float64
	heightPx  float64 // 0: not known
}

func publishedRules() []published {
	var out []published
	add := func(profile string, metric Metric, cmp Comparison, threshold float64, media ...Media) {
		for _, m := range media {
			out = append(out, published{profile: profile, media: m, metric: metric, cmp: cmp, threshold: threshold})
		}
	}
	const other Media = ""
	for _, m := range []Media{Audio, Video, Screen, other} {
		add(CallDiagnostics, MetricJitter, Above, 30, m)
		add(CallDiagnostics, MetricJitterBuffer, Above, 200, m)
		add(CallDiagnostics, MetricLoss, Above, 0.1, m)
		add(CallDiagnostics, MetricRTT, Above, 500, m)
		add(CallDiagnostics, MetricHealed, Above, 0.1, m)
		add(RealTime, MetricJitter, AtLeast, 30, m)
		add(RealTime, MetricLoss, AtLeast, 0.05, m)
		add(RealTime, MetricRTT, AtLeast, 500, m)
		add(Insights, MetricJitter, Above, 30, m)
		add(Insights, MetricLoss, Above, 0.1, m)
		add(Insights, MetricRTT, Above, 500, m)
	}
	add(CallDiagnostics, MetricFrameRate, Below, 7, Video)
	add(CallDiagnostics, MetricFrameRate, Below, 1, Screen)
	add(CallDiagnostics, MetricFreeze, Above, 6000, Video)
	add(CallDiagnostics, MetricFreeze, Above, 25000, Screen)
	add(CallDiagnostics, MetricHeight, Below, 240, Video)
	add(CallDiagnostics, MetricHeight, Below, 768, Screen)
	add(CallDiagnostics, MetricBitrate, Below, 150000, Video)

	add(CQD, MetricMOSDegradation, Above, 1, Audio)
	add(CQD, MetricRTT, Above, 500, Audio)
	add(CQD, MetricLoss, Above, 0.1, Audio)
	add(CQD, MetricJitter, Above, 30, Audio)
	add(CQD, MetricConcealed, Above, 0.07, Audio)
	add(CQD, MetricFrameLoss, Above, 0.5, Video, Screen)
	add(CQD, MetricFrameRate, Below, 7, Video)
	add(CQD, MetricFrameRate, Below, 2, Screen)
	add(CQD, MetricLossAfterFEC, Above, 0.15, Video, Screen)

	add(RealTime, MetricBitrate, AtMost, 24000, Audio)
	add(RealTime, MetricFrameRate, Below, 7, Video)
	out = append(out, published{RealTime, Video, MetricFrameRate, Below, 25, 360})
	return out
}

// set writes one metric by name; the tests' mirror of Metric.of.
func set(m *Measures, metric Metric, v Value) {
	switch metric {
	case MetricJitter:
		m.JitterMs = v
	case MetricJitterBuffer:
		m.JitterBufferMs = v
	case MetricLoss:
		m.LossRatio = v
	case MetricRTT:
		m.RTTMs = v
	case MetricHealed:
		m.HealedRatio = v
	case MetricConcealed:
		m.ConcealedRatio = v
	case MetricMOSDegradation:
		m.MOSDegradation = v
	case MetricFrameRate:
		m.FrameRate = v
	case MetricFreeze:
		m.FreezeMsPerMin = v
	case MetricHeight:
		m.ReceivedHeightPx = v
	case MetricBitrate:
		m.BitrateBps = v
	case MetricFrameLoss:
		m.FrameLossRatio = v
	case MetricLossAfterFEC:
		m.LossAfterFECRatio = v
	}
}

func allMetrics() []Metric {
	return []Metric{
		MetricJitter, MetricJitterBuffer, MetricLoss, MetricRTT, MetricHealed, MetricConcealed,
		MetricMOSDegradation, MetricFrameRate, MetricFreeze, MetricHeight, MetricBitrate,
		MetricFrameLoss, MetricLossAfterFEC,
	}
}

func profiles(t testing.TB, cfg Config) *Profiles {
	t.Helper()
	p, err := NewProfiles(cfg)
	if err != nil {
		t.Fatalf("NewProfiles: %v", err)
	}
	return p
}

func profile(t testing.TB, name string) *Profile {
	t.Helper()
	p, ok := profiles(t, DefaultConfig()).Get(name)
	if !ok {
		t.Fatalf("no profile %q", name)
	}
	return p
}

func TestThresholds(t *testing.T) {
	for _, row := range publishedRules() {
		name := row.profile + "/" + string(row.media) + "/" + string(row.metric)
		if row.heightPx > 0 {
			name += "_by_height"
		}
		t.Run(name, func(t *testing.T) {
			p := profile(t, row.profile)
			below, above := math.Nextafter(row.threshold, 0), math.Nextafter(row.threshold, math.Inf(1))
			for _, c := range []struct {
				at   string
				v    float64
				poor bool
			}{
				{"below", below, row.cmp == Below || row.cmp == AtMost},
				{"at", row.threshold, row.cmp == AtLeast || row.cmp == AtMost},
				{"above", above, row.cmp == Above || row.cmp == AtLeast},
			} {
				m := Measures{Media: row.media, Direction: Inbound}
				set(&m, row.metric, Of(c.v))
				if row.heightPx > 0 {
					m.ReceivedHeightPx = Of(row.heightPx)
				}
				got := Judge(p, m)
				want := Assessment{Profile: row.profile, Verdict: Good}
				if c.poor {
					want.Verdict = Poor
					want.Reasons = []Reason{{
						Metric: row.metric, Value: c.v, Comparison: row.cmp, Threshold: row.threshold,
						Unit: row.metric.Unit(), Media: row.media, Direction: Inbound,
					}}
					if len(got.Reasons) == 1 {
						if got.Reasons[0].Source == "" {
							t.Errorf("%s: reason without source", c.at)
						}
						got.Reasons[0].Source = ""
					}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s the threshold (-want +got):\n%s", c.at, diff)
				}
			}
		})
	}
}

// TestNoRuleUntested holds the table above and the code's rules together.
func TestNoRuleUntested(t *testing.T) {
	type key struct {
		profile   string
		media     Media
		metric    Metric
		cmp       Comparison
		threshold float64
	}
	want, got := map[key]int{}, map[key]int{}
	for _, r := range publishedRules() {
		want[key{r.profile, r.media, r.metric, r.cmp, r.threshold}]++
	}
	for _, name := range ProfileNames() {
		for _, r := range profile(t, name).Rules() {
			got[key{name, r.Media, r.Metric, r.Comparison, r.Threshold}]++
			if r.Source == "" || r.Unit == "" || r.Key == "" || r.Published != r.Threshold {
				t.Errorf("%s: incomplete rule %+v", name, r)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rules (-published +code):\n%s", diff)
	}
}

func TestUnknown(t *testing.T) {
	everything := func(media Media, v float64) Measures {
		m := Measures{Media: media}
		for _, metric := range allMetrics() {
			set(&m, metric, Value{V: v, Known: true})
		}
		return m
	}
	with := func(m Measures, change func(*Measures)) Measures { change(&m); return m }
	bad := Measures{Media: Audio, JitterMs: Of(99)}
	for name, c := range map[string]struct {
		profile string
		m       Measures
		verdict Verdict
		cause   Cause
	}{
		"nothing known":                   {CallDiagnostics, Measures{Media: Audio}, Unknown, CauseNoMetric},
		"nothing known at all":            {CallDiagnostics, Measures{}, Unknown, CauseNoMetric},
		"only packets":                    {CallDiagnostics, Measures{Media: Audio, Packets: Of(900)}, Unknown, CauseNoMetric},
		"not a number":                    {CallDiagnostics, everything(Video, math.NaN()), Unknown, CauseNoMetric},
		"infinite":                        {CallDiagnostics, everything(Video, math.Inf(1)), Unknown, CauseNoMetric},
		"infinite below zero":             {CallDiagnostics, everything(Screen, math.Inf(-1)), Unknown, CauseNoMetric},
		"negative":                        {CallDiagnostics, everything(Video, -1), Unknown, CauseNoMetric},
		"value without known":             {CallDiagnostics, Measures{Media: Audio, JitterMs: Value{V: 99}}, Unknown, CauseNoMetric},
		"no packets":                      {CallDiagnostics, with(bad, func(m *Measures) { m.Packets = Of(0) }), Unknown, CauseNoMedia},
		"packets negative: not known":     {CallDiagnostics, with(bad, func(m *Measures) { m.Packets = Value{V: -1, Known: true} }), Poor, ""},
		"one packet":                      {CallDiagnostics, with(bad, func(m *Measures) { m.Packets = Of(1) }), Poor, ""},
		"only a metric of another medium": {CallDiagnostics, Measures{Media: Audio, FrameRate: Of(1)}, Unknown, CauseNoMetric},
		"only a metric of another profile": {
			CallDiagnostics, Measures{Media: Audio, ConcealedRatio: Of(1)}, Unknown, CauseNoMetric,
		},
		"failed connectivity, default profile": {
			CallDiagnostics, with(bad, func(m *Measures) { m.ConnectivityFailed = true }), Poor, "",
		},
		"screen share bitrate is not judged": {CallDiagnostics, Measures{Media: Screen, BitrateBps: Of(1)}, Unknown, CauseNoMetric},
		"insights ignores the picture":       {Insights, Measures{Media: Video, FrameRate: Of(0)}, Unknown, CauseNoMetric},

		"cqd failed connectivity": {CQD, with(bad, func(m *Measures) { m.ConnectivityFailed = true }), Unknown, CauseConnectivity},
		"cqd 500 packets":         {CQD, with(bad, func(m *Measures) { m.Packets = Of(500) }), Unknown, CauseFewPackets},
		"cqd 501 packets":         {CQD, with(bad, func(m *Measures) { m.Packets = Of(501) }), Poor, ""},
		"cqd packets not known":   {CQD, bad, Poor, ""},
		"cqd no packets":          {CQD, with(bad, func(m *Measures) { m.Packets = Of(0) }), Unknown, CauseNoMedia},
		"cqd few packets of video": {
			CQD, Measures{Media: Video, Packets: Of(10), FrameRate: Of(20)}, Good, "",
		},
		"cqd other media": {CQD, Measures{Media: "data", RTTMs: Of(900)}, Unknown, CauseNoMetric},
	} {
		t.Run(name, func(t *testing.T) {
			got := Judge(profile(t, c.profile), c.m)
			got.Reasons = nil
			want := Assessment{Profile: c.profile, Verdict: c.verdict, Cause: c.cause}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if got.Cause != "" && got.Cause.Text() == "" {
				t.Errorf("cause %q has no text", got.Cause)
			}
		})
	}
}

func TestCQDFirstAvailableDecides(t *testing.T) {
	for name, c := range map[string]struct {
		m       Measures
		verdict Verdict
		metric  Metric
	}{
		"frame loss good, rest bad":   {Measures{FrameLossRatio: Of(0.5), FrameRate: Of(1), LossAfterFECRatio: Of(0.9)}, Good, ""},
		"frame loss bad, rest good":   {Measures{FrameLossRatio: Of(0.51), FrameRate: Of(30), LossAfterFECRatio: Of(0)}, Poor, MetricFrameLoss},
		"frame rate good, FEC bad":    {Measures{FrameRate: Of(30), LossAfterFECRatio: Of(0.9)}, Good, ""},
		"frame rate bad, FEC good":    {Measures{FrameRate: Of(1), LossAfterFECRatio: Of(0)}, Poor, MetricFrameRate},
		"only FEC, bad":               {Measures{LossAfterFECRatio: Of(0.16)}, Poor, MetricLossAfterFEC},
		"only FEC, good":              {Measures{LossAfterFECRatio: Of(0.15)}, Good, ""},
		"none":                        {Measures{RTTMs: Of(900)}, Unknown, ""},
		"frame loss not a number":     {Measures{FrameLossRatio: Value{V: math.NaN(), Known: true}, FrameRate: Of(1)}, Poor, MetricFrameRate},
		"network metrics don't count": {Measures{FrameRate: Of(30), LossRatio: Of(1), RTTMs: Of(999), JitterMs: Of(99)}, Good, ""},
	} {
		for _, media := range []Media{Video, Screen} {
			t.Run(name+"/"+string(media), func(t *testing.T) {
				c.m.Media = media
				got := Judge(profile(t, CQD), c.m)
				if got.Verdict != c.verdict {
					t.Fatalf("verdict %s, want %s", got.Verdict, c.verdict)
				}
				if c.metric != "" && (len(got.Reasons) != 1 || got.Reasons[0].Metric != c.metric) {
					t.Errorf("reasons %v, want %s alone", got.Reasons, c.metric)
				}
			})
		}
	}
}

func TestRealTimeFrameRateByHeight(t *testing.T) {
	for _, c := range []struct {
		height Value
		fps    float64
		want   Verdict
	}{
		{Of(720), 25, Good},
		{Of(720), 24.9, Poor},
		{Of(720), 31, Good},
		{Of(360), 24, Poor},
		{Of(359.9), 24, Good},
		{Of(300), 7, Good},
		{Of(300), 6.9, Poor},
		{Of(270), 7, Good},
		{Of(180), 6, Poor},
		{Of(180), 16, Good},
		{Value{}, 7, Good},
		{Value{}, 6, Poor},
	} {
		got := Judge(profile(t, RealTime), Measures{Media: Video, ReceivedHeightPx: c.height, FrameRate: Of(c.fps)})
		if got.Verdict != c.want || len(got.Reasons) > 1 {
			t.Errorf("%v px, %v fps: %s %v, want %s", c.height, c.fps, got.Verdict, got.Reasons, c.want)
		}
	}
}

func TestReasonsKeepTheOrderOfRules(t *testing.T) {
	m := Measures{Media: Video, Direction: Outbound}
	for _, r := range profile(t, CallDiagnostics).Rules() {
		if r.Media != Video {
			continue
		}
		v := r.Threshold * 2
		if r.Comparison == Below {
			v = r.Threshold / 2
		}
		set(&m, r.Metric, Of(v))
	}
	var got []string
	for _, r := range Judge(Default(), m).Reasons {
		got = append(got, r.String())
	}
	want := []string{
		"jitter_ms_avg 60 > 30 ms", "jitter_buffer_ms_avg 400 > 200 ms", "loss_ratio 0.2 > 0.1",
		"rtt_ms_avg 1000 > 500 ms", "healed_ratio 0.2 > 0.1", "frame_rate_avg 3.5 < 7 fps",
		"freeze_ms_per_min 12000 > 6000 ms/min", "height_avg 120 < 240 px", "bitrate_avg 75000 < 150000 bit/s",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func goodVideo() Measures {
	return Measures{
		Media: Video, Direction: Inbound, Packets: Of(201144), RTTMs: Of(96), JitterMs: Of(4),
		LossRatio: Of(0.0012), JitterBufferMs: Of(88), FrameRate: Of(23.4), ReceivedHeightPx: Of(360),
		FreezeMsPerMin: Of(310.5), BitrateBps: Of(812000),
	}
}

func TestJudgeOfAGoodStreamAllocatesNothing(t *testing.T) {
	m := goodVideo()
	m.FrameRate = Of(30) // real-time calls less than 25 fps at 360p poor
	for _, name := range ProfileNames() {
		p := profile(t, name)
		var a Assessment
		if n := testing.AllocsPerRun(100, func() { a = Judge(p, m) }); n != 0 || a.Verdict != Good {
			t.Errorf("%s: %v allocations, verdict %s", name, n, a.Verdict)
		}
	}
}

func BenchmarkJudge(b *testing.B) {
	poor := goodVideo()
	poor.JitterMs = Of(34)
	for name, m := range map[string]Measures{"good": goodVideo(), "poor": poor, "unknown": {Media: Audio}} {
		b.Run(name, func(b *testing.B) {
			p := Default()
			b.ReportAllocs()
			for b.Loop() {
				Judge(p, m)
			}
		})
	}
}
