package collect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"

	"github.com/anteroom/anteroom/ingest/decode"
	"github.com/anteroom/anteroom/ingest/rtcstats"
)

// conn is one connection of a session.
type conn struct {
	c       *Collector
	s       *session
	ws      *websocket.Conn
	stats   *rtcstats.Live
	limiter *rate.Limiter
	done    chan struct{}

	mu     sync.Mutex
	cutBy  string             // guarded by mu: why it was cut; "" while it wasn't
	cancel context.CancelFunc // guarded by mu: set by run
	// settled is when something was settled last; guarded by the session's mu.
	settled time.Time
}

func newConn(c *Collector, s *session, ws *websocket.Conn) *conn {
	stats, _ := s.live.(*rtcstats.Live) // the session has the dialect of the connection
	ws.SetReadLimit(c.cfg.MaxMessageBytes)
	return &conn{
		c: c, s: s, ws: ws, stats: stats, done: make(chan struct{}), settled: c.deps.Now(),
		limiter: rate.NewLimiter(rate.Limit(c.cfg.MessagesPerSecond), c.cfg.MessageBurst),
	}
}

// Codes by why a connection is cut.
const howReplaced = "replaced"

func (n *conn) cutCode(reason string) websocket.StatusCode {
	switch reason {
	case ReasonStopping:
		return websocket.StatusServiceRestart
	case howTooLong, howReplaced:
		if n.s.dialect == dialectJitsi {
			return closeFinal
		}
	}
	return websocket.StatusPolicyViolation
}

// cutGrace is how long a client has to answer that its connection is closed.
const cutGrace = time.Second

// cut ends the connection, without waiting.
func (n *conn) cut(reason string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cutBy != "" {
		return
	}
	n.cutBy = reason
	if n.cancel != nil {
		time.AfterFunc(cutGrace, n.cancel)
	}
	go func() { _ = n.ws.Close(n.cutCode(reason), reason) }() // ends with the connection
}

// attach makes the connection the session's. One that the session hung on before is cut, since a client comes again before the loss of the first
// is seen here.
func (n *conn) attach() bool {
	for {
		n.c.mu.Lock()
		if n.c.stopping || n.c.sessions[n.s.token] != n.s {
			n.c.mu.Unlock()
			return false
		}
		before := n.s.conn
		if before == nil {
			n.s.conn = n
			n.c.mu.Unlock()
			return true
		}
		n.c.mu.Unlock()
		before.cut(howReplaced)
		<-before.done
	}
}

func (n *conn) detach() {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	if n.s.conn == n {
		n.s.conn, n.s.seen = nil, n.c.deps.Now()
	}
}

// run serves the connection until it is over.
func (n *conn) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	n.mu.Lock()
	n.cancel = cancel
	n.mu.Unlock()
	defer cancel()
	if !n.attach() {
		_ = n.ws.Close(websocket.StatusTryAgainLater, "the session is over")
		return
	}
	how := howInvalid
	func() {
		defer close(n.done)
		defer n.detach()
		defer n.contain(ctx)
		var flushing sync.WaitGroup
		flushCtx, stop := context.WithCancel(ctx)
		flushing.Go(func() { n.flush(flushCtx) })
		how = n.serve(ctx)
		stop()
		flushing.Wait()
	}()
	after, cancelAfter := context.WithTimeout(context.WithoutCancel(ctx), n.c.cfg.AcknowledgeTimeout)
	defer cancelAfter()
	if how != "" {
		_ = n.c.finish(after, n.s, how) // it says what went wrong
		return
	}
	n.s.mu.Lock()
	defer n.s.mu.Unlock()
	_ = n.settle(after) // What isn't published now is when the client is back, or at the end.
}

// contain keeps a panic from others. What was said isn't logged: it may quote what a client sent.
func (n *conn) contain(ctx context.Context) {
	if p := recover(); p != nil {
		n.c.log.ErrorContext(ctx, "connection panicked", slog.String("stack", string(debug.Stack())))
		_ = n.ws.Close(websocket.StatusInternalError, "internal")
	}
}

// serve reads until the connection is over. how says that the session is over too, and in what way; "" that it may be taken up again.
func (n *conn) serve(ctx context.Context) (how string) {
	if err := n.greet(ctx); err != nil {
		return ""
	}
	for {
		waiting, cancel := context.WithTimeout(ctx, n.c.cfg.IdleTimeout)
		kind, data, err := n.ws.Read(waiting)
		cancel()
		if err != nil {
			switch websocket.CloseStatus(err) {
			case closeLeft, websocket.StatusNormalClosure, websocket.StatusGoingAway, websocket.StatusNoStatusRcvd:
				return howIfLeft(n.wasCut())
			}
			if errors.Is(err, websocket.ErrMessageTooBig) { // It has told the client.
				n.c.metrics.refused.WithLabelValues("too_large").Inc()
				return howInvalid
			}
			return ""
		}
		if n.limiter.Wait(ctx) != nil {
			return ""
		}
		n.c.metrics.messages.WithLabelValues(n.s.dialect).Inc()
		n.c.metrics.bytes.WithLabelValues(n.s.dialect).Add(float64(len(data)))
		err = errBinary
		if kind == websocket.MessageText {
			err = n.message(ctx, data)
		}
		var bad *decode.Error
		switch {
		case errors.As(err, &bad):
			n.c.metrics.refused.WithLabelValues(ReasonInvalid).Inc()
			code := websocket.StatusInvalidFramePayloadData
			if n.s.dialect == dialectJitsi {
				code = closeFinal
			}
			_ = n.ws.Close(code, closeText(bad.Error()))
			return howInvalid
		case err != nil:
			if ctx.Err() == nil {
				_ = n.ws.Close(websocket.StatusTryAgainLater, "not taken; come again")
			}
			return ""
		}
	}
}

// wasCut tells why the connection was cut; "" if it wasn't.
func (n *conn) wasCut() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cutBy
}

// howIfLeft: a client that was cut has not left by itself; if it was cut to be replaced, the session goes on.
func howIfLeft(cutBy string) string {
	switch cutBy {
	case "":
		return howEnded
	case howReplaced:
		return ""
	}
	return howBroken
}

// errOver: the session ended while a message was on its way.
var errOver = errors.New("the session is over")

var errBinary = &decode.Error{Reason: "the message is not text"}

// envelope is a message of Jitsi's client.
type envelope struct {
	Type string          `json:"type"`
	Data json.RawMessage `json:"data"`
}

// message takes one message. An error that is no *decode.Error is not about the message.
func (n *conn) message(ctx context.Context, data []byte) error {
	if n.s.dialect == dialectJitsi {
		var err error
		if data, err = unwrap(data); data == nil || err != nil {
			return err
		}
	}
	n.s.mu.Lock()
	defer n.s.mu.Unlock()
	if n.s.over {
		return errOver
	}
	before, gaps := n.stats.Received(), n.stats.Gaps()
	settled, err := n.stats.Message(data, n.c.deps.Now())
	if more := n.stats.Gaps() - gaps; more > 0 {
		n.c.metrics.gaps.Add(float64(more))
	}
	if !settled {
		return err //nolint:wrapcheck // a *decode.Error
	}
	n.settled = n.c.deps.Now()
	return errors.Join(err, n.acknowledge(ctx, before))
}

// unwrap is what an envelope holds; nil for one that holds nothing to read.
func unwrap(data []byte) ([]byte, error) {
	var e envelope
	if json.Unmarshal(data, &e) != nil {
		return nil, &decode.Error{Reason: "the message is not a JSON object with type and data"}
	}
	switch e.Type {
	case "keepalive", "close":
		return nil, nil
	case "identity", "stats-entry":
	default:
		return nil, &decode.Error{Field: "type", Reason: "must be identity, stats-entry, keepalive or close"}
	}
	var text string
	if json.Unmarshal(e.Data, &text) == nil { // an entry is JSON within JSON
		return []byte(text), nil
	}
	if len(e.Data) == 0 {
		return nil, &decode.Error{Field: "data", Reason: "is missing"}
	}
	return e.Data, nil
}

// settle publishes all that was read. The caller holds the session's mu.
func (n *conn) settle(ctx context.Context) error {
	if n.s.over {
		return nil
	}
	n.stats.Settle()
	n.settled = n.c.deps.Now()
	if err := n.s.encode(n.stats.Events()); err != nil {
		return err
	}
	return n.s.publish(ctx, n.c.publisher)
}

// acknowledge publishes what is settled, and then tells the client up to which message all is safe. The caller holds the session's mu.
func (n *conn) acknowledge(ctx context.Context, upTo uint64) error {
	if err := n.s.encode(n.stats.Events()); err != nil {
		return err
	}
	if err := n.s.publish(ctx, n.c.publisher); err != nil {
		return err
	}
	if n.s.dialect != dialectJitsi {
		return nil
	}
	return n.send(ctx, map[string]any{"type": "sn", "body": map[string]any{"value": upTo, "state": "update"}})
}

// greet tells the client its call, and Jitsi's where to go on from.
func (n *conn) greet(ctx context.Context) error {
	n.s.mu.Lock()
	defer n.s.mu.Unlock()
	if err := n.settle(ctx); err != nil {
		return err
	}
	if n.s.dialect == dialectJitsi {
		if err := n.send(ctx, map[string]any{"type": "sn", "body": map[string]any{"value": n.stats.Received(), "state": "initial"}}); err != nil {
			return err
		}
	}
	call := n.stats.Call()
	return n.send(ctx, map[string]any{"type": "call", "body": map[string]any{"call_id": call, "support_code": supportCode(call, n.stats.Participant())}})
}

// sendTimeout is how long the network may take for a message to a client.
const sendTimeout = 10 * time.Second

func (n *conn) send(ctx context.Context, message any) error {
	text, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("write message: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	if err := n.ws.Write(ctx, websocket.MessageText, text); err != nil {
		return fmt.Errorf("send message: %w", err)
	}
	return nil
}

// flushAfter is how long what a client said may stay unpublished because it says nothing more.
const flushAfter = 15 * time.Second

// flush settles what a client said that then fell silent, until ctx ends.
func (n *conn) flush(ctx context.Context) {
	defer n.contain(ctx)
	tick := time.NewTicker(flushAfter / 3)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if n.flushSilent(ctx) != nil && ctx.Err() == nil {
			n.cut(ReasonUnavailable)
			return
		}
	}
}

func (n *conn) flushSilent(ctx context.Context) error {
	n.s.mu.Lock()
	defer n.s.mu.Unlock()
	if n.s.over || n.c.deps.Now().Sub(n.settled) < flushAfter {
		return nil
	}
	n.stats.Settle()
	n.settled = n.c.deps.Now()
	return n.acknowledge(ctx, n.stats.Received())
}
