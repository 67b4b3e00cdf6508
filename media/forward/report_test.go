package forward

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/webrtc/v4"

	"github.com/anteroom/anteroom/media/measure"
)

// summed is what the counters of a stream's samples add up to.
type summed struct {
	Packets, Bytes uint64
	Lost           int64
}

// checkSums holds the samples of a member's streams, all of which have ended, against their summaries.
func (m *member) checkSums(streams int) {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	sums := map[string]summed{}
	for i, report := range m.reports {
		if m.intervals[i] <= 0 || m.intervals[i] > patience {
			m.t.Errorf("an interval of %s", m.intervals[i])
		}
		for _, s := range report {
			sum := sums[string(s.GetStreamId())]
			sum.Packets += s.GetPackets()
			sum.Bytes += s.GetBytes()
			sum.Lost += s.GetPacketsLost()
			sums[string(s.GetStreamId())] = sum
		}
	}
	if len(m.finished) != streams {
		m.t.Errorf("%d summaries, want %d", len(m.finished), streams)
	}
	for _, e := range m.finished {
		want := summed{Packets: e.GetPackets(), Bytes: e.GetBytes(), Lost: e.GetPacketsLost()}
		if want.Packets == 0 {
			m.t.Errorf("%s %s: no packets", e.GetDirection(), e.GetMedia())
		}
		if diff := cmp.Diff(want, sums[string(e.GetStreamId())]); diff != "" {
			m.t.Errorf("%s %s: samples are not the summary (-summary +samples):\n%s", e.GetDirection(), e.GetMedia(), diff)
		}
	}
}

// Whenever a stream ends, what it did is in its samples to the last packet: also if it was shorter than an interval.
func TestSamplesAddUpToTheSummary(t *testing.T) {
	for _, c := range []struct {
		name     string
		interval time.Duration
		end      func(a, b *member)
	}{
		{"shorter than an interval, withdrawn", 10 * time.Minute, func(a, b *member) {
			a.peer.AllowSend(false, false, false)
			b.until("the ends", func() bool { return len(b.finished) == 2 })
		}},
		{"shorter than an interval, left", 10 * time.Minute, func(a, _ *member) { a.peer.Close() }},
		{"with a part of an interval left", time.Second, func(a, b *member) {
			a.until("reports", func() bool { return len(a.reports) >= 2 })
			b.until("reports", func() bool { return len(b.reports) >= 2 })
			a.peer.AllowSend(false, false, false)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			room, _ := newTestRoom(t, func(cfg *Config) { cfg.ReportInterval = c.interval })
			a, b := join(t, room, clientOptions{}), join(t, room, clientOptions{})
			audio, video := newLocal(t, webrtc.MimeTypeOpus), newLocal(t, webrtc.MimeTypeVP8)
			a.publish(map[Kind]*webrtc.TrackLocalStaticRTP{Audio: audio, Video: video})
			play(t, map[*source]bool{{track: audio}: true, {track: video}: false})
			b.until("media", func() bool { return b.flowing(20) == 2 })
			c.end(a, b)
			a.until("the ends", func() bool { return len(a.finished) == 2 })
			b.until("the ends", func() bool { return len(b.finished) == 2 })
			// Nothing is told of streams that have ended.
			a.peer.Close()
			b.peer.Close()
			a.checkSums(2)
			b.checkSums(2)
		})
	}
}

// The layers of a section are older than what is published there later: its first interval begins with it.
func TestIntervalBeginsWithItsTrack(t *testing.T) {
	s := &section{publisher: &publisher{}}
	l := &layer{section: s, in: measure.NewInbound(48000)}
	s.add(l)
	began := time.Now().Add(-time.Hour)
	l.in.Packet(1, 0, 100, began, false, true)
	l.in.Interval(began)
	track := &track{section: s, since: time.Now().Add(-time.Second), life: measure.NewLife(measure.Stream{})}
	l.in.Packet(2, 960, 100, time.Now(), false, true)
	sample, lasted := track.sample(time.Now())
	if sample.GetPackets() != 1 || lasted < time.Second || lasted > time.Minute {
		t.Errorf("%d packets in %s, want 1 in a second", sample.GetPackets(), lasted)
	}
	track.summary(time.Now())
	if sample, _ := track.sample(time.Now()); sample != nil {
		t.Error("a sample after the summary")
	}
}
