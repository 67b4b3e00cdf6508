package rtcstats_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/event/eventpb"
)

// features is what the extractor of jitsi/rtcstats-server computed from a dump, an oracle that knows nothing of this code.
type features []struct {
	Features struct {
		Aggregates map[string]struct {
			CandidatePairData struct {
				LocalCandidateType  string `json:"localCandidateType"`
				RemoteCandidateType string `json:"remoteCandidateType"`
				LocalProtocol       string `json:"localProtocol"`
			} `json:"candidatePairData"`
			Tracks struct {
				ReceiverTracks []featureTrack `json:"receiverTracks"`
				SenderTracks   []featureTrack `json:"senderTracks"`
			} `json:"tracks"`
		} `json:"aggregates"`
		BrowserInfo struct {
			Name         string `json:"name"`
			MajorVersion string `json:"majorVersion"`
		} `json:"browserInfo"`
	} `json:"features"`
}

type featureTrack struct {
	MediaType   string `json:"mediaType"`
	Packets     uint64 `json:"packets"`
	PacketsLost int64  `json:"packetsLost"`
	SSRC        uint32 `json:"ssrc"`
}

type trackKey struct {
	direction eventpb.Direction
	ssrc      uint32
}

type figures struct {
	Packets uint64
	Lost    int64
}

// The extractor's figures that differ from this decoder's, each with the reason. Everything else must be equal.
//
// In the Firefox dump the extractor takes packetsSent from the far end's report (remote-inbound-rtp), where no such property
// exists, hence 0; the client's own report (outbound-rtp) says 4676 and 7726. And it takes any report with packetsReceived and
// an SSRC for a received track, so that the far end's reports about what the client sends (4580 of 4676 and 7683 of 7726 had
// arrived when the far end last reported) appear as two tracks that nobody received.
var featureDifferences = map[string]map[trackKey][2]*figures{ // [extractor, decoder]
	"firefox-standard-stats-sfu": {
		{eventpb.Direction_DIRECTION_OUTBOUND, 271883463}:  {{0, 0}, {4676, 0}},
		{eventpb.Direction_DIRECTION_OUTBOUND, 1426121629}: {{0, 0}, {7726, 0}},
		{eventpb.Direction_DIRECTION_INBOUND, 271883463}:   {{4580, 0}, nil},
		{eventpb.Direction_DIRECTION_INBOUND, 1426121629}:  {{7683, 0}, nil},
	},
}

func TestFeatures(t *testing.T) {
	all := dumps(t)
	compared := 0
	for _, name := range []string{"chrome-standard-pc-failed", "firefox-standard-stats-sfu", "google-standard-stats-p2p"} {
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join(fixtures(t), name+".features.json"))
			if err != nil {
				t.Fatal(err)
			}
			var want features
			if err := json.Unmarshal(raw, &want); err != nil {
				t.Fatal(err)
			}
			result := mustDecode(t, all[name+".dump"])
			got := map[trackKey]*eventpb.StreamEnded{}
			for _, s := range ended(result) {
				got[trackKey{s.Direction, s.Ssrc}] = s
			}
			differences := map[trackKey][2]*figures{}
			for _, pc := range want[0].Features.Aggregates {
				tracks := map[eventpb.Direction][]featureTrack{
					eventpb.Direction_DIRECTION_INBOUND: pc.Tracks.ReceiverTracks, eventpb.Direction_DIRECTION_OUTBOUND: pc.Tracks.SenderTracks,
				}
				for direction, list := range tracks {
					for _, track := range list {
						compared++
						key, theirs := trackKey{direction, track.SSRC}, &figures{track.Packets, track.PacketsLost}
						s := got[key]
						if s == nil {
							differences[key] = [2]*figures{theirs, nil}
							continue
						}
						if ours := (&figures{s.GetPackets(), s.GetPacketsLost()}); *ours != *theirs {
							differences[key] = [2]*figures{theirs, ours}
						}
						compareMedia(t, track, s, pc.CandidatePairData.LocalCandidateType, pc.CandidatePairData.RemoteCandidateType)
						if p := pc.CandidatePairData.LocalProtocol; s.Transport != p {
							t.Errorf("ssrc %d: transport %q, extractor says %q", track.SSRC, s.Transport, p)
						}
					}
				}
			}
			expected := featureDifferences[name]
			if expected == nil {
				expected = map[trackKey][2]*figures{}
			}
			if diff := cmp.Diff(expected, differences); diff != "" {
				t.Errorf("packets and packets lost against %s.features.json (-known differences +found):\n%s", name, diff)
			}
			joined := result.Events[1].GetParticipantJoined()
			if b := want[0].Features.BrowserInfo; joined.GetClientFamily() != b.Name || joined.GetClientVersion() != b.MajorVersion {
				t.Errorf("client %s %s, extractor says %s %s", joined.GetClientFamily(), joined.GetClientVersion(), b.Name, b.MajorVersion)
			}
		})
	}
	if want := 3 + 12 + 16; compared != want {
		t.Errorf("compared %d tracks, want %d", compared, want)
	}
}

func compareMedia(t *testing.T, track featureTrack, s *eventpb.StreamEnded, local, remote string) {
	t.Helper()
	word := func(e fmt.Stringer) string { _, w, _ := strings.Cut(e.String(), "_TYPE_"); return strings.ToLower(w) }
	media := map[eventpb.Media]string{eventpb.Media_MEDIA_AUDIO: "audio", eventpb.Media_MEDIA_VIDEO: "video"}[s.Media]
	got := []string{media, word(s.LocalCandidateType), word(s.RemoteCandidateType)}
	if diff := cmp.Diff([]string{track.MediaType, local, remote}, got); diff != "" {
		t.Errorf("ssrc %d: media and candidate types (-extractor +decoder):\n%s", track.SSRC, diff)
	}
}

// What the samples of a stream count adds up to its summary, except for what was counted before the dump began.
func TestSamplesAddUp(t *testing.T) {
	for name, data := range dumps(t) {
		t.Run(name, func(t *testing.T) {
			type sum struct {
				Packets uint64
				Lost    int64
				Bytes   uint64
			}
			sums := map[string]sum{}
			result := mustDecode(t, data)
			for _, e := range result.Events {
				for _, s := range e.GetStreamReport().GetStreams() {
					was := sums[string(s.StreamId)]
					sums[string(s.StreamId)] = sum{was.Packets + s.Packets, was.Lost + s.PacketsLost, was.Bytes + s.Bytes}
				}
			}
			for _, s := range ended(result) {
				want := sum{s.GetPackets(), s.GetPacketsLost(), s.GetBytes()}
				if diff := cmp.Diff(want, sums[string(s.StreamId)]); diff != "" {
					t.Errorf("ssrc %d (-summary +samples):\n%s", s.Ssrc, diff)
				}
			}
		})
	}
}
