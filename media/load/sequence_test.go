package load

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSequence_CountsWhatIsMissing(t *testing.T) {
	long := make([]uint16, 0, 70_000)
	for n := range 70_000 {
		long = append(long, uint16(65_000+n)) //nolint:gosec // wraps as sequence numbers do
	}
	far := []uint16{1}
	for n := range 2000 {
		far = append(far, uint16(2000+n)) //nolint:gosec // below 65536
	}
	for _, c := range []struct {
		name    string
		numbers []uint16
		want    counts
	}{
		{"nothing", nil, counts{}},
		{"all", []uint16{7, 8, 9}, counts{3, 3}},
		{"one missing", []uint16{7, 9}, counts{3, 2}},
		{"late is not lost", []uint16{7, 9, 8}, counts{3, 3}},
		{"twice counts once", []uint16{7, 8, 8, 7}, counts{2, 2}},
		{"from before the first", []uint16{7, 5, 8}, counts{2, 2}},
		{"wrap", []uint16{65534, 65535, 1, 0}, counts{4, 4}},
		{"wrap with one missing", []uint16{65534, 0}, counts{3, 2}},
		{"first is 0", []uint16{0, 65535, 1}, counts{2, 2}},
		{"more than a turn", long, counts{70_000, 70_000}},
		{"a gap longer than what is remembered", far, counts{3999, 2001}},
		{"too late to tell", []uint16{1, 2000, 3}, counts{2000, 2}},
		{"repeated after a gap", []uint16{1, 1030, 1029, 1029, 1030}, counts{1030, 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s sequence
			for _, n := range c.numbers {
				s.take(n)
			}
			if diff := cmp.Diff(c.want, s.counts(), cmp.AllowUnexported(counts{})); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestQuantile(t *testing.T) {
	times := make([]time.Duration, 100)
	for i := range times {
		times[i] = time.Duration(i+1) * time.Millisecond
	}
	for _, c := range []struct {
		sorted []time.Duration
		q      float64
		want   float64
	}{
		{nil, 0.5, 0},
		{times[:1], 0.99, 1},
		{times, 0.5, 50},
		{times, 0.99, 99},
		{times[:3], 0.5, 2},
	} {
		if got := quantile(c.sorted, c.q); got != c.want {
			t.Errorf("quantile %v of %d times is %v ms, want %v", c.q, len(c.sorted), got, c.want)
		}
	}
}

func TestConfig_Validate(t *testing.T) {
	good := DefaultConfig()
	good.URL = "http://127.0.0.1:8480"
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for field, change := range map[string]func(*Config){
		"server: ":                  func(c *Config) { c.URL = "127.0.0.1:8480" },
		"publishers, subscribers: ": func(c *Config) { c.Subscribers = MaxClients },
		"video-bitrate: ":           func(c *Config) { c.VideoBitrate = 1 },
		"audio: ":                   func(c *Config) { c.VideoBitrate, c.Audio = 0, false },
		"duration: ":                func(c *Config) { c.Duration = 0 },
		"ramp: ":                    func(c *Config) { c.Ramp = -1 },
		"settle: ":                  func(c *Config) { c.Settle = 0 },
		"join-timeout: ":            func(c *Config) { c.JoinTimeout = MaxDuration + 1 },
	} {
		bad := good
		change(&bad)
		err := bad.Validate()
		if err == nil || len(err.Error()) < len(field) || err.Error()[:len(field)] != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}
