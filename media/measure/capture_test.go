package measure_test

import (
	"encoding/binary"
	"math"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/pion/transport/v5"
	"github.com/pion/transport/v5/vnet"
)

// captured is one packet as a socket saw it. RTP headers and STUN are in the clear.
type captured struct {
	at        time.Time
	ssrc      uint32
	seq       uint16
	timestamp uint32
}

// capture is everything that a machine's sockets sent and received: the oracle, which knows nothing of what is measured.
type capture struct {
	*vnet.Net
	mu         sync.Mutex
	sent, came []captured
	asked      map[string]time.Time
	trips      []time.Duration
}

func newCapture(t *testing.T, router *vnet.Router, ip string, seed int64) (*capture, *vnet.LossFilter) {
	t.Helper()
	network, err := vnet.NewNet(&vnet.NetConfig{StaticIPs: []string{ip}})
	if err != nil {
		t.Fatal(err)
	}
	loss, err := vnet.NewLossFilter(network, 0, vnet.WithLossSeed(seed))
	if err != nil {
		t.Fatal(err)
	}
	if err := router.AddNet(loss); err != nil {
		t.Fatal(err)
	}
	return &capture{Net: network, asked: map[string]time.Time{}}, loss
}

func (c *capture) ListenUDP(network string, addr *net.UDPAddr) (transport.UDPConn, error) {
	conn, err := c.Net.ListenUDP(network, addr)
	if err != nil {
		return nil, err
	}
	return &capturedConn{conn, c}, nil
}

type capturedConn struct {
	transport.UDPConn
	c *capture
}

func (c *capturedConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.UDPConn.ReadFrom(b)
	if err == nil {
		c.c.note(&c.c.came, b[:n], false)
	}
	return n, from, err
}

func (c *capturedConn) WriteTo(b []byte, to net.Addr) (int, error) {
	c.c.note(&c.c.sent, b, true)
	return c.UDPConn.WriteTo(b, to)
}

func (c *capture) note(list *[]captured, b []byte, out bool) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case len(b) >= 20 && b[0] == 0 && b[1] == 1 && out:
		c.asked[string(b[8:20])] = now
	case len(b) >= 20 && b[0] == 1 && b[1] == 1 && !out:
		if at, ok := c.asked[string(b[8:20])]; ok {
			c.trips = append(c.trips, now.Sub(at))
		}
	case len(b) >= 12 && b[0]>>6 == 2 && (b[1] < 192 || b[1] > 223):
		*list = append(*list, captured{
			at: now, ssrc: binary.BigEndian.Uint32(b[8:]), seq: binary.BigEndian.Uint16(b[2:]), timestamp: binary.BigEndian.Uint32(b[4:]),
		})
	}
}

// of are the packets of one SSRC that were sent, or that came.
func (c *capture) of(sent bool, ssrc uint32) (out []captured) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.came
	if sent {
		list = c.sent
	}
	for _, p := range list {
		if p.ssrc == ssrc {
			out = append(out, p)
		}
	}
	return out
}

// roundTrip is the mean time from a STUN request to its answer.
func (c *capture) roundTrip() (mean time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.trips {
		mean += d / time.Duration(len(c.trips))
	}
	return mean
}

// lostBetween counts the numbers that were sent and never came, from the first to the last that came. Fewer than 65536 packets.
func lostBetween(sent, came []captured) (lost int) {
	have := map[uint16]bool{}
	for _, p := range came {
		have[p.seq] = true
	}
	last := -1
	for k, p := range sent {
		if have[p.seq] {
			last = k
		}
	}
	begun := false
	done := map[uint16]bool{}
	for _, p := range sent[:last+1] {
		begun = begun || have[p.seq]
		if begun && !have[p.seq] && !done[p.seq] {
			lost++
			done[p.seq] = true
		}
	}
	return lost
}

// jitterOf is RFC 3550 6.4.1 over a capture in floating point, timestamps unwrapped: its mean over all packets.
func jitterOf(came []captured, rate float64) time.Duration {
	var j, sum, before float64
	var unwrapped int64
	for k, p := range came {
		if k > 0 {
			unwrapped += int64(int32(p.timestamp - came[k-1].timestamp))
		}
		transit := p.at.Sub(came[0].at).Seconds() - float64(unwrapped)/rate
		if k > 0 {
			j += (math.Abs(transit-before) - j) / 16
			sum += j
		}
		before = transit
	}
	return time.Duration(sum / float64(len(came)-1) * float64(time.Second))
}
