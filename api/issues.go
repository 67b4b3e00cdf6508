package api

import (
	"net/url"
	"time"

	"github.com/anteroom/anteroom/analytics"
	"github.com/anteroom/anteroom/api/openapi"
)

// presentIssues shows what the call's counts of issues are made of.
func presentIssues(c *analytics.Call) []openapi.Issue {
	issues := c.Issues()
	out := make([]openapi.Issue, len(issues))
	for i := range issues {
		at := &issues[i]
		out[i] = openapi.Issue{
			Kind: openapi.IssueKind(at.Kind), Name: at.Name, Text: at.Text, ParticipantId: idOrNil(at.Participant),
			ParticipantLabel: c.LabelFor(at.Participant), StreamId: idOrNil(at.Stream), StartedAt: at.From, EndedAt: at.To,
			Reasons: presentReasons(at.Reasons), LikelySide: textOrNil(string(at.Side)), Evidence: textOrNil(evidenceOf(c, at)),
		}
	}
	return out
}

// evidenceOf is the address of the rows that an issue is read from; empty where there are none.
func evidenceOf(c *analytics.Call, issue *analytics.Issue) string {
	const around = 5 * time.Second
	base := "/v1/calls/" + url.PathEscape(c.CallID)
	span := func(from, to *time.Time) string {
		q := url.Values{"org": {c.Org}}
		if from != nil {
			q.Set("from", from.Add(-around).Format(time.RFC3339Nano))
		}
		if to != nil {
			q.Set("to", to.Add(around).Format(time.RFC3339Nano))
		}
		return "?" + q.Encode()
	}
	switch issue.Kind {
	case analytics.PoorStream:
		return base + "/streams/" + issue.Stream.String() + "/samples" + span(issue.From, issue.To)
	case analytics.Diagnostic, analytics.Operation:
		return base + "/timeline" + span(issue.From, issue.To)
	case analytics.UnexpectedEnd:
		return base + "/participants?" + url.Values{"org": {c.Org}}.Encode()
	}
	return ""
}
