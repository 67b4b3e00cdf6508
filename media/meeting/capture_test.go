package meeting

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/forward"
	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/policy"
)

// tapes records which taps were asked for; the files are media/record's, tried there and with the whole service.
type tapes struct {
	mu      sync.Mutex
	tapped  []uuid.UUID // guarded by mu
	stopped int         // guarded by mu
	fail    error
	broken  chan error
	facts   RecordingFacts // what Stop adds to
}

func (p *tapes) Start(context.Context, uuid.UUID, string, string) (Recording, error) {
	return p, p.fail
}

func (p *tapes) Tap(participant uuid.UUID) forward.Tap {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tapped = append(p.tapped, participant)
	return p
}

func (p *tapes) Track(forward.Track) forward.PacketWriter { return nil }

func (p *tapes) Failed() <-chan error { return p.broken }

func (p *tapes) Stop(context.Context) (RecordingFacts, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped++
	facts := p.facts
	facts.Duration, facts.Format, facts.Chunks = time.Second, "webm", 1
	return facts, nil
}

func (p *tapes) of(who *person) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, id := range p.tapped {
		if id == who.ID() {
			n++
		}
	}
	return n
}

func withTapes(t *testing.T, p *tapes, more ...option) []option {
	return append(more, withMedia(t), func(_ *Facts, d *Deps) { d.Recordings = p })
}

func kinds(notices []protocol.Notice) []string {
	list := []string{}
	for _, n := range notices {
		list = append(list, n.Kind)
	}
	return list
}

func TestRecordingIsToldBeforeAnythingIsTaken(t *testing.T) {
	tape := &tapes{}
	bubble(t, func(k *kit) {
		u := k.user("uma")
		g := k.admitted("Gina", u)
		waits := k.guest("Gerd")
		g.refused(protocol.TypeStartRecording, nil, string(policy.GuestNotAllowed))
		g.refused(protocol.TypeStartTranscript, nil, string(policy.GuestNotAllowed))
		g.refused(protocol.TypeStopRecording, nil, string(policy.GuestNotAllowed))

		u.must(protocol.TypeStartRecording, nil)
		synctest.Wait()
		told := take[protocol.Notice](g.screen, protocol.TypeNotice)
		if diff := cmp.Diff([]string{"recording_started"}, kinds(told)); diff != "" {
			t.Fatal(diff)
		}
		if n := len(take[protocol.Notice](u.screen, protocol.TypeNotice)); n != 1 {
			t.Errorf("the org user was told %d times", n)
		}
		if n := len(take[protocol.Notice](waits.screen, protocol.TypeNotice)); n != 0 {
			t.Error("who waits was told")
		}
		for _, p := range []*person{u, g} {
			if n := tape.of(p); n != 1 {
				t.Errorf("%s was tapped %d times", p.entrant.DisplayName, n)
			}
		}
		v := k.user("vera")
		if diff := cmp.Diff([]string{"recording_started"}, kinds(v.joined.Notices)); diff != "" {
			t.Error(diff)
		}
		u.must(protocol.TypeAdmit, protocol.Participants{ParticipantIDs: []string{waits.ID().String()}})
		synctest.Wait()
		if state := take[protocol.State](waits.screen, protocol.TypeState); len(state) != 1 || len(state[0].Notices) != 1 {
			t.Errorf("admitted with %+v", state)
		}
		for _, p := range []*person{v, waits} {
			if n := tape.of(p); n != 1 {
				t.Errorf("%s was tapped %d times", p.entrant.DisplayName, n)
			}
		}
		time.Sleep(time.Second)
		g.must(protocol.TypeNoticeAck, protocol.NoticeAck{NoticeID: told[0].NoticeID})
		g.must(protocol.TypeNoticeAck, protocol.NoticeAck{NoticeID: told[0].NoticeID})

		u.must(protocol.TypeStopRecording, nil)
		if diff := cmp.Diff([]string{"recording_stopped"}, kinds(take[protocol.Notice](g.screen, protocol.TypeNotice))); diff != "" {
			t.Error(diff)
		}
		late := k.user("wim")
		if len(late.joined.Notices) != 0 {
			t.Errorf("after the stop one joins with %v", late.joined.Notices)
		}
		synctest.Wait()
		sent, acknowledged := 0, 0
		for _, n := range of(k.notes, (*eventpb.Event).GetNotice) {
			switch {
			case n.SentAtUs == 0 || len(n.ParticipantId) != 16 || len(n.NoticeId) != 16:
				t.Errorf("incomplete notice %v", n)
			case n.AcknowledgedAtUs > n.SentAtUs:
				acknowledged++
			default:
				sent++
			}
		}
		if sent != 8 || acknowledged != 1 { // four were told that it started, four that it stopped
			t.Errorf("%d sent and %d acknowledged were recorded", sent, acknowledged)
		}
		recordings := of(k.notes, (*eventpb.Event).GetRecording)
		if len(recordings) != 1 || recordings[0].EndReason != "stopped" || recordings[0].Format != "webm" || tape.stopped != 1 {
			t.Errorf("recorded %v", recordings)
		}
	}, withTapes(t, tape)...)
}

func TestNoTapBeforeTheNoticeIsRecorded(t *testing.T) {
	tape := &tapes{}
	bubble(t, func(k *kit) {
		u := k.user("uma")
		g := k.admitted("Gina", u)
		g.Disconnected(g.screen)
		u.must(protocol.TypeStartRecording, nil)
		if n := tape.of(g); n != 0 {
			t.Error("tapped before being told")
		}
		k.notes.set(func(n *notes) { n.down = true })
		again := &screen{}
		mb, j, err := k.m.Resume(t.Context(), g.Ticket(), again)
		if err != nil || len(j.Notices) != 1 {
			t.Fatalf("resume: %v %+v", err, j)
		}
		mb.Ready()
		synctest.Wait()
		if n := tape.of(g); n != 0 {
			t.Error("tapped before it was recorded that the guest was told")
		}
		k.notes.set(func(n *notes) { n.down = false })
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := tape.of(g); n != 1 {
			t.Errorf("tapped %d times", n)
		}
	}, withTapes(t, tape)...)
}

func TestConsentComesBeforeMedia(t *testing.T) {
	tape := &tapes{}
	bubble(t, func(k *kit) {
		u := k.user("uma")
		g := k.admitted("Gina", u)
		u.must(protocol.TypeStartRecording, nil)
		told := take[protocol.Notice](g.screen, protocol.TypeNotice)
		if len(told) != 1 || !told[0].ConsentRequired {
			t.Fatalf("told %+v", told)
		}
		if own := take[protocol.Notice](u.screen, protocol.TypeNotice); own[0].ConsentRequired {
			t.Error("an org user is asked to consent")
		}
		pushed := take[protocol.CapabilitiesChanged](g.screen, protocol.TypeCapabilitiesChanged)
		if len(pushed) != 1 || pushed[0].Capabilities["unmuteMic"].Reason != string(policy.ConsentRequired) {
			t.Errorf("pushed %+v", pushed)
		}
		publish := protocol.Publish{SDP: "x", Tracks: []protocol.TrackIntent{{Mid: "0", Kind: "audio"}}}
		g.refused(protocol.TypePublish, publish, string(policy.ConsentRequired))
		g.must(protocol.TypeConsent, protocol.Consent{NoticeID: told[0].NoticeID})
		g.refused(protocol.TypePublish, publish, string(policy.ConsentRequired))
		g.must(protocol.TypeConsent, protocol.Consent{NoticeID: told[0].NoticeID, Accepted: true})
		g.refused(protocol.TypePublish, publish, protocol.ReasonInvalidSDP) // allowed, and then not an offer
		if pushed := take[protocol.CapabilitiesChanged](g.screen, protocol.TypeCapabilitiesChanged); len(pushed) != 1 || !pushed[0].Capabilities["unmuteMic"].Allowed {
			t.Errorf("pushed %+v", pushed)
		}
		g.must(protocol.TypeConsent, protocol.Consent{NoticeID: told[0].NoticeID})
		g.refused(protocol.TypePublish, publish, string(policy.ConsentRequired))
	}, withTapes(t, tape, func(f *Facts, _ *Deps) { f.Organization.Settings.RequireConsent = true })...)
}

func TestRecordingThatCannotBeRecordedDoesNotStart(t *testing.T) {
	tape := &tapes{}
	bubble(t, func(k *kit) {
		u := k.user("uma")
		k.notes.set(func(n *notes) { n.down = true })
		u.refused(protocol.TypeStartRecording, nil, protocol.ReasonUnavailable)
		if n := len(take[protocol.Notice](u.screen, protocol.TypeNotice)); n != 0 || tape.stopped != 1 {
			t.Errorf("told %d times, stopped %d times", n, tape.stopped)
		}
		k.notes.set(func(n *notes) { n.down = false })
		tape.fail = errors.New("disk full")
		u.refused(protocol.TypeStartRecording, nil, ReasonNoRecording)
		tape.fail = nil
		u.must(protocol.TypeStartRecording, nil)
		u.must(protocol.TypeLeave, nil)
		time.Sleep(time.Second)
		synctest.Wait()
		if tape.stopped != 2 {
			t.Error("goes on in an empty meeting")
		}
	}, withTapes(t, tape)...)
}

func TestTracksInTheRosterAndInteropDiagnostic(t *testing.T) {
	bubble(t, func(k *kit) {
		u := k.user("uma")
		g := k.admitted("Gina", u)
		peer := peerEvents{g.Member}
		first := forward.Track{ID: uuid.New(), Owner: g.ID(), Kind: forward.Screen}
		peer.TrackStarted(first)
		updated := take[protocol.Participant](u.screen, protocol.TypeParticipantUpdated)
		if len(updated) != 1 || updated[0].Tracks[0].Kind != "screen" {
			t.Errorf("told %+v", updated)
		}
		interop := func() int {
			synctest.Wait()
			return len(of(k.notes, func(e *eventpb.Event) *eventpb.ClientDiagnostic {
				if d := e.GetClientDiagnostic(); d.GetName() == "interop_device_screen_share" {
					return d
				}
				return nil
			}))
		}
		if n := interop(); n != 0 {
			t.Errorf("%d diagnostics without a room device", n)
		}
		room := orgUser("room")
		room.Client.Kind = clientRoomDevice
		device := k.join(room)
		if n := interop(); n != 1 {
			t.Errorf("%d diagnostics when the device came", n)
		}
		k.user("vera")
		peer.TrackStarted(forward.Track{ID: uuid.New(), Owner: g.ID(), Kind: forward.Screen})
		if n := interop(); n != 2 {
			t.Errorf("%d diagnostics after the second share", n)
		}
		(peerEvents{device.Member}).TrackStarted(forward.Track{ID: uuid.New(), Owner: device.ID(), Kind: forward.Screen})
		if n := interop(); n != 2 {
			t.Errorf("%d diagnostics after an org user's share", n)
		}

		changed := k.facts
		changed.Meeting.WithdrawnCapabilities = []string{"shareScreen"}
		k.m.Update(t.Context(), changed)
		peer.TrackEnded(first, "stopped") // as forward does when AllowSend takes it away
		stopped := take[protocol.TrackStopped](g.screen, protocol.TypeTrackStopped)
		want := []protocol.TrackStopped{{TrackID: first.ID.String(), Kind: "screen", Reason: string(policy.PolicyRestricted)}}
		if diff := cmp.Diff(want, stopped); diff != "" {
			t.Error(diff)
		}
		decided := false
		for _, d := range of(k.notes, (*eventpb.Event).GetDecision) {
			decided = decided || d.Action == "use:shareScreen" && d.Effect == "deny" && slices.Contains(d.Reasons, string(policy.PolicyRestricted))
		}
		if !decided {
			t.Error("the withdrawal is no decision event")
		}
	})
}

func TestStreamsAreRecordedBeforeTheLeave(t *testing.T) {
	bubble(t, func(k *kit) {
		u := k.user("uma")
		id := uuid.New()
		peer := peerEvents{u.Member}
		peer.Report(10*time.Second, []*eventpb.StreamSample{{StreamId: id[:]}})
		k.notes.set(func(n *notes) { n.full, n.down = true, true })
		peer.StreamEnded(&eventpb.StreamEnded{StreamId: id[:]})
		u.must(protocol.TypeLeave, nil)
		k.notes.set(func(n *notes) { n.full, n.down = false, false })
		time.Sleep(10 * time.Second)
		synctest.Wait()
		var order []string
		for _, e := range k.notes.all() {
			switch {
			case e.GetStreamReport() != nil:
				order = append(order, "report")
			case e.GetStreamEnded() != nil:
				order = append(order, "ended")
			case e.GetParticipantLeft() != nil:
				order = append(order, "left")
			}
		}
		if diff := cmp.Diff([]string{"report", "ended", "left"}, order); diff != "" {
			t.Error(diff)
		}
	})
}

func TestThousandMembers(t *testing.T) {
	bubble(t, func(k *kit) {
		var members []*Member
		var last *screen
		for i := range 1000 {
			last = &screen{}
			mb, _, err := k.m.Join(t.Context(), orgUser(uuid.NewString()), last)
			if err != nil {
				t.Fatalf("join %d: %v", i, err)
			}
			mb.Ready()
			members = append(members, mb)
		}
		synctest.Wait()
		if _, err := k.tryJoin(orgUser("one more")); reasonOf(err) != string(policy.MeetingFull) {
			t.Errorf("join above the limit: %v", err)
		}
		p := &person{Member: members[0], screen: last, k: k}
		p.say("hello")
		if n := len(take[protocol.ChatMessage](last, protocol.TypeChatMessage)); n != 1 {
			t.Errorf("%d messages came", n)
		}
	})
}

func TestNoticeBetweenJoinAndItsReply(t *testing.T) {
	tape := &tapes{}
	bubble(t, func(k *kit) {
		u := k.user("uma")
		s := &screen{}
		mb, j, err := k.m.Join(t.Context(), orgUser("vera"), s)
		if err != nil || len(j.Notices) != 0 {
			t.Fatalf("join: %v %+v", err, j)
		}
		v := &person{mb, s, k, j}
		u.must(protocol.TypeStartRecording, nil)
		if n := tape.of(v); n != 0 || s.count() != 0 {
			t.Errorf("tapped %d times, told %d events before the reply", n, s.count())
		}
		if n := len(of(k.notes, (*eventpb.Event).GetNotice)); n != 1 {
			t.Errorf("%d notices recorded, want that of the user who has had it", n)
		}
		mb.Ready()
		synctest.Wait()
		if n := len(take[protocol.Notice](s, protocol.TypeNotice)); n != 1 || tape.of(v) != 1 {
			t.Errorf("told %d times, tapped %d times after it", n, tape.of(v))
		}
	}, withTapes(t, tape)...)
}
