package webrtcstats

import (
	"cmp"
	"slices"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/decode"
)

// Bounds of a call that is read while it goes on, of which a process has thousands. Those of the largest meetings are below.
const (
	MaxLiveStreams = 1024
	MaxLiveReports = 8192
)

// live is what a call that is read while it goes on has handed out so far.
type live struct {
	sequence uint64
	opened   bool
	opening  opening
	// reported is the end of the last report, ms.
	reported float64
	// shift is added to the times of events, µs: the client's clock is wrong by so much.
	shift int64
}

// opening is what the first events say; they are said again when it changes.
type opening struct {
	start    float64
	sfu, p2p bool
	client   string
}

// Take hands out the events of all that was read since the last time, and forgets what they were made of. What was read later in the same
// interval becomes a report of its own. Nothing comes of a call without statistics, or an event that matters, yet.
//
// Unlike Result it can't know the future: a stream that turns out later to carry a screen was video until then.
func (c *Call) Take() []*eventpb.Event {
	c.finishStates()
	for _, s := range c.order {
		s.lend()
	}
	body := append(c.reports(), c.notes...)
	c.notes = nil
	for _, s := range c.order {
		s.forget()
	}
	c.samples = 0
	return c.number(c.introduced(body))
}

// End hands out the rest, the summaries of all streams, and the end of the call at the last instant anything of it is known. why is the reason that is
// recorded for it; "" where the client said that it was over.
func (c *Call) End(why string) []*eventpb.Event {
	out := c.Take()
	var body []note
	for _, s := range c.order {
		s.settle()
		body = append(body, c.summaryOf(s))
	}
	if !c.live.opened && len(body) == 0 {
		return out
	}
	slices.SortStableFunc(body, func(a, b note) int { return cmp.Compare(a.at, b.at) })
	body = append(body, c.closing(why)...)
	return append(out, c.number(c.introduced(body))...)
}

// GoesOn says that the call is read while it goes on, so that narrower bounds hold.
func (c *Call) GoesOn() { c.most = MaxLiveStreams }

// ID is the call's id, and Participant that of whose client speaks.
func (c *Call) ID() string { return c.id }

// Participant is the id of the participant whose client speaks.
func (c *Call) Participant() []byte { return c.participant }

// introduced puts what the first events say in front, unless that was said before.
func (c *Call) introduced(body []note) []note {
	slices.SortStableFunc(body, func(a, b note) int { return cmp.Compare(a.at, b.at) })
	now := opening{c.start, c.sfu, c.p2p, c.client.Family + " " + c.client.Version + " " + c.client.OS}
	nothing := len(body) == 0 && c.snapshots == 0
	if c.start == 0 || (!c.live.opened && nothing) || (c.live.opened && now == c.live.opening) {
		return body
	}
	c.live.opened, c.live.opening = true, now
	return slices.Concat(c.opening(), body)
}

// number makes events of notes, numbered on from those before.
func (c *Call) number(notes []note) []*eventpb.Event {
	out := make([]*eventpb.Event, 0, len(notes))
	for _, n := range notes {
		c.live.sequence++
		e := n.payload
		e.Id = decode.EventID(c.source, c.live.sequence)
		e.Org, e.Region, e.CallId = c.opt.Org, c.opt.Region, c.id
		e.Source, e.Sequence, e.SourceKind = c.source, c.live.sequence, c.kind
		e.ObservedAtUs = microseconds(n.at)
		move(e, c.live.shift)
		out = append(out, e)
	}
	return out
}

// lend counts the frame rate that is held back in its window, which goes out now. Whether it counts over all, the next reading tells.
func (s *stream) lend() {
	if p := &s.pacer; p.pending && p.window >= 0 {
		s.windows[p.window].gauges.rate.observe(p.fps, p.seconds)
		p.window = -1
	}
}

// forget drops the windows, which were reported, and keeps what the next ones and the summary need.
func (s *stream) forget() {
	if n := len(s.windows); n > 0 {
		s.peaks.observe(&s.windows[n-1], s.key.direction)
	}
	s.windows = s.windows[:0]
}
