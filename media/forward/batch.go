package forward

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

const (
	// gather is how long packets wait for others to leave with. A packet that comes in leaves for many subscribers at once, and a frame of video is
	// several packets: one system call for all of them costs a fraction of one for each. LiveKit gathers for up to 2 ms.
	gather = time.Millisecond
	// lotPackets leave together at most; lotPacket is the size of the largest that is gathered, in bytes. Larger ones go by themselves.
	lotPackets, lotPacket = 512, 1500
	// Limits of one datagram that the system cuts into segments (UDP_SEGMENT): their number, and the bytes of all.
	maxSegments, maxSegmented = 64, 65_000
)

// batchConn is a UDP socket that gathers what is written for a moment and sends it together (sendmmsg), packets of a size to one address as one
// datagram which the system, or the network card, cuts (UDP_SEGMENT), where the system knows how. Packets to one address stay in their order.
//
// A write doesn't tell of failure to send: to whom it went, the packet was lost on the way.
type batchConn struct {
	*net.UDPConn
	batch interface {
		WriteBatch(messages []ipv4.Message, flags int) (int, error)
	}
	segments bool // guarded by sending
	wake     chan struct{}
	done     chan struct{}
	ended    sync.WaitGroup

	mu      sync.Mutex
	filling *lot // guarded by mu
	closed  bool // guarded by mu

	// sending orders what leaves; it is taken before mu.
	sending  sync.Mutex
	spare    *lot                   // guarded by sending
	messages []ipv4.Message         // guarded by sending
	open     map[netip.AddrPort]int // guarded by sending: the last message to an address, in messages
	parts    []part                 // guarded by sending: of each message
}

// lot is what was gathered.
type lot struct {
	n     int
	to    [lotPackets]netip.AddrPort
	size  [lotPackets]int
	bytes [lotPackets][lotPacket]byte
}

// part is what a message has beyond its packets.
type part struct {
	addr   net.UDPAddr
	ip     [16]byte
	oob    [24]byte
	bytes  int
	closed bool // a packet of another size was its last
}

func newBatchConn(conn *net.UDPConn) *batchConn {
	c := &batchConn{
		UDPConn: conn, wake: make(chan struct{}, 1), done: make(chan struct{}), filling: new(lot), spare: new(lot),
		messages: make([]ipv4.Message, lotPackets), parts: make([]part, lotPackets), open: make(map[netip.AddrPort]int), segments: segmentsUDP(conn),
	}
	c.batch = ipv4.NewPacketConn(conn)
	if local, ok := conn.LocalAddr().(*net.UDPAddr); ok && local.IP.To4() == nil {
		c.batch = ipv6.NewPacketConn(conn)
	}
	c.ended.Go(c.run)
	return c
}

// ReadFromAddrPort reads a packet.
func (c *batchConn) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	return c.ReadFromUDPAddrPort(b)
} //nolint:wrapcheck // pion's to judge

// WriteTo is WriteToAddrPort.
func (c *batchConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	udp, ok := addr.(*net.UDPAddr)
	if !ok {
		return c.UDPConn.WriteTo(b, addr) //nolint:wrapcheck // pion's to judge
	}
	return c.WriteToAddrPort(b, udp.AddrPort())
}

// WriteToAddrPort has a packet leave within gather.
func (c *batchConn) WriteToAddrPort(b []byte, addr netip.AddrPort) (int, error) {
	if len(b) > lotPacket || len(b) == 0 {
		return c.WriteToUDPAddrPort(b, addr) //nolint:wrapcheck // pion's to judge
	}
	for {
		c.mu.Lock()
		l := c.filling
		switch {
		case c.closed:
			c.mu.Unlock()
			return 0, net.ErrClosed
		case l.n == lotPackets:
			c.mu.Unlock()
			c.flush() // Whoever writes faster than the socket takes it waits here.
			continue
		}
		l.to[l.n], l.size[l.n] = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port()), copy(l.bytes[l.n][:], b)
		l.n++
		first := l.n == 1
		c.mu.Unlock()
		if first {
			select {
			case c.wake <- struct{}{}:
			default:
			}
		}
		return len(b), nil
	}
}

// Close sends what was written and closes the socket.
func (c *batchConn) Close() error {
	c.mu.Lock()
	first := !c.closed
	c.closed = true
	c.mu.Unlock()
	if first {
		close(c.done)
		c.flush()
	}
	err := c.UDPConn.Close()
	c.ended.Wait()
	return err //nolint:wrapcheck // pion's to judge
}

func (c *batchConn) run() {
	timer := time.NewTimer(gather)
	defer timer.Stop()
	for {
		select {
		case <-c.wake:
		case <-c.done:
			return
		}
		timer.Reset(gather)
		select {
		case <-timer.C:
		case <-c.done:
			return
		}
		c.flush()
	}
}

// flush sends what was gathered.
func (c *batchConn) flush() {
	c.sending.Lock()
	defer c.sending.Unlock()
	c.mu.Lock()
	l := c.filling
	c.filling, c.spare = c.spare, l
	c.mu.Unlock()
	for messages := c.arrange(l); len(messages) > 0; {
		n, err := c.batch.WriteBatch(messages, 0)
		if err == nil {
			messages = messages[max(n, 1):]
			continue
		}
		n = max(n, 0)
		c.failed(&messages[n], err)
		messages = messages[n+1:]
	}
	l.n = 0
}

// arrange makes messages of packets: one of all that go to an address, as far as they are of a size.
func (c *batchConn) arrange(l *lot) []ipv4.Message {
	clear(c.open)
	made := 0 // messages
	for i := range l.n {
		to, packet := l.to[i], l.bytes[i][:l.size[i]]
		at, known := c.open[to]
		if known {
			m, p := &c.messages[at], &c.parts[at]
			segment := len(m.Buffers[0])
			if c.segments && !p.closed && len(packet) <= segment && len(m.Buffers) < maxSegments && p.bytes+len(packet) <= maxSegmented {
				if len(m.Buffers) == 1 {
					m.OOB = segmentSize(p.oob[:0], segment)
				}
				m.Buffers = append(m.Buffers, packet)
				p.bytes += len(packet)
				p.closed = len(packet) < segment // Only the last segment may be smaller.
				continue
			}
		}
		m, p := &c.messages[made], &c.parts[made]
		p.addr = net.UDPAddr{IP: p.ip[:copy(p.ip[:], to.Addr().AsSlice())], Port: int(to.Port()), Zone: to.Addr().Zone()}
		p.bytes, p.closed = len(packet), false
		*m = ipv4.Message{Buffers: append(m.Buffers[:0], packet), Addr: &p.addr}
		c.open[to] = made
		made++
	}
	return c.messages[:made]
}

// failed sends the packets of a message that couldn't be sent one by one: a path or a card may take them so, but not in segments.
func (c *batchConn) failed(m *ipv4.Message, err error) {
	if len(m.Buffers) == 1 {
		return
	}
	if neverSegments(err) {
		c.segments = false
	}
	addr, _ := m.Addr.(*net.UDPAddr)
	for _, packet := range m.Buffers {
		_, _ = c.WriteToUDP(packet, addr)
	}
}
