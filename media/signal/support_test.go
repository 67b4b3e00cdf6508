package signal_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/identity/devissuer"
	"github.com/anteroom/anteroom/media"
	"github.com/anteroom/anteroom/media/client"
	"github.com/anteroom/anteroom/media/forward"
	"github.com/anteroom/anteroom/media/meeting"
	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/media/signal"
	"github.com/anteroom/anteroom/policy"
)

// recorder keeps what is recorded: Kafka is not for this room to import.
type recorder struct {
	mu     sync.Mutex
	events []*eventpb.Event // guarded by mu
	broken bool             // guarded by mu
}

var errKafka = errors.New("no acknowledgement")

func (r *recorder) Record(_ context.Context, e *eventpb.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken {
		return errKafka
	}
	r.events = append(r.events, e)
	return nil
}

func (r *recorder) Offer(e *eventpb.Event) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	return true
}

func (r *recorder) breakDown(broken bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken = broken
}

// calls are the calls that were started, and those that were ended.
func (r *recorder) calls() (started, ended []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		switch e.GetPayload().(type) {
		case *eventpb.Event_CallStarted:
			started = append(started, e.GetCallId())
		case *eventpb.Event_CallEnded:
			ended = append(ended, e.GetCallId())
		}
	}
	return started, ended
}

// control has the meetings' rows: the registry, over the store, is not for this room to import.
type control struct {
	mu       sync.Mutex
	meetings map[string]meeting.Facts // guarded by mu
	watchers []func(string)           // guarded by mu
	origins  []string                 // guarded by mu
	// elsewhere: resources are of a region that isn't here. Set before anybody joins.
	elsewhere bool
}

func (c *control) Meeting(id string) (meeting.Facts, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	facts, ok := c.meetings[id]
	return facts, ok
}

func (c *control) Region(string) (string, bool) { return "emea", !c.elsewhere }

func (c *control) Watch(f func(string)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watchers = append(c.watchers, f)
}

func (c *control) change(id string, f func(*meeting.Facts)) {
	c.mu.Lock()
	facts := c.meetings[id]
	f(&facts)
	c.meetings[id] = facts
	watchers := c.watchers
	c.mu.Unlock()
	for _, w := range watchers {
		w(id)
	}
}

func (c *control) OriginAllowed(_, _, origin string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.origins {
		if o == origin {
			return true
		}
	}
	return false
}

// sealer forgets what it is given: what is sealed is tried in package meeting and with the whole service.
type sealer struct{}

func (sealer) Seal(region string, _, _ []byte) (keyID string, sealed []byte, err error) {
	return region + "-key", []byte("sealed"), nil
}

// orgs is what identity reads of organisations.
type orgs struct{}

func (orgs) OrganizationsByIssuer(context.Context, string) ([]directory.Organization, error) {
	return nil, nil
}

func (orgs) Organization(_ context.Context, id string) (directory.Organization, bool, error) {
	return directory.Organization{ID: id, Kind: directory.KindWork, Region: "emea"}, id == "contoso" || id == "fabrikam", nil
}

func (orgs) Resource(context.Context, string) (directory.Resource, bool, error) {
	return directory.Resource{}, false, nil
}

func (orgs) SessionEnded(context.Context, string, string, string) (bool, error) { return false, nil }

func (orgs) EndSession(context.Context, string, string, string, time.Time) error { return nil }

// world is a service with everything that this room may import: identity, policy, meetings, media and connections.
type world struct {
	t        testing.TB
	cfg      media.Config
	signal   signal.Config
	control  *control
	recorder *recorder
	verifier *identity.Verifier
	issuer   *devissuer.Issuer
	engine   *policy.Engine
	registry *prometheus.Registry
	session  *identity.Principal
	ready    func() error
	// writeBuffer of the server's sockets, in bytes; 0: the system's.
	writeBuffer int

	node    *media.Node
	handler *signal.Handler
	server  *httptest.Server
	stop    func() error
}

// newWorld starts a service; change may alter what it is configured with.
func newWorld(t testing.TB, change ...func(*world)) *world {
	t.Helper()
	w := &world{
		t: t, recorder: &recorder{}, control: &control{meetings: map[string]meeting.Facts{}},
		cfg:    media.Config{Meeting: meeting.Config{ReconnectGrace: 5 * time.Second}, JoinsPerAddress: 1000, JoinBurstPerAddress: 2000, RenewTokens: time.Second},
		signal: signal.Config{ConnectionsPerAddress: 2000, ConnectionBurstPerAddress: 4000},
	}
	for _, f := range change {
		f(w)
	}
	issuers := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.issuer.Handler().ServeHTTP(rw, r) }))
	t.Cleanup(issuers.Close)
	var err error
	if w.issuer, err = devissuer.Open(devissuer.Config{URL: issuers.URL + "/dev-issuer", Folder: t.TempDir()}, devissuer.Deps{}); err != nil {
		t.Fatal(err)
	}
	w.verifier, err = identity.New(identity.Config{StateFolder: t.TempDir(), DevelopmentIssuer: issuers.URL + "/dev-issuer"}, identity.Deps{Directory: orgs{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.verifier.Close() })
	if w.engine, err = policy.New(policy.Config{}, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	w.start()
	t.Cleanup(func() { _ = w.stop() })
	return w
}

// start starts the node and its door; after stop it is the next process.
func (w *world) start() {
	w.t.Helper()
	server, err := forward.New(w.cfg.Forward)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := server.Listen(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.registry = prometheus.NewRegistry()
	w.node, err = media.New(w.cfg, media.Deps{
		Decider: w.engine, Recorder: w.recorder, Sealer: sealer{}, Forward: server, Authenticator: w.verifier,
		Control: w.control, Origins: w.control, Links: w.verifier, Tokens: w.verifier, Gone: w.verifier, Registry: w.registry,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.engine.OnChange(w.node.PolicyChanged)
	w.handler, err = signal.New(w.signal, signal.Deps{
		Node: w.node, Registry: w.registry,
		Session: func(*http.Request) *identity.Principal { return w.session }, Ready: w.ready,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/v1/connect", w.handler)
	w.server = httptest.NewUnstartedServer(mux)
	w.server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if tcp, ok := c.(*net.TCPConn); ok && w.writeBuffer > 0 {
			_ = tcp.SetWriteBuffer(w.writeBuffer)
		}
		return ctx
	}
	w.server.Start()
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- w.node.Run(ctx) }()
	w.stop = sync.OnceValue(func() error {
		cancel()
		err := <-ran
		limited, done := context.WithTimeout(context.Background(), 15*time.Second)
		defer done()
		err = errors.Join(err, w.handler.Shutdown(limited))
		w.server.Close()
		return err
	})
}

// meeting makes a meeting and returns what its link has.
func (w *world) meeting(change ...func(*meeting.Facts)) (id, secret string) {
	w.t.Helper()
	id = uuid.NewString()
	facts := meeting.Facts{
		Organization: directory.Organization{ID: "contoso", Name: "Contoso", Kind: directory.KindWork, Region: "emea"},
		Meeting:      directory.Meeting{ID: id, Org: "contoso", Title: "Weekly", Kind: directory.MeetingScheduled, Organizer: "olga", LinkVersion: 1},
	}
	for _, f := range change {
		f(&facts)
	}
	w.control.mu.Lock()
	w.control.meetings[id] = facts
	w.control.mu.Unlock()
	return id, w.verifier.LinkSecret(id, 1)
}

// guest is the join of a guest of the join page.
func (w *world) guest(id, secret, name string) protocol.Join {
	w.t.Helper()
	token, err := w.verifier.SignGuest()
	if err != nil {
		w.t.Fatal(err)
	}
	return protocol.Join{Meeting: id, Secret: secret, GuestToken: token, DisplayName: name}
}

// user is the join of a user of an organisation.
func (w *world) user(org, id, secret, user string) protocol.Join {
	w.t.Helper()
	token, err := w.issuer.Token(org, []identity.Role{identity.OrgUser}, user, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return protocol.Join{Meeting: id, Secret: secret, UserToken: token}
}

func (w *world) url() string { return w.server.URL + "/v1/connect" }

// context bounds one test.
func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// dial connects a client.
func (w *world) dial(ctx context.Context, change ...func(*client.Options)) *client.Client {
	w.t.Helper()
	var opts client.Options
	for _, f := range change {
		f(&opts)
	}
	c, err := client.Dial(ctx, w.url(), opts)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Close)
	return c
}

// join connects a client and joins.
func (w *world) join(ctx context.Context, req protocol.Join) (*client.Client, protocol.Joined) {
	w.t.Helper()
	c := w.dial(ctx)
	joined, err := c.Join(ctx, req)
	if err != nil {
		w.t.Fatal(err)
	}
	return c, joined
}

// reason is why a request was refused; "" when it was not, "?" for other errors.
func reason(err error) string {
	var refused *protocol.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &refused):
		return refused.Reason
	default:
		return "? " + err.Error()
	}
}

// next waits for an event and reads it.
func next[T any](ctx context.Context, t testing.TB, c *client.Client, typ string) T {
	t.Helper()
	var body T
	e, err := c.Next(ctx, typ)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Decode(&body); err != nil {
		t.Fatal(err)
	}
	return body
}

// closed waits for the end of a connection and returns its close code.
func closed(ctx context.Context, t testing.TB, c *client.Client) int {
	t.Helper()
	select {
	case <-c.Disconnected():
		return c.CloseCode()
	case <-ctx.Done():
		t.Fatal("the connection was not closed")
		return 0
	}
}
