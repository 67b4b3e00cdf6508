package main

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/internal/config"
)

// The whole process is killed while it writes the logs of calls that have ended: each call is in its organisation's log with everybody once, and what
// the topic has twice is the same record, word for word.
func TestLogsAreKilledAtAnyMoment(t *testing.T) {
	v := startVictim(t, "ANTEROOM_LOGS_INTERVAL=50ms")
	h := newHouse(t, v.rig, nil)
	app := h.application(nil)
	var calls []string
	for range kills(t) {
		for range 3 {
			m := h.meeting(nil)
			host := m.user(organizer)
			guest := m.admitted(host, app, "Gina")
			guest.do(guest.Leave(guest.soon()))
			calls = append(calls, m.endCall(host))
		}
		// Records are written from three seconds after a call's end on.
		time.Sleep(2800*time.Millisecond + time.Duration(rand.IntN(900))*time.Millisecond)
		v.kill()
		v.start()
	}
	logged := map[string]bool{}
	for _, call := range calls {
		who := map[any]bool{}
		for _, record := range logsOf(h, h.admin, "/v1/logs", "CallSummary", call, 2) {
			who[record.Properties["participantId"]] = true
			logged[record.RecordID] = true
		}
		if len(who) != 2 {
			t.Errorf("call %s: the log has %d participants, want 2", call, len(who))
		}
	}
	if len(logged) != 2*len(calls) {
		t.Errorf("%d records of %d calls, want %d", len(logged), len(calls), 2*len(calls))
	}
	produced := map[string]string{}
	// What a process stored and was killed before it was produced is left to that process for a minute.
	within(t, time.Minute+rigPatience, "the topic has all records", func() (bool, string) {
		for _, message := range v.records(t, event.LogsTopic(config.Default().Ingest.Region)) {
			var body struct{ Records []json.RawMessage }
			if err := json.Unmarshal(message.Value, &body); err != nil {
				t.Fatalf("%v: %s", err, message.Value)
			}
			for _, raw := range body.Records {
				var record logRecord
				if err := json.Unmarshal(raw, &record); err != nil {
					t.Fatalf("%v: %s", err, raw)
				}
				if known, ok := produced[record.RecordID]; ok && known != string(raw) {
					t.Fatalf("a record was produced as\n%s\nand as\n%s", known, raw)
				}
				produced[record.RecordID] = string(raw)
			}
		}
		for id := range logged {
			if produced[id] == "" {
				return false, id + " is missing"
			}
		}
		return true, ""
	})
}
