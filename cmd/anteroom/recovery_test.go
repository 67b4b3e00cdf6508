package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event/eventpb"
	mediaclient "github.com/anteroom/anteroom/media/client"
	"github.com/anteroom/anteroom/media/protocol"
)

// Meetings are killed here at any moment: the whole of `anteroom run` as a process of its own gets SIGKILL, and is started again on its
// folder and port.

// killsEnv says how many kills a run of the test makes.
const killsEnv = "ANTEROOM_TEST_KILLS"

func kills(t *testing.T) int {
	text := os.Getenv(killsEnv)
	if text == "" {
		return 5
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", killsEnv, err)
	}
	return n
}

// victim is a process that is killed.
type victim struct {
	*rig
	t       *testing.T
	listen  string
	environ []string
	cmd     *exec.Cmd
}

func startVictim(t *testing.T, environ ...string) *victim {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listen := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	v := &victim{
		rig: &rig{data: filepath.Join(t.TempDir(), "data"), stderr: new(buffer)}, t: t, listen: listen, environ: wideLimits(environ...),
	}
	t.Cleanup(func() {
		if v.cmd != nil {
			_ = v.cmd.Process.Signal(syscall.SIGTERM)
			_ = v.cmd.Wait()
		}
		if t.Failed() {
			t.Logf("the last process said:\n%s", lastLines(v.stderr.String(), 60))
		}
	})
	v.start()
	return v
}

// lastLines is the end of a text.
func lastLines(text string, lines int) string {
	all := bytes.Split([]byte(text), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}

// start starts the process, again or for the first time, and waits until it is ready.
func (v *victim) start() {
	v.t.Helper()
	program, err := os.Executable()
	if err != nil {
		v.t.Fatal(err)
	}
	v.stderr = new(buffer)
	v.cmd = exec.Command(program)
	v.cmd.Args = []string{"anteroom", "run", "--no-demo", "--data", v.data, "--listen", v.listen} // by its first word the test binary is anteroom
	v.cmd.Env = append(os.Environ(), v.environ...)
	v.cmd.Stderr = v.stderr
	if err := v.cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	if v.url, err = awaitReady(v.data); err != nil {
		v.t.Fatalf("%v\n%s", err, v.stderr)
	}
}

// kill is sudden.
func (v *victim) kill() {
	v.t.Helper()
	if err := v.cmd.Process.Kill(); err != nil {
		v.t.Fatal(err)
	}
	_ = v.cmd.Wait() // "signal: killed"
	v.cmd = nil
}

// terminate is an orderly stop.
func (v *victim) terminate() {
	v.t.Helper()
	if err := v.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		v.t.Fatal(err)
	}
	if err := v.cmd.Wait(); err != nil {
		v.t.Errorf("the stop: %v\n%s", err, lastLines(v.stderr.String(), 60))
	}
	v.cmd = nil
}

// deed is a request whose outcome may be unknown when the server was killed.
type deed int

const (
	unknown deed = iota
	confirmed
	refused
)

func outcome(err error) deed {
	var told *protocol.Error
	switch {
	case err == nil:
		return confirmed
	case errors.As(err, &told):
		return refused
	}
	return unknown
}

// scene is a meeting that is killed, and what its people know of it.
type scene struct {
	t     *testing.T
	room  *room
	app   *application
	call  string
	host  *person
	guest *person
	// leaver leaves, outcast is removed by the host, each about when the kill comes.
	leaver, outcast *person

	mu sync.Mutex
	// messages that were confirmed; unsure is how many may have been recorded or not. Guarded by mu.
	messages map[string]bool
	unsure   int
	// acknowledged notices by participant. Guarded by mu.
	acknowledged     map[string]string
	left, out, noted deed
	ended            deed
}

func openScene(h *house, app *application) *scene {
	m := h.meeting(nil)
	s := &scene{t: h.t, room: m, app: app, messages: map[string]bool{}, acknowledged: map[string]string{}}
	s.host = m.user(organizer)
	s.call = s.host.Joined().CallID
	s.guest, s.leaver, s.outcast = m.admitted(s.host, app, "Gina"), m.admitted(s.host, app, "Lea"), m.admitted(s.host, app, "Otto")
	for _, p := range []*person{s.guest, s.leaver, s.outcast} { // the admission is in the token that the next process will see
		await[protocol.ResumeTokenIssued](p, protocol.TypeResumeToken, nil)
	}
	return s
}

// chat sends messages until the connection is gone.
func (s *scene) chat(ctx context.Context, p *person) {
	for i := 0; ; i++ {
		sent, err := p.ChatSend(ctx, protocol.ChatSend{Text: fmt.Sprint("message ", i)})
		s.mu.Lock()
		switch outcome(err) {
		case confirmed:
			s.messages[sent.MessageID] = true
		case unknown:
			s.unsure++
		}
		s.mu.Unlock()
		if outcome(err) == unknown {
			return
		}
		select {
		case <-time.After(time.Duration(20+rand.IntN(60)) * time.Millisecond): // the limit is some a second: some are refused, which is no harm
		case <-ctx.Done():
			return
		}
	}
}

// acknowledge shows the notice of a recording and says so.
func (s *scene) acknowledge(ctx context.Context, p *person) {
	for {
		e, ok := p.next(protocol.TypeNotice, func(mediaclient.Event) bool { return true })
		if ok {
			var notice protocol.Notice
			if e.Decode(&notice) == nil && p.NoticeAck(ctx, notice.NoticeID) == nil {
				s.mu.Lock()
				s.acknowledged[p.id()] = notice.NoticeID
				s.mu.Unlock()
			}
			return
		}
		select {
		case <-p.news:
		case <-p.Disconnected():
			return
		case <-ctx.Done():
			return
		}
	}
}

// act has everybody do what they do, until the connections are gone.
func (s *scene) act(ctx context.Context) *sync.WaitGroup {
	var acting sync.WaitGroup
	pause := func(most int) { time.Sleep(time.Duration(rand.IntN(most)) * time.Millisecond) }
	acting.Go(func() { s.chat(ctx, s.host) })
	acting.Go(func() { s.chat(ctx, s.guest) })
	acting.Go(func() { s.acknowledge(ctx, s.host) })
	acting.Go(func() { s.acknowledge(ctx, s.guest) })
	acting.Go(func() { pause(300); s.left = outcome(s.leaver.Leave(ctx)) })
	acting.Go(func() { pause(300); s.out = outcome(s.host.Remove(ctx, s.outcast.id())) })
	acting.Go(func() { pause(300); s.noted = outcome(s.host.StartRecording(ctx)) })
	acting.Go(func() { // somebody is always just joining
		pause(200)
		join := s.room.guestJoin(s.app, "Nora")
		c, err := mediaclient.Dial(ctx, s.room.house.rig.url+"/v1/connect", mediaclient.Options{})
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = c.Join(ctx, join)
		<-c.Disconnected()
	})
	return &acting
}

// back checks who may come back after the kill, and who may not.
func (s *scene) back() {
	s.t.Helper()
	id := map[*person]string{s.host: s.host.id(), s.guest: s.guest.id()}
	for _, p := range []*person{s.host, s.guest} {
		joined, err := p.Reconnect(p.soon())
		p.do(err)
		if !joined.Resumed || joined.ParticipantID != id[p] || joined.CallID != s.call || joined.State != protocol.StateAdmitted {
			s.t.Errorf("%s came back as %+v, was participant %s of call %s", p.name, joined, id[p], s.call)
		}
	}
	for _, gone := range []struct {
		who  *person
		deed deed
	}{{s.leaver, s.left}, {s.outcast, s.out}} {
		_, err := gone.who.Reconnect(gone.who.soon())
		if gone.deed == confirmed {
			wantReason(s.t, gone.who.name+" comes back after it was confirmed that it has gone", err, protocol.ReasonResumeExpired)
		}
	}
	for _, p := range []*person{s.host, s.guest} { // and the chat goes on
		s.messages[p.say("after the kill, from "+p.name).MessageID] = true
	}
	s.guest.awaitChat("after the kill, from " + s.host.name)
}

// settled checks what is known of the call at last. reasons are those its end may have.
func (s *scene) settled(reasons ...string) {
	s.t.Helper()
	h := s.room.house
	type call struct {
		EndedAt   *time.Time `json:"ended_at"`
		EndReason string     `json:"end_reason"`
	}
	var last call
	deadline := time.Now().Add(2 * time.Minute) // the resume window of the last process must pass first
	for last.EndedAt == nil {
		if time.Now().After(deadline) {
			s.t.Fatalf("call %s has no end", s.call)
		}
		a := h.rig.ask(s.t, h.admin, http.MethodGet, "/v1/calls/"+s.call, nil)
		if a.status == http.StatusOK {
			a.read(s.t, &last)
		}
		time.Sleep(200 * time.Millisecond)
	}
	known := false
	for _, reason := range reasons {
		known = known || reason == last.EndReason
	}
	if !known {
		s.t.Errorf("call %s has ended because of %q, want one of %q", s.call, last.EndReason, reasons)
	}
	type participants struct {
		Participants []struct {
			ID       string     `json:"participant_id"`
			JoinedAt *time.Time `json:"joined_at"`
			LeftAt   *time.Time `json:"left_at"`
		} `json:"participants"`
	}
	for whole := false; !whole; time.Sleep(200 * time.Millisecond) { // who left unheard is seen to after the resume window as well
		var p participants
		h.rig.must(s.t, http.StatusOK, h.admin, http.MethodGet, "/v1/calls/"+s.call+"/participants", nil).read(s.t, &p)
		here := map[string]bool{}
		for _, one := range p.Participants {
			here[one.ID] = one.JoinedAt == nil || (one.LeftAt != nil && !one.LeftAt.Before(*one.JoinedAt))
		}
		whole = here[s.host.id()] && here[s.guest.id()] && here[s.leaver.id()] && here[s.outcast.id()]
		if !whole && time.Now().After(deadline) {
			s.t.Fatalf("call %s: some are in it for ever: %+v", s.call, p)
		}
	}
	s.checkTimeline()
	s.checkEvents()
}

// checkTimeline checks that what was confirmed is in ClickHouse once.
func (s *scene) checkTimeline() {
	s.t.Helper()
	type entry struct {
		Kind        string            `json:"kind"`
		Participant string            `json:"participant_id"`
		Value       string            `json:"value"`
		Operation   string            `json:"operation_id"`
		Attributes  map[string]string `json:"attributes"`
	}
	h := s.room.house
	var all []entry
	path := "/v1/calls/" + s.call + "/timeline?page_size=500"
	for next := ""; ; {
		var page struct {
			Entries []entry `json:"timeline"`
			Next    string  `json:"next_page_token"`
		}
		h.rig.must(s.t, http.StatusOK, h.admin, http.MethodGet, path+next, nil).read(s.t, &page)
		all = append(all, page.Entries...)
		if page.Next == "" {
			break
		}
		next = "&page_token=" + url.QueryEscape(page.Next)
	}
	messages, notices := map[string]int{}, map[string]bool{}
	for _, e := range all {
		switch {
		case e.Kind == "chat" && e.Value == "sent":
			messages[e.Operation]++
		case e.Kind == "notice" && e.Attributes["acknowledged_at"] != "":
			notices[e.Participant+e.Operation] = true
		}
	}
	for id := range s.messages {
		if messages[id] == 0 {
			s.t.Errorf("call %s: message %s was confirmed, and is lost", s.call, id)
		}
	}
	for id, n := range messages {
		if n != 1 {
			s.t.Errorf("call %s: message %s is there %d times", s.call, id, n)
		}
	}
	if len(messages) > len(s.messages)+s.unsure {
		s.t.Errorf("call %s: %d messages, of which %d were confirmed and %d may be", s.call, len(messages), len(s.messages), s.unsure)
	}
	for participant, notice := range s.acknowledged {
		if !notices[participant+notice] {
			s.t.Errorf("call %s: a notice was acknowledged and confirmed, and that is lost", s.call)
		}
	}
}

// checkEvents checks that Kafka has one start and no end before the last event of those who came back.
func (s *scene) checkEvents() {
	s.t.Helper()
	starts, ends := map[string]int{}, map[string]int{}
	joins := map[uuid.UUID]int{}
	for _, e := range s.room.house.rig.events(s.t, s.call) {
		switch p := e.GetPayload().(type) {
		case *eventpb.Event_CallStarted:
			starts[e.GetId()]++
		case *eventpb.Event_CallEnded:
			ends[p.CallEnded.GetReason()]++
		case *eventpb.Event_ParticipantJoined:
			joins[uuid.UUID(p.ParticipantJoined.GetParticipantId())]++
		}
	}
	if len(starts) != 1 || len(ends) != 1 {
		s.t.Errorf("call %s: %d starts, ends %v", s.call, len(starts), ends)
	}
	for id, n := range joins {
		if n != 1 {
			s.t.Errorf("call %s: participant %s has joined %d times", s.call, id, n)
		}
	}
}

func TestKilledAtAnyMoment(t *testing.T) {
	n := kills(t)
	if testing.Short() {
		t.Skip("kills take a minute")
	}
	v := startVictim(t, "ANTEROOM_MEDIA_RENEW_TOKENS=2s", "ANTEROOM_MEDIA_MEETING_RECONNECT_GRACE=15s")
	h := newHouse(t, v.rig, nil)
	app := h.application(nil)
	reasons := map[*scene][]string{}
	for i := range n {
		s := openScene(h, app)
		ctx, cancel := context.WithCancel(t.Context())
		acting := s.act(ctx)
		time.Sleep(time.Duration(rand.IntN(700)) * time.Millisecond)
		v.kill()
		cancel()
		acting.Wait()
		v.start()
		switch i % 3 {
		case 0: // somebody comes back, and ends it
			s.back()
			if err := s.host.EndMeeting(s.host.soon()); err != nil {
				t.Fatal(err)
			}
			reasons[s] = []string{"meeting_ended"}
		case 1: // nobody comes back
			reasons[s] = []string{"node_lost"}
		case 2: // they come back, and the end is killed as well: what is confirmed as ended is never taken up again
			s.back()
			ended := make(chan error, 1)
			go func() { ended <- s.host.EndMeeting(s.host.soon()) }()
			time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond)
			v.kill()
			err := <-ended
			v.start()
			_, again := s.guest.Reconnect(s.guest.soon())
			if s.ended = outcome(err); s.ended == confirmed {
				wantReason(t, "a call that has ended", again, protocol.ReasonMeetingEnded)
			}
			s.guest.Drop()
			reasons[s] = []string{"meeting_ended", "node_lost", "empty"}
		}
		t.Logf("kill %d: %d messages confirmed, %d unsure, left %d, removed %d, recording %d, ended %d", i, len(s.messages), s.unsure, s.left, s.out, s.noted, s.ended)
	}
	for s := range maps.Keys(reasons) {
		s.settled(reasons[s]...)
	}
}

// An orderly stop hands meetings over: nobody has left, and everybody comes back, in the same call, with the same id.
func TestAStopHandsMeetingsOver(t *testing.T) {
	v := startVictim(t, "ANTEROOM_MEDIA_RENEW_TOKENS=2s", "ANTEROOM_MEDIA_MEETING_RECONNECT_GRACE=15s")
	h := newHouse(t, v.rig, nil)
	s := openScene(h, h.application(nil))
	s.leaver.do(s.leaver.Leave(s.leaver.soon()))
	s.host.do(s.host.Remove(s.host.soon(), s.outcast.id()))
	s.left, s.out = confirmed, confirmed
	v.terminate()
	for _, p := range []*person{s.host, s.guest} {
		if ended := p.awaitEnd(); ended.Reason != protocol.ReasonShuttingDown || !ended.Resume {
			t.Errorf("%s was told %+v", p.name, ended)
		}
	}
	v.start()
	s.back()
	s.host.do(s.host.EndMeeting(s.host.soon()))
	s.settled("meeting_ended")
}

// ClickHouse is killed during a meeting: the meeting goes on, and nothing of it is lost.
func TestAMeetingOutlivesClickHouse(t *testing.T) {
	v := startVictim(t)
	h := newHouse(t, v.rig, nil)
	s := openScene(h, h.application(nil))
	pid := clickHousePid(t, v.data)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		s.messages[s.host.say(fmt.Sprint("while it is away ", i)).MessageID] = true
	}
	s.guest.awaitChat("while it is away 9")
	late := s.room.guest(s.app, "Late")
	late.do(s.host.Admit(s.host.soon(), late.id()))
	late.awaitState(protocol.StateAdmitted)
	s.host.do(s.host.EndMeeting(s.host.soon()))
	s.settled("meeting_ended")
}
