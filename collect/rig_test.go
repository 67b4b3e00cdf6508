package collect_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/collect"
	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/ingest"
	"github.com/anteroom/anteroom/ingest/label"
	"github.com/anteroom/anteroom/internal/embedded/embeddedtest"
	"github.com/anteroom/anteroom/internal/kafka"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

func TestMain(m *testing.M) { embeddedtest.Main(m) }

// rig is a collector on a real broker, whose events a real ingest stores in a real ClickHouse.
type rig struct {
	t         *testing.T
	url       string
	collector *collect.Collector
	reader    *store.Reader
	metrics   *prometheus.Registry
	log       *bytes.Buffer
	stop      func()

	mu   sync.Mutex
	now  time.Time       // guarded by mu; zero: the real time
	used map[string]bool // guarded by mu: tokens
}

// clinic is the resource whose guests the rig's tokens are of; "far" tokens are of a resource that nobody knows.
var clinic = directory.Resource{ID: "5f6d0d5c-8f0e-4c9e-9a40-2f4f6c6b7a11", Org: "contoso", Region: "amer", Origins: []string{"https://portal.example"}}

func newRig(t *testing.T, change func(*collect.Config, *collect.Deps)) *rig {
	t.Helper()
	r := &rig{t: t, used: map[string]bool{}, metrics: prometheus.NewRegistry(), log: new(bytes.Buffer)}
	broker := embeddedtest.Broker(t)
	kafkaConfig := kafka.DefaultConfig()
	kafkaConfig.Brokers = []string{broker.Addr}
	kafkaConfig.SASL = kafka.SASLConfig{Mechanism: broker.Mechanism, Username: broker.User, Password: broker.Password}
	client, err := kafka.New(kafkaConfig)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	storage := storetest.New(t)
	r.reader = store.NewReader(storage, store.QueryLimits{})
	keys, err := label.NewKeyring([]byte(strings.Repeat("k", label.MinKeyLen)))
	if err != nil {
		t.Fatal(err)
	}
	var suffix [6]byte
	rand.Read(suffix[:])
	ingestConfig := ingest.DefaultConfig()
	ingestConfig.Region = "t" + hex.EncodeToString(suffix[:])
	ingestConfig.Group = "ingest-" + ingestConfig.Region
	ingestConfig.FlushInterval = 50 * time.Millisecond
	if err := ingest.EnsureTopics(t.Context(), client, ingestConfig); err != nil {
		t.Fatal(err)
	}
	worker, err := ingest.New(ingestConfig, ingest.Deps{
		Kafka: client, Store: storage, Keys: keys, Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	runUntilEnd(t, worker.Run)

	producer := client.NewProducer()
	t.Cleanup(func() { _ = producer.Close() })
	cfg := collect.DefaultConfig()
	deps := collect.Deps{
		Region: ingestConfig.Region, Producer: producer, Keys: keys, Guests: r, Resources: r, Addresses: everybody{},
		AddressOf: func(*http.Request) netip.Addr { return netip.Addr{} }, Registry: r.metrics, Now: r.clock,
		Log: slog.New(slog.NewTextHandler(&locked{w: r.log}, nil)),
	}
	if change != nil {
		change(&cfg, &deps)
	}
	if r.collector, err = collect.New(cfg, deps); err != nil {
		t.Fatal(err)
	}
	r.stop = runUntilEnd(t, r.collector.Run)
	server := httptest.NewServer(r.collector)
	t.Cleanup(server.Close)
	r.url = "ws" + strings.TrimPrefix(server.URL, "http") + collect.Path
	return r
}

// runUntilEnd runs something until the test ends, or until the returned function is called, which waits for it.
func runUntilEnd(t *testing.T, run func(context.Context) error) func() {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("it ended with: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

type everybody struct{}

func (everybody) Allow(netip.Addr) bool { return true }

type locked struct {
	mu sync.Mutex
	w  *bytes.Buffer // guarded by mu
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// Guest implements collect.Guests: tokens begin with "good" or "far", and each works once.
func (r *rig) Guest(_ context.Context, token string) (identity.Principal, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case token == "":
		return identity.Principal{}, &identity.Error{Reason: identity.TokenMissing, Detail: "there is no token"}
	case r.used[token]:
		return identity.Principal{}, &identity.Error{Reason: identity.TokenReplayed, Detail: "the token was used before"}
	case strings.HasPrefix(token, "far"):
		r.used[token] = true
		return identity.Principal{Roles: []identity.Role{identity.Guest}, Subject: "sam-4711", Resource: "nobody"}, nil
	case strings.HasPrefix(token, "good"):
		r.used[token] = true
		return identity.Principal{Roles: []identity.Role{identity.Guest}, Subject: "sam-4711", Resource: clinic.ID}, nil
	}
	return identity.Principal{}, &identity.Error{Reason: identity.TokenSignature, Detail: "the signature is wrong"}
}

// Resource implements collect.Resources.
func (r *rig) Resource(_ context.Context, id string) (directory.Resource, bool, error) {
	return clinic, id == clinic.ID, nil
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now.IsZero() {
		return time.Now()
	}
	return r.now
}

// forward turns the collector's clock.
func (r *rig) forward(d time.Duration) {
	now := r.clock()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = now.Add(d)
}

// client is a connection as an rtcstats client has it.
type client struct {
	r    *rig
	ws   *websocket.Conn
	call string
	// number of the last message, of Jitsi's dialect.
	number int
	id     string
}

// dial connects with a token; more are pairs of header lines.
func (r *rig) dial(path, protocol string, header ...string) *websocket.Conn {
	r.t.Helper()
	h := http.Header{"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"}}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	ws, _, err := websocket.Dial(r.t.Context(), r.url+path, &websocket.DialOptions{Subprotocols: []string{protocol}, HTTPHeader: h})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = ws.CloseNow() })
	return ws
}

// jitsi connects as Jitsi's client does: the token is the end of the path. It waits for what the server says first.
func (r *rig) jitsi(token, id string, reconnect bool) (*client, int) {
	r.t.Helper()
	c := &client{r: r, id: id, ws: r.dial(fmt.Sprintf("/%s?statsSessionId=%s&isReconnect=%v", token, id, reconnect), "3.1_STANDARD")}
	first := c.sn()
	if first.State != "initial" {
		r.t.Fatalf("the first message is %+v", first)
	}
	c.call = c.callID()
	return c, first.Value
}

// numbered is an sn message.
type numbered struct {
	Value int
	State string
}

// next reads one message of a type.
func (c *client) next(typ string, body any) {
	c.r.t.Helper()
	_, data, err := c.ws.Read(c.r.t.Context())
	if err != nil {
		c.r.t.Fatalf("wait for %s: %v", typ, err)
	}
	var m struct {
		Type string
		Body json.RawMessage
	}
	if json.Unmarshal(data, &m) != nil || m.Type != typ || json.Unmarshal(m.Body, body) != nil {
		c.r.t.Fatalf("%s, want a message of type %s", data, typ)
	}
}

func (c *client) sn() numbered {
	c.r.t.Helper()
	var out numbered
	c.next("sn", &out)
	return out
}

func (c *client) callID() string {
	c.r.t.Helper()
	var out struct {
		CallID      string `json:"call_id"`
		SupportCode string `json:"support_code"`
	}
	c.next("call", &out)
	if !strings.HasPrefix(out.SupportCode, out.CallID+"/") {
		c.r.t.Errorf("support code %q of call %q", out.SupportCode, out.CallID)
	}
	return out.CallID
}

// entry sends one entry as Jitsi's client does, and returns it, to be sent again.
func (c *client) entry(method, pc, value string, at time.Time) string {
	c.r.t.Helper()
	c.number++
	peer := "null"
	if pc != "" {
		peer = `"` + pc + `"`
	}
	data := fmt.Sprintf(`[%q,%s,%s,%d,%d]`, method, peer, value, at.UnixMilli(), c.number)
	message, err := json.Marshal(map[string]any{"statsSessionId": c.id, "type": "stats-entry", "data": data})
	if err != nil {
		c.r.t.Fatal(err)
	}
	c.send(string(message))
	return string(message)
}

func (c *client) send(text string) {
	c.r.t.Helper()
	if err := c.ws.Write(c.r.t.Context(), websocket.MessageText, []byte(text)); err != nil {
		c.r.t.Fatal(err)
	}
}

// audio is statistics of one audio stream, whole or only what changed.
func audio(packets, lost int, whole bool) string {
	changed := fmt.Sprintf(`"timestamp":0,"packetsReceived":%d,"packetsLost":%d,"bytesReceived":%d`, packets, lost, packets*100)
	if whole {
		changed += `,"type":"inbound-rtp","kind":"audio","ssrc":7,"jitter":0.016`
	}
	return `{"IT01":{` + changed + `}}`
}

// closed reads until the connection is closed.
func closed(t *testing.T, ws *websocket.Conn) (websocket.StatusCode, string) {
	t.Helper()
	for {
		_, _, err := ws.Read(t.Context())
		var ended websocket.CloseError
		if err == nil {
			continue
		}
		if !asClose(err, &ended) {
			t.Fatalf("the connection ended with: %v", err)
		}
		return ended.Code, ended.Reason
	}
}

// eventually asks for a call until it is as wanted.
func (r *rig) eventually(call, what string, good func(*store.Record) bool) *store.Record {
	r.t.Helper()
	var last *store.Record
	for range 400 {
		records, err := r.reader.Load(r.t.Context(), []store.CallKey{{Org: clinic.Org, CallID: call}})
		if err != nil {
			r.t.Fatal(err)
		}
		if last = records[0]; last != nil && good(last) {
			return last
		}
		time.Sleep(50 * time.Millisecond)
	}
	r.t.Fatalf("%s: not so; last: %+v", what, last)
	return nil
}

// metric is one counter's or gauge's value.
func (r *rig) metric(name, label string) float64 {
	r.t.Helper()
	families, err := r.metrics.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	sum := 0.0
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == name && (label == "" || m.GetLabel()[0].GetValue() == label) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

func (r *rig) await(what string, yes func() bool) {
	r.t.Helper()
	for range 400 {
		if yes() {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	r.t.Fatalf("%s: not so", what)
}
