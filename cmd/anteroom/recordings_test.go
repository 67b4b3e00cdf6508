package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/media/protocol"
)

type listedTrack struct {
	TrackID       string    `json:"track_id"`
	ParticipantID string    `json:"participant_id"`
	Kind          string    `json:"kind"`
	Codec         string    `json:"codec"`
	StartedAt     time.Time `json:"started_at"`
	DurationMs    int64     `json:"duration_ms"`
	File          string    `json:"file"`
	ContentType   string    `json:"content_type"`
	Bytes         int64     `json:"bytes"`
	SHA256        string    `json:"sha256"`
	Timing        string    `json:"timing"`
	TimingSHA256  string    `json:"timing_sha256"`
}

type listedRecordings struct {
	Recordings []struct {
		RecordingID string        `json:"recording_id"`
		State       string        `json:"state"`
		Dropped     int           `json:"dropped_packets"`
		Tracks      []listedTrack `json:"tracks"`
	} `json:"recordings"`
}

// twoActors are the organiser and an admitted guest, each of whom plays a film that the other gets.
func twoActors(t *testing.T, h *house) (m *room, host, guest *actor) {
	t.Helper()
	m = h.meeting(nil)
	app := h.application(nil)
	hostSound, hostPicture := newFilm(t, 1)
	guestSound, guestPicture := newFilm(t, 2)
	olga := h.rig.dialWith(t, organizer, watches(guestSound, guestPicture))
	_, err := olga.Join(olga.soon(), m.userJoin(organizer))
	olga.do(err)
	gus := h.rig.dialWith(t, "Gus", watches(hostSound, hostPicture))
	_, err = gus.Join(gus.soon(), m.guestJoin(app, "Gus"))
	gus.do(err)
	olga.do(olga.Admit(olga.soon(), gus.id()))
	gus.awaitState(protocol.StateAdmitted)
	return m, olga.play(hostSound, hostPicture), gus.play(guestSound, guestPicture)
}

// What is recorded can be listed, downloaded and played, and has nothing in it from before anybody was told (rule P1).
func TestRule_P1_FilesBeginAfterTheNotice(t *testing.T) {
	needs(t, "ffmpeg", "ffprobe")
	t.Parallel()
	h := newHouse(t, usualRig.get(t), nil)
	m, host, guest := twoActors(t, h)
	before := map[*reel]int{}
	for _, a := range []*actor{host, guest} {
		for _, r := range a.tracks {
			before[r] = r.awaitArrived(t, 15)
		}
	}
	host.do(host.StartRecording(host.soon()))
	await(guest.person, protocol.TypeNotice, ofKind("recording_started"))
	for _, a := range []*actor{host, guest} {
		a.sound.awaitArrived(t, before[a.sound]+150)
		a.picture.awaitArrived(t, before[a.picture]+45)
	}
	call := host.Joined().CallID
	list := "/v1/calls/" + call + "/recordings"
	var running listedRecordings
	h.rig.must(t, http.StatusOK, h.admin, http.MethodGet, list, nil).read(t, &running)
	if len(running.Recordings) != 1 || running.Recordings[0].State != "recording" || len(running.Recordings[0].Tracks) != 0 {
		t.Errorf("while it runs: %+v", running)
	}
	host.do(host.StopRecording(host.soon()))
	await(guest.person, protocol.TypeNotice, ofKind("recording_stopped"))
	m.endCall(host.person)
	notices := rows(h, call, "/notices", func(n shownNotices) bool { return !n.sent(guest.id(), "recording_stopped").IsZero() })

	// The organiser too, once analytics know whose call it was: here they do, since they have its notices.
	got := rows(h, call, "/recordings", func(l listedRecordings) bool { return len(l.Recordings) == 1 && l.Recordings[0].State == "finished" })
	var organizers listedRecordings
	h.rig.must(t, http.StatusOK, h.token(organizer, "org_user"), http.MethodGet, list, nil).read(t, &organizers)
	if diff := cmp.Diff(got, organizers); diff != "" {
		t.Errorf("the organiser sees another list (-admin +organiser):\n%s", diff)
	}
	recording := got.Recordings[0]
	if len(recording.Tracks) != 4 || recording.Dropped != 0 {
		t.Fatalf("recorded %+v", recording)
	}
	for _, track := range recording.Tracks {
		who := map[string]*actor{host.id(): host, guest.id(): guest}[track.ParticipantID]
		if who == nil || who.tracks[track.TrackID] == nil {
			t.Fatalf("whose track is %+v?", track)
		}
		if told := notices.sent(who.id(), "recording_started"); told.IsZero() || !track.StartedAt.After(told) {
			t.Errorf("%s was told at %v, and its %s is recorded from %v on", who.name, told, track.Kind, track.StartedAt)
		}
		path := h.download(list+"/"+recording.RecordingID+"/files/", track)
		checkFile(t, path, track, who.tracks[track.TrackID], before[who.tracks[track.TrackID]])
	}
	h.wantNoDownload(list, list+"/"+recording.RecordingID+"/files/"+recording.Tracks[0].File)
}

// download fetches the track's files, holds them against the list, and returns the path of the media.
func (h *house) download(folder string, track listedTrack) string {
	h.t.Helper()
	whole := h.rig.must(h.t, http.StatusOK, h.admin, http.MethodGet, folder+track.File, nil)
	if int64(len(whole.body)) != track.Bytes || sumOf(whole.body) != track.SHA256 || whole.header.Get("Content-Type") != track.ContentType {
		h.t.Errorf("%s is not what was listed: %d bytes, %v", track.File, len(whole.body), whole.header)
	}
	part := h.rig.must(h.t, http.StatusPartialContent, h.admin, http.MethodGet, folder+track.File, nil, "Range", "bytes=4-99")
	if !bytes.Equal(part.body, whole.body[4:100]) {
		h.t.Errorf("%s: a range is another part", track.File)
	}
	timing := h.rig.must(h.t, http.StatusOK, h.admin, http.MethodGet, folder+track.Timing, nil)
	if sumOf(timing.body) != track.TimingSHA256 {
		h.t.Errorf("%s is not what was listed", track.Timing)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(timing.body)), "\n") {
		if !json.Valid([]byte(line)) {
			h.t.Errorf("%s has the line %q", track.Timing, line)
		}
	}
	path := filepath.Join(h.t.TempDir(), track.File)
	if err := os.WriteFile(path, whole.body, 0o600); err != nil {
		h.t.Fatal(err)
	}
	return path
}

func sumOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// checkFile has others' software read the file: its codec, its length, and that its frames are the film's, in order, from after a frame on.
func checkFile(t *testing.T, path string, track listedTrack, film *reel, after int) {
	t.Helper()
	raw, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-count_frames", "-show_streams", "-show_format", "-of", "json", path).Output()
	if err != nil {
		t.Fatalf("ffprobe %s: %v", track.Kind, err)
	}
	var probed struct {
		Streams []struct {
			Codec  string `json:"codec_name"`
			Width  int    `json:"width"`
			Frames string `json:"nb_read_frames"`
		} `json:"streams"`
		Format struct {
			Duration string `json:"duration"`
		} `json:"format"`
	}
	if err := json.Unmarshal(raw, &probed); err != nil || len(probed.Streams) != 1 {
		t.Fatalf("ffprobe: %v %s", err, raw)
	}
	copied, read, wantCodec, wantWidth := "c.ogg", readOgg, "opus", 0
	args := []string{"-i", path, "-c", "copy", "-page_duration", "20000"}
	if track.Kind == "video" {
		copied, read, wantCodec, wantWidth, args = "c.ivf", readIVF, "vp8", 160, args[:4]
	}
	if probed.Streams[0].Codec != wantCodec || probed.Streams[0].Width != wantWidth || !strings.EqualFold(track.Codec, wantCodec) {
		t.Errorf("%s: ffprobe reads %s", track.Kind, raw)
	}
	seconds, err := strconv.ParseFloat(probed.Format.Duration, 64)
	if off := seconds*1000 - float64(track.DurationMs); err != nil || off < -100 || off > 100 || seconds < 2 {
		t.Errorf("%s: ffprobe reads %v s, the list has %d ms", track.Kind, seconds, track.DurationMs)
	}
	frames, at, silent := read(t, ffmpeg(t, copied, args...)), after, 0
	for i, frame := range frames {
		place, ok := film.index[sha256.Sum256(frame)]
		if !ok && track.Kind == "audio" && len(frame) == 3 {
			silent++ // Put in where a packet came late or never.
			continue
		}
		if !ok || place <= at {
			t.Fatalf("%s: frame %d of the file is the film's %d (known: %v); wanted one after %d, the recording was asked for after %d", track.Kind, i, place, ok, at, after)
		}
		at = place
	}
	if decoded, err := strconv.Atoi(probed.Streams[0].Frames); err != nil || decoded < len(frames)-1 || len(frames) < 30 || silent > len(frames)/4 {
		t.Errorf("%s: %d frames, %d decoded, %d silent", track.Kind, len(frames), decoded, silent)
	}
	t.Logf("%s: %d frames from the film's %d to %d, asked for after %d; %.2f s, list %d ms", track.Kind, len(frames), at-len(frames)+1, at, after, seconds, track.DurationMs)
}

// wantNoDownload asks for the list and a file as those who may have neither.
func (h *house) wantNoDownload(list, file string) {
	h.t.Helper()
	h.user("bob", nil)
	other := newHouse(h.t, h.rig, nil)
	for _, ask := range []struct {
		who, token string
		status     int
		code       string
	}{
		{"another user", h.token("bob", "org_user"), http.StatusForbidden, "not_organizer"},
		{"support", h.token("sue", "support"), http.StatusForbidden, "not_organizer"},
		{"another organisation's admin", other.admin, http.StatusNotFound, "call_not_found"},
		{"a guest", h.application(nil).token("g", nil), http.StatusUnauthorized, "token_issuer_unknown"},
		{"nobody", "", http.StatusUnauthorized, "token_missing"},
	} {
		for _, path := range []string{list, file} {
			got := h.rig.ask(h.t, ask.token, http.MethodGet, path, nil)
			if got.status != ask.status || got.code() != ask.code {
				h.t.Errorf("%s: %s: %d %s, want %d %s", ask.who, path, got.status, got.code(), ask.status, ask.code)
			}
		}
	}
}
