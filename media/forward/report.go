package forward

import (
	"time"

	"github.com/google/uuid"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/measure"
	"github.com/anteroom/anteroom/media/protocol"
)

// everySecond measures rates and round trips, and sends receiver reports to the publisher and sender reports to the subscriber.
func (p *Peer) everySecond(now time.Time, elapsed time.Duration) {
	up, down := p.pub.path(), p.sub.path()
	var reports []rtcp.ReceptionReport
	for _, s := range p.pub.all() {
		for _, l := range s.list() {
			l.measureBits(elapsed)
			if up.fresh {
				l.in.RoundTrip(measure.RTTICE, up.rtt)
			}
			if l.live(now) && len(reports) < 31 {
				reports = append(reports, l.in.ReceptionReport(l.ssrc, now))
			}
		}
		if t := s.track.Load(); t != nil && up.known {
			t.setPath(up)
		}
	}
	p.rtt.Store(int64(up.rtt))
	if len(reports) > 0 {
		p.pub.write(&rtcp.ReceiverReport{SSRC: 1, Reports: reports})
	}
	var out []rtcp.Packet
	for _, sub := range p.sub.all() {
		if down.fresh {
			sub.out.RoundTrip(measure.RTTICE, down.rtt)
		}
		if down.known {
			sub.setPath(down)
		}
		if sr := sub.senderReport(now); sr != nil {
			out = append(out, sr)
		}
	}
	p.sub.writeRTCP(out)
}

// senderReport says which RTP time of the subscription is now, by the publisher's own reports; nil before there is one.
func (s *subscription) senderReport(now time.Time) *rtcp.SenderReport {
	b, m := s.bound.Load(), s.lastTS.Load()
	if b == nil || m == nil || !s.live() {
		return nil
	}
	report := m.layer.report.Load()
	if report == nil {
		return nil
	}
	taken, ok := m.layer.section.publisher.clock.here(report.ntp)
	if !ok {
		return nil
	}
	since := now.Sub(taken) * time.Duration(b.codec.clockRate) / time.Second
	ntp := measure.NTP(now)
	s.out.SenderReport(ntp, now)
	return &rtcp.SenderReport{
		SSRC: b.ssrc, NTPTime: ntp, RTPTime: report.rtp + m.tsOff + uint32(since), //nolint:gosec // wraps as timestamps do
		PacketCount: s.packets.Load(), OctetCount: s.octets.Load(),
	}
}

// path is what ICE knows of a connection, as the client sees it.
type path struct {
	rtt           time.Duration
	local, remote eventpb.CandidateType
	transport     string
	known, fresh  bool
	answers       uint64
}

// pathOf reads it; fresh: there is a newer round-trip time than last.
func pathOf(pc *webrtc.PeerConnection, last uint64) path {
	if pc == nil {
		return path{}
	}
	switch pc.ICEConnectionState() {
	case webrtc.ICEConnectionStateConnected, webrtc.ICEConnectionStateCompleted:
	default:
		return path{answers: last} // Nothing to know yet; and until then the library still writes what would be read here.
	}
	transport := pc.SCTP().Transport().ICETransport()
	stats, ok := transport.GetSelectedCandidatePairStats()
	if !ok {
		return path{}
	}
	found := path{rtt: time.Duration(stats.CurrentRoundTripTime * float64(time.Second)), answers: stats.ResponsesReceived}
	found.fresh = found.answers != last && found.rtt > 0
	if pair, err := transport.GetSelectedCandidatePair(); err == nil && pair != nil && pair.Local != nil && pair.Remote != nil {
		found.known = true
		// The server's remote candidate is the client's local one.
		found.local, found.remote = candidateType(pair.Remote.Typ), candidateType(pair.Local.Typ)
		found.transport = pair.Local.Protocol.String()
	}
	return found
}

func candidateType(t webrtc.ICECandidateType) eventpb.CandidateType {
	switch t {
	case webrtc.ICECandidateTypeHost:
		return eventpb.CandidateType_CANDIDATE_TYPE_HOST
	case webrtc.ICECandidateTypeSrflx:
		return eventpb.CandidateType_CANDIDATE_TYPE_SRFLX
	case webrtc.ICECandidateTypePrflx:
		return eventpb.CandidateType_CANDIDATE_TYPE_PRFLX
	case webrtc.ICECandidateTypeRelay:
		return eventpb.CandidateType_CANDIDATE_TYPE_RELAY
	case webrtc.ICECandidateTypeUnknown:
	}
	return eventpb.CandidateType_CANDIDATE_TYPE_UNSPECIFIED
}

// path asks pion without the lock: pion may be waiting for a report to be taken, which needs it. Only everySecond calls it.
func (p *publisher) path() path {
	p.mu.Lock()
	pc, last := p.pc, p.answers
	p.mu.Unlock()
	found := pathOf(pc, last)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers = found.answers
	return found
}

// path asks pion without the lock, like the publisher's.
func (s *subscriber) path() path {
	s.mu.Lock()
	pc, last := s.pc, s.answers
	s.mu.Unlock()
	found := pathOf(pc, last)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = found.answers
	return found
}

func (s *subscriber) writeRTCP(packets []rtcp.Packet) {
	s.mu.Lock()
	pc := s.pc
	s.mu.Unlock()
	if pc != nil && len(packets) > 0 {
		_ = pc.WriteRTCP(packets)
	}
}

// told is what a client said of its own path; it knows relays, which the server can't tell.
type told struct {
	local     eventpb.CandidateType
	transport string
}

func (o told) over(p path) path {
	if o.local != eventpb.CandidateType_CANDIDATE_TYPE_UNSPECIFIED {
		p.local = o.local
	}
	if o.transport != "" {
		p.transport = o.transport
	}
	return p
}

func (t *track) setPath(p path) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p = t.told.over(p); t.life != nil {
		t.life.SetPath(p.local, p.remote, p.transport)
	}
}

func (s *subscription) setPath(p path) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p = s.told.over(p); s.life != nil {
		s.life.SetPath(p.local, p.remote, p.transport)
	}
}

// report tells what all streams did since the last report.
func (p *Peer) report(now time.Time) {
	p.reporting.Lock()
	defer p.reporting.Unlock()
	var streams []*eventpb.StreamSample
	for _, t := range p.published() {
		if sample, _ := t.sample(now); sample != nil {
			streams = append(streams, sample)
		}
	}
	for _, sub := range p.sub.all() {
		if sample, _ := sub.sample(now); sample != nil {
			streams = append(streams, sample)
		}
	}
	p.tellReport(p.cfg.ReportInterval, streams...)
}

func (p *Peer) tellReport(interval time.Duration, streams ...*eventpb.StreamSample) {
	if len(streams) > 0 {
		p.notify.tell(func() { p.events.Report(interval, streams) })
	}
}

// sample is one interval of a published track, and how long that was; nil before its media flowed and after its end.
func (t *track) sample(now time.Time) (*eventpb.StreamSample, time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.life == nil {
		return nil, 0
	}
	var layers []measure.Sample
	for _, l := range t.section.list() {
		layers = append(layers, l.in.Interval(now))
	}
	all := measure.Combine(layers...)
	// The layers may be older than the track.
	all.Duration = min(all.Duration, max(now.Sub(t.since), 0))
	return t.life.Sample(all), all.Duration
}

// sample is one interval of a subscription, and how long that was; nil before it was negotiated and after its end.
func (s *subscription) sample(now time.Time) (*eventpb.StreamSample, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life == nil {
		return nil, 0
	}
	if n := s.dropped.Swap(0); n > 0 {
		s.out.Dropped(int(n), true) //nolint:gosec // of one interval
	}
	one := s.out.Interval(now)
	return s.life.Sample(one), one.Duration
}

// summary of a published track, which has no samples after it.
func (t *track) summary(now time.Time) *eventpb.StreamEnded {
	t.mu.Lock()
	defer t.mu.Unlock()
	ended := t.life.Ended(now)
	t.life = nil
	return ended
}

// summary of a subscription, which has no samples after it.
func (s *subscription) summary(now time.Time) *eventpb.StreamEnded {
	s.mu.Lock()
	defer s.mu.Unlock()
	ended := s.life.Ended(now)
	s.life = nil
	return ended
}

// stream is a track or a subscription.
type stream interface {
	sample(now time.Time) (*eventpb.StreamSample, time.Duration)
	summary(now time.Time) *eventpb.StreamEnded
}

// streamEnded tells what a stream did since the last report, and its summary. No sample of it comes after them.
func (p *Peer) streamEnded(s stream) {
	p.reporting.Lock()
	defer p.reporting.Unlock()
	now := time.Now()
	last, lasted := s.sample(now)
	if last == nil {
		return
	}
	// Without a packet there was no interval.
	if lasted > 0 {
		// The event has whole milliseconds, and rates are of an interval that is not 0.
		p.tellReport(max(lasted.Round(time.Millisecond), time.Millisecond), last)
	}
	ended := s.summary(now)
	p.notify.tell(func() { p.events.StreamEnded(ended) })
}

// addClientStats gives each stream what the client measured of it. Tracks that are not the client's, or that it does not get, are left out.
func (p *Peer) addClientStats(stats []protocol.TrackStats) {
	published, subscribed := map[uuid.UUID]*track{}, map[uuid.UUID]*subscription{}
	for _, t := range p.published() {
		published[t.id] = t
	}
	for _, sub := range p.sub.all() {
		subscribed[sub.track.id] = sub
	}
	for _, s := range stats {
		id, err := uuid.Parse(s.TrackID)
		if err != nil {
			continue
		}
		own := told{local: toldType(s.LocalCandidate), transport: toldTransport(s.Transport)}
		if t := published[id]; t != nil && s.Direction == "send" {
			t.mu.Lock()
			t.told = own
			addClient(t.life, s)
			t.mu.Unlock()
		} else if sub := subscribed[id]; sub != nil && s.Direction == "receive" {
			sub.mu.Lock()
			sub.told = own
			addClient(sub.life, s)
			sub.mu.Unlock()
		}
	}
}

func addClient(life *measure.Life, s protocol.TrackStats) {
	if life == nil {
		return
	}
	life.AddClient(measure.Client{
		Interval: time.Duration(s.IntervalMs * float64(time.Millisecond)), JitterBufferMs: s.JitterBufferMs, HealedRatio: s.HealedRatio,
		FrameRate: s.FrameRate, FrameHeight: s.FrameHeight, Frames: s.Frames, FramesDropped: s.FramesDropped, Freezes: s.Freezes,
		FreezeMs: s.FreezeMs, PacketsDiscarded: s.PacketsDiscarded, AvailableBitrate: s.AvailableBitrate,
	})
}

func toldType(name string) eventpb.CandidateType {
	t, err := webrtc.NewICECandidateType(name)
	if err != nil {
		return eventpb.CandidateType_CANDIDATE_TYPE_UNSPECIFIED
	}
	return candidateType(t)
}

func toldTransport(name string) string {
	switch name {
	case "udp", "tcp", "tls":
		return name
	}
	return ""
}

// lane is the kind as diagnostics have it.
func lane(k Kind) eventpb.Lane {
	switch k {
	case Audio:
		return eventpb.Lane_LANE_AUDIO
	case Screen:
		return eventpb.Lane_LANE_SCREEN
	case Video:
		return eventpb.Lane_LANE_VIDEO
	}
	return eventpb.Lane_LANE_UNSPECIFIED
}
