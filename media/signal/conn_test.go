package signal_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/media/client"
	"github.com/anteroom/anteroom/media/protocol"
)

// raw connects without a client library.
func (w *world) raw(ctx context.Context, subprotocols ...string) *websocket.Conn {
	w.t.Helper()
	ws, _, err := websocket.Dial(ctx, w.url(), &websocket.DialOptions{Subprotocols: subprotocols})
	if err != nil {
		w.t.Fatal(err)
	}
	ws.SetReadLimit(8 << 20)
	w.t.Cleanup(func() { _ = ws.CloseNow() })
	return ws
}

func send(ctx context.Context, t testing.TB, ws *websocket.Conn, text string) {
	t.Helper()
	if err := ws.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func read(ctx context.Context, t testing.TB, ws *websocket.Conn) protocol.Frame {
	t.Helper()
	_, data, err := ws.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var f protocol.Frame
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

// code reads until the connection is closed.
func code(ctx context.Context, ws *websocket.Conn) (websocket.StatusCode, []protocol.Frame) {
	var frames []protocol.Frame
	for {
		_, data, err := ws.Read(ctx)
		if err != nil {
			return websocket.CloseStatus(err), frames
		}
		var f protocol.Frame
		if json.Unmarshal(data, &f) == nil {
			frames = append(frames, f)
		}
	}
}

// While it isn't known yet which meetings there are, nobody is told that one isn't there: clients are to try again.
func TestConnectionsAreRefusedUntilMeetingsAreKnown(t *testing.T) {
	var known atomic.Bool
	ctx, w := testContext(t), newWorld(t, func(w *world) {
		w.ready = func() error {
			if !known.Load() {
				return errors.New("the directory has not been read yet")
			}
			return nil
		}
	})
	_, resp, err := websocket.Dial(ctx, w.url(), &websocket.DialOptions{Subprotocols: []string{protocol.Subprotocol}})
	if err == nil || resp == nil || resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("before anything is known: %v, %v", resp, err)
	}
	known.Store(true)
	w.raw(ctx, protocol.Subprotocol)
}

func TestFrames(t *testing.T) {
	ctx, w := testContext(t), newWorld(t)
	ws := w.raw(ctx, protocol.Subprotocol)
	for _, c := range []struct {
		name, send string
		id         uint64
		reason     string
		field      string
	}{
		{"a ping", `{"type":"ping","id":1}`, 1, "", ""},
		{"no JSON", `{"type":`, 0, protocol.ReasonMalformed, ""},
		{"no object", `[1,2]`, 0, protocol.ReasonMalformed, ""},
		{"nothing", ``, 0, protocol.ReasonMalformed, ""},
		{"no UTF-8", "{\"type\":\"\xff\xfe\",\"id\":2}", 2, protocol.ReasonMalformed, ""},
		{"half a surrogate pair", `{"type":"ping","id":3,"body":{"text":"a\ud83d"}}`, 3, protocol.ReasonMalformed, ""},
		{"a surrogate pair", `{"type":"ping","id":4,"body":{"text":"\ud83d\udc4b \\ud83d"}}`, 4, "", ""},
		{"no id", `{"type":"ping"}`, 0, protocol.ReasonMalformed, "id"},
		{"negative id", `{"type":"ping","id":-1}`, 0, protocol.ReasonMalformed, ""},
		{"id too large", `{"type":"ping","id":9007199254740992}`, 0, protocol.ReasonMalformed, "id"},
		{"id of before", `{"type":"ping","id":2}`, 0, protocol.ReasonMalformed, "id"},
		{"no type", `{"id":5}`, 5, protocol.ReasonMalformed, "type"},
		{"unknown type", `{"type":"self_destruct","id":6}`, 6, protocol.ReasonUnknownType, ""},
		{"event as a request", `{"type":"notice","id":7}`, 7, protocol.ReasonUnknownType, ""},
		{"not joined", `{"type":"roster","id":8}`, 8, protocol.ReasonNotJoined, ""},
		{"body of the wrong kind", `{"type":"join","id":9,"body":[]}`, 9, protocol.ReasonInvalidField, ""},
		{"field of the wrong kind", `{"type":"join","id":10,"body":{"meeting":7}}`, 10, protocol.ReasonInvalidField, "meeting"},
		{"no token", `{"type":"resume","id":11}`, 11, protocol.ReasonInvalidField, "resume_token"},
		{"token is nonsense", `{"type":"resume","id":12,"body":{"resume_token":"x"}}`, 12, protocol.ReasonInvalidToken, "resume_token"},
		{"deep nesting", `{"type":"ping","id":13,"body":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, 0, protocol.ReasonMalformed, ""},
		{"still there", `{"type":"ping","id":14}`, 14, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			send(ctx, t, ws, c.send)
			f := read(ctx, t, ws)
			got := protocol.Frame{Type: f.Type, ID: f.ID, Error: f.Error}
			want := protocol.Frame{Type: protocol.Reply, ID: c.id}
			if c.reason != "" {
				want.Error = &protocol.Error{Reason: c.reason, Field: c.field}
			}
			if got.Error != nil {
				if got.Error.Message == "" {
					t.Error("no message")
				}
				got.Error.Message = ""
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("reply (-want +got):\n%s", diff)
			}
		})
	}
	if got := w.metric("anteroom_signal_requests_total", "type", "unknown"); got == 0 {
		t.Error("what is unknown is not counted as such")
	}
	if got := w.metric("anteroom_signal_requests_total", "type", "self_destruct"); got != 0 {
		t.Error("a client's word is a label")
	}
}

func TestConnectionsThatAreClosed(t *testing.T) {
	ctx := testContext(t)
	t.Run("binary frame", func(t *testing.T) {
		w := newWorld(t)
		ws := w.raw(ctx, protocol.Subprotocol)
		if err := ws.Write(ctx, websocket.MessageBinary, []byte("{}")); err != nil {
			t.Fatal(err)
		}
		if got, _ := code(ctx, ws); got != websocket.StatusUnsupportedData {
			t.Errorf("closed with %d", got)
		}
	})
	t.Run("too large", func(t *testing.T) {
		w := newWorld(t)
		ws := w.raw(ctx, protocol.Subprotocol)
		send(ctx, t, ws, `{"type":"ping","id":1,"body":"`+strings.Repeat("a", protocol.MaxFrameBytes-32)+`"}`)
		if f := read(ctx, t, ws); f.ID != 1 || f.Error != nil {
			t.Errorf("a frame of the largest size: %+v", f)
		}
		_ = ws.Write(ctx, websocket.MessageText, []byte(`{"type":"ping","id":2,"body":"`+strings.Repeat("a", protocol.MaxFrameBytes)+`"}`))
		if got, _ := code(ctx, ws); got != websocket.StatusMessageTooBig {
			t.Errorf("closed with %d", got)
		}
	})
	t.Run("other subprotocol", func(t *testing.T) {
		w := newWorld(t)
		if got, _ := code(ctx, w.raw(ctx, "soap")); got != websocket.StatusProtocolError {
			t.Errorf("closed with %d", got)
		}
	})
	t.Run("no join in time", func(t *testing.T) {
		w := newWorld(t, func(w *world) { w.signal.JoinTimeout = 100 * time.Millisecond })
		got, frames := code(ctx, w.raw(ctx, protocol.Subprotocol))
		if got != protocol.CloseNoJoin || len(frames) != 1 || frames[0].Type != protocol.TypeEnded {
			t.Errorf("closed with %d after %v", got, frames)
		}
	})
	t.Run("joined in time", func(t *testing.T) {
		w := newWorld(t, func(w *world) { w.signal.JoinTimeout = 2 * time.Second })
		id, secret := w.meeting()
		c, _ := w.join(ctx, w.user("contoso", id, secret, "olga"))
		late := w.dial(ctx)
		closed(ctx, t, late) // Whoever came later is cut; who joined stays.
		if err := c.Ping(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Run("ping not answered", func(t *testing.T) {
		w := newWorld(t, func(w *world) { w.signal.PingInterval, w.signal.PingTimeout = 50*time.Millisecond, 50*time.Millisecond })
		ws := w.raw(ctx, protocol.Subprotocol) // Nothing reads, so nothing answers pings.
		waitFor(ctx, t, "the cut", func() bool { return w.metric("anteroom_signal_cut_connections_total", "reason", "ping_timeout") == 1 })
		if got, _ := code(ctx, ws); got != protocol.ClosePingTimeout {
			t.Errorf("closed with %d", got)
		}
	})
	t.Run("too many requests", func(t *testing.T) {
		w := newWorld(t, func(w *world) { w.signal.RequestsPerSecond, w.signal.RequestBurst = 0.001, 5 })
		ws := w.raw(ctx, protocol.Subprotocol)
		for i := range 11 {
			send(ctx, t, ws, fmt.Sprintf(`{"type":"ping","id":%d}`, i+1))
		}
		got, frames := code(ctx, ws)
		if got != protocol.CloseRateLimited {
			t.Errorf("closed with %d after %d frames", got, len(frames))
		}
	})
}

// metric is one counter's or gauge's value.
func (w *world) metric(name, label, value string) float64 {
	w.t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == label && l.GetValue() == value {
					return m.GetCounter().GetValue() + m.GetGauge().GetValue()
				}
			}
			if label == "" {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return 0
}

func TestFloodOfConnectionsFromOneAddress(t *testing.T) {
	ctx := testContext(t)
	w := newWorld(t, func(w *world) { w.signal.ConnectionsPerAddress, w.signal.ConnectionBurstPerAddress = 0.001, 3 })
	for range 3 {
		w.dial(ctx)
	}
	_, resp, err := websocket.Dial(ctx, w.url(), &websocket.DialOptions{Subprotocols: []string{protocol.Subprotocol}})
	if err == nil || resp == nil || resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" {
		t.Errorf("fourth connection: %v, %v", resp, err)
	}
}

// TestSlowReader has a guest that reads nothing while an org user writes: it is cut, and the others go on.
func TestSlowReader(t *testing.T) {
	ctx := testContext(t)
	w := newWorld(t, func(w *world) {
		w.signal.QueueFrames, w.signal.QueueBytes, w.writeBuffer = 16, 1<<20, 4096
		w.signal.WriteTimeout = time.Minute
	})
	id, secret := w.meeting()
	olga, _ := w.join(ctx, w.user("contoso", id, secret, "olga"))
	otto, _ := w.join(ctx, w.user("contoso", id, secret, "otto"))
	// A connection with small buffers whose far end stops reading.
	dialer := &net.Dialer{}
	slow, _, err := websocket.Dial(ctx, w.url(), &websocket.DialOptions{
		Subprotocols: []string{protocol.Subprotocol},
		HTTPClient: &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, addr)
			if tcp, ok := c.(*net.TCPConn); ok {
				_ = tcp.SetReadBuffer(4096)
			}
			return c, err
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer slow.CloseNow()
	body, err := json.Marshal(w.user("contoso", id, secret, "sam"))
	if err != nil {
		t.Fatal(err)
	}
	send(ctx, t, slow, `{"type":"join","id":1,"body":`+string(body)+`}`)
	next[protocol.Participant](ctx, t, olga, protocol.TypeParticipantJoined)
	text := strings.Repeat("𝕩", protocol.MaxTextBytes/4)
	for i := 0; w.metric("anteroom_signal_cut_connections_total", "reason", protocol.ReasonSlowClient) == 0; i++ {
		if _, err := olga.ChatSend(ctx, protocol.ChatSend{Text: text}); err != nil && reason(err) != protocol.ReasonRateLimited {
			t.Fatal(err)
		}
		if ctx.Err() != nil {
			t.Fatalf("not cut after %d messages", i)
		}
		time.Sleep(20 * time.Millisecond) // As fast as the meeting lets one member write.
	}
	if m := next[protocol.ChatMessage](ctx, t, otto, protocol.TypeChatMessage); m.Text != text {
		t.Errorf("the others got %d bytes", len(m.Text))
	}
	if err := otto.Ping(ctx); err != nil {
		t.Errorf("the others: %v", err)
	}
	// The slow one's place is kept for the grace.
	waitFor(ctx, t, "the slow one's absence", func() bool {
		roster, _, err := w.node.Roster(ctx, "contoso", id)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range roster {
			if !p.Connected {
				return true
			}
		}
		return len(roster) == 2 // the grace is over already
	})
}

// TestNothingIsLeft opens, uses and loses 500 connections in every way, and counts goroutines.
func TestNothingIsLeft(t *testing.T) {
	ctx := testContext(t)
	w := newWorld(t)
	id, secret := w.meeting()
	w.join(ctx, w.user("contoso", id, secret, "olga")) // Keeps the meeting.
	round := func(n int) {
		var wg sync.WaitGroup
		limit := make(chan struct{}, 25)
		for i := range n {
			req := w.user("contoso", id, secret, "otto")
			limit <- struct{}{}
			wg.Go(func() {
				defer func() { <-limit }()
				c, err := client.Dial(ctx, w.url(), client.Options{})
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				if i%5 == 0 {
					return // never joined
				}
				if _, err := c.Join(ctx, req); err != nil {
					t.Error(err)
					return
				}
				switch i % 5 {
				case 1:
					err = c.Leave(ctx)
				case 2:
					c.Drop()
				case 3:
					c.Drop()
					if _, err = c.Reconnect(ctx); err == nil {
						err = c.Leave(ctx)
					}
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	// What the process keeps for good (idle HTTP connections, pools) is there after the first few.
	settled := func() bool {
		roster, _, err := w.node.Roster(ctx, "contoso", id)
		return err == nil && len(roster) == 1 && w.metric("anteroom_signal_connections", "", "") == 1
	}
	round(20)
	waitFor(ctx, t, "the end of the first stays", settled)
	before := runtime.NumGoroutine()
	round(500)
	waitFor(ctx, t, "the end of all stays", settled)
	waitFor(ctx, t, "the end of their goroutines", func() bool { return runtime.NumGoroutine() <= before+5 })
}
