package signal

import (
	"encoding/json"
	"fmt"
	"strconv"
	"sync"

	"github.com/coder/websocket"

	"github.com/anteroom/anteroom/media/protocol"
)

// outbox is what waits to be sent on one connection. Nothing that puts something in ever blocks.
type outbox struct {
	maxFrames, maxBytes int
	// wake tells the writer to look.
	wake chan struct{}

	mu     sync.Mutex
	frames [][]byte // guarded by mu, like all below
	bytes  int
	// over: no more events; the writer sends what is queued, then last if there is one, then closes with code. While busy, a reply is still to come.
	over   bool
	busy   bool
	last   []byte
	code   websocket.StatusCode
	reason string
	// cut: what was queued is dropped.
	cut bool
}

func newOutbox(maxFrames, maxBytes int) *outbox {
	return &outbox{maxFrames: maxFrames, maxBytes: maxBytes, wake: make(chan struct{}, 1)}
}

func (o *outbox) poke() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// event queues an event. False: the queue is full.
func (o *outbox) event(frame []byte) bool {
	defer o.poke()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over {
		return true
	}
	return o.push(frame)
}

// reply queues an answer; it is taken as long as the connection is not cut. False: the queue is full.
func (o *outbox) reply(frame []byte) bool {
	defer o.poke()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cut {
		return true
	}
	return o.push(frame)
}

func (o *outbox) push(frame []byte) bool {
	if len(o.frames)+1 > o.maxFrames || o.bytes+len(frame) > o.maxBytes {
		return false
	}
	o.bytes += len(frame)
	o.frames = append(o.frames, frame)
	return true
}

// begin says that a request is being handled, done that its reply is queued.
func (o *outbox) begin() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.busy = true
}

func (o *outbox) done() {
	defer o.poke()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.busy = false
}

// finish lets the writer send what is queued, then last (nil: nothing), then close. Only the first finish counts.
func (o *outbox) finish(last []byte, code websocket.StatusCode, reason string) bool {
	return o.close(last, code, reason, false)
}

// drop is finish without what is queued, and it overrules a finish that is under way.
func (o *outbox) drop(last []byte, code websocket.StatusCode, reason string) bool {
	return o.close(last, code, reason, true)
}

func (o *outbox) close(last []byte, code websocket.StatusCode, reason string, cut bool) bool {
	defer o.poke()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cut || (o.over && !cut) {
		return false
	}
	o.over, o.last, o.code, o.reason = true, last, code, reason
	if cut {
		o.cut, o.busy = true, false
		o.frames, o.bytes = nil, 0
	}
	return true
}

// next returns the next frame to send. With none, over says that the connection is to be closed.
func (o *outbox) next() (frame []byte, over bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case len(o.frames) > 0:
		frame = o.frames[0]
		o.frames[0] = nil
		o.frames = o.frames[1:]
		if len(o.frames) == 0 {
			o.frames = nil
		}
		o.bytes -= len(frame)
		return frame, false
	case !o.over || o.busy:
		return nil, false
	case o.last != nil:
		frame, o.last = o.last, nil
		return frame, false
	default:
		return nil, true
	}
}

// closing is what to close the connection with.
func (o *outbox) closing() (websocket.StatusCode, string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.code, o.reason
}

// ending tells whether no more requests are to be handled.
func (o *outbox) ending() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.over
}

// encodeEvent makes the frame of an event. A body that is json.RawMessage is taken as it is, so that what goes to many is encoded once.
func encodeEvent(typ string, body any) ([]byte, error) {
	raw, ok := body.(json.RawMessage)
	if !ok {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return nil, fmt.Errorf("encode event %s: %w", typ, err)
		}
	}
	frame := make([]byte, 0, len(raw)+len(typ)+24)
	frame = append(frame, `{"type":`...)
	frame = strconv.AppendQuote(frame, typ)
	if len(raw) > 0 {
		frame = append(append(frame, `,"body":`...), raw...)
	}
	return append(frame, '}'), nil
}

// encodeReply makes the frame that answers a request.
func encodeReply(id uint64, body any, refused *protocol.Error) ([]byte, error) {
	f := protocol.Frame{Type: protocol.Reply, ID: id, Error: refused}
	if refused == nil {
		f.Body = json.RawMessage("{}")
		if body != nil {
			raw, err := json.Marshal(body)
			if err != nil {
				return nil, fmt.Errorf("encode reply: %w", err)
			}
			f.Body = raw
		}
	}
	return json.Marshal(f)
}
