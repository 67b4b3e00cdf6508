package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/pion/webrtc/v4"

	"github.com/anteroom/anteroom/identity"
	mediaclient "github.com/anteroom/anteroom/media/client"
	"github.com/anteroom/anteroom/media/protocol"
)

// said is a message that was acknowledged: to its author, or by being shown to somebody, which happens after Kafka has it.
type said struct {
	meeting, call string
	sentAt        time.Time // to the millisecond
	// deleted: its author may have deleted it; surely: and was told so.
	deleted, surely bool
}

// shown is what a guest was shown last, by when it was sent.
type shown struct {
	meeting, call, region string
	last                  time.Time
	// all are the messages that the guest was shown.
	all []uuid.UUID
}

// life is what goes on in the meetings of a crew while it is killed, and what people were told of it.
type life struct {
	f    *crew
	h    *house
	near *application // of the home region
	far  *application // of the other one
	stop context.CancelFunc
	all  sync.WaitGroup

	mu        sync.Mutex
	said      map[uuid.UUID]*said           // guarded by mu
	shown     map[uuid.UUID]*shown          // guarded by mu: by guest, as participant of a call
	joined    map[uuid.UUID]string          // guarded by mu: the calls that people were let into, by participant
	collected map[string]bool               // guarded by mu: calls of which a client of another system was told that all is understood
	held      map[string]map[uuid.UUID]bool // guarded by mu: messages that were there when a hold on their meeting had been placed
	refused   map[string]int                // guarded by mu: how often what was refused
}

func newLife(f *crew) *life {
	f.t.Helper()
	h := newHouse(f.t, f.api, nil)
	f.api.must(f.t, http.StatusCreated, h.admin, http.MethodPost, "/v1/retention/policies", fields{
		"name": "A day", "enabled": true, "scope": fields{"kind": "organization"}, "action": fields{"kind": "delete", "days": 1},
	})
	return &life{
		f: f, h: h, near: h.application(nil), far: h.application(fields{"region": "amer"}), said: map[uuid.UUID]*said{}, shown: map[uuid.UUID]*shown{},
		joined: map[uuid.UUID]string{}, collected: map[string]bool{}, held: map[string]map[uuid.UUID]bool{}, refused: map[string]int{},
	}
}

// begin has people come into meetings and talk, and clients of another system tell what they measure, until end.
func (l *life) begin(ctx context.Context, meetings []*room) {
	ctx, l.stop = context.WithCancel(ctx)
	for _, m := range meetings {
		l.all.Go(func() { l.attend(ctx, m, "", nil) })
		l.all.Go(func() { l.attend(ctx, m, "emea", l.near) })
		l.all.Go(func() { l.attend(ctx, m, "amer", l.far) })
	}
	l.all.Go(func() { l.collect(ctx) })
}

// messages is how many were acknowledged so far.
func (l *life) messages() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.said)
}

func (l *life) end() {
	l.stop()
	l.all.Wait()
}

// attend is one seat of a meeting: somebody comes, talks, and comes again when thrown out. app is a guest's; of the organiser nil.
func (l *life) attend(ctx context.Context, m *room, region string, app *application) {
	var c *mediaclient.Client
	leave := func() {
		if c != nil {
			c.Close()
			c = nil
		}
	}
	defer leave()
	known := false
	for ctx.Err() == nil {
		var err error
		switch {
		case c == nil:
			c, err = l.enter(ctx, m, region, app)
		case mathrand.IntN(4) == 0: // some don't come back, but come anew
			leave()
			continue
		default:
			soon, cancel := context.WithTimeout(ctx, 10*time.Second)
			_, err = c.Reconnect(soon)
			cancel()
			if outcome(err) == refused {
				leave()
			}
		}
		if err != nil {
			l.failed("join", err)
			var told *protocol.Error
			if known && errors.As(err, &told) && (told.Reason == protocol.ReasonMeetingNotFound || told.Reason == protocol.ReasonMeetingEnded) {
				l.f.t.Errorf("of a meeting that is there somebody was told %s", told.Reason)
			}
			pause(ctx, time.Duration(100+mathrand.IntN(400))*time.Millisecond)
			continue
		}
		known = true
		l.talk(ctx, m, c)
	}
}

// enter joins a meeting.
func (l *life) enter(ctx context.Context, m *room, region string, app *application) (*mediaclient.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	opts := mediaclient.Options{Settings: func(s *webrtc.SettingEngine) { s.SetIncludeLoopbackCandidate(true) }}
	var c *mediaclient.Client
	opts.OnEvent = func(e mediaclient.Event) {
		var message protocol.ChatMessage
		if e.Type == protocol.TypeChatMessage && e.Decode(&message) == nil {
			l.saw(m, c.Joined(), region, message)
		}
	}
	c, err := mediaclient.Dial(ctx, l.f.media.url+"/v1/connect", opts)
	if err != nil {
		return nil, err
	}
	join := protocol.Join{Meeting: m.id, Secret: m.secret}
	if app == nil {
		join.UserToken, err = l.f.token(l.h.org, organizer, identity.OrgUser)
	} else {
		join.DisplayName, join.GuestToken = "Gina", app.token("sub-"+rand.Text(), nil)
	}
	if err == nil {
		_, err = c.Join(ctx, join)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	l.mu.Lock()
	l.joined[uuid.MustParse(c.Joined().ParticipantID)] = c.Joined().CallID
	l.mu.Unlock()
	if app != nil {
		_, _ = c.Publish(ctx, mic) // what doesn't come to be is no loss: media is measured, not promised
	}
	return c, nil
}

// talk says things, and takes some of them back, until the connection is gone.
func (l *life) talk(ctx context.Context, m *room, c *mediaclient.Client) {
	joined := c.Joined()
	for {
		soon, cancel := context.WithTimeout(ctx, 20*time.Second)
		sent, err := c.ChatSend(soon, protocol.ChatSend{Text: "said " + rand.Text()})
		cancel()
		switch outcome(err) {
		case confirmed:
			l.told(m, joined.CallID, sent.MessageID, sent.SentAt)
			if mathrand.IntN(12) == 0 {
				l.takeBack(ctx, c, uuid.MustParse(sent.MessageID))
			}
		case refused:
			l.failed("message", err)
		case unknown:
			return
		}
		if !pause(ctx, time.Duration(150+mathrand.IntN(300))*time.Millisecond) {
			return
		}
		select {
		case <-c.Disconnected():
			return
		default:
		}
	}
}

// takeBack has an author delete a message.
func (l *life) takeBack(ctx context.Context, c *mediaclient.Client, id uuid.UUID) {
	l.mu.Lock()
	l.said[id].deleted = true
	l.mu.Unlock()
	soon, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if outcome(c.ChatDelete(soon, id.String())) == confirmed {
		l.mu.Lock()
		l.said[id].surely = true
		l.mu.Unlock()
	}
}

// told notes a message that was acknowledged.
func (l *life) told(m *room, call, id, sentAt string) {
	at, err := time.Parse(time.RFC3339, sentAt)
	if err != nil {
		l.f.t.Error(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if key := uuid.MustParse(id); l.said[key] == nil {
		l.said[key] = &said{meeting: m.id, call: call, sentAt: at}
	}
}

// saw notes that somebody was shown a message.
func (l *life) saw(m *room, who protocol.Joined, region string, message protocol.ChatMessage) {
	if who.CallID == "" {
		return // it came before the answer to the join: what is older than that is no news
	}
	l.told(m, who.CallID, message.MessageID, message.SentAt)
	if region == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	id := uuid.MustParse(message.MessageID)
	holder := uuid.MustParse(who.ParticipantID)
	s := l.shown[holder]
	if s == nil {
		s = &shown{meeting: m.id, call: who.CallID, region: region}
		l.shown[holder] = s
	}
	s.all = append(s.all, id)
	if at := l.said[id].sentAt; at.After(s.last) {
		s.last = at
	}
}

// failed counts what was refused, by why.
func (l *life) failed(what string, err error) {
	var told *protocol.Error
	if !errors.As(err, &told) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused[what+": "+told.Reason]++
}

// collectedSamples is how many rows a collected call has: one for each of its intervals.
const collectedSamples = 6

// collect sends whole calls of clients of another system: one batch each, with their end.
func (l *life) collect(ctx context.Context) {
	for pause(ctx, 300*time.Millisecond) {
		from := time.Now().Add(-collectedSamples * 10 * time.Second).Truncate(10 * time.Second)
		var entries []any
		for second := 0; second <= collectedSamples*10; second += 5 {
			at := from.UnixMilli() + int64(second)*1000
			entries = append(entries, fields{"at_ms": at, "peer_connection": "pc", "stats": fields{"timestamp": at, "IT01": fields{
				"timestamp": at, "type": "inbound-rtp", "kind": "audio", "ssrc": 7, "packetsReceived": 50 * second, "packetsLost": 0, "bytesReceived": 5000 * second, "jitter": 0.01,
			}}})
		}
		body, err := json.Marshal(fields{"session_id": rand.Text(), "sequence": 1, "entries": entries, "ended": true})
		if err != nil {
			l.f.t.Error(err)
			return
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.f.api.url+"/v1/collect", strings.NewReader(string(body)))
		if err != nil {
			l.f.t.Error(err)
			return
		}
		req.Header.Set("Content-Type", "application/json")
		status, text, err := ask(req, l.near.token("sub-"+rand.Text(), nil))
		if err != nil || status != http.StatusOK {
			if err == nil {
				l.mu.Lock()
				l.refused[fmt.Sprint("collect: ", status)]++
				l.mu.Unlock()
			}
			continue
		}
		var receipt struct {
			CallID       string `json:"call_id"`
			Acknowledged int    `json:"acknowledged"`
		}
		if err := json.Unmarshal([]byte(text), &receipt); err != nil || receipt.Acknowledged != 1 {
			l.f.t.Errorf("a batch was taken, and the answer is %s", text)
			continue
		}
		l.mu.Lock()
		l.collected[receipt.CallID] = true
		l.mu.Unlock()
	}
}

// hold places a hold on a meeting, however often it has to be asked for, and notes what is there then: that must stay. false: it could not be placed in time.
func (l *life) hold(ctx context.Context, m *room) bool {
	key := rand.Text()
	for ctx.Err() == nil {
		if l.placed(ctx, m, key) && l.thereNow(ctx, m) {
			return true
		}
		pause(ctx, 200*time.Millisecond)
	}
	return false
}

func (l *life) placed(ctx context.Context, m *room, key string) bool {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.f.api.url+"/v1/retention/holds", strings.NewReader(fmt.Sprintf(`{"meeting":%q,"reason":"Case 7"}`, m.id)))
	if err != nil {
		l.f.t.Error(err)
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	status, text, err := ask(req, l.h.admin)
	if err == nil && status >= 400 && status < 500 && status != http.StatusTooManyRequests {
		l.f.t.Errorf("a hold was refused: %d %s", status, text)
	}
	return err == nil && status == http.StatusCreated
}

// thereNow notes which messages of a meeting have their text in the tables.
func (l *life) thereNow(ctx context.Context, m *room) bool {
	ids, err := l.f.texts(ctx, m.id)
	if err != nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held[m.id] = ids
	return true
}
