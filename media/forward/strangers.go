package forward

import (
	"container/list"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of TCP connections that nothing shows to be a member's: those that the server has not answered a check of, which it does only when the
// check is signed with what a session description told. A member's are answered within a second or so.
const (
	maxStrangers      = 1024
	maxStrangersOfOne = 32 // of one address; of one network of networkBits in IPv6
	strangerFor       = 10 * time.Second
	networkBits       = 64
)

// acceptAgain is the pause after a connection that could not be accepted.
const acceptAgain = 50 * time.Millisecond

// strangers is a listener that closes connections which stay a stranger's. Where there are too many, it closes the oldest: a stranger that waits
// keeps nobody out who proves itself at once.
type strangers struct {
	net.Listener
	// life of a stranger, atOnce in total and ofOne of one address.
	life          time.Duration
	atOnce, ofOne int
	closed        chan struct{}
	closing       sync.Once

	mu sync.Mutex
	// order of *stranger, the oldest first.
	order list.List
	from  map[netip.Addr]int
}

func newStrangers(l net.Listener) *strangers {
	return &strangers{
		Listener: l, life: strangerFor, atOnce: maxStrangers, ofOne: maxStrangersOfOne, closed: make(chan struct{}), from: map[netip.Addr]int{},
	}
}

// Accept gives the next connection. It fails only when the listener is closed: pion never asks again after an error, as of a process that has no
// more files to open for a while.
func (s *strangers) Accept() (net.Conn, error) {
	for {
		conn, err := s.Listener.Accept()
		if err == nil {
			return s.welcome(conn), nil
		}
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		select {
		case <-s.closed:
			return nil, net.ErrClosed
		case <-time.After(acceptAgain):
		}
	}
}

func (s *strangers) Close() error {
	s.closing.Do(func() { close(s.closed) })
	return s.Listener.Close()
}

// stranger is a connection until the server has written to it.
type stranger struct {
	net.Conn
	of     *strangers
	source netip.Addr
	known  atomic.Bool
	timer  *time.Timer
	// place in the order; nil when it is in it no more. For who holds the lock of of.
	place *list.Element
}

func (s *strangers) welcome(conn net.Conn) *stranger {
	one := &stranger{Conn: conn, of: s, source: sourceOf(conn)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.from[one.source] >= s.ofOne {
		for e := s.order.Front(); e != nil; e = e.Next() {
			if oldest, ok := e.Value.(*stranger); ok && oldest.source == one.source {
				s.expel(oldest)
				break
			}
		}
	}
	if e := s.order.Front(); s.order.Len() >= s.atOnce && e != nil {
		if oldest, ok := e.Value.(*stranger); ok {
			s.expel(oldest)
		}
	}
	one.place = s.order.PushBack(one)
	s.from[one.source]++
	one.timer = time.AfterFunc(s.life, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.expel(one)
	})
	return one
}

// expel closes one that is still a stranger's.
func (s *strangers) expel(one *stranger) {
	if s.forget(one) {
		_ = one.Conn.Close()
	}
}

// forget counts a connection no more; false: it was not counted.
func (s *strangers) forget(one *stranger) bool {
	if one.place == nil {
		return false
	}
	s.order.Remove(one.place)
	one.place = nil
	if s.from[one.source]--; s.from[one.source] <= 0 {
		delete(s.from, one.source)
	}
	if one.timer != nil {
		one.timer.Stop()
	}
	return true
}

func (s *strangers) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.order.Len()
}

// Write makes the connection a member's: pion writes first when it answers.
func (c *stranger) Write(b []byte) (int, error) {
	if !c.known.Swap(true) {
		c.of.mu.Lock()
		c.of.forget(c)
		c.of.mu.Unlock()
	}
	return c.Conn.Write(b)
}

func (c *stranger) Close() error {
	c.of.mu.Lock()
	c.of.forget(c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// sourceOf a connection is what counts as one place: the address, or the network that one customer has in IPv6.
func sourceOf(conn net.Conn) netip.Addr {
	remote, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	address := remote.AddrPort().Addr().Unmap().WithZone("")
	if address.Is4() {
		return address
	}
	prefix, err := address.Prefix(networkBits)
	if err != nil {
		return address
	}
	return prefix.Addr()
}
