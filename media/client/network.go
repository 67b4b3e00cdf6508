package client

import (
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"github.com/pion/transport/v5"
	"github.com/pion/transport/v5/stdnet"
	"github.com/pion/webrtc/v4"
)

// Network is how bad a client's network is, on top of what the real one is like. The zero Network changes nothing.
type Network struct {
	// LossUp and LossDown are the shares of packets that are dropped on the way to the server and from it, 0 to 1.
	LossUp, LossDown float64
	// Delay of each packet to the server, and up to how much more each may have.
	Delay, Jitter time.Duration
}

// Impaired is Options.Settings of a client whose media goes over such a network, to a server that may be on the same machine.
func Impaired(n Network) (func(*webrtc.SettingEngine), error) {
	under, err := stdnet.NewNet()
	if err != nil {
		return nil, fmt.Errorf("make network: %w", err)
	}
	return func(s *webrtc.SettingEngine) {
		s.SetIncludeLoopbackCandidate(true)
		s.SetNet(&impairedNet{under, n})
	}, nil
}

// impairedNet opens sockets that lose and delay.
type impairedNet struct {
	*stdnet.Net
	is Network
}

func (n *impairedNet) ListenUDP(network string, address *net.UDPAddr) (transport.UDPConn, error) {
	conn, err := n.Net.ListenUDP(network, address)
	if err != nil {
		return nil, err //nolint:wrapcheck // it stands for the real one
	}
	return &impairedConn{conn, n.is}, nil
}

type impairedConn struct {
	transport.UDPConn
	is Network
}

func lost(share float64) bool { return rand.Float64() < share } //nolint:gosec // no secret

func (c *impairedConn) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		n, from, err := c.UDPConn.ReadFrom(p)
		if err != nil || !lost(c.is.LossDown) {
			return n, from, err //nolint:wrapcheck // it stands for the real one
		}
	}
}

func (c *impairedConn) WriteTo(p []byte, to net.Addr) (int, error) {
	if lost(c.is.LossUp) {
		return len(p), nil
	}
	delay := c.is.Delay
	if c.is.Jitter > 0 {
		delay += rand.N(c.is.Jitter) //nolint:gosec // no secret
	}
	if delay == 0 {
		return c.UDPConn.WriteTo(p, to) //nolint:wrapcheck // it stands for the real one
	}
	late := append([]byte(nil), p...)
	time.AfterFunc(delay, func() { _, _ = c.UDPConn.WriteTo(late, to) }) // what comes after the end is lost, as on a real network
	return len(p), nil
}
