package forward

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func udp(t *testing.T, address string) *net.UDPConn {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(address)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetReadBuffer(4 << 20)
	return conn
}

// datagram is a packet: 4 bytes of number, then bytes that follow from it.
func datagram(number uint32, size int) []byte {
	b := binary.BigEndian.AppendUint32(nil, number)
	for len(b) < size {
		b = append(b, byte(number)+byte(len(b)))
	}
	return b
}

// Whatever is gathered arrives whole, each packet as it was written, in the order of its address, with and without segments, over IPv4 and IPv6.
func TestBatchConn_SendsEachPacketAsItWasWritten(t *testing.T) {
	const packets, receivers = 900, 3
	for name, address := range map[string]string{"IPv4": "127.0.0.1:0", "IPv6": "[::1]:0"} {
		for _, segments := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				c := newBatchConn(udp(t, address))
				t.Cleanup(func() { _ = c.Close() })
				if segments && !c.segments {
					t.Skip("this system cuts no datagrams")
				}
				c.segments = segments
				var all sync.WaitGroup
				for range receivers {
					to := udp(t, address)
					rng := rand.New(rand.NewPCG(1, rand.Uint64()))
					sizes := make([]int, packets)
					for i := range sizes {
						switch rng.IntN(20) {
						case 0:
							sizes[i] = 4 + rng.IntN(lotPacket-3)
						case 1:
							sizes[i] = lotPacket + 1 + rng.IntN(500)
						default:
							sizes[i] = []int{80, 1170}[i/50%2]
						}
					}
					all.Go(func() {
						for i, size := range sizes {
							if n, err := c.WriteTo(datagram(uint32(i), size), to.LocalAddr()); err != nil || n != size {
								t.Errorf("write of %d bytes: %d, %v", size, n, err)
							}
							if i%64 == 63 {
								time.Sleep(time.Millisecond)
							}
						}
					})
					all.Go(func() { receiveAll(t, to, sizes) })
				}
				all.Wait()
			})
		}
	}
}

// receiveAll reads the packets of the sizes. Those too large to be gathered overtake others; the others keep their order.
func receiveAll(t *testing.T, conn *net.UDPConn, sizes []int) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	b, last, seen := make([]byte, 1<<16), -1, map[uint32]bool{}
	for range sizes {
		n, err := conn.Read(b)
		if err != nil {
			t.Errorf("%d of %d packets came: %v", len(seen), len(sizes), err)
			return
		}
		number := binary.BigEndian.Uint32(b)
		if int(number) >= len(sizes) || seen[number] || string(b[:n]) != string(datagram(number, sizes[number])) {
			t.Errorf("packet %d of %d bytes is not what was written", number, n)
			return
		}
		seen[number] = true
		if n > lotPacket {
			continue
		}
		if int(number) < last {
			t.Errorf("packet %d came after %d", number, last)
		}
		last = int(number)
	}
}

// What was written before the socket was closed leaves; what is written after is told so.
func TestBatchConn_ClosesAfterWhatWasWritten(t *testing.T) {
	c, to := newBatchConn(udp(t, "127.0.0.1:0")), udp(t, "127.0.0.1:0")
	if _, err := c.WriteTo(datagram(7, 100), to.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	_ = to.SetReadDeadline(time.Now().Add(20 * time.Second))
	b := make([]byte, 2000)
	if n, err := to.Read(b); err != nil || n != 100 {
		t.Errorf("%d bytes came: %v", n, err)
	}
	if _, err := c.WriteTo(datagram(8, 100), to.LocalAddr()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a write after the end: %v", err)
	}
	if err := c.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed again: %v", err)
	}
}

// A packet that can't be sent is lost by itself: those around it arrive, also where it was to be a segment.
func TestBatchConn_LosesOnlyWhatCannotBeSent(t *testing.T) {
	c, to := newBatchConn(udp(t, "127.0.0.1:0")), udp(t, "127.0.0.1:0")
	t.Cleanup(func() { _ = c.Close() })
	nowhere := net.UDPAddrFromAddrPort(netip.MustParseAddrPort("[2001:db8::1]:9")) // not to be had from an IPv4 socket
	for i := range uint32(6) {
		_, _ = c.WriteTo(datagram(i, 100), to.LocalAddr())
		_, _ = c.WriteTo(datagram(i, 100), nowhere)
	}
	sizes := []int{100, 100, 100, 100, 100, 100}
	receiveAll(t, to, sizes)
}

// Packets to one address are one datagram until one is smaller, and the next one begins another, however many others are between.
func TestBatchConn_ArrangesByAddress(t *testing.T) {
	c := newBatchConn(udp(t, "127.0.0.1:0"))
	t.Cleanup(func() { _ = c.Close() })
	if !c.segments {
		t.Skip("this system cuts no datagrams")
	}
	var l lot
	add := func(port uint16, size int) {
		l.to[l.n], l.size[l.n] = netip.AddrPortFrom(netip.IPv4Unspecified(), port), size
		l.n++
	}
	for _, size := range []int{1170, 1170, 600, 1170, 1200, 80} {
		add(1, size)
		add(2, 80)
	}
	var got [][]int
	for _, m := range c.arrange(&l) {
		var sizes []int
		for _, b := range m.Buffers {
			sizes = append(sizes, len(b))
		}
		got = append(got, sizes)
	}
	want := [][]int{{1170, 1170, 600}, {80, 80, 80, 80, 80, 80}, {1170}, {1200, 80}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
