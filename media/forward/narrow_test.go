package forward

import (
	"slices"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/transport/v5/vnet"
	"github.com/pion/webrtc/v4"
)

// Packets of the layers have 300, 600 and 1,200 bytes, at 100 a second: 0.24, 0.48 and 0.96 Mbit/s, and headers.
func TestNarrowDownlinkGetsASmallerLayer(t *testing.T) {
	router, err := vnet.NewRouter(&vnet.RouterConfig{CIDR: "10.0.0.0/24", MinDelay: 10 * time.Millisecond, LoggerFactory: quiet(), QueueSize: 10000})
	if err != nil {
		t.Fatal(err)
	}
	add := func(address string, bits int) *vnet.Net {
		one, err := vnet.NewNet(&vnet.NetConfig{StaticIPs: []string{address}})
		if err != nil {
			t.Fatal(err)
		}
		var nic vnet.NIC = one
		if bits > 0 {
			// A path that holds back 300 ms and drops what is more, as routers do.
			queue, err := vnet.NewQueue(one, vnet.NewTBFQueue(bits, 3000, int64(bits/8*3/10)))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = queue.Close() })
			nic = queue
		}
		if err := router.AddNet(nic); err != nil {
			t.Fatal(err)
		}
		return one
	}
	serverNet, aNet, wideNet, narrowNet := add("10.0.0.1", 0), add("10.0.0.2", 0), add("10.0.0.3", 0), add("10.0.0.4", 450_000)
	if err := router.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = router.Stop() })
	server, err := NewWithNet(Config{}, serverNet)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	room := server.NewRoom(&roomEvents{})
	a := join(t, room, clientOptions{net: aNet})
	id, frame := simulcast(t, a)
	feedback := webrtc.ConfigureTWCCSender
	wide := join(t, room, clientOptions{net: wideNet, interceptors: feedback})
	narrow := join(t, room, clientOptions{net: narrowNet, interceptors: feedback})
	stop := frames(t, frame, true)
	// last are the newest packets of a member.
	last := func(m *member, n int) []rtp.Packet {
		if r := m.received[id]; r != nil && len(r.packets) >= n {
			return r.packets[len(r.packets)-n:]
		}
		return nil
	}
	larger := func(p rtp.Packet) bool { return len(p.Payload) > 300 }
	wide.until("the largest layer", func() bool {
		return slices.ContainsFunc(last(wide, 100), func(p rtp.Packet) bool { return len(p.Payload) == 1200 })
	})
	narrow.until("two seconds of nothing but the small layer, without loss", func() bool {
		packets := last(narrow, 200)
		if packets == nil || slices.ContainsFunc(packets, larger) {
			return false
		}
		return packets[len(packets)-1].SequenceNumber-packets[0].SequenceNumber == uint16(len(packets)-1)
	})
	stop()
}
