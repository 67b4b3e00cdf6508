package rtcstats

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/decode"
	"github.com/anteroom/anteroom/ingest/webrtcstats"
)

// Dialect is how a client writes what it sends while its call goes on.
type Dialect int

const (
	// Jitsi is [method, peer connection or null, value, epoch ms, …].
	Jitsi Dialect = iota
	// Successor is rtcstats/rtcstats: shortened names, and the time since the message before.
	Successor
)

// How far the times of a client may lie from the server's, once it is known by how much its clock is wrong. Beyond, it was set, and rows would stand
// in months that have nothing to do with the call.
const (
	maxBehind = 24 * time.Hour
	maxAhead  = 10 * time.Minute
)

var errClock = &decode.Error{
	Field: "[3]", Reason: "the time is more than a day behind or ten minutes ahead, compared with the messages before",
}

// Live decodes what a client sends, message by message, into the same events as a dump of it would give. It is a pure function of the
// messages and of when each came; it keeps no message.
type Live struct {
	r       *reader
	dialect Dialect
	// skew is by how much the client's clock is wrong, ms; known once something timed was read.
	skew  float64
	timed bool
	// window is the latest interval that something was read of.
	window int64
	events []*eventpb.Event
	// received is the highest number of a message, and gaps how many numbers were left out; of the dialect that numbers them.
	received, gaps uint64
}

// NewLive starts a call whose source is unique to it.
func NewLive(opt decode.Options, source string, dialect Dialect, userAgent string) *Live {
	l := &Live{r: newReader(opt, source), dialect: dialect}
	if dialect == Successor {
		l.r.delta = successorDelta()
	}
	l.r.live = true
	l.r.call.GoesOn()
	l.r.call.Client(userAgent)
	return l
}

// Message takes one message, which came at now. settled tells that an interval was over, so that all that came before this message is among
// Events now. After an error (*decode.Error, without a line) no more may be taken.
func (l *Live) Message(message []byte, now time.Time) (settled bool, err error) {
	if len(message) > MaxLine {
		return false, &decode.Error{Reason: "the message is longer than 8 MiB"}
	}
	if message = bytes.TrimSpace(message); len(message) == 0 {
		return false, &decode.Error{Reason: "the message is empty"}
	}
	fields, err := array(message, false)
	if err != nil {
		return false, asError(err)
	}
	var e entry
	if l.dialect == Successor {
		e, err = l.r.successorEntry(fields)
	} else {
		e, err = entryOf(fields)
	}
	if err != nil || e.method == "" {
		return false, asError(err)
	}
	if known, err := l.number(fields); known || err != nil {
		return false, err
	}
	if e.at != 0 {
		if !l.timed {
			l.timed, l.skew = true, webrtcstats.Skew(e.at, now)
			l.r.call.Shift(l.skew)
		}
		if at := time.UnixMilli(int64(e.at + l.skew)); at.Before(now.Add(-maxBehind)) || at.After(now.Add(maxAhead)) {
			fault := *errClock
			return false, &fault
		}
		if w := webrtcstats.Interval(e.at); w > l.window {
			settled = l.window != 0
			l.window = w
		}
	}
	if settled {
		l.Settle()
	}
	return settled, asError(l.r.handle(e))
}

// number reads a message's number, and tells whether it was received before: a client that connects anew sends again what it doesn't know to
// have come.
func (l *Live) number(fields []json.RawMessage) (known bool, err error) {
	const place = 4
	if l.dialect != Jitsi || len(fields) <= place {
		return false, nil
	}
	var n uint64
	if json.Unmarshal(fields[place], &n) != nil || n == 0 || n >= 1<<53 {
		return false, &decode.Error{Field: "[4]", Reason: "the number of the message must be a whole number from 1"}
	}
	if n <= l.received {
		return true, nil
	}
	l.gaps += n - l.received - 1
	l.received = n
	return false, nil
}

// Received is the highest number of a message so far, and Gaps how many numbers before it never came; 0 in a dialect that doesn't number them.
func (l *Live) Received() uint64 { return l.received }

// Gaps are messages that never came. What they changed is not known: a figure that stood since then may be older than it seems.
func (l *Live) Gaps() uint64 { return l.gaps }

// asError makes a *decode.Error of any.
func asError(err error) error {
	var placed *decode.Error
	if err == nil || errors.As(err, &placed) {
		return err
	}
	return &decode.Error{Reason: err.Error()}
}

// Settle puts all that was read so far among Events, though its interval may not be over.
func (l *Live) Settle() { l.events = append(l.events, l.r.call.Take()...) }

// Events hands out what is settled, once.
func (l *Live) Events() []*eventpb.Event {
	out := l.events
	l.events = nil
	return out
}

// End hands out the rest. known tells that the call is known to have ended.
func (l *Live) End(why string) []*eventpb.Event {
	l.events = append(l.events, l.r.call.End(why)...)
	return l.Events()
}

// Call is the id of the call, and Participant that of whose client speaks.
func (l *Live) Call() string { return l.r.call.ID() }

// Participant is the id of the participant whose client speaks.
func (l *Live) Participant() []byte { return l.r.call.Participant() }
