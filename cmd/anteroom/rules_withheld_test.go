package main

import (
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/protocol"
)

// silent are the routes that say nothing of a call that runs, with what they are about instead. All others must tell of an org user's terrible stream.
var silentRoutes = map[string]string{
	"getHealth": "the process", "getReadiness": "the process", "getVersion": "the program", "getDocument": "the program",
	"getSession": "who asks", "listTokens": "scripts' tokens", "listViews": "saved filters", "getSites": "networks",
	"getQuantiles": "calls that have ended", "getLogs": "calls that have ended", "getResourceLogs": "calls that have ended", "getUsage": "stays that were logged",
	"listRecordings": "files, which come when a recording ends: see TestRule_D3_RecordedTracksOfGuestsWaitForTheEnd", "getRecordingFile": "a file",
	"listOrganizations": "settings", "getOrganization": "settings", "listUsers": "settings", "getUser": "settings", "listResources": "settings", "getResource": "settings",
	"listMeetings": "what was planned", "getMeeting": "what was planned", "getMeetingCalendar": "what was planned", "getJoinPageMeeting": "what was planned",
	"listDecisions": "calls that have ended", "getDecision": "a call that has ended",
	"listPolicyReplays": "jobs", "getPolicyReplay": "a job", "listPolicyTokens": "agents' tokens", "getActivePolicy": "a policy", "listPolicyRevisions": "policies",
	"getPolicyRevision": "a policy", "diffPolicies": "policies", "listPolicyDrafts": "policies", "getPolicyDraft": "a policy", "getPolicyReference": "the program",
	"listRetentionPolicies": "rules", "getRetentionPolicy": "a rule", "getRetentionPolicyHistory": "a rule", "listHolds": "holds", "getHold": "a hold", "getHoldHistory": "a hold",
	"listExports": "jobs", "getExport": "a job", "getExportFile": "a report that was made",
	"getLedgerKey": "a key", "getLedgerTile": "leaves that were there",
}

// movesWithGuests are the routes that may tell that there is a guest while the meeting runs, and why that is no analytics; docs/analytics.md has them too.
var movesWithGuests = map[string]string{
	"getRoster":           "the meeting itself: who is in it is for those whom it concerns (M8)",
	"getRetentionState":   "what is kept, counted the moment it is: each copy is accounted for (R7)",
	"getLedgerCheckpoint": "how long a region's ledger is, over all organisations",
	"getMetrics":          "the service, over all organisations, for its operator",
}

// withheldQueries are what routes are asked with besides what every sweep asks.
var withheldQueries = map[string][]string{
	"listCalls": {
		"q={call}", "format=csv&fields=call_id,state,users,anonymous,verdict,reason,issues,good,poor,unknown,recorded,rating,sites", "participant_label=Anonymous",
		"sort=-poor_streams", "verdict=poor", "verdict=good", "last=1h&fields=call_id,verdict,poor,anonymous",
	},
	"listUserCalls": {"", "verdict=poor"},
	"getQuality": {
		"last=1h", "last=1h&group_by=client,site", "last=1h&group_by=reason,media", "last=1h&group_by=side,region", "last=1h&group_by=hour",
	},
	"getHeatmap":   {"last=1h&y=client", "last=1h&y=reason", "last=1h&y=media"},
	"listTimeline": {"page_size=5000"},
	"getLive":      {""},
}

// watched is a running meeting that is asked about again and again.
type watched struct {
	*stage
	call string
	// of is a stream that its organiser sends, well.
	of      uuid.UUID
	there   things
	queries map[string][]string
	// token is of who asks.
	token string
}

// newWatched has the organiser in a second session of a meeting, after one of which all is known by now; it is being recorded.
func newWatched(t *testing.T, r *rig) *watched {
	t.Helper()
	w := &watched{stage: newStage(t, r, nil, nil), of: uuid.New(), queries: maps.Clone(queries)}
	maps.Copy(w.queries, withheldQueries)
	h := w.house
	w.token = h.token("ann", "admin", "auditor", "policy_author")
	w.inside("Gwen")
	sent := w.host.publish(mic)[0]
	w.records()
	eventually(t, "something is recorded", func() (bool, string) {
		n, _ := sent.Sent()
		return n > 50, fmt.Sprint(n)
	})
	w.host.do(w.host.StopRecording(w.host.soon()))
	past := w.ended()
	logsOf(h, h.admin, "/v1/logs", "CallSummary", past, 2)
	logsOf(h, h.admin, "/v1/resources/"+w.app.id+"/logs", "CallSummary", past, 1)
	rows(h, past, "", func(c struct{ State string }) bool { return c.State == "complete" })
	w.there = meetingsThings(h, ended{past, w.id, w.secret, w.app.id})
	report, _ := h.export("--kind", "calls")
	w.there["/v1/exports/{id}"] = map[string][]string{"id": {report.ID}, "name": {filepath.Base(report.Files[0].Path)}}

	h.user("bob", nil)
	w.host = w.user(organizer)
	w.call = w.host.Joined().CallID
	w.records()
	r.produce(t, w.sampled(w.host.id(), w.of, eventpb.Direction_DIRECTION_OUTBOUND, fine), w.stream(w.host.id(), w.of, eventpb.Direction_DIRECTION_OUTBOUND, fine))
	w.stored("samples WHERE stream_id = '" + w.of.String() + "'")
	w.stored("streams WHERE stream_id = '" + w.of.String() + "'")
	w.there["/v1/calls/{call_id}"]["call_id"] = []string{w.call}
	w.there["/communications/callRecords/{id}"]["id"] = []string{w.call}
	w.there["/v1/calls/{call_id}/streams/{stream_id}"]["stream_id"] = []string{w.of.String()}
	return w
}

// records begins a recording.
func (w *watched) records() {
	w.t.Helper()
	w.host.do(w.host.StartRecording(w.host.soon()))
	await(w.host, protocol.TypeNotice, ofKind("recording_started"))
}

// volatile is what changes with time alone: until when answers speak, and who has fetched a report.
var volatile = regexp.MustCompile(`"(at|from|to|watermark|duration_ms)":("[0-9TZ:.-]+"|[0-9.]+)|"accesses":\[[^]]*\]`)

// still is an answer without what changes with time.
func still(body []byte) string { return volatile.ReplaceAllString(string(body), `"$1":0`) }

// answers of every route, by route and question.
func (w *watched) answers() map[asking]string {
	w.t.Helper()
	w.settle()
	out := map[asking]string{}
	for _, a := range w.there.askings(w.t, w.call, w.queries) {
		if movesWithGuests[a.operation] == "" {
			out[a] = still(w.house.rig.must(w.t, http.StatusOK, w.token, http.MethodGet, a.address, nil, "Anteroom-Meeting-Secret", w.secret).body)
		}
	}
	return out
}

// settle waits until summaries and the live view were made of all that is stored.
func (w *watched) settle() {
	w.t.Helper()
	r, now := w.house.rig, time.Now()
	const behind = `SELECT count() FROM (SELECT call_id, sum(batches) AS had FROM call_changes WHERE org = '%[1]s' GROUP BY call_id) AS c
		LEFT JOIN (SELECT call_id, argMaxIf(batches, version, done) AS built FROM call_builds WHERE org = '%[1]s' GROUP BY call_id) AS b USING (call_id)
		WHERE b.built < c.had FORMAT TSVRaw`
	eventually(w.t, "all that is stored is summed up", func() (bool, string) {
		n := strings.TrimSpace(string(query(w.t, r.data, fmt.Sprintf(behind, w.house.org))))
		return n == "0", n + " calls are behind"
	})
	eventually(w.t, "a newer look at what runs", func() (bool, string) {
		var live struct{ At time.Time }
		a := r.must(w.t, http.StatusOK, w.house.admin, http.MethodGet, "/v1/live", nil)
		a.read(w.t, &live)
		return live.At.After(now), string(a.body)
	})
}

// reports are the files of reports about calls, by kind and line.
func (w *watched) reports() map[string][]string {
	w.t.Helper()
	w.settle()
	out := map[string][]string{}
	for _, kind := range []string{"calls", "participants", "streams", "notices"} {
		made, _ := w.house.export("--kind", kind, "--format", "csv")
		for _, bundle := range made.Bundles {
			for _, line := range bundledLines(w.t, bundle, "digests.csv") {
				out[kind] = append(out[kind], still([]byte(line)))
			}
		}
		slices.Sort(out[kind])
	}
	return out
}

// misery has somebody's media go as badly as can be, and has them say so in every way there is.
func (w *watched) misery(who *person) {
	w.t.Helper()
	id := uuid.New()
	w.house.rig.produce(w.t,
		w.sampled(who.id(), id, eventpb.Direction_DIRECTION_OUTBOUND, terrible), w.stream(who.id(), id, eventpb.Direction_DIRECTION_OUTBOUND, terrible),
		&eventpb.Event{Org: w.house.org, CallId: w.call, ObservedAtUs: time.Now().UnixMicro(), Payload: &eventpb.Event_ClientOperation{ClientOperation: &eventpb.ClientOperation{
			ParticipantId: rawID(w.t, who.id()), Name: "StartVideo", Lane: eventpb.Lane_LANE_VIDEO, Result: "UnexpectedClientError",
		}}},
	)
	who.do(who.Diagnostic(who.soon(), "networkReceiveQuality", "Bad"))
	w.house.rig.must(w.t, http.StatusNoContent, "", http.MethodPost, "/v1/calls/"+w.call+"/survey",
		fields{"ratings": fields{"overall": 1}}, "Anteroom-Participant-Token", who.ResumeToken())
	who.say("What a day")
	for table, more := range map[string]string{
		"samples": "", "streams": "", "participants": "", "timeline": " AND kind = 'survey'", "timeline ": " AND kind = 'diagnostic'", " timeline": " AND kind = 'operation'",
	} {
		w.stored(table + " WHERE participant_id = '" + who.id() + "'" + more)
	}
}

// stored waits for a row.
func (w *watched) stored(where string) {
	w.t.Helper()
	eventually(w.t, "stored: "+where, func() (bool, string) {
		n := strings.TrimSpace(string(query(w.t, w.house.rig.data, "SELECT count() FROM "+where+" FORMAT TSVRaw")))
		return n != "0", n
	})
}

var (
	fine     = figures{jitter: 5, rtt: 40, bitrate: 48_000, packetsOut: 1000}
	terrible = figures{jitter: 700, rtt: 3000, bitrate: 4_000, packetsOut: 1000, loss: 800}
)

// stream is the summary of a stream of sound.
func (w *watched) stream(participant string, id uuid.UUID, way eventpb.Direction, f figures) *eventpb.Event {
	w.t.Helper()
	return &eventpb.Event{Org: w.house.org, CallId: w.call, ObservedAtUs: time.Now().UnixMicro(), Payload: &eventpb.Event_StreamEnded{StreamEnded: &eventpb.StreamEnded{
		ParticipantId: rawID(w.t, participant), StreamId: id[:], Direction: way, Media: eventpb.Media_MEDIA_AUDIO, Codec: "opus", Transport: "udp",
		StartedAtUs: time.Now().Add(-time.Minute).UnixMicro(), EndedAtUs: time.Now().UnixMicro(), Packets: proto.Uint64(f.packetsOut),
		LossRatio: proto.Float64(float64(f.loss) / float64(f.packetsOut)), JitterMsAvg: proto.Float64(float64(f.jitter)), RttMsAvg: proto.Float64(float64(f.rtt)),
	}}}
}

// sampled is a sample of a stream of sound.
func (w *watched) sampled(participant string, id uuid.UUID, way eventpb.Direction, f figures) *eventpb.Event {
	w.t.Helper()
	e := sample(w.t, w.house.org, w.call, participant, f)
	s := e.GetStreamReport().Streams[0]
	s.StreamId, s.Direction = id[:], way
	return e
}

// guests come in every way there is, and all of it goes badly.
func (w *watched) guests(lone *room) {
	w.t.Helper()
	t, host := w.t, w.host
	guest := w.inside("Greta")
	w.misery(guest)
	got, far := uuid.New(), guest.id()
	w.house.rig.produce(t,
		// Which a guest made.
		w.sampled(host.id(), got, eventpb.Direction_DIRECTION_INBOUND, terrible), w.stream(host.id(), got, eventpb.Direction_DIRECTION_INBOUND, terrible),
	)
	guest.refuses("not_supported_for_guests", "a reaction", func() error { return guest.Activity(guest.soon(), protocol.ActivityReaction, []byte(`{"emoji":"x"}`)) })
	w.guest(w.app, "Walter") // stays in the lobby
	gone := w.inside("Gerda")
	gone.do(gone.Leave(gone.soon()))
	out := w.guest(w.app, "Otto")
	host.do(host.Reject(host.soon(), out.id()))
	out.awaitEnd()
	// One whose connection failed, and one of whom nothing is proven.
	dropped, nobody := uuid.NewString(), uuid.NewString()
	now := time.Now().UnixMicro()
	w.house.rig.produce(t,
		&eventpb.Event{Org: w.house.org, CallId: w.call, ObservedAtUs: now, Payload: &eventpb.Event_ParticipantJoined{ParticipantJoined: &eventpb.ParticipantJoined{
			ParticipantId: rawID(t, dropped), JoinedAtUs: now, Identity: &eventpb.Identity{Kind: eventpb.Identity_KIND_GUEST}, ClientFamily: "Netscape",
		}}},
		&eventpb.Event{Org: w.house.org, CallId: w.call, ObservedAtUs: now, Payload: &eventpb.Event_ParticipantLeft{ParticipantLeft: &eventpb.ParticipantLeft{
			ParticipantId: rawID(t, dropped), LeftAtUs: now + 1, EndCode: "500", ResultCategory: "UnexpectedServerError",
		}}},
		w.stream(nobody, uuid.New(), eventpb.Direction_DIRECTION_OUTBOUND, terrible),
	)
	// A call of a guest alone, and one that another system's client measures.
	alone := lone.guest(w.app, "Gus")
	w.house.rig.produce(t, sample(t, w.house.org, alone.Joined().CallID, alone.id(), terrible))
	elsewhere, client := "elsewhere-"+uuid.NewString(), uuid.NewString()
	w.house.rig.produceAs(t, eventpb.SourceKind_SOURCE_KIND_RTCSTATS,
		&eventpb.Event{Org: w.house.org, CallId: elsewhere, ObservedAtUs: now, Payload: &eventpb.Event_CallStarted{CallStarted: &eventpb.CallStarted{StartedAtUs: now}}},
		sample(t, w.house.org, elsewhere, client, terrible),
	)
	for _, where := range []string{
		"participants WHERE left_at IS NOT NULL AND participant_id = '" + gone.id() + "'",
		"participants WHERE left_at IS NOT NULL AND participant_id = '" + dropped + "'",
		"streams WHERE participant_id = '" + nobody + "'", "streams WHERE participant_id = '" + host.id() + "' AND direction = 'inbound'",
		"samples WHERE participant_id = '" + host.id() + "' AND direction = 'inbound'",
		"samples WHERE participant_id = '" + alone.id() + "'", "samples WHERE participant_id = '" + client + "'",
		"timeline WHERE kind = 'decision' AND value = 'deny' AND participant_id = '" + far + "'",
		"timeline WHERE kind = 'notice' AND participant_id = '" + far + "'",
		"retained WHERE class = 'copy' AND call_id = '" + w.call + "'",
	} {
		w.stored(where)
	}
}

// D3: while a meeting runs, its admin is told the same by every route and every report whether guests are in it, whose media are terrible, or not: they are in no row, no
// count and no average. That an org user of whom the same is true is seen by all these routes shows that the same things would be seen of guests. A route that is new
// has to be seen by this test, or to be in one of the lists above.
func TestRule_D3_NoRouteTellsOfGuestsWhileTheMeetingRuns(t *testing.T) {
	t.Parallel()
	r, err := startRig(wideLimits("ANTEROOM_ANALYTICS_EVERY=200ms", "ANTEROOM_ANALYTICS_RUNNING_EVERY=300ms", "ANTEROOM_LIVE_INTERVAL=200ms", "ANTEROOM_LOGS_INTERVAL=500ms"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if r.stop() != 0 {
			t.Errorf("the service did not end well\n%s", r.stderr)
		}
	})
	w := newWatched(t, r)
	var made struct {
		JoinURL string `json:"join_url"`
		ID      string `json:"meeting_id"`
	}
	r.must(t, http.StatusCreated, w.app.token("sub-x", nil), http.MethodPost, "/v1/calls", fields{"title": "Question"}).read(t, &made)
	lone := w.house.room(made.ID, made.JoinURL)

	reports, before := w.reports(), w.answers()
	differ := func(what string, want, got map[asking]string) {
		t.Helper()
		for a, answer := range got {
			if diff := cmp.Diff(want[a], answer); diff != "" {
				t.Errorf("%s, GET %s (%s) answers otherwise (-before +after):\n%s", what, a.address, a.operation, diff)
			}
		}
	}
	differ("though nothing happened", before, w.answers())
	w.guests(lone)
	differ("with guests", before, w.answers())
	if diff := cmp.Diff(reports, w.reports()); diff != "" {
		t.Errorf("with guests, reports say something else (-before +after):\n%s", diff)
	}

	before = w.answers()
	bob := w.user("bob")
	w.misery(bob)
	r.produce(t, w.sampled(w.host.id(), w.of, eventpb.Direction_DIRECTION_OUTBOUND, terrible))
	w.stored("samples WHERE stream_id = '" + w.of.String() + "' AND jitter_ms > 100")
	changed := map[string]bool{}
	for a, answer := range w.answers() {
		changed[a.operation] = changed[a.operation] || answer != before[a]
	}
	for _, operation := range slices.Sorted(maps.Keys(changed)) {
		switch about := silentRoutes[operation]; {
		case !changed[operation] && about == "":
			t.Errorf("%s says nothing new of an org user's terrible stream, so that it proves nothing that it says nothing of a guest's", operation)
		case changed[operation] && about != "":
			t.Errorf("%s is said to be about %s, and tells of an org user in a running call", operation, about)
		}
	}
	for kind, lines := range w.reports() {
		if slices.Equal(lines, reports[kind]) {
			t.Errorf("reports of %s say nothing of an org user in a running call", kind)
		}
	}
}
