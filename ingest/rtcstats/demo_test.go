package rtcstats_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/internal/demo"
	"github.com/anteroom/anteroom/quality"
)

// relayed is what the relay between the two browsers counted of one SSRC, apart from any browser.
type relayed struct{ Forwarded, Dropped int64 }

type relay struct{ Sent, Received map[string]relayed }

func relayOf(t *testing.T, name string) relay {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "internal", "demo", "testdata", strings.TrimSuffix(name, ".dump")+".relay.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r relay
	if err := json.Unmarshal(raw, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// repairs are the SSRCs under which the streams of a dump are repaired: the browser counts such packets with the stream.
func repairs(t *testing.T, data []byte) map[uint32]uint32 {
	t.Helper()
	out := map[uint32]uint32{}
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		var fields []json.RawMessage
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err)
		}
		var reports map[string]json.RawMessage
		if string(fields[0]) != `"getstats"` || json.Unmarshal(fields[2], &reports) != nil {
			continue
		}
		for _, raw := range reports {
			var r struct{ SSRC, RTXSSRC uint32 }
			if json.Unmarshal(raw, &r) == nil && r.RTXSSRC != 0 {
				out[r.SSRC] = r.RTXSSRC
			}
		}
	}
	return out
}

// The decoder's figures beside those of the relay. Every lost packet of what was received is one that the relay dropped. Every
// packet is one that the relay saw, except for those that it saw after the last statistics were taken; and of what
// was sent, the far end had told of the lost ones up to its last report, some seconds before the end.
func TestDemoAgainstTheRelay(t *testing.T) {
	const tail = 20 // packets: a second of the slowest stream, the shared screen
	for _, file := range demo.Files() {
		t.Run(file.Name, func(t *testing.T) {
			truth, repaired := relayOf(t, file.Name), repairs(t, file.Data)
			streams := ended(mustDecode(t, file.Data))
			if len(streams) != 6 {
				t.Fatalf("%d streams, want audio, video and screen both ways", len(streams))
			}
			for _, s := range streams {
				by := truth.Sent
				if s.Direction == eventpb.Direction_DIRECTION_INBOUND {
					by = truth.Received
				}
				main, seen := by[strconv.FormatUint(uint64(s.Ssrc), 10)]
				repair := by[strconv.FormatUint(uint64(repaired[s.Ssrc]), 10)]
				if !seen {
					t.Errorf("the relay saw no SSRC %d", s.Ssrc)
					continue
				}
				want, lost := main.Forwarded+repair.Forwarded, s.GetPacketsLost()
				if s.Direction == eventpb.Direction_DIRECTION_OUTBOUND {
					want += main.Dropped + repair.Dropped
					if lost > main.Dropped || lost < main.Dropped*9/10-tail/2 {
						t.Errorf("sent %v: %d lost, the relay dropped %d", s.Media, lost, main.Dropped)
					}
				} else if lost != main.Dropped {
					t.Errorf("received %v: %d lost, the relay dropped %d", s.Media, lost, main.Dropped)
				}
				short := want - int64(s.GetPackets())
				if short < 0 || short > tail || s.Media == eventpb.Media_MEDIA_AUDIO && short > 1 {
					t.Errorf("%v %v: %d packets, the relay saw %d", s.Direction, s.Media, s.GetPackets(), want)
				}
			}
		})
	}
}

// By the thresholds that are the default nothing of the clean call is poor, and every stream of the impaired one is.
func TestDemoVerdicts(t *testing.T) {
	profiles, err := quality.NewProfiles(quality.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range demo.Files() {
		want := map[string]quality.Verdict{"clean.dump": quality.Good, "impaired.dump": quality.Poor}[file.Name]
		for _, s := range ended(mustDecode(t, file.Data)) {
			got := quality.Judge(profiles.Default(), measures(s))
			if got.Verdict != want {
				t.Errorf("%s: %v %v is %v %v, want %v", file.Name, s.Direction, s.Media, got.Verdict, got.Reasons, want)
			}
		}
	}
}

func measures(s *eventpb.StreamEnded) quality.Measures {
	inbound := s.Direction == eventpb.Direction_DIRECTION_INBOUND
	m := quality.Measures{
		Media: map[eventpb.Media]quality.Media{
			eventpb.Media_MEDIA_AUDIO: quality.Audio, eventpb.Media_MEDIA_VIDEO: quality.Video, eventpb.Media_MEDIA_SCREEN: quality.Screen,
		}[s.Media],
		Packets: quality.Of(float64(s.GetPackets())), JitterMs: quality.OfPtr(s.JitterMsAvg), LossRatio: quality.OfPtr(s.LossRatio),
		RTTMs: quality.OfPtr(s.RttMsAvg), BitrateBps: quality.OfPtr(s.BitrateAvg), FrameRate: quality.OfPtr(s.FrameRateAvg),
	}
	if inbound { // the others say nothing of what is sent
		m.JitterBufferMs, m.HealedRatio = quality.OfPtr(s.JitterBufferMsAvg), quality.OfPtr(s.HealedRatio)
		m.FreezeMsPerMin, m.ReceivedHeightPx = quality.OfPtr(s.FreezeMsPerMin), quality.OfPtr(s.HeightAvg)
	}
	return m
}
