package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event/eventpb"
)

const (
	streamsPerReport    = 5
	calls               = 200
	participantsPerCall = 4
	mediaNodes          = 4
	reportInterval      = 10 * time.Second
	organisation        = "clinic"
)

// baseTime is when the calls begin. Reports of a run span an hour or two of one month.
var baseTime = time.Date(2026, 3, 4, 9, 20, 0, 0, time.UTC)

// workload makes the reports of own media, as of several media nodes with many calls at once: each participant has one every ten
// seconds. The same seed makes the same reports.
type workload struct {
	region       string
	random       *rand.Rand
	participants []participant
	sequences    [mediaNodes]uint64
	n            int
}

type participant struct {
	call    string
	id      [16]byte
	node    int
	streams [streamsPerReport]streamState
}

// streamState moves a little from report to report, as a stream's figures do.
type streamState struct {
	id        [16]byte
	ssrc      uint32
	jitter    float64
	rtt       float64
	bitrate   float64
	frameRate float64
	height    float32
	lossy     bool
}

func newWorkload(region string, seed uint64) *workload {
	w := &workload{region: region, random: rand.New(rand.NewPCG(seed, 1))}
	for c := range calls {
		call := w.uuid().String()
		for range participantsPerCall {
			p := participant{call: call, id: w.uuid(), node: c % mediaNodes}
			lossy := w.random.IntN(5) == 0
			for s := range p.streams {
				p.streams[s] = streamState{
					id: w.uuid(), ssrc: w.random.Uint32(), jitter: 2 + 12*w.random.Float64(), rtt: 20 + 120*w.random.Float64(), lossy: lossy,
					bitrate: 30_000, frameRate: 30, height: []float32{180, 360, 720}[w.random.IntN(3)],
				}
				if shapes[s].media != eventpb.Media_MEDIA_AUDIO {
					p.streams[s].bitrate = 300_000 + 1_200_000*w.random.Float64()
				}
			}
			w.participants = append(w.participants, p)
		}
	}
	return w
}

func (w *workload) uuid() (id uuid.UUID) {
	binary.LittleEndian.PutUint64(id[:8], w.random.Uint64())
	binary.LittleEndian.PutUint64(id[8:], w.random.Uint64())
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return id
}

// shapes are the streams of each participant: what it sends, and what it is sent.
var shapes = [streamsPerReport]struct {
	direction eventpb.Direction
	media     eventpb.Media
	codec     string
}{
	{eventpb.Direction_DIRECTION_OUTBOUND, eventpb.Media_MEDIA_AUDIO, "opus"},
	{eventpb.Direction_DIRECTION_OUTBOUND, eventpb.Media_MEDIA_VIDEO, "VP8"},
	{eventpb.Direction_DIRECTION_INBOUND, eventpb.Media_MEDIA_AUDIO, "opus"},
	{eventpb.Direction_DIRECTION_INBOUND, eventpb.Media_MEDIA_VIDEO, "VP8"},
	{eventpb.Direction_DIRECTION_INBOUND, eventpb.Media_MEDIA_SCREEN, "VP9"},
}

// next makes the next report.
func (w *workload) next() *eventpb.Event {
	p := &w.participants[w.n%len(w.participants)]
	at := baseTime.Add(time.Duration(w.n/len(w.participants))*reportInterval + time.Duration(w.random.IntN(1_000_000))*time.Microsecond)
	w.n++
	w.sequences[p.node]++
	streams := make([]*eventpb.StreamSample, streamsPerReport)
	for s := range streams {
		streams[s] = w.sample(s, &p.streams[s])
	}
	return &eventpb.Event{
		Id: w.uuid().String(), Org: organisation, Region: w.region, CallId: p.call,
		Source: fmt.Sprintf("media/node-%d/1772615990", p.node), Sequence: w.sequences[p.node],
		ObservedAtUs: at.UnixMicro(), SourceKind: eventpb.SourceKind_SOURCE_KIND_MEDIA,
		Payload: &eventpb.Event_StreamReport{StreamReport: &eventpb.StreamReport{
			ParticipantId: p.id[:], IntervalMs: uint32(reportInterval.Milliseconds()), Streams: streams,
		}},
	}
}

func (w *workload) sample(shape int, s *streamState) *eventpb.StreamSample {
	move := func(v *float64, low, high, by float64) float64 {
		*v = math.Min(high, math.Max(low, *v+(w.random.Float64()-0.5)*by))
		return *v
	}
	tenths := func(v float64) *float32 { f := float32(math.Round(v*10) / 10); return &f }
	kind := shapes[shape]
	audio, inbound := kind.media == eventpb.Media_MEDIA_AUDIO, kind.direction == eventpb.Direction_DIRECTION_INBOUND
	bitrate := move(&s.bitrate, 24_000, 2_500_000, s.bitrate/10)
	sample := &eventpb.StreamSample{
		StreamId: s.id[:], Direction: kind.direction, Media: kind.media, Ssrc: s.ssrc, Codec: kind.codec,
		Bytes:      uint64(bitrate / 8 * reportInterval.Seconds()),
		RttMs:      tenths(move(&s.rtt, 5, 400, 12)),
		JitterMs:   tenths(move(&s.jitter, 0.1, 60, 3)),
		BitrateBps: tenths(bitrate),
	}
	sample.Packets = 500
	if !audio {
		sample.Packets = sample.Bytes/1100 + 1
		sample.Frames = uint64(math.Round(move(&s.frameRate, 5, 30, 2) * reportInterval.Seconds()))
		sample.FrameRate, sample.FrameHeight = tenths(s.frameRate), &s.height
	}
	if s.lossy {
		sample.PacketsLost = int64(w.random.IntN(int(sample.Packets/20) + 1))
		sample.Nacks, sample.RetransmittedPackets = uint32(w.random.IntN(20)), uint64(w.random.IntN(20))
		sample.Plis = uint32(w.random.IntN(2))
	}
	switch {
	case !inbound:
		sample.AvailableBitrateBps = tenths(3 * bitrate)
	case audio:
		sample.PacketsDiscarded = uint64(w.random.IntN(3))
		sample.JitterBufferMs = tenths(40 + s.jitter)
		healed := float32(w.random.IntN(40)) / 1000
		sample.HealedRatio = &healed
	default:
		sample.JitterBufferMs = tenths(60 + s.jitter)
		freeze := float32(0)
		if s.lossy && w.random.IntN(4) == 0 {
			freeze, sample.Freezes, sample.FramesDropped = float32(w.random.IntN(900)), 1, uint64(w.random.IntN(9))
		}
		sample.FreezeMs = &freeze
	}
	return sample
}
