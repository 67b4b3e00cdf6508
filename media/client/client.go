package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/anteroom/anteroom/media/protocol"
)

// Options of a client; the zero Options work.
type Options struct {
	// HTTPClient makes the WebSocket's handshake. Default http.DefaultClient.
	HTTPClient *http.Client
	// Header goes with the handshake (Origin, Cookie).
	Header http.Header
	// Settings changes how media goes over the network: another network, candidates, timeouts.
	Settings func(*webrtc.SettingEngine)
	// EventBuffer is how many events wait in Events until the oldest is dropped. Default 4096.
	EventBuffer int
	// OnEvent gets each event, in order, before Events does. It must not block, nor make requests and wait for their replies.
	OnEvent func(Event)
	// OnPacket gets each media packet that arrives; it must not keep it, nor block.
	OnPacket func(trackID string, p *rtp.Packet)
	// NoMedia refuses to receive: offers of the server stay unanswered. For clients that only signal.
	NoMedia bool
}

// Event is a message of the server that answers nothing.
type Event struct {
	Type string
	Body json.RawMessage
}

// Decode reads the body into one of protocol's types.
func (e Event) Decode(into any) error {
	if err := json.Unmarshal(e.Body, into); err != nil {
		return fmt.Errorf("read event %s: %w", e.Type, err)
	}
	return nil
}

// ErrDisconnected: the connection was lost or closed before the reply came; the request may have had its effect.
var ErrDisconnected = errors.New("the connection to the server is gone")

// Client is one participant.
type Client struct {
	url    string
	opts   Options
	events chan Event
	media  *peers

	mu     sync.Mutex
	conn   *conn           // guarded by mu
	joined protocol.Joined // guarded by mu; ResumeToken is the newest
	ended  *protocol.Ended // guarded by mu
	missed uint64          // guarded by mu
}

// Dial connects to url ("wss://host/v1/connect"; http and https are taken as well). It joins nothing yet.
func Dial(ctx context.Context, url string, opts Options) (*Client, error) {
	if opts.EventBuffer == 0 {
		opts.EventBuffer = 4096
	}
	c := &Client{url: url, opts: opts, events: make(chan Event, opts.EventBuffer)}
	media, err := newPeers(c)
	if err != nil {
		return nil, err
	}
	c.media = media
	if err := c.connect(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Client) connect(ctx context.Context) error {
	ws, resp, err := websocket.Dial(ctx, c.url, &websocket.DialOptions{
		HTTPClient: c.opts.HTTPClient, HTTPHeader: c.opts.Header, Subprotocols: []string{protocol.Subprotocol},
	})
	if err != nil {
		if resp != nil && resp.Body != nil {
			_ = resp.Body.Close()
			return fmt.Errorf("connect (HTTP status %d): %w", resp.StatusCode, err)
		}
		return fmt.Errorf("connect: %w", err)
	}
	ws.SetReadLimit(maxFrame)
	n := &conn{ws: ws, pending: make(map[uint64]chan protocol.Frame), done: make(chan struct{})}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	c.mu.Lock()
	old := c.conn
	c.conn, c.ended = n, nil
	c.mu.Unlock()
	if old != nil {
		old.drop()
	}
	go c.read(n)
	return nil
}

// maxFrame is the largest message that is taken from the server; rosters and offers of big meetings are large.
const maxFrame = 8 << 20

// Join enters a meeting.
func (c *Client) Join(ctx context.Context, req protocol.Join) (protocol.Joined, error) {
	return c.enter(ctx, protocol.TypeJoin, req)
}

// Resume takes up the participant of a resume token, on a client that has not joined.
func (c *Client) Resume(ctx context.Context, token string) (protocol.Joined, error) {
	return c.enter(ctx, protocol.TypeResume, protocol.Resume{ResumeToken: token})
}

func (c *Client) enter(ctx context.Context, typ string, req any) (protocol.Joined, error) {
	var joined protocol.Joined
	if err := c.Request(ctx, typ, req, &joined); err != nil {
		return protocol.Joined{}, err
	}
	c.mu.Lock()
	c.joined = joined
	c.mu.Unlock()
	c.media.configure(joined.ICEServers)
	return joined, nil
}

// Drop loses the connection without a goodbye; media goes on until the server ends it. Reconnect takes it up again.
func (c *Client) Drop() {
	if n := c.current(); n != nil {
		n.drop()
		<-n.done
	}
}

// Reconnect connects again and resumes with the newest token.
func (c *Client) Reconnect(ctx context.Context) (protocol.Joined, error) {
	token := c.ResumeToken()
	if err := c.connect(ctx); err != nil {
		return protocol.Joined{}, err
	}
	joined, err := c.Resume(ctx, token)
	if err == nil {
		c.media.resendCandidates()
	}
	return joined, err
}

// Close ends everything; without Leave before it, the server waits for the grace.
func (c *Client) Close() {
	if n := c.current(); n != nil {
		_ = n.ws.Close(websocket.StatusNormalClosure, "")
		n.drop()
		<-n.done
	}
	c.media.close()
}

func (c *Client) current() *conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conn
}

// Joined is the newest answer to join or resume, with the newest resume token.
func (c *Client) Joined() protocol.Joined {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.joined
}

// ResumeToken is the newest one.
func (c *Client) ResumeToken() string { return c.Joined().ResumeToken }

// Ended is what the server said before it closed the connection; nil: nothing.
func (c *Client) Ended() *protocol.Ended {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// Disconnected is closed when the present connection is gone.
func (c *Client) Disconnected() <-chan struct{} { return c.current().done }

// CloseCode is the code that the server closed the connection with, -1 without one. It is known once Disconnected is closed.
func (c *Client) CloseCode() int {
	n := c.current()
	select {
	case <-n.done:
		return int(websocket.CloseStatus(n.err))
	default:
		return -1
	}
}

// Events has all events of the server, across reconnects; it is never closed.
func (c *Client) Events() <-chan Event { return c.events }

// Missed is how many events were dropped because nobody took them from Events.
func (c *Client) Missed() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.missed
}

// Next returns the next event of one of the types, and skips others. It goes on after a lost connection, since a resume may follow.
func (c *Client) Next(ctx context.Context, types ...string) (Event, error) {
	for {
		select {
		case e := <-c.events:
			for _, typ := range types {
				if e.Type == typ {
					return e, nil
				}
			}
		case <-ctx.Done():
			return Event{}, fmt.Errorf("wait for event %v: %w", types, ctx.Err())
		}
	}
}

// conn is one WebSocket.
type conn struct {
	ws     *websocket.Conn
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
	err    error // why reading ended; set before done is closed

	// sending orders ids and frames: ids rise as they go out.
	sending sync.Mutex
	lastID  uint64 // guarded by sending

	mu      sync.Mutex
	pending map[uint64]chan protocol.Frame // guarded by mu; nil when the connection is gone
}

func (n *conn) drop() {
	n.cancel()
	_ = n.ws.CloseNow()
}

// Request sends a request and reads its reply into reply (nil: not wanted). A refusal is a *protocol.Error.
func (c *Client) Request(ctx context.Context, typ string, body, reply any) error {
	n := c.current()
	if n == nil {
		return ErrDisconnected
	}
	answer, err := n.send(ctx, typ, body)
	if err != nil {
		return err
	}
	select {
	case f, ok := <-answer:
		switch {
		case !ok:
			return fmt.Errorf("%s: %w", typ, ErrDisconnected)
		case f.Error != nil:
			return f.Error
		case reply == nil:
			return nil
		}
		if err := json.Unmarshal(f.Body, reply); err != nil {
			return fmt.Errorf("read reply to %s: %w", typ, err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for reply to %s: %w", typ, ctx.Err())
	}
}

func (n *conn) send(ctx context.Context, typ string, body any) (<-chan protocol.Frame, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", typ, err)
	}
	if body == nil {
		raw = nil
	}
	n.sending.Lock()
	defer n.sending.Unlock()
	n.lastID++
	id, answer := n.lastID, make(chan protocol.Frame, 1)
	n.mu.Lock()
	if n.pending == nil {
		n.mu.Unlock()
		return nil, fmt.Errorf("%s: %w", typ, ErrDisconnected)
	}
	n.pending[id] = answer
	n.mu.Unlock()
	frame, err := json.Marshal(protocol.Frame{Type: typ, ID: id, Body: raw})
	if err == nil {
		// A context that ends in the middle of a frame would break the connection: it bounds the wait for the reply only.
		limited, cancel := context.WithTimeout(n.ctx, 30*time.Second)
		err = n.ws.Write(limited, websocket.MessageText, frame)
		cancel()
	}
	if err != nil {
		n.mu.Lock()
		delete(n.pending, id)
		n.mu.Unlock()
		if ctx.Err() == nil {
			err = errors.Join(ErrDisconnected, err)
		}
		return nil, fmt.Errorf("send %s: %w", typ, err)
	}
	return answer, nil
}

// read takes frames until the connection is gone.
func (c *Client) read(n *conn) {
	defer close(n.done)
	defer n.cancel()
	for {
		_, data, err := n.ws.Read(n.ctx)
		if err != nil {
			n.err = err
			n.mu.Lock()
			for _, answer := range n.pending {
				close(answer)
			}
			n.pending = nil
			n.mu.Unlock()
			_ = n.ws.CloseNow()
			return
		}
		var f protocol.Frame
		if json.Unmarshal(data, &f) != nil {
			continue
		}
		if f.Type != protocol.Reply {
			c.event(Event{Type: f.Type, Body: f.Body})
			continue
		}
		n.mu.Lock()
		answer := n.pending[f.ID]
		delete(n.pending, f.ID)
		n.mu.Unlock()
		if answer != nil {
			answer <- f
		}
	}
}

// event does what the protocol asks of a client, and hands the event on.
func (c *Client) event(e Event) {
	switch e.Type {
	case protocol.TypeResumeToken:
		var issued protocol.ResumeTokenIssued
		if e.Decode(&issued) == nil {
			c.mu.Lock()
			c.joined.ResumeToken = issued.ResumeToken
			c.mu.Unlock()
		}
	case protocol.TypeEnded:
		ended := new(protocol.Ended)
		if e.Decode(ended) == nil {
			c.mu.Lock()
			c.ended = ended
			c.mu.Unlock()
		}
	case protocol.TypeSubscribeOffer, protocol.TypeCandidate:
		if !c.opts.NoMedia {
			c.media.take(e)
		}
	}
	if c.opts.OnEvent != nil {
		c.opts.OnEvent(e)
	}
	for {
		select {
		case c.events <- e:
			return
		default:
		}
		select {
		case <-c.events:
			c.mu.Lock()
			c.missed++
			c.mu.Unlock()
		default:
		}
	}
}
