package dashboards_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/store"
)

// silentPanels show nothing of who is in a running call, with what they show instead. All others must show an org user's terrible stream.
var silentPanels = map[string]string{
	"Calls": "how many calls there are", "Ended within 5 seconds": "calls that have ended", "Duration": "calls that have ended", "State": "whether it runs",
	"Dead letters": "the service", "Leaves published": "the ledger",
	"Deletions by class": "calls that have ended", "Deletions by rule": "calls that have ended",
	"variable org": "organisations", "variable profile": "profiles", "variable region": "regions", "variable call": "which calls there are",
	"view analytics_decisions": "calls that have ended", "view analytics_deletions": "calls that have ended", "view analytics_proofs": "the ledger",
	"view analytics_dead_letters": "the service",
}

// asked is a query of a dashboard, or a whole view.
type asked struct{ board, title string }

// shown is what each panel, variable and view shows when a call is chosen. What is relative to now is told of one instant.
func (g *grafana) shown(call string) map[asked]string {
	g.t.Helper()
	out := map[asked]string{}
	add := func(a asked, sql string) {
		sql = strings.ReplaceAll(g.expandOf(sql, call), "now()", fmt.Sprintf("toDateTime(%d)", g.now.Unix()))
		text, err := json.Marshal(g.ask(sql).Data)
		if err != nil {
			g.t.Fatal(err)
		}
		out[a] += string(text)
	}
	for _, b := range boards(g.t) {
		for _, v := range b.Templating.List {
			var sql string
			if v.Datasource.Type == clickhouseType && json.Unmarshal(v.Query, &sql) == nil {
				add(asked{b.file, "variable " + v.Name}, sql)
			}
		}
		for _, p := range b.Panels {
			for _, q := range p.Targets {
				// Watermarks move on with each pass.
				if q.Datasource.Type == clickhouseType && !strings.Contains(q.RawSQL, "analytics_watermarks") {
					add(asked{b.file, p.Title}, q.RawSQL)
				}
			}
		}
	}
	for _, view := range g.sql.Texts("SELECT name FROM system.tables WHERE database = 'anteroom' AND startsWith(name, 'analytics_')") {
		if view == "analytics_watermarks" {
			continue
		}
		add(asked{"", "view " + view}, "SELECT * FROM "+view+" ORDER BY ALL")
	}
	return out
}

// joins adds somebody to a running call whose media are so, and what others receive of them.
func (g *grafana) joins(call string, began time.Time, id byte, who store.Who, jitter, loss float64, received bool) {
	g.t.Helper()
	bytes := func(b byte) []byte { id := uuid.UUID{0: b, 15: b}; return id[:] }
	b, env := g.batch, g.env(call, began)
	b.Participants.AddJoined(g.origin(), env, who, &eventpb.ParticipantJoined{
		ParticipantId: bytes(id), JoinedAtUs: began.UnixMicro(), ClientFamily: fmt.Sprintf("Client %d", id), ClientVersion: "1", OsFamily: "Linux",
	})
	stream := func(person, stream byte, way eventpb.Direction) {
		b.Streams.Add(g.origin(), env, &eventpb.StreamEnded{
			ParticipantId: bytes(person), StreamId: bytes(stream), Direction: way, Media: 1, Packets: proto.Uint64(1000), JitterMsAvg: &jitter, LossRatio: &loss,
			RttMsAvg: proto.Float64(jitter), BitrateAvg: proto.Float64(32000), LikelySide: "sender_uplink",
		})
		b.Samples.Add(g.origin(), env, &eventpb.StreamReport{ParticipantId: bytes(person), IntervalMs: 10000}, &eventpb.StreamSample{
			StreamId: bytes(stream), Direction: way, Media: 1, Packets: 500, PacketsLost: int64(500 * loss), JitterMs: proto.Float32(float32(jitter)),
			RttMs: proto.Float32(float32(jitter)), BitrateBps: proto.Float32(float32(32000 - jitter)),
		})
	}
	stream(id, 100+id, eventpb.Direction_DIRECTION_OUTBOUND)
	if received {
		stream(1, 200+id, eventpb.Direction_DIRECTION_INBOUND)
	}
	if jitter < 30 { // Nothing is wrong.
		return
	}
	b.Timeline.Add(g.origin(), env, store.Entry{Participant: bytes(id), Lane: 5, Kind: store.DiagnosticEntry, Name: "networkReceiveQuality", Value: "poor"})
	b.Timeline.Add(g.origin(), env, store.Entry{
		Participant: bytes(id), Lane: 1, Kind: store.DecisionEntry, Name: "chat.send", Value: "deny", Attributes: map[string]string{"reasons": "not_admitted", "policy_revision": "base-1"},
	})
	// Two of the same kind whose connections failed: one before any media came.
	for n, media := range []bool{true, false} {
		other := bytes(50 + 2*id + byte(n)) //nolint:gosec // few
		b.Participants.AddJoined(g.origin(), env, who, &eventpb.ParticipantJoined{ParticipantId: other, JoinedAtUs: began.UnixMicro(), ClientFamily: "Old", ClientVersion: "1"})
		b.Participants.AddLeft(g.origin(), env, &eventpb.ParticipantLeft{ParticipantId: other, LeftAtUs: began.UnixMicro() + 1, EndCode: "500", ResultCategory: "UnexpectedServerError"})
		if media {
			b.Streams.Add(g.origin(), env, &eventpb.StreamEnded{ParticipantId: other, StreamId: other, Direction: 2, Media: 1, Packets: proto.Uint64(1000), JitterMsAvg: &jitter})
		}
	}
}

// store inserts what was added.
func (g *grafana) insert() {
	g.t.Helper()
	if err := g.store.Insert(g.t.Context(), g.batch, uuid.NewString()); err != nil {
		g.t.Fatal(err)
	}
	g.batch.Reset("events", 0)
}

// While a call runs, no panel, variable or view shows anything else when a guest is in it, whatever that guest's media are. That of an org user the same
// things are shown at once by all of them but those that are about something else shows that they would be shown of a guest.
func TestRule_D3_PanelsShowTheSameWithAGuest(t *testing.T) {
	g := newGrafana(t)
	g.fill()
	const call = "call-that-is-watched"
	began := g.now.Add(-30 * time.Minute)
	ada := store.Who{Identity: store.OrgUser, UserID: "ada", DisplayName: "Ada Byron"}
	g.batch.Reset("events", 0)
	g.batch.Calls.AddStarted(g.origin(), g.env(call, began), &eventpb.CallStarted{StartedAtUs: began.UnixMicro(), Kind: eventpb.CallKind_CALL_KIND_MEETING})
	g.joins(call, began, 1, ada, 5, 0.001, false)
	g.insert()
	g.sumUp(1)
	alone := g.shown(call)
	if diff := cmp.Diff(alone, g.shown(call)); diff != "" {
		t.Fatalf("though nothing happened (-before +after):\n%s", diff)
	}

	g.joins(call, began, 2, store.Who{Identity: store.Guest}, 700, 0.4, true)
	g.insert()
	g.sql.Exec(`INSERT INTO evidence (copy_id, class, org, call_id, sent_at, hidden_at, purged_at, why, lateness_ms, rule_id)
		VALUES (repeat('d', 32), 'copy', $1, $2, now() - 3600, now() - 60, now() - 50, 'superseded', 700000, 'R2')`, org, call)
	g.sumUp(1)
	for a, text := range g.shown(call) {
		if diff := cmp.Diff(alone[a], text); diff != "" {
			t.Errorf("%s: with a guest, %s shows something else (-before +after):\n%s", a.board, a.title, diff)
		}
	}

	g.joins(call, began, 3, store.Who{Identity: store.OrgUser, UserID: "bob", DisplayName: "Bob"}, 700, 0.4, false)
	g.insert()
	g.sumUp(1)
	for a, text := range g.shown(call) {
		switch about := silentPanels[a.title]; {
		case a.board == "policy.json": // Of decisions in running calls nothing is shown, whoever asked.
			if text != alone[a] {
				t.Errorf("%s: %s shows a decision in a running call", a.board, a.title)
			}
		case text == alone[a] && about == "":
			t.Errorf("%s: %s shows nothing new of an org user's terrible stream, so that it proves nothing that it shows nothing of a guest's", a.board, a.title)
		case text != alone[a] && about != "":
			t.Errorf("%s: %s is said to be about %s, and shows an org user in a running call", a.board, a.title, about)
		}
	}
}
