package media

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/media/forward"
	"github.com/anteroom/anteroom/media/meeting"
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
	err := Config{
		JoinsPerAddress: -1, MaxMeetings: -1, RenewTokens: time.Millisecond,
		Meeting: meeting.Config{MaxWaiting: -1}, Forward: forward.Config{UDPPort: 70_000},
	}.Validate()
	if err == nil {
		t.Fatal("a configuration that can't work is taken")
	}
	var fields []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		field, _, _ := strings.Cut(line, ":")
		fields = append(fields, field)
	}
	want := []string{"joins_per_address", "max_meetings", "renew_tokens", "meeting.max_waiting", "forward.udp_port"}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Errorf("fields that are refused (-want +got):\n%s\n%v", diff, err)
	}
	if got := within("section", errors.New("field: is wrong")); len(got) != 1 || got[0].Error() != "section.field: is wrong" {
		t.Errorf("a single complaint: %v", got)
	}
}
