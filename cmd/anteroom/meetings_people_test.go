package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	mediaclient "github.com/anteroom/anteroom/media/client"
	"github.com/anteroom/anteroom/media/protocol"
)

// person is somebody at a client.
type person struct {
	t    *testing.T
	name string
	*mediaclient.Client

	mu    sync.Mutex
	seen  []mediaclient.Event // guarded by mu
	taken map[string]int      // guarded by mu: how many events of each type were awaited already
	news  chan struct{}
}

// dial connects; nothing is joined yet.
func (r *rig) dial(t *testing.T, name string) *person {
	return r.dialWith(t, name, mediaclient.Options{})
}

func (r *rig) dialWith(t *testing.T, name string, opts mediaclient.Options) *person {
	t.Helper()
	p := &person{t: t, name: name, taken: map[string]int{}, news: make(chan struct{}, 1)}
	also := opts.OnEvent
	opts.OnEvent = func(e mediaclient.Event) {
		p.mu.Lock()
		p.seen = append(p.seen, e)
		p.mu.Unlock()
		select {
		case p.news <- struct{}{}:
		default:
		}
		if also != nil {
			also(e)
		}
	}
	if opts.Settings == nil {
		opts.Settings = func(s *webrtc.SettingEngine) { s.SetIncludeLoopbackCandidate(true) }
	}
	ctx, cancel := context.WithTimeout(t.Context(), rigPatience)
	defer cancel()
	c, err := mediaclient.Dial(ctx, r.url+"/v1/connect", opts)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	p.Client = c
	t.Cleanup(c.Close)
	return p
}

// soon is a context that bounds one request.
func (p *person) soon() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), rigPatience)
	p.t.Cleanup(cancel)
	return ctx
}

// guestJoin is how one of an application's users asks to join.
func (m *room) guestJoin(app *application, name string) protocol.Join {
	return protocol.Join{Meeting: m.id, Secret: m.secret, GuestToken: app.token("sub-"+rand.Text(), nil), DisplayName: name}
}

// userJoin is how a user of the organisation asks to join.
func (m *room) userJoin(user string) protocol.Join {
	return protocol.Join{Meeting: m.id, Secret: m.secret, UserToken: m.house.token(user, "org_user")}
}

// guest joins; in which state, the rules say.
func (m *room) guest(app *application, name string) *person {
	m.house.t.Helper()
	return m.enter(name, m.guestJoin(app, name))
}

// user joins as one of the organisation.
func (m *room) user(user string) *person {
	m.house.t.Helper()
	return m.enter(user, m.userJoin(user))
}

// enter connects and joins, and fails the test when that is refused.
func (m *room) enter(name string, join protocol.Join) *person {
	m.house.t.Helper()
	p := m.house.rig.dial(m.house.t, name)
	if _, err := p.Join(p.soon(), join); err != nil {
		m.house.t.Fatalf("%s: join: %v", name, told(err))
	}
	return p
}

// admitted is a guest whom the host let in.
func (m *room) admitted(host *person, app *application, name string) *person {
	m.house.t.Helper()
	p := m.guest(app, name)
	if p.Joined().State != protocol.StateAdmitted {
		p.do(host.Admit(host.soon(), p.id()))
		p.awaitState(protocol.StateAdmitted)
	}
	return p
}

// refusal tries a join that must be refused, and returns what was said.
func (m *room) refusal(join protocol.Join) *protocol.Error {
	m.house.t.Helper()
	p := m.house.rig.dial(m.house.t, "refused")
	joined, err := p.Join(p.soon(), join)
	var refused *protocol.Error
	if !errors.As(err, &refused) {
		m.house.t.Fatalf("join was not refused: state %q, error %v", joined.State, err)
	}
	p.Close()
	return refused
}

// told is a refusal with its message.
func told(err error) string {
	var refused *protocol.Error
	if errors.As(err, &refused) {
		return fmt.Sprintf("%s (%s) %s", refused.Reason, refused.Field, refused.Message)
	}
	return fmt.Sprint(err)
}

// reason fails the test unless the error is a refusal for this reason.
func wantReason(t *testing.T, what string, err error, reason string) {
	t.Helper()
	var refused *protocol.Error
	if !errors.As(err, &refused) || refused.Reason != reason {
		t.Errorf("%s: %s, want a refusal for %s", what, told(err), reason)
	}
}

// id is the participant's.
func (p *person) id() string { return p.Joined().ParticipantID }

// do fails the test when a request failed that should not.
func (p *person) do(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatalf("%s: %s\n%s", p.name, told(err), p.story())
	}
}

// story is what the client was told, for failures.
func (p *person) story() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out strings.Builder
	fmt.Fprintf(&out, "%s (%s) was told:", p.name, p.Joined().State)
	for _, e := range p.seen {
		fmt.Fprintf(&out, "\n  %s %.300s", e.Type, e.Body)
	}
	return out.String()
}

// next is the next event of a type that nobody awaited yet and that matches; those before it are skipped.
func (p *person) next(typ string, match func(mediaclient.Event) bool) (mediaclient.Event, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, e := range p.seen {
		if e.Type != typ {
			continue
		}
		if n++; n > p.taken[typ] && match(e) {
			p.taken[typ] = n
			return e, true
		}
	}
	return mediaclient.Event{}, false
}

// await waits for the next event of a type that matches.
func await[T any](p *person, typ string, match func(T) bool) T {
	p.t.Helper()
	var got T
	deadline := time.NewTimer(rigPatience)
	defer deadline.Stop()
	for {
		_, ok := p.next(typ, func(e mediaclient.Event) bool {
			var body T
			if e.Decode(&body) != nil || (match != nil && !match(body)) {
				return false
			}
			got = body
			return true
		})
		if ok {
			return got
		}
		select {
		case <-p.news:
		case <-deadline.C:
			p.t.Fatalf("%s: no event %s that matches came within %s\n%s", p.name, typ, rigPatience, p.story())
		}
	}
}

// awaitState waits until the participant is told that its state is this now.
func (p *person) awaitState(state string) protocol.State {
	p.t.Helper()
	return await(p, protocol.TypeState, func(s protocol.State) bool { return s.State == state })
}

// awaitEnd waits for the server's last word and the end of the connection.
func (p *person) awaitEnd() protocol.Ended {
	p.t.Helper()
	ended := await[protocol.Ended](p, protocol.TypeEnded, nil)
	select {
	case <-p.Disconnected():
	case <-time.After(rigPatience):
		p.t.Fatalf("%s: the connection stays open after %q", p.name, ended.Reason)
	}
	return ended
}

// awaitChat waits for a message with this text.
func (p *person) awaitChat(text string) protocol.ChatMessage {
	p.t.Helper()
	return await(p, protocol.TypeChatMessage, func(m protocol.ChatMessage) bool { return m.Text == text })
}

// say sends a message.
func (p *person) say(text string) protocol.ChatSent {
	p.t.Helper()
	sent, err := p.ChatSend(p.soon(), protocol.ChatSend{Text: text})
	p.do(err)
	return sent
}

// told counts the events of a type so far that match. All that the server sent before the reply to a ping has come when the ping is answered.
func count[T any](p *person, typ string, match func(T) bool) int {
	p.t.Helper()
	p.do(p.Ping(p.soon()))
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, e := range p.seen {
		var body T
		if e.Type == typ && e.Decode(&body) == nil && (match == nil || match(body)) {
			n++
		}
	}
	return n
}

// publish begins to publish.
func (p *person) publish(sources ...mediaclient.Source) []*mediaclient.Publication {
	p.t.Helper()
	pubs, err := p.Publish(p.soon(), sources...)
	p.do(err)
	return pubs
}

// awaitMedia waits until packets of a participant's tracks of a kind arrive.
func (p *person) awaitMedia(from *person, kind string) {
	p.t.Helper()
	p.awaitMorePackets(from, kind, 0)
}

// awaitMorePackets waits until more packets than before have come.
func (p *person) awaitMorePackets(from *person, kind string, before uint64) {
	p.t.Helper()
	eventually(p.t, fmt.Sprintf("%s gets %s of %s", p.name, kind, from.name), func() (bool, string) {
		n := p.packetsOf(from, kind)
		return n > before, fmt.Sprintf("%d packets\n%s", n, p.story())
	})
}

// packetsOf counts the packets of a participant's tracks of a kind.
func (p *person) packetsOf(from *person, kind string) uint64 {
	n := uint64(0)
	for _, r := range p.Received() {
		if r.ParticipantID == from.id() && r.Kind == kind {
			n += r.Packets()
		}
	}
	return n
}

// endCall ends the session for everybody by the API and returns its call id.
func (m *room) endCall(anybody *person) string {
	m.house.t.Helper()
	call := anybody.Joined().CallID
	m.house.rig.must(m.house.t, http.StatusNoContent, m.house.token(organizer, "org_user"), http.MethodPost, "/v1/meetings/"+m.id+"/end", nil)
	return call
}
