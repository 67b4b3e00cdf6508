package webrtcinternals_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Series meet at their end: those that began later, or that the page cut to its newest thousand values, differ at the start.
func TestSeriesOfDifferentLengths(t *testing.T) {
	tests := map[string]struct {
		change func(series map[string]any)
		want   string
	}{
		"all alike": {
			change: func(map[string]any) {},
			want:   "inbound audio 11: 290 packets, 2 lost, from 10:00:00 to 10:00:19",
		},
		"one began later": {
			change: func(s map[string]any) { s["IT1-packetsLost"] = row("inbound-rtp", 15, 0, 0, 1, 4, 7) },
			want:   "inbound audio 11: 290 packets, 7 lost, from 10:00:00 to 10:00:19",
		},
		"the stream ended before the call": {
			change: func(s map[string]any) {
				s["P-dataChannelsOpened"] = row("peer-connection", 0, count(0, 0, 60)...)
				s["T1-bytesSent"] = row("transport", 0, count(0, 10, 60)...)
			},
			want: "inbound audio 11: 290 packets, 2 lost, from 10:00:00 to 10:00:19",
		},
		"a property whose name has no meaning here is damaged": {
			change: func(s map[string]any) { s["IT1-somethingNew"] = row("inbound-rtp", 0, "a") },
			want:   "inbound audio 11: 290 packets, 2 lost, from 10:00:00 to 10:00:19",
		},
		"a report's id with dashes": {
			change: func(s map[string]any) {
				for name, v := range maps.Clone(s) {
					delete(s, name)
					s[strings.Replace(name, "IT1-", "RTCInboundRTPAudioStream-11-a-", 1)] = v
				}
			},
			want: "inbound audio 11: 290 packets, 2 lost, from 10:00:00 to 10:00:19",
		},
		"computed rates are no statistics": {
			change: func(s map[string]any) { s["IT1-[packetsReceived/s]"] = row("inbound-rtp", 1, count(9000, 1, 19)...) },
			want:   "inbound audio 11: 290 packets, 2 lost, from 10:00:00 to 10:00:19",
		},
		"values as an array, not as text": {
			change: func(s map[string]any) {
				text, _ := s["IT1-packetsReceived"].(map[string]any)["values"].(string)
				s["IT1-packetsReceived"].(map[string]any)["values"] = json.RawMessage(text)
			},
			want: "inbound audio 11: 290 packets, 2 lost, from 10:00:00 to 10:00:19",
		},
		"an empty series": {
			change: func(s map[string]any) { s["IT1-nackCount"] = row("inbound-rtp", 0) },
			want:   "inbound audio 11: 290 packets, 2 lost, from 10:00:00 to 10:00:19",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := made{series: inbound(count(100, 10, 20), append(count(0, 0, 10), count(2, 0, 10)...))}
			test.change(m.series)
			if diff := cmp.Diff(test.want, one(t, mustDecode(t, m.bytes(t)))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What the page cut from the start of a series was counted, but not within the dump.
func TestCutSeries(t *testing.T) {
	m := made{series: inbound(count(5000, 10, 1000), count(7, 0, 1000))}
	result := mustDecode(t, m.bytes(t))
	if got, want := one(t, result), "inbound audio 11: 14990 packets, 7 lost, from 10:00:00 to 10:16:39"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	var packets uint64
	for _, e := range result.Events {
		for _, s := range e.GetStreamReport().GetStreams() {
			packets += s.Packets
		}
	}
	if packets != 9990 {
		t.Errorf("the samples count %d packets, want the 9990 of the dump's time", packets)
	}
}

// A stream that is restarted under the same report id, and one whose report is removed and comes again.
func TestRestart(t *testing.T) {
	m := made{series: inbound([]any{100, 200, 300, 10, 20, 30}, []any{1, 2, 3, 0, 0, 1})}
	if got, want := one(t, mustDecode(t, m.bytes(t))), "inbound audio 11: 330 packets, 4 lost, from 10:00:00 to 10:00:05"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	m = made{series: inbound([]any{100, 200, 300, 310}, []any{5, 9, 3, 2})}
	if got, want := one(t, mustDecode(t, m.bytes(t))), "inbound audio 11: 310 packets, 2 lost, from 10:00:00 to 10:00:03"; got != want {
		t.Errorf("late packets are counted back: got %s, want %s", got, want)
	}
}

// The times of the far end's series are those of its reports: seconds behind the sampling, which is each second as for all.
func TestRemoteSeries(t *testing.T) {
	series := map[string]any{
		"OT1-ssrc": row("outbound-rtp", 0, repeat(12, 20)...), "OT1-kind": row("outbound-rtp", 0, repeat("video", 20)...),
		"OT1-packetsSent": row("outbound-rtp", 0, count(10, 10, 20)...),
	}
	// First reported in the fourth second, last in the fifteenth; sampled until the last.
	remote := func(values ...any) map[string]any {
		return spell("remote-inbound-rtp", begin.Add(3400*time.Millisecond), begin.Add(15200*time.Millisecond), values)
	}
	lost := append(repeat(0, 8), repeat(6, 8)...)
	series["RI1-ssrc"], series["RI1-localId"] = remote(repeat(12, 16)...), remote(repeat("OT1", 16)...)
	series["RI1-packetsLost"], series["RI1-roundTripTime"] = remote(lost...), remote(repeat(0.25, 16)...)
	series["RI1-jitter"] = remote(repeat(0.015, 16)...)
	result := mustDecode(t, made{series: series}.bytes(t))
	if got, want := one(t, result), "outbound video 12: 200 packets, 6 lost, from 10:00:00 to 10:00:19"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if s := ended(result)[0]; s.GetRttMsAvg() != 250 || s.GetJitterMsAvg() != 15 {
		t.Errorf("round trip %v ms, jitter %v ms; want 250 and 15", s.GetRttMsAvg(), s.GetJitterMsAvg())
	}
	perWindow := map[string]int64{}
	for _, e := range result.Events {
		for _, s := range e.GetStreamReport().GetStreams() {
			perWindow[second(e.ObservedAtUs)] += s.PacketsLost
		}
	}
	if diff := cmp.Diff(map[string]int64{"10:00:10": 0, "10:00:19": 6}, perWindow); diff != "" {
		t.Errorf("lost by window, first told in second 12 (-want +got):\n%s", diff)
	}
}

// Older versions of the page wrote times as the browser shows them, in the user's time zone, under another name.
func TestOldLogs(t *testing.T) {
	log := func(at func(time.Duration) map[string]any) []any {
		entry := func(after time.Duration, kind, value string) any {
			e := at(after)
			e["type"], e["value"] = kind, value
			return e
		}
		return []any{
			entry(-2*time.Second, "createOffer", ""), entry(5*time.Second, "iceconnectionstatechange", `"disconnected"`),
			entry(8*time.Second, "iceconnectionstatechange", `"connected"`),
		}
	}
	vienna := time.FixedZone("", 3600)
	want := []string{"10:00:05 iceConnectionState disconnected", "10:00:08 iceConnectionState connected"}
	for name, at := range map[string]func(time.Duration) map[string]any{
		"timestamp":  func(d time.Duration) map[string]any { return map[string]any{"timestamp": begin.Add(d).UnixMilli()} },
		"time in ms": func(d time.Duration) map[string]any { return map[string]any{"time": begin.Add(d).UnixMilli()} },
		"time ISO 8601": func(d time.Duration) map[string]any {
			return map[string]any{"time": begin.Add(d).Format(time.RFC3339Nano)}
		},
		"time as shown": func(d time.Duration) map[string]any {
			return map[string]any{"time": begin.Add(d).In(vienna).Format("1/2/2006, 3:04:05 PM")}
		},
		"time as shown, narrow space": func(d time.Duration) map[string]any {
			return map[string]any{"time": begin.Add(d).In(vienna).Format("1/2/2006, 3:04:05\u202fPM")}
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := made{series: inbound(count(100, 10, 20), repeat(0, 20)), log: log(at)}
			var got []string
			for _, e := range mustDecode(t, m.bytes(t)).Events {
				if op := e.GetClientOperation(); op != nil {
					got = append(got, second(e.ObservedAtUs)+" "+op.Name+" "+op.Attributes["new_state"])
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// An event whose time nobody can read is left out; the statistics tell the call without it.
func TestUnreadableLogTimes(t *testing.T) {
	m := made{
		series: inbound(count(100, 10, 20), repeat(0, 20)),
		log:    []any{map[string]any{"time": "1.3.2026, 11:00:00", "type": "iceconnectionstatechange", "value": `"failed"`}},
	}
	for _, e := range mustDecode(t, m.bytes(t)).Events {
		if op := e.GetClientOperation(); op != nil {
			t.Errorf("an operation at %s of an event without a time", second(e.ObservedAtUs))
		}
	}
}

// What became of requests for camera, microphone and screen.
func TestCaptures(t *testing.T) {
	m := made{series: inbound(count(100, 10, 20), repeat(0, 20))}
	var d map[string]any
	if err := json.Unmarshal(m.bytes(t), &d); err != nil {
		t.Fatal(err)
	}
	request := func(second int, id int, members map[string]any) any {
		members["timestamp"], members["request_id"] = begin.Add(time.Duration(second)*time.Second).UnixMilli(), id
		return members
	}
	d["getUserMedia"] = []any{
		request(1, 0, map[string]any{"request_type": "getUserMedia", "audio": "", "video": "{}"}),
		request(2, 0, map[string]any{"request_type": "getUserMedia", "error": "NotAllowedError", "error_message": "Permission denied"}),
		request(3, 1, map[string]any{"request_type": "getUserMedia", "audio": ""}),
		request(4, 1, map[string]any{"request_type": "getUserMedia", "stream_id": "s", "audio_track_info": `{"id":"a","label":"Dana's Headset"}`}),
		request(5, 2, map[string]any{"request_type": "getDisplayMedia", "stream_id": "d", "video_track_info": "id:x label:DANA-LAPTOP"}),
		request(6, 3, map[string]any{"request_type": "getDisplayMedia", "error": "AbortError"}),
		map[string]any{"request_type": "getUserMedia", "error": "NotAllowedError"}, // no time: left out
	}
	data, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range mustDecode(t, data).Events {
		if p := e.GetClientDiagnostic(); p != nil {
			got = append(got, second(e.ObservedAtUs)+" "+p.Name+" "+p.Value)
		}
		if op := e.GetClientOperation(); op != nil {
			got = append(got, second(e.ObservedAtUs)+" "+op.Name+" "+op.Result)
		}
	}
	want := []string{
		"10:00:02 cameraPermissionDenied True", "10:00:02 microphonePermissionDenied True", "10:00:04 microphonePermissionDenied False",
		"10:00:05 startScreenShare Succeeded", "10:00:06 startScreenShare ExpectedError",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
