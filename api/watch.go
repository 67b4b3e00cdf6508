package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/anteroom/anteroom/analytics"
	"github.com/anteroom/anteroom/analytics/live"
	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/quality"
)

// eventType is the media type of server-sent events.
const eventType = "text/event-stream"

// liveWriter writes what a stream of events has.
type liveWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// send writes one event; id may be "". Data has no line breaks, being JSON.
func (l liveWriter) send(event, id string, data []byte) error {
	if err := l.control.SetWriteDeadline(time.Now().Add(writePatience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("give event its time: %w", err)
	}
	text := "event: " + event + "\n"
	if id != "" {
		text += "id: " + id + "\n"
	}
	if _, err := l.w.Write([]byte(text + "data: " + string(data) + "\n\n")); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	if err := l.control.Flush(); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	return nil
}

// liveStream is the answer to who watches.
type liveStream struct {
	ctx      context.Context //nolint:containedctx // the generated interface hands over none
	listener *live.Listener
	// seen is the id that the client had last.
	seen string
	// again tells whether the client may still watch; it is asked with every sign of life.
	again func() error
	every time.Duration
}

// VisitGetLiveResponse writes events until the client has gone, may not watch any more, or the service stops.
func (s liveStream) VisitGetLiveResponse(w http.ResponseWriter) error {
	defer s.listener.Close()
	header := w.Header()
	header.Set(echo.HeaderContentType, eventType)
	header.Set("X-Accel-Buffering", "no") // A proxy that gathers would hold events back.
	w.WriteHeader(http.StatusOK)
	out := liveWriter{w, http.NewResponseController(w)}
	// The time for reading a request would else end the stream: the server goes on reading, to learn that the client has gone.
	if err := out.control.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("give stream its time: %w", err)
	}
	// The first byte goes out at once: the client knows by it that it is connected.
	if err := out.send("alive", "", s.alive()); err != nil {
		return nil // Whoever is gone needs no answer.
	}
	var last *live.Update
	for beat := time.Now().Add(s.every); ; {
		ctx, cancel := context.WithDeadline(s.ctx, beat)
		update, err := s.listener.Next(ctx, last)
		cancel()
		switch {
		case err == nil:
			last, err = update, s.tell(out, update)
		case errors.Is(err, live.ErrClosed):
			_ = out.send("end", "", []byte(`{"reason":"shutting_down"}`))
			return nil
		case s.ctx.Err() != nil:
			return nil
		default:
			err = nil // It is time for a sign of life.
		}
		if err == nil && !time.Now().Before(beat) {
			beat = time.Now().Add(s.every)
			if s.again() != nil {
				_ = out.send("end", "", []byte(`{"reason":"signed_out"}`))
				return nil
			}
			err = out.send("alive", "", s.alive())
		}
		if err != nil {
			return nil
		}
	}
}

func (s liveStream) alive() []byte {
	at := s.listener.Seen()
	if at.IsZero() {
		return []byte("{}")
	}
	return fmt.Appendf(nil, `{"at":%q}`, at.Format(time.RFC3339Nano))
}

// tell writes an update, unless the client has it from before it was cut off.
func (s *liveStream) tell(out liveWriter, u *live.Update) error {
	seen := s.seen
	s.seen = ""
	if u.Err != nil {
		p, err := json.Marshal(asError(u.Err).problem(""))
		if err != nil {
			return fmt.Errorf("write problem: %w", err)
		}
		return out.send("problem", "", p)
	}
	if u.ID == seen {
		return nil
	}
	return out.send("calls", u.ID, pictureOf(u.At, u.Calls))
}

// pictureOf is LiveCalls as JSON.
func pictureOf(at time.Time, calls []byte) []byte {
	return fmt.Appendf(nil, `{"at":%q,"calls":%s}`, at.Format(time.RFC3339Nano), calls)
}

// picture is the answer to who wants it once.
type picture []byte

func (p picture) VisitGetLiveResponse(w http.ResponseWriter) error {
	w.Header().Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	w.WriteHeader(http.StatusOK)
	if _, err := w.Write(p); err != nil {
		return fmt.Errorf("write running calls: %w", err)
	}
	return nil
}

// GetLive shows the calls that run.
func (h *handlers) GetLive(ctx context.Context, request openapi.GetLiveRequestObject) (openapi.GetLiveResponseObject, error) {
	who := callerOf(ctx)
	listener, err := h.live.Listen(who.about, who.Subject)
	if errors.Is(err, live.ErrTooMany) {
		return nil, &Error{Code: CodeTooManyRequests, Detail: "As many watch as may. Close a window that watches, or try again later."}
	}
	if err != nil {
		return nil, fmt.Errorf("watch running calls: %w", err)
	}
	if r := requestIn(ctx); r != nil && strings.Contains(r.Header.Get(echo.HeaderAccept), eventType) {
		return liveStream{ctx: ctx, listener: listener, seen: value(request.Params.LastEventID), again: who.again, every: h.live.Alive()}, nil
	}
	defer listener.Close()
	limited, cancel := context.WithTimeout(ctx, h.cfg.Query.Timeout+h.live.Interval())
	defer cancel()
	update, err := listener.Next(limited, nil)
	switch {
	case err != nil && ctx.Err() == nil && limited.Err() != nil:
		return nil, &Error{Code: CodeQueryTimeout}
	case err != nil:
		return nil, fmt.Errorf("watch running calls: %w", err)
	case update.Err != nil:
		return nil, update.Err
	}
	return picture(pictureOf(listener.Seen(), update.Calls)), nil
}

// encodeLive writes running calls for all who watch them.
func encodeLive(calls []*analytics.Call) ([]byte, error) {
	out := make([]openapi.LiveCall, len(calls))
	for i, c := range calls {
		out[i] = presentLive(c)
	}
	text, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("write running calls: %w", err)
	}
	return text, nil
}

func presentLive(c *analytics.Call) openapi.LiveCall {
	a := &c.CallAssessment
	out := openapi.LiveCall{
		CallId: c.CallID, MeetingId: textOrNil(c.MeetingID), State: openapi.LiveCallStateRunning, Kind: openapi.LiveCallKind(c.Kind), StartedAt: c.FirstSeen,
		EndedAt: c.EndedAt, Users: make([]openapi.LiveUser, len(c.Participants)), Profile: c.Profile.Name(), Verdict: openapi.Verdict(a.Verdict),
		Streams: openapi.StreamCounts{
			Total: a.GoodStreams + a.PoorStreams + a.UnknownStreams, Good: a.GoodStreams, Poor: a.PoorStreams, Unknown: a.UnknownStreams,
		},
		Reasons: presentReasons(c.Worst()),
	}
	if c.EndedAt != nil {
		out.State = openapi.LiveCallStateEnded
	}
	place := make(map[uuid.UUID]int, len(c.Participants))
	for i := range c.Participants {
		p := &c.Participants[i]
		place[p.ID] = i
		out.Users[i] = openapi.LiveUser{
			ParticipantId: p.ID, UserId: textOrNil(p.UserID), Label: analytics.LabelOf(p), JoinedAt: p.JoinedAt, LeftAt: p.LeftAt, Verdict: openapi.Verdict(quality.Unknown),
			Streams: []openapi.LiveStream{},
		}
	}
	var jitter, loss, rtt mean
	for i := range c.Judged {
		s := &c.Judged[i]
		jitter.add(s.JitterMsAvg)
		loss.add(s.LossRatio)
		rtt.add(s.RTTMsAvg)
		user := &out.Users[place[s.ParticipantID]]
		user.Verdict = worse(user.Verdict, openapi.Verdict(s.Verdict))
		user.Streams = append(user.Streams, openapi.LiveStream{
			StreamId: s.ID, Media: openapi.LiveStreamMedia(s.Media), Direction: openapi.LiveStreamDirection(s.Direction), Verdict: openapi.Verdict(s.Verdict),
			Reasons: presentReasons(s.Reasons), JitterMs: finite(s.JitterMsAvg), LossRatio: finite(s.LossRatio), RttMs: finite(s.RTTMsAvg),
			BitrateBps: finite(s.BitrateAvg), FrameRate: finite(s.FrameRateAvg),
		})
	}
	out.JitterMs, out.LossRatio, out.RttMs = jitter.value(), loss.value(), rtt.value()
	return out
}

// worse is the verdict of two that counts: poor, then good, then unknown.
func worse(a, b openapi.Verdict) openapi.Verdict {
	for _, v := range []quality.Verdict{quality.Poor, quality.Good} {
		if a == openapi.Verdict(v) || b == openapi.Verdict(v) {
			return openapi.Verdict(v)
		}
	}
	return a
}

// mean is that of figures that are known.
type mean struct {
	sum float64
	n   int
}

func (m *mean) add(f *float64) {
	if f = finite(f); f != nil {
		m.sum += *f
		m.n++
	}
}

func (m *mean) value() *float64 {
	if m.n == 0 {
		return nil
	}
	v := m.sum / float64(m.n)
	return &v
}

// liveHub makes the live view; its judgement is by the profile for what happens just now.
func liveHub(cfg live.Config, h *handlers, deps Deps) (*live.Hub, error) {
	profile, ok := h.profiles.Get(quality.RealTime)
	if !ok {
		return nil, errors.New("make live view: there is no profile " + quality.RealTime)
	}
	hub, err := live.New(cfg, live.Deps{Reader: h.reader, Profile: profile, Encode: encodeLive, Log: deps.Logger, Metrics: deps.Registry})
	if err != nil {
		return nil, err //nolint:wrapcheck // says what it did
	}
	return hub, nil
}

// stillMay makes what tells whether somebody who was let through would be let through again.
func (s *Server) stillMay(c echo.Context, operation string, row access) func() error {
	return func() error {
		_, err := s.admit(c, operation, row)
		if identity.ReasonOf(err) == identity.IssuerUnavailable {
			return nil // Nothing is known, so nothing has changed.
		}
		return err
	}
}
