package api

import (
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
			Reasons: presentReasons(at.Reasons),
		}
	}
	return out
}
