package graph

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/analytics"
	"github.com/anteroom/anteroom/quality"
	"github.com/anteroom/anteroom/store"
)

// schema is testdata/callrecord.schema.json: of each type its fields, or for a closed set of words these. A field is a name of a type, a list of
// one in brackets, a primitive, or words; it may be null unless it ends with "!". Every field must be there, and no other.
type schema map[string]any

func readSchema(t *testing.T) schema {
	t.Helper()
	text, err := os.ReadFile("testdata/callrecord.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var s schema
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

var isoDuration = regexp.MustCompile(`^PT(\d+H)?(\d+M)?(\d+(\.\d+)?S)?$`)

// check lists what is wrong with a value.
func (s schema) check(at, kind string, v any) []string {
	kind, required := strings.CutSuffix(kind, "!")
	if v == nil {
		if required {
			return []string{at + " is null"}
		}
		return nil
	}
	wrong := func(ok bool) []string {
		if ok {
			return nil
		}
		return []string{fmt.Sprintf("%s is no %s: %v", at, kind, v)}
	}
	if inner, list := strings.CutPrefix(kind, "["); list {
		values, ok := v.([]any)
		out := wrong(ok)
		for i, v := range values {
			out = append(out, s.check(fmt.Sprintf("%s[%d]", at, i), strings.TrimSuffix(inner, "]")+"!", v)...)
		}
		return out
	}
	text, isText := v.(string)
	number, isNumber := v.(float64)
	switch kind {
	case "string":
		return wrong(isText)
	case "integer":
		return wrong(isNumber && number == math.Trunc(number))
	case "number":
		return wrong(isNumber)
	case "boolean":
		_, ok := v.(bool)
		return wrong(ok)
	case "object":
		_, ok := v.(map[string]any)
		return wrong(ok)
	case "instant":
		_, err := time.Parse(time.RFC3339, text)
		return wrong(err == nil && strings.HasSuffix(text, "Z"))
	case "duration":
		return wrong(isoDuration.MatchString(text) && text != "PT")
	case "endpoint":
		fields, _ := v.(map[string]any)
		name, _ := fields["@odata.type"].(string)
		return s.check(at, strings.TrimPrefix(name, "#microsoft.graph.callRecords."), v)
	}
	fields, ok := s[kind].(map[string]any)
	if words, isWords := s[kind].(string); isWords {
		kind = words
	}
	if !ok {
		return wrong(isText && slices.Contains(strings.Split(kind, "|"), text))
	}
	object, ok := v.(map[string]any)
	if !ok {
		return wrong(false)
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if fields[name] == nil {
			out = append(out, at+"."+name+" is not of a "+kind)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		value, there := object[name]
		if !there {
			out = append(out, at+"."+name+" is missing")
			continue
		}
		out = append(out, s.check(at+"."+name, fields[name].(string), value)...)
	}
	return out
}

func ptr[T any](v T) *T { return &v }

func noon() time.Time { return time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC) }

func idOf(b byte) uuid.UUID { return uuid.UUID(slices.Repeat([]byte{b}, 16)) }

// rich is the record of a call of which everything is known that can be.
func rich() *store.Record {
	all := func(id, who byte, media, direction, codec string) store.StreamFacts {
		return store.StreamFacts{
			ID: idOf(id), ParticipantID: idOf(who), Source: 1, Media: media, Direction: direction, Codec: codec, Counted: true,
			StartedAt: ptr(noon()), EndedAt: ptr(noon().Add(time.Minute)), Packets: ptr(uint64(1000)), PacketsLost: ptr(int64(100)),
			PacketsRepaired: ptr(int64(75)), LossRatio: ptr(0.1), LossRatioMax: ptr(0.5), JitterMsAvg: ptr(16.0), JitterMsMax: ptr(33.5),
			RTTMsAvg: ptr(90.0), RTTMsMax: ptr(1200.0), HealedRatio: ptr(0.01), HealedRatioMax: ptr(0.2), FrameRateAvg: ptr(24.5), Transport: "udp",
		}
	}
	return &store.Record{
		CallFacts: store.CallFacts{
			CallKey: store.CallKey{Org: "contoso", CallID: "call-1"}, Source: 1, Kind: "meeting", MeetingID: "m", StartedAt: ptr(noon()),
			FirstSeen: noon(), EndedAt: ptr(noon().Add(time.Hour)),
		},
		Participants: []store.ParticipantFacts{
			{
				ID: idOf(1), Identity: store.OrgUser, UserID: "ada", DisplayName: "Ada Lovelace", EndpointType: "browser", ClientFamily: "Chrome",
				ClientVersion: "140", OSFamily: "Windows", Network: "192.0.2.0/24", JoinedAt: ptr(noon()), LeftAt: ptr(noon().Add(time.Hour)),
			},
			{
				ID: idOf(2), Identity: store.Guest, JoinedAt: ptr(noon()), LeftAt: ptr(noon().Add(time.Minute)), EndCode: "500", EndSubCode: "1",
				ResultCategory: "UnexpectedClientError", OSFamily: "iOS", Network: "198.51.100.0/24", // No store keeps that of a guest.
			},
			{ID: idOf(3), Identity: store.Service},
			{ID: idOf(4), Identity: store.OrgUser, UserID: "ada", DisplayName: "Ada Lovelace"}, // Came back.
			{ID: idOf(5)},
		},
		Streams: []store.StreamFacts{
			all(11, 1, "audio", "outbound", "opus"), all(12, 1, "audio", "inbound", "opus"), all(13, 1, "video", "outbound", "VP8"),
			all(14, 1, "screen", "inbound", "H264"), all(15, 2, "audio", "outbound", "opus"), all(16, 2, "unknown", "unknown", ""),
		},
		Marks: []store.TimelineEntry{
			{Kind: "survey", ParticipantID: idOf(1), Attributes: map[string]string{"overall.score": "1"}},
			{Kind: "survey", ParticipantID: idOf(1), Attributes: map[string]string{"overall.score": "8", "overall.upper_bound": "10"}},
			{Kind: "survey", ParticipantID: idOf(2), Attributes: map[string]string{"audio.score": "1"}},
		},
	}
}

func judged(t *testing.T, r *store.Record) *analytics.Call {
	t.Helper()
	profiles, err := quality.NewProfiles(quality.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	p, _ := profiles.Get("")
	return analytics.Judge(p, r)
}

// plain is a record with all its relations, as plain values.
func plain(t *testing.T, c *analytics.Call, f Facts) map[string]any {
	t.Helper()
	record := Record(c, f)
	record.Participants, record.Sessions = Participants(c), Sessions(c)
	text, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEveryFieldIsOfTheSchema(t *testing.T) {
	s := readSchema(t)
	p2p := rich()
	p2p.Kind, p2p.Participants = "p2p", p2p.Participants[:2]
	nothing := &store.Record{CallFacts: store.CallFacts{CallKey: store.CallKey{Org: "contoso", CallID: "call-2"}, Kind: "unknown", FirstSeen: noon()}}
	for name, c := range map[string]struct {
		record *store.Record
		facts  Facts
	}{
		"all that can be known": {rich(), Facts{Version: 7, Modified: noon(), JoinURL: "https://meet.example/join/m#s", Organizer: &Identity{"ada", "Ada"}}},
		"between two":           {p2p, Facts{Version: 1, Modified: noon()}},
		"nothing but its id":    {nothing, Facts{Version: 1, Modified: noon()}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, wrong := range s.check("callRecord", "callRecord!", plain(t, judged(t, c.record), c.facts)) {
				t.Error(wrong)
			}
		})
	}
}

// The check finds what is wrong: else the test above would say nothing.
func TestSchemaFindsFaults(t *testing.T) {
	s := readSchema(t)
	broken := func(change func(map[string]any)) []string {
		v := plain(t, judged(t, rich()), Facts{Version: 1, Modified: noon()})
		change(v)
		return s.check("callRecord", "callRecord!", v)
	}
	session := func(v map[string]any) map[string]any { return v["sessions"].([]any)[0].(map[string]any) }
	for name, change := range map[string]func(map[string]any){
		"missing":     func(v map[string]any) { delete(v, "joinWebUrl") },
		"more":        func(v map[string]any) { v["x"] = 1 },
		"null":        func(v map[string]any) { v["id"] = nil },
		"wrong word":  func(v map[string]any) { v["type"] = "group" },
		"wrong type":  func(v map[string]any) { v["version"] = 1.5 },
		"no instant":  func(v map[string]any) { v["startDateTime"] = "2026-03-04" },
		"deep within": func(v map[string]any) { delete(session(v)["caller"].(map[string]any), "feedback") },
		"duration": func(v map[string]any) {
			segment := session(v)["segments"].([]any)[0].(map[string]any)
			segment["media"].([]any)[0].(map[string]any)["streams"].([]any)[0].(map[string]any)["averageJitter"] = "0.016"
		},
	} {
		if found := broken(change); len(found) != 1 {
			t.Errorf("%s: %q", name, found)
		}
	}
}

func TestWhatIsShown(t *testing.T) {
	c := judged(t, rich())
	record := Record(c, Facts{Version: 7, Modified: noon(), JoinURL: "https://x"})
	if record.Type != "groupCall" || !slices.Equal(record.Modalities, []string{"audio", "video", "videoBasedScreenSharing"}) {
		t.Errorf("record %+v", record)
	}
	var ids []string
	for _, p := range Participants(c) {
		ids = append(ids, p.ID)
	}
	if diff := cmp.Diff([]string{"ada", idOf(2).String(), idOf(3).String(), idOf(5).String()}, ids); diff != "" {
		t.Errorf("participants (-want +got):\n%s", diff)
	}
	for _, i := range []int{1, 3} {
		p := Participants(c)[i]
		if diff := cmp.Diff(&IdentitySet{Guest: &Identity{p.ID, "Anonymous"}}, p.Identity); diff != "" {
			t.Errorf("guest (-want +got):\n%s", diff)
		}
	}
	all := Sessions(c)
	if len(all) != 5 || all[0].FailureInfo != nil || all[0].Caller.Feedback.Rating != "good" || *all[0].Caller.UserAgent.HeaderValue != "Chrome/140 (Windows)" {
		t.Errorf("session %+v", all[0])
	}
	if diff := cmp.Diff(&Failure{"midcall", "UnexpectedClientError 500/1"}, all[1].FailureInfo); diff != "" {
		t.Errorf("failure (-want +got):\n%s", diff)
	}
	audio := all[0].Segments[0].Media[0]
	if audio.Label != "main-audio" || len(audio.Streams) != 2 || audio.CallerNetwork.NetworkTransportProtocol != "udp" || audio.CallerNetwork.IPAddress != nil {
		t.Errorf("media %+v", audio)
	}
	if *audio.CallerNetwork.Subnet != "192.0.2.0/24" || all[1].Segments[0].Media[0].CallerNetwork.Subnet != nil {
		t.Errorf("subnets %v and %v", audio.CallerNetwork.Subnet, all[1].Segments[0].Media[0].CallerNetwork.Subnet)
	}
	out := audio.Streams[0]
	if *out.StreamDirection != "callerToCallee" || *out.AudioCodec != "opus" || *out.AverageJitter != Duration(16*time.Millisecond) ||
		*out.LossAfterRepair != 0.025 || *out.PacketUtilization != 1000 || out.VideoCodec != nil {
		t.Errorf("stream %+v", out)
	}
}

// While a meeting runs, nobody finds a guest in its record, nor a stream of one.
func TestRule_D3_NoGuestsInTheRecordOfARunningMeeting(t *testing.T) {
	running := rich()
	running.EndedAt = nil
	c := judged(t, running)
	text, err := json.Marshal(plain(t, c, Facts{Version: 1, Modified: noon()}))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "Ada Lovelace") || !strings.Contains(string(text), idOf(11).String()) {
		t.Fatalf("the user is missing: %s", text)
	}
	for _, absent := range []uuid.UUID{idOf(2), idOf(5), idOf(15), idOf(16)} {
		if strings.Contains(string(text), absent.String()) {
			t.Errorf("%s is in the record of a running meeting", absent)
		}
	}
	if !strings.Contains(string(text), `"endDateTime":null`) {
		t.Error("a running meeting has an end")
	}
}
