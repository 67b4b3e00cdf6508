package logs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/analytics"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/acs"
	"github.com/anteroom/anteroom/ingest/decode"
	"github.com/anteroom/anteroom/ingest/label"
	"github.com/anteroom/anteroom/logs"
	"github.com/anteroom/anteroom/quality"
	"github.com/anteroom/anteroom/store"
)

const (
	media = store.SourceKind(1)
	azure = store.SourceKind(4)
)

// madeUp is a call of our own media with an org user and guests, whose streams have figures around and beyond all thresholds, known or not.
func madeUp(r *rand.Rand, n int) (*store.Record, []store.TimelineEntry) {
	began := time.Date(2026, 3, 4, 10, 0, 0, 123456000, time.UTC)
	ended := began.Add(20 * time.Minute)
	at := func(s int) *time.Time { t := began.Add(time.Duration(s) * time.Second); return &t }
	record := &store.Record{CallFacts: store.CallFacts{
		CallKey: store.CallKey{Org: "contoso", CallID: uuid.NewString()}, Region: "emea", Source: media, Kind: "meeting", MeetingID: uuid.NewString(),
		StartedAt: &began, EndedAt: &ended, FirstSeen: began,
	}}
	var timeline []store.TimelineEntry
	for i := range 3 {
		p := store.ParticipantFacts{
			ID: uuid.New(), Identity: store.Guest, EndpointType: "browser", ClientFamily: "Chrome", ClientVersion: "156", OSFamily: "Linux", JoinedAt: at(10 + i),
			LeftAt: at(1000 + i), EndCode: "0", EndSubCode: "0", ResultCategory: []string{"Success", "UnexpectedClientError", "ExpectedError"}[r.IntN(3)],
		}
		if i == 0 {
			p.Identity, p.UserID, p.DisplayName = store.OrgUser, "olga", "Olga Org"
		}
		record.Participants = append(record.Participants, p)
		for range n {
			record.Streams = append(record.Streams, someStream(r, p.ID, at(12)))
		}
		if r.IntN(2) == 0 {
			timeline = append(timeline, store.TimelineEntry{
				ObservedAt: *at(30 + i), ParticipantID: p.ID, Lane: "network", Kind: "diagnostic", Name: "networkReceiveQuality", Value: []string{"Good", "Bad"}[r.IntN(2)],
			})
		}
		timeline = append(timeline, store.TimelineEntry{
			ObservedAt: *at(40 + i), ParticipantID: p.ID, Lane: "call", Kind: "survey", Name: "CallSurvey", OperationID: uuid.New(),
			Attributes: map[string]string{"overall.score": fmt.Sprint(1 + r.IntN(5)), "overall.lower_bound": "1", "overall.upper_bound": "5", "overall.threshold": "5"},
		}, store.TimelineEntry{
			ObservedAt: *at(50 + i), ParticipantID: p.ID, Lane: "video", Kind: "operation", Name: "StartVideo", Result: []string{"Succeeded", "UnexpectedClientError"}[r.IntN(2)],
		}, store.TimelineEntry{
			ObservedAt: *at(60 + i), ParticipantID: p.ID, Lane: "call", Kind: "chat", Name: "SENT", Value: "sent", OperationID: uuid.New(),
		})
	}
	for i := range timeline {
		if e := timeline[i]; e.Kind == "survey" || e.Kind == "diagnostic" || (e.Kind == "operation" && e.Result != "Succeeded") {
			record.Marks = append(record.Marks, e)
		}
	}
	return record, timeline
}

func someStream(r *rand.Rand, who uuid.UUID, began *time.Time) store.StreamFacts {
	some := func(threshold float64) *float64 {
		var v float64
		switch r.IntN(6) {
		case 0:
			return nil
		case 1:
			v = threshold
		case 2:
			v = math.Nextafter(threshold, math.Inf(1))
		case 3:
			v = math.Nextafter(threshold, 0)
		default:
			v = threshold * 2 * r.Float64()
		}
		return &v
	}
	s := store.StreamFacts{
		ID: uuid.New(), ParticipantID: who, Source: media, Direction: []string{"inbound", "outbound"}[r.IntN(2)], Media: []string{"audio", "video", "screen"}[r.IntN(3)],
		Codec: "VP8", StartedAt: began, EndedAt: began, Counted: true, Transport: "udp", JitterMsAvg: some(30), RTTMsAvg: some(500), LossRatio: some(0.1),
		JitterBufferMsAvg: some(200), HealedRatio: some(0.1), FrameRateAvg: some(7), FreezeMsPerMin: some(6000), HeightAvg: some(240), BitrateAvg: some(150_000),
	}
	if r.IntN(4) > 0 {
		packets := uint64(r.IntN(3) * 400)
		s.Packets = &packets
	}
	return s
}

// readBack makes a record of what package acs decodes, as the tables would have it.
func readBack(t *testing.T, org string, messages [][]byte) *store.Record {
	t.Helper()
	keys, err := label.NewKeyring(bytes.Repeat([]byte{7}, label.MinKeyLen))
	if err != nil {
		t.Fatal(err)
	}
	pseudonyms, err := keys.For(org)
	if err != nil {
		t.Fatal(err)
	}
	out := &store.Record{CallFacts: store.CallFacts{Source: azure}}
	people := map[string]*store.ParticipantFacts{}
	for _, value := range messages {
		m, err := acs.ReadMessage(value, decode.Options{Org: org, Region: "emea", Pseudonyms: pseudonyms})
		if err != nil || len(m.Bad) > 0 || len(m.Skipped) > 0 {
			t.Fatalf("not read back: %v, %+v, %v", err, m.Bad, m.Skipped)
		}
		for _, e := range m.Events {
			take(out, people, e)
		}
	}
	for _, p := range people {
		out.Participants = append(out.Participants, *p)
	}
	slices.SortFunc(out.Marks, func(a, b store.TimelineEntry) int { return a.ObservedAt.Compare(b.ObservedAt) })
	return out
}

func take(out *store.Record, people map[string]*store.ParticipantFacts, e *eventpb.Event) {
	idOf := func(b []byte) uuid.UUID { id, _ := uuid.FromBytes(b); return id }
	at := time.UnixMicro(e.GetObservedAtUs()).UTC()
	switch p := e.GetPayload().(type) {
	case *eventpb.Event_ParticipantJoined:
		id := p.ParticipantJoined.GetParticipantId()
		people[string(id)] = &store.ParticipantFacts{ID: idOf(id), Identity: store.Guest}
	case *eventpb.Event_ParticipantLeft:
		people[string(p.ParticipantLeft.GetParticipantId())].ResultCategory = p.ParticipantLeft.GetResultCategory()
	case *eventpb.Event_StreamEnded:
		s := p.StreamEnded
		out.Streams = append(out.Streams, store.StreamFacts{
			ID: idOf(s.GetStreamId()), ParticipantID: idOf(s.GetParticipantId()), Source: azure, Counted: true, Packets: s.Packets,
			Direction: map[eventpb.Direction]string{1: "inbound", 2: "outbound"}[s.GetDirection()], Media: map[eventpb.Media]string{1: "audio", 2: "video", 3: "screen"}[s.GetMedia()],
			JitterMsAvg: s.JitterMsAvg, RTTMsAvg: s.RttMsAvg, LossRatio: s.LossRatio, JitterBufferMsAvg: s.JitterBufferMsAvg, HealedRatio: s.HealedRatio,
			FrameRateAvg: s.FrameRateAvg, HeightAvg: s.HeightAvg, FreezeMsPerMin: s.FreezeMsPerMin, BitrateAvg: s.BitrateAvg,
		})
	case *eventpb.Event_ClientDiagnostic:
		d := p.ClientDiagnostic
		out.Marks = append(out.Marks, store.TimelineEntry{ObservedAt: at, ParticipantID: idOf(d.GetParticipantId()), Kind: "diagnostic", Name: d.GetName(), Value: d.GetValue()})
	case *eventpb.Event_ClientOperation:
		o := p.ClientOperation
		out.Marks = append(out.Marks, store.TimelineEntry{ObservedAt: at, ParticipantID: idOf(o.GetParticipantId()), Kind: "operation", Name: o.GetName(), Result: o.GetResult()})
	case *eventpb.Event_Survey:
		r := p.Survey.GetRatings()[0]
		out.Marks = append(out.Marks, store.TimelineEntry{ObservedAt: at, Kind: "survey", Attributes: map[string]string{
			"overall.score": fmt.Sprint(r.GetScore()), "overall.upper_bound": fmt.Sprint(r.GetUpperBound()),
		}})
	}
}

// What is written down of a call is read back by the source for Azure's records with the same verdicts, under every profile: of each stream with its reasons, of the
// call, and of its issues.
func TestVerdictsSurviveTheRoundTrip(t *testing.T) {
	profiles, err := quality.NewProfiles(quality.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	poor := 0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 6)) //nolint:gosec // made-up calls
		record, timeline := madeUp(r, 1+r.IntN(4))
		records, err := logs.ForOrganization(record, timeline, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		var values [][]byte
		for _, m := range logs.Messages("emea", record.CallKey, records) {
			values = append(values, m.Value)
		}
		got := readBack(t, "fabrikam", values)
		for _, name := range []string{quality.CallDiagnostics, quality.CQD, quality.RealTime, quality.Insights} {
			profile, _ := profiles.Get(name)
			a, b := analytics.Judge(profile, clone(record)), analytics.Judge(profile, clone(got))
			if diff := cmp.Diff(a.CallAssessment, b.CallAssessment); diff != "" {
				t.Errorf("seed %d, profile %s: the call (-written +read):\n%s", seed, name, diff)
			}
			if a.Rating != b.Rating || a.Score != b.Score {
				t.Errorf("seed %d: rating %s %v, read back as %s %v", seed, a.Rating, a.Score, b.Rating, b.Score)
			}
			if diff := cmp.Diff(verdicts(a), verdicts(b)); diff != "" {
				t.Errorf("seed %d, profile %s: streams (-written +read):\n%s", seed, name, diff)
			}
			poor += a.PoorStreams
		}
	}
	if poor < 1000 {
		t.Errorf("only %d streams were poor: this proves little", poor)
	}
}

func clone(r *store.Record) *store.Record {
	c := *r
	c.Participants, c.Streams, c.Marks = slices.Clone(r.Participants), slices.Clone(r.Streams), slices.Clone(r.Marks)
	return &c
}

func verdicts(c *analytics.Call) []string {
	var out []string
	for i := range c.Judged {
		s := &c.Judged[i]
		out = append(out, fmt.Sprint(s.Media, s.Direction, s.Verdict, s.Cause, s.Reasons))
	}
	slices.Sort(out)
	return out
}

// Rule D1: in the organisation's log a guest is Anonymous and has no identifier; an org user has its own.
func TestRule_D1_GuestsAreAnonymousInTheLog(t *testing.T) {
	record, timeline := madeUp(rand.New(rand.NewPCG(1, 2)), 4) //nolint:gosec // a made-up call
	records, err := logs.ForOrganization(record, timeline, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	users := map[string]bool{}
	for _, p := range record.Participants {
		users[p.ID.String()] = p.Identity == store.OrgUser
	}
	seen, ids := map[string]int{}, map[uuid.UUID]bool{}
	for _, one := range records {
		if ids[one.RecordID] {
			t.Errorf("two records have the id %s", one.RecordID)
		}
		ids[one.RecordID] = true
		var r struct {
			Category   string
			Properties map[string]any
		}
		if err := json.Unmarshal([]byte(one.Body), &r); err != nil {
			t.Fatal(err)
		}
		seen[r.Category]++
		user := users[one.Participant.String()]
		for _, name := range []string{"identifier", "endpointId", "EndpointId", "UserId"} {
			if v := r.Properties[name]; v != nil && (!user || strings.Contains(fmt.Sprint(v), "Olga")) {
				t.Errorf("%s about a guest has %s %v", r.Category, name, v)
			}
		}
		if kind, ok := r.Properties["endpointType"]; ok && !user && kind != "Anonymous" {
			t.Errorf("%s about a guest has the endpoint type %v", r.Category, kind)
		}
		if r.Category == logs.CallSummary && user && r.Properties["identifier"] != "olga" {
			t.Errorf("the org user's summary: %v", r.Properties)
		}
	}
	for _, category := range []string{logs.CallSummary, logs.CallDiagnostics, logs.CallClientOperations, logs.CallSurvey, logs.ChatOperational} {
		if seen[category] == 0 {
			t.Errorf("there is no record of category %s", category)
		}
	}
	again, err := logs.ForOrganization(record, timeline, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for i := range again {
		if again[i].RecordID != records[i].RecordID {
			t.Errorf("record %d has another id when it is made again", i)
		}
	}
}

// Rule D1: a resource's log is about its own guest, with the id that the resource gave it, and about nobody else.
func TestRule_D1_ResourcesAreToldOfTheirOwnGuests(t *testing.T) {
	record, timeline := madeUp(rand.New(rand.NewPCG(3, 4)), 4) //nolint:gosec // a made-up call
	guest := record.Participants[1]
	sent := record.StartedAt.Add(time.Minute)
	for i, p := range record.Participants {
		timeline = append(timeline, store.TimelineEntry{
			ObservedAt: sent, ParticipantID: p.ID, Kind: "notice", Name: "recording_started", OperationID: uuid.New(), Attributes: map[string]string{
				"sent_at": sent.Format(time.RFC3339Nano), "acknowledged_at": sent.Add(time.Duration(i) * time.Second).Format(time.RFC3339Nano),
			},
		})
	}
	g := store.ResourceGuest{ResourceID: uuid.New(), CallKey: record.CallKey, ParticipantID: guest.ID, UserID: "patient-4711", JoinedAt: *guest.JoinedAt}
	records, err := logs.ForResource(record, timeline, g, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	var all strings.Builder
	for _, one := range records {
		count[one.Category]++
		all.WriteString(one.Body + "\n")
	}
	text := all.String()
	for _, p := range []int{0, 2} {
		if strings.Contains(text, record.Participants[p].ID.String()) {
			t.Errorf("it tells of somebody else:\n%s", text)
		}
	}
	for _, never := range []string{"olga", "Olga"} {
		if strings.Contains(text, never) {
			t.Errorf("it has %q:\n%s", never, text)
		}
	}
	for _, must := range []string{`"identifier":"patient-4711"`, `"participantEndReason":"0"`, `"kind":"recording_started"`, `"acknowledgedAt":"2026-03-04T10:01:01.123456Z"`} {
		if !strings.Contains(text, must) {
			t.Errorf("it has no %s:\n%s", must, text)
		}
	}
	if count[logs.CallSummary] != 1 || count[logs.CallDiagnostics] != 4 || count[logs.CallNotices] != 1 {
		t.Errorf("%v", count)
	}
}
