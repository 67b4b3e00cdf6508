package measure_test

import (
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/transport/v5/vnet"
	"github.com/pion/webrtc/v4"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/forward"
	"github.com/anteroom/anteroom/media/measure"
)

// end is a client of the real forwarding server, with real connections over a virtual network.
type end struct {
	t        *testing.T
	peer     *forward.Peer
	pub, sub *webrtc.PeerConnection
	// own: the client makes its receiver reports itself.
	own bool

	mu      sync.Mutex
	changed chan struct{}
	reports []*eventpb.StreamSample
	ended   []*eventpb.StreamEnded
	came    int
	ssrc    uint32
	err     error
}

func (e *end) note(change func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change()
	close(e.changed)
	e.changed = make(chan struct{})
}

func (e *end) until(what string, holds func() bool) {
	e.t.Helper()
	patience := time.After(30 * time.Second)
	for {
		e.mu.Lock()
		ok, changed, err := holds(), e.changed, e.err
		e.mu.Unlock()
		switch {
		case err != nil:
			e.t.Fatal(err)
		case ok:
			return
		}
		select {
		case <-changed:
		case <-patience:
			e.t.Fatalf("waited in vain: %s", what)
		}
	}
}

func (e *end) SubscribeOffer(version uint64, sdp string, _ []forward.Subscribed) {
	go func() {
		if err := e.answer(version, sdp); err != nil {
			e.note(func() { e.err = err })
		}
	}()
}

func (e *end) answer(version uint64, sdp string) error {
	if err := e.sub.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: sdp}); err != nil {
		return err
	}
	answer, err := e.sub.CreateAnswer(nil)
	if err != nil {
		return err
	}
	gathered := webrtc.GatheringCompletePromise(e.sub)
	if err := e.sub.SetLocalDescription(answer); err != nil {
		return err
	}
	<-gathered
	return e.peer.Answer(context.Background(), version, e.sub.LocalDescription().SDP)
}

func (e *end) track(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	in := measure.NewInbound(remote.Codec().ClockRate)
	go func() {
		for {
			packets, _, err := receiver.ReadRTCP()
			if err != nil {
				return
			}
			for _, p := range packets {
				if sr, ok := p.(*rtcp.SenderReport); ok {
					in.SenderReport(sr.NTPTime, time.Now())
				}
			}
		}
	}()
	var reported time.Time
	for {
		p, attributes, err := remote.ReadRTP()
		if err != nil {
			return
		}
		now := time.Now()
		in.Packet(p.SequenceNumber, p.Timestamp, p.MarshalSize(), now, attributes.Get(webrtc.AttributeRtxSsrc) != nil, p.Marker)
		if e.own && now.Sub(reported) > 500*time.Millisecond {
			reported = now
			report := &rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{in.ReceptionReport(uint32(remote.SSRC()), now)}}
			_ = e.sub.WriteRTCP([]rtcp.Packet{report})
		}
		e.note(func() { e.came++; e.ssrc = uint32(remote.SSRC()) })
	}
}

func (e *end) Candidate(forward.Side, forward.Candidate) {}
func (e *end) TrackStarted(forward.Track)                {}
func (e *end) TrackEnded(forward.Track, string)          {}
func (e *end) ConnectionChanged(forward.Side, string)    {}
func (e *end) Diagnostic(string, string, eventpb.Lane)   {}
func (e *end) ActiveSpeakers([]uuid.UUID)                {}
func (e *end) StreamEnded(s *eventpb.StreamEnded)        { e.note(func() { e.ended = append(e.ended, s) }) }

func (e *end) Report(_ time.Duration, s []*eventpb.StreamSample) {
	e.note(func() { e.reports = append(e.reports, s...) })
}

func quiet() logging.LoggerFactory {
	f := logging.NewDefaultLoggerFactory()
	f.DefaultLogLevel, f.ScopeLevels = logging.LogLevelDisabled, map[string]logging.LogLevel{}
	return f
}

func enter(t *testing.T, room *forward.Room, network *capture, own bool) *end {
	t.Helper()
	media, registry := &webrtc.MediaEngine{}, &interceptor.Registry{}
	if err := media.RegisterDefaultCodecs(); err != nil {
		t.Fatal(err)
	}
	// All but receiver reports: pion's never count back what comes late (RFC 3550 A.3), so that what the uplink repaired would stay lost. The
	// client reports itself.
	for _, err := range []error{
		webrtc.ConfigureNack(media, registry), webrtc.ConfigureTWCCSender(media, registry), webrtc.ConfigureSimulcastExtensionHeaders(media),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if !own {
		if err := webrtc.ConfigureRTCPReports(registry); err != nil {
			t.Fatal(err)
		}
	}
	settings := webrtc.SettingEngine{LoggerFactory: quiet()}
	settings.SetNet(network)
	// As the server's: pion's own 64 takes what the uplink repaired late for a replay, so that the subscriber would miss what came.
	settings.SetSRTPReplayProtectionWindow(512)
	api := webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(registry), webrtc.WithSettingEngine(settings))
	e := &end{t: t, own: own, changed: make(chan struct{})}
	var err error
	for _, pc := range []**webrtc.PeerConnection{&e.pub, &e.sub} {
		if *pc, err = api.NewPeerConnection(webrtc.Configuration{}); err != nil {
			t.Fatal(err)
		}
	}
	e.sub.OnTrack(e.track)
	if e.peer, err = room.Join(uuid.New(), e); err != nil {
		t.Fatal(err)
	}
	e.peer.AllowSend(true, true, true)
	e.peer.AllowReceive(true)
	t.Cleanup(func() {
		e.peer.Close()
		_ = e.pub.GracefulClose()
		_ = e.sub.GracefulClose()
	})
	return e
}

// publish offers one track and gives its SSRC.
func (e *end) publish(kind forward.Kind, local *webrtc.TrackLocalStaticRTP) uint32 {
	e.t.Helper()
	transceiver, err := e.pub.AddTransceiverFromTrack(local, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		e.t.Fatal(err)
	}
	go func() {
		for {
			if _, _, err := transceiver.Sender().ReadRTCP(); err != nil {
				return
			}
		}
	}()
	offer, err := e.pub.CreateOffer(nil)
	if err != nil {
		e.t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(e.pub)
	if err := e.pub.SetLocalDescription(offer); err != nil {
		e.t.Fatal(err)
	}
	<-gathered
	sdp, _, err := e.peer.Publish(context.Background(), e.pub.LocalDescription().SDP, []forward.Intent{{Mid: transceiver.Mid(), Kind: kind}})
	if err != nil {
		e.t.Fatal(err)
	}
	if err := e.pub.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp}); err != nil {
		e.t.Fatal(err)
	}
	return uint32(transceiver.Sender().GetParameters().Encodings[0].SSRC)
}

// source writes packets whose numbers and timestamps wrap soon.
type source struct {
	local *webrtc.TrackLocalStaticRTP
	video bool
	rng   *rand.Rand
	seq   uint16
	ts    uint32
	n     int
}

func newSource(t *testing.T, video bool, seed uint64) *source {
	t.Helper()
	capability := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}
	if video {
		capability = webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000}
	}
	local, err := webrtc.NewTrackLocalStaticRTP(capability, uuid.NewString(), "stream")
	if err != nil {
		t.Fatal(err)
	}
	s := &source{local: local, video: video, rng: rand.New(rand.NewPCG(seed, seed)), seq: 65400, ts: -(3 * capability.ClockRate)}
	return s
}

// play sends n packets, 10 ms apart on average, at irregular times.
func (s *source) play(n int) {
	for range n {
		payload, step := make([]byte, 80), uint32(480)
		if s.video {
			payload, step = vp8(s.n), 900
		}
		_ = s.local.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: s.seq, Timestamp: s.ts, Marker: s.video}, Payload: payload})
		s.seq, s.ts, s.n = s.seq+1, s.ts+step, s.n+1
		time.Sleep(time.Duration(5+s.rng.IntN(10)) * time.Millisecond)
	}
}

// vp8 is a frame of one packet, each tenth a key frame.
func vp8(n int) []byte {
	p := make([]byte, 600)
	p[0], p[1] = 0x90, 0xc0
	binary.BigEndian.PutUint16(p[2:], 0x8000|uint16(n)&0x7fff)
	p[4], p[5] = byte(n), 1
	if n%10 == 0 {
		copy(p[5:], []byte{0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01})
	}
	return p
}

// network is what a run happens on.
type network struct {
	name          string
	video         bool
	up, down      int // per cent that is lost
	delay, jitter time.Duration
}

// run is one meeting of two over a network: what its sockets saw, and what the server's events said.
type run struct {
	network
	server, publisher, subscriber *capture
	lossUp, lossDown              *vnet.LossFilter
	pub, sub                      *end
	src                           *source
	upSSRC                        uint32
}

func meet(t *testing.T, n network) *run {
	t.Helper()
	router, err := vnet.NewRouter(&vnet.RouterConfig{
		CIDR: "10.0.0.0/24", MinDelay: n.delay, MaxJitter: n.jitter, QueueSize: 10000, LoggerFactory: quiet(),
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &run{network: n, src: newSource(t, n.video, 7)}
	r.server, r.lossUp = newCapture(t, router, "10.0.0.1", 1)
	r.publisher, _ = newCapture(t, router, "10.0.0.2", 2)
	r.subscriber, r.lossDown = newCapture(t, router, "10.0.0.3", 3)
	if err := router.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = router.Stop() })
	cfg := forward.DefaultConfig()
	cfg.ReportInterval = time.Second
	server, err := forward.NewWithNet(cfg, r.server)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	room := server.NewRoom(&end{t: t, changed: make(chan struct{})})
	t.Cleanup(room.Close)
	r.pub, r.sub = enter(t, room, r.publisher, false), enter(t, room, r.subscriber, n.video)
	kind := forward.Audio
	if n.video {
		kind = forward.Video
	}
	r.upSSRC = r.pub.publish(kind, r.src.local)
	return r
}

// lose sets how much is lost on both ways.
func (r *run) lose(t *testing.T, up, down int) {
	t.Helper()
	for _, err := range []error{r.lossUp.SetLossRate(up, true), r.lossDown.SetLossRate(down, true)} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// play sends media, first until it flows, since handshakes are to lose nothing; at the end nothing is lost either, so that the last packet
// and the reports that come to it arrive.
func (r *run) play(t *testing.T) {
	t.Helper()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				r.src.play(1)
			}
		}
	}()
	r.sub.until("media at the subscriber", func() bool { return r.sub.came > 10 })
	close(stop)
	<-stopped
	r.lose(t, r.up, r.down)
	r.src.play(500)
	r.lose(t, 0, 0)
	r.src.play(120)
	time.Sleep(1500 * time.Millisecond)
	// The subscriber first: it would answer the offer that takes the track away.
	r.sub.peer.Close()
	r.pub.peer.Close()
	r.pub.until("the publisher's summary", func() bool { return len(r.pub.ended) > 0 })
	r.sub.until("the subscriber's summary", func() bool { return len(r.sub.ended) > 0 })
}

// TestAccuracyOverAVirtualNetwork sends media from a pion client through the real forwarding server to another, loses packets by seeded filters
// on both ways, and compares what the server's events say with what sockets sent and received. It logs the table of docs/measurement.md.
func TestAccuracyOverAVirtualNetwork(t *testing.T) {
	if testing.Short() {
		t.Skip("takes real time")
	}
	for _, n := range []network{
		{"audio, nothing lost", false, 0, 0, 100 * time.Millisecond, 0},
		{"audio, 5 % lost up", false, 5, 0, 80 * time.Millisecond, 0},
		{"audio, 10 % lost down", false, 0, 10, 120 * time.Millisecond, 0},
		{"audio, 10 % lost up, 5 % down, jitter", false, 10, 5, 40 * time.Millisecond, 30 * time.Millisecond},
		{"video, 5 % lost up", true, 5, 0, 80 * time.Millisecond, 0},
		{"video, 3 % lost up, 5 % down, jitter", true, 3, 5, 30 * time.Millisecond, 20 * time.Millisecond},
	} {
		t.Run(n.name, func(t *testing.T) {
			t.Parallel()
			r := meet(t, n)
			r.play(t)
			r.check(t)
		})
	}
}

func (r *run) check(t *testing.T) {
	t.Helper()
	up, down, rate := r.pub.ended[0], r.sub.ended[0], 48000.0
	if r.video {
		rate = 90000
	}
	sent, came := r.publisher.of(true, r.upSSRC), r.server.of(false, r.upSSRC)
	if last := sent[len(sent)-1]; last.seq > sent[0].seq || last.timestamp > sent[0].timestamp {
		t.Errorf("numbers went from %d to %d, timestamps from %d to %d: no wrap was met", sent[0].seq, last.seq, sent[0].timestamp, last.timestamp)
	}
	lostUp := lostBetween(sent, came)
	if got := up.GetPacketsLost(); got != int64(lostUp) {
		t.Errorf("uplink: %d packets lost, %d were dropped on the way", got, lostUp)
	}
	lostDown := lostBetween(r.server.of(true, r.sub.ssrc), r.subscriber.of(false, r.sub.ssrc))
	if got := down.GetPacketsLost(); got != int64(lostDown) {
		t.Errorf("downlink: %d packets lost, %d were dropped on the way", got, lostDown)
	}
	jitter := ms(jitterOf(came, rate))
	within(t, "jitter", up.GetJitterMsAvg(), jitter, 0.02)
	trip := ms(r.server.roundTrip())
	if r.jitter == 0 {
		// Otherwise a handful of checks and reports, each delayed at random, have means of their own.
		within(t, "round-trip time up", up.GetRttMsAvg(), trip, 0.05)
		within(t, "round-trip time down", down.GetRttMsAvg(), trip, 0.05)
	}
	t.Logf("| %s | %d | %d / %d | %d / %d | %.2f / %.2f (%+.2f %%) | %.1f / %.1f / %.1f |", r.name, len(sent), lostUp, up.GetPacketsLost(),
		lostDown, down.GetPacketsLost(), jitter, up.GetJitterMsAvg(), (up.GetJitterMsAvg()/jitter-1)*100, trip, up.GetRttMsAvg(), down.GetRttMsAvg())
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func within(t *testing.T, what string, got, want, ratio float64) {
	t.Helper()
	if want == 0 || math.Abs(got/want-1) > ratio {
		t.Errorf("%s is %.3f ms, the capture says %.3f ms: more than %.0f %% apart", what, got, want, ratio*100)
	}
}
