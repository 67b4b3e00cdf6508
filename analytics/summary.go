package analytics

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/quality"
	"github.com/anteroom/anteroom/store"
)

// Judgement is what a summary keeps of a call's judgement beside its figures.
type Judgement struct {
	Reasons            []quality.Reason           `json:"reasons,omitempty"`
	NetworkReasons     []quality.DiagnosticReason `json:"network_reasons,omitempty"`
	NetworkDiagnostics []string                   `json:"network_diagnostics,omitempty"`
	ByOperation        []quality.NamedCount       `json:"by_operation,omitempty"`
	Top                *TopReason                 `json:"top,omitempty"`
}

// ReadJudgement reads what Summary wrote; of nothing it is empty.
func ReadJudgement(text string) (Judgement, error) {
	var out Judgement
	if text == "" {
		return out, nil
	}
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		return out, fmt.Errorf("read judgement of a summary: %w", err)
	}
	return out, nil
}

// settles is how long after its end a call of which something is still to come counts as partial.
const settles = 30 * time.Minute

// State is how much of a call there is, and until when that may change by itself.
func (c *Call) State(now time.Time) (state string, until time.Time) {
	if c.Withheld {
		return "running", time.Time{}
	}
	if until = c.LastSeen().Add(settles); !now.Before(until) || c.whole() {
		return "complete", time.Time{}
	}
	return "partial", until
}

// LastSeen is when the call ended or, where that is not known, the latest instant at which anybody or anything that is shown came or went.
func (c *Call) LastSeen() time.Time {
	if c.EndedAt != nil {
		return *c.EndedAt
	}
	last := c.FirstSeen
	later := func(t *time.Time) {
		if t != nil && t.After(last) {
			last = *t
		}
	}
	for i := range c.Participants {
		later(c.Participants[i].JoinedAt)
		later(c.Participants[i].LeftAt)
	}
	for i := range c.Streams {
		later(c.Streams[i].StartedAt)
		later(c.Streams[i].EndedAt)
	}
	if n := len(c.Marks); n > 0 { // the oldest is first
		later(&c.Marks[n-1].ObservedAt)
	}
	return last
}

// whole tells whether all that was in the call has said how it ended.
func (c *Call) whole() bool {
	if c.EndedAt == nil {
		return false
	}
	for i := range c.Participants {
		if c.Participants[i].LeftAt == nil {
			return false
		}
	}
	for i := range c.Streams {
		if c.Streams[i].Counted && c.Streams[i].Partial {
			return false
		}
	}
	return true
}

// Sites are where users of the organisation were, each once, in order.
func (c *Call) Sites(sites *Sites) []string {
	var out []string
	for i := range c.Participants {
		if p := &c.Participants[i]; p.Identity == store.OrgUser {
			if site := sites.Of(p.Network); site != "" {
				out = append(out, site)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Summary is the call's row of call_summaries, but for where it goes and its version. sites may be nil.
func (c *Call) Summary(sites *Sites) (store.CallSummary, error) {
	a := &c.CallAssessment
	top, side := c.Top()
	text, err := json.Marshal(Judgement{
		Reasons: c.Worst(), NetworkReasons: a.NetworkReasons, NetworkDiagnostics: a.NetworkDiagnostics, ByOperation: a.Issues.ByOperation, Top: top,
	})
	if err != nil {
		return store.CallSummary{}, fmt.Errorf("write judgement of a summary: %w", err)
	}
	count := func(n int) uint32 { return uint32(max(n, 0)) } //nolint:gosec // counts of one call
	out := store.CallSummary{
		CallKey: c.CallKey, Profile: c.Profile.Name(), At: c.FirstSeen, Region: c.Region, Source: c.Source, Kind: c.Kind, MeetingID: c.MeetingID,
		StartedAt: c.StartedAt, EndedAt: c.EndedAt, EndReason: c.EndReason, Recorded: c.Recorded, Participants: count(len(c.Participants)),
		Rating: string(c.Rating), RatingScore: c.Score.Ptr(), Verdict: string(a.Verdict), Good: count(a.GoodStreams), Poor: count(a.PoorStreams),
		Unknown: count(a.UnknownStreams), Issues: count(a.Issues.Total), BadOperations: count(a.Issues.BadOperations),
		UnexpectedEnds: count(a.Issues.UnexpectedEnds), Reasons: c.metrics(), Sides: c.Sides(), Side: string(side), Judgement: string(text),
	}
	if top != nil {
		out.TopMetric = top.Metric
	}
	if c.StartedAt != nil && c.EndedAt != nil && !c.EndedAt.Before(*c.StartedAt) {
		ms := c.EndedAt.Sub(*c.StartedAt).Milliseconds()
		out.DurationMs = &ms
	}
	people := c.people(&out, sites)
	c.streamsOf(&out, people)
	return out, nil
}

// people adds who was in the call, and who failed to stay.
func (c *Call) people(out *store.CallSummary, sites *Sites) map[uuid.UUID]store.SummaryPerson {
	media := make(map[uuid.UUID]bool)
	for i := range c.Streams {
		if s := &c.Streams[i]; s.Packets == nil || *s.Packets > 0 {
			media[s.ParticipantID] = true
		}
	}
	byID := make(map[uuid.UUID]store.SummaryPerson, len(c.Participants))
	for i := range c.Participants {
		p := &c.Participants[i]
		one := store.SummaryPerson{
			ID: p.ID, Label: LabelOf(p), Client: p.ClientFamily, ClientVersion: p.ClientVersion, OS: p.OSFamily,
		}
		if p.Identity == store.OrgUser {
			one.UserID, one.Network, one.Site = p.UserID, p.Network, sites.Of(p.Network)
		} else {
			out.Anonymous++
		}
		byID[p.ID] = one
		out.People = append(out.People, one)
		switch {
		case !quality.UnexpectedEnd(p.ResultCategory):
		case media[p.ID]:
			out.Drops++
		default:
			out.SetupFailures++
		}
	}
	return byID
}

func (c *Call) streamsOf(out *store.CallSummary, people map[uuid.UUID]store.SummaryPerson) {
	for i := range c.Judged {
		s := &c.Judged[i]
		who := people[s.ParticipantID]
		one := store.SummaryStream{
			ID: s.ID, ParticipantID: s.ParticipantID, Media: s.Media, Direction: s.Direction, Verdict: string(s.Verdict), Counted: s.Counted,
			Client: who.Client, ClientVersion: who.ClientVersion, Site: who.Site,
			LossRatio: s.LossRatio, JitterMs: s.JitterMsAvg, RTTMs: s.RTTMsAvg, BitrateBps: s.BitrateAvg,
		}
		if r := furthest(s.Reasons); r != nil {
			one.Reason, one.Side = string(r.Metric), string(c.sideOfStream(s))
		}
		out.Streams = append(out.Streams, one)
	}
}
