package signal

import (
	"context"
	"encoding/json"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"

	"github.com/anteroom/anteroom/media"
	"github.com/anteroom/anteroom/media/protocol"
)

// conn is one client's connection. It implements meeting.Client.
type conn struct {
	h      *Handler
	remote media.Remote
	ws     *websocket.Conn
	out    *outbox

	// requests go from the reader to the worker.
	requests chan protocol.Frame
	// waiting is how many bytes of bodies are in requests.
	waiting atomic.Int64
	// abort ends everything at once.
	abort context.CancelFunc
	// limiter is for what is handled, patience for what is refused because of it; both are the reader's.
	limiter, patience *rate.Limiter
	lastID            uint64 // the reader's

	session *media.Session // the worker's
	// relayedHere: another node relays the client. far is the connection to the node that this one relays it to; nil: the meeting is here.
	relayedHere bool
	far         atomic.Pointer[websocket.Conn]
	relaying    sync.WaitGroup
	ctx         context.Context //nolint:containedctx // ends with the connection
	joined      atomic.Bool
	joining     atomic.Bool
	late        atomic.Bool // the time to join is over
	flushed     chan struct{}
}

func newConn(h *Handler, remote media.Remote) *conn {
	perSecond := rate.Limit(h.cfg.RequestsPerSecond)
	return &conn{
		h: h, remote: remote,
		out:      newOutbox(h.cfg.QueueFrames, h.cfg.QueueBytes),
		requests: make(chan protocol.Frame, h.cfg.PendingRequests),
		limiter:  rate.NewLimiter(perSecond, h.cfg.RequestBurst), patience: rate.NewLimiter(perSecond, h.cfg.RequestBurst),
		flushed: make(chan struct{}),
	}
}

// drainTimeout bounds how long requests that came before the client closed may take: most often a leave.
const drainTimeout = 5 * time.Second

// run serves the connection until it is over, and returns when nothing of it is left.
func (c *conn) run(ctx context.Context, ws *websocket.Conn) {
	c.ws = ws
	ws.SetReadLimit(protocol.MaxFrameBytes)
	ctx, c.abort = context.WithCancel(ctx)
	defer c.abort()
	c.ctx = ctx
	var parts, tail sync.WaitGroup
	part := func(wg *sync.WaitGroup, f func(context.Context)) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer c.contain(ctx)
			f(ctx)
		}()
	}
	readCtx, stopReading := context.WithCancel(ctx)
	defer stopReading()
	part(&parts, func(ctx context.Context) {
		defer stopReading()
		c.write(ctx)
	})
	part(&parts, c.ping)
	part(&tail, c.work)
	late := time.AfterFunc(c.h.cfg.JoinTimeout, c.joinIsLate)
	defer late.Stop()

	func() {
		defer c.contain(ctx)
		c.read(readCtx)
	}()
	close(c.requests)
	drained := time.AfterFunc(drainTimeout, c.abort)
	tail.Wait()
	c.endRelay()
	drained.Stop()
	c.out.drop(nil, websocket.StatusNormalClosure, "")
	c.abort()
	parts.Wait()
	c.relaying.Wait()
	_ = ws.CloseNow()
	if c.session != nil {
		defer c.contain(ctx)
		c.session.Disconnected()
	}
}

// contain keeps a panic from others. What was said isn't logged: it may quote what a guest sent.
func (c *conn) contain(ctx context.Context) {
	if p := recover(); p != nil {
		c.h.metrics.cut.WithLabelValues("panic").Inc()
		c.h.log.ErrorContext(ctx, "connection panicked", slog.String("stack", string(debug.Stack())))
		c.out.drop(nil, websocket.StatusInternalError, protocol.ReasonInternal)
	}
}

// Send implements meeting.Client.
func (c *conn) Send(typ string, body any) {
	frame, err := encodeEvent(typ, body)
	if err != nil {
		c.h.log.Error("event not encoded", slog.String("event", typ), slog.Any("error", err))
		return
	}
	if !c.out.event(frame) {
		c.cutSlow()
	}
}

// End implements meeting.Client. A request that is being handled, such as the leave that ends the stay, has a moment to be answered first.
func (c *conn) End(ended protocol.Ended) {
	code := websocket.StatusNormalClosure
	if ended.Reason == protocol.ReasonShuttingDown {
		code = websocket.StatusGoingAway
	}
	if c.out.finish(endedFrame(ended), code, closeReason(ended.Reason)) {
		time.AfterFunc(slowGrace, c.out.done)
	}
}

// closeReason keeps within what a close frame holds.
func closeReason(reason string) string { return reason[:min(len(reason), 120)] }

func endedFrame(ended protocol.Ended) []byte {
	frame, err := encodeEvent(protocol.TypeEnded, ended)
	if err != nil {
		return nil
	}
	return frame
}

// cut ends the connection because of the client: what is queued is dropped.
func (c *conn) cut(code websocket.StatusCode, ended protocol.Ended) {
	if c.out.drop(endedFrame(ended), code, ended.Reason) {
		c.h.metrics.cut.WithLabelValues(ended.Reason).Inc()
	}
}

// slowGrace is how long a slow client has to take the frame that tells it so, and an ended one's last request to be answered.
const slowGrace = 2 * time.Second

func (c *conn) cutSlow() {
	c.cut(protocol.CloseSlowClient, protocol.Ended{
		Reason: protocol.ReasonSlowClient, Message: "Your connection was too slow for what the meeting sends. Connect again.", Resume: true,
	})
	time.AfterFunc(slowGrace, func() {
		select {
		case <-c.flushed:
		default:
			c.abort()
		}
	})
}

// joinIsLate cuts a connection that has not joined in time; one that is being joined is cut when that fails.
func (c *conn) joinIsLate() {
	c.late.Store(true)
	if !c.joined.Load() && !c.joining.Load() {
		c.cutLate()
	}
}

func (c *conn) cutLate() {
	c.cut(protocol.CloseNoJoin, protocol.Ended{Reason: protocol.ReasonJoinTimeout, Message: "Nothing joined a meeting on this connection in time. Connect again and join."})
}

// write sends what is queued, until the connection is over.
func (c *conn) write(ctx context.Context) {
	defer close(c.flushed)
	for {
		frame, over := c.out.next()
		switch {
		case over:
			_ = c.ws.Close(c.out.closing())
			return
		case frame == nil:
			select {
			case <-c.out.wake:
			case <-ctx.Done():
				return
			}
		default:
			if !c.writeFrame(ctx, frame) {
				return
			}
		}
	}
}

func (c *conn) writeFrame(ctx context.Context, frame []byte) bool {
	limited, cancel := context.WithTimeout(ctx, c.h.cfg.WriteTimeout)
	defer cancel()
	err := c.ws.Write(limited, websocket.MessageText, frame)
	if err != nil && ctx.Err() == nil && limited.Err() != nil {
		c.h.metrics.cut.WithLabelValues(protocol.ReasonSlowClient).Inc()
	}
	return err == nil
}

// ping asks whether the client is still there.
func (c *conn) ping(ctx context.Context) {
	ticker := time.NewTicker(c.h.cfg.PingInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		limited, cancel := context.WithTimeout(ctx, c.h.cfg.PingTimeout)
		err := c.ws.Ping(limited)
		cancel()
		if err == nil {
			continue
		}
		if ctx.Err() == nil {
			c.h.metrics.cut.WithLabelValues("ping_timeout").Inc()
			if c.out.drop(nil, protocol.ClosePingTimeout, "ping_timeout") {
				time.AfterFunc(slowGrace, c.abort)
			}
		}
		return
	}
}

// read takes frames until the connection is over.
func (c *conn) read(ctx context.Context) {
	for {
		typ, data, err := c.ws.Read(ctx)
		switch {
		case err != nil:
			if websocketTooBig(err) {
				c.h.metrics.cut.WithLabelValues(protocol.ReasonTooLarge).Inc()
			}
			return
		case typ != websocket.MessageText:
			c.cut(websocket.StatusUnsupportedData, protocol.Ended{Reason: protocol.ReasonMalformed, Message: "Send text frames with JSON, no binary ones."})
			continue
		}
		if !c.take(data) {
			c.cut(protocol.CloseRateLimited, protocol.Ended{
				Reason: protocol.ReasonRateLimited, Message: "Too many requests, even after they were refused. Connect again later.", Resume: true,
			})
		}
	}
}

// take judges one frame: it is answered, or handed to the worker. False: the client has gone too far.
func (c *conn) take(data []byte) bool {
	f, refused := decode(data)
	if !c.limiter.Allow() {
		c.count(f.Type, outcomeLimited)
		c.reply(f.ID, nil, &protocol.Error{Reason: protocol.ReasonRateLimited, Message: "Too many requests. Wait a second."})
		return c.patience.Allow()
	}
	if refused == nil && f.ID <= c.lastID {
		refused = &protocol.Error{Reason: protocol.ReasonMalformed, Field: "id", Message: "Request ids rise with each request."}
		f.ID = 0
	}
	if refused != nil {
		c.count(f.Type, outcomeRefused)
		c.reply(f.ID, nil, refused)
		return true
	}
	c.lastID = f.ID
	if f.Type == protocol.TypePing {
		c.count(f.Type, outcomeOK)
		c.reply(f.ID, nil, nil)
		return true
	}
	if c.hand(f) {
		return true
	}
	c.count(f.Type, outcomeLimited)
	c.reply(f.ID, nil, &protocol.Error{Reason: protocol.ReasonRateLimited, Message: "Too many requests wait for an answer. Wait for replies before sending more."})
	return c.patience.Allow()
}

// hand gives a request to the worker. False: too much waits already.
func (c *conn) hand(f protocol.Frame) bool {
	size := int64(len(f.Body))
	if waiting := c.waiting.Add(size); waiting > size && waiting > int64(c.h.cfg.PendingBytes) {
		c.waiting.Add(-size)
		return false
	}
	select {
	case c.requests <- f:
		return true
	default:
		c.waiting.Add(-size)
		return false
	}
}

// reply answers a request; id 0 answers a frame whose id can't be told.
func (c *conn) reply(id uint64, body any, refused *protocol.Error) {
	frame, err := encodeReply(id, body, refused)
	if err != nil {
		c.h.log.Error("reply not encoded", slog.Any("error", err))
		frame, _ = encodeReply(id, nil, &protocol.Error{Reason: protocol.ReasonInternal, Message: "The answer could not be written."})
	}
	if !c.out.reply(frame) {
		c.cutSlow()
	}
}

// count counts a request; a type that the protocol doesn't have is "unknown".
func (c *conn) count(typ, outcome string) {
	if !c.h.known[typ] {
		typ = "unknown"
	}
	c.h.metrics.requests.WithLabelValues(typ, outcome).Inc()
}

// maxID is the largest whole number that JSON of every language keeps: 2^53-1.
const maxID = 1<<53 - 1

// decode reads a request's frame. What it returns besides an error has as much as could be read.
func decode(data []byte) (protocol.Frame, *protocol.Error) {
	var f protocol.Frame
	if err := json.Unmarshal(data, &f); err != nil {
		return protocol.Frame{}, &protocol.Error{Reason: protocol.ReasonMalformed, Message: `Send one JSON object with "type", "id" and "body".`}
	}
	switch {
	case f.ID == 0 || f.ID > maxID:
		return protocol.Frame{Type: f.Type}, &protocol.Error{Reason: protocol.ReasonMalformed, Field: "id", Message: "A request has an id from 1 to 9007199254740991."}
	case f.Type == "":
		return f, &protocol.Error{Reason: protocol.ReasonMalformed, Field: "type", Message: "The type is missing."}
	case !protocol.Unaltered(data):
		return f, &protocol.Error{Reason: protocol.ReasonMalformed, Message: "Text is no valid Unicode. Send UTF-8, and \\u escapes of surrogates in pairs."}
	}
	if len(f.Body) == 0 || string(f.Body) == "null" {
		f.Body = json.RawMessage("{}")
	}
	return f, nil
}
