package graph

import (
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "PT0S", 16 * time.Millisecond: "PT0.016S", 1500 * time.Microsecond: "PT0.0015S", 499 * time.Nanosecond: "PT0S",
		75*time.Second + 500*time.Millisecond: "PT1M15.5S", time.Minute: "PT1M", time.Hour: "PT1H", 25*time.Hour + time.Second: "PT25H1S",
		-time.Second: "-PT1S",
	} {
		if got, err := Duration(d).MarshalText(); err != nil || string(got) != want {
			t.Errorf("%v is %s, want %s (%v)", d, got, want, err)
		}
	}
}
