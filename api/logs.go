package api

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	openapi_types "github.com/oapi-codegen/runtime/types"

	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/store"
)

// logPage is what a list of records asks for.
type logPage struct {
	category  string
	from, to  *time.Time
	pageToken *string
	pageSize  *int
}

// filter reads it; the rest is for the caller to say.
func (p logPage) filter(ctx context.Context) (store.LogFilter, error) {
	f := store.LogFilter{Category: p.category, Limit: 500}
	var err error
	if f.From, f.To, err = window(p.from, p.to); err != nil {
		return f, err
	}
	if p.pageSize != nil {
		f.Limit = *p.pageSize
	}
	place, err := readCursor(p.pageToken, fingerprintOf(ctx))
	if err != nil {
		return f, err
	}
	if place != nil {
		id, err := uuid.Parse(place.Call)
		if err != nil {
			return f, &Error{Code: CodeInvalidPageToken, Parameter: "page_token"}
		}
		f.After = &store.LogAt{At: place.at(), RecordID: id}
	}
	return f, nil
}

// ndjson writes records, one a line, and where the next page is, if there is one. One more than wanted was asked for.
func ndjson(ctx context.Context, records []store.LogRecord, limit int) (body []byte, link *string) {
	if len(records) > limit {
		records = records[:limit]
		last := &records[limit-1]
		token := cursor{Version: cursorVersion, Of: fingerprintOf(ctx), AtUs: last.At.UnixMicro(), Call: last.RecordID.String()}.token()
		if r := requestIn(ctx); r != nil {
			next := url.URL{Path: r.URL.Path}
			query := r.URL.Query()
			query.Set("page_token", token)
			next.RawQuery = query.Encode()
			text := "<" + next.String() + `>; rel="next"`
			link = &text
		}
	}
	var out bytes.Buffer
	for i := range records {
		out.WriteString(records[i].Body)
		out.WriteByte('\n')
	}
	return out.Bytes(), link
}

// settles is for how long records are not listed yet: what was written a little earlier may be stored a little later, and who follows the log page by page
// must not miss it.
const settles = 10 * time.Second

// settled bounds a list by what can't change any more.
func settled(f store.LogFilter) store.LogFilter {
	if last := time.Now().Add(-settles); f.To.IsZero() || f.To.After(last) {
		f.To = last
	}
	return f
}

// GetLogs lists an organisation's records of ended calls.
func (h *handlers) GetLogs(ctx context.Context, request openapi.GetLogsRequestObject) (openapi.GetLogsResponseObject, error) {
	p := request.Params
	f, err := logPage{string(p.Category), p.From, p.To, p.PageToken, p.PageSize}.filter(ctx)
	if err != nil {
		return nil, err
	}
	limit := f.Limit
	f.Org, f.Limit = callerOf(ctx).about, limit+1
	found, err := h.reader.Logs(ctx, settled(f))
	if err != nil {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	body, link := ndjson(ctx, found, limit)
	return openapi.GetLogs200ApplicationxNdjsonResponse{
		Body: bytes.NewReader(body), ContentLength: int64(len(body)), Headers: openapi.GetLogs200ResponseHeaders{Link: link},
	}, nil
}

// GetResourceLogs lists a resource's records of its own guests, from the resource's region.
func (h *handlers) GetResourceLogs(ctx context.Context, request openapi.GetResourceLogsRequestObject) (openapi.GetResourceLogsResponseObject, error) {
	if h.directory == nil {
		return nil, &Error{Code: CodeDirectoryUnavailable}
	}
	resource, known, err := h.directory.Resource(ctx, request.Id.String())
	if err != nil || !known || request.Id.String() == identity.JoinPageResource {
		return nil, &Error{Code: CodeResourceNotFound}
	}
	reader, err := h.regionReader(resource.Region)
	if err != nil {
		return nil, err
	}
	p := request.Params
	f, err := logPage{string(p.Category), p.From, p.To, p.PageToken, p.PageSize}.filter(ctx)
	if err != nil {
		return nil, err
	}
	limit := f.Limit
	f.Resource, f.Limit = request.Id, limit+1
	found, err := reader.ResourceLogs(ctx, settled(f))
	if err != nil {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	body, link := ndjson(ctx, found, limit)
	return openapi.GetResourceLogs200ApplicationxNdjsonResponse{
		Body: bytes.NewReader(body), ContentLength: int64(len(body)), Headers: openapi.GetResourceLogs200ResponseHeaders{Link: link},
	}, nil
}

// regionReader reads a region's tables.
func (h *handlers) regionReader(region string) (*store.Reader, error) {
	reader, ok := h.regionReaders[region]
	if !ok {
		return nil, &Error{Code: CodeStoreUnavailable, Detail: "This service doesn't have the region " + region + "."}
	}
	return reader, nil
}

// maxUsageDays is how many days one answer has.
const maxUsageDays = 366

// GetUsage adds up what guests of the organisation's resources have used.
func (h *handlers) GetUsage(ctx context.Context, request openapi.GetUsageRequestObject) (openapi.GetUsageResponseObject, error) {
	rows, err := h.rows()
	if err != nil {
		return nil, err
	}
	p, org := request.Params, callerOf(ctx).about
	today := time.Now().UTC().Truncate(24 * time.Hour)
	f := store.UsageFilter{Org: org, First: today.AddDate(0, 0, -30), Last: today}
	if p.To != nil {
		f.Last = p.To.UTC()
		f.First = f.Last.AddDate(0, 0, -30)
	}
	if p.From != nil {
		f.First = p.From.UTC()
	}
	switch {
	case f.Last.Before(f.First):
		return nil, invalidParameter("to", "The parameter to must not be before the parameter from.")
	case f.Last.Sub(f.First) > maxUsageDays*24*time.Hour:
		return nil, invalidParameter("from", fmt.Sprintf("The time is longer than %d days; begin at %s.", maxUsageDays, f.Last.AddDate(0, 0, -maxUsageDays).Format(time.DateOnly)))
	}
	regions := map[string]bool{}
	if joinPage := uuid.MustParse(identity.JoinPageResource); p.Resource == nil || *p.Resource == joinPage {
		f.Hosted = []uuid.UUID{joinPage}
		for _, home := range h.regions[:min(len(h.regions), 1)] {
			regions[home] = true
		}
	}
	for _, r := range rows.Resources.Of(org) {
		if id, err := uuid.Parse(r.Value.ID); err == nil && (p.Resource == nil || *p.Resource == id) {
			f.Resources = append(f.Resources, id)
			regions[r.Value.Region] = true
		}
	}
	found, err := h.usageOf(ctx, f, regions)
	if err != nil {
		return nil, err
	}
	return openapi.GetUsage200JSONResponse(presentUsage(found)), nil
}

// usageOf asks each of the regions.
func (h *handlers) usageOf(ctx context.Context, f store.UsageFilter, regions map[string]bool) ([]store.Usage, error) {
	var out []store.Usage
	for region := range regions {
		reader, err := h.regionReader(region)
		if err != nil {
			return nil, err
		}
		found, err := reader.Usage(ctx, f)
		if err != nil {
			return nil, err //nolint:wrapcheck // the store says what it did
		}
		out = append(out, found...)
	}
	slices.SortFunc(out, func(a, b store.Usage) int {
		return cmp.Or(a.Day.Compare(b.Day), strings.Compare(a.ResourceID.String(), b.ResourceID.String()))
	})
	return out, nil
}

func presentUsage(found []store.Usage) openapi.UsageList {
	out := openapi.UsageList{Usage: make([]openapi.Usage, len(found))}
	for i, u := range found {
		out.Usage[i] = openapi.Usage{
			Day: openapi_types.Date{Time: u.Day}, ResourceId: u.ResourceID, Stays: clip(u.Stays), ParticipantMinutes: u.Stay.Minutes(), Messages: clip(u.Sent),
		}
	}
	return out
}
