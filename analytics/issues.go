package analytics

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/quality"
	"github.com/anteroom/anteroom/store"
)

// IssueKind says what an issue is made of.
type IssueKind string

// The kinds of issues.
const (
	PoorStream    IssueKind = "poor_stream"
	Diagnostic    IssueKind = "diagnostic"
	Operation     IssueKind = "operation"
	UnexpectedEnd IssueKind = "unexpected_end"
)

// Issue is one thing that went wrong in a call.
type Issue struct {
	Kind IssueKind
	// Name of the medium, diagnostic, operation or result category.
	Name string
	Text string
	// Participant and Stream that it is about; the nil id where that isn't known or doesn't apply.
	Participant uuid.UUID
	Stream      uuid.UUID
	// From and To are nil where they aren't known.
	From, To *time.Time
	// Reasons are the broken thresholds, each with metric, value, threshold and where that comes from. Of poor streams only.
	Reasons []quality.Reason
	// Side is where its trouble likely is; empty where nothing tells.
	Side Side
}

// Issues lists what the call's counts of issues are made of, in order of time; what has no time is last.
func (c *Call) Issues() []Issue {
	out := slices.Concat(c.poorStreams(), c.badDiagnostics(), c.badOperations(), c.unexpectedEnds())
	slices.SortStableFunc(out, func(a, b Issue) int {
		switch {
		case a.From == nil && b.From == nil:
			return 0
		case a.From == nil:
			return 1
		case b.From == nil:
			return -1
		}
		return a.From.Compare(*b.From)
	})
	return out
}

func (c *Call) poorStreams() []Issue {
	var out []Issue
	for i := range c.Judged {
		s := &c.Judged[i]
		if !s.Counted || s.Verdict != quality.Poor {
			continue
		}
		out = append(out, Issue{
			Kind: PoorStream, Name: s.Media, Participant: s.ParticipantID, Stream: s.ID, From: s.StartedAt, To: s.EndedAt, Reasons: s.Reasons,
			Side: c.sideOfStream(s),
			Text: fmt.Sprintf("The %s stream (%s) was poor: %s.", s.Media, s.Direction, joinReasons(s.Reasons)),
		})
	}
	return out
}

func joinReasons(reasons []quality.Reason) string {
	texts := make([]string, len(reasons))
	for i, r := range reasons {
		texts[i] = r.String()
	}
	return strings.Join(texts, ", ")
}

// badDiagnostics lists the diagnostics that went bad, each with the instant at which it went good again under every operation id that
// it went bad under. Which events are one issue, package quality says.
func (c *Call) badDiagnostics() []Issue {
	var out []Issue
	var open []map[string]bool // Of each issue, the operation ids under which it is bad now.
	events := diagnostics(c.Marks)
	groups := quality.GroupDiagnostics(events)
	place := make(map[int]int) // In out, by group.
	for i, e := range events {
		info, _ := quality.LookupDiagnostic(e.Name)
		bad, _ := quality.BadDiagnosticValue(e.Value)
		at, listed := place[groups[i]]
		switch {
		case groups[i] < 0:
		case bad && listed:
			out[at].To = nil // It went bad again, or for another operation too.
			open[at][e.OperationID] = true
		case bad:
			who, _ := uuid.Parse(e.Participant) // nil where it isn't known
			issue := Issue{Kind: Diagnostic, Name: info.Name, Participant: who, From: &e.At, Side: sideOfDiagnostic(info), Text: fmt.Sprintf("%s went %s.", info.Name, e.Value)}
			place[groups[i]] = len(out)
			out, open = append(out, issue), append(open, map[string]bool{e.OperationID: true})
		case listed:
			if delete(open[at], e.OperationID); len(open[at]) == 0 {
				out[at].To = &e.At
			}
		}
	}
	return out
}

func (c *Call) badOperations() []Issue {
	var out []Issue
	for _, e := range failedOperations(c.Marks) {
		at := e.ObservedAt
		issue := Issue{
			Kind: Operation, Name: e.Name, Participant: e.ParticipantID, From: &at, To: &at, Side: sideOfEnd(e.Result), Text: fmt.Sprintf("%s ended with %s.", e.Name, e.Result),
		}
		if e.DurationMs > 0 {
			started := at.Add(-time.Duration(e.DurationMs) * time.Millisecond)
			issue.From = &started
		}
		out = append(out, issue)
	}
	return out
}

func (c *Call) unexpectedEnds() []Issue {
	var out []Issue
	for i := range c.Participants {
		p := &c.Participants[i]
		if !quality.UnexpectedEnd(p.ResultCategory) {
			continue
		}
		out = append(out, Issue{
			Kind: UnexpectedEnd, Name: p.ResultCategory, Participant: p.ID, From: p.LeftAt, To: p.LeftAt, Side: sideOfEnd(p.ResultCategory),
			Text: endText(p),
		})
	}
	return out
}

func endText(p *store.ParticipantFacts) string {
	text := "The participant's part in the call ended with " + p.ResultCategory
	if p.EndCode != "" {
		text += ", code " + p.EndCode
		if p.EndSubCode != "" {
			text += "/" + p.EndSubCode
		}
	}
	return text + "."
}
