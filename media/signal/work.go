package signal

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/coder/websocket"

	"github.com/anteroom/anteroom/media"
	"github.com/anteroom/anteroom/media/protocol"
)

// work handles requests in the order in which they came.
func (c *conn) work(ctx context.Context) {
	for f := range c.requests {
		c.waiting.Add(-int64(len(f.Body)))
		if c.out.ending() || ctx.Err() != nil {
			continue // The client is being told that it is over; the rest has no answer.
		}
		c.handle(ctx, f)
	}
}

// handle answers one request.
func (c *conn) handle(ctx context.Context, f protocol.Frame) {
	if ws := c.far.Load(); ws != nil {
		if c.send(ctx, ws, f) != nil { // the reply comes from there
			c.abort()
		}
		return
	}
	c.out.begin()
	defer c.out.done()
	ctx, cancel := context.WithTimeout(ctx, c.h.cfg.RequestTimeout)
	defer cancel()
	began := time.Now()
	body, err := c.answer(ctx, f)
	c.h.metrics.seconds.Observe(time.Since(began).Seconds())
	if err == nil && c.far.Load() != nil {
		return // answered by the node that has the meeting
	}
	refused, outcome := c.refusal(ctx, f.Type, err)
	c.count(f.Type, outcome)
	c.reply(f.ID, body, refused)
	if refused == nil && (f.Type == protocol.TypeJoin || f.Type == protocol.TypeResume) {
		c.session.Ready() // Events follow the reply.
	}
}

// answer finds who answers.
func (c *conn) answer(ctx context.Context, f protocol.Frame) (any, error) {
	switch {
	case !c.h.known[f.Type]:
		return nil, &protocol.Error{Reason: protocol.ReasonUnknownType, Message: "There is no request of this type."}
	case f.Type == protocol.TypeJoin || f.Type == protocol.TypeResume:
		return c.enter(ctx, f)
	case c.session == nil:
		return nil, &protocol.Error{Reason: protocol.ReasonNotJoined, Message: "Join a meeting first."}
	default:
		return c.session.Handle(ctx, f.Type, f.Body)
	}
}

// enter joins or resumes.
func (c *conn) enter(ctx context.Context, f protocol.Frame) (any, error) {
	if c.session != nil {
		return nil, &protocol.Error{Reason: protocol.ReasonAlreadyJoined, Message: "This connection is in a meeting already. Open another one to join again."}
	}
	c.joining.Store(true)
	defer func() {
		c.joining.Store(false)
		if !c.joined.Load() && c.late.Load() {
			c.lateAfterReply()
		}
	}()
	for {
		joined, err := c.enterHere(ctx, f)
		var elsewhere *media.Elsewhere
		switch {
		case err == nil:
			c.joined.Store(true)
			return joined, nil
		case !errors.As(err, &elsewhere):
			return nil, err
		case c.relayedHere || c.h.deps.Tokens == nil:
			// Whoever relays it looks again whose the meeting is.
			c.out.drop(nil, websocket.StatusTryAgainLater, "")
			return nil, err
		}
		c.remote.Limited = true
		failed := c.relay(ctx, elsewhere.URL, f)
		if failed == nil {
			return nil, nil //nolint:nilnil // the reply is on its way
		}
		c.h.log.DebugContext(ctx, "the node that has a meeting isn't reached; trying again", slog.Any("error", failed))
		select {
		case <-time.After(relayRetry):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// enterHere joins or resumes on this node.
func (c *conn) enterHere(ctx context.Context, f protocol.Frame) (protocol.Joined, error) {
	var joined protocol.Joined
	switch f.Type {
	case protocol.TypeJoin:
		var req protocol.Join
		if err := json.Unmarshal(f.Body, &req); err != nil {
			return joined, badBody(err)
		}
		s, reply, err := c.h.deps.Node.Join(ctx, req, c.remote, c)
		if err != nil {
			return joined, err
		}
		c.session, joined = s, reply
	default:
		var req protocol.Resume
		if err := json.Unmarshal(f.Body, &req); err != nil {
			return joined, badBody(err)
		}
		s, reply, err := c.h.deps.Node.Resume(ctx, req, c.remote, c)
		if err != nil {
			return joined, err
		}
		c.session, joined = s, reply
	}
	return joined, nil
}

// lateAfterReply ends the connection once the refusal of its last join is sent.
func (c *conn) lateAfterReply() {
	ended := protocol.Ended{Reason: protocol.ReasonJoinTimeout, Message: "Nothing joined a meeting on this connection in time. Connect again and join."}
	if c.out.finish(endedFrame(ended), websocket.StatusCode(protocol.CloseNoJoin), ended.Reason) {
		c.h.metrics.cut.WithLabelValues(ended.Reason).Inc()
	}
}

// badBody names the field of a body that is of the wrong type, and quotes nothing.
func badBody(err error) *protocol.Error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return &protocol.Error{Reason: protocol.ReasonInvalidField, Field: wrong.Field, Message: "The field has the wrong type."}
	}
	return &protocol.Error{Reason: protocol.ReasonMalformed, Field: "body", Message: "The body is not what this request has."}
}

// refusal is what a client is told of an error. Errors of the server are logged, and told without their text.
func (c *conn) refusal(ctx context.Context, typ string, err error) (*protocol.Error, string) {
	var told *protocol.Error
	switch {
	case err == nil:
		return nil, outcomeOK
	case errors.As(err, &told):
		switch told.Reason {
		case protocol.ReasonRateLimited:
			return told, outcomeLimited
		case protocol.ReasonInternal, protocol.ReasonUnavailable:
			return told, outcomeFailed
		}
		return told, outcomeRefused
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &protocol.Error{Reason: protocol.ReasonRequestTimeout, Message: "The request took too long and was given up; it may have had its effect. Try again."}, outcomeFailed
	default:
		c.h.log.ErrorContext(ctx, "request failed", slog.String("request", typ), slog.Any("error", err))
		return &protocol.Error{Reason: protocol.ReasonInternal, Message: "Something went wrong in the server. Try again; if it stays, report the support code."}, outcomeFailed
	}
}

func websocketTooBig(err error) bool { return errors.Is(err, websocket.ErrMessageTooBig) }
