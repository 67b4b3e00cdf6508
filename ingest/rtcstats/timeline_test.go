package rtcstats_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/decode"
)

// timeline is what a result says besides streams: "5 cameraPermissionDenied True", seconds into the call first.
func timeline(result *decode.Result) []string {
	var out []string
	for _, e := range result.Events {
		second := (e.ObservedAtUs/1000 - historyStart) / 1000
		switch p := e.Payload.(type) {
		case *eventpb.Event_ClientDiagnostic:
			out = append(out, fmt.Sprintf("%d %s %s", second, p.ClientDiagnostic.Name, p.ClientDiagnostic.Value))
		case *eventpb.Event_ClientOperation:
			op := p.ClientOperation
			out = append(out, strings.TrimSpace(fmt.Sprintf("%d %s %s %s", second, op.Name, op.Attributes["new_state"], op.Result)))
		case *eventpb.Event_ParticipantLeft:
			out = append(out, strings.TrimSpace("left "+p.ParticipantLeft.ResultCategory))
		}
	}
	return out
}

func TestTimeline(t *testing.T) {
	at := func(second int, method, pc, value string) string {
		return fmt.Sprintf(`[%q,%s,%s,%d]`, method, pc, value, historyStart+second*1000)
	}
	const pc, none, media, display = `"PC_0"`, "null", "navigator.mediaDevices.getUserMedia", "navigator.mediaDevices.getDisplayMedia"
	tests := map[string]struct {
		lines []string
		want  []string
	}{
		"nothing happens": {nil, []string{"left"}},
		"camera and microphone refused, then granted": {
			[]string{
				at(1, media, none, `{"audio":true,"video":{"width":640}}`), at(2, media+"OnFailure", none, `"NotAllowedError: Permission denied"`),
				at(3, media, none, `{"audio":true,"video":true}`), at(4, media+"OnSuccess", none, `{"id":"s","tracks":[{"id":"a","kind":"audio"},{"id":"v","kind":"video"}]}`),
			},
			[]string{
				"2 cameraPermissionDenied True", "2 microphonePermissionDenied True",
				"4 microphonePermissionDenied False", "4 cameraPermissionDenied False", "left",
			},
		},
		"no microphone, told as an object": {
			[]string{at(1, media, none, `{"audio":{},"video":false}`), at(2, media+"OnFailure", none, `{"name":"NotFoundError"}`)},
			[]string{"2 noMicrophoneDevicesEnumerated True", "left"},
		},
		"camera busy, then granted as text": {
			[]string{
				at(1, media, none, `{"video":true}`), at(2, media+"OnFailure", none, `"NotReadableError"`),
				at(3, media+"OnSuccess", none, `"stream audio:1,video:2"`),
			},
			[]string{"2 cameraStartFailed True", "3 cameraStartFailed False", "left"},
		},
		"camera timed out": {
			[]string{at(1, media, none, `{"video":true}`), at(2, media+"OnFailure", none, `"TimeoutError"`)},
			[]string{"2 cameraStartTimedOut True", "left"},
		},
		"screen refused, shared, then broken": {
			[]string{
				at(1, display, none, `{"video":true}`), at(2, display+"OnFailure", none, `"NotAllowedError"`),
				at(3, display+"OnSuccess", none, `{"tracks":[{"id":"x","kind":"video"}]}`), at(4, display+"OnFailure", none, `"NotReadableError"`),
			},
			[]string{
				"2 startScreenShare  ExpectedError", "3 startScreenShare  Succeeded",
				"4 capturerStartFailed True", "4 startScreenShare  UnexpectedClientError", "left",
			},
		},
		"network away and back": {
			[]string{
				at(1, "oniceconnectionstatechange", pc, `"connected"`), at(2, "oniceconnectionstatechange", pc, `"disconnected"`),
				at(3, "oniceconnectionstatechange", pc, `"a state of another time"`), at(4, "oniceconnectionstatechange", pc, `"connected"`),
			},
			[]string{
				"1 iceConnectionState connected", "2 networkReconnect Bad", "2 iceConnectionState disconnected",
				"4 networkReconnect Good", "4 iceConnectionState connected", "left",
			},
		},
		"failed for good": {
			[]string{at(9, "onconnectionstatechange", pc, `"failed"`)},
			[]string{"9 networkReconnect Bad", "9 connectionState failed UnexpectedClientError", "left UnexpectedClientError"},
		},
		"no keys, no agreement": {
			[]string{at(1, "ondtlsstatechange", pc, `"failed"`), at(2, "setRemoteDescriptionOnFailure", pc, `"OperationError"`)},
			[]string{"1 dtlsState failed UnexpectedClientError", "2 setRemoteDescription  UnexpectedClientError", "left"},
		},
		"untimed remarks of nobody": {
			[]string{`["someLog",null,"x"]`, `["conferenceStartTimestamp",null,5,null]`},
			[]string{"left"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			lines := append([]string{createLine, statsLine(0, 10, 0), statsLine(8, 20, 0)}, test.lines...)
			got := timeline(mustDecode(t, []byte(strings.Join(lines, "\n"))))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A stream is a screen when its content, its source, its track or the application says so.
func TestScreens(t *testing.T) {
	line := func(props, others string) string {
		return `["getstats","PC_0",{"O":{"type":"outbound-rtp","kind":"video","ssrc":7,"packetsSent":5,"mediaSourceId":"S"` + props + `}` + others + `},1772359201000]`
	}
	source := func(props string) string { return `,"S":{"type":"media-source","kind":"video"` + props + `}` }
	shared := `["navigator.mediaDevices.getDisplayMediaOnSuccess",null,{"tracks":[{"id":"x1","kind":"video"}]},1772359200500]`
	for name, test := range map[string]struct {
		lines []string
		want  eventpb.Media
	}{
		"camera":      {[]string{shared, line("", source(`,"trackIdentifier":"cam"`))}, eventpb.Media_MEDIA_VIDEO},
		"content":     {[]string{line(`,"contentType":"screenshare"`, "")}, eventpb.Media_MEDIA_SCREEN},
		"source":      {[]string{line("", source(`,"displaySurface":"monitor"`))}, eventpb.Media_MEDIA_SCREEN},
		"track":       {[]string{shared, line("", source(`,"trackIdentifier":"x1"`))}, eventpb.Media_MEDIA_SCREEN},
		"application": {[]string{`["setVideoType","PC_0",{"ssrc":7,"videoType":"desktop"},1772359200500]`, line("", "")}, eventpb.Media_MEDIA_SCREEN},
	} {
		result := mustDecode(t, []byte(strings.Join(test.lines, "\n")))
		if got := ended(result)[0].Media; got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
