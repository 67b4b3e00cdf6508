package main

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media"
	"github.com/anteroom/anteroom/media/forward"
	"github.com/anteroom/anteroom/media/meeting"
	"github.com/anteroom/anteroom/media/nodes"
	"github.com/anteroom/anteroom/media/record"
	"github.com/anteroom/anteroom/store"
)

// Bounds of the recovery.
const (
	// recoverySettle is between two looks at what is open: rows that are on their way from Kafka change it meanwhile.
	recoverySettle = 2 * time.Second
	// recoveryReach is how long ago a call may have started that is still closed.
	recoveryReach = 92 * 24 * time.Hour
	// recoveryCalls is how many calls one look takes up.
	recoveryCalls = 10_000
	recoveryMost  = time.Hour
)

// recovery ends what processes before this one left open: calls that a lost or stopped node ran and nobody took up again within the resume
// window get their end, and participants who didn't come back into a call that was taken up get their leave, both at the instant at which
// something of the call was last seen.
//
// It may be killed at any moment and run as often as one likes: its events say the same each time, and are older than anything that it didn't
// know, so that the reader believes what really happened. A node that has a region's meetings alone takes all calls for its own. Where several
// share them, each sees to the calls whose meeting it has, and to those whose meeting nobody has who lives, which it claims first; since any of
// them may be lost at any moment, all look again and again.
type recovery struct {
	node   *media.Node
	nodes  *nodes.Nodes // nil: this one has all meetings
	reader *store.Reader
	record meeting.Recorder
	region string
	// began is when this process did: what started later is its own.
	began time.Time
	log   *slog.Logger
	// told are the calls and the participants whose end this process has recorded already; Run's own.
	told map[string]bool
}

func (s *service) startRecovery() {
	r := &recovery{
		node: s.node, nodes: s.nodes, reader: store.NewReader(s.store, store.QueryLimits{}), record: s.recorder, region: s.cfg.Ingest.Region, began: time.Now(),
		log: s.log.With("room", "media"), told: map[string]bool{},
	}
	s.app.Go("recovery of meetings", r.Run)
}

// Run waits for the end of the resume window and closes what is open; again and again, ever less often, since rows may come late.
func (r *recovery) Run(ctx context.Context) error {
	wait := r.node.ResumeWindow()
	for failures := 0; ; {
		if !pause(ctx, wait) {
			return nil
		}
		err := r.pass(ctx)
		switch {
		case err == nil:
			failures = 0
			wait = min(2*max(wait, r.node.ResumeWindow()), recoveryMost)
			if r.nodes != nil {
				wait = r.node.ResumeWindow()
			}
		case ctx.Err() != nil:
			return nil //nolint:nilerr // told to stop
		default:
			failures++
			wait = min(time.Second<<min(failures, 6), time.Minute)
			r.log.WarnContext(ctx, "calls left open could not be closed yet", "error", err, "next_try_in", wait)
		}
	}
}

// pause waits; false: the context has ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// pass closes what two looks in a row show as open in the same way.
func (r *recovery) pass(ctx context.Context) error {
	first, err := r.open(ctx)
	if err != nil || len(first) == 0 {
		return err
	}
	if !pause(ctx, recoverySettle) {
		return ctx.Err()
	}
	second, err := r.open(ctx)
	if err != nil {
		return err
	}
	for _, c := range second {
		same := slices.ContainsFunc(first, func(o store.OpenCall) bool {
			return o.CallKey == c.CallKey && o.LastSeen.Equal(c.LastSeen) && slices.Equal(o.Present, c.Present)
		})
		call, err := uuid.Parse(c.CallID)
		if err != nil {
			continue // not one of ours
		}
		if err := r.close(ctx, c, call, same); err != nil {
			return err
		}
	}
	return nil
}

// close sees to one call. same: two looks in a row have shown it in the same way.
func (r *recovery) close(ctx context.Context, c store.OpenCall, call uuid.UUID, same bool) error {
	if inside, since, runs := r.node.Inside(c.MeetingID, call); runs {
		if r.nodes == nil {
			since = r.began
		} else if time.Since(since) < r.node.ResumeWindow() {
			return nil // they may come yet
		}
		// A call that runs is seen at every moment: who came before this process had it and is not here now won't come any more.
		return r.leave(ctx, c, since, inside)
	}
	if !same || (r.nodes != nil && time.Since(c.LastSeen) < r.node.ResumeWindow()) {
		return nil
	}
	if r.nodes != nil {
		if elsewhere, err := r.nodes.Take(ctx, c.MeetingID); err != nil || elsewhere != "" {
			return err
		}
	}
	if c.Ended { // by a process that didn't know of who was in it before a kill
		return r.leave(ctx, c, r.horizon(), nil)
	}
	return r.end(ctx, c, call)
}

// horizon is until when others may have begun what this process closes.
func (r *recovery) horizon() time.Time {
	if r.nodes == nil {
		return r.began
	}
	return time.Now().Add(-r.node.ResumeWindow())
}

func (r *recovery) open(ctx context.Context) ([]store.OpenCall, error) {
	return r.reader.OpenCalls(ctx, r.region, r.began.Add(-recoveryReach), r.horizon(), recoveryCalls)
}

// end closes a call that nobody runs.
func (r *recovery) end(ctx context.Context, c store.OpenCall, call uuid.UUID) error {
	abandoned, err := r.node.Abandon(ctx, c.MeetingID, call)
	if err != nil || !abandoned {
		return err
	}
	if err := r.leave(ctx, c, r.horizon(), nil); err != nil {
		return err
	}
	if r.told[c.CallID] {
		return nil
	}
	e := r.event(c, r.horizon())
	e.Payload = &eventpb.Event_CallEnded{CallEnded: &eventpb.CallEnded{EndedAtUs: e.ObservedAtUs, Reason: meeting.EndedLost}}
	if err := r.record.Record(ctx, e); err != nil {
		return err
	}
	r.told[c.CallID] = true
	r.log.InfoContext(ctx, "a call that nobody took up again was closed", "call_id", c.CallID, "participants", len(c.Present))
	return nil
}

// leave records that those have left who joined before a moment and of whom nothing says so, except who is inside.
func (r *recovery) leave(ctx context.Context, c store.OpenCall, before time.Time, inside []uuid.UUID) error {
	for i, id := range c.Present {
		if slices.Contains(inside, id) || r.told[id.String()] || !c.Joined[i].Before(before) {
			continue
		}
		e := r.event(c, before)
		e.Payload = &eventpb.Event_ParticipantLeft{ParticipantLeft: &eventpb.ParticipantLeft{
			ParticipantId: id[:], LeftAtUs: e.ObservedAtUs, EndCode: "503", EndSubCode: "0", ResultCategory: "UnexpectedServerError",
		}}
		if err := r.record.Record(ctx, e); err != nil {
			return err
		}
		r.told[id.String()] = true
	}
	return nil
}

// event is observed when the call was last seen, and before a moment since when it is known better.
func (r *recovery) event(c store.OpenCall, before time.Time) *eventpb.Event {
	at := c.LastSeen
	if at.After(before) {
		at = before
	}
	return &eventpb.Event{
		Org: c.Org, Region: r.region, CallId: c.CallID, ObservedAtUs: at.UnixMicro(), SourceKind: eventpb.SourceKind_SOURCE_KIND_MEDIA,
	}
}

// recoverRecordings completes the files of recordings that were cut short with their process, and records them. One that can't be completed
// stays as it is, and keeps nothing else from working.
func (s *service) recoverRecordings(ctx context.Context, files *record.Recorder) {
	recovered, err := files.Recover(ctx)
	if err != nil {
		s.log.ErrorContext(ctx, "a recording that was cut short could not be completed", "error", err)
	}
	for _, m := range recovered {
		content := "audio"
		if slices.ContainsFunc(m.Tracks, func(t record.ManifestTrack) bool { return t.Kind != forward.Audio }) {
			content = "audiovideo"
		}
		at := m.StartedAt.Add(time.Duration(m.DurationMs) * time.Millisecond)
		s.recorder.Offer(&eventpb.Event{
			Org: m.Organization, Region: m.Region, CallId: m.CallID.String(), ObservedAtUs: at.UnixMicro(),
			Payload: &eventpb.Event_Recording{Recording: &eventpb.Recording{
				RecordingId: m.RecordingID[:], StartedAtUs: m.StartedAt.UnixMicro(), DurationMs: m.DurationMs, EndReason: meeting.EndedLost,
				ContentType: content, ChannelType: "unmixed", Format: "webm", Chunks: uint32(len(m.Tracks)), //nolint:gosec // few
			}},
		})
	}
}
