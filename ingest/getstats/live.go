// Package getstats decodes batches of what getStats gave an application, which sends them while its call goes on: whole statistics reports as
// the standard has them, and states of peer connections. What they mean is webrtcstats' business.
//
// A batch is taken whole or not at all: it is read through before anything is made of it. Everything is a pure function of the batches and of
// when each came. Nothing of a batch reaches an error but the place.
package getstats

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/decode"
	"github.com/anteroom/anteroom/ingest/webrtcstats"
)

// MaxEntries bounds a batch.
const MaxEntries = 1000

// Entry is what happened at one instant: statistics of a peer connection, or a new state of it, or both.
type Entry struct {
	At             time.Time
	PeerConnection string
	// Stats is an object of reports by id, or a list of reports; empty for none.
	Stats json.RawMessage
	// ICEConnectionState and ConnectionState are the new ones; "" for no change.
	ICEConnectionState, ConnectionState string
}

// How far the times of a client may lie from the server's, once it is known by how much its clock is wrong.
const (
	maxBehind = 24 * time.Hour
	maxAhead  = 10 * time.Minute
)

// Live is one client's call while it goes on.
type Live struct {
	call   *webrtcstats.Call
	events []*eventpb.Event
	// skew is by how much the client's clock is wrong, ms; known once a batch was taken.
	skew  float64
	taken bool
}

// NewLive starts a call whose source is unique to it.
func NewLive(opt decode.Options, source, userAgent string) *Live {
	l := &Live{call: webrtcstats.NewCall(opt, source, eventpb.SourceKind_SOURCE_KIND_RTCSTATS)}
	l.call.GoesOn()
	l.call.Client(userAgent)
	return l
}

// read is an entry whose statistics are read.
type read struct {
	Entry
	at    float64 // ms since the epoch
	stats *webrtcstats.Peer
}

// Batch takes a batch, which came at now, and puts what it says among Events. The error, a *decode.Error, names the field; then nothing of the
// batch was taken, unless broken says that no more can be.
func (l *Live) Batch(entries []Entry, now time.Time) (broken bool, err error) {
	if len(entries) > MaxEntries {
		return false, &decode.Error{Field: "entries", Reason: "has more than 1000 entries"}
	}
	skew := l.skew
	if !l.taken && len(entries) > 0 { // The last was just now.
		skew = webrtcstats.Skew(float64(entries[len(entries)-1].At.UnixMicro())/1000, now)
	}
	all := make([]read, len(entries))
	for i, e := range entries {
		if all[i], err = readEntry(e, now.Add(-time.Duration(skew*float64(time.Millisecond))), fmt.Sprintf("entries[%d]", i)); err != nil {
			return false, err
		}
	}
	l.skew, l.taken = skew, l.taken || len(entries) > 0
	l.call.Shift(skew)
	for i := range all {
		if err := l.take(&all[i]); err != nil {
			return true, &decode.Error{Field: fmt.Sprintf("entries[%d]", i), Reason: err.Error()}
		}
	}
	l.events = append(l.events, l.call.Take()...)
	return false, nil
}

func readEntry(e Entry, now time.Time, field string) (read, error) {
	out := read{Entry: e, at: float64(e.At.UnixMicro()) / 1000}
	switch {
	case e.At.Before(now.Add(-maxBehind)) || e.At.After(now.Add(maxAhead)):
		return out, &decode.Error{Field: field + ".at_ms", Reason: "is more than a day behind or ten minutes ahead, compared with the other entries"}
	case e.PeerConnection == "" || len(e.PeerConnection) > 256:
		return out, &decode.Error{Field: field + ".peer_connection", Reason: "must have 1 to 256 bytes"}
	}
	if len(e.Stats) == 0 || string(e.Stats) == "null" {
		return out, nil
	}
	stats, err := byID(e.Stats)
	if err == nil {
		out.stats = new(webrtcstats.Peer)
		err = out.stats.Apply(stats, out.at, webrtcstats.Delta{TimestampKey: "timestamp"})
	}
	if err == nil && len(out.stats.Reports()) > webrtcstats.MaxLiveReports {
		err = webrtcstats.ErrTooManyLiveReports
	}
	if err != nil {
		return out, &decode.Error{Field: field + ".stats", Reason: err.Error()}
	}
	return out, nil
}

// byID makes an object of reports by id out of a list of them.
func byID(stats json.RawMessage) (json.RawMessage, error) {
	if stats[0] != '[' {
		return stats, nil
	}
	var list []json.RawMessage
	if json.Unmarshal(stats, &list) != nil || len(list) > webrtcstats.MaxReports {
		return nil, webrtcstats.ErrShape
	}
	out := make(map[string]json.RawMessage, len(list))
	for _, report := range list {
		var named struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(report, &named) != nil || named.ID == "" {
			return nil, fmt.Errorf("%w: a report in a list has no id", webrtcstats.ErrShape)
		}
		out[named.ID] = report
	}
	object, err := json.Marshal(out)
	if err != nil {
		return nil, webrtcstats.ErrShape
	}
	return object, nil
}

func (l *Live) take(e *read) error {
	if e.ICEConnectionState != "" {
		if err := l.call.ICEState(e.PeerConnection, e.ICEConnectionState, e.at); err != nil {
			return err
		}
	}
	if e.ConnectionState != "" {
		if err := l.call.ConnectionState(e.PeerConnection, e.ConnectionState, e.at); err != nil {
			return err
		}
	}
	if e.stats == nil {
		return nil
	}
	return l.call.Snapshot(e.PeerConnection, e.stats.Reports(), e.at)
}

// Events hands out what was made of the batches, once.
func (l *Live) Events() []*eventpb.Event {
	out := l.events
	l.events = nil
	return out
}

// End hands out the rest. known tells that the call is known to have ended.
func (l *Live) End(why string) []*eventpb.Event {
	l.events = append(l.events, l.call.End(why)...)
	return l.Events()
}

// Call is the id of the call, and Participant that of whose client speaks.
func (l *Live) Call() string { return l.call.ID() }

// Participant is the id of the participant whose client speaks.
func (l *Live) Participant() []byte { return l.call.Participant() }
