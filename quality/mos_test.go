package quality

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The figures are worked out apart from the code, from the published formula.
func TestEstimateMOS(t *testing.T) {
	base := MOSInput{Media: Audio, Codec: "OPUS", LossRatio: Of(0), RTTMs: Of(0), JitterBufferMs: Of(0), BitrateBps: Of(math.Exp(10))}
	with := func(change func(*MOSInput)) MOSInput { in := base; change(&in); return in }
	for name, c := range map[string]struct {
		in      MOSInput
		r, mos  float64
		assumed Assumptions
	}{
		// Ie = 55 - 46 = 9; d = 20, Id = 0.48; R = 83.72
		"clean": {base, 83.7200, 4.1565, 0},
		// Ppl 10, Bpl 10: Ie,eff = 9 + 86/2 = 52; R = 40.72
		"ten percent": {with(func(m *MOSInput) { m.LossRatio = Of(0.1) }), 40.7200, 2.0994, 0},
		// Bpl 20: 9 + 86/3; R = 93.2 - 0.48 - 37.666667
		"ten percent with FEC": {with(func(m *MOSInput) { m.LossRatio = Of(0.1); m.FEC = true }), 55.0533, 2.8412, 0},
		// Bpl 90: 9 + 8.6 = 17.6; R = 75.12. RED wins over FEC.
		"ten percent with RED": {with(func(m *MOSInput) { m.LossRatio = Of(0.1); m.RED, m.FEC = true, true }), 75.1200, 3.8270, 0},
		// d = 20 + 100 + 200 = 320; Id = 7.68 + 15.697 = 23.377; R = 60.823
		"late": {with(func(m *MOSInput) { m.RTTMs = Of(400); m.JitterBufferMs = Of(100) }), 60.8230, 3.1425, 0},
		"DTX":  {with(func(m *MOSInput) { m.DTX = true; m.BitrateBps = Value{} }), 84.7200, 4.1892, 0},
		"nothing but loss": {
			MOSInput{Media: Audio, LossRatio: Of(0)},
			86.7200, 4.2506,
			AssumedNoRTT | AssumedNoBuffer | AssumedBitrate | AssumedOpus,
		},
		// d = 20 + 60: Id = 1.92
		"jitter for buffer": {with(func(m *MOSInput) { m.JitterBufferMs = Value{}; m.JitterMs = Of(30) }), 82.2800, 4.1072, AssumedBuffer2Jitter},
		"low bitrate":       {with(func(m *MOSInput) { m.BitrateBps = Of(100) }), 62.7200, 3.2397, 0},
		"high bitrate":      {with(func(m *MOSInput) { m.BitrateBps = Of(510000) }), 92.7200, 4.3998, 0},
		"zero bitrate":      {with(func(m *MOSInput) { m.BitrateBps = Of(0) }), 86.7200, 4.2506, AssumedBitrate},
		"all lost, very late": {
			with(func(m *MOSInput) { m.LossRatio = Of(1); m.RTTMs = Of(1e300) }), 0, 1, 0,
		},
		"loss above one": {with(func(m *MOSInput) { m.LossRatio = Of(7) }), 5.5382, 1.0000, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := EstimateMOS(c.in)
			if !ok {
				t.Fatal("no estimate")
			}
			if math.Abs(got.R-c.r) > 1e-4 {
				t.Errorf("R %v, want %v", got.R, c.r)
			}
			if math.Abs(got.MOS-c.mos) > 1e-4 {
				t.Errorf("MOS %v, want %v", got.MOS, c.mos)
			}
			if got.Assumptions != c.assumed || got.Formula != MOSFormula {
				t.Errorf("assumptions %v, formula %q", got.Assumptions.Texts(), got.Formula)
			}
			if diff := cmp.Diff(c.in, got.Inputs); diff != "" {
				t.Errorf("inputs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNoMOS(t *testing.T) {
	for name, in := range map[string]MOSInput{
		"video":            {Media: Video, LossRatio: Of(0)},
		"screen":           {Media: Screen, LossRatio: Of(0)},
		"no medium":        {LossRatio: Of(0)},
		"loss not known":   {Media: Audio, RTTMs: Of(20), JitterBufferMs: Of(20)},
		"loss not a ratio": {Media: Audio, LossRatio: Value{V: math.NaN(), Known: true}},
		"no packets":       {Media: Audio, LossRatio: Of(0), Packets: Of(0)},
	} {
		if got, ok := EstimateMOS(in); ok {
			t.Errorf("%s: estimated %v", name, got.MOS)
		}
	}
}

// TestAnnexB pins the map from R to MOS to points of ITU-T G.107 annex B.
func TestAnnexB(t *testing.T) {
	for _, c := range []struct{ r, mos float64 }{
		{-5, 1}, {0, 1}, {50, 2.575}, {60, 3.1}, {70, 3.597}, {80, 4.024}, {90, 4.339}, {93.2, 4.409}, {100, 4.5}, {120, 4.5},
	} {
		if got := mosOfR(c.r); math.Abs(got-c.mos) > 0.0005 {
			t.Errorf("R %v: MOS %v, want %v", c.r, got, c.mos)
		}
	}
}

// TestFormulaTextSaysTheConstants keeps the published text true.
func TestFormulaTextSaysTheConstants(t *testing.T) {
	for _, want := range []string{
		"R = " + formatNumber(defaultR), "d - " + formatNumber(delayKneeMs), "+ " + formatNumber(fixedDelayMs) + " ms",
		"(" + formatNumber(maxImpairment) + " - Ie)", "Ie = " + formatNumber(ieDTX) + " with DTX",
		"0, " + formatNumber(ieMax) + ")", "else " + formatNumber(ieUnknown) + ";", "Bpl = " + formatNumber(bplPlain),
		"with FEC " + formatNumber(bplFEC), "with RED " + formatNumber(bplRED),
	} {
		if !strings.Contains(MOSFormulaText, want) {
			t.Errorf("the formula's text lacks %q", want)
		}
	}
}

func TestMOSIsPublished(t *testing.T) {
	e, ok := EstimateMOS(MOSInputOf(Measures{Media: Audio, LossRatio: Of(0.021), RTTMs: Of(212), JitterMs: Of(34)}, "OPUS"))
	if !ok {
		t.Fatal("no estimate")
	}
	got, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"formula":"emodel-simplified/1"`, `"loss_ratio":0.021`, `"rtt_ms":212`, `"jitter_buffer_ms":null`,
		"taken as twice the jitter", "codec impairment of 6",
	} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%s lacks %s", got, want)
		}
	}
	if n := len((AssumedNoRTT | AssumedBuffer2Jitter | AssumedNoBuffer | AssumedBitrate | AssumedOpus).Texts()); n != 5 {
		t.Errorf("%d texts of 5 assumptions", n)
	}
}

func BenchmarkEstimateMOS(b *testing.B) {
	in := MOSInput{Media: Audio, Codec: "opus", LossRatio: Of(0.02), RTTMs: Of(120), JitterBufferMs: Of(60), BitrateBps: Of(32000)}
	b.ReportAllocs()
	for b.Loop() {
		EstimateMOS(in)
	}
}
