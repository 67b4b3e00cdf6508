package meeting

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/forward"
	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/policy"
)

// notes is a Recorder that collects; whether Kafka answers is the test's. The real one is tried with the whole service.
type notes struct {
	mu     sync.Mutex
	events []*eventpb.Event
	down   bool          // guarded by mu: Record fails
	full   bool          // guarded by mu: Offer refuses
	gate   chan struct{} // guarded by mu: Record waits for it, if there is one
	// hold is what Record of one event waits for, and answers with. Guarded by mu.
	hold func(*eventpb.Event) chan error
}

var errDown = errors.New("the broker is away")

func (n *notes) Record(ctx context.Context, e *eventpb.Event) error {
	n.mu.Lock()
	gate, hold := n.gate, n.hold
	n.mu.Unlock()
	if hold != nil {
		if answer := hold(e); answer != nil {
			if err := <-answer; err != nil {
				return err
			}
		}
	}
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down {
		return errDown
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	n.events = append(n.events, proto.CloneOf(e))
	return nil
}

func (n *notes) Offer(e *eventpb.Event) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.full {
		return false
	}
	n.events = append(n.events, proto.CloneOf(e))
	return true
}

func (n *notes) set(f func(*notes)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f(n)
}

func (n *notes) all() []*eventpb.Event {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.events)
}

func of[T any](n *notes, pick func(*eventpb.Event) T) []T {
	var list []T
	var zero any = *new(T)
	for _, e := range n.all() {
		if v := pick(e); any(v) != zero {
			list = append(list, v)
		}
	}
	return list
}

// got is one event that a client was sent.
type got struct {
	typ  string
	body any
}

// screen is a Client that remembers.
type screen struct {
	mu    sync.Mutex
	got   []got
	ended *protocol.Ended
}

func (s *screen) Send(typ string, body any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, got{typ, body})
}

func (s *screen) End(e protocol.Ended) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = &e
}

func (s *screen) reason() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended == nil {
		return ""
	}
	return s.ended.Reason
}

// take empties the screen and gives what was of a type.
func take[T any](s *screen, typ string) []T {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []T
	rest := s.got[:0]
	for _, g := range s.got {
		if g.typ == typ {
			list = append(list, g.body.(T))
		} else {
			rest = append(rest, g)
		}
	}
	s.got = rest
	return list
}

func (s *screen) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = nil
}

func (s *screen) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.got)
}

// kit is a meeting with what it works with.
type kit struct {
	t     *testing.T
	m     *Meeting
	notes *notes
	seals *seals
	facts Facts
	deps  Deps
}

// person is a member and its screen.
type person struct {
	*Member
	*screen
	k      *kit
	joined protocol.Joined
}

// option changes what a meeting starts with.
type option func(*Facts, *Deps)

func engine(t *testing.T, limits policy.Limits) *policy.Engine {
	t.Helper()
	cfg := policy.DefaultConfig()
	if limits != (policy.Limits{}) {
		cfg.Limits = limits
	}
	e, err := policy.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func withLimits(t *testing.T, l policy.Limits) option {
	e := engine(t, l)
	return func(_ *Facts, d *Deps) { d.Decider = e }
}

func withMedia(t *testing.T) option {
	return func(_ *Facts, d *Deps) {
		server, err := forward.New(forward.DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		d.Forward = server
	}
}

func facts() Facts {
	return Facts{
		Organization: directory.Organization{ID: "contoso", Name: "Contoso", Kind: directory.KindWork, Region: "emea"},
		Meeting:      directory.Meeting{ID: uuid.NewString(), Org: "contoso", Title: "Plans", Kind: directory.MeetingScheduled, Organizer: "olga"},
	}
}

// bubble runs a test in a bubble of its own time, against the shipped policy.
func bubble(t *testing.T, f func(*kit), options ...option) {
	t.Helper()
	decider := engine(t, policy.Limits{})
	synctest.Test(t, func(t *testing.T) {
		k := &kit{t: t, notes: &notes{}, seals: newSeals(t), facts: facts()}
		k.deps = Deps{Decider: decider, Recorder: k.notes, Sealer: k.seals}
		for _, o := range options {
			o(&k.facts, &k.deps)
		}
		var err error
		if k.m, err = Start(t.Context(), Config{}, k.facts, k.deps); err != nil {
			t.Fatal(err)
		}
		f(k)
		k.notes.set(func(n *notes) { n.down, n.full = false, false })
		k.m.End(t.Context(), EndedByUser)
		<-k.m.Done()
		synctest.Wait()
	})
}

func (k *kit) tryJoin(e Entrant) (*person, error) {
	s := &screen{}
	mb, j, err := k.m.Join(k.t.Context(), e, s)
	if err != nil {
		return nil, err
	}
	mb.Ready()
	synctest.Wait()
	return &person{mb, s, k, j}, nil
}

func (k *kit) join(e Entrant) *person {
	k.t.Helper()
	p, err := k.tryJoin(e)
	if err != nil {
		k.t.Fatalf("join: %v", err)
	}
	return p
}

func orgUser(id string) Entrant {
	return Entrant{OrgUser: true, UserID: id, DisplayName: "User " + id, Client: protocol.ClientInfo{Family: "Chrome", Version: "141.0.1", OS: "Windows"}}
}

func guest(name string) Entrant {
	return Entrant{Resource: uuid.NewString(), Region: "emea", DisplayName: name, Client: protocol.ClientInfo{Family: "Firefox", Version: "140", OS: "Linux"}}
}

func (k *kit) user(id string) *person    { k.t.Helper(); return k.join(orgUser(id)) }
func (k *kit) guest(name string) *person { k.t.Helper(); return k.join(guest(name)) }

// admitted is a guest that user lets in.
func (k *kit) admitted(name string, by *person) *person {
	k.t.Helper()
	return k.admit(k.guest(name), by)
}

func (k *kit) admit(g, by *person) *person {
	k.t.Helper()
	by.must(protocol.TypeAdmit, protocol.Participants{ParticipantIDs: []string{g.ID().String()}})
	g.clear()
	by.clear()
	return g
}

func (p *person) ask(typ string, body any) (any, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		p.k.t.Fatal(err)
	}
	reply, err := p.Handle(p.k.t.Context(), typ, raw)
	synctest.Wait()
	return reply, err
}

func (p *person) must(typ string, body any) any {
	p.k.t.Helper()
	reply, err := p.ask(typ, body)
	if err != nil {
		p.k.t.Fatalf("%s: %v", typ, err)
	}
	return reply
}

// refused checks that a request is refused with a reason.
func (p *person) refused(typ string, body any, reason string) {
	p.k.t.Helper()
	if _, err := p.ask(typ, body); reasonOf(err) != reason {
		p.k.t.Errorf("%s: %v, want it refused with %s", typ, err, reason)
	}
}

func (p *person) stateIs(want string) {
	p.k.t.Helper()
	p.m.lock()
	got := p.state
	p.m.unlock()
	if got != want {
		p.k.t.Errorf("state of %s is %s, want %s", p.entrant.DisplayName, got, want)
	}
}

func (p *person) say(text string) string {
	p.k.t.Helper()
	return p.must(protocol.TypeChatSend, protocol.ChatSend{Text: text}).(protocol.ChatSent).MessageID
}

func texts(messages []protocol.ChatMessage) []string {
	list := []string{}
	for _, m := range messages {
		list = append(list, m.Text)
	}
	return list
}

func (p *person) history() []string {
	p.k.t.Helper()
	return texts(p.must(protocol.TypeChatHistory, protocol.ChatHistory{}).(protocol.ChatMessages).Messages)
}
