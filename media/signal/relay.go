package signal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/media"
	"github.com/anteroom/anteroom/media/protocol"
)

// A connection whose meeting another node has is relayed there: what the client sends goes on to that node, and what that node sends goes to the client.
// Media goes straight to the node. A relay that breaks is for the client like a connection that breaks, so it resumes, and is led to whoever has the
// meeting then.

// relayHeader carries, sealed, what the relaying node knows of the client.
const relayHeader = "Anteroom-Relay"

const (
	// relayTTL bounds how long the header is good for.
	relayTTL = 30 * time.Second
	// relayDial bounds the making of one relay, with the reply to what it was made for left out; relayRetry is the pause before the next try.
	relayDial  = 2 * time.Second
	relayRetry = 150 * time.Millisecond
	// relayPing is how often the other node has to show that it is there, and how long that may take: well within its lease.
	relayPing = 2 * time.Second
	// relayFrame bounds what a node may send at once: rosters and offers of big meetings are large.
	relayFrame = 8 << 20
)

// relayed is what the header says.
type relayed struct {
	Addr    netip.Addr          `json:"addr"`
	Origin  string              `json:"origin,omitempty"`
	Session *identity.Principal `json:"session,omitempty"`
}

// relayRemote reads the header of a connection that another node relays.
func (h *Handler) relayRemote(r *http.Request) (media.Remote, error) {
	if h.deps.Tokens == nil {
		return media.Remote{}, errors.New("this process takes no relays")
	}
	var from relayed
	if err := h.deps.Tokens.Open(identity.KindRelay, r.Header.Get(relayHeader), &from); err != nil {
		return media.Remote{}, fmt.Errorf("open what a relay says: %w", err)
	}
	return media.Remote{Addr: from.Addr, Origin: from.Origin, Session: from.Session, Limited: true}, nil
}

// relay makes the connection one that is relayed to the node at url, with f as its first request. The reply is the client's. After an
// error it is to be tried again: a resume has the same effect once more.
func (c *conn) relay(ctx context.Context, url string, f protocol.Frame) error {
	token, err := c.h.deps.Tokens.Sign(identity.KindRelay, relayed{Addr: c.remote.Addr, Origin: c.remote.Origin, Session: c.remote.Session}, relayTTL)
	if err != nil {
		return fmt.Errorf("seal what a relay says: %w", err)
	}
	dialling, cancel := context.WithTimeout(ctx, relayDial)
	defer cancel()
	ws, resp, err := websocket.Dial(dialling, strings.TrimSuffix(url, "/")+"/v1/connect", &websocket.DialOptions{
		HTTPHeader: http.Header{relayHeader: {token}}, Subprotocols: []string{protocol.Subprotocol}, CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		if resp != nil && resp.Body != nil {
			_ = resp.Body.Close()
		}
		return fmt.Errorf("connect to the meeting's node: %w", err)
	}
	ws.SetReadLimit(relayFrame)
	frames, reply, err := c.ask(ctx, ws, f)
	if err != nil {
		_ = ws.CloseNow()
		return err
	}
	c.far.Store(ws)
	if reply.Error == nil {
		c.joined.Store(true)
	}
	c.h.metrics.relays.Inc()
	for _, frame := range frames {
		c.pass(frame)
	}
	c.relaying.Go(func() { defer c.contain(c.ctx); c.pump(c.ctx, ws) })
	c.relaying.Go(func() { defer c.contain(c.ctx); c.pingFar(c.ctx, ws) })
	return nil
}

// earlyFrames bounds what may come before a reply.
const earlyFrames = 256

// ask sends the first request and returns all that came until it was answered, in its order: a meeting may have something to tell before it has replied.
func (c *conn) ask(ctx context.Context, ws *websocket.Conn, f protocol.Frame) (frames [][]byte, reply protocol.Frame, err error) {
	if err := c.send(ctx, ws, f); err != nil {
		return nil, reply, err
	}
	for len(frames) < earlyFrames {
		_, data, err := ws.Read(ctx)
		if err != nil {
			return nil, reply, fmt.Errorf("wait for the meeting's node: %w", err)
		}
		reply = protocol.Frame{}
		if err := json.Unmarshal(data, &reply); err != nil {
			return nil, reply, fmt.Errorf("read what the meeting's node says: %w", err)
		}
		frames = append(frames, data)
		switch reply.Type {
		case protocol.Reply:
			return frames, reply, nil
		case protocol.TypeEnded:
			return nil, reply, errors.New("the meeting's node ends the connection instead of replying")
		}
	}
	return nil, reply, errors.New("the meeting's node gave no reply")
}

func (c *conn) send(ctx context.Context, ws *websocket.Conn, f protocol.Frame) error {
	frame, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("encode a request for the meeting's node: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.h.cfg.WriteTimeout)
	defer cancel()
	if err := ws.Write(ctx, websocket.MessageText, frame); err != nil {
		return fmt.Errorf("write to the meeting's node: %w", err)
	}
	return nil
}

// pass hands a frame of the other node to the client.
func (c *conn) pass(frame []byte) {
	if !c.out.event(frame) {
		c.cutSlow()
	}
}

// pump hands on what the other node sends until one of the two connections is over. What the other node closes with, the client is closed with; what breaks
// there breaks here.
func (c *conn) pump(ctx context.Context, ws *websocket.Conn) {
	for {
		_, data, err := ws.Read(ctx)
		if err == nil {
			c.pass(data)
			continue
		}
		var closed websocket.CloseError
		if errors.As(err, &closed) && closed.Code != websocket.StatusNoStatusRcvd {
			c.out.finish(nil, closed.Code, closed.Reason)
			return
		}
		if ctx.Err() == nil {
			c.h.log.DebugContext(ctx, "a relay to a meeting's node broke", slog.Any("error", err))
		}
		c.abort()
		return
	}
}

// pingFar breaks a relay whose other end shows no life.
func (c *conn) pingFar(ctx context.Context, ws *websocket.Conn) {
	ticker := time.NewTicker(relayPing)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		limited, cancel := context.WithTimeout(ctx, relayPing)
		err := ws.Ping(limited)
		cancel()
		if err != nil {
			if !c.out.ending() {
				c.abort()
			}
			return
		}
	}
}

// endRelay ends the other side's connection, after what was sent there.
func (c *conn) endRelay() {
	if ws := c.far.Load(); ws != nil {
		_ = ws.Close(websocket.StatusNormalClosure, "")
	}
}
