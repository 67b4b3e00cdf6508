package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/pion/webrtc/v4"
	kafkago "github.com/segmentio/kafka-go"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/internal/config"
	mediaclient "github.com/anteroom/anteroom/media/client"
	"github.com/anteroom/anteroom/media/protocol"
)

// The rules of meetings are tested on a whole Anteroom: what a test does goes over its HTTP API and its WebSocket, and what it looks at
// comes from there, from Kafka and from ClickHouse. One instance serves all of these tests, since each makes an organisation of its own.

// rigPatience bounds every wait of the rig; a test that waits so long has failed.
const rigPatience = 30 * time.Second

// rig is a running Anteroom that several tests share.
type rig struct {
	data, url string
	stderr    *buffer
	cancel    context.CancelFunc
	done      chan int
}

// lazyRig starts when the first test asks for it.
type lazyRig struct {
	environ []string
	once    sync.Once
	rig     *rig  // set by once
	err     error // set by once
}

// wide limits: what a test does is never slowed down by what other tests do at the same time from the same address.
func wideLimits(more ...string) []string {
	return append([]string{
		"ANTEROOM_MEDIA_JOINS_PER_ADDRESS=10000", "ANTEROOM_MEDIA_JOIN_BURST_PER_ADDRESS=10000",
		"ANTEROOM_SIGNALLING_CONNECTIONS_PER_ADDRESS=10000", "ANTEROOM_SIGNALLING_CONNECTION_BURST_PER_ADDRESS=10000",
		"ANTEROOM_API_JOIN_PAGE_PER_MINUTE=10000", "ANTEROOM_API_GUEST_CALLS_PER_MINUTE=10000",
		"ANTEROOM_LOG_LEVEL=debug",
	}, more...)
}

var (
	// usualRig has the limits that everybody has.
	usualRig = &lazyRig{environ: wideLimits()}
	// hastyRig loses rigPatience soon, for the rules that are about waiting.
	hastyRig = &lazyRig{environ: wideLimits(
		"ANTEROOM_MEDIA_MEETING_RECONNECT_GRACE=4s", "ANTEROOM_MEDIA_MEETING_LOBBY_TIMEOUT=4s", "ANTEROOM_MEDIA_MEETING_EMPTY_TIMEOUT=1s",
	)}
)

// withRigs runs the tests, and then stops the rigs that were started.
type withRigs struct{ *testing.M }

func (m withRigs) Run() int {
	code := m.M.Run()
	for _, lazy := range []*lazyRig{usualRig, hastyRig} {
		if lazy.rig == nil {
			continue
		}
		if ended := lazy.rig.stop(); ended != 0 {
			fmt.Fprintf(os.Stderr, "the rig ended with exit code %d\n%s", ended, lazy.rig.stderr)
			code = max(code, 1)
		}
	}
	return code
}

func (l *lazyRig) get(t *testing.T) *rig {
	t.Helper()
	l.once.Do(func() { l.rig, l.err = startRig(l.environ) })
	if l.err != nil {
		t.Fatal(l.err)
	}
	return l.rig
}

// startRig starts `anteroom run` in a folder of its own.
func startRig(environ []string) (*rig, error) {
	dir, err := os.MkdirTemp("", "anteroom-rig-")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &rig{data: filepath.Join(dir, "data"), stderr: new(buffer), cancel: cancel, done: make(chan int, 1)}
	args := []string{"run", "--no-demo", "--data", r.data, "--listen", "127.0.0.1:0"}
	go func() { r.done <- run(ctx, args, environ, strings.NewReader(""), new(buffer), r.stderr) }()
	if r.url, err = awaitReady(r.data); err != nil {
		code := r.stop()
		return nil, fmt.Errorf("start rig (exit code %d): %w\n%s", code, err, r.stderr)
	}
	return r, nil
}

func (r *rig) stop() int {
	r.cancel()
	code := <-r.done
	_ = os.RemoveAll(filepath.Dir(r.data))
	return code
}

// fields are a JSON object.
type fields = map[string]any

// answer is what the API said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// code is the problem's, "" without one.
func (a answer) code() string {
	var problem struct {
		Code string `json:"code"`
	}
	_ = json.Unmarshal(a.body, &problem)
	return problem.Code
}

// read decodes the body.
func (a answer) read(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal(a.body, into); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
}

// ask makes a request of the API. Header lines are given as pairs.
func (r *rig) ask(t *testing.T, token, method, path string, body any, header ...string) answer {
	t.Helper()
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), method, r.url+path, bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, got}
}

// must fails the test unless the request is answered so.
func (r *rig) must(t *testing.T, want int, token, method, path string, body any, header ...string) answer {
	t.Helper()
	got := r.ask(t, token, method, path, body, header...)
	if got.status != want {
		t.Fatalf("%s %s: %d, want %d: %s", method, path, got.status, want, got.body)
	}
	return got
}

// eventually asks a question again and again until its answer is yes, and fails with the last answer.
func eventually(t *testing.T, what string, question func() (bool, string)) {
	t.Helper()
	for deadline := time.Now().Add(rigPatience); ; time.Sleep(30 * time.Millisecond) {
		yes, last := question()
		if yes {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not so after %s; last: %s", what, rigPatience, last)
		}
	}
}

// house is a test's own organisation, with an organiser.
type house struct {
	t   *testing.T
	rig *rig
	org string
	// admin's token.
	admin string
}

// organizer is the user who makes meetings.
const organizer = "olga"

// newHouse makes an organisation; more replaces fields of it.
func newHouse(t *testing.T, r *rig, more fields) *house {
	t.Helper()
	h := &house{t: t, rig: r, org: "org-" + strings.ToLower(rand.Text()[:12])}
	input := fields{"id": h.org, "name": "House of " + h.org, "region": config.Default().Ingest.Region}
	maps.Copy(input, more)
	r.must(t, http.StatusCreated, h.token("operator", "operator"), http.MethodPost, "/v1/organizations", input)
	h.admin = h.token("ann", "admin")
	h.user(organizer, nil)
	return h
}

// token of the development issuer, for a user of the organisation.
func (h *house) token(user string, roles ...string) string {
	h.t.Helper()
	token, err := devToken(tokenOptions{data: h.rig.data, org: h.org, user: user, roles: roles, ttl: time.Hour})
	if err != nil {
		h.t.Fatal(err)
	}
	return token
}

// user makes a user's row; the name is the id's.
func (h *house) user(id string, more fields) {
	h.t.Helper()
	input := fields{"name": id}
	maps.Copy(input, more)
	h.rig.must(h.t, http.StatusCreated, h.admin, http.MethodPut, "/v1/organizations/"+h.org+"/users/"+id, input)
}

// change patches a row with If-Match of what is there now.
func (h *house) change(path string, patch fields) {
	h.t.Helper()
	now := h.rig.must(h.t, http.StatusOK, h.admin, http.MethodGet, path, nil)
	h.rig.must(h.t, http.StatusOK, h.admin, http.MethodPatch, path, patch,
		"If-Match", now.header.Get("ETag"))
}

// changeUser replaces a user's row.
func (h *house) changeUser(id string, input fields) {
	h.t.Helper()
	path := "/v1/organizations/" + h.org + "/users/" + id
	now := h.rig.must(h.t, http.StatusOK, h.admin, http.MethodGet, path, nil)
	h.rig.must(h.t, http.StatusOK, h.admin, http.MethodPut, path, input, "If-Match", now.header.Get("ETag"))
}

// changeOrg patches the organisation.
func (h *house) changeOrg(patch fields) { h.t.Helper(); h.change("/v1/organizations/"+h.org, patch) }

// room is a meeting with the two parts of its link.
type room struct {
	house             *house
	id, secret, joins string
}

// meeting makes one of the organiser's; more sets fields of it.
func (h *house) meeting(more fields) *room {
	h.t.Helper()
	input := fields{"title": "Consultation"}
	maps.Copy(input, more)
	var made struct {
		ID      string `json:"id"`
		JoinURL string `json:"join_url"`
	}
	h.rig.must(h.t, http.StatusCreated, h.token(organizer, "org_user"), http.MethodPost, "/v1/meetings", input).read(h.t, &made)
	return h.room(made.ID, made.JoinURL)
}

// room takes a link apart.
func (h *house) room(id, link string) *room {
	h.t.Helper()
	_, secret, ok := strings.Cut(link, "#")
	if !ok || secret == "" {
		h.t.Fatalf("the link of meeting %s has no secret: %q", id, link)
	}
	return &room{house: h, id: id, secret: secret, joins: link}
}

// in is the meeting for a subtest.
func (m *room) in(t *testing.T) *room {
	h := *m.house
	h.t = t
	return &room{house: &h, id: m.id, secret: m.secret, joins: m.joins}
}

// change patches the meeting.
func (m *room) change(patch fields) { m.house.t.Helper(); m.house.change("/v1/meetings/"+m.id, patch) }

// application is a resource with its own key.
type application struct {
	t      *testing.T
	id     string
	signer jose.Signer
}

// application registers one; more replaces fields of it.
func (h *house) application(more fields) *application {
	h.t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		h.t.Fatal(err)
	}
	keys := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: public, KeyID: "k1", Algorithm: string(jose.EdDSA), Use: "sig"}}}
	input := fields{"name": "Patients' portal", "region": config.Default().Ingest.Region, "keys": keys}
	maps.Copy(input, more)
	app := &application{t: h.t}
	var made struct {
		ID string `json:"id"`
	}
	h.rig.must(h.t, http.StatusCreated, h.admin, http.MethodPost, "/v1/resources", input).read(h.t, &made)
	app.id = made.ID
	app.signer = signerOf(h.t, jose.EdDSA, private, "k1")
	return app
}

func signerOf(t *testing.T, algorithm jose.SignatureAlgorithm, key any, id string) jose.Signer {
	t.Helper()
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: id}}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// token for one of the application's users, good for one join; more replaces claims, nil takes them away.
func (a *application) token(subject string, more fields) string {
	a.t.Helper()
	return signed(a.t, a.signer, a.claims(subject, more))
}

func (a *application) claims(subject string, more fields) fields {
	now := time.Now()
	claims := fields{
		"iss": a.id, "aud": "anteroom", "sub": subject, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	}
	for name, value := range more {
		if value == nil {
			delete(claims, name)
			continue
		}
		claims[name] = value
	}
	return claims
}

func signed(t *testing.T, signer jose.Signer, claims fields) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	object, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	token, err := object.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

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

// rows asks for a part of a call that has ended, again and again until it matches, and returns it. Parts are "", "/participants", …
func rows[T any](h *house, call, part string, match func(T) bool) T {
	h.t.Helper()
	var got T
	eventually(h.t, "analytics of the call "+part, func() (bool, string) {
		a := h.rig.ask(h.t, h.admin, http.MethodGet, "/v1/calls/"+call+part, nil)
		if a.status != http.StatusOK {
			return false, fmt.Sprintf("%d %s", a.status, a.body)
		}
		var body T
		if err := json.Unmarshal(a.body, &body); err != nil {
			return false, err.Error()
		}
		got = body
		return match == nil || match(body), string(a.body)
	})
	return got
}

// records reads all records that are in a topic of the rig's broker now.
func (r *rig) records(t *testing.T, topic string) []kafkago.Message {
	t.Helper()
	c := client(t, r.data)
	connection, err := c.Dialer().DialContext(t.Context(), "tcp", c.Brokers()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	partitions, err := connection.ReadPartitions(topic)
	if err != nil {
		t.Fatal(err)
	}
	var out []kafkago.Message
	for _, partition := range partitions {
		out = append(out, r.partition(t, topic, partition.ID)...)
	}
	return out
}

func (r *rig) partition(t *testing.T, topic string, partition int) []kafkago.Message {
	t.Helper()
	c := client(t, r.data)
	leader, err := c.Dialer().DialLeader(t.Context(), "tcp", c.Brokers()[0], topic, partition)
	if err != nil {
		t.Fatal(err)
	}
	defer leader.Close()
	first, last, err := leader.ReadOffsets()
	if err != nil {
		t.Fatal(err)
	}
	reader := kafkago.NewReader(kafkago.ReaderConfig{
		Brokers: c.Brokers(), Topic: topic, Partition: partition, Dialer: c.Dialer(), MaxWait: 100 * time.Millisecond,
	})
	defer reader.Close()
	if err := reader.SetOffset(first); err != nil {
		t.Fatal(err)
	}
	var out []kafkago.Message
	for next := first; next < last; {
		ctx, cancel := context.WithTimeout(t.Context(), rigPatience)
		m, err := reader.ReadMessage(ctx)
		cancel()
		if err != nil {
			t.Fatalf("read %s/%d at %d of %d: %v", topic, partition, next, last, err)
		}
		out, next = append(out, m), m.Offset+1
	}
	return out
}

// events are the durable events of a call in Kafka, in the order of each partition.
func (r *rig) events(t *testing.T, call string) []*eventpb.Event {
	t.Helper()
	var out []*eventpb.Event
	for _, m := range r.records(t, event.Topic(config.Default().Ingest.Region, event.Durable)) {
		e, err := event.Decode(m.Value)
		if err != nil {
			t.Fatalf("decode record of %s: %v", m.Topic, err)
		}
		if e.GetCallId() == call {
			out = append(out, e)
		}
	}
	return out
}
