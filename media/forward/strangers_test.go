package forward

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
)

// tcpPort is that of the server's media over TCP.
func tcpPort(t *testing.T) (port int) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// dial gives n connections that the test closes at its end.
func dial(t *testing.T, address string, n int) []net.Conn {
	t.Helper()
	var all []net.Conn
	for range n {
		conn, err := net.Dial("tcp4", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		all = append(all, conn)
	}
	return all
}

// ended tells whether the far end closes a connection.
func ended(t *testing.T, conn net.Conn, within time.Duration) bool {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	_, err := io.ReadAll(conn)
	timeout, ok := err.(net.Error) //nolint:errorlint // what a net.Conn gives
	return err == nil || !ok || !timeout.Timeout()
}

func TestStrangersAreBounded(t *testing.T) {
	inner, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newStrangers(inner)
	s.life, s.ofOne, s.atOnce = 3*time.Second, 4, 6
	t.Cleanup(func() { _ = s.Close() })
	address := inner.Addr().String()
	accept := func() net.Conn {
		t.Helper()
		conn, err := s.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	member := dial(t, address, 1)[0]
	if _, err := accept().Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if n := s.count(); n != 0 {
		t.Errorf("%d strangers, the one that was answered is none", n)
	}
	idle := dial(t, address, 10)
	for range idle {
		accept()
	}
	if n := s.count(); n != 4 {
		t.Errorf("%d strangers of one address, want 4", n)
	}
	for i, conn := range idle[:6] {
		if !ended(t, conn, patience) {
			t.Errorf("old connection %d is still open", i)
		}
	}
	for i, conn := range idle[6:] {
		if !ended(t, conn, patience) {
			t.Errorf("connection %d that never says a word is still open", i)
		}
	}
	if n := s.count(); n != 0 || len(s.from) != 0 {
		t.Errorf("%d strangers of %d addresses left", n, len(s.from))
	}
	if ended(t, member, 100*time.Millisecond) {
		t.Error("the connection that was answered is closed")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Accept(); err == nil {
		t.Error("a closed listener accepts")
	}
}

// Strangers at the TCP port, silent, slow or with credentials that are nobody's, leave members their media.
func TestIdleStrangersDoNotKeepMembersOut(t *testing.T) {
	port := tcpPort(t)
	room, _ := newTestRoom(t, func(c *Config) { c.TCPPort = port })
	address := net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}
	conns := dial(t, address.String(), 200)
	// A binding request (RFC 8489) of a user that nobody is, framed as RFC 4571 has it.
	name := []byte("nobody:nothing..")
	check := append([]byte{0, 1, 0, byte(4 + len(name)), 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 6, 0, byte(len(name))}, name...)
	framed := append([]byte{0, byte(len(check))}, check...)
	for i, conn := range conns {
		switch i % 3 {
		case 1:
			_, _ = conn.Write([]byte{0, 50, 0, 1})
		case 2:
			_, _ = conn.Write(framed)
		}
	}
	closed := 0
	for _, conn := range conns[:len(conns)-maxStrangersOfOne] {
		if ended(t, conn, patience) {
			closed++
		}
	}
	if want := len(conns) - maxStrangersOfOne; closed != want {
		t.Errorf("%d of the oldest %d connections are closed", closed, want)
	}
	a, b := join(t, room, clientOptions{tcp: true}), join(t, room, clientOptions{tcp: true})
	audio := newLocal(t, webrtc.MimeTypeOpus)
	a.publish(map[Kind]*webrtc.TrackLocalStaticRTP{Audio: audio})
	play(t, map[*source]bool{{track: audio}: true})
	b.until("audio over TCP", func() bool { return b.flowing(10) == 1 })
}
