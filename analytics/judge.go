package analytics

import (
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/quality"
	"github.com/anteroom/anteroom/store"
)

// Stream is a stream with its judgement.
type Stream struct {
	*store.StreamFacts
	quality.Assessment
	// MOS is nil where too little is known to estimate one.
	MOS *quality.MOSEstimate
}

// Call is a call with its judgement, as it may be shown.
type Call struct {
	*store.Record
	quality.CallAssessment
	Profile *quality.Profile
	// Labels of the participants that may be shown; see LabelFor.
	Labels map[uuid.UUID]string
	// Judged are the record's streams, in its order.
	Judged []Stream
	Rating quality.Rating
	Score  quality.Value
	// Withheld: the call runs, so guests and what they may have made are left out.
	Withheld bool

	// bad are the diagnostics that went bad, by participant.
	bad map[uuid.UUID][]string
}

// Judge judges a call under a profile. Guests of a call that runs are taken out of the record first (rule D3).
func Judge(p *quality.Profile, r *store.Record) *Call {
	j := &Call{Record: r, Profile: p, Withheld: withhold(r), Labels: make(map[uuid.UUID]string, len(r.Participants))}
	var in quality.CallInput
	for i := range r.Participants {
		who := &r.Participants[i]
		j.Labels[who.ID] = LabelOf(who)
		if quality.UnexpectedEnd(who.ResultCategory) {
			in.UnexpectedEnds++
		}
	}
	j.Judged = make([]Stream, len(r.Streams))
	for i := range r.Streams {
		j.Judged[i] = judgeStream(p, &r.Streams[i])
		if r.Streams[i].Counted {
			in.Streams = append(in.Streams, j.Judged[i].Assessment)
		}
	}
	in.Diagnostics = diagnostics(r.Marks)
	in.BadOperations = make(map[string]int)
	for _, e := range failedOperations(r.Marks) {
		in.BadOperations[e.Name]++
	}
	var scores []quality.SurveyScore
	for i := range r.Marks {
		if mark := &r.Marks[i]; mark.Kind == "survey" {
			scores = append(scores, quality.SurveyScore{Score: number(mark, "overall.score"), UpperBound: number(mark, "overall.upper_bound")})
		}
	}
	j.bad = complaints(r.Marks)
	j.CallAssessment = quality.JudgeCall(in)
	j.Rating, j.Score = quality.RateSurveys(scores)
	return j
}

// diagnostics are those among the marks, in their order.
func diagnostics(marks []store.TimelineEntry) []quality.Diagnostic {
	var out []quality.Diagnostic
	for i := range marks {
		if e := &marks[i]; e.Kind == "diagnostic" {
			out = append(out, quality.Diagnostic{
				Name: e.Name, Value: e.Value, OperationID: idText(e.OperationID), Participant: idText(e.ParticipantID), At: e.ObservedAt,
			})
		}
	}
	return out
}

// failedOperations are those among the marks, in their order. Failures of several peer connections of one participant in the same
// second of the clock are one: when the network goes, each of them reports it. Other operations are of the user and count one by one.
func failedOperations(marks []store.TimelineEntry) []*store.TimelineEntry {
	type moment struct {
		participant         uuid.UUID
		name, result, state string
		second              int64
	}
	var out []*store.TimelineEntry
	seen := make(map[moment]bool)
	for i := range marks {
		e := &marks[i]
		if e.Kind != "operation" || !quality.BadOperation(e.Name, e.Result) {
			continue
		}
		// Only changes of a connection's state have one.
		if state := e.Attributes["new_state"]; state != "" && e.ParticipantID != uuid.Nil {
			at := moment{e.ParticipantID, e.Name, e.Result, state, e.ObservedAt.Unix()}
			if seen[at] {
				continue
			}
			seen[at] = true
		}
		out = append(out, e)
	}
	return out
}

// withhold takes out of the record of a call that runs what it says of guests, and of those of whom nothing is proven. It reports whether the call runs.
// Azure's records come after the fact; calls of all other sources say when they end.
//
// What an org user receives goes too: somebody made it, and no row says that this was no guest. What an org user sends is measured where it arrives, at the
// server, and nobody else has a part in it.
func withhold(r *store.Record) bool {
	if r.EndedAt != nil || !goesOn(r.Source) {
		return false
	}
	shown := make(map[uuid.UUID]bool, len(r.Participants))
	r.Participants = slices.DeleteFunc(r.Participants, func(p store.ParticipantFacts) bool {
		shown[p.ID] = p.Identity == store.OrgUser || p.Identity == store.Service
		return !shown[p.ID]
	})
	r.Streams = slices.DeleteFunc(r.Streams, func(s store.StreamFacts) bool { return !shown[s.ParticipantID] || s.Direction != "outbound" })
	r.Marks = slices.DeleteFunc(r.Marks, func(e store.TimelineEntry) bool { return e.ParticipantID != uuid.Nil && !shown[e.ParticipantID] })
	return true
}

// Hidden: the call runs and no org user is in it, so it is nowhere yet: the mere row of it would be one of guests.
func (c *Call) Hidden() bool {
	return c.Withheld && !slices.ContainsFunc(c.Participants, func(p store.ParticipantFacts) bool { return p.Identity == store.OrgUser })
}

// goesOn tells whether a source tells of calls while they go on: our own media, and the clients whose statistics are collected.
func goesOn(k store.SourceKind) bool { return k.String() == "media" || k.String() == "rtcstats" }

func judgeStream(p *quality.Profile, s *store.StreamFacts) Stream {
	m := measuresOf(s)
	out := Stream{StreamFacts: s, Assessment: quality.Judge(p, m)}
	if mos, ok := quality.EstimateMOS(quality.MOSInputOf(m, s.Codec)); ok {
		out.MOS = &mos
	}
	return out
}

// measuresOf takes a stream's figures for judging. Height, freezes, healing and the jitter buffer are those of a receiver: of what a
// client sends they say nothing unless the far end measured them, as in Azure's records.
func measuresOf(s *store.StreamFacts) quality.Measures {
	m := quality.Measures{
		Direction: quality.Direction(s.Direction), JitterMs: quality.OfPtr(s.JitterMsAvg), LossRatio: quality.OfPtr(s.LossRatio),
		RTTMs: quality.OfPtr(s.RTTMsAvg), FrameRate: quality.OfPtr(s.FrameRateAvg), BitrateBps: quality.OfPtr(s.BitrateAvg),
	}
	if s.Media != "unknown" {
		m.Media = quality.Media(s.Media)
	}
	if s.Packets != nil {
		m.Packets = quality.Of(float64(*s.Packets))
	}
	if s.Direction != "outbound" || s.Source.String() == "acs" {
		m.JitterBufferMs, m.HealedRatio = quality.OfPtr(s.JitterBufferMsAvg), quality.OfPtr(s.HealedRatio)
		m.FreezeMsPerMin, m.ReceivedHeightPx = quality.OfPtr(s.FreezeMsPerMin), quality.OfPtr(s.HeightAvg)
	}
	// Our own server sends each viewer the layer that its page has room for: a small picture in a small tile is a choice and no fault.
	if s.Direction == "inbound" && s.Media != "audio" && s.Source.String() == "media" {
		m.ReceivedHeightPx, m.BitrateBps = quality.Value{}, quality.Value{}
	}
	return m
}

// number reads an attribute that is a number; not known if it is missing or none.
func number(e *store.TimelineEntry, key string) quality.Value {
	v, err := strconv.ParseFloat(e.Attributes[key], 64)
	if err != nil {
		return quality.Value{}
	}
	return quality.Of(v)
}

func idText(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

// HasLabel tells whether somebody's label contains the text, in any case.
func (c *Call) HasLabel(text string) bool {
	for _, label := range c.Labels {
		if containsFold(label, text) {
			return true
		}
	}
	return false
}

// HasText tells whether the call is found by the text: within its id or its meeting's, or as the id of somebody or of a stream shown.
func (c *Call) HasText(text string) bool {
	if containsFold(c.CallID, text) || containsFold(c.MeetingID, text) {
		return true
	}
	id, err := uuid.Parse(text)
	if err != nil {
		return false
	}
	if _, ok := c.Labels[id]; ok {
		return true
	}
	return slices.ContainsFunc(c.Streams, func(s store.StreamFacts) bool { return s.ID == id })
}

func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}
