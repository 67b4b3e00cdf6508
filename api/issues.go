package api

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/quality"
	"github.com/anteroom/anteroom/store"
)

// issues lists what the call's counts of issues are made of, in order of time; what has no time is last.
func (j *judgedCall) issues() []openapi.Issue {
	out := append([]openapi.Issue{}, slices.Concat(j.poorStreams(), j.badDiagnostics(), j.badOperations(), j.unexpectedEnds())...)
	for i := range out {
		if out[i].Reasons == nil {
			out[i].Reasons = []openapi.Reason{}
		}
	}
	slices.SortStableFunc(out, func(a, b openapi.Issue) int {
		switch {
		case a.StartedAt == nil && b.StartedAt == nil:
			return 0
		case a.StartedAt == nil:
			return 1
		case b.StartedAt == nil:
			return -1
		}
		return a.StartedAt.Compare(*b.StartedAt)
	})
	return out
}

// about starts an issue of somebody.
func (j *judgedCall) about(kind openapi.IssueKind, name string, who uuid.UUID) openapi.Issue {
	return openapi.Issue{Kind: kind, Name: name, ParticipantId: idOrNil(who), ParticipantLabel: j.labelFor(who)}
}

func (j *judgedCall) poorStreams() []openapi.Issue {
	var out []openapi.Issue
	for i := range j.streams {
		s := &j.streams[i]
		if !s.Counted || s.Verdict != quality.Poor {
			continue
		}
		issue := j.about(openapi.IssueKindPoorStream, s.Media, s.ParticipantID)
		issue.StreamId, issue.StartedAt, issue.EndedAt, issue.Reasons = idOrNil(s.ID), s.StartedAt, s.EndedAt, presentReasons(s.Reasons)
		issue.Text = fmt.Sprintf("The %s stream (%s) was poor: %s.", s.Media, s.Direction, joinReasons(s.Reasons))
		out = append(out, issue)
	}
	return out
}

// badDiagnostics lists the diagnostics that went bad, each with the instant at which it went good again under every operation id that
// it went bad under. Which events are one issue, package quality says.
func (j *judgedCall) badDiagnostics() []openapi.Issue {
	var out []openapi.Issue
	var open []map[string]bool // Of each issue, the operation ids under which it is bad now.
	events := diagnostics(j.Marks)
	groups := quality.GroupDiagnostics(events)
	place := make(map[int]int) // In out, by group.
	for i, e := range events {
		info, _ := quality.LookupDiagnostic(e.Name)
		bad, _ := quality.BadDiagnosticValue(e.Value)
		at, listed := place[groups[i]]
		switch {
		case groups[i] < 0:
		case bad && listed:
			out[at].EndedAt = nil // It went bad again, or for another operation too.
			open[at][e.OperationID] = true
		case bad:
			who, _ := uuid.Parse(e.Participant) // nil where it isn't known
			issue := j.about(openapi.IssueKindDiagnostic, info.Name, who)
			issue.StartedAt, issue.Text = &e.At, fmt.Sprintf("%s went %s.", info.Name, e.Value)
			place[groups[i]] = len(out)
			out, open = append(out, issue), append(open, map[string]bool{e.OperationID: true})
		case listed:
			if delete(open[at], e.OperationID); len(open[at]) == 0 {
				out[at].EndedAt = &e.At
			}
		}
	}
	return out
}

func (j *judgedCall) badOperations() []openapi.Issue {
	var out []openapi.Issue
	for _, e := range failedOperations(j.Marks) {
		issue := j.about(openapi.IssueKindOperation, e.Name, e.ParticipantID)
		at := e.ObservedAt
		issue.StartedAt, issue.EndedAt = &at, &at
		if e.DurationMs > 0 {
			started := at.Add(-time.Duration(e.DurationMs) * time.Millisecond)
			issue.StartedAt = &started
		}
		issue.Text = fmt.Sprintf("%s ended with %s.", e.Name, e.Result)
		out = append(out, issue)
	}
	return out
}

func (j *judgedCall) unexpectedEnds() []openapi.Issue {
	var out []openapi.Issue
	for i := range j.Participants {
		p := &j.Participants[i]
		if !quality.UnexpectedEnd(p.ResultCategory) {
			continue
		}
		issue := j.about(openapi.IssueKindUnexpectedEnd, p.ResultCategory, p.ID)
		issue.StartedAt, issue.EndedAt, issue.Text = p.LeftAt, p.LeftAt, endText(p)
		out = append(out, issue)
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
