package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/store"
)

// oneMeeting stands for the node on which one meeting runs: the api room can't import media. It knows who is in it by user id and by
// participant token.
type oneMeeting struct {
	id     string
	roster []RosterEntry
	asked  []string
}

func (m *oneMeeting) End(_ context.Context, org, meetingID, by string) error {
	m.asked = append(m.asked, fmt.Sprintf("end %s by %s", org, by))
	if meetingID != m.id {
		return ErrNotRunning
	}
	return nil
}

func (m *oneMeeting) Roster(_ context.Context, meetingID string) ([]RosterEntry, error) {
	if meetingID != m.id {
		return nil, fmt.Errorf("look for meeting: %w", ErrNotRunning)
	}
	return m.roster, nil
}

func (m *oneMeeting) Messages(_ context.Context, q MessageQuery) (MessagePage, error) {
	m.asked = append(m.asked, fmt.Sprintf("messages %q %s %s %q %d", q.ParticipantToken, q.Org, q.UserID, q.Before, q.Limit))
	switch {
	case q.ParticipantToken == "forged":
		return MessagePage{}, &identity.Error{Reason: identity.TokenSignature, Detail: "Not ours."}
	case q.MeetingID != m.id || (q.ParticipantToken != "in" && q.UserID != "ada"):
		return MessagePage{}, ErrNotInMeeting
	}
	return MessagePage{Messages: []Message{{ID: "1", Participant: uuid.UUID(id(1)), DisplayName: "Ada", Text: "hello", SentAt: noon()}}}, nil
}

func TestRunningMeetings(t *testing.T) {
	live := &oneMeeting{roster: []RosterEntry{
		{Participant: uuid.UUID(id(1)), DisplayName: "Ada", UserID: "ada", Connected: true}, {Participant: uuid.UUID(id(2)), DisplayName: "Patient", Guest: true},
	}}
	s := start(t, func(_ *Config, d *Deps) { d.Meetings = live })
	c := s.cells()
	live.id = c.meeting["contoso"]
	path := "/v1/meetings/" + live.id
	s.send(204, "org_user:somebody@contoso", http.MethodPost, meetingRoute+"/end", path+"/end", nil)
	roster := read[object](t, s.send(200, "org_user:ada@contoso", http.MethodGet, meetingRoute+"/roster", path+"/roster", nil))
	want := object{"running": true, "participants": []any{
		object{"participant_id": idOf(1), "display_name": "Ada", "kind": "org_user", "external": false, "connected": true},
		object{"participant_id": idOf(2), "display_name": "Patient", "kind": "guest", "external": true, "connected": false},
	}}
	if diff := cmp.Diff(want, roster); diff != "" {
		t.Errorf("roster (-want +got):\n%s", diff)
	}
	other := "/v1/meetings/" + c.meeting["fabrikam"]
	if code, _ := s.problem(s.send(409, "admin@fabrikam", http.MethodPost, meetingRoute+"/end", other+"/end", nil)); code != "meeting_not_running" {
		t.Errorf("code %s", code)
	}
	if got := read[object](t, s.send(200, "org_user@fabrikam", http.MethodGet, meetingRoute+"/roster", other+"/roster", nil)); got["running"] != false {
		t.Errorf("roster of none: %v", got)
	}
	messages := func(status int, who, query string, header ...string) answer {
		t.Helper()
		return s.send(status, who, http.MethodGet, meetingRoute+"/messages", path+"/messages"+query, nil, header...)
	}
	if got := read[struct{ Messages []object }](t, messages(200, "org_user:ada@contoso", "?before=9&limit=7")); len(got.Messages) != 1 || got.Messages[0]["text"] != "hello" {
		t.Errorf("messages %v", got)
	}
	messages(200, "", "", ParticipantTokenHeader, "in")
	for who, header := range map[string][]string{"org_user:somebody@contoso": nil, "": {ParticipantTokenHeader, "left"}} {
		if code, _ := s.problem(messages(403, who, "", header...)); code != "not_in_meeting" {
			t.Errorf("%s: %s", who, code)
		}
	}
	if code, _ := s.problem(messages(401, "", "", ParticipantTokenHeader, "forged")); code != "token_signature_invalid" {
		t.Errorf("code %s", code)
	}
	if code, _ := s.problem(messages(401, "", "")); code != "token_missing" {
		t.Errorf("code %s", code)
	}
	if live.asked[0] != "end contoso by somebody" || live.asked[2] != `messages "" contoso ada "9" 7` || live.asked[3] != `messages "in"   "" 50` {
		t.Errorf("asked %q", live.asked)
	}
	none := start(t, nil)
	id := none.cells().meeting["contoso"]
	if code, _ := none.problem(none.send(503, "admin@contoso", http.MethodPost, meetingRoute+"/end", "/v1/meetings/"+id+"/end", nil)); code != "media_unavailable" {
		t.Errorf("without media: %s", code)
	}
}

// Whoever knows a meeting's id and has nothing to do with it is told that there is none, so that neither the link nor who is there gets out, and
// ends nothing. Of those who have, only the organiser and admins end it by HTTP: who else may is for policy, within the meeting.
func TestMeetingsAreForThoseTheyConcern(t *testing.T) {
	live := &oneMeeting{roster: []RosterEntry{
		{Participant: uuid.New(), DisplayName: "Ada", UserID: "ada", Connected: true}, {Participant: uuid.New(), DisplayName: "Canary", Guest: true, UserID: "eve"},
	}}
	s := start(t, func(_ *Config, d *Deps) { d.Meetings = live })
	live.id = s.meeting(directory.Meeting{Org: "contoso", Kind: directory.MeetingWebinar, Organizer: "olga", Invited: []string{"ina"}, Presenters: []string{"pia"}})
	type answers struct{ get, calendar, graph, roster, messages, change, renew, end int }
	for who, want := range map[string]answers{
		"org_user:olga@contoso":  {200, 200, 200, 200, 403, 428, 200, 204},
		"admin@contoso":          {200, 200, 200, 200, 403, 428, 200, 204},
		"org_user:ina@contoso":   {200, 200, 200, 200, 403, 403, 403, 403},
		"org_user:pia@contoso":   {200, 200, 200, 200, 403, 403, 403, 403},
		"org_user:ada@contoso":   {404, 404, 404, 200, 200, 404, 404, 403}, // By the link, uninvited: in the running session.
		"org_user:eve@contoso":   {404, 404, 404, 404, 404, 404, 404, 404}, // Has the id of a guest who is in.
		"support@contoso":        {404, 404, 404, 404, 404, 404, 404, 404},
		"auditor@contoso":        {404, 404, 404, 404, 404, 404, 404, 404},
		"policy_author@contoso":  {404, 404, 404, 404, 404, 404, 404, 404},
		"org_user:olga@fabrikam": {404, 404, 404, 404, 404, 404, 404, 404},
		"admin@fabrikam":         {404, 404, 404, 404, 404, 404, 404, 404},
	} {
		ask := func(method, pattern, path string, body any) int {
			t.Helper()
			got := s.send(0, who, method, pattern, path, body)
			if got.status == http.StatusNotFound {
				unknown := s.send(404, who, method, pattern, strings.Replace(path, live.id, uuid.NewString(), 1), body)
				if codeOf(t, got) != codeOf(t, unknown) {
					t.Errorf("%s %s as %s: %s, and of an unknown meeting %s", method, path, who, got.body, unknown.body)
				}
			}
			return got.status
		}
		path := "/v1/meetings/" + live.id
		got := answers{
			get: ask("GET", meetingRoute, path, nil), calendar: ask("GET", meetingRoute+"/calendar.ics", path+"/calendar.ics", nil),
			graph:  ask("GET", "/communications/onlineMeetings/:id", "/communications/onlineMeetings/"+live.id, nil),
			roster: ask("GET", meetingRoute+"/roster", path+"/roster", nil), messages: ask("GET", meetingRoute+"/messages", path+"/messages", nil),
			change: ask("PATCH", meetingRoute, path, object{"title": "y"}), renew: ask("POST", meetingRoute+"/link", path+"/link", nil),
			end: ask("POST", meetingRoute+"/end", path+"/end", nil),
		}
		if got != want {
			t.Errorf("%s gets %+v, want %+v", who, got, want)
		}
	}
	for _, asked := range live.asked {
		if strings.HasPrefix(asked, "end ") && asked != "end contoso by olga" && asked != "end contoso by admin-1" {
			t.Errorf("asked: %s", asked)
		}
	}
}

func TestOnlineMeetingHasNoGuests(t *testing.T) {
	live := &oneMeeting{roster: []RosterEntry{
		{Participant: uuid.New(), DisplayName: "Cleo", UserID: "cleo"}, {Participant: uuid.New(), DisplayName: "Canary Guest", Guest: true, UserID: "canary"},
	}}
	s := start(t, func(_ *Config, d *Deps) { d.Meetings = live })
	s.send(201, "admin@contoso", http.MethodPut, userRoute, "/v1/organizations/contoso/users/ada", object{"name": "Ada"})
	m := read[object](t, s.send(201, "org_user:ada@contoso", http.MethodPost, meetingsRoute, meetingsRoute, object{
		"title": "Review", "invited": []string{"bob"}, "presenters": []string{"bob", "ada"}, "starts_at": "2026-03-04T12:00:00Z",
	}))
	live.id, _ = m["id"].(string)
	const route = "/communications/onlineMeetings/:id"
	got := s.send(200, "org_user:bob@contoso", http.MethodGet, route, "/communications/onlineMeetings/"+live.id, nil)
	user := func(id string, name any, role string) object {
		return object{"role": role, "identity": object{"user": object{"id": id, "displayName": name}}}
	}
	want := object{
		"@odata.context": s.url + "/communications/$metadata#onlineMeetings/$entity", "id": live.id, "subject": "Review", "joinWebUrl": m["join_url"],
		"startDateTime": "2026-03-04T12:00:00Z", "endDateTime": nil,
		"participants": object{"organizer": user("ada", "Ada", "organizer"), "attendees": []any{user("bob", nil, "presenter"), user("cleo", "Cleo", "attendee")}},
	}
	if diff := cmp.Diff(want, read[object](t, got)); diff != "" {
		t.Errorf("meeting (-want +got):\n%s", diff)
	}
	if strings.Contains(strings.ToLower(string(got.body)), "canary") {
		t.Errorf("a guest is in the listing: %s", got.body)
	}
	for who, want := range map[string]struct {
		status int
		code   string
	}{"org_user@fabrikam": {404, "NotFound"}, "": {401, "InvalidAuthenticationToken"}, "operator": {403, "Forbidden"}} {
		got := read[struct {
			Error struct{ Code, Message string }
		}](t, s.send(want.status, who, http.MethodGet, route, "/communications/onlineMeetings/"+live.id, nil))
		if got.Error.Code != want.code || got.Error.Message == "" {
			t.Errorf("%q: %+v", who, got)
		}
	}
}

func TestRule_P2_NoticesSentAndAcknowledgedAreShown(t *testing.T) {
	s := start(t, nil)
	r := s.rows()
	r.call("call-1", 0)
	r.join(1, store.Who{Identity: store.OrgUser, DisplayName: "=Ada"})
	r.join(2, store.Who{Identity: store.Guest, DisplayName: "Canary"})
	at := func(seconds int) string {
		return noon().Add(time.Duration(seconds) * time.Second).Format(time.RFC3339Nano)
	}
	tell := func(person byte, kind string, attributes ...string) {
		all := map[string]string{}
		for i := 0; i < len(attributes); i += 2 {
			all[attributes[i]] = attributes[i+1]
		}
		r.Timeline.Add(r.origin(), r.env, store.Entry{
			Participant: id(person), Kind: store.NoticeEntry, Lane: store.Lane(eventpb.Lane_LANE_CALL), Name: kind, Operation: id(0xA0), Attributes: all,
		})
	}
	tell(2, "recording_started", "sent_at", at(1))
	tell(1, "recording_started", "sent_at", at(0), "acknowledged_at", at(9)) // A second acknowledgement, late.
	tell(1, "recording_started", "sent_at", at(0), "acknowledged_at", at(2))
	tell(1, "recording_started", "sent_at", at(0))
	tell(1, "recording_stopped", "sent_at", at(5))
	r.Timeline.Add(r.origin(), r.env, store.Entry{Participant: id(1), Kind: store.DiagnosticEntry, Name: "noNetwork", Value: "True"})
	r.insert()
	const route = "/v1/calls/:call_id/notices"
	got := read[object](t, s.get(200, route, "", "call-1"))
	line := func(person byte, label, kind string, sent, acknowledged any) object {
		return object{
			"notice_id": idOf(0xA0), "participant_id": idOf(person), "participant_label": label, "kind": kind, "sent_at": sent, "acknowledged_at": acknowledged,
		}
	}
	want := object{"notices": []any{
		line(1, "=Ada", "recording_started", at(0), at(2)), line(2, "Anonymous", "recording_started", at(1), nil), line(1, "=Ada", "recording_stopped", at(5), nil),
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("notices (-want +got):\n%s", diff)
	}
	text := s.send(200, "auditor@contoso", http.MethodGet, route, "/v1/calls/call-1/notices?format=csv", nil)
	wantCSV := "notice_id,participant_id,participant_label,kind,sent_at,acknowledged_at\n" +
		idOf(0xA0) + "," + idOf(1) + ",'=Ada,recording_started," + at(0) + "," + at(2) + "\n" +
		idOf(0xA0) + "," + idOf(2) + ",Anonymous,recording_started," + at(1) + ",\n" +
		idOf(0xA0) + "," + idOf(1) + ",'=Ada,recording_stopped," + at(5) + ",\n"
	if diff := cmp.Diff(wantCSV, string(text.body)); diff != "" || text.header.Get("Content-Type") != "text/csv" {
		t.Errorf("CSV (-want +got):\n%s", diff)
	}
}

func TestCalendar(t *testing.T) {
	start, end := noon(), noon().Add(time.Hour)
	title := `Review; budget, "Q3" \ ` + strings.Repeat("é", 60)
	link := "https://meet.example/join/" + idOf(1) + "#0123456789012345678901"
	text := calendar(meeting{Version: 3, At: start, Value: directory.Meeting{ID: idOf(1), Title: title, StartsAt: &start, EndsAt: &end}}, link, "meet.example")
	var unfolded []string
	for _, line := range strings.Split(strings.TrimSuffix(text, "\r\n"), "\r\n") {
		if len(line) > 75 {
			t.Errorf("a line of %d octets: %s", len(line), line)
		}
		if strings.ContainsAny(line, "\r\n") {
			t.Errorf("a bare line end: %q", line)
		}
		if rest, folded := strings.CutPrefix(line, " "); folded {
			unfolded[len(unfolded)-1] += rest
		} else {
			unfolded = append(unfolded, line)
		}
	}
	want := []string{
		"BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Anteroom//Meetings//EN", "CALSCALE:GREGORIAN", "METHOD:PUBLISH", "BEGIN:VEVENT",
		"UID:" + idOf(1) + "@meet.example", "DTSTAMP:20260304T120000Z", "SEQUENCE:2", "DTSTART:20260304T120000Z", "DTEND:20260304T130000Z",
		`SUMMARY:Review\; budget\, "Q3" \\ ` + strings.Repeat("é", 60), "LOCATION:" + link, "URL:" + link,
		"DESCRIPTION:Join the meeting: " + link + `\nNo account is needed.`, "STATUS:CONFIRMED", "END:VEVENT", "END:VCALENDAR",
	}
	if diff := cmp.Diff(want, unfolded); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestRule_J1_TheLinkIsInTheAPIAndInTheCalendarEntry(t *testing.T) {
	s := start(t, nil)
	m := read[object](t, s.send(201, "org_user:ada@contoso", http.MethodPost, meetingsRoute, meetingsRoute, object{"title": "Stand-up", "invited": []string{"bob"}}))
	link, _ := m["join_url"].(string)
	path := "/v1/meetings/" + m["id"].(string) + "/calendar.ics"
	got := s.send(200, "org_user:bob@contoso", http.MethodGet, meetingRoute+"/calendar.ics", path, nil)
	if !strings.Contains(strings.ReplaceAll(string(got.body), "\r\n ", ""), "\r\nURL:"+link+"\r\n") || got.header.Get("Content-Type") != "text/calendar" {
		t.Errorf("no link %s in %s", link, got.body)
	}
	s.send(404, "org_user@fabrikam", http.MethodGet, meetingRoute+"/calendar.ics", path, nil)
	s.send(401, "guest", http.MethodGet, meetingRoute+"/calendar.ics", path, nil)
}
