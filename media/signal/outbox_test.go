package signal

import (
	"encoding/json"
	"testing"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/media/protocol"
)

// sent takes everything that the writer would send.
func sent(o *outbox) (frames []string, over bool) {
	for {
		frame, over := o.next()
		if frame == nil {
			return frames, over
		}
		frames = append(frames, string(frame))
	}
}

func TestOutbox(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*outbox)
		want []string
		over bool
	}{
		{"in order", func(o *outbox) { o.event([]byte("a")); o.reply([]byte("b")); o.event([]byte("c")) }, []string{"a", "b", "c"}, false},
		{"nothing after the end but replies", func(o *outbox) {
			o.begin()
			o.finish([]byte("z"), 1000, "")
			o.event([]byte("a"))
			o.reply([]byte("b"))
			o.done()
		}, []string{"b", "z"}, true},
		{"the end waits for the reply", func(o *outbox) { o.begin(); o.finish([]byte("z"), 1000, "") }, nil, false},
		{"a cut waits for nothing", func(o *outbox) { o.begin(); o.event([]byte("a")); o.drop([]byte("z"), 4003, "") }, []string{"z"}, true},
		{"a cut overrules an end", func(o *outbox) { o.finish([]byte("y"), 1000, ""); o.drop([]byte("z"), 4003, "") }, []string{"z"}, true},
		{"an end doesn't overrule a cut", func(o *outbox) { o.drop([]byte("z"), 4003, ""); o.finish([]byte("y"), 1000, "") }, []string{"z"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newOutbox(10, 100)
			c.do(o)
			got, over := sent(o)
			if diff := cmp.Diff(c.want, got); diff != "" || over != c.over {
				t.Errorf("over %v, frames (-want +got):\n%s", over, diff)
			}
		})
	}
}

func TestOutboxIsBounded(t *testing.T) {
	o := newOutbox(3, 100)
	for i, want := range []bool{true, true, true, false} {
		if got := o.event([]byte("a")); got != want {
			t.Errorf("frame %d is taken: %v", i, got)
		}
	}
	sent(o)
	if !o.event(make([]byte, 100)) || o.event([]byte("a")) {
		t.Error("the limit in bytes doesn't hold")
	}
	sent(o)
	if !o.event([]byte("a")) {
		t.Error("room is not given back")
	}
	o.drop(nil, websocket.StatusNormalClosure, "")
	if o.bytes != 0 || o.frames != nil {
		t.Error("a cut connection keeps what was queued")
	}
}

func TestWhatWaitsForTheWorkerIsBounded(t *testing.T) {
	h, err := New(Config{PendingRequests: 3, PendingBytes: 100}, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	frame := func(bytes int) protocol.Frame { return protocol.Frame{Type: "x", ID: 1, Body: make([]byte, bytes)} }
	c := newConn(h, remoteOfTests())
	for i, step := range []struct {
		bytes int
		want  bool
	}{{1000, true}, {1, false}} { // One that is large alone has its turn.
		if got := c.hand(frame(step.bytes)); got != step.want {
			t.Errorf("large %d: taken %v", i, got)
		}
	}
	c = newConn(h, remoteOfTests())
	for i, want := range []bool{true, true, true, false} {
		if got := c.hand(frame(10)); got != want {
			t.Errorf("small %d: taken %v", i, got)
		}
	}
	if got := c.waiting.Load(); got != 30 {
		t.Errorf("%d bytes wait", got)
	}
}

// TestPanicIsContained has a connection without a handler's node: whatever joins on it panics.
func TestPanicIsContained(t *testing.T) {
	h, err := New(Config{}, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, server := t.Context(), serve(t, h)
	ws, _, err := websocket.Dial(ctx, server, &websocket.DialOptions{Subprotocols: []string{protocol.Subprotocol}})
	if err != nil {
		t.Fatal(err)
	}
	if err := ws.Write(ctx, websocket.MessageText, []byte(`{"type":"join","id":1,"body":{}}`)); err != nil {
		t.Fatal(err)
	}
	_, _, err = ws.Read(ctx)
	if got := websocket.CloseStatus(err); got != websocket.StatusInternalError {
		t.Errorf("closed with %d, %v", got, err)
	}
	other, _, err := websocket.Dial(ctx, server, &websocket.DialOptions{Subprotocols: []string{protocol.Subprotocol}})
	if err != nil {
		t.Fatal(err)
	}
	defer other.CloseNow()
	if err := other.Write(ctx, websocket.MessageText, []byte(`{"type":"ping","id":1}`)); err != nil {
		t.Fatal(err)
	}
	if _, got, err := other.Read(ctx); err != nil || string(got) != `{"type":"reply","id":1,"body":{}}` {
		t.Errorf("another connection: %s, %v", got, err)
	}
}

// FuzzFrame holds that any frame has an answer that is well-formed, and is never taken with a wrong id.
func FuzzFrame(f *testing.F) {
	for _, seed := range []string{
		`{"type":"ping","id":1}`, `{"type":"join","id":1,"body":{"meeting":"x"}}`, `{`, `[]`, `{"id":-1}`, `{"type":1}`, `{"type":"x","id":1e3}`, "\xff", `null`,
		`{"type":"ping","id":9007199254740993}`, `{"type":"ping","id":1,"body":null,"error":{"reason":"x"}}`,
	} {
		f.Add([]byte(seed))
	}
	h, err := New(Config{RequestsPerSecond: 1e9, RequestBurst: 1e9}, Deps{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		frame, refused := decode(data)
		if refused == nil && (frame.ID == 0 || frame.ID > maxID || frame.Type == "" || !json.Valid(frame.Body)) {
			t.Errorf("taken: %+v", frame)
		}
		c := newConn(h, remoteOfTests())
		c.take(data)
		replies, _ := sent(c.out)
		if len(replies)+len(c.requests) != 1 {
			t.Fatalf("%d replies, %d requests", len(replies), len(c.requests))
		}
		for _, reply := range replies {
			var got protocol.Frame
			if err := json.Unmarshal([]byte(reply), &got); err != nil || got.Type != protocol.Reply || (got.Error == nil) == (got.Body == nil) {
				t.Errorf("reply %s, %v", reply, err)
			}
		}
	})
}
