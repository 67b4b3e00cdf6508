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

// badDiagnostics lists the diagnostics that went bad, each with the instant at which it went good again under the same operation id.
// Events of one operation id and name are one issue, as in quality.JudgeCall.
func (j *judgedCall) badDiagnostics() []openapi.Issue {
	type occurrence struct {
		operation uuid.UUID
		name      string
	}
	var out []openapi.Issue
	open := make(map[occurrence]int) // Index in out of what has an operation id.
	for i := range j.Marks {
		e := &j.Marks[i]
		info, named := quality.LookupDiagnostic(e.Name)
		bad, read := quality.BadDiagnosticValue(e.Value)
		if e.Kind != "diagnostic" || !named || !read || info.NeverIssue {
			continue
		}
		at, key := e.ObservedAt, occurrence{e.OperationID, info.Name}
		before, seen := open[key]
		if e.OperationID == uuid.Nil {
			seen = false
		}
		switch {
		case bad && seen:
			out[before].EndedAt = nil // It went bad again.
		case bad:
			issue := j.about(openapi.IssueKindDiagnostic, info.Name, e.ParticipantID)
			issue.StartedAt, issue.Text = &at, fmt.Sprintf("%s went %s.", info.Name, e.Value)
			open[key] = len(out)
			out = append(out, issue)
		case seen:
			out[before].EndedAt = &at
		}
	}
	return out
}

func (j *judgedCall) badOperations() []openapi.Issue {
	var out []openapi.Issue
	for i := range j.Marks {
		e := &j.Marks[i]
		if e.Kind != "operation" || !quality.BadOperation(e.Name, e.Result) {
			continue
		}
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
