package forward

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/transport/v5/vnet"
	"github.com/pion/webrtc/v4"

	"github.com/anteroom/anteroom/event/eventpb"
)

// lossy is a virtual network with a delay, that drops video packets at random and knows which.
type lossy struct {
	router *vnet.Router
	server string

	mu   sync.Mutex
	rng  *rand.Rand
	loss float64
	// dropped sequence numbers by direction and SSRC, primary and retransmitted ones alike.
	up, down map[uint32][]uint16
}

// isRTP tells it from STUN, DTLS and RTCP (RFC 7983, RFC 5761).
func isRTP(b []byte) bool { return len(b) > 12 && b[0]>>6 == 2 && (b[1] < 192 || b[1] > 223) }

func newLossy(t *testing.T, delay time.Duration) *lossy {
	t.Helper()
	router, err := vnet.NewRouter(&vnet.RouterConfig{CIDR: "10.0.0.0/24", MinDelay: delay, LoggerFactory: quiet(), QueueSize: 10000})
	if err != nil {
		t.Fatal(err)
	}
	n := &lossy{router: router, server: "10.0.0.1", rng: rand.New(rand.NewPCG(1, 2)), up: map[uint32][]uint16{}, down: map[uint32][]uint16{}} //nolint:gosec // seeded
	router.AddChunkFilter(func(c vnet.Chunk) bool {
		data := c.UserData()
		var h rtp.Header
		if !isRTP(data) {
			return true
		}
		if _, err := h.Unmarshal(data); err != nil {
			return true
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.rng.Float64() >= n.loss {
			return true
		}
		to := n.down
		if strings.HasPrefix(c.DestinationAddr().String(), n.server+":") {
			to = n.up
		}
		to[h.SSRC] = append(to[h.SSRC], h.SequenceNumber)
		return false
	})
	if err := router.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = router.Stop() })
	return n
}

func (n *lossy) net(t *testing.T, address string) *vnet.Net {
	t.Helper()
	one, err := vnet.NewNet(&vnet.NetConfig{StaticIPs: []string{address}})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.router.AddNet(one); err != nil {
		t.Fatal(err)
	}
	return one
}

func (n *lossy) set(loss float64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.loss = loss
}

func TestLossIsRepairedAndMeasured(t *testing.T) {
	n := newLossy(t, 20*time.Millisecond)
	server, err := NewWithNet(Config{ReportInterval: time.Second}, n.net(t, n.server))
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	room := server.NewRoom(&roomEvents{})
	a := join(t, room, clientOptions{net: n.net(t, "10.0.0.2")})
	b := join(t, room, clientOptions{net: n.net(t, "10.0.0.3"), interceptors: askingItself})
	b.reporting = true
	video := newLocal(t, webrtc.MimeTypeVP8)
	id := a.publish(map[Kind]*webrtc.TrackLocalStaticRTP{Video: video})[Video]
	// Over the wrap of sequence numbers.
	s := &source{track: video, seq: 65300}
	stop := play(t, map[*source]bool{s: false})
	b.until("media", func() bool { return b.flowing(20) == 1 })
	n.set(0.05)
	time.Sleep(4 * time.Second)
	n.set(0)
	time.Sleep(time.Second)
	stop()
	time.Sleep(500 * time.Millisecond)
	sent := b.sequences(id)
	n.mu.Lock()
	upSSRC := uint32(a.pub.GetSenders()[0].GetParameters().Encodings[0].SSRC)
	upLost := len(n.up[upSSRC])
	b.mu.Lock()
	downSSRC := uint32(b.received[id].remote.SSRC())
	b.mu.Unlock()
	downLost := len(n.down[downSSRC])
	n.mu.Unlock()
	if upLost < 5 || downLost < 5 {
		t.Fatalf("dropped %d up and %d down, want more to show anything", upLost, downLost)
	}
	holes := 0
	for i := 1; i < len(sent); i++ {
		holes += int(sent[i]-sent[i-1]) - 1
	}
	t.Logf("dropped %d up, %d down; %d packets arrived, %d holes left", upLost, downLost, len(sent), holes)
	if holes > 0 {
		t.Errorf("%d of %d packets were not repaired", holes, upLost+downLost)
	}
	a.until("round-trip times", func() bool { return withRTT(a.reports) })
	b.until("round-trip times", func() bool { return withRTT(b.reports) })
	a.peer.Close()
	b.peer.Close()
	a.mu.Lock()
	defer a.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(a.finished) != 1 || len(b.finished) != 1 {
		t.Fatalf("%d and %d summaries, want one each", len(a.finished), len(b.finished))
	}
	up, down := a.finished[0], b.finished[0]
	if got := up.GetPacketsLost(); got != int64(upLost) {
		t.Errorf("uplink lost %d, dropped were %d", got, upLost)
	}
	if got := down.GetPacketsLost(); got != int64(downLost) {
		t.Errorf("downlink lost %d, dropped were %d", got, downLost)
	}
	for name, e := range map[string]*eventpb.StreamEnded{"up": up, "down": down} {
		if rtt := e.GetRttMsAvg(); rtt < 38 || rtt > 60 {
			t.Errorf("%s: round-trip time %.1f ms, the network's is 40", name, rtt)
		}
		if e.GetTransport() != "udp" || e.GetLocalCandidateType() == 0 {
			t.Errorf("%s: transport %q, candidate %v", name, e.GetTransport(), e.GetLocalCandidateType())
		}
	}
	if up.GetDirection() != eventpb.Direction_DIRECTION_OUTBOUND || down.GetDirection() != eventpb.Direction_DIRECTION_INBOUND {
		t.Errorf("directions %v and %v, want outbound and inbound", up.GetDirection(), down.GetDirection())
	}
}

// askingItself negotiates requests for what was lost, and makes none: the member does.
func askingItself(m *webrtc.MediaEngine, _ *interceptor.Registry) error {
	m.RegisterFeedback(webrtc.RTCPFeedback{Type: webrtc.TypeRTCPFBNACK}, webrtc.RTPCodecTypeVideo)
	return nil
}

func withRTT(reports [][]*eventpb.StreamSample) bool {
	return slices.ContainsFunc(reports, func(r []*eventpb.StreamSample) bool {
		return slices.ContainsFunc(r, func(s *eventpb.StreamSample) bool { return s.GetRttMs() > 0 })
	})
}

// sequences are the numbers that came of a track, in order, each once.
func (m *member) sequences(id uuid.UUID) []uint16 {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []uint16
	for _, p := range m.received[id].packets {
		all = append(all, p.SequenceNumber)
	}
	slices.SortFunc(all, func(a, b uint16) int { return int(int16(a - b)) })
	return slices.Compact(all)
}
