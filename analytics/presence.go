package analytics

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/quality"
	"github.com/anteroom/anteroom/store"
)

// SpanState is what somebody was doing for a while.
type SpanState string

// The states.
const (
	InCall       SpanState = "in_call"
	InLobby      SpanState = "lobby"
	Muted        SpanState = "muted"
	Reconnecting SpanState = "reconnecting"
	Sharing      SpanState = "sharing"
	BadDevice    SpanState = "device"
)

// Span is a while of somebody's.
type Span struct {
	State SpanState
	From  time.Time
	// To is nil where no end is known.
	To *time.Time
	// Detail is the medium that was muted, or the diagnostic of a device.
	Detail string
}

// Presence is what one participant was doing when.
type Presence struct {
	*store.ParticipantFacts
	Label string
	// Number tells those without a name apart: 1, 2, … in order of arrival; 0 for who has one.
	Number int
	Spans  []Span
}

// Presence makes spans of a call's timeline, whose entries are in order of time. Participants are in order of arrival.
func (c *Call) Presence(entries []store.TimelineEntry) []Presence {
	out := make([]Presence, len(c.Participants))
	byID := make(map[uuid.UUID]*follower, len(c.Participants))
	number := 0
	for i := range c.Participants {
		p := &c.Participants[i]
		out[i] = Presence{ParticipantFacts: p, Label: LabelOf(p)}
		if out[i].Label == Anonymous {
			number++
			out[i].Number = number
		}
		byID[p.ID] = &follower{open: map[spanKey]int{}}
	}
	for i := range entries {
		if f := byID[entries[i].ParticipantID]; f != nil {
			f.take(&entries[i])
		}
	}
	for i := range c.Judged {
		s := &c.Judged[i]
		if f := byID[s.ParticipantID]; f != nil && s.Media == "screen" && s.Direction == "outbound" && s.StartedAt != nil {
			f.spans = append(f.spans, Span{State: Sharing, From: *s.StartedAt, To: s.EndedAt})
		}
	}
	for i := range out {
		out[i].Spans = byID[out[i].ID].finish(out[i].ParticipantFacts, c.EndedAt)
	}
	return out
}

// spanKey tells spans apart that are open at the same time.
type spanKey struct {
	state  SpanState
	detail string
}

// follower turns one participant's entries into spans.
type follower struct {
	spans []Span
	open  map[spanKey]int
	// admitted is when the participant was let in, where its client says so.
	admitted *time.Time
}

func (f *follower) begin(state SpanState, detail string, at time.Time) {
	key := spanKey{state, detail}
	if _, open := f.open[key]; open {
		return
	}
	f.open[key] = len(f.spans)
	f.spans = append(f.spans, Span{State: state, From: at, Detail: detail})
}

func (f *follower) end(state SpanState, detail string, at time.Time) {
	key := spanKey{state, detail}
	if i, open := f.open[key]; open {
		f.spans[i].To = &at
		delete(f.open, key)
	}
}

func (f *follower) take(e *store.TimelineEntry) {
	at := e.ObservedAt
	switch e.Kind {
	case "operation":
		f.operation(e, at)
	case "diagnostic":
		info, known := quality.LookupDiagnostic(e.Name)
		bad, read := quality.BadDiagnosticValue(e.Value)
		state, detail := BadDevice, info.Name
		switch {
		case !known || !read || info.NeverIssue:
			return
		case info.Name == "networkReconnect":
			state, detail = Reconnecting, ""
		case info.Lane == quality.LaneNetwork:
			return
		}
		if bad {
			f.begin(state, detail, at)
		} else {
			f.end(state, detail, at)
		}
	}
}

func (f *follower) operation(e *store.TimelineEntry, at time.Time) {
	switch name := strings.ToLower(e.Name); {
	case name == "statechanged":
		switch strings.ToLower(e.Attributes["new_state"]) {
		case "waiting_for_host", "in_lobby", "inlobby":
			f.begin(InLobby, "", at)
		case "admitted", "connected":
			f.end(InLobby, "", at)
			f.admit(at)
		default:
			f.end(InLobby, "", at)
		}
	case name == "admitted":
		f.end(InLobby, "", at)
		f.admit(at)
	case name == "mute", name == "mutemicrophone":
		f.begin(Muted, mediumOf(e), at)
	case name == "unmute", name == "unmutemicrophone":
		f.end(Muted, mediumOf(e), at)
	case name == "connectionlost":
		f.begin(Reconnecting, "", at)
	case name == "reconnected":
		f.end(Reconnecting, "", at)
	}
}

func (f *follower) admit(at time.Time) {
	if f.admitted == nil {
		f.admitted = &at
	}
}

// mediumOf is the medium that was muted.
func mediumOf(e *store.TimelineEntry) string {
	switch e.Lane {
	case "video", "screen":
		return e.Lane
	}
	return "audio"
}

// finish adds the time in the call, and ends what is open when the participant left.
func (f *follower) finish(p *store.ParticipantFacts, ended *time.Time) []Span {
	left := p.LeftAt
	if left == nil {
		left = ended
	}
	for _, i := range f.open {
		f.spans[i].To = left
	}
	from := p.JoinedAt
	if f.admitted != nil && (from == nil || f.admitted.After(*from)) {
		from = f.admitted
	}
	waits := slices.ContainsFunc(f.spans, func(s Span) bool { return s.State == InLobby })
	if from != nil && (f.admitted != nil || !waits) {
		f.spans = append(f.spans, Span{State: InCall, From: *from, To: left})
	}
	slices.SortStableFunc(f.spans, func(a, b Span) int { return a.From.Compare(b.From) })
	return f.spans
}
