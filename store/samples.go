package store

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
)

// SampleRows are rows of the table samples: the hot path.
type SampleRows struct {
	Rows
	env        envelope
	id         streamIdentity
	intervalMs fixed
	counters   [7]fixed
	lost       fixed
	feedback   [3]fixed
	gauges     [10]gauge

	sorting sorting
}

var (
	sampleCounters = [7]string{"packets", "bytes", "packets_discarded", "retransmitted_packets", "frames", "frames_dropped", "freezes"}
	sampleFeedback = [3]string{"nacks", "plis", "firs"}
	sampleGauges   = [10]string{
		"jitter_ms", "rtt_ms", "jitter_buffer_ms", "healed_ratio", "frame_rate", "frame_height", "freeze_ms",
		"bitrate_bps", "available_bitrate_bps", "loss_ratio",
	}
)

func (r *SampleRows) setUp() {
	r.intervalMs, r.lost = newFixed("interval_ms", uint32s), newFixed("packets_lost", int64s)
	columns := append(r.env.init(), r.id.init()...)
	columns = append(columns, &r.intervalMs, &r.lost)
	for i := range r.counters {
		r.counters[i] = newFixed(sampleCounters[i], uint64s)
		columns = append(columns, &r.counters[i])
	}
	for i := range r.feedback {
		r.feedback[i] = newFixed(sampleFeedback[i], uint32s)
		columns = append(columns, &r.feedback[i])
	}
	for i := range r.gauges {
		r.gauges[i] = gauge{fixed{width: 1}, fixed{name: sampleGauges[i], width: 4}}
		columns = append(columns, &r.gauges[i])
	}
	r.init("samples", &r.env.observedAt, columns...)
	r.dictionaries, r.order = true, r.sorted
}

// Add adds the row of one stream of a report.
func (r *SampleRows) Add(o Origin, e Envelope, report *eventpb.StreamReport, s *eventpb.StreamSample) {
	r.begin(o)
	r.env.add(e)
	r.id.add(report.GetParticipantId(), s.GetStreamId(), s.GetDirection(), s.GetMedia(), s.GetSsrc(), s.GetCodec())
	r.intervalMs.put32(report.GetIntervalMs())
	r.lost.put64(uint64(s.GetPacketsLost())) //nolint:gosec // bits are bits
	for i, v := range [...]uint64{s.Packets, s.Bytes, s.PacketsDiscarded, s.RetransmittedPackets, s.Frames, s.FramesDropped, s.Freezes} {
		r.counters[i].put64(v)
	}
	for i, v := range [...]uint32{s.Nacks, s.Plis, s.Firs} {
		r.feedback[i].put32(v)
	}
	for i, v := range [...]*float32{
		s.JitterMs, s.RttMs, s.JitterBufferMs, s.HealedRatio, s.FrameRate, s.FrameHeight, s.FreezeMs,
		s.BitrateBps, s.AvailableBitrateBps, s.LossRatio,
	} {
		if v == nil {
			r.gauges[i].put(0, false)
		} else {
			r.gauges[i].put(*v, true)
		}
	}
}

// AddReport adds the rows of all streams of a report. They are the first of their record, so that their indexes are their numbers in the report.
func (r *SampleRows) AddReport(offset int64, report *event.Report) {
	n := len(report.Samples)
	r.topics.fill([]byte(r.topic), n)
	r.parts.fill32(uint32(r.partition), n) //nolint:gosec // bits are bits
	r.offsets.fill64(uint64(offset), n)    //nolint:gosec // bits are bits
	r.env.org.fill(report.Org, n)
	r.env.region.fill(report.Region, n)
	r.env.callID.fill(report.CallID, n)
	r.env.sourceKind.fill8(enum(eventpb.SourceKind(report.SourceKind), eventpb.SourceKind_SOURCE_KIND_ACS), n)
	r.env.observedAt.fill64(uint64(report.ObservedAtUs), n) //nolint:gosec // bits are bits
	r.intervalMs.fill32(report.IntervalMs, n)
	for i := range report.Samples {
		s := &report.Samples[i]
		r.indexes.put32(uint32(i)) //nolint:gosec // a report has few streams
		r.id.participantID.putUUID(report.ParticipantID)
		r.id.streamID.putUUID(s.StreamID)
		r.id.direction.put8(enum(eventpb.Direction(s.Direction), eventpb.Direction_DIRECTION_OUTBOUND))
		r.id.media.put8(enum(eventpb.Media(s.Media), eventpb.Media_MEDIA_SCREEN))
		r.id.ssrc.put32(s.Ssrc)
		r.id.codec.fill(s.Codec, 1)
		r.lost.put64(uint64(s.PacketsLost)) //nolint:gosec // bits are bits
		for c, v := range s.Counters {
			r.counters[c].put64(v)
		}
		for c, v := range s.Feedback {
			r.feedback[c].put32(v)
		}
		for g, v := range s.Gauges {
			r.gauges[g].put(v, s.Known&(1<<g) != 0)
		}
	}
}

// Drop forgets the rows that are not to be kept.
func (r *SampleRows) Drop(keep []bool) {
	for _, c := range r.columns {
		c.drop(keep)
	}
}

// Truncate forgets all rows but the first n.
func (r *SampleRows) Truncate(n int) {
	for _, c := range r.columns {
		c.truncate(n)
	}
}

// Hours counts the samples by the hour they belong to.
func (r *SampleRows) Hours() map[time.Time]uint64 {
	const hour = int64(time.Hour / time.Microsecond)
	counts := make(map[int64]uint64)
	for row := range r.Len() {
		counts[r.env.observedAt.at64(row)/hour]++ // times before 1970 are refused
	}
	hours := make(map[time.Time]uint64, len(counts))
	for h, n := range counts {
		hours[time.UnixMicro(h*hour).UTC()] = n
	}
	return hours
}

// sorting is what it takes to sort rows, to be used again.
type sorting struct {
	streams map[sampleStream]uint32
	keys    []sampleStream
	stream  []uint32 // of each row, the number of its stream in keys
	order   []uint32
}

// sampleStream is what the table is sorted by before time: ids as the table has them.
type sampleStream struct {
	org, call           uint32
	participant, stream [2]uint64 // last half first, as ClickHouse compares UUIDs
}

// sorted is the order in which the table has its rows. Rows that come in it need no sorting by the server, which takes longer over it: it compares
// values, here streams are numbered, and their rows mostly come by time. A batch in another order is stored just as well.
func (r *SampleRows) sorted() []uint32 {
	s := &r.sorting
	n := r.Len()
	if s.streams == nil {
		s.streams = make(map[sampleStream]uint32)
	}
	clear(s.streams)
	s.keys, s.stream = s.keys[:0], slices.Grow(s.stream[:0], n)[:n]
	half := func(f *fixed, row int) [2]uint64 {
		id := f.data[16*row : 16*row+16]
		return [2]uint64{binary.LittleEndian.Uint64(id[8:]), binary.LittleEndian.Uint64(id)}
	}
	for row := range n {
		key := sampleStream{r.env.org.rows[row], r.env.callID.rows[row], half(&r.id.participantID, row), half(&r.id.streamID, row)}
		number, ok := s.streams[key]
		if !ok {
			number = uint32(len(s.keys)) //nolint:gosec // no batch has that many rows
			s.streams[key] = number
			s.keys = append(s.keys, key)
		}
		s.stream[row] = number
	}
	places := r.places(s.keys, s.stream)
	s.order = slices.Grow(s.order[:0], n)[:n]
	for row, stream := range s.stream {
		s.order[places[stream]] = uint32(row) //nolint:gosec // no batch has that many rows
		places[stream]++
	}
	begin := uint32(0)
	for _, end := range slices.Sorted(slices.Values(places)) {
		r.sortByTime(s.order[begin:end])
		begin = end
	}
	return s.order
}

// places is where the rows of each stream begin.
func (r *SampleRows) places(keys []sampleStream, stream []uint32) []uint32 {
	ranks := make([]uint32, len(keys))
	counts := make([]uint32, len(keys))
	for i := range ranks {
		ranks[i] = uint32(i) //nolint:gosec // no batch has that many rows
	}
	for _, number := range stream {
		counts[number]++
	}
	slices.SortFunc(ranks, func(a, b uint32) int {
		x, y := &keys[a], &keys[b]
		return cmp.Or(
			strings.Compare(r.env.org.all[x.org], r.env.org.all[y.org]), strings.Compare(r.env.callID.all[x.call], r.env.callID.all[y.call]),
			slices.Compare(x.participant[:], y.participant[:]), slices.Compare(x.stream[:], y.stream[:]),
		)
	})
	places := make([]uint32, len(keys))
	at := uint32(0)
	for _, number := range ranks {
		places[number] = at
		at += counts[number]
	}
	return places
}

// sortByTime sorts rows of one stream.
func (r *SampleRows) sortByTime(rows []uint32) {
	byTime := func(a, b uint32) int {
		return cmp.Compare(r.env.observedAt.at64(int(a)), r.env.observedAt.at64(int(b)))
	}
	if !slices.IsSortedFunc(rows, byTime) {
		slices.SortStableFunc(rows, byTime)
	}
}
