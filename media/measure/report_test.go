package measure_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/measure"
)

func average(n uint64, mean, highest time.Duration) measure.Average {
	return measure.Average{N: n, Mean: mean, Max: highest, Last: mean}
}

func TestLifeOfAVideoStream(t *testing.T) {
	id, who := uuid.New(), uuid.New()
	began := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	life := measure.NewLife(measure.Stream{
		ID: id, Participant: who, Direction: eventpb.Direction_DIRECTION_INBOUND, Media: eventpb.Media_MEDIA_VIDEO, SSRC: 7, Codec: "VP8", Started: began,
	})
	life.SetPath(eventpb.CandidateType_CANDIDATE_TYPE_RELAY, eventpb.CandidateType_CANDIDATE_TYPE_HOST, "tls")
	// One second at 10 fps, three at 30: the average is by time.
	life.AddClient(measure.Client{Interval: time.Second, FrameRate: proto.Float64(10), FreezeMs: proto.Float64(200), Freezes: proto.Uint64(1), HealedRatio: proto.Float64(7)})
	life.AddClient(measure.Client{Interval: 3 * time.Second, FrameRate: proto.Float64(30), FreezeMs: proto.Float64(0), Freezes: proto.Uint64(0), FrameHeight: proto.Float64(720)})
	life.AddClient(measure.Client{FrameRate: proto.Float64(999)})
	got := life.Sample(measure.Sample{
		Duration: 10 * time.Second, Packets: 1000, Bytes: 1_250_000, Expected: 1000, Lost: 50, Repaired: 40, Residual: 10, Retransmitted: 44,
		Frames: 290, NACKs: 60, PLIs: 2, Jitter: average(900, 10*time.Millisecond, 30*time.Millisecond), RTT: average(10, 50*time.Millisecond, 80*time.Millisecond),
	})
	want := &eventpb.StreamSample{
		StreamId: id[:], Direction: eventpb.Direction_DIRECTION_INBOUND, Media: eventpb.Media_MEDIA_VIDEO, Ssrc: 7, Codec: "VP8",
		Packets: 950, PacketsLost: 50, Bytes: 1_250_000, RetransmittedPackets: 44, Frames: 290, Freezes: 1, Nacks: 60, Plis: 2,
		JitterMs: proto.Float32(10), RttMs: proto.Float32(50), FrameRate: proto.Float32(25), FrameHeight: proto.Float32(720),
		FreezeMs: proto.Float32(200), BitrateBps: proto.Float32(1_000_000),
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("sample (-want +got):\n%s", diff)
	}
	// An interval in which the client told nothing: frames are the server's, freezes nobody's.
	got = life.Sample(measure.Sample{Duration: 10 * time.Second, Packets: 500, Expected: 500, Frames: 150, Bytes: 250_000, Jitter: average(100, 20*time.Millisecond, 25*time.Millisecond)})
	if got.GetFrameRate() != 15 || got.FreezeMs != nil || got.RttMs != nil {
		t.Errorf("sample without the client is %v, want 15 fps, no freezes, no round-trip time", got)
	}
	ended := life.Ended(began.Add(20 * time.Second))
	wantEnded := &eventpb.StreamEnded{
		ParticipantId: who[:], StreamId: id[:], Direction: eventpb.Direction_DIRECTION_INBOUND, Media: eventpb.Media_MEDIA_VIDEO, Ssrc: 7, Codec: "VP8",
		StartedAtUs: began.UnixMicro(), EndedAtUs: began.Add(20 * time.Second).UnixMicro(),
		Packets: proto.Uint64(1450), PacketsLost: proto.Int64(50), Bytes: proto.Uint64(1_500_000),
		LossRatio: proto.Float64(50.0 / 1500), LossRatioMax: proto.Float64(0.05),
		JitterMsAvg: proto.Float64(11), JitterMsMax: proto.Float64(30), RttMsAvg: proto.Float64(50), RttMsMax: proto.Float64(80),
		FrameRateAvg: proto.Float64((4*25 + 10*15) / 14.0), HeightAvg: proto.Float64(720), FreezeMsPerMin: proto.Float64(200 * 60 / 4.0),
		BitrateAvg: proto.Float64(600_000), BitrateMax: proto.Float64(1_000_000),
		LocalCandidateType: eventpb.CandidateType_CANDIDATE_TYPE_RELAY, RemoteCandidateType: eventpb.CandidateType_CANDIDATE_TYPE_HOST, Transport: "tls",
		PacketsRepaired: proto.Int64(40), LikelySide: "none",
	}
	if diff := cmp.Diff(wantEnded, ended, protocmp.Transform()); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
}

func TestWhatIsNotKnownIsNotZero(t *testing.T) {
	life := measure.NewLife(measure.Stream{Media: eventpb.Media_MEDIA_AUDIO, Direction: eventpb.Direction_DIRECTION_OUTBOUND, Started: epoch})
	s := life.Sample(measure.Sample{Frames: 10, Freezes: 2})
	if s.JitterMs != nil || s.RttMs != nil || s.BitrateBps != nil || s.FrameRate != nil || s.Frames != 0 || s.Freezes != 0 {
		t.Errorf("sample of audio that nobody measured is %v, want nothing known, and no frames", s)
	}
	e := life.Ended(epoch)
	if e.LossRatio != nil || e.JitterMsAvg != nil || e.RttMsAvg != nil || e.FreezeMsPerMin != nil || e.FrameRateAvg != nil {
		t.Errorf("summary is %v, want nothing known", e)
	}
}

func TestCombineAddsUpLayers(t *testing.T) {
	got := measure.Combine(
		measure.Sample{Duration: time.Second, Packets: 10, Expected: 12, Lost: 2, Residual: 2, Frames: 15, Jitter: average(10, 4*time.Millisecond, 5*time.Millisecond)},
		measure.Sample{Duration: time.Second, Packets: 30, Expected: 30, Frames: 30, Freezes: 1, Jitter: average(30, 8*time.Millisecond, 9*time.Millisecond)},
		measure.Sample{},
	)
	want := measure.Sample{Duration: time.Second, Packets: 40, Expected: 42, Lost: 2, Residual: 2, Frames: 30, Freezes: 1, Jitter: measure.Average{N: 40, Mean: 7 * time.Millisecond, Max: 9 * time.Millisecond, Last: 8 * time.Millisecond}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("layers (-want +got):\n%s", diff)
	}
}

// The summary names the side that lost most over the stream's life, repaired packets left out.
func TestSummaryNamesTheSide(t *testing.T) {
	for _, tc := range []struct {
		name      string
		direction eventpb.Direction
		samples   []measure.Sample
		want      string
	}{
		{"published, lost on the way up", eventpb.Direction_DIRECTION_OUTBOUND, []measure.Sample{{Expected: 500, Packets: 500}, {Expected: 500, Packets: 480, Lost: 20, Residual: 20}}, "sender_uplink"},
		{"published, all repaired", eventpb.Direction_DIRECTION_OUTBOUND, []measure.Sample{{Expected: 1000, Packets: 1000, Lost: 50, Repaired: 50}}, "none"},
		{"subscribed, holes of the sender", eventpb.Direction_DIRECTION_INBOUND, []measure.Sample{{Packets: 900, Upstream: 100, Lost: 10, Residual: 10}}, "sender_uplink"},
		{"subscribed, dropped by the server", eventpb.Direction_DIRECTION_INBOUND, []measure.Sample{{Packets: 900, Dropped: 100, Upstream: 5}}, "server"},
		{"subscribed, lost on the way down", eventpb.Direction_DIRECTION_INBOUND, []measure.Sample{{Packets: 500}, {Packets: 500, Lost: 60, Repaired: 20, Residual: 40}}, "receiver_downlink"},
		{"too little to tell", eventpb.Direction_DIRECTION_INBOUND, []measure.Sample{{Packets: 50, Lost: 20, Residual: 20}}, "none"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			life := measure.NewLife(measure.Stream{Direction: tc.direction, Media: eventpb.Media_MEDIA_AUDIO})
			for _, s := range tc.samples {
				life.Sample(s)
			}
			if got := life.Ended(time.Now()).GetLikelySide(); got != tc.want {
				t.Errorf("side %q, want %q", got, tc.want)
			}
		})
	}
}
