package api

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/store"
)

// listenAll listens on every address, as the service must not.
type listenAll struct{}

func (*listenAll) listen(t *testing.T) (net.Listener, error) {
	var lc net.ListenConfig
	return lc.Listen(t.Context(), "tcp", ":0")
}

// everything is every answer about a call.
func (s *service) everything(call string, streams ...string) string {
	s.t.Helper()
	var out strings.Builder
	out.Write(s.get(200, callsRoute, "").body)
	for _, route := range []string{callRoute, participantsRoute, streamsRoute, timelineRoute, issuesRoute} {
		out.Write(s.get(200, route, "", call).body)
	}
	for _, stream := range streams {
		out.Write(s.get(200, samplesRoute, "", call, stream).body)
	}
	return out.String()
}

func TestRule_D2_WhoIsNoOrgUserIsAnonymous(t *testing.T) {
	s := start(t, nil)
	r := s.rows()
	r.call("call-1", 0)
	r.join(1, store.Who{Identity: store.OrgUser, UserID: "ada@contoso", DisplayName: "Ada"})
	r.join(2, store.Who{Identity: store.OrgUser, UserID: "bob@contoso"})
	r.join(3, store.Who{Identity: store.OrgUser})
	// What ingest would never store; that it is not shown does not rest on ingest alone.
	r.join(4, store.Who{Identity: store.Guest, UserID: "canary-id", DisplayName: "Canary Name"})
	r.join(5, store.Who{Identity: store.Service, DisplayName: "Canary Bot"})
	r.join(6, store.Who{Identity: store.OrgUser, DisplayName: "Canary Before"})
	r.env.Revision = 1
	r.join(6, store.Who{Identity: store.Guest})
	r.env.Revision = 0
	for person := byte(1); person <= 7; person++ { // Of the seventh only a stream tells.
		r.stream(person, 10+person, 34)
	}
	r.Timeline.Add(r.origin(), r.env, store.Entry{Participant: id(8), Kind: store.DiagnosticEntry, Name: "noNetwork", Value: "True"})
	r.insert()
	labels := map[string]string{}
	for _, p := range read[struct{ Participants []object }](t, s.get(200, participantsRoute, "", "call-1")).Participants {
		labels[p["participant_id"].(string)] = p["label"].(string)
	}
	for person, want := range map[byte]string{
		1: "Ada", 2: "bob@contoso", 3: "Org user", 4: "Anonymous", 5: "Anonymous", 6: "Anonymous", 7: "Anonymous", 8: "Anonymous",
	} {
		if got := labels[idOf(person)]; got != want {
			t.Errorf("participant %d is %q, want %q", person, got, want)
		}
	}
	for _, stream := range read[struct{ Streams []object }](t, s.get(200, streamsRoute, "", "call-1")).Streams {
		if stream["participant_label"] != labels[stream["participant_id"].(string)] {
			t.Errorf("stream of %v is labelled %v", stream["participant_id"], stream["participant_label"])
		}
	}
	all := s.everything("call-1")
	if !strings.Contains(all, "Ada") {
		t.Error("the org user's name is nowhere: the search finds nothing")
	}
	if strings.Contains(strings.ToLower(all), "canary") {
		t.Errorf("a name of somebody who is no org user is in an answer: %s", all)
	}
	for _, text := range []string{"canary", "Canary Before"} {
		if got := s.list(url.Values{"participant_label": {text}}); got != "" {
			t.Errorf("%q finds %q", text, got)
		}
	}
}

func TestRule_D3_GuestsOfARunningCallAreWithheld(t *testing.T) {
	s := start(t, nil)
	r := s.rows()
	r.env.SourceKind, r.env.CallID = 1, "running"
	r.Calls.AddStarted(r.origin(), r.env, &eventpb.CallStarted{StartedAtUs: noon().UnixMicro()})
	r.join(1, store.Who{Identity: store.OrgUser, DisplayName: "Ada"})
	r.join(2, store.Who{Identity: store.Guest})
	r.streamed(1, 10, 2, 12)
	r.streamed(2, 20, 2, 34)
	r.stream(1, 40, 500) // What Ada receives, the guest made.
	sampled := func(person, stream byte, way eventpb.Direction, second int) {
		env := r.env
		env.ObservedAt = noon().Add(time.Duration(second) * time.Second)
		r.Samples.Add(r.origin(), env, &eventpb.StreamReport{ParticipantId: id(person), IntervalMs: 1000},
			&eventpb.StreamSample{StreamId: id(stream), Direction: way, Media: 1, Packets: 1})
	}
	sampled(2, 20, 2, -50)
	sampled(2, 20, 2, 70)
	sampled(1, 40, 1, -60)
	sampled(1, 40, 1, 60)
	sampled(1, 10, 1, 61)                    // By the id of what she sends.
	for _, person := range []byte{1, 2, 3} { // Of the third nothing is proven.
		r.Timeline.Add(r.origin(), r.env, store.Entry{Participant: id(person), Kind: store.DiagnosticEntry, Name: "noNetwork", Value: "False"})
		sampled(person, person*10, 2, int(person)*10)
	}
	r.insert()
	all := s.everything("running", idOf(10))
	for _, person := range []byte{2, 3, 20, 30, 40} {
		if strings.Contains(all, idOf(person)) {
			t.Errorf("%s is in an answer: %s", idOf(person), all)
		}
	}
	call := read[object](t, s.get(200, callRoute, "", "running"))
	if call["participants"] != 1.0 || call["verdict"] != "good" || call["streams"].(object)["total"] != 1.0 {
		t.Errorf("the guest counts: %v", call)
	}
	s.get(404, samplesRoute, "", "running", idOf(20))
	s.get(404, samplesRoute, "", "running", idOf(40))
	if got := read[struct{ Samples []object }](t, s.get(200, samplesRoute, "", "running", idOf(10))).Samples; len(got) != 1 {
		t.Errorf("the samples of what she sends: %v", got)
	}
	zoom := read[object](t, s.get(200, zoomRoute, "", "running"))
	if at := noon().Add(10 * time.Second); zoom["from"] != at.Format(time.RFC3339) || zoom["to"] != at.Add(time.Millisecond).Format(time.RFC3339Nano) || len(zoom["streams"].([]any)) != 1 {
		t.Errorf("all samples: %v", zoom)
	}
	for _, query := range []url.Values{{"q": {idOf(2)}}, {"q": {idOf(20)}}, {"participant_label": {"Anonymous"}}, {"verdict": {"poor"}}} {
		if got := s.list(query); got != "" {
			t.Errorf("%v finds the call by its guest", query)
		}
	}
	r.Calls.AddEnded(r.origin(), r.env, &eventpb.CallEnded{EndedAtUs: noon().UnixMicro() + 1})
	r.insert()
	all = s.everything("running", idOf(10), idOf(20), idOf(40))
	for _, person := range []byte{1, 2, 3, 10, 20, 30, 40} {
		if !strings.Contains(all, idOf(person)) {
			t.Errorf("%s is in no answer after the end", idOf(person))
		}
	}
	if call := read[object](t, s.get(200, callRoute, "", "running")); call["participants"] != 3.0 || call["verdict"] != "poor" {
		t.Errorf("after the end: %v", call)
	}
}

// A call in which only guests are is nowhere until it has ended: neither one that a guest began, nor what another system's client measures of its own.
func TestRule_D3_CallsOfGuestsAloneAreHidden(t *testing.T) {
	for source, name := range map[int8]string{1: "own media", 2: "a collected client"} {
		t.Run(name, func(t *testing.T) {
			s := start(t, nil)
			r := s.rows()
			began := noon().Add(time.Duration(ago(60)) * time.Minute)
			r.env.SourceKind, r.env.CallID, r.env.ObservedAt = source, "alone", began
			r.Calls.AddStarted(r.origin(), r.env, &eventpb.CallStarted{StartedAtUs: began.UnixMicro()})
			r.join(2, store.Who{Identity: store.Guest})
			r.stream(2, 20, 34)
			r.insert()
			paths := []string{recordsRoute + "/alone", recordsRoute + "/alone/sessions", "/v1/calls/alone", "/v1/calls/alone/streams", "/v1/calls/alone/samples", "/v1/calls/alone/timeline"}
			counted := func(status int) string {
				for _, path := range paths {
					s.send(status, "admin@contoso", http.MethodGet, "", path, nil)
				}
				ids, _ := s.records(recordsRoute, recordsRoute, "")
				quality := read[struct{ Totals object }](t, s.get(200, qualityRoute, "last=1d"))
				return fmt.Sprintf("%s|%s|%s|%v calls", s.list(url.Values{}), s.list(url.Values{"q": {"alone/" + idOf(2)}}), ids, quality.Totals["calls"])
			}
			if diff := cmp.Diff("|||0 calls", counted(404)); diff != "" {
				t.Errorf("while it runs (-want +got):\n%s", diff)
			}
			r.Calls.AddEnded(r.origin(), r.env, &eventpb.CallEnded{EndedAtUs: began.Add(time.Minute).UnixMicro()})
			r.insert()
			if diff := cmp.Diff("alone|alone|alone|1 calls", counted(200)); diff != "" {
				t.Errorf("after its end (-want +got):\n%s", diff)
			}
		})
	}
}

// Ingest gives a guest another id in every call. The answers must add nothing that could tie the two together again.
func TestRule_D4_NothingLinksAGuestAcrossCalls(t *testing.T) {
	s := start(t, nil)
	r := s.rows()
	for i, name := range []string{"first", "second"} {
		r.call(name, i*60)
		for guest := range byte(2) {
			r.join(byte(1+i*2)+guest, store.Who{Identity: store.Guest})
			r.stream(byte(1+i*2)+guest, byte(0x11+i*2)+guest, 12)
		}
	}
	r.insert()
	ids := map[string]map[string]bool{}
	for _, name := range []string{"first", "second"} {
		ids[name] = map[string]bool{}
		streams := read[struct{ Streams []object }](t, s.get(200, streamsRoute, "", name)).Streams
		for _, stream := range streams {
			ids[name][stream["participant_id"].(string)] = true
		}
		if len(ids[name]) != 2 {
			t.Errorf("%s: the streams of two guests have %d participant ids", name, len(ids[name]))
		}
	}
	for person := range ids["first"] {
		if ids["second"][person] {
			t.Errorf("%s is in both calls", person)
		}
		if got := s.list(url.Values{"q": {person}}); got != "first" {
			t.Errorf("%s finds %q", person, got)
		}
	}
}
