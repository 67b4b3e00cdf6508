package webrtcinternals_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/anteroom/anteroom/event/eventpb"
)

type lastFigures struct {
	Packets uint64
	Lost    int64
	Bytes   uint64
}

type trackKey struct {
	direction eventpb.Direction
	ssrc      uint32
}

// lastValues reads a dump naively: the last value of each series, by report. An oracle that knows nothing of the decoder.
func lastValues(t *testing.T, data []byte) map[trackKey]lastFigures {
	t.Helper()
	var d struct {
		PeerConnections map[string]struct {
			Stats map[string]struct {
				StatsType, Values string
			}
		}
	}
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	out := map[trackKey]lastFigures{}
	for _, pc := range d.PeerConnections {
		last := func(name string) float64 {
			var values []float64
			if s, ok := pc.Stats[name]; ok && json.Unmarshal([]byte(s.Values), &values) == nil {
				return values[len(values)-1]
			}
			return 0
		}
		for name, s := range pc.Stats {
			id, ok := strings.CutSuffix(name, "-ssrc")
			ssrc := uint32(last(name))
			switch {
			case ok && s.StatsType == "inbound-rtp":
				out[trackKey{eventpb.Direction_DIRECTION_INBOUND, ssrc}] = lastFigures{
					uint64(last(id + "-packetsReceived")), int64(last(id + "-packetsLost")), uint64(last(id + "-bytesReceived")),
				}
			case ok && s.StatsType == "outbound-rtp":
				remote := "RI" + strings.TrimPrefix(strings.TrimPrefix(id, "OT01A"), "OT01V")
				for other := range pc.Stats {
					if strings.HasPrefix(other, "RI") && strings.HasSuffix(other, strings.TrimPrefix(remote, "RI")+"-packetsLost") {
						remote = strings.TrimSuffix(other, "-packetsLost")
					}
				}
				out[trackKey{eventpb.Direction_DIRECTION_OUTBOUND, ssrc}] = lastFigures{
					uint64(last(id + "-packetsSent")), int64(last(remote + "-packetsLost")), uint64(last(id + "-bytesSent")),
				}
			}
		}
	}
	return out
}

func TestRecordedDump(t *testing.T) {
	data := recorded(t)
	result, again := mustDecode(t, data), mustDecode(t, data)
	for i := range result.Events {
		if !proto.Equal(result.Events[i], again.Events[i]) {
			t.Fatalf("event %d differs when decoded again", i)
		}
	}
	got := map[trackKey]lastFigures{}
	sums, want := map[string]lastFigures{}, map[string]lastFigures{}
	for _, s := range ended(result) {
		f := lastFigures{s.GetPackets(), s.GetPacketsLost(), s.GetBytes()}
		got[trackKey{s.Direction, s.Ssrc}], want[string(s.StreamId)] = f, f
		if s.LocalCandidateType != eventpb.CandidateType_CANDIDATE_TYPE_HOST || s.Transport != "udp" {
			t.Errorf("ssrc %d travels by %v, %q; want host, udp", s.Ssrc, s.LocalCandidateType, s.Transport)
		}
		if s.RttMsAvg == nil || s.JitterMsAvg == nil || s.GetRttMsAvg() > 1000 || s.GetJitterMsAvg() > 1000 {
			t.Errorf("ssrc %d: round trip %v ms, jitter %v ms; want both known and below a second", s.Ssrc, s.RttMsAvg, s.JitterMsAvg)
		}
		if codec := map[eventpb.Media]string{eventpb.Media_MEDIA_AUDIO: "opus", eventpb.Media_MEDIA_VIDEO: "VP8"}[s.Media]; s.Codec != codec {
			t.Errorf("ssrc %d: codec %q, want %q", s.Ssrc, s.Codec, codec)
		}
		if seconds := (s.EndedAtUs - s.StartedAtUs) / 1e6; seconds != 12 {
			t.Errorf("ssrc %d: %d seconds, want 12", s.Ssrc, seconds)
		}
	}
	oracle := lastValues(t, data)
	if len(oracle) != 4 {
		t.Fatalf("the dump has %d streams, want 4", len(oracle))
	}
	if diff := cmp.Diff(oracle, got); diff != "" {
		t.Errorf("packets, lost and bytes (-last values of the dump +decoder):\n%s", diff)
	}
	for _, e := range result.Events {
		for _, s := range e.GetStreamReport().GetStreams() {
			was := sums[string(s.StreamId)]
			sums[string(s.StreamId)] = lastFigures{was.Packets + s.Packets, was.Lost + s.PacketsLost, was.Bytes + s.Bytes}
		}
	}
	if diff := cmp.Diff(want, sums); diff != "" {
		t.Errorf("samples do not add up (-summary +samples):\n%s", diff)
	}
	joined := result.Events[1].GetParticipantJoined()
	client := joined.GetClientFamily() + " " + joined.GetClientVersion() + " " + joined.GetOsFamily()
	if client != "Chrome 156 Linux" || joined.GetIdentity().GetKind() != eventpb.Identity_KIND_GUEST {
		t.Errorf("joined with %q as %v; want Chrome 156 Linux as a guest", client, joined.GetIdentity().GetKind())
	}
}

// The recorded log tells each peer connection's way to connected.
func TestRecordedStates(t *testing.T) {
	var got []string
	for _, e := range mustDecode(t, recorded(t)).Events {
		if op := e.GetClientOperation(); op != nil {
			got = append(got, op.Name+" "+op.Attributes["new_state"])
		}
	}
	want := map[string]int{
		"iceConnectionState checking": 2, "iceConnectionState connected": 2, "connectionState connecting": 2, "connectionState connected": 2,
	}
	counted := map[string]int{}
	for _, s := range got {
		counted[s]++
	}
	if diff := cmp.Diff(want, counted); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
}
