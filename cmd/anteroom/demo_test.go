package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/internal/demo"
)

// What an empty folder ends with: the recorded calls, and a meeting with something to look at. That it can be stopped while the meeting is played, the
// script run.txtar shows.
func TestDemonstrationMeeting(t *testing.T) {
	in := startRun(t, filepath.Join(t.TempDir(), "data"))
	type call struct {
		CallID       string `json:"call_id"`
		MeetingTitle string `json:"meeting_title"`
		State        string `json:"state"`
		EndReason    string `json:"end_reason"`
		Verdict      string `json:"verdict"`
		Rating       string `json:"rating"`
		Recorded     bool   `json:"recorded"`
		Participants int    `json:"participants"`
		Who          struct {
			Users     []struct{ Label string }
			Anonymous int
		} `json:"who"`
	}
	var played call
	var list string
	for deadline := time.Now().Add(3 * time.Minute); played.State != "complete"; time.Sleep(500 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the meeting has not been played: %s\n%s", list, in.stderr)
		}
		var calls struct{ Calls []call }
		list = in.get("/v1/calls")
		if err := json.Unmarshal([]byte(list), &calls); err != nil {
			t.Fatal(err)
		}
		for _, c := range calls.Calls {
			if c.MeetingTitle != "" {
				played = c
			}
		}
	}
	want := call{
		CallID: played.CallID, MeetingTitle: "Case conference", State: "complete", EndReason: "meeting_ended", Verdict: "poor", Rating: "average", Recorded: true, Participants: 4,
	}
	want.Who.Anonymous = 2
	for _, user := range demo.Users() {
		want.Who.Users = append(want.Who.Users, struct{ Label string }{user[1]})
	}
	if diff := cmp.Diff(want, played); diff != "" {
		t.Errorf("the meeting (-want +got):\n%s", diff)
	}
	timeline := in.get("/v1/calls/" + played.CallID + "/timeline")
	for _, part := range []string{"networkReconnect", "not_supported_for_guests"} {
		if !strings.Contains(timeline, part) {
			t.Errorf("the timeline lacks %s", part)
		}
	}
	all := list + timeline + in.stderr.String() + in.get("/v1/calls/"+played.CallID+"/participants") + in.get("/v1/calls/"+played.CallID+"/issues")
	for _, guest := range demo.Guests() {
		if strings.Contains(all, guest) {
			t.Errorf("%q is told", guest)
		}
	}
	in.stop()
}
