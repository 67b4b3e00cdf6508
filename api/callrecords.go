package api

import (
	"context"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/anteroom/anteroom/analytics"
	"github.com/anteroom/anteroom/analytics/graph"
	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/store"
)

// Limits of Microsoft Graph's call records (https://learn.microsoft.com/graph/api/callrecords-callrecord-get).
const (
	// recordAge is how long a call is there as a record after it began.
	recordAge = 30 * 24 * time.Hour
	// The most of a page.
	maxRecordsPage      = 60
	maxSessionsPage     = 60
	maxParticipantsPage = 130

	callRecordsPath = graphPrefix + "callRecords"
)

// ListCallRecords lists the organisation's calls of the last 30 days, newest first.
func (h *handlers) ListCallRecords(ctx context.Context, request openapi.ListCallRecordsRequestObject) (openapi.ListCallRecordsResponseObject, error) {
	size, applied, err := preferredSize(request.Params.Prefer, maxRecordsPage)
	if err != nil {
		return nil, err
	}
	filter, err := h.recordFilter(ctx, value(request.Params.Filter))
	if err != nil {
		return nil, err
	}
	list := fingerprintOf(ctx)
	place, err := readPlace(request.Params.Skiptoken, skipToken, list)
	if err != nil {
		return nil, err
	}
	var after *store.SummaryAt
	if place != nil {
		after = &store.SummaryAt{At: place.at(), CallID: place.Call}
	}
	calls, next, err := h.pageOfRecords(ctx, filter, after, size)
	if err != nil {
		return nil, err
	}
	out := graph.Collection[graph.CallRecord]{Context: metadata(ctx, "callRecords"), Value: make([]graph.CallRecord, len(calls))}
	facts, err := h.recordFacts(ctx, calls...)
	if err != nil {
		return nil, err
	}
	for i, c := range calls {
		out.Value[i] = graph.Record(c, facts[i])
	}
	if next != nil {
		out.NextLink = nextLink(ctx, requestIn(ctx).URL.EscapedPath(), requestIn(ctx).URL.Query(), cursor{Version: cursorVersion, Of: list, AtUs: next.At.UnixMicro(), Call: next.CallID}.token())
	}
	return graphAnswer{out, applied}, nil
}

// recordFilter reads a $filter, and never looks back further than records are kept.
func (h *handlers) recordFilter(ctx context.Context, text string) (store.SummaryFilter, error) {
	profile, err := h.profile(nil)
	if err != nil {
		return store.SummaryFilter{}, err
	}
	out := store.SummaryFilter{Org: callerOf(ctx).Org, Profile: profile.Name(), From: time.Now().Add(-recordAge).UTC()}
	if text == "" {
		return out, nil
	}
	f, err := graph.ParseFilter(text)
	if err != nil {
		return out, invalidParameter("$filter", "The parameter $filter "+err.Error()+".")
	}
	if !f.From.IsZero() {
		if from := clamp(&f.From); from.After(out.From) {
			out.From = from
		}
	}
	if !f.To.IsZero() {
		out.To = clamp(&f.To)
	}
	out.Participant = f.Participant
	return out, nil
}

// pageOfRecords collects a page, and where the next one begins; nil when there is none. Which calls there are, their summaries tell; what is
// shown of them are the facts of now.
func (h *handlers) pageOfRecords(ctx context.Context, f store.SummaryFilter, after *store.SummaryAt, size int) ([]*analytics.Call, *store.SummaryAt, error) {
	profile, err := h.profile(nil)
	if err != nil {
		return nil, nil, err
	}
	_, places, err := h.reader.ListSummaries(ctx, f, store.SummaryOrder{Descending: true}, after, size+1) // One more tells whether there is more.
	if err != nil {
		return nil, nil, h.tooSlow(err, f.From, orNow(f.To))
	}
	var next *store.SummaryAt
	if len(places) > size {
		places = places[:size]
		next = &places[size-1]
	}
	keys := make([]store.CallKey, len(places))
	for i, at := range places {
		keys[i] = store.CallKey{Org: f.Org, CallID: at.CallID}
	}
	records, err := h.reader.Load(ctx, keys)
	if err != nil {
		return nil, nil, err //nolint:wrapcheck // the store says what it did
	}
	page := make([]*analytics.Call, 0, len(records))
	for _, record := range records {
		if record == nil {
			continue
		}
		if call := analytics.Judge(profile, record); !call.Hidden() && (f.Participant == "" || hasParticipant(call, f.Participant)) {
			page = append(page, call)
		}
	}
	return page, next, nil
}

// hasParticipant looks for an id among those that are shown.
func hasParticipant(c *analytics.Call, id string) bool {
	return slices.ContainsFunc(graph.Participants(c), func(p graph.Participant) bool { return p.ID == id })
}

// GetCallRecord shows one call.
func (h *handlers) GetCallRecord(ctx context.Context, request openapi.GetCallRecordRequestObject) (openapi.GetCallRecordResponseObject, error) {
	var expand graph.Expand
	if text := value(request.Params.Expand); text != "" {
		var err error
		if expand, err = graph.ParseExpand(text); err != nil {
			return nil, invalidParameter("$expand", "The parameter $expand "+err.Error()+".")
		}
	}
	sessionsPage, applied, err := preferredSize(request.Params.Prefer, maxSessionsPage)
	if err != nil {
		return nil, err
	}
	participantsPage, _, err := preferredSize(request.Params.Prefer, maxParticipantsPage)
	if err != nil {
		return nil, err
	}
	c, err := h.callRecord(ctx, request.Id)
	if err != nil {
		return nil, err
	}
	facts, err := h.recordFacts(ctx, c)
	if err != nil {
		return nil, err
	}
	out := graph.Record(c, facts[0])
	out.Context = metadata(ctx, "callRecords/$entity")
	at := callRecordsPath + "/" + url.PathEscape(c.CallID)
	if expand.Participants {
		out.Participants, out.ParticipantsNext = firstPage(ctx, graph.Participants(c), participantsPage, participantID, at+"/participants_v2", url.Values{})
	}
	if expand.Sessions {
		query := url.Values{}
		if expand.Segments {
			query.Set("$expand", "segments")
		}
		out.Sessions, out.SessionsNext = firstPage(ctx, sessionsOf(c, expand.Segments), sessionsPage, sessionID, at+"/sessions", query)
	} else if !expand.Participants {
		applied = 0
	}
	return graphAnswer{out, applied}, nil
}

// ListCallRecordSessions lists a call's sessions.
func (h *handlers) ListCallRecordSessions(ctx context.Context, request openapi.ListCallRecordSessionsRequestObject) (openapi.ListCallRecordSessionsResponseObject, error) {
	expand := strings.TrimSpace(value(request.Params.Expand))
	if expand != "" && expand != "segments" {
		return nil, invalidParameter("$expand", "The parameter $expand may be segments.")
	}
	size, applied, err := preferredSize(request.Params.Prefer, maxSessionsPage)
	if err != nil {
		return nil, err
	}
	c, err := h.callRecord(ctx, request.Id)
	if err != nil {
		return nil, err
	}
	out := graph.Collection[graph.Session]{Context: metadata(ctx, "callRecords('"+url.PathEscape(c.CallID)+"')/sessions")}
	out.Value, out.NextLink, err = nextPage(ctx, sessionsOf(c, expand != ""), size, sessionID, request.Params.Skiptoken)
	return graphAnswer{out, applied}, err
}

// ListCallRecordParticipants lists who was in a call.
func (h *handlers) ListCallRecordParticipants(ctx context.Context, request openapi.ListCallRecordParticipantsRequestObject) (openapi.ListCallRecordParticipantsResponseObject, error) {
	size, applied, err := preferredSize(request.Params.Prefer, maxParticipantsPage)
	if err != nil {
		return nil, err
	}
	c, err := h.callRecord(ctx, request.Id)
	if err != nil {
		return nil, err
	}
	out := graph.Collection[graph.Participant]{Context: metadata(ctx, "callRecords('"+url.PathEscape(c.CallID)+"')/participants_v2")}
	out.Value, out.NextLink, err = nextPage(ctx, graph.Participants(c), size, participantID, request.Params.Skiptoken)
	return graphAnswer{out, applied}, err
}

// callRecord reads a call of the caller's organisation that is not too old.
func (h *handlers) callRecord(ctx context.Context, id string) (*analytics.Call, error) {
	profile, err := h.profile(nil)
	if err != nil {
		return nil, err
	}
	keys, err := h.reader.FindCall(ctx, id, callerOf(ctx).Org)
	if err != nil {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	if len(keys) != 1 {
		return nil, &Error{Code: CodeCallNotFound}
	}
	records, err := h.reader.Load(ctx, keys)
	if err != nil {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	if records[0] == nil || records[0].FirstSeen.Before(time.Now().Add(-recordAge)) {
		return nil, &Error{Code: CodeCallNotFound, Detail: "No call of this id is known, or it began more than 30 days ago."}
	}
	c := analytics.Judge(profile, records[0])
	if c.Hidden() {
		return nil, &Error{Code: CodeCallNotFound}
	}
	return c, nil
}

// recordFacts gathers what records show besides, in the order of the calls.
func (h *handlers) recordFacts(ctx context.Context, calls ...*analytics.Call) ([]graph.Facts, error) {
	keys := make([]store.CallKey, len(calls))
	for i, c := range calls {
		keys[i] = c.CallKey
	}
	versions, err := h.reader.CallVersions(ctx, keys)
	if err != nil {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	out := make([]graph.Facts, len(calls))
	for i, c := range calls {
		v, known := versions[c.CallKey]
		switch {
		case c.Withheld: // What guests do counts in the others. Its end comes in another batch than its start, so that there will be more then.
			v = store.CallVersion{Batches: 1, Changed: c.LastSeen()}
		case !known: // From before there were versions.
			v = store.CallVersion{Batches: 1, Changed: c.FirstSeen}
		}
		out[i] = graph.Facts{Version: int64(min(v.Batches, math.MaxInt64)), Modified: v.Changed} //nolint:gosec // clipped
		if err := h.addMeeting(ctx, c.MeetingID, &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// addMeeting adds what the directory knows of a call's meeting: its organiser, and its link for those who may have it.
func (h *handlers) addMeeting(ctx context.Context, id string, to *graph.Facts) error {
	who := callerOf(ctx)
	if h.directory == nil || id == "" {
		return nil
	}
	facts, ok := h.directory.Meeting(id)
	if !ok || facts.Meeting.Org != who.Org {
		return nil
	}
	if user := facts.Meeting.Organizer; user != "" {
		to.Organizer = &graph.Identity{ID: user, DisplayName: user}
		if row, ok := h.directory.Users.Find(who.Org, user); ok && row.Value.Name != "" {
			to.Organizer.DisplayName = row.Value.Name
		}
	}
	if !concerns(who, facts.Meeting) || h.links == nil {
		return nil
	}
	var err error
	to.JoinURL, err = h.joinURL(who, facts.Meeting)
	return err
}

func sessionsOf(c *analytics.Call, segments bool) []graph.Session {
	all := graph.Sessions(c)
	if !segments {
		for i := range all {
			all[i].Segments = nil
		}
	}
	return all
}

func sessionID(s graph.Session) string         { return s.ID }
func participantID(p graph.Participant) string { return p.ID }
