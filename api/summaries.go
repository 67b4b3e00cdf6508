package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/anteroom/anteroom/analytics"
	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/quality"
	"github.com/anteroom/anteroom/store"
)

// presentSummary shows a call by its summary.
func (h *handlers) presentSummary(ctx context.Context, c *store.CallSummary) (openapi.Call, error) {
	tags, err := readTags(c.Tags)
	if err != nil {
		return openapi.Call{}, err
	}
	judgement, err := analytics.ReadJudgement(c.Judgement)
	if err != nil {
		return openapi.Call{}, err //nolint:wrapcheck // says what it did
	}
	out := openapi.Call{
		CallId: c.CallID, Org: c.Org, Region: c.Region, Source: openapi.CallSource(sourceName(c.Source)), Kind: openapi.CallKind(c.Kind),
		MeetingId: textOrNil(c.MeetingID), FirstSeenAt: c.At, StartedAt: c.StartedAt, EndedAt: c.EndedAt, DurationMs: c.DurationMs,
		EndReason: textOrNil(c.EndReason), Participants: int(c.Participants),
		Streams: openapi.StreamCounts{Total: int(c.Good + c.Poor + c.Unknown), Good: int(c.Good), Poor: int(c.Poor), Unknown: int(c.Unknown)},
		Profile: c.Profile, Verdict: openapi.Verdict(c.Verdict),
		Reasons:            append(presentReasons(judgement.Reasons), presentDiagnostics(judgement.NetworkReasons)...),
		NetworkDiagnostics: append([]string{}, judgement.NetworkDiagnostics...),
		Rating:             openapi.CallRating(c.Rating), RatingScore: c.RatingScore,
		State: openapi.CallState(c.State), MeetingTitle: h.titleOf(ctx, c.Org, c.MeetingID), TopReason: presentTop(judgement.Top),
		LikelySide: textOrNil(c.Side), Recorded: c.Recorded, Tags: tags, Sites: sitesOf(c.People),
	}
	out.Issues.Total, out.Issues.BadOperations = int(c.Issues), int(c.BadOperations)
	out.Issues.UnexpectedEnds, out.Issues.PoorStreams = int(c.UnexpectedEnds), int(c.Poor)
	out.Issues.ByOperation = presentCounts(judgement.ByOperation)
	out.Who = openapi.CallPeople{Anonymous: int(c.Anonymous), Users: []openapi.CallUser{}}
	for i := range c.People {
		if p := &c.People[i]; p.UserID != "" || p.Label != analytics.Anonymous {
			addUser(&out.Who, p.UserID, p.Label)
		}
	}
	return out, nil
}

// presentCall shows a call by its facts, as presentSummary does by its summary.
func (h *handlers) presentCall(ctx context.Context, c *analytics.Call) (openapi.Call, error) {
	var sites *analytics.Sites
	var err error
	if slices.ContainsFunc(c.Participants, func(p store.ParticipantFacts) bool { return p.Network != "" }) {
		if sites, err = h.sites(ctx, c.Org); err != nil {
			return openapi.Call{}, err
		}
	}
	summary, err := c.Summary(sites)
	if err != nil {
		return openapi.Call{}, err //nolint:wrapcheck // says what it did
	}
	summary.State, _ = c.State(time.Now())
	if summary.Tags, err = h.reader.Tags(ctx, c.CallKey); err != nil {
		return openapi.Call{}, err //nolint:wrapcheck // the store says what it did
	}
	return h.presentSummary(ctx, &summary)
}

// addUser adds somebody once, however often they joined.
func addUser(who *openapi.CallPeople, id, label string) {
	for _, u := range who.Users {
		if u.UserId == id && u.Label == label {
			return
		}
	}
	who.Users = append(who.Users, openapi.CallUser{UserId: id, Label: label})
}

// titleOf is a meeting's title, for whom the meeting concerns.
func (h *handlers) titleOf(ctx context.Context, org, meeting string) *string {
	if h.directory == nil || meeting == "" {
		return nil
	}
	facts, ok := h.directory.Meeting(strings.ToLower(meeting))
	if !ok || facts.Meeting.Org != org || !concerns(callerOf(ctx), facts.Meeting) {
		return nil
	}
	return textOrNil(facts.Meeting.Title)
}

func sitesOf(people []store.SummaryPerson) []string {
	out := []string{}
	for i := range people {
		if people[i].Site != "" {
			out = append(out, people[i].Site)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func presentTop(top *analytics.TopReason) *openapi.TopReason {
	if top == nil {
		return nil
	}
	return &openapi.TopReason{
		Metric: top.Metric, Value: finite(top.Value), Comparison: textOrNil(top.Comparison), Threshold: finite(top.Threshold), Unit: textOrNil(top.Unit),
		Media: textOrNil(top.Media), Direction: textOrNil(top.Direction), Text: top.Text,
	}
}

func presentCounts(counts []quality.NamedCount) []openapi.NamedCount {
	out := make([]openapi.NamedCount, len(counts))
	for i, n := range counts {
		out[i] = openapi.NamedCount{Name: n.Name, Count: n.Count}
	}
	return out
}
