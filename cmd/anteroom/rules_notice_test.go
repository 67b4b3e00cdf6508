package main

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/rtp"

	mediaclient "github.com/anteroom/anteroom/media/client"
	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/media/record"
	"github.com/anteroom/anteroom/policy"
)

// shownNotice is one line of the proof of notice.
type shownNotice struct {
	NoticeID       string     `json:"notice_id"`
	Participant    string     `json:"participant_id"`
	Label          string     `json:"participant_label"`
	Kind           string     `json:"kind"`
	SentAt         *time.Time `json:"sent_at"`
	AcknowledgedAt *time.Time `json:"acknowledged_at"`
}

type shownNotices struct {
	Notices []shownNotice `json:"notices"`
}

// sent is when a participant was sent a kind of notice; the zero time: never.
func (n shownNotices) sent(participant, kind string) time.Time {
	for _, one := range n.Notices {
		if one.Participant == participant && one.Kind == kind && one.SentAt != nil {
			return *one.SentAt
		}
	}
	return time.Time{}
}

// manifest is that of the call's one recording.
func (r *rig) manifest(t *testing.T, call string) record.Manifest {
	t.Helper()
	var found []string
	for path := range folder(t, filepath.Join(r.data, "recordings")) {
		if strings.Contains(path, call) && filepath.Base(path) == "manifest.json" {
			found = append(found, path)
		}
	}
	if len(found) != 1 {
		t.Fatalf("the call has %d recordings: %q", len(found), found)
	}
	raw, err := os.ReadFile(filepath.Join(r.data, "recordings", found[0]))
	if err != nil {
		t.Fatal(err)
	}
	var m record.Manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// ofKind matches notices.
func ofKind(kind string) func(protocol.Notice) bool {
	return func(n protocol.Notice) bool { return n.Kind == kind }
}

func kindsOf(notices []protocol.Notice) []string {
	kinds := []string{}
	for _, n := range notices {
		kinds = append(kinds, n.Kind)
	}
	slices.Sort(kinds)
	return kinds
}

// Everybody is told at once, who joins later in the reply, who waits on admission; and nobody's media is taken from before that.
func TestRule_P1_NobodyIsTakenBeforeBeingTold(t *testing.T) {
	t.Parallel()
	h := newHouse(t, usualRig.get(t), nil)
	m, app := h.meeting(nil), h.application(nil)
	host := m.user("olga")
	early := m.admitted(host, app, "early")
	for _, p := range []*person{host, early} {
		if got := kindsOf(p.Joined().Notices); len(got) != 0 {
			t.Errorf("%s is told of %q before anything is taken", p.name, got)
		}
	}
	pub := early.publish(mediaclient.Source{Kind: mediaclient.Audio}, mediaclient.Source{Kind: mediaclient.Video})[0]
	host.publish(mediaclient.Source{Kind: mediaclient.Audio})
	host.awaitMorePackets(early, mediaclient.Audio, 50)
	early.awaitMedia(host, mediaclient.Audio)
	waiting := m.guest(app, "waiting")

	wantReason(t, "a guest starts recording", early.StartRecording(early.soon()), string(policy.GuestNotAllowed))
	before, _ := pub.Sent()
	host.do(host.StartRecording(host.soon()))
	host.do(host.StartTranscription(host.soon()))
	both := []string{"recording_started", "transcription_started"}
	for _, p := range []*person{host, early} {
		for _, kind := range both {
			await(p, protocol.TypeNotice, ofKind(kind))
		}
	}
	if got := waiting.Joined().Notices; len(got) != 0 {
		t.Errorf("who waits is told of %+v", got)
	}
	if n := count[protocol.Notice](waiting, protocol.TypeNotice, nil); n != 0 {
		t.Errorf("who waits got %d notices", n)
	}
	host.do(host.Admit(host.soon(), waiting.id()))
	if diff := cmp.Diff(both, kindsOf(waiting.awaitState(protocol.StateAdmitted).Notices)); diff != "" {
		t.Errorf("with the admission (-want +got):\n%s", diff)
	}
	m.change(fields{"lobby_bypass": "everyone"})
	var firstPacket atomic.Int64
	late := h.rig.dialWith(t, "late", mediaclient.Options{OnPacket: func(string, *rtp.Packet) { firstPacket.CompareAndSwap(0, time.Now().UnixMicro()) }})
	eventually(t, "the bypass holds", func() (bool, string) {
		probe := m.guest(app, "probe")
		defer probe.Close()
		return probe.Joined().State == protocol.StateAdmitted, probe.Joined().State
	})
	joined, err := late.Join(late.soon(), m.guestJoin(app, "late"))
	late.do(err)
	if diff := cmp.Diff(both, kindsOf(joined.Notices)); diff != "" {
		t.Errorf("in the reply to a late join (-want +got):\n%s", diff)
	}
	everybody := []*person{host, early, waiting, late}
	for _, p := range everybody[2:] {
		p.publish(mediaclient.Source{Kind: mediaclient.Audio})
		host.awaitMorePackets(p, mediaclient.Audio, 50)
	}
	late.awaitMedia(early, mediaclient.Audio)
	eventually(t, "the transcription hears all", func() (bool, string) {
		for _, p := range everybody {
			if first, _ := h.rig.sink.heard(p.id()); first.IsZero() {
				return false, p.name
			}
		}
		return true, ""
	})
	host.do(host.StopRecording(host.soon()))
	host.do(host.StopTranscription(host.soon()))
	for _, p := range everybody {
		await(p, protocol.TypeNotice, ofKind("recording_stopped"))
		await(p, protocol.TypeNotice, ofKind("transcription_stopped"))
	}
	after, _ := pub.Sent()
	call := m.endCall(host)

	notices := rows(h, call, "/notices", func(n shownNotices) bool {
		return !slices.ContainsFunc(everybody, func(p *person) bool { return n.sent(p.id(), "transcription_stopped").IsZero() })
	})
	recorded := h.rig.manifest(t, call)
	for _, p := range everybody {
		told := notices.sent(p.id(), "recording_started")
		n := 0
		for _, track := range recorded.Tracks {
			if track.ParticipantID.String() != p.id() {
				continue
			}
			n++
			if told.IsZero() || !track.StartedAt.After(told) {
				t.Errorf("%s was told at %v, and recorded from %v on", p.name, told, track.StartedAt)
			}
			// The frames in the file are 20 ms each: no more than were sent from the request on.
			if frames := track.DurationMs / 20; track.TrackID.String() == pub.TrackID() && frames > int64(after-before)+1 {
				t.Errorf("%s: %d frames in the recording, %d were sent while it ran", p.name, frames, after-before)
			}
		}
		if n == 0 {
			t.Errorf("%s is not in the recording", p.name)
		}
		told = notices.sent(p.id(), "transcription_started")
		if first, _ := h.rig.sink.heard(p.id()); told.IsZero() || !first.After(told) {
			t.Errorf("%s was told of the transcription at %v, and heard at %v", p.name, told, first)
		}
	}
	if told := notices.sent(late.id(), "recording_started"); firstPacket.Load() <= told.UnixMicro() {
		t.Errorf("the late one got media at %d, and was told at %d", firstPacket.Load(), told.UnixMicro())
	}
}

// Where the organisation asks for consent, a guest's media waits for it, and an org user's doesn't.
func TestRule_P1_ConsentIsAskedWhereTheOrganizationWantsIt(t *testing.T) {
	t.Parallel()
	h := newHouse(t, usualRig.get(t), fields{"settings": fields{"require_consent": true}})
	m, app := h.meeting(nil), h.application(nil)
	host := m.user("olga")
	guest := m.admitted(host, app, "Gus")
	guest.publish(mediaclient.Source{Kind: mediaclient.Audio})
	host.publish(mediaclient.Source{Kind: mediaclient.Audio})
	host.awaitMedia(guest, mediaclient.Audio)
	guest.awaitMedia(host, mediaclient.Audio)

	host.do(host.StartRecording(host.soon()))
	if got := await(host, protocol.TypeNotice, ofKind("recording_started")); got.ConsentRequired {
		t.Error("consent is asked of a user of the organisation")
	}
	notice := await(guest, protocol.TypeNotice, ofKind("recording_started"))
	if !notice.ConsentRequired {
		t.Error("consent is not asked of the guest")
	}
	await(guest, protocol.TypeTrackStopped, func(s protocol.TrackStopped) bool { return s.Reason == string(policy.ConsentRequired) })
	_, err := guest.Publish(guest.soon(), mediaclient.Source{Kind: mediaclient.Video})
	wantReason(t, "a guest publishes without consent", err, string(policy.ConsentRequired))
	host.publish(mediaclient.Source{Kind: mediaclient.Video})

	guest.do(guest.Consent(guest.soon(), notice.NoticeID, true))
	await(guest, protocol.TypeCapabilitiesChanged, func(c protocol.CapabilitiesChanged) bool { return c.Capabilities["unmuteMic"].Allowed })
	guest.publish(mediaclient.Source{Kind: mediaclient.Video})
	host.awaitMedia(guest, mediaclient.Video)
	host.do(host.StopRecording(host.soon()))
	call := m.endCall(host)
	notices := rows(h, call, "/notices", func(n shownNotices) bool {
		return slices.ContainsFunc(n.Notices, func(one shownNotice) bool { return one.Participant == guest.id() && one.AcknowledgedAt != nil })
	})
	consented := time.Time{}
	for _, n := range notices.Notices {
		if n.Participant == guest.id() && n.Kind == "recording_started" {
			consented = *n.AcknowledgedAt
		}
	}
	n := 0
	for _, track := range h.rig.manifest(t, call).Tracks {
		if track.ParticipantID.String() == guest.id() {
			n++
			if !track.StartedAt.After(consented) {
				t.Errorf("the guest consented at %v, and is recorded from %v on", consented, track.StartedAt)
			}
		}
	}
	if n == 0 {
		t.Error("the guest is not in the recording, though it consented")
	}
}

// For each participant: when it was told and when its client showed it, as JSON and as CSV.
func TestRule_P2_ProofOfNotice(t *testing.T) {
	t.Parallel()
	h := newHouse(t, usualRig.get(t), nil)
	m, app := h.meeting(nil), h.application(nil)
	host := m.user("olga")
	shows, silent := m.admitted(host, app, "shows it"), m.admitted(host, app, "says nothing")
	host.do(host.StartRecording(host.soon()))
	for _, p := range []*person{host, shows} {
		n := await(p, protocol.TypeNotice, ofKind("recording_started"))
		p.do(p.NoticeAck(p.soon(), n.NoticeID))
	}
	silent.do(silent.Ping(silent.soon()))
	notice := await(silent, protocol.TypeNotice, ofKind("recording_started"))
	wantReason(t, "acknowledge what was never sent", silent.NoticeAck(silent.soon(), host.id()), protocol.ReasonNotFound)
	call := m.endCall(host)

	got := rows(h, call, "/notices", func(n shownNotices) bool {
		acknowledged := 0
		for _, one := range n.Notices {
			if one.AcknowledgedAt != nil {
				acknowledged++
			}
		}
		return len(n.Notices) >= 3 && acknowledged >= 2
	})
	labels := map[string]string{host.id(): "olga", shows.id(): "Anonymous", silent.id(): "Anonymous"}
	if len(got.Notices) != len(labels) {
		t.Errorf("%d lines: %+v", len(got.Notices), got.Notices)
	}
	var want [][]string
	for _, n := range got.Notices {
		if n.NoticeID != notice.NoticeID || n.Kind != "recording_started" || n.Label != labels[n.Participant] || n.SentAt == nil {
			t.Errorf("%+v", n)
			continue
		}
		acknowledged := ""
		switch {
		case n.Participant == silent.id():
			if n.AcknowledgedAt != nil {
				t.Errorf("who said nothing is said to have shown it: %+v", n)
			}
		case n.AcknowledgedAt == nil || n.AcknowledgedAt.Before(*n.SentAt):
			t.Errorf("sent at %v, acknowledged at %v", n.SentAt, n.AcknowledgedAt)
		default:
			acknowledged = n.AcknowledgedAt.Format(time.RFC3339Nano)
		}
		want = append(want, []string{n.NoticeID, n.Participant, n.Label, n.Kind, n.SentAt.Format(time.RFC3339Nano), acknowledged})
	}
	export := h.rig.must(t, http.StatusOK, h.admin, http.MethodGet, "/v1/calls/"+call+"/notices?format=csv", nil)
	lines, err := csv.NewReader(strings.NewReader(string(export.body))).ReadAll()
	if err != nil || len(lines) == 0 {
		t.Fatalf("%v: %s", err, export.body)
	}
	if diff := cmp.Diff(want, lines[1:]); diff != "" {
		t.Errorf("CSV against JSON (-json +csv):\n%s", diff)
	}
	if got := h.rig.ask(t, h.token("olga", "org_user"), http.MethodGet, "/v1/calls/"+call+"/notices", nil); got.status != http.StatusForbidden {
		t.Errorf("somebody without a role for it: %d", got.status)
	}
}

// The page shows what the service says that holds: it is said again to whoever comes back, for as long as it holds and no longer. That the page
// shows it in plain sight and to screen readers is in web/test/call.test.mjs.
func TestRule_P3_ANoticeIsSaidForAsLongAsItHolds(t *testing.T) {
	t.Parallel()
	h := newHouse(t, usualRig.get(t), nil)
	m, app := h.meeting(nil), h.application(nil)
	host := m.user("olga")
	guest := m.admitted(host, app, "Gus")
	back := func() []protocol.Notice {
		t.Helper()
		guest.Drop()
		joined, err := guest.Reconnect(guest.soon())
		guest.do(err)
		return joined.Notices
	}
	if got := back(); len(got) != 0 {
		t.Errorf("before: %+v", got)
	}
	host.do(host.StartRecording(host.soon()))
	told := await(guest, protocol.TypeNotice, ofKind("recording_started"))
	if _, err := time.Parse(time.RFC3339, told.Since); err != nil || told.NoticeID == "" {
		t.Errorf("nothing to show: %+v", told)
	}
	if diff := cmp.Diff([]protocol.Notice{told}, back()); diff != "" {
		t.Errorf("while it holds (-told +again):\n%s", diff)
	}
	host.do(host.StopRecording(host.soon()))
	await(guest, protocol.TypeNotice, ofKind("recording_stopped"))
	if got := back(); len(got) != 0 {
		t.Errorf("when it is over: %+v", got)
	}
}
