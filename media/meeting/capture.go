package meeting

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/forward"
	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/policy"
)

// ReasonNoRecording: no recording is set up, or it can't write.
const ReasonNoRecording = "recording_unavailable"

// EndedWriteFailed ends a recording of which no more could be written.
const EndedWriteFailed = "write_failed"

// captureKind is what takes participants' media.
type captureKind int

const (
	recording captureKind = iota
	transcription
)

func (k captureKind) capability() policy.Capability {
	if k == recording {
		return policy.StartRecording
	}
	return policy.StartTranscription
}

func (k captureKind) notice(started bool) string {
	switch {
	case k == recording && started:
		return "recording_started"
	case k == recording:
		return "recording_stopped"
	case started:
		return "transcription_started"
	}
	return "transcription_stopped"
}

func (k captureKind) operation(verb string) string {
	if k == recording {
		return verb + "Recording"
	}
	return verb + "Transcription"
}

// capture is a recording or a transcription. Guarded by Meeting.mu.
type capture struct {
	kind captureKind
	// notice is nil while the capture is being started: it doesn't hold yet.
	notice *notice
	// stopping: no more taps.
	stopping bool
	tap      func(uuid.UUID) forward.Tap
	// failed tells that it can't go on; nil: it never does. over is closed when it ends.
	failed <-chan error
	over   chan struct{}
	stop   func(context.Context) (RecordingFacts, error)
}

// capturing tells whether one runs. The lock is held.
func (m *Meeting) capturing(k captureKind) bool {
	c := m.captures[k]
	return c != nil && c.notice != nil
}

// startCapture starts a recording or a transcription: it runs, it is recorded that it does, everybody is told, and only then is anybody's media
// taken, each one's after it is recorded that this one was told.
func (mb *Member) startCapture(ctx context.Context, k captureKind) error {
	m := mb.m
	m.lock()
	defer m.unlock()
	if err := mb.useLocked(k.capability()); err != nil {
		return err
	}
	if m.captures[k] != nil {
		return nil // runs, or is about to
	}
	c := &capture{kind: k, over: make(chan struct{})}
	m.captures[k] = c
	m.work.Add(1)
	defer m.work.Done()
	m.unlock()
	err := c.start(ctx, m)
	if err == nil {
		if m.record(ctx, m.operationEvent(mb, k.operation("Start"), eventpb.Lane_LANE_CALL)) != nil {
			err = refusal(protocol.ReasonUnavailable)
			m.discardCapture(c)
		}
	}
	m.lock()
	if err != nil {
		delete(m.captures, k)
		return err
	}
	if m.ended {
		delete(m.captures, k)
		m.unlock()
		m.discardCapture(c)
		m.lock()
		return refusal(protocol.ReasonNotInMeeting)
	}
	c.notice = &notice{id: uuid.New(), kind: k.notice(true), since: time.Now(), started: true}
	m.announce(c.notice)
	go m.watchCapture(c)
	m.regrant() // where consent is asked for, guests send nothing from here on
	return nil
}

// start starts what takes the media, without the lock.
func (c *capture) start(ctx context.Context, m *Meeting) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.cfg.RecordTimeout)
	defer cancel()
	switch {
	case c.kind == recording && m.deps.Recordings == nil:
		return refusal(ReasonNoRecording)
	case c.kind == recording:
		r, err := m.deps.Recordings.Start(ctx, m.call, m.orgID, m.region)
		if err != nil {
			m.log.WarnContext(ctx, "a recording could not be started", "error", err)
			return refusal(ReasonNoRecording)
		}
		c.tap, c.failed, c.stop = r.Tap, r.Failed(), r.Stop
	case m.deps.Transcriptions == nil:
		return refusal(protocol.ReasonNoSink)
	default:
		t, err := m.deps.Transcriptions.Start(ctx, m.call, m.orgID, m.region)
		if err != nil {
			m.log.WarnContext(ctx, "a transcription could not be started", "error", err)
			return refusal(protocol.ReasonNoSink)
		}
		c.tap = t.Tap
		c.stop = func(ctx context.Context) (RecordingFacts, error) { return RecordingFacts{}, t.Stop(ctx) }
	}
	return nil
}

// discardCapture stops what never took anybody's media.
func (m *Meeting) discardCapture(c *capture) {
	ctx, cancel := context.WithTimeout(m.ctx, m.cfg.RecordTimeout)
	defer cancel()
	if _, err := c.stop(ctx); err != nil {
		m.log.WarnContext(ctx, "an unused recording or transcription could not be stopped", "error", err)
	}
}

func (mb *Member) stopCapture(_ context.Context, k captureKind) error {
	m := mb.m
	m.lock()
	defer m.unlock()
	if err := mb.useLocked(k.capability()); err != nil {
		return err
	}
	c := m.captures[k]
	if c == nil || c.notice == nil || c.stopping {
		return refusal(protocol.ReasonNotFound)
	}
	c.stopping = true
	m.operation(mb, k.operation("Stop"))
	m.work.Add(1)
	defer m.work.Done()
	m.unlock()
	m.endCapture(c, "stopped")
	m.lock()
	return nil
}

// watchCapture stops what fails: nobody is to believe that it goes on.
func (m *Meeting) watchCapture(c *capture) {
	var err error
	select {
	case err = <-c.failed:
	case <-c.over:
		return
	}
	m.lock()
	if m.ended || c.stopping {
		m.unlock() // somebody else stops it
		return
	}
	c.stopping = true
	m.work.Add(1)
	defer m.work.Done()
	m.unlock()
	m.log.ErrorContext(m.ctx, "a recording is stopped, since it can't be written", "error", err)
	m.endCapture(c, EndedWriteFailed)
}

// stopCaptures stops all that run, since the meeting ended or is empty.
func (m *Meeting) stopCaptures(reason string) {
	for _, k := range []captureKind{recording, transcription} {
		m.lock()
		c := m.captures[k]
		if c == nil || c.notice == nil || c.stopping {
			m.unlock()
			continue
		}
		c.stopping = true
		m.unlock()
		m.endCapture(c, reason)
	}
}

// endCapture takes no more media, tells everybody, and records what became of it. The caller has set c.stopping; the lock is not held.
func (m *Meeting) endCapture(c *capture, reason string) {
	m.lock()
	all := append([]*Member{}, m.admitted...)
	for mb := range m.leaving {
		all = append(all, mb)
	}
	m.unlock()
	var untapped sync.WaitGroup
	for _, mb := range all {
		untapped.Go(func() { mb.untap(c) })
	}
	untapped.Wait()
	close(c.over)
	m.lock()
	delete(m.captures, c.kind)
	if !m.ended {
		m.regrant()
		m.announce(&notice{id: uuid.New(), kind: c.kind.notice(false), since: time.Now()})
	}
	m.unlock()
	ctx, cancel := context.WithTimeout(m.ctx, m.cfg.ClosePatience)
	defer cancel()
	facts, err := c.stop(ctx)
	if err != nil {
		m.log.ErrorContext(ctx, "a recording or transcription did not end well", "error", err)
		if reason != EndedWriteFailed {
			reason = "failed"
		}
	}
	if facts.Truncated != "" {
		reason = facts.Truncated
	}
	if c.kind == recording {
		m.outbox.add(m.recordingEvent(facts, c, reason))
	}
}

func (m *Meeting) recordingEvent(f RecordingFacts, c *capture, reason string) *eventpb.Event {
	if f.ID == uuid.Nil {
		f.ID = c.notice.id
	}
	if f.StartedAt.IsZero() {
		f.StartedAt = c.notice.since
	}
	e := m.event(time.Now())
	e.MeetingId = m.meetingID
	e.Payload = &eventpb.Event_Recording{Recording: &eventpb.Recording{
		RecordingId: f.ID[:], StartedAtUs: f.StartedAt.UnixMicro(), DurationMs: f.Duration.Milliseconds(), EndReason: reason,
		ContentType: f.ContentType, ChannelType: f.ChannelType, Format: f.Format, Chunks: f.Chunks, AudioChannels: f.AudioChannels,
	}}
	return e
}
