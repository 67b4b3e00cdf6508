package forward

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// A client names the addresses that the server sends checks to, so it must not name just any, nor many: a meeting's guest would have the server
// knock at doors, or flood somebody. Where a client's own checks come from, the server learns by itself; so what is left out here costs a
// connection only where the client could not reach the server.
const (
	// maxDestinations of one side of a member: in all of a connection's life between ICE restarts, and in any destinationsFor.
	maxDestinations = 30
	destinationsFor = time.Minute
)

// destinations are what a member's clients named as their own.
type destinations struct {
	allowed func(netip.Addr) bool

	mu         sync.Mutex
	since      time.Time
	generation string
	named      map[netip.AddrPort]ice.Candidate
}

func newDestinations(allowed func(netip.Addr) bool) *destinations {
	return &destinations{allowed: allowed, since: time.Now(), named: map[netip.AddrPort]ice.Candidate{}}
}

// describe gives a session description without the candidates that are not to be used.
func (d *destinations) describe(text string) (string, error) {
	var description sdp.SessionDescription
	if err := description.UnmarshalString(text); err != nil {
		return "", fmt.Errorf("%w: does not parse", ErrInvalidSDP)
	}
	d.renew(generationOf(&description), time.Now())
	left := false
	without := func(attributes []sdp.Attribute) []sdp.Attribute {
		return slices.DeleteFunc(attributes, func(a sdp.Attribute) bool {
			out := a.IsICECandidate() && !d.take(a.Value)
			left = left || out
			return out
		})
	}
	description.Attributes = without(description.Attributes)
	for _, m := range description.MediaDescriptions {
		m.Attributes = without(m.Attributes)
	}
	if !left {
		return text, nil
	}
	changed, err := description.Marshal()
	if err != nil {
		return "", fmt.Errorf("%w: can't be written again", ErrInvalidSDP)
	}
	return string(changed), nil
}

// renew forgets what was named when the client restarts ICE or has another connection; one that does so all the time has no more for it.
func (d *destinations) renew(generation string, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if generation == d.generation {
		return
	}
	d.generation = generation
	if now.Sub(d.since) >= destinationsFor {
		d.since = now
		clear(d.named)
	}
}

// add hands a trickled candidate to pion if it is to be used. One that can't be read is the client's error, the others are left out in silence.
func (d *destinations) add(pc *webrtc.PeerConnection, c webrtc.ICECandidateInit) error {
	value := strings.TrimPrefix(c.Candidate, "candidate:")
	if pc == nil {
		return nil
	}
	if value != "" && strings.Count(value, " ") < 5 {
		return fmt.Errorf("%w: a candidate that can't be read", ErrInvalidSDP)
	}
	if value != "" && !d.take(value) {
		return nil
	}
	if err := pc.AddICECandidate(c); err != nil {
		return fmt.Errorf("%w: a candidate that can't be read", ErrInvalidSDP)
	}
	return nil
}

// take tells whether a candidate is to be used, and counts it. The same again may be said again, as each description does.
func (d *destinations) take(value string) bool {
	candidate, err := ice.UnmarshalCandidate(value)
	if err != nil {
		return false
	}
	if candidate.NetworkType().IsTCP() {
		// The client connects to the server; the server to nobody.
		return candidate.TCPType() == ice.TCPTypeActive
	}
	// A name (of multicast DNS, which browsers hide their addresses behind) is never looked up.
	address, err := netip.ParseAddr(candidate.Address())
	port := candidate.Port()
	if err != nil || !d.allowed(address) || !clientPort(port) {
		return false
	}
	to := netip.AddrPortFrom(address.Unmap(), uint16(port)) //nolint:gosec // clientPort bounds it
	d.mu.Lock()
	defer d.mu.Unlock()
	if known, ok := d.named[to]; ok {
		return known.Equal(candidate)
	}
	if len(d.named) >= maxDestinations {
		return false
	}
	d.named[to] = candidate
	return true
}

// clientPort tells whether media may come from a port: as in browsers, of those that services have only the two of the web.
func clientPort(port int) bool { return port >= 1024 && port <= 65535 || port == 80 || port == 443 }

// generationOf a description's ICE credentials.
func generationOf(description *sdp.SessionDescription) string {
	const key = "ice-ufrag"
	if value, ok := description.Attribute(key); ok {
		return value
	}
	for _, m := range description.MediaDescriptions {
		if value, ok := m.Attribute(key); ok {
			return value
		}
	}
	return ""
}

// clientAddresses tells whether an address can be a client's: nothing that reaches many or nobody, and this machine only if it is offered itself.
func clientAddresses(loopback bool) func(netip.Addr) bool {
	var broadcasts []netip.Addr
	// Without the list the others hold.
	interfaces, _ := net.InterfaceAddrs()
	for _, one := range interfaces {
		if prefix, ok := one.(*net.IPNet); ok {
			if address, ok := broadcastOf(prefix); ok {
				broadcasts = append(broadcasts, address)
			}
		}
	}
	return func(address netip.Addr) bool {
		address = address.Unmap()
		switch {
		case !address.IsValid(), address.IsUnspecified(), address.IsMulticast(), address.IsLinkLocalUnicast():
			return false
		case address.IsLoopback():
			return loopback
		case address.Is4():
			// 0.0.0.0/8 is this network, 240.0.0.0/4 reserved up to the broadcast to all.
			first := address.As4()[0]
			return first != 0 && first < 240 && !slices.Contains(broadcasts, address)
		}
		return true
	}
}

// broadcastOf a network that this machine is in; IPv6 has none, nor have networks of one or two addresses.
func broadcastOf(prefix *net.IPNet) (netip.Addr, bool) {
	ip := prefix.IP.To4()
	ones, bits := prefix.Mask.Size()
	if ip == nil || bits != 32 || ones >= 31 {
		return netip.Addr{}, false
	}
	var last [4]byte
	for i := range last {
		last[i] = ip[i] | ^prefix.Mask[i]
	}
	return netip.AddrFrom4(last), true
}

// sources bounds the addresses that one connection exchanges checks with, wherever it has them from: a client can forge the source of its own.
func sources(allowed func(netip.Addr) bool) func(net.IP) bool {
	var mu sync.Mutex
	known := map[netip.Addr]bool{}
	return func(ip net.IP) bool {
		address, ok := netip.AddrFromSlice(ip)
		address = address.Unmap()
		if !ok || !allowed(address) {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		if !known[address] && len(known) < maxSources {
			known[address] = true
		}
		return known[address]
	}
}

// maxSources of one connection: a client that moves between networks has a few at a time.
const maxSources = 64
