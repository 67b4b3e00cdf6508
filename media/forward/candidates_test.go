package forward

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/webrtc/v4"
)

func TestCandidatesThatAreNoClientsAreLeftOut(t *testing.T) {
	for _, c := range []struct {
		name, candidate string
		loopback        bool
		want            bool
	}{
		{"public", "1 1 udp 2130706431 203.0.113.7 50000 typ host", false, true},
		{"private", "1 1 udp 2130706431 192.168.77.7 50000 typ host", false, true},
		{"IPv6", "1 1 udp 2130706431 2001:db8::1 50000 typ host", false, true},
		{"behind a translator", "1 1 udp 2130706431 203.0.113.7 50000 typ srflx raddr 10.0.0.1 rport 4000", false, true},
		{"web port", "1 1 udp 2130706431 203.0.113.7 443 typ relay raddr 10.0.0.1 rport 4000", false, true},
		{"connects to the server", "1 1 tcp 1518280447 203.0.113.7 9 typ host tcptype active", false, true},
		{"wants to be connected to", "1 1 tcp 1518280447 203.0.113.7 50000 typ host tcptype passive", false, false},
		{"both at once", "1 1 tcp 1518280447 203.0.113.7 50000 typ host tcptype so", false, false},
		{"TCP without a type", "1 1 tcp 1518280447 203.0.113.7 50000 typ host", false, false},
		{"name of multicast DNS", "1 1 udp 2130706431 6f1b2a1e-0000-4000-8000-000000000000.local 50000 typ host", false, false},
		{"name", "1 1 udp 2130706431 example.org 50000 typ host", false, false},
		{"unspecified", "1 1 udp 2130706431 0.0.0.0 50000 typ host", true, false},
		{"this network", "1 1 udp 2130706431 0.1.2.3 50000 typ host", true, false},
		{"unspecified, IPv6", "1 1 udp 2130706431 :: 50000 typ host", true, false},
		{"multicast", "1 1 udp 2130706431 224.0.0.251 5353 typ host", true, false},
		{"multicast, IPv6", "1 1 udp 2130706431 ff02::fb 5353 typ host", true, false},
		{"broadcast", "1 1 udp 2130706431 255.255.255.255 50000 typ host", true, false},
		{"link-local", "1 1 udp 2130706431 169.254.169.254 50000 typ host", true, false},
		{"loopback, not offered", "1 1 udp 2130706431 127.0.0.1 50000 typ host", false, false},
		{"loopback as IPv6", "1 1 udp 2130706431 ::ffff:127.0.0.1 50000 typ host", false, false},
		{"loopback, offered", "1 1 udp 2130706431 127.0.0.1 50000 typ host", true, true},
		{"a service's port", "1 1 udp 2130706431 203.0.113.7 53 typ host", true, false},
		{"no port", "1 1 udp 2130706431 203.0.113.7 0 typ host", true, false},
		{"nonsense", "nonsense", true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := newDestinations(clientAddresses(c.loopback)).take(c.candidate); got != c.want {
				t.Errorf("taken: %v, want %v", got, c.want)
			}
		})
	}
}

func TestBroadcastOfANetworkIsNoClient(t *testing.T) {
	got := map[string]string{}
	for _, text := range []string{"192.168.1.7/24", "10.1.2.3/22", "10.0.0.1/31", "10.0.0.1/32", "2001:db8::1/64"} {
		ip, network, err := net.ParseCIDR(text)
		if err != nil {
			t.Fatal(err)
		}
		if address, ok := broadcastOf(&net.IPNet{IP: ip, Mask: network.Mask}); ok {
			got[text] = address.String()
		}
	}
	if diff := cmp.Diff(map[string]string{"192.168.1.7/24": "192.168.1.255", "10.1.2.3/22": "10.1.3.255"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestDestinationsAreBounded(t *testing.T) {
	d := newDestinations(clientAddresses(false))
	candidate := func(i int) string {
		return fmt.Sprintf("%d 1 udp 2130706431 203.0.113.%d 50000 typ host", i, i)
	}
	name := func(from, n int) (taken int) {
		for i := from; i < from+n; i++ {
			if d.take(candidate(i)) {
				taken++
			}
		}
		return taken
	}
	began := d.since
	d.renew("one", began)
	if n := name(1, 100); n != maxDestinations {
		t.Errorf("%d taken of 100, want %d", n, maxDestinations)
	}
	if n := name(1, 100); n != maxDestinations {
		t.Errorf("%d taken when they are named again, want %d", n, maxDestinations)
	}
	if d.take("1 1 udp 2130706431 203.0.113.1 50000 typ srflx raddr 10.0.0.1 rport 4000") {
		t.Error("another candidate of the same address taken: a pair more that it is sent checks for")
	}
	d.renew("two", began.Add(destinationsFor/2))
	if n := name(101, 100); n != 0 {
		t.Errorf("%d taken after a restart at once, want none", n)
	}
	d.renew("three", began.Add(destinationsFor))
	if n := name(101, 100); n != maxDestinations {
		t.Errorf("%d taken after a restart in time, want %d", n, maxDestinations)
	}
}

func TestSourcesOfAConnectionAreBounded(t *testing.T) {
	allow := sources(clientAddresses(false))
	taken := 0
	for i := range 200 {
		if allow(net.IPv4(203, 0, 113, byte(i))) {
			taken++
		}
	}
	if taken != maxSources || !allow(net.IPv4(203, 0, 113, 1)) || allow(net.IPv4(127, 0, 0, 1)) {
		t.Errorf("%d of 200 taken, want %d, known ones always, and no loopback", taken, maxSources)
	}
}

// sinks are addresses that nobody asked for media: they count who has heard of the server.
type sinks struct {
	mu  sync.Mutex
	hit map[netip.AddrPort]bool
}

func (s *sinks) hits() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.hit)
}

func (s *sinks) udp(t *testing.T) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	address := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	go func() {
		buffer := make([]byte, 1500)
		for {
			if _, _, err := conn.ReadFrom(buffer); err != nil {
				return
			}
			s.mu.Lock()
			s.hit[address] = true
			s.mu.Unlock()
		}
	}()
	return address
}

// A guest makes the server send checks to as many addresses as it may name, however often it offers, and connects it to none.
func TestOffersDoNotMakeTheServerKnockAtManyDoors(t *testing.T) {
	room, _ := newTestRoom(t, nil)
	a := join(t, room, clientOptions{})
	door, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	knocked := make(chan struct{}, 100)
	go func() {
		for {
			conn, err := door.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
			knocked <- struct{}{}
		}
	}()
	t.Cleanup(func() { _ = door.Close() })
	doorAt := door.Addr().(*net.TCPAddr).Port
	s := &sinks{hit: map[netip.AddrPort]bool{}}
	passive := func(i int) string {
		return fmt.Sprintf("candidate:9%d 1 tcp 1518280447 127.0.0.1 %d typ host tcptype passive", i, doorAt)
	}
	for i := range 3 {
		pc, err := a.api.NewPeerConnection(webrtc.Configuration{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = pc.Close() })
		transceiver, err := pc.AddTransceiverFromTrack(newLocal(t, webrtc.MimeTypeOpus), webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		if err != nil {
			t.Fatal(err)
		}
		offer, err := pc.CreateOffer(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := pc.SetLocalDescription(offer); err != nil {
			t.Fatal(err)
		}
		lines := []string{passive(i)}
		for k := range maxDestinations {
			to := s.udp(t)
			lines = append(lines, fmt.Sprintf("candidate:%d 1 udp %d %s %d typ host", k, 2130706431-k, to.Addr(), to.Port()))
		}
		text := offer.SDP + "a=" + strings.Join(lines, "\r\na=") + "\r\n"
		if _, _, err := a.peer.Publish(t.Context(), text, []Intent{{Mid: transceiver.Mid(), Kind: Audio}}); err != nil {
			t.Fatal(err)
		}
		to := s.udp(t)
		for _, c := range []string{passive(i), fmt.Sprintf("candidate:1 1 udp 1 %s %d typ host", to.Addr(), to.Port())} {
			if err := a.peer.AddCandidate(PublishSide, Candidate{Candidate: c}); err != nil {
				t.Fatal(err)
			}
		}
		// Each connection has the time to send some checks: the first pairs go at once.
		deadline := time.Now().Add(patience)
		for i == 0 && s.hits() < maxDestinations && time.Now().Before(deadline) {
			time.Sleep(10 * time.Millisecond)
		}
	}
	time.Sleep(time.Second)
	if n := s.hits(); n != maxDestinations {
		t.Errorf("checks came to %d addresses that a client named, want the first %d", n, maxDestinations)
	}
	select {
	case <-knocked:
		t.Error("the server connected to an address that a client named")
	default:
	}
}
