package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/store"
)

// oneRecording stands for a folder with one recording of contoso's: the api room can't import media. cmd/anteroom tests the real one.
type oneRecording struct {
	call  uuid.UUID
	about Recording
	files map[string]string
}

func (r *oneRecording) List(org string, call uuid.UUID) ([]Recording, error) {
	if org != "contoso" || call != r.call {
		return nil, nil
	}
	return []Recording{r.about}, nil
}

type openFile struct{ *bytes.Reader }

func (openFile) Close() error { return nil }

func (r *oneRecording) Open(org string, call, recording uuid.UUID, file string) (io.ReadSeekCloser, error) {
	content, ok := r.files[file]
	if org != "contoso" || call != r.call || recording != r.about.ID || !ok {
		return nil, ErrNoRecording
	}
	return openFile{bytes.NewReader([]byte(content))}, nil
}

const (
	recordingsRoute = "/v1/calls/:call_id/recordings"
	fileRoute       = recordingsRoute + "/:recording_id/files/:file"
)

func newRecording() *oneRecording {
	sum := func(text string) string { s := sha256.Sum256([]byte(text)); return hex.EncodeToString(s[:]) }
	out := &oneRecording{call: uuid.UUID(id(0xC0)), files: map[string]string{"a.webm": "0123456789", "a.jsonl": "{}\n", "secret.webm": "of another"}}
	out.about = Recording{
		ID: uuid.UUID(id(0xD0)), Region: "emea", State: "finished", StartedAt: noon(), Duration: 5 * time.Second,
		Tracks: []RecordedTrack{{
			UnrecordedTrack: UnrecordedTrack{uuid.UUID(id(0xE0)), uuid.UUID(id(1)), "audio", "opus"}, Channels: 2, StartedAt: noon().Add(time.Second),
			Start: time.Second, Duration: 4 * time.Second, File: "a.webm", ContentType: "audio/webm", SHA256: sum("0123456789"), Bytes: 10,
			Timing: "a.jsonl", TimingSHA256: sum("{}\n"),
		}, {File: "gone.webm", ContentType: "video/webm"}},
		LeftOut: []UnrecordedTrack{{uuid.UUID(id(0xE1)), uuid.UUID(id(2)), "video", "video/H265"}},
	}
	return out
}

func TestRecordings(t *testing.T) {
	rec := newRecording()
	s := start(t, func(_ *Config, d *Deps) { d.Recordings = rec })
	meeting := uuid.NewString()
	if _, err := s.people.rows.Meetings.Put(t.Context(), directory.Meeting{ID: meeting, Org: "contoso", Title: "x", Organizer: "olga"}, 0, "test"); err != nil {
		t.Fatal(err)
	}
	r := s.rows()
	r.startedCall(rec.call.String(), meeting)
	r.join(1, store.Who{Identity: store.OrgUser})
	r.startedCall("call-of-another-system", "")
	r.startedCall(idOf(0xC1), uuid.NewString())
	r.insert()
	list := "/v1/calls/" + rec.call.String() + "/recordings"
	got := read[struct{ Recordings []object }](t, s.send(200, "auditor@contoso", http.MethodGet, recordingsRoute, list, nil))
	track := object{
		"track_id": idOf(0xE0), "participant_id": idOf(1), "kind": "audio", "codec": "opus", "channels": 2.0, "width": nil, "height": nil,
		"started_at": "2026-03-04T12:00:01Z", "start_ms": 1000.0, "duration_ms": 4000.0, "lost_packets": 0.0, "skipped_frames": 0.0, "file": "a.webm",
		"content_type": "audio/webm", "bytes": 10.0, "sha256": rec.about.Tracks[0].SHA256, "timing": "a.jsonl", "timing_sha256": rec.about.Tracks[0].TimingSHA256,
	}
	if diff := cmp.Diff(track, got.Recordings[0]["tracks"].([]any)[0]); diff != "" {
		t.Errorf("track (-want +got):\n%s", diff)
	}
	file := list + "/" + rec.about.ID.String() + "/files/a.webm"
	for _, test := range []struct {
		status    int
		who, path string
		code      string
	}{
		{200, "admin@contoso", list, ""},
		{200, "org_user:olga@contoso", list, ""},
		{200, "org_user:olga@contoso", file, ""},
		{403, "org_user:bob@contoso", list, "not_organizer"},
		{403, "support@contoso", file, "not_organizer"}, // Support is an org user besides.
		{404, "org_user:olga@fabrikam", file, "call_not_found"},
		{404, "admin@fabrikam", list, "call_not_found"},
		{404, "admin@fabrikam", file, "call_not_found"},
		{403, "admin@fabrikam", file + "?org=contoso", "other_organization"},
		{403, "operator", file, "forbidden"},
		{401, "guest", file, "token_issuer_unknown"},
		{401, "", file, "token_missing"},
		{200, "admin@contoso", "/v1/calls/call-of-another-system/recordings", ""},
		{200, "admin@contoso", "/v1/calls/" + idOf(0xC1) + "/recordings", ""},
		{403, "org_user:olga@contoso", "/v1/calls/" + idOf(0xC1) + "/recordings", "not_organizer"},
		{404, "admin@contoso", "/v1/calls/" + uuid.NewString() + "/recordings", "call_not_found"},
		{404, "admin@contoso", strings.Replace(file, rec.about.ID.String(), uuid.NewString(), 1), "recording_not_found"},
		{404, "admin@contoso", strings.Replace(file, "a.webm", "secret.webm", 1), "recording_not_found"},
		{404, "admin@contoso", strings.Replace(file, "a.webm", "gone.webm", 1), "recording_not_found"},
		{400, "admin@contoso", strings.Replace(file, "a.webm", "..%2f..%2fa.webm", 1), "invalid_parameter"},
		{400, "admin@contoso", strings.Replace(file, "a.webm", "%2e%2e", 1), "invalid_parameter"},
		{400, "admin@contoso", strings.Replace(file, "a.webm", "a.webm%00", 1), "invalid_parameter"},
		{400, "admin@contoso", strings.Replace(file, "a.webm", "manifest.json", 1), "invalid_parameter"},
	} {
		pattern := recordingsRoute
		if strings.Contains(test.path, "/files/") {
			pattern = fileRoute
		}
		a := s.send(test.status, test.who, http.MethodGet, pattern, test.path, nil)
		if test.code == "" {
			continue
		}
		if code, _ := s.problem(a); code != test.code {
			t.Errorf("%s as %q: %s, want %s", test.path, test.who, code, test.code)
		}
	}
	none := start(t, nil)
	if code, _ := none.problem(none.send(503, "admin@contoso", http.MethodGet, recordingsRoute, list, nil)); code != "recordings_unavailable" {
		t.Errorf("without recordings: %s", code)
	}
}

// While the call runs, nobody but who organised its meeting is told of guests' tracks, nor gets them; when it has ended, admins and auditors are and do.
func TestRule_D3_RecordedTracksOfGuestsWaitForTheEnd(t *testing.T) {
	rec := newRecording()
	guest := rec.about.Tracks[0]
	guest.Participant, guest.File, guest.Timing = uuid.UUID(id(2)), "guest.webm", "guest.jsonl"
	rec.about.Tracks = append(rec.about.Tracks, guest)
	rec.files["guest.webm"] = "0123456789"
	rec.about.StartedAt = time.Now()
	s := start(t, func(_ *Config, d *Deps) { d.Recordings = rec })
	meeting := uuid.NewString()
	if _, err := s.people.rows.Meetings.Put(t.Context(), directory.Meeting{ID: meeting, Org: "contoso", Title: "x", Organizer: "olga"}, 0, "test"); err != nil {
		t.Fatal(err)
	}
	list := "/v1/calls/" + rec.call.String() + "/recordings"
	file := list + "/" + rec.about.ID.String() + "/files/guest.webm"
	told := func(status int, whole bool, who ...string) {
		t.Helper()
		for _, who := range who {
			text := string(s.send(200, who, http.MethodGet, recordingsRoute, list, nil).body)
			// Of the track that isn't in a file, and of the one that is.
			if has := strings.Count(text, idOf(2)); (has == 2) != whole || (has == 0) == whole {
				t.Errorf("%s gets %s", who, text)
			}
			s.send(status, who, http.MethodGet, fileRoute, file, nil)
		}
	}
	told(404, false, "admin@contoso", "auditor@contoso") // It isn't known yet that there is such a call.
	r := s.rows()
	r.startedCall(rec.call.String(), meeting)
	r.join(1, store.Who{Identity: store.OrgUser})
	r.join(2, store.Who{Identity: store.Guest})
	r.insert()
	told(404, false, "admin@contoso", "auditor@contoso")
	if text := string(s.send(200, "admin@contoso", http.MethodGet, recordingsRoute, list, nil).body); !strings.Contains(text, idOf(1)) {
		t.Errorf("the org user's track is not there either: %s", text)
	}
	told(200, true, "org_user:olga@contoso")
	r.Calls.AddEnded(r.origin(), r.env, &eventpb.CallEnded{EndedAtUs: noon().Add(time.Minute).UnixMicro()})
	r.insert()
	told(200, true, "admin@contoso", "auditor@contoso", "org_user:olga@contoso")
}

// startedCall adds a call of a meeting.
func (r *rows) startedCall(call, meeting string) {
	r.env.CallID = call
	r.Calls.AddStarted(r.origin(), r.env, &eventpb.CallStarted{StartedAtUs: noon().UnixMicro(), Kind: eventpb.CallKind_CALL_KIND_MEETING, MeetingId: meeting})
	r.join(1, store.Who{Identity: store.OrgUser})
}

func TestFilesOfRecordingsInRanges(t *testing.T) {
	rec := newRecording()
	s := start(t, func(_ *Config, d *Deps) { d.Recordings = rec })
	base := "/v1/calls/" + rec.call.String() + "/recordings/" + rec.about.ID.String() + "/files/"
	ask := func(status int, file string, header ...string) answer {
		t.Helper()
		return s.send(status, "admin@contoso", http.MethodGet, fileRoute, base+file, nil, header...)
	}
	tag := `"` + rec.about.Tracks[0].SHA256 + `"`
	whole := ask(200, "a.webm")
	want := map[string]string{
		"Content-Type": "audio/webm", "Content-Disposition": `attachment; filename="a.webm"`, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		"Etag": tag, "Accept-Ranges": "bytes", "Content-Length": "10", "Cross-Origin-Resource-Policy": "same-origin",
	}
	for name, value := range want {
		if whole.header.Get(name) != value {
			t.Errorf("%s: %q, want %q", name, whole.header.Get(name), value)
		}
	}
	if string(whole.body) != "0123456789" {
		t.Errorf("content %q", whole.body)
	}
	for _, test := range []struct {
		ranged, ifRange string
		status          int
		body, told      string
	}{
		{"bytes=2-4", "", 206, "234", "bytes 2-4/10"},
		{"bytes=-3", "", 206, "789", "bytes 7-9/10"},
		{"bytes=7-", tag, 206, "789", "bytes 7-9/10"},
		{"bytes=7-", `"another"`, 200, "0123456789", ""},
	} {
		header := []string{"Range", test.ranged}
		if test.ifRange != "" {
			header = append(header, "If-Range", test.ifRange)
		}
		a := ask(test.status, "a.webm", header...)
		if string(a.body) != test.body || a.header.Get("Content-Range") != test.told {
			t.Errorf("%s: %q %s", test.ranged, a.body, a.header.Get("Content-Range"))
		}
	}
	beyond := ask(416, "a.webm", "Range", "bytes=10-")
	if code, _ := s.problem(beyond); code != "range_not_satisfiable" || beyond.header.Get("Content-Range") != "bytes */10" || beyond.header.Get("Cache-Control") != "no-store" {
		t.Errorf("beyond the end: %s %v", code, beyond.header)
	}
	if timing := ask(200, "a.jsonl"); timing.header.Get("Content-Type") != "application/x-ndjson" || string(timing.body) != "{}\n" {
		t.Errorf("timing: %v %q", timing.header, timing.body)
	}
	if parts := ask(206, "a.webm", "Range", "bytes=0-1,4-5"); !strings.HasPrefix(parts.header.Get("Content-Type"), "multipart/byteranges; ") {
		t.Errorf("two ranges: %v", parts.header)
	}
	if log := s.log.String(); strings.Contains(log, rec.call.String()) || strings.Contains(log, "a.webm") {
		t.Error("the log has ids of what was downloaded")
	}
}
