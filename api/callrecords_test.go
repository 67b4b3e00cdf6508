package api

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/store"
)

const (
	recordsRoute            = "/communications/callRecords"
	recordRoute             = "/communications/callRecords/:id"
	recordSessionsRoute     = "/communications/callRecords/:id/sessions"
	recordParticipantsRoute = "/communications/callRecords/:id/participants_v2"
)

// ago is so many minutes after noon that so many have passed since: records are kept for 30 days only.
func ago(minutes int) int { return int(time.Since(noon())/time.Minute) - minutes }

type recordList struct {
	Value []struct {
		ID       string `json:"id"`
		Identity object `json:"identity"`
		Segments []any  `json:"segments"`
	} `json:"value"`
	Next string `json:"@odata.nextLink"`
}

// records walks all pages of a list and returns the ids in order, and how many were on each page.
func (s *service) records(pattern, path, prefer string) (ids, pages string) {
	s.t.Helper()
	var all, sizes []string
	for link := s.url + path; link != ""; {
		request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, link, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		if prefer != "" {
			request.Header.Set("Prefer", prefer)
		}
		got := s.do(request, pattern)
		if got.status != http.StatusOK {
			s.t.Fatalf("GET %s: %d: %s", link, got.status, got.body)
		}
		page := read[recordList](s.t, got)
		for _, v := range page.Value {
			all = append(all, v.ID)
		}
		sizes = append(sizes, fmt.Sprint(len(page.Value)))
		if len(sizes) > 100 {
			s.t.Fatal("the list does not end")
		}
		link = page.Next
	}
	return strings.Join(all, " "), strings.Join(sizes, " ")
}

func TestCallRecords(t *testing.T) {
	s := start(t, nil)
	r := s.rows()
	for i, name := range []string{"a", "b", "c"} {
		r.call(name, ago(60-i))
		r.join(1, store.Who{Identity: store.OrgUser, UserID: "u" + name, DisplayName: "Ada Lovelace"})
		r.stream(1, byte(10+i), 20)
	}
	r.call("d", ago(10))
	r.join(2, store.Who{Identity: store.Guest})
	r.call("old", ago(31*24*60))
	r.env.Org = "fabrikam"
	r.call("e", ago(5))
	r.insert()
	at := func(minutes int) string {
		return noon().Add(time.Duration(ago(minutes)) * time.Minute).Format(time.RFC3339)
	}
	for _, test := range []struct{ name, filter, prefer, want, pages string }{
		{"all", "", "", "d c b a", "4"},
		{"in pages of three", "", "odata.maxpagesize=3", "d c b a", "3 1"},
		{"in pages of as many as there are", "", "respond-async, odata.maxpagesize=4", "d c b a", "4"},
		{"since", "startDateTime ge " + at(59), "", "d c b", "3"},
		{"after", "startDateTime gt " + at(59), "", "d c", "2"},
		{"between, one by one", "startDateTime ge " + at(60) + " and startDateTime lt " + at(58), "odata.maxpagesize=1", "b a", "1 1"},
		{"up to", "startDateTime le " + at(59), "", "b a", "2"},
		{"longer ago than is kept", "startDateTime ge 0001-01-01T00:00:00Z", "", "d c b a", "4"},
		{"a user", "participants_v2/any(p:p/id eq 'ub')", "", "b", "1"},
		{"a guest", "participants_v2/any(p:p/id eq '" + idOf(2) + "')", "", "d", "1"},
		{"part of an id", "participants_v2/any(p:p/id eq 'u')", "", "", "0"},
		{"SQL", "participants_v2/any(p:p/id eq 'ub'' OR 1=1 --')", "", "", "0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := recordsRoute
			if test.filter != "" {
				path += "?" + url.Values{"$filter": {test.filter}}.Encode()
			}
			got, pages := s.records(recordsRoute, path, test.prefer)
			if diff := cmp.Diff([]string{test.want, test.pages}, []string{got, pages}); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
		})
	}
	s.get(404, recordRoute, "", "old")
	s.get(404, recordRoute, "", "e")
	s.get(404, recordSessionsRoute, "", "old")
	s.get(404, recordParticipantsRoute, "", "nothing")
}

func TestCallRecordAndItsRelations(t *testing.T) {
	s := start(t, nil)
	meeting := s.meeting(directory.Meeting{Org: "contoso", Organizer: "ada"})
	if _, err := s.people.rows.Users.Put(t.Context(), directory.User{ID: "ada", Org: "contoso", Name: "Ada Lovelace"}, 0, "test"); err != nil {
		t.Fatal(err)
	}
	r := s.rows()
	r.env.CallID, r.env.ObservedAt = "big", noon().Add(time.Duration(ago(60))*time.Minute)
	begin := r.env.ObservedAt
	r.Calls.AddStarted(r.origin(), r.env, &eventpb.CallStarted{StartedAtUs: begin.UnixMicro(), Kind: eventpb.CallKind_CALL_KIND_MEETING, MeetingId: meeting})
	r.Calls.AddEnded(r.origin(), r.env, &eventpb.CallEnded{EndedAtUs: begin.Add(30 * time.Minute).UnixMicro()})
	const people = 140
	for i := range people {
		who := store.Who{Identity: store.Guest}
		if i == 0 {
			who = store.Who{Identity: store.OrgUser, UserID: "ada", DisplayName: "Ada Lovelace"}
		}
		r.join(byte(i+1), who)
	}
	r.stream(1, 200, 16)
	r.insert()

	record := read[object](t, s.get(200, recordRoute, "", "big"))
	if record["participants_v2"] != nil || record["sessions"] != nil {
		t.Errorf("relations that nobody asked for: %v", record)
	}
	link, _ := record["joinWebUrl"].(string)
	if record["type"] != "groupCall" || record["organizer_v2"].(object)["id"] != "ada" || !strings.Contains(link, "/join/"+meeting+"#") {
		t.Errorf("record %v", record)
	}
	version := record["version"].(float64)
	support := read[object](t, s.send(200, "support@contoso", http.MethodGet, recordRoute, recordsRoute+"/big", nil))
	if support["joinWebUrl"] != nil {
		t.Errorf("a link for somebody whom the meeting doesn't concern: %v", support["joinWebUrl"])
	}

	full := read[object](t, s.get(200, recordRoute, "$expand="+url.QueryEscape("sessions($expand=segments),participants_v2"), "big"))
	sessions, participants := full["sessions"].([]any), full["participants_v2"].([]any)
	if len(sessions) != 60 || len(participants) != 130 {
		t.Errorf("%d sessions, %d participants at first", len(sessions), len(participants))
	}
	if segments := sessions[0].(object)["segments"].([]any); len(segments) != 1 {
		t.Errorf("segments %v", segments)
	}
	follow := func(pattern string, link any) (int, recordList) {
		t.Helper()
		page := read[recordList](t, s.get(200, pattern, strings.SplitN(link.(string), "?", 2)[1], "big"))
		return len(page.Value), page
	}
	n, page := follow(recordSessionsRoute, full["sessions@odata.nextLink"])
	if n != 60 || page.Next == "" || len(page.Value[0].Segments) != 1 {
		t.Errorf("next sessions: %d, %q", n, page.Next)
	}
	// Clients of Graph put a version before its paths, and find it in the links again.
	versioned := s.send(200, "admin@contoso", http.MethodGet, "", "/v1.0"+recordsRoute+"/big?$expand=sessions", nil)
	if link, _ := read[object](t, versioned)["sessions@odata.nextLink"].(string); !strings.HasPrefix(link, s.url+"/v1.0/communications/callRecords/big/sessions?") {
		t.Errorf("a link of a versioned answer: %q", link)
	}
	if n, page = follow(recordSessionsRoute, page.Next); n != 20 || page.Next != "" {
		t.Errorf("last sessions: %d, %q", n, page.Next)
	}
	if n, page = follow(recordParticipantsRoute, full["participants_v2@odata.nextLink"]); n != 10 || page.Next != "" {
		t.Errorf("last participants: %d, %q", n, page.Next)
	}
	for route, want := range map[string]string{recordSessionsRoute: "60 60 20", recordParticipantsRoute: "130 10"} {
		ids, pages := s.records(route, strings.ReplaceAll(route, ":id", "big"), "odata.maxpagesize=1000")
		seen := map[string]bool{}
		for id := range strings.FieldsSeq(ids) {
			seen[id] = true
		}
		if pages != want || len(seen) != people {
			t.Errorf("%s: pages %s, %d different", route, pages, len(seen))
		}
	}

	r.env.CallID = "big"
	r.Calls.AddEnded(r.origin(), r.env, &eventpb.CallEnded{EndedAtUs: begin.Add(time.Hour).UnixMicro()})
	r.insert()
	if later := read[object](t, s.get(200, recordRoute, "", "big")); later["version"].(float64) <= version || later["endDateTime"] == nil {
		t.Errorf("after more has arrived: %v", later)
	}
}

func TestBadRequestsForCallRecords(t *testing.T) {
	s := start(t, nil)
	r := s.rows()
	for i := range 3 {
		r.call(fmt.Sprint("call-", i), ago(10+i))
		r.join(1, store.Who{Identity: store.Guest})
		r.join(2, store.Who{Identity: store.Guest})
	}
	r.insert()
	first := func(path string) string {
		page := read[recordList](t, s.send(200, "admin@contoso", http.MethodGet, "", path, nil, "Prefer", "odata.maxpagesize=1"))
		_, token, _ := strings.Cut(page.Next, "$skiptoken=")
		return "$skiptoken=" + token
	}
	listToken, sessionsToken := first(recordsRoute), first(recordsRoute+"/call-0/sessions")
	for path, message := range map[string]string{
		"?$filter=x":                          "$filter",
		"?$filter=":                           "$filter",
		"?$filter=startDateTime+ge+yesterday": "$filter",
		"?$expand=sessions":                   "", // The list has no relations.
		"?$top=5":                             "",
		"?filter=x":                           "",
		"?$skiptoken=x":                       "",
		"?$filter=startDateTime+lt+2030-01-01T00:00:00Z&" + listToken: "", // Of another list.
		"?" + sessionsToken:                        "",
		"/call-0?$expand=media":                    "$expand",
		"/call-0?$expand=sessions($expand=x)":      "$expand",
		"/call-0/sessions?$expand=media":           "$expand",
		"/call-0/sessions?" + listToken:            "",
		"/call-1/sessions?" + sessionsToken:        "",
		"/call-0/participants_v2?$expand=segments": "",
	} {
		got := s.send(400, "admin@contoso", http.MethodGet, "", recordsRoute+path, nil)
		failure, _ := read[object](t, got)["error"].(object)
		if text, _ := failure["message"].(string); failure["code"] != "BadRequest" || !strings.Contains(text, message) {
			t.Errorf("%s: %s", path, got.body)
		}
	}
	for _, prefer := range []string{"odata.maxpagesize=0", "odata.maxpagesize=-1", "odata.maxpagesize=x", "odata.maxpagesize"} {
		s.send(400, "admin@contoso", http.MethodGet, recordsRoute, recordsRoute, nil, "Prefer", prefer)
	}
	if got := s.send(200, "admin@contoso", http.MethodGet, recordsRoute, recordsRoute, nil, "Prefer", "odata.maxpagesize=2"); got.header.Get("Preference-Applied") != "odata.maxpagesize=2" {
		t.Errorf("headers %v", got.header)
	}
	s.send(404, "admin@contoso", http.MethodGet, "", recordsRoute+"/call-0/segments", nil)
}

// A guest who is in a running meeting is in no record, and no filter finds the meeting by the guest.
func TestRule_D3_RecordsOfRunningMeetingsHaveNoGuests(t *testing.T) {
	s := start(t, nil)
	r := s.rows()
	r.env.SourceKind, r.env.CallID, r.env.ObservedAt = 1, "running", noon().Add(time.Duration(ago(60))*time.Minute)
	begin := r.env.ObservedAt
	r.Calls.AddStarted(r.origin(), r.env, &eventpb.CallStarted{StartedAtUs: begin.UnixMicro()})
	r.join(1, store.Who{Identity: store.OrgUser, UserID: "ada", DisplayName: "Ada"})
	r.join(2, store.Who{Identity: store.Guest})
	r.streamed(1, 10, 2, 12)
	r.streamed(2, 20, 2, 34)
	r.stream(1, 40, 500) // What Ada receives, the guest made.
	r.insert()
	everything := func() string {
		var out strings.Builder
		for _, path := range []string{"", "/running?$expand=sessions($expand=segments),participants_v2", "/running/sessions?$expand=segments", "/running/participants_v2"} {
			out.Write(s.send(200, "admin@contoso", http.MethodGet, "", recordsRoute+path, nil).body)
		}
		return out.String()
	}
	found := func() string {
		ids, _ := s.records(recordsRoute, recordsRoute+"?"+url.Values{"$filter": {"participants_v2/any(p:p/id eq '" + idOf(2) + "')"}}.Encode(), "")
		return ids
	}
	during := everything()
	// How much is said of the meeting, and when last, doesn't tell of its guests either.
	r.env.ObservedAt = begin.Add(30 * time.Second)
	r.join(3, store.Who{Identity: store.Guest})
	r.insert()
	r.stream(2, 21, 34)
	r.insert()
	if diff := cmp.Diff(during, everything()); diff != "" {
		t.Errorf("what guests do changes a record (-before +after):\n%s", diff)
	}
	for _, hidden := range []byte{2, 20, 40} {
		if strings.Contains(during, idOf(hidden)) {
			t.Errorf("%s is in a record: %s", idOf(hidden), during)
		}
	}
	if !strings.Contains(during, `"Ada"`) || found() != "" {
		t.Errorf("found %q in %s", found(), during)
	}
	r.Calls.AddEnded(r.origin(), r.env, &eventpb.CallEnded{EndedAtUs: begin.Add(time.Minute).UnixMicro()})
	r.insert()
	if after := everything(); !strings.Contains(after, idOf(2)) || !strings.Contains(after, idOf(20)) || found() != "running" {
		t.Errorf("after the end: found %q in %s", found(), after)
	}
}
