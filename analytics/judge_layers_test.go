package analytics

import (
	"testing"

	"github.com/anteroom/anteroom/quality"
	"github.com/anteroom/anteroom/store"
)

// A picture of 180 lines is poor where the network made it so; where our own server sent a small layer into a small tile, it says nothing.
func TestSmallTilesAreNotPoor(t *testing.T) {
	profiles, err := quality.NewProfiles(quality.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	profile := profiles.Default()
	height, loss, packets := 180.0, 0.0, uint64(10_000)
	for _, tc := range []struct {
		source store.SourceKind
		want   quality.Verdict
	}{{1, quality.Good}, {2, quality.Poor}} {
		s := &store.StreamFacts{Source: tc.source, Direction: "inbound", Media: "video", HeightAvg: &height, LossRatio: &loss, Packets: &packets}
		if got := judgeStream(profile, s).Verdict; got != tc.want {
			t.Errorf("from %s: %s, want %s", tc.source, got, tc.want)
		}
	}
}
