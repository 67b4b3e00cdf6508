package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"google.golang.org/protobuf/proto"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/store"
)

// brief is an issue in a line: kind, name and who, and from which second after noon to which.
type brief struct {
	Kind    string     `json:"kind"`
	Name    string     `json:"name"`
	Who     string     `json:"participant_id"`
	Started *time.Time `json:"started_at"`
	Ended   *time.Time `json:"ended_at"`
}

func (b brief) String() string {
	second := func(t *time.Time) string {
		if t == nil {
			return "?"
		}
		return fmt.Sprint(int(t.Sub(noon()).Seconds()))
	}
	return fmt.Sprintf("%s %s of %s, %s to %s", b.Kind, b.Name, b.Who[:2], second(b.Started), second(b.Ended))
}

// When the network goes, each peer connection of a client says so. That is one issue of that client, not one per connection, and lasts
// until the last of them is back.
func TestOneEventIsOneIssue(t *testing.T) {
	s := start(t, nil)
	r := s.rows()
	r.call("call-1", 0)
	at := func(ms int, e store.Entry) {
		env := r.env
		env.ObservedAt = noon().Add(time.Duration(ms) * time.Millisecond)
		r.Timeline.Add(r.origin(), env, e)
	}
	reconnect := func(ms int, person, operation byte, value string) {
		at(ms, store.Entry{Participant: id(person), Lane: 5, Kind: store.DiagnosticEntry, Name: "networkReconnect", Value: value, Operation: id(operation)})
	}
	failed := func(ms int, person, operation byte) {
		at(ms, store.Entry{
			Participant: id(person), Kind: store.OperationEntry, Name: "connectionState", Result: "UnexpectedClientError", Operation: id(operation),
			Attributes: map[string]string{"new_state": "failed"},
		})
	}
	for connection := range byte(3) {
		reconnect(10_000+int(connection), 1, 0x20+connection, "Bad")
		failed(20_000+int(connection), 1, 0x30+connection)
		reconnect(30_000+1000*int(connection), 1, 0x20+connection, "Good")
	}
	reconnect(10_000, 2, 0x40, "Bad") // Somebody else's.
	failed(25_000, 1, 0x41)           // Later.
	for _, operation := range []byte{0x50, 0x51} {
		at(40_000+int(operation), store.Entry{
			Participant: id(1), Kind: store.OperationEntry, Name: "StartVideo", Result: "UnexpectedClientError", Operation: id(operation),
		})
	}
	r.insert()
	want := []string{
		"diagnostic networkReconnect of 02, 10 to ?", "diagnostic networkReconnect of 01, 10 to 32", "operation connectionState of 01, 20 to 20",
		"operation connectionState of 01, 25 to 25", "operation StartVideo of 01, 40 to 40", "operation StartVideo of 01, 40 to 40",
	}
	var got []string
	for _, b := range read[struct{ Issues []brief }](t, s.get(200, issuesRoute, "", "call-1")).Issues {
		got = append(got, b.String())
	}
	if len(got) > 1 && strings.Contains(got[0], "of 01") { // Both began at once.
		got[0], got[1] = got[1], got[0]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("issues (-want +got):\n%s", diff)
	}
	if counts := read[object](t, s.get(200, callRoute, "", "call-1"))["issues"].(object); counts["total"] != float64(len(want)) {
		t.Errorf("the call counts %v issues and lists %d", counts["total"], len(want))
	}
}

// A call that only its network made poor says why.
func TestPoorByNetworkHasReasons(t *testing.T) {
	s := start(t, nil)
	r := s.rows()
	r.call("call-1", 0)
	r.stream(1, 10, 12)
	r.Timeline.Add(r.origin(), r.env, store.Entry{Participant: id(1), Lane: 5, Kind: store.DiagnosticEntry, Name: "networkReconnect", Value: "Bad"})
	r.insert()
	call := read[object](t, s.get(200, callRoute, "", "call-1"))
	reasons, _ := call["reasons"].([]any)
	if call["verdict"] != "poor" || len(reasons) != 1 || reasons[0].(object)["text"] != "networkReconnect went Bad" {
		t.Errorf("verdict %v, reasons %v", call["verdict"], reasons)
	}
}

// Texts have numbers as people write them; the figures beside them stay exact.
func TestReasonTextsAreRounded(t *testing.T) {
	s := start(t, nil)
	r := s.rows()
	r.call("call-1", 0)
	r.Streams.Add(r.origin(), r.env, &eventpb.StreamEnded{
		ParticipantId: id(1), StreamId: id(10), Direction: 1, Media: 2, Packets: proto.Uint64(9), HealedRatio: proto.Float64(2.0 / 15),
		HeightAvg: proto.Float64(180.00000000000003),
	})
	r.insert()
	const want = "healed_ratio 0.133 > 0.1, height_avg 180 < 240 px"
	var texts []string
	for _, reason := range read[object](t, s.get(200, callRoute, "", "call-1"))["reasons"].([]any) {
		texts = append(texts, reason.(object)["text"].(string))
	}
	if got := strings.Join(texts, ", "); got != want {
		t.Errorf("reasons %q, want %q", got, want)
	}
	issue := read[struct{ Issues []object }](t, s.get(200, issuesRoute, "", "call-1")).Issues[0]
	if got := issue["text"]; got != "The video stream (inbound) was poor: "+want+"." {
		t.Errorf("issue %q", got)
	}
}

// A source is called the same in the command line, in filters and in answers.
func TestSourceNames(t *testing.T) {
	s := start(t, nil)
	r := s.rows()
	names := []string{"unknown", "media", "rtcstats", "webrtc-internals", "acs"}
	for kind := 1; kind < len(names); kind++ {
		r.env.SourceKind = int8(kind)
		r.call("from-"+names[kind], kind)
	}
	r.insert()
	for _, name := range names[1:] {
		calls := read[struct{ Calls []object }](t, s.get(200, callsRoute, "source="+name)).Calls
		if len(calls) != 1 || calls[0]["call_id"] != "from-"+name || calls[0]["source"] != name {
			t.Errorf("%s finds %v", name, calls)
		}
	}
}
