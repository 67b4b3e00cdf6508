package faulttest

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
)

// Network is a network of its own on this machine, whose one way to the outside a test can interrupt.
type Network struct {
	t          testing.TB
	name, wire string
	host, here string
}

var networks atomic.Uint32

// NewNetwork makes one until the test ends.
func NewNetwork(t testing.TB) *Network {
	t.Helper()
	if _, err := exec.LookPath("ip"); err != nil {
		cannot(t, "make a network", err)
	}
	// The third byte tells the networks of test processes that run side by side apart, well enough.
	n := uint32(os.Getpid())%200 + networks.Add(1) //nolint:gosec // below 2^31
	w := &Network{t: t, name: fmt.Sprintf("anteroom-%d-%d", os.Getpid(), n), wire: fmt.Sprintf("ar%d-%d", os.Getpid()%100_000, n%1000)}
	w.host, w.here = fmt.Sprintf("10.231.%d.1", n%250), fmt.Sprintf("10.231.%d.2", n%250)
	for i, args := range [][]string{
		{"netns", "add", w.name},
		{"link", "add", w.wire, "type", "veth", "peer", "name", "out", "netns", w.name},
		{"addr", "add", w.host + "/30", "dev", w.wire},
		{"link", "set", w.wire, "up"},
		{"-n", w.name, "addr", "add", w.here + "/30", "dev", "out"},
		{"-n", w.name, "link", "set", "out", "up"},
		{"-n", w.name, "link", "set", "lo", "up"},
	} {
		if err := ip(args...); err != nil {
			cannot(t, "make a network", err)
		}
		if i == 0 {
			t.Cleanup(func() { _ = ip("netns", "del", w.name) }) // and its wire with it
		}
	}
	return w
}

func ip(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// Host is this machine's address as seen from within, Here the network's as seen from this machine.
func (w *Network) Host() string { return w.host }

// Here is the network's address as seen from this machine.
func (w *Network) Here() string { return w.here }

// Inside is what a command line begins with to be run within.
func (w *Network) Inside() []string { return []string{"ip", "netns", "exec", w.name} }

// Part interrupts the way, or mends it. Nobody is told: what is sent is lost without a word, as behind a switch that has failed.
func (w *Network) Part(parted bool) {
	w.t.Helper()
	var err error
	if parted {
		// Nobody has this address, so nobody takes what is sent to it.
		const nobody = "02:00:00:00:00:01"
		if err = ip("neigh", "replace", w.here, "lladdr", nobody, "dev", w.wire, "nud", "permanent"); err == nil {
			err = ip("-n", w.name, "neigh", "replace", w.host, "lladdr", nobody, "dev", "out", "nud", "permanent")
		}
	} else {
		if err = ip("neigh", "del", w.here, "dev", w.wire); err == nil {
			err = ip("-n", w.name, "neigh", "del", w.host, "dev", "out")
		}
	}
	if err != nil {
		w.t.Fatal(err)
	}
}
