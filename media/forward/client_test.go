package forward

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/transport/v5"
	"github.com/pion/webrtc/v4"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/measure"
)

// patience bounds every wait in tests: long, since nothing is said about time.
const patience = 20 * time.Second

// room is the tests' RoomEvents.
type roomEvents struct {
	mu       sync.Mutex
	speakers [][]uuid.UUID
}

func (r *roomEvents) ActiveSpeakers(owners []uuid.UUID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.speakers = append(r.speakers, owners)
}

// member is a client with real connections: what a browser is to the server.
type member struct {
	t    testing.TB
	id   uuid.UUID
	peer *Peer

	api      *webrtc.API
	pub, sub *webrtc.PeerConnection

	mu      sync.Mutex
	changed chan struct{}
	started []Track
	ended   []string
	states  map[Side]string
	reports [][]*eventpb.StreamSample
	// intervals are those of reports.
	intervals []time.Duration
	finished  []*eventpb.StreamEnded
	notes     []string
	offers    int
	// version and text of the newest offer.
	version  uint64
	text     string
	mids     map[string]Subscribed
	received map[uuid.UUID]*received
	// times are the sender reports that came, by SSRC.
	times  map[uint32][]rtcp.SenderReport
	silent bool // don't answer offers
	// reporting: receiver reports are the member's own.
	reporting bool
}

// received is what came of one subscribed track.
type received struct {
	packets []rtp.Packet
	kind    webrtc.RTPCodecType
	remote  *webrtc.TrackRemote
}

// clientOptions change how a member connects.
type clientOptions struct {
	net    transport.Net
	tcp    bool // no UDP
	engine func(*webrtc.MediaEngine) error
	// interceptors of the subscribing connection.
	interceptors func(*webrtc.MediaEngine, *interceptor.Registry) error
}

func newClientAPI(t testing.TB, o clientOptions) *webrtc.API {
	t.Helper()
	media := &webrtc.MediaEngine{}
	if o.engine == nil {
		o.engine = (*webrtc.MediaEngine).RegisterDefaultCodecs
	}
	if o.interceptors == nil {
		o.interceptors = webrtc.RegisterDefaultInterceptors
	}
	registry := &interceptor.Registry{}
	settings := webrtc.SettingEngine{LoggerFactory: quiet()}
	settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	settings.SetIncludeLoopbackCandidate(true)
	if o.net != nil {
		settings.SetNet(o.net)
	} else {
		settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
		settings.SetInterfaceFilter(func(name string) bool { return name == "lo" })
	}
	if o.tcp {
		settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4})
	}
	for _, err := range []error{o.engine(media), o.interceptors(media, registry)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(registry), webrtc.WithSettingEngine(settings))
}

func newServer(t testing.TB, change func(*Config)) *Server {
	t.Helper()
	cfg := DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// join makes a member that may do everything.
func join(t testing.TB, r *Room, o clientOptions) *member {
	t.Helper()
	m := &member{
		t: t, id: uuid.New(), api: newClientAPI(t, o), changed: make(chan struct{}), states: map[Side]string{},
		mids: map[string]Subscribed{}, received: map[uuid.UUID]*received{}, times: map[uint32][]rtcp.SenderReport{},
	}
	peer, err := r.Join(m.id, m)
	if err != nil {
		t.Fatal(err)
	}
	m.peer = peer
	t.Cleanup(m.close)
	peer.AllowSend(true, true, true)
	peer.AllowReceive(true)
	return m
}

func (m *member) close() {
	m.peer.Close()
	m.mu.Lock()
	pub, sub := m.pub, m.sub
	m.mu.Unlock()
	for _, pc := range []*webrtc.PeerConnection{pub, sub} {
		if pc != nil {
			_ = pc.GracefulClose()
		}
	}
}

// note changes the member and wakes who waits for it.
func (m *member) note(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
	close(m.changed)
	m.changed = make(chan struct{})
}

// until waits for a condition, which is asked with the lock held.
func (m *member) until(what string, condition func() bool) {
	m.t.Helper()
	deadline := time.After(patience)
	for {
		m.mu.Lock()
		done, changed := condition(), m.changed
		m.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			m.t.Fatalf("waited in vain: %s", what)
		}
	}
}

func (m *member) SubscribeOffer(version uint64, sdp string, tracks []Subscribed) {
	m.mu.Lock()
	silent := m.silent
	m.mu.Unlock()
	m.note(func() {
		m.offers++
		m.version, m.text = version, sdp
		m.mids = map[string]Subscribed{}
		for _, track := range tracks {
			m.mids[track.Mid] = track
		}
	})
	if silent {
		return
	}
	go func() {
		if err := m.answer(version, sdp); err != nil {
			m.note(func() { m.notes = append(m.notes, "answer: "+err.Error()) })
		}
	}()
}

// answer is what a client does with an offer.
func (m *member) answer(version uint64, sdp string) error {
	m.mu.Lock()
	pc := m.sub
	m.mu.Unlock()
	if pc == nil {
		var err error
		if pc, err = m.api.NewPeerConnection(webrtc.Configuration{}); err != nil {
			return err
		}
		pc.OnTrack(m.track)
		m.mu.Lock()
		m.sub = pc
		m.mu.Unlock()
	}
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: sdp}); err != nil {
		return err
	}
	answer, err := pc.CreateAnswer(nil)
	if err != nil {
		return err
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(answer); err != nil {
		return err
	}
	<-gathered
	return m.peer.Answer(context.Background(), version, pc.LocalDescription().SDP)
}

// track notes what comes.
func (m *member) track(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	in := measure.NewInbound(remote.Codec().ClockRate)
	go m.report(remote, receiver, in)
	mid := receiver.RTPTransceiver().Mid()
	m.mu.Lock()
	of := m.mids[mid]
	m.mu.Unlock()
	m.note(func() { m.received[of.TrackID] = &received{kind: remote.Kind(), remote: remote} })
	var lost missing
	seen := map[uint16]bool{}
	for {
		packet, attributes, err := remote.ReadRTP()
		if err != nil {
			return
		}
		repaired := attributes.Get(webrtc.AttributeRtxSsrc) != nil
		if m.reporting {
			lost.arrived(packet.SequenceNumber, time.Now())
			if due := lost.due(time.Now(), 100*time.Millisecond); len(due) > 0 {
				_ = m.sub.WriteRTCP([]rtcp.Packet{&rtcp.TransportLayerNack{
					MediaSSRC: uint32(remote.SSRC()), Nacks: rtcp.NackPairsFromSequenceNumbers(due),
				}})
			}
		}
		// A retransmission of what came is on another SSRC and none of this one's packets.
		if !repaired || !seen[packet.SequenceNumber] {
			in.Packet(packet.SequenceNumber, packet.Timestamp, packet.MarshalSize(), time.Now(), repaired, packet.Marker)
		}
		seen[packet.SequenceNumber] = true
		m.note(func() {
			r := m.received[of.TrackID]
			r.packets = append(r.packets, *packet)
		})
	}
}

// report answers each sender report by a receiver report of RFC 3550, for a member without interceptors: pion's reports don't take back what came
// late, and its requests go on for what came as a retransmission.
func (m *member) report(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver, in *measure.Inbound) {
	for {
		packets, _, err := receiver.ReadRTCP()
		if err != nil {
			return
		}
		for _, p := range packets {
			if sr, ok := p.(*rtcp.SenderReport); ok {
				in.SenderReport(sr.NTPTime, time.Now())
				m.note(func() { m.times[sr.SSRC] = append(m.times[sr.SSRC], *sr) })
			}
		}
		if now := time.Now(); m.reporting {
			_ = m.sub.WriteRTCP([]rtcp.Packet{&rtcp.ReceiverReport{
				SSRC: 1, Reports: []rtcp.ReceptionReport{in.ReceptionReport(uint32(remote.SSRC()), now)},
			}})
		}
	}
}

func (m *member) Candidate(Side, Candidate) {}
func (m *member) TrackStarted(t Track)      { m.note(func() { m.started = append(m.started, t) }) }
func (m *member) TrackEnded(t Track, reason string) {
	m.note(func() { m.ended = append(m.ended, string(t.Kind)+" "+reason) })
}

func (m *member) ConnectionChanged(side Side, state string) {
	m.note(func() { m.states[side] = state })
}

func (m *member) Report(interval time.Duration, streams []*eventpb.StreamSample) {
	m.note(func() { m.reports, m.intervals = append(m.reports, streams), append(m.intervals, interval) })
}

func (m *member) StreamEnded(s *eventpb.StreamEnded) {
	m.note(func() { m.finished = append(m.finished, s) })
}

func (m *member) Diagnostic(name, value string, _ eventpb.Lane) {
	m.note(func() { m.notes = append(m.notes, name+" "+value) })
}

// publish offers tracks, and keeps the connection.
// offer negotiates the publishing connection.
// newTrack makes a local track of a codec.
// source writes packets until stopped.
// next writes one packet: audio of 20 ms, or a video frame of one packet, every tenth a key frame.
// vp8 is a frame of one packet with a 15-bit picture id and a TL0PICIDX; a key frame says 640 x 360.
// play writes packets every 10 ms until the test ends.
