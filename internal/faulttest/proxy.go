package faulttest

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy passes connections on from an address of this machine to another one, as long as the test lets it. All methods are safe for concurrent use.
type Proxy struct {
	listener net.Listener
	all      sync.WaitGroup

	mu    sync.Mutex
	to    string                // guarded by mu
	delay time.Duration         // guarded by mu
	wants func([]byte) bool     // guarded by mu; nil: nothing is to be cut
	cuts  int                   // guarded by mu
	open  map[*passing]struct{} // guarded by mu
	still chan struct{}         // guarded by mu; closed: everything passes
}

// passing is one connection.
type passing struct {
	client, server net.Conn

	mu sync.Mutex
	// doomed: a request has gone through whose answer never will.
	doomed bool // guarded by mu
}

// NewProxy listens on loopback until the test ends. To says where to.
func NewProxy(t testing.TB) *Proxy {
	t.Helper()
	return NewProxyOn(t, "127.0.0.1")
}

// NewProxyOn listens on an address of this machine until the test ends.
func NewProxyOn(t testing.TB, address string) *Proxy {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Fatalf("listen for a proxy: %v", err)
	}
	p := &Proxy{listener: listener, open: map[*passing]struct{}{}, still: make(chan struct{})}
	close(p.still)
	p.all.Go(p.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		p.Still(false)
		p.Break()
		p.all.Wait()
	})
	return p
}

// Addr is where clients connect to.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// To passes connections on to an address from now on; those that are open stay where they are.
func (p *Proxy) To(addr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.to = addr
}

// CutAnswer cuts the next connection on which a client sends bytes that a condition holds for: they are passed on, and so is what the client sends after
// them, and the connection is closed at both ends when the server begins to answer, before a byte of that gets through. The condition sees what the
// client has written at once, which with Kafka is a request, and must not keep it.
func (p *Proxy) CutAnswer(wants func(sent []byte) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wants = wants
}

// Cuts is how many connections were cut so.
func (p *Proxy) Cuts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cuts
}

// Slow holds up whatever is sent, in either direction, by so much from now on.
func (p *Proxy) Slow(delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = delay
}

// Still lets nothing pass while it is so: connections stay open, new ones are taken, and nothing comes of either, as where a network is parted.
func (p *Proxy) Still(still bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.still:
		if still {
			p.still = make(chan struct{})
		}
	default:
		if !still {
			close(p.still)
		}
	}
}

// Break closes all connections that are open.
func (p *Proxy) Break() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		c.end()
	}
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		p.all.Go(func() { p.pass(client) })
	}
}

// pass is one connection from its beginning to its end.
func (p *Proxy) pass(client net.Conn) {
	defer client.Close()
	p.mu.Lock()
	to := p.to
	p.mu.Unlock()
	server, err := new(net.Dialer).Dial("tcp", to)
	if err != nil {
		return
	}
	c := &passing{client: client, server: server}
	p.mu.Lock()
	p.open[c] = struct{}{}
	p.mu.Unlock()
	defer func() {
		c.end()
		p.mu.Lock()
		delete(p.open, c)
		p.mu.Unlock()
	}()
	var both sync.WaitGroup
	both.Go(func() { p.pump(c, client, server, p.doom) })
	both.Go(func() { p.pump(c, server, client, p.spare) })
	both.Wait()
}

// pump passes on what is sent in one direction while look lets it.
func (p *Proxy) pump(c *passing, from, to net.Conn, look func(*passing, []byte) bool) {
	defer c.end()
	buffer := make([]byte, 256<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		p.mu.Lock()
		still, delay := p.still, p.delay
		p.mu.Unlock()
		<-still
		if delay > 0 {
			time.Sleep(delay)
		}
		if !look(c, buffer[:n]) {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// doom looks at what a client sends.
func (p *Proxy) doom(c *passing, sent []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wants != nil && p.wants(sent) {
		p.wants = nil
		c.mu.Lock()
		c.doomed = true
		c.mu.Unlock()
	}
	return true
}

// spare looks at what a server answers.
func (p *Proxy) spare(c *passing, _ []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.doomed {
		p.mu.Lock()
		p.cuts++
		p.mu.Unlock()
	}
	return !c.doomed
}

func (c *passing) end() {
	_ = c.client.Close()
	_ = c.server.Close()
}

// Kafka's requests, by the numbers of its protocol.
const (
	KafkaProduce      = 0
	KafkaFetch        = 1
	KafkaOffsetCommit = 8
)

// KafkaRequest is a condition for CutAnswer: a request of a kind.
func KafkaRequest(kind uint16) func([]byte) bool {
	return func(sent []byte) bool {
		return len(sent) >= 6 && uint16(sent[4])<<8|uint16(sent[5]) == kind
	}
}

// ClickHouseBlock is a condition for CutAnswer: a block of rows in ClickHouse's native protocol, which is part of an insert that is acknowledged next.
func ClickHouseBlock(sent []byte) bool {
	const data, empty = 2, 200 // the number of the packet; what a block without rows, which ends every query, is shorter than
	return len(sent) > empty && sent[0] == data
}
