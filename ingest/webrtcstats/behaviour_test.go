package webrtcstats_test

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/decode"
	"github.com/anteroom/anteroom/ingest/label"
	"github.com/anteroom/anteroom/ingest/rtcstats"
)

const epoch = 1772359200000 // a multiple of ten seconds

// line is a line of a dump so many seconds into the call.
func line(method, pc, value string, second float64) string {
	if pc != "null" {
		pc = `"` + pc + `"`
	}
	return fmt.Sprintf(`["%s",%s,%s,%d]`, method, pc, value, epoch+int64(second*1000))
}

// stats is a line of statistics of PC_0; the values are reports by id without their enclosing braces.
func stats(second float64, reports ...string) string {
	return line("getstats", "PC_0", `{"timestamp":0,`+strings.Join(reports, ",")+`}`, second)
}

func decoded(t *testing.T, org bool, lines ...string) *decode.Result {
	t.Helper()
	keys, err := label.NewKeyring(bytes.Repeat([]byte("k"), label.MinKeyLen))
	if err != nil {
		t.Fatal(err)
	}
	pseudonyms, err := keys.For("contoso")
	if err != nil {
		t.Fatal(err)
	}
	all := append([]string{line("create", "PC_0", "{}", 0)}, lines...)
	result, err := rtcstats.Decode([]byte(strings.Join(all, "\n")), decode.Options{
		Org: "contoso", Region: "eu-1", OrgUser: org, Pseudonyms: pseudonyms,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range result.Events {
		if err := event.Validate(e); err != nil {
			t.Fatal(err)
		}
	}
	return result
}

func streams(r *decode.Result) map[uint32]*eventpb.StreamEnded {
	out := map[uint32]*eventpb.StreamEnded{}
	for _, e := range r.Events {
		if s := e.GetStreamEnded(); s != nil {
			if out[s.Ssrc] != nil {
				panic("two streams of one SSRC")
			}
			out[s.Ssrc] = s
		}
	}
	return out
}

func inbound(packets, lost int, more string) string {
	return fmt.Sprintf(`"IT1":{"type":"inbound-rtp","kind":"audio","ssrc":1,"timestamp":0,"packetsReceived":%d,"packetsLost":%d%s}`,
		packets, lost, more)
}

func TestTotals(t *testing.T) {
	type figures struct {
		Packets uint64
		Lost    int64
		Ratio   float64
	}
	tests := map[string]struct {
		lines []string
		want  figures
	}{
		"counts on": {[]string{stats(1, inbound(100, 5, "")), stats(2, inbound(190, 10, ""))}, figures{190, 10, 0.05}},
		"restart, what was counted before is kept": {
			[]string{stats(1, inbound(100, 5, "")), stats(2, inbound(200, 8, "")), stats(3, inbound(50, 1, "")), stats(4, inbound(80, 1, ""))},
			figures{280, 9, 9.0 / 289},
		},
		"late packets are counted back, no restart": {
			[]string{stats(1, inbound(100, 10, "")), stats(2, inbound(203, 7, ""))}, figures{203, 7, 7.0 / 210},
		},
		"more late packets than lost ones": {[]string{stats(1, inbound(100, 0, "")), stats(2, inbound(203, -3, ""))}, figures{203, -3, 0}},
		"a report that goes and comes again": {
			[]string{
				stats(1, inbound(100, 0, "")), stats(2, `"X":{"type":"codec"}`), stats(3, inbound(150, 1, "")),
			}, figures{150, 1, 1.0 / 151},
		},
		"lines that come late are left out": {
			[]string{stats(1, inbound(100, 0, "")), stats(3, inbound(300, 0, "")), stats(2, inbound(200, 0, "")), stats(4, inbound(400, 0, ""))},
			figures{400, 0, 0},
		},
		"the clock is set back an hour": {
			[]string{stats(3601, inbound(100, 0, "")), stats(3602, inbound(200, 0, "")), stats(3, inbound(300, 0, "")), stats(4, inbound(400, 0, ""))},
			figures{400, 0, 0},
		},
		"a property that is missing keeps its value": {
			[]string{stats(1, inbound(100, 4, "")), stats(2, `"IT1":{"timestamp":0,"packetsReceived":196}`)}, figures{196, 4, 0.02},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			result := decoded(t, false, test.lines...)
			s := streams(result)[1]
			got := figures{s.GetPackets(), s.GetPacketsLost(), s.GetLossRatio()}
			near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-9 })
			if diff := cmp.Diff(test.want, got, near); diff != "" {
				t.Errorf("totals (-want +got):\n%s", diff)
			}
		})
	}
}

// Two peer connections with one SSRC are two streams, as are a sent and a received one.
func TestStreamsAreNotMixed(t *testing.T) {
	out := `"OT1":{"type":"outbound-rtp","kind":"audio","ssrc":1,"timestamp":0,"packetsSent":7}`
	result := decoded(t, false,
		stats(1, inbound(100, 0, ""), out), line("getstats", "PC_1", `{"timestamp":0,`+inbound(30, 0, "")+`}`, 1),
		stats(2, inbound(200, 0, ""), out), line("getstats", "PC_1", `{"timestamp":0,`+inbound(60, 0, "")+`}`, 2))
	ids, packets := map[string]bool{}, map[uint64]bool{}
	for _, e := range result.Events {
		if s := e.GetStreamEnded(); s != nil {
			ids[string(s.StreamId)] = true
			packets[s.GetPackets()] = true
		}
	}
	if diff := cmp.Diff(map[uint64]bool{200: true, 60: true, 7: true}, packets); diff != "" || len(ids) != 3 {
		t.Errorf("%d stream ids; packets (-want +got):\n%s", len(ids), diff)
	}
}

// The far end's reports find the stream that they speak of by remoteId, localId or SSRC, and in the old spelling.
func TestFarEndReports(t *testing.T) {
	sent := func(id string, ssrc, packets int, more string) string {
		return fmt.Sprintf(`"%s":{"type":"outbound-rtp","kind":"video","ssrc":%d,"timestamp":0,"packetsSent":%d,"bytesSent":%d%s}`,
			id, ssrc, packets, packets*1000, more)
	}
	far := func(id string, ssrc, lost int, more string) string {
		return fmt.Sprintf(`"%s":{"type":"remote-inbound-rtp","ssrc":%d,"timestamp":0,"packetsLost":%d,"jitter":0.02,"roundTripTime":0.1%s}`,
			id, ssrc, lost, more)
	}
	at := func(s float64, n int) string {
		return stats(s,
			sent("O1", 1, 100*n, `,"remoteId":"R1"`), far("R1", 1, n, ""),
			sent("O2", 2, 100*n, ""), far("R2", 99, 2*n, `,"localId":"O2"`),
			sent("O3", 3, 100*n, ""), far("R3", 3, 3*n, ""),
			sent("O4", 4, 100*n, ""),
			fmt.Sprintf(`"R4":{"type":"inbound-rtp","isRemote":true,"mediaType":"video","ssrc":4,"timestamp":0,"packetsLost":%d,"jitter":0.02,"roundTripTime":0.1}`, 4*n),
			sent("O5", 5, 100*n, ""))
	}
	got := streams(decoded(t, false, at(1, 1), at(2, 2), at(3, 3)))
	if len(got) != 5 {
		t.Fatalf("%d streams, want 5", len(got))
	}
	for ssrc := uint32(1); ssrc <= 4; ssrc++ {
		s := got[ssrc]
		if s.GetPackets() != 300 || s.GetPacketsLost() != int64(3*ssrc) || math.Abs(s.GetLossRatio()-float64(ssrc)/100) > 1e-9 {
			t.Errorf("ssrc %d: %d packets, %d lost, ratio %v", ssrc, s.GetPackets(), s.GetPacketsLost(), s.GetLossRatio())
		}
		if math.Abs(s.GetJitterMsAvg()-20) > 1e-9 || math.Abs(s.GetRttMsAvg()-100) > 1e-9 {
			t.Errorf("ssrc %d: jitter %v, round trip %v", ssrc, s.GetJitterMsAvg(), s.GetRttMsAvg())
		}
	}
	if s := got[5]; s.PacketsLost != nil || s.LossRatio != nil || s.RttMsAvg != nil {
		t.Errorf("without a far end's report, loss and round trip are known: %v", s)
	}
}

func TestScreens(t *testing.T) {
	video := func(id string, ssrc int, more string) string {
		return fmt.Sprintf(`"%s":{"type":"outbound-rtp","kind":"video","ssrc":%d,"timestamp":0,"packetsSent":1%s}`, id, ssrc, more)
	}
	result := decoded(t, false,
		line("setVideoType", "null", `{"ssrc":4,"videoType":"desktop"}`, 0.1),
		line("setVideoType", "null", `{"ssrc":5,"videoType":"camera"}`, 0.1),
		line("navigator.mediaDevices.getDisplayMediaOnSuccess", "null", `{"id":"s","tracks":[{"id":"shared","kind":"video","label":"Screen 1"}]}`, 0.2),
		stats(1, video("A", 1, ""), video("B", 2, `,"contentType":"screenshare"`), video("C", 3, `,"mediaSourceId":"M"`),
			`"M":{"type":"media-source","kind":"video","trackIdentifier":"shared"}`, video("D", 4, ""), video("E", 5, "")))
	got := map[uint32]eventpb.Media{}
	for ssrc, s := range streams(result) {
		got[ssrc] = s.Media
	}
	camera, screen := eventpb.Media_MEDIA_VIDEO, eventpb.Media_MEDIA_SCREEN
	if diff := cmp.Diff(map[uint32]eventpb.Media{1: camera, 2: screen, 3: screen, 4: screen, 5: camera}, got); diff != "" {
		t.Errorf("media (-want +got):\n%s", diff)
	}
}

// Figures of a stream whose arithmetic is done by hand.
func TestFigures(t *testing.T) {
	audio := func(n int) string {
		return inbound(500*n, 0, fmt.Sprintf(`,"bytesReceived":%d,"jitter":0.0%d,"jitterBufferDelay":%d,"jitterBufferEmittedCount":%d,`+
			`"concealedSamples":%d,"silentConcealedSamples":%d,"totalSamplesReceived":%d`, 40000*n, n, 48000/10*n, 48000*n, 5000*n, 200*n, 48000*n))
	}
	video := func(n int) string {
		return fmt.Sprintf(`"IT2":{"type":"inbound-rtp","kind":"video","ssrc":2,"timestamp":0,"packetsReceived":%d,"packetsLost":0,"bytesReceived":%d,`+
			`"framesDecoded":%d,"frameHeight":360,"freezeCount":%d,"totalFreezesDuration":%d}`, 100*n, 125000*n, 250*n, n, n)
	}
	pair := `"T":{"type":"transport","selectedCandidatePairId":"P"},"P":{"type":"candidate-pair","state":"succeeded","nominated":true,` +
		`"localCandidateId":"L","remoteCandidateId":"R","currentRoundTripTime":0.05},"L":{"type":"local-candidate","candidateType":"relay",` +
		`"protocol":"udp","relayProtocol":"tls"},"R":{"type":"remote-candidate","candidateType":"srflx"}`
	var lines []string
	for n := 1; n <= 4; n++ {
		lines = append(lines, stats(float64(10*n), audio(n), video(n), pair))
	}
	result := decoded(t, false, lines...)
	a, v := streams(result)[1], streams(result)[2]
	want := map[string]float64{
		"jitter": (20 + 30 + 40) / 3.0, "jitter max": 40, "jitter buffer": 100, "healed": 0.1, "bitrate": 32000, "rtt": 50,
		"frame rate": 25, "height": 360, "video bitrate": 100000, "freeze per minute": 6000 * 4.0 / 3,
	}
	got := map[string]float64{
		"jitter": a.GetJitterMsAvg(), "jitter max": a.GetJitterMsMax(), "jitter buffer": a.GetJitterBufferMsAvg(),
		"healed": a.GetHealedRatio(), "bitrate": a.GetBitrateAvg(), "rtt": a.GetRttMsAvg(),
		"frame rate": v.GetFrameRateAvg(), "height": v.GetHeightAvg(), "video bitrate": v.GetBitrateAvg(), "freeze per minute": v.GetFreezeMsPerMin(),
	}
	near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-6 })
	if diff := cmp.Diff(want, got, near); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
	if a.Transport != "tls" || a.LocalCandidateType != eventpb.CandidateType_CANDIDATE_TYPE_RELAY {
		t.Errorf("path %q %v", a.Transport, a.LocalCandidateType)
	}
}

// Reports follow the wall clock; after a gap the next reaches back to the last.
func TestIntervals(t *testing.T) {
	var lines []string
	for _, s := range []float64{1, 2, 9, 11, 19, 20, 55, 56} {
		lines = append(lines, stats(s, inbound(int(s*10), 0, "")))
	}
	type interval struct {
		EndS    float64
		LengthS float64
		Packets uint64
	}
	var got []interval
	for _, e := range decoded(t, false, lines...).Events {
		if r := e.GetStreamReport(); r != nil {
			got = append(got, interval{float64(e.ObservedAtUs/1000-epoch) / 1000, float64(r.IntervalMs) / 1000, r.Streams[0].Packets})
		}
	}
	if diff := cmp.Diff([]interval{{10, 10, 90}, {20, 10, 110}, {56, 36, 360}}, got); diff != "" {
		t.Errorf("intervals (-want +got):\n%s", diff)
	}
}

func TestDiagnostics(t *testing.T) {
	ice := func(s float64, state string) string {
		return line("oniceconnectionstatechange", "PC_0", `"`+state+`"`, s)
	}
	result := decoded(t, false,
		line("navigator.mediaDevices.getUserMedia", "null", `{"audio":true,"video":{}}`, 0),
		line("navigator.mediaDevices.getUserMediaOnFailure", "null", `"NotAllowedError: Permission denied"`, 0.1),
		line("navigator.mediaDevices.getUserMedia", "null", `{"audio":true,"video":false}`, 0.2),
		line("navigator.mediaDevices.getUserMediaOnSuccess", "null", `{"tracks":[{"id":"a","kind":"audio","label":"Dana's headset"}]}`, 0.3),
		ice(1, "connected"), stats(2, inbound(1, 0, "")), ice(3, "disconnected"), ice(4, "failed"), ice(5, "connected"), ice(6, "disconnected"))
	var got []string
	ids := map[string]int{}
	for _, e := range result.Events {
		if d := e.GetClientDiagnostic(); d != nil {
			got = append(got, d.Name+" "+d.Value)
			ids[string(d.OperationId)]++
		}
		if strings.Contains(e.String(), "Dana") {
			t.Error("an event tells a device's label")
		}
	}
	want := []string{
		"cameraPermissionDenied True", "microphonePermissionDenied True", "microphonePermissionDenied False",
		"networkReconnect Bad", "networkReconnect Good", "networkReconnect Bad",
	}
	if diff := cmp.Diff(want, got); diff != "" || len(ids) != 4 {
		t.Errorf("%d ranges; diagnostics (-want +got):\n%s", len(ids), diff)
	}
}

// What scrubbers leave in place of a name names nobody, and a device is no person.
func TestIdentityPlaceholders(t *testing.T) {
	unknown := &eventpb.Identity{Kind: eventpb.Identity_KIND_ORG_USER}
	for identity, want := range map[string]*eventpb.Identity{
		`{"deviceId":"device-1","userId":null,"displayName":"scrubbed"}`: unknown,
		`{"deviceId":"device-1"}`:                        unknown,
		`{"userId":"null","displayName":"null"}`:         unknown,
		`{"userId":"undefined","displayName":" \t"}`:     unknown,
		`{"userId":" Scrubbed ","displayName":" Dana "}`: {Kind: eventpb.Identity_KIND_ORG_USER, DisplayName: "Dana"},
	} {
		result := decoded(t, true, line("identity", "null", identity, 0), stats(1, inbound(1, 0, "")))
		if got := result.Events[1].GetParticipantJoined().GetIdentity(); !proto.Equal(want, got) {
			t.Errorf("%s: identity %v, want %v", identity, got, want)
		}
	}
	// A placeholder that comes later takes nothing away.
	result := decoded(t, true, line("identity", "null", `{"userId":"u-17"}`, 0), line("identity", "null", `{"userId":"scrubbed"}`, 0),
		stats(1, inbound(1, 0, "")))
	if got := result.Events[1].GetParticipantJoined().GetIdentity().GetUserId(); got != "u-17" {
		t.Errorf("user id %q, want u-17", got)
	}
}

func TestIdentity(t *testing.T) {
	lines := []string{
		line("identity", "null", `{"userId":"u-17","displayName":"Dana Doe","confName":"secret-room"}`, 0), stats(1, inbound(1, 0, "")),
	}
	for org, want := range map[bool]*eventpb.Identity{
		false: {Kind: eventpb.Identity_KIND_GUEST},
		true:  {Kind: eventpb.Identity_KIND_ORG_USER, UserId: "u-17", DisplayName: "Dana Doe"},
	} {
		result := decoded(t, org, lines...)
		if got := result.Events[1].GetParticipantJoined().GetIdentity(); !proto.Equal(want, got) {
			t.Errorf("org user %v: identity %v", org, got)
		}
		for _, e := range result.Events {
			if strings.Contains(e.String(), "secret-room") || !org && strings.Contains(e.String(), "Dana") {
				t.Errorf("org user %v: an event tells a name", org)
			}
		}
	}
}
