package media

import (
	"net/netip"
	"testing"
	"time"
)

func TestAddressLimiter(t *testing.T) {
	now := time.Now()
	l := NewAddressLimiter(1, 2, 100)
	for i, c := range []struct {
		addr  string
		after time.Duration
		want  bool
	}{
		{"192.0.2.1", 0, true},
		{"192.0.2.1", 0, true},
		{"192.0.2.1", 0, false},
		{"::ffff:192.0.2.1", 0, false},
		{"192.0.2.2", 0, true},
		{"192.0.2.1", time.Second, true},
		{"192.0.2.1", 0, false},
		{"2001:db8::1", 0, true},
		{"2001:db8::2", 0, true},
		{"2001:db8::3%eth0", 0, false},
		{"2001:db8:0:1::1", 0, true},
	} {
		now = now.Add(c.after)
		if got := l.allowAt(netip.MustParseAddr(c.addr), now); got != c.want {
			t.Errorf("%d: %s is allowed: %v", i, c.addr, got)
		}
	}
}

func TestAddressLimiterIsBounded(t *testing.T) {
	now := time.Now()
	l := NewAddressLimiter(1, 1, 50)
	addr := netip.MustParseAddr("10.0.0.0")
	for range 1000 {
		addr = addr.Next()
		if !l.allowAt(addr, now) {
			t.Fatal("a new address is refused")
		}
		if len(l.known) > 50 {
			t.Fatalf("%d addresses are known", len(l.known))
		}
	}
	// Those that have been idle go first, and nobody who is limited gains by it.
	if l.allowAt(addr, now) {
		t.Fatal("the last address is not limited")
	}
	later := now.Add(10 * time.Second)
	l.allowAt(addr, later)
	l.allowAt(addr.Next(), later)
	if l.allowAt(addr, later) {
		t.Error("an address that is limited was forgotten before idle ones")
	}
}

func TestConfig(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Errorf("the standard: %v", err)
	}
	err := Config{JoinsPerAddress: -1, MaxMeetings: -1, RenewTokens: time.Millisecond}.Validate()
	want := "joins_per_address: is negative\nmax_meetings: is negative\nrenew_tokens: is below 1s"
	if err == nil || err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
}
