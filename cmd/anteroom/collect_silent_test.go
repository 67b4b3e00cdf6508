package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event/eventpb"
)

// A client's call whose process was killed is nowhere while it may go on (rule D3), ends when it has been silent for long enough, and what comes late is in it.
func TestRule_D3_CallsOfLostClientsEnd(t *testing.T) {
	t.Parallel()
	r, err := startRig(wideLimits("ANTEROOM_COLLECT_IDLE_TIMEOUT=2s", "ANTEROOM_COLLECT_HOLD=2s", "ANTEROOM_COLLECT_SILENT_AFTER=6s"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if r.stop() != 0 {
			t.Errorf("the service did not end well\n%s", r.stderr)
		}
	})
	h := newHouse(t, r, nil)
	call, guest := uuid.NewString(), uuid.NewString()
	began := time.Now().Add(-time.Minute)
	said := func(payload *eventpb.Event, after time.Duration) *eventpb.Event {
		payload.Org, payload.CallId, payload.ObservedAtUs = h.org, call, began.Add(after).UnixMicro()
		return payload
	}
	report := func(after time.Duration) *eventpb.Event {
		e := received(sample(t, h.org, call, guest, figures{jitter: 90, rtt: 400, bitrate: 4_000, packetsOut: 50}))
		return said(e, after)
	}
	const rtcstats = eventpb.SourceKind_SOURCE_KIND_RTCSTATS
	r.produceAs(
		t, rtcstats,
		said(&eventpb.Event{Payload: &eventpb.Event_CallStarted{CallStarted: &eventpb.CallStarted{StartedAtUs: began.UnixMicro()}}}, 0),
		said(&eventpb.Event{Payload: &eventpb.Event_ParticipantJoined{ParticipantJoined: &eventpb.ParticipantJoined{
			ParticipantId: rawID(t, guest), JoinedAtUs: began.UnixMicro(), Identity: &eventpb.Identity{Kind: eventpb.Identity_KIND_GUEST},
		}}}, 0),
		report(10*time.Second),
	)
	eventually(t, "it is stored", func() (bool, string) {
		n := strings.TrimSpace(string(query(t, r.data, "SELECT count() FROM samples WHERE call_id = '"+call+"'")))
		return n == "1", n
	})
	if got := r.ask(t, h.admin, http.MethodGet, "/v1/calls/"+call, nil); got.status != http.StatusNotFound {
		t.Errorf("while it may go on: %s", got.body)
	}
	ended := rows(h, call, "", func(c struct {
		State        string  `json:"state"`
		Reason       *string `json:"end_reason"`
		EndedAt      string  `json:"ended_at"`
		Participants int     `json:"participants"`
	},
	) bool {
		return c.Reason != nil
	})
	if want := began.Add(10 * time.Second).UTC().Format("2006-01-02T15:04:05"); *ended.Reason != "silent" || !strings.HasPrefix(ended.EndedAt, want) || ended.Participants != 1 {
		t.Errorf("the call is %+v, reason %s, and should have ended at %s", ended, *ended.Reason, want)
	}
	r.produceAs(t, rtcstats, report(20*time.Second))
	rows(h, call, "/streams", func(c measuredCall) bool { return len(c.Streams) == 2 })
	eventually(t, "it is in the list", func() (bool, string) {
		list := string(r.must(t, http.StatusOK, h.admin, http.MethodGet, "/v1/calls?q="+call, nil).body)
		return strings.Contains(list, call) && !strings.Contains(list, `"running"`), list
	})
}
