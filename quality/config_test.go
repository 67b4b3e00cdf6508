package quality

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

func TestOverrides(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Overrides = Overrides{
		CallDiagnostics: {
			AllMedia: {"jitter_ms_avg": 40, "frame_rate_avg": 3},
			"video":  {"frame_rate_avg": 12, "jitter_ms_avg": 20},
		},
		RealTime: {"video": {"frame_rate_avg_360p": 15}},
	}
	p := profiles(t, cfg)
	for name, c := range map[string]struct {
		profile string
		m       Measures
		want    Verdict
	}{
		"all, audio":               {CallDiagnostics, Measures{Media: Audio, JitterMs: Of(40)}, Good},
		"all, audio above":         {CallDiagnostics, Measures{Media: Audio, JitterMs: Of(41)}, Poor},
		"all, other media":         {CallDiagnostics, Measures{Media: "data", JitterMs: Of(35)}, Good},
		"own medium wins":          {CallDiagnostics, Measures{Media: Video, JitterMs: Of(21)}, Poor},
		"own medium, frame rate":   {CallDiagnostics, Measures{Media: Video, FrameRate: Of(11)}, Poor},
		"all, screen frame rate":   {CallDiagnostics, Measures{Media: Screen, FrameRate: Of(2)}, Poor},
		"what isn't named stays":   {CallDiagnostics, Measures{Media: Video, RTTMs: Of(501)}, Poor},
		"other profiles untouched": {Insights, Measures{Media: Audio, JitterMs: Of(35)}, Poor},
		"height band":              {RealTime, Measures{Media: Video, FrameRate: Of(16), ReceivedHeightPx: Of(720)}, Good},
	} {
		t.Run(name, func(t *testing.T) {
			prof, ok := p.Get(c.profile)
			if !ok {
				t.Fatalf("no profile %s", c.profile)
			}
			if got := Judge(prof, c.m); got.Verdict != c.want {
				t.Errorf("%s %v, want %s", got.Verdict, got.Reasons, c.want)
			}
		})
	}
	got := Judge(p.Default(), Measures{Media: Video, JitterMs: Of(21)}).Reasons[0].Source
	if want := "configured, in place of 30 of: " + sourceCallDiagnostics; got != want {
		t.Errorf("source %q, want %q", got, want)
	}
	if plain := Judge(Default(), Measures{Media: Audio, JitterMs: Of(35)}); plain.Verdict != Poor {
		t.Errorf("an override leaked into the published profile")
	}
}

func TestConfigRefused(t *testing.T) {
	over := func(profile, media, key string, v float64) Config {
		return Config{Overrides: Overrides{profile: {media: {key: v}}}}
	}
	for name, c := range map[string]struct {
		cfg  Config
		want []string // all in the error
	}{
		"profile":         {Config{Profile: "cdq"}, []string{`profile: unknown name "cdq"`, "call-diagnostics, cqd"}},
		"override":        {over("realtime", "all", "loss_ratio", 1), []string{`overrides: unknown name "realtime"`}},
		"medium":          {over(CQD, "sound", "loss_ratio", 1), []string{`overrides.cqd: unknown name "sound"`, "all, audio"}},
		"metric":          {over(CQD, "audio", "jitter", 1), []string{`overrides.cqd.audio: unknown name "jitter"`, "jitter_ms_avg"}},
		"not this medium": {over(CQD, "video", "rtt_ms_avg", 1), []string{`overrides.cqd.video: unknown name "rtt_ms_avg"`}},
		"zero":            {over(Insights, "all", "rtt_ms_avg", 0), []string{"overrides.insights.all.rtt_ms_avg: 0 is not above zero"}},
		"negative":        {over(Insights, "audio", "rtt_ms_avg", -5), []string{"overrides.insights.audio.rtt_ms_avg: -5"}},
		"not a number":    {over(Insights, "audio", "rtt_ms_avg", math.NaN()), []string{"overrides.insights.audio.rtt_ms_avg", "finite"}},
		"infinite":        {over(Insights, "audio", "rtt_ms_avg", math.Inf(1)), []string{"overrides.insights.audio.rtt_ms_avg", "finite"}},
		"percent":         {over(Insights, "audio", "loss_ratio", 5), []string{"overrides.insights.audio.loss_ratio: 5 is above 1", "0.05"}},
		"packets":         {Config{CQDAudioMinPackets: -1}, []string{"cqd_audio_min_packets: -1"}},
		"all at once": {
			Config{Profile: "x", CQDAudioMinPackets: -2, Overrides: Overrides{"y": nil}},
			[]string{"cqd_audio_min_packets", `"x"`, `"y"`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := NewProfiles(c.cfg)
			if err == nil || p != nil {
				t.Fatalf("accepted: %v, %v", p, err)
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q doesn't say %q", err, w)
				}
			}
		})
	}
}

func TestProfiles(t *testing.T) {
	for _, cfg := range []Config{{}, DefaultConfig()} {
		p := profiles(t, cfg)
		if got := p.Default().Name(); got != CallDiagnostics {
			t.Errorf("default profile %s", got)
		}
		if got, ok := p.Get(""); !ok || got != p.Default() {
			t.Errorf("the empty name is not the default profile")
		}
		if _, ok := p.Get("nope"); ok {
			t.Errorf("unknown profile found")
		}
	}
	if got := profiles(t, Config{Profile: CQD}).Default().Name(); got != CQD {
		t.Errorf("chosen profile %s", got)
	}
	// Without the packet rule (the older text) short streams are judged.
	p, _ := profiles(t, Config{}).Get(CQD)
	if got := Judge(p, Measures{Media: Audio, Packets: Of(10), JitterMs: Of(99)}); got.Verdict != Poor {
		t.Errorf("cqd without packet rule: %s", got.Verdict)
	}
	// Rules hands out a copy.
	Default().Rules()[0].Threshold = 1
	d := Default()
	d.Rules()[0].Threshold = 1
	if got := Judge(d, Measures{Media: Audio, JitterMs: Of(20)}); got.Verdict != Good {
		t.Errorf("a change to the slice of Rules reached the profile")
	}
}

func TestJSON(t *testing.T) {
	a := Judge(Default(), Measures{Media: Audio, Direction: Outbound, JitterMs: Of(34)})
	got, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"profile":"call-diagnostics","verdict":"poor","reasons":[{"metric":"jitter_ms_avg","value":34,"comparison":"\u003e","threshold":30,"unit":"ms","source":"` +
		sourceCallDiagnostics + `","media":"audio","direction":"outbound"}]}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	got, err = json.Marshal([]Value{Of(1.5), {}, {V: math.NaN(), Known: true}})
	if err != nil || string(got) != "[1.5,null,null]" {
		t.Errorf("values: %s, %v", got, err)
	}
}

func TestValue(t *testing.T) {
	one := 1.0
	nan := math.NaN()
	for name, c := range map[string]struct{ got, want Value }{
		"of":            {Of(1), Value{1, true}},
		"zero is known": {Of(0), Value{0, true}},
		"nil":           {OfPtr(nil), Value{}},
		"pointer":       {OfPtr(&one), Value{1, true}},
		"pointer NaN":   {OfPtr(&nan), Value{}},
		"null":          {OfNullable(7, false), Value{}},
		"not null":      {OfNullable(7, true), Value{7, true}},
		"negative":      {Of(-0.1), Value{}},
		"infinite":      {Of(math.Inf(1)), Value{}},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
	if p := Of(2).Ptr(); p == nil || *p != 2 {
		t.Errorf("Ptr of a known value: %v", p)
	}
	if p := (Value{V: nan, Known: true}).Ptr(); p != nil {
		t.Errorf("Ptr of NaN: %v", *p)
	}
}
