package meeting

import (
	"context"
	"sync"
	"time"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
)

// Waits between two tries to record the same event.
const (
	retryFirst = 250 * time.Millisecond
	retryMost  = 5 * time.Second
)

// maxOutbox bounds what waits for Kafka; a meeting of a thousand members ends with fewer.
const maxOutbox = 20_000

// outbox records, in order, what has happened already and must not be lost while Kafka is away for a while: leaves, ends of streams.
type outbox struct {
	m *Meeting

	mu      sync.Mutex
	waiting []outgoing    // guarded by mu; the first one is being tried
	running bool          // guarded by mu
	idle    chan struct{} // guarded by mu; closed when nothing waits
	lost    int           // guarded by mu
}

// outgoing is an event with the text that is sealed into it at each try, since keys hold for minutes only.
type outgoing struct {
	event *eventpb.Event
	text  sealedText
}

func newOutbox(m *Meeting) *outbox { return &outbox{m: m} }

// add never waits. The event must be new: it is the outbox's from now on.
func (o *outbox) add(e *eventpb.Event) { o.addSealed(e, sealedText{}) }

// addSealed is add for an event with text.
func (o *outbox) addSealed(e *eventpb.Event, text sealedText) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waiting) >= maxOutbox {
		o.lost++
		o.m.log.ErrorContext(o.m.ctx, "event dropped, too many wait for Kafka", "type", event.Type(e))
		return
	}
	o.waiting = append(o.waiting, outgoing{e, text})
	if !o.running {
		o.running, o.idle = true, make(chan struct{})
		go o.run()
	}
}

// run records one batch after the other; the events of a batch go together, since waiting for each would take a round trip each.
func (o *outbox) run() {
	for {
		o.mu.Lock()
		batch := o.waiting
		if len(batch) == 0 {
			o.running = false
			close(o.idle)
			o.mu.Unlock()
			return
		}
		o.mu.Unlock()
		// All but the last are handed over in order; the last one's acknowledgement says that the queue moves. One with text is never handed over:
		// it might be written when its key is long gone.
		taken := 0
		for taken < len(batch)-1 && batch[taken].text.thread == nil && o.m.deps.Recorder.Offer(batch[taken].event) {
			taken++
		}
		if !o.persist(batch[taken]) {
			o.mu.Lock()
			o.lost += len(o.waiting) - taken
			o.waiting = nil
			o.mu.Unlock()
			continue
		}
		o.mu.Lock()
		o.waiting = o.waiting[taken+1:]
		o.mu.Unlock()
	}
}

// persist tries until the event is recorded or the meeting is over.
func (o *outbox) persist(next outgoing) bool {
	for wait := retryFirst; ; wait = min(2*wait, retryMost) {
		if o.m.seal(next.event, next.text) == nil && o.m.record(o.m.ctx, next.event) == nil {
			return true
		}
		select {
		case <-time.After(wait):
		case <-o.m.ctx.Done():
			return false
		}
	}
}

// drain waits until all is recorded, at most for as long as given, and then gives up; it returns how many events were lost.
func (o *outbox) drain(patience time.Duration) int {
	o.mu.Lock()
	running, idle := o.running, o.idle
	o.mu.Unlock()
	if running {
		select {
		case <-idle:
		case <-time.After(patience):
			o.m.cancel()
			<-idle
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.lost
}

// record waits for the acknowledgement of an event. It goes on when the client that asked is gone: its request was accepted.
func (m *Meeting) record(ctx context.Context, e *eventpb.Event) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.cfg.RecordTimeout)
	defer cancel()
	return m.deps.Recorder.Record(ctx, e) //nolint:wrapcheck // callers say what they recorded
}
