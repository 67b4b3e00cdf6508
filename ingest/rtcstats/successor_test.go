package rtcstats_test

import (
	"strings"
	"testing"
)

// successorDump is a dump of rtcstats/rtcstats as its server writes it: names as numbers, times as steps, a report that does not
// change left out, one that is removed null.
const successorDump = `RTCStatsDump
{"fileFormat":3,"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36","origin":"https://meet.example"}
["create",null,{"hardwareConcurrency":8},1772359200000]
[39,"1",{"iceServers":[]},100]
[24,"1","connected",100]
["g","1",{"t":1772359200800,"1":{"2":0,"type":1,"10":11,"11":"audio","12":"2","14":50,"15":0,"16":0.01},"2":{"type":14,"6":"audio/opus"},"3":{"type":2,"10":12,"11":"video","79":10},"4":{"type":3,"10":12,"15":1,"75":0.2}},600]
["g","1",{"t":1772359201800,"1":{"14":100,"15":2},"3":{"79":30}},1000]
["g","1",{"t":1772359202800,"1":{"14":150},"3":null,"4":null},1000]
["g","1",{"t":1772359203800,"1":{"14":200,"15":1}},1000]
[36,"1",200]
["close",null,1000,1772359205000]
`

func TestSuccessor(t *testing.T) {
	result := mustDecode(t, []byte(successorDump))
	want := map[uint32]figures{11: {200, 1}, 12: {30, 1}}
	for _, s := range ended(result) {
		if got := (figures{s.GetPackets(), s.GetPacketsLost()}); got != want[s.Ssrc] {
			t.Errorf("ssrc %d: %+v, want %+v", s.Ssrc, got, want[s.Ssrc])
		}
		if s.Ssrc == 11 && (s.Codec != "opus" || s.GetJitterMsAvg() != 10) || s.Ssrc == 12 && s.GetRttMsAvg() != 200 {
			t.Errorf("ssrc %d: codec %q, jitter %v, round trip %v", s.Ssrc, s.Codec, s.GetJitterMsAvg(), s.GetRttMsAvg())
		}
	}
	if len(ended(result)) != 2 {
		t.Errorf("%d streams, want 2", len(ended(result)))
	}
	joined := result.Events[1].GetParticipantJoined()
	if joined.ClientFamily != "Chrome" || joined.ClientVersion != "130" {
		t.Errorf("client %s %s, want Chrome 130", joined.ClientFamily, joined.ClientVersion)
	}
	for i, line := range strings.SplitAfter(successorDump, "\n")[2:9] {
		cut := strings.Index(successorDump, line) + len(line) - 3
		refused(t, []byte(successorDump[:cut]), i+3, "cut off")
	}
}
