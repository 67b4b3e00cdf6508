package webhook

import (
	"context"
	"crypto/hmac"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
)

const secret = "0123456789abcdef"

// quick is a configuration that tries again at once.
func quick() Config {
	return Config{AllowPrivate: true, FirstPause: time.Millisecond, MaxPause: 2 * time.Millisecond, Attempts: 3}
}

// run starts a sender; the function it returns ends it and waits.
func run(t *testing.T, cfg Config) (*Sender, func()) {
	t.Helper()
	s, err := New(cfg, Deps{Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	var done atomic.Bool
	end := func() {
		if done.Swap(true) {
			return
		}
		stop()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	}
	t.Cleanup(end)
	return s, end
}

// count reads a counter.
func count(t *testing.T, c prometheus.Counter) float64 {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	if err := r.Register(c); err != nil {
		t.Fatal(err)
	}
	all, err := r.Gather()
	if err != nil || len(all) != 1 {
		t.Fatalf("gather: %v, %v", all, err)
	}
	return all[0].GetMetric()[0].GetCounter().GetValue()
}

// received is one request that a target got.
type received struct {
	header http.Header
	body   []byte
}

// target is a server that answers with the statuses in turn, then 200, and hands over what it gets.
func target(t *testing.T, statuses ...int) (*httptest.Server, chan received) {
	t.Helper()
	got := make(chan received, 100)
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read delivery: %v", err)
		}
		got <- received{r.Header, body}
		if i := int(n.Add(1)); i <= len(statuses) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(statuses[i-1])
		}
	}))
	t.Cleanup(server.Close)
	return server, got
}

// verify is what a target does: it is written after the package's documentation, not with its code.
func verify(header, secret string, body []byte) error {
	var at, mac string
	for _, part := range strings.Split(header, ",") {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "t":
			at = value
		case "v1":
			mac = value
		}
	}
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || time.Since(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
		return fmt.Errorf("time %q", at)
	}
	want := Sign(secret, time.Unix(seconds, 0), body)
	if !hmac.Equal([]byte(want), []byte("t="+at+",v1="+mac)) {
		return errors.New("signature is wrong")
	}
	return nil
}

func TestDeliveryIsSignedAndTriedAgain(t *testing.T) {
	server, got := target(t, 500, 302)
	s, _ := run(t, quick())
	event := Event{
		ID: uuid.New(), Kind: "meeting_started", At: time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC), Organization: "contoso", MeetingID: "m", CallID: "c",
	}
	s.Send([]Target{{URL: server.URL + "/hook", Secret: secret, Events: []string{"meeting_started"}}}, event)
	var bodies []string
	for range 3 {
		r := <-got
		bodies = append(bodies, string(r.body))
		if err := verify(r.header.Get(SignatureHeader), secret, r.body); err != nil {
			t.Error(err)
		}
		if verify(r.header.Get(SignatureHeader), "another", r.body) == nil || verify(r.header.Get(SignatureHeader), secret, append(r.body, ' ')) == nil {
			t.Error("the signature holds for another secret or body")
		}
		if r.header.Get(EventIDHeader) != event.ID.String() || r.header.Get(EventHeader) != event.Kind {
			t.Errorf("headers %v", r.header)
		}
	}
	if bodies[0] != bodies[1] || bodies[1] != bodies[2] {
		t.Errorf("the attempts differ: %v", bodies)
	}
	var read Event
	if err := json.Unmarshal([]byte(bodies[0]), &read); err != nil || cmp.Diff(event, read) != "" {
		t.Errorf("body: %v %s", err, cmp.Diff(event, read))
	}
}

func TestSignatureIsAsDocumented(t *testing.T) {
	// From: printf '1772625600.{}' | openssl dgst -sha256 -hmac 0123456789abcdef
	const want = "t=1772625600,v1=d72c533bbd5f46a77185befd3a07e8da49f7287f2aba11da6bae99aa7781a7f0"
	if got := Sign(secret, time.Unix(1772625600, 0), []byte("{}")); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestUnwantedEventsAreNotSent(t *testing.T) {
	server, got := target(t)
	s, _ := run(t, quick())
	to := []Target{{URL: server.URL, Secret: secret, Events: []string{"meeting_ended"}}}
	s.Send(to, Event{Kind: "meeting_started"})
	s.Send(to, Event{Kind: "meeting_ended"})
	if r := <-got; r.header.Get(EventHeader) != "meeting_ended" {
		t.Errorf("first delivery is %v", r.header)
	}
}

func TestADeadTargetHoldsUpNoOther(t *testing.T) {
	block := make(chan struct{})
	reached := make(chan struct{}, 1)
	dead := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		reached <- struct{}{}
		select {
		case <-block:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(dead.Close)
	t.Cleanup(func() { close(block) })
	server, got := target(t)
	cfg := quick()
	cfg.StopTimeout = time.Millisecond
	s, _ := run(t, cfg)
	s.Send([]Target{{URL: dead.URL, Secret: secret}}, Event{Kind: "a"})
	<-reached
	for range 20 {
		s.Send([]Target{{URL: dead.URL, Secret: secret}, {URL: server.URL, Secret: secret}}, Event{Kind: "b"})
	}
	for range 20 {
		<-got
	}
}

func TestAFullQueueDropsAndCounts(t *testing.T) {
	cfg := quick()
	cfg.Queue, cfg.MaxTargets = 2, 1
	s, err := New(cfg, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 { // Nothing runs, so nothing is taken out.
		s.Send([]Target{{URL: "http://127.0.0.1:1", Secret: secret}}, Event{Kind: "a"})
	}
	s.Send([]Target{{URL: "http://127.0.0.1:2", Secret: secret}}, Event{Kind: "a"}) // One target too many.
	if got := count(t, s.dropped); got != 4 {
		t.Errorf("%v dropped, want 4", got)
	}
}

func TestGivenUpAfterSoManyAttempts(t *testing.T) {
	server, got := target(t, 500, 410, 503)
	s, _ := run(t, quick())
	s.Send([]Target{{URL: server.URL, Secret: secret}}, Event{Kind: "first"})
	s.Send([]Target{{URL: server.URL, Secret: secret}}, Event{Kind: "second"})
	for i, want := range []string{"first", "first", "first", "second"} {
		if r := <-got; r.header.Get(EventHeader) != want {
			t.Errorf("request %d is %s, want %s", i, r.header.Get(EventHeader), want)
		}
	}
}

func TestWhatIsQueuedAtTheStopIsTriedOnce(t *testing.T) {
	server, got := target(t)
	s, err := New(quick(), Deps{})
	if err != nil {
		t.Fatal(err)
	}
	to := []Target{{URL: server.URL, Secret: secret}}
	s.Send(to, Event{Kind: "a"})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	<-got
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	s.Send(to, Event{Kind: "late"})
	if n := count(t, s.dropped); n != 1 || len(got) != 0 {
		t.Errorf("%v dropped, %d delivered after the stop", n, len(got))
	}
}

func TestInnerAddressesAreNotReached(t *testing.T) {
	var reached atomic.Int64
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) })
	plain, secure := httptest.NewServer(handler), httptest.NewTLSServer(handler)
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	cfg := quick()
	cfg.AllowPrivate = false
	s, err := New(cfg, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	port := secure.URL[strings.LastIndex(secure.URL, ":"):]
	for _, test := range []struct {
		url  string
		want error
	}{
		{plain.URL, errNotHTTPS},
		{secure.URL, errInner},
		{"https://localhost" + port, errInner}, // A name is looked up first, and refused for what it means.
		{"https://[::1]" + port, errInner},
		{"https://[::ffff:127.0.0.1]" + port, errInner},
		{"https://0.0.0.0" + port, errInner},
		{"https://169.254.169.254/latest/meta-data", errInner},
		{"https://10.0.0.1/", errInner},
	} {
		w := &worker{sender: s, target: Target{URL: test.url, Secret: secret}}
		if err := w.post(t.Context(), delivery{id: "x", kind: "a", body: []byte("{}")}); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.url, err, test.want)
		}
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("%d requests reached this machine", n)
	}
}

func TestOuter(t *testing.T) {
	for text, want := range map[string]bool{
		"93.184.216.34": true, "2606:2800:220:1::1": true, "::ffff:93.184.216.34": true,
		"127.0.0.1": false, "::1": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false, "100.64.0.1": false, "169.254.1.1": false,
		"0.0.0.0": false, "255.255.255.255": false, "224.0.0.1": false, "198.18.0.1": false, "::": false, "fe80::1": false, "fe80::1%eth0": false,
		"fd00::1": false, "ff02::1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "2001:db8::1": false, "::ffff:10.0.0.1": false, "2001::1": false,
	} {
		if got := outer(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestConfig(t *testing.T) {
	for field, cfg := range map[string]Config{
		"timeout": {Timeout: -1}, "attempts": {Attempts: -1}, "queue": {Queue: 1 << 20}, "first_pause": {FirstPause: time.Hour}, "max_targets": {MaxTargets: -3},
	} {
		if _, err := New(cfg, Deps{}); err == nil || !strings.Contains(err.Error(), field+": ") {
			t.Errorf("%s: %v", field, err)
		}
	}
}
