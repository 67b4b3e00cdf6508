package media

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"github.com/anteroom/anteroom/media/meeting"
	"github.com/anteroom/anteroom/media/protocol"
)

// opener begins a session: meeting.Start or meeting.Revive.
type opener func(context.Context, meeting.Config, meeting.Facts, meeting.Deps) (*meeting.Meeting, error)

// session returns the meeting's running session. Whoever comes first begins it with open, all others wait for that; open nil begins none
// and returns nil. It is begun for the meeting, not for whoever was first: that one may vanish without failing the others.
func (n *Node) session(ctx context.Context, facts meeting.Facts, open opener, result string) (*running, error) {
	n.mu.Lock()
	r, found := n.running[facts.Meeting.ID]
	switch {
	case n.stopping:
		n.mu.Unlock()
		return nil, refuse(protocol.ReasonShuttingDown, "", "The server is shutting down. Connect again in a moment.")
	case !found && open == nil:
		n.mu.Unlock()
		return nil, nil
	case !found && len(n.running) >= n.cfg.MaxMeetings:
		n.mu.Unlock()
		return nil, refuse(protocol.ReasonTooManyMeetings, "", fmt.Sprintf("This server already runs %d meetings, its limit. Try again later.", n.cfg.MaxMeetings))
	case !found:
		limiter := rate.NewLimiter(rate.Limit(n.cfg.JoinsPerMeeting), n.cfg.JoinBurstPerMeeting)
		r = &running{
			id: facts.Meeting.ID, ready: make(chan struct{}), gone: make(chan struct{}),
			facts: facts, seats: make(map[uuid.UUID]*seat),
			limit: func(now time.Time) bool { return limiter.AllowN(now, 1) },
		}
		n.running[r.id] = r
		n.ends.Add(1)
		go n.begin(context.WithoutCancel(ctx), r, facts, open, result)
	}
	n.mu.Unlock()

	select {
	case <-r.ready:
		return r, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// begin opens the session and waits for its end.
func (n *Node) begin(ctx context.Context, r *running, facts meeting.Facts, open opener, result string) {
	defer n.ends.Done()
	defer close(r.gone)
	deps := meeting.Deps{
		Decider: n.deps.Decider, Recorder: n.deps.Recorder, Sealer: n.deps.Sealer, Forward: n.deps.Forward, Log: n.log,
		Recordings: n.deps.Recordings, Transcriptions: n.deps.Transcriptions, Notifier: n.deps.Notifier,
	}
	if n.deps.Gone != nil {
		deps.Gone = gone{n}
	}
	if n.deps.Owners != nil {
		deps.Holds = n.deps.Owners.Holds
	}
	startCtx, cancel := context.WithTimeout(ctx, n.cfg.StartTimeout)
	m, err := open(startCtx, n.cfg.Meeting, facts, deps)
	cancel()
	if err != nil {
		n.metrics.starts.WithLabelValues(resultFailed).Inc()
		n.log.WarnContext(ctx, "session of a meeting not begun", slog.String("meeting", r.id), slog.Any("error", err))
		n.mu.Lock()
		delete(n.running, r.id)
		n.mu.Unlock()
		r.err = notBegun(err)
		close(r.ready)
		return
	}
	n.metrics.starts.WithLabelValues(result).Inc()
	r.meeting, r.since = m, time.Now()
	about := []any{slog.String("call", m.Call().String()), slog.String("meeting", r.id), slog.String("org", facts.Organization.ID)}
	n.log.InfoContext(ctx, "session of a meeting runs", append(about, slog.String("result", result))...)
	close(r.ready)
	// What changed between reading the facts and being found by their watcher is handed over now.
	if now, ok := n.deps.Control.Meeting(r.id); !ok || !reflect.DeepEqual(now, facts) {
		n.settingsChanged(r.id)
	}
	<-m.Done()
	n.log.InfoContext(ctx, "session of a meeting has ended here", about...)
	n.mu.Lock()
	delete(n.running, r.id)
	for id := range r.seats {
		n.vacate(r, id)
	}
	if !r.taken { // else it may come back
		n.ended[m.Call()] = time.Now()
	}
	n.mu.Unlock()
}

// notBegun is what joiners are told of a session that could not be begun.
func notBegun(err error) error {
	var told *protocol.Error
	if errors.As(err, &told) {
		return told
	}
	return refuse(protocol.ReasonUnavailable, "", "The meeting could not be started, because the start could not be recorded. Try again in a moment.")
}

// maxTicketAge is how long a resume token is good for. Connected clients get new ones in time, so a token is older than that only if its
// client has been away for longer than the grace. Whoever is gone is remembered for as long.
func (n *Node) maxTicketAge() time.Duration { return 2 * (n.cfg.RenewTokens + n.cfg.grace()) }

// forgetEnded drops what no token can refer to any more, and members whose grace is long over.
func (n *Node) forgetEnded(now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for call, at := range n.ended {
		if now.Sub(at) > n.maxTicketAge() {
			delete(n.ended, call)
		}
	}
	for _, r := range n.running {
		for id, s := range r.seats {
			if s.link == nil && now.Sub(s.lost) > 2*n.cfg.grace() {
				n.vacate(r, id)
			}
		}
	}
}

func refuse(reason, field, message string) *protocol.Error {
	return &protocol.Error{Reason: reason, Message: message, Field: field}
}
