package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/retention/report"
)

// exportJobs are the jobs, or a problem where this process has none.
func (h *handlers) exportJobs() (*report.Jobs, error) {
	if h.exports == nil {
		return nil, &Error{Code: CodeExportsUnavailable}
	}
	return h.exports, nil
}

// exportError translates what can't be done to a job.
func exportError(err error) error {
	fields := report.Fields(err)
	var state *report.StateError
	switch {
	case len(fields) > 0:
		texts := make([]string, len(fields))
		for i, f := range fields {
			texts[i] = "The field " + f.Field + " " + f.Reason + "."
		}
		return &Error{Code: CodeInvalidField, Field: fields[0].Field, Detail: strings.Join(texts[:min(len(texts), 5)], " ")}
	case errors.Is(err, report.ErrNotFound):
		return &Error{Code: CodeExportNotFound}
	case errors.As(err, &state):
		return &Error{Code: CodeExportState, Detail: "The state of the export is " + string(state.Is) + ". This can be done only while it is " + state.OneOf() + "."}
	case errors.Is(err, report.ErrState):
		return &Error{Code: CodeExportState}
	case errors.Is(err, report.ErrSamePerson):
		return &Error{Code: CodeSamePerson}
	case errors.Is(err, report.ErrKeyReused):
		return &Error{Code: CodeKeyReused, Parameter: "Idempotency-Key"}
	case errors.Is(err, report.ErrTooMany):
		return &Error{Code: CodeTooManyExports}
	case errors.Is(err, report.ErrGone):
		return &Error{Code: CodeExportExpired}
	}
	return err
}

// CreateExport asks for a report.
func (h *handlers) CreateExport(ctx context.Context, request openapi.CreateExportRequestObject) (openapi.CreateExportResponseObject, error) {
	jobs, err := h.exportJobs()
	if err != nil {
		return nil, err
	}
	in := request.Body
	r := report.Request{
		Kind: report.Kind(in.Kind), Region: value(in.Region), From: in.From, To: in.To, Meeting: idIn(in.MeetingId), Resource: idIn(in.ResourceId),
		BOM: value(in.CsvBom), Reason: value(in.Reason), Formats: report.Formats(),
	}
	if r.Filter, err = h.callsIn(r.Kind, in.Filter); err != nil {
		return nil, err
	}
	for _, c := range value(in.Classes) {
		r.Classes = append(r.Classes, report.Class(c))
	}
	if in.Formats != nil {
		r.Formats = nil
		for _, f := range *in.Formats {
			r.Formats = append(r.Formats, report.Format(f))
		}
	}
	who := callerOf(ctx)
	job, _, err := jobs.Create(ctx, who.about, who.author(), value(request.Params.IdempotencyKey), r)
	if err != nil {
		return nil, exportError(err)
	}
	body, err := presentExport(&job)
	if err != nil {
		return nil, err
	}
	return openapi.CreateExport202JSONResponse{Body: body, Headers: openapi.CreateExport202ResponseHeaders{Location: "/v1/exports/" + job.ID}}, nil
}

func idIn(id *uuid.UUID) string {
	if id == nil {
		return ""
	}
	return id.String()
}

// ListExports lists the organisation's jobs.
func (h *handlers) ListExports(ctx context.Context, request openapi.ListExportsRequestObject) (openapi.ListExportsResponseObject, error) {
	jobs, err := h.exportJobs()
	if err != nil {
		return nil, err
	}
	place, err := readCursor(request.Params.PageToken, fingerprintOf(ctx))
	if err != nil {
		return nil, err
	}
	found, err := jobs.List(ctx, callerOf(ctx).about)
	if err != nil {
		return nil, exportError(err)
	}
	found = slices.DeleteFunc(found, func(j report.Job) bool {
		wrong := request.Params.State != nil && report.State(*request.Params.State) != j.State
		return wrong || (place != nil && !exportAfter(&j, place))
	})
	out := openapi.ListExports200JSONResponse{Exports: []openapi.Export{}}
	if size := pageSize(request.Params.PageSize); len(found) > size {
		found = found[:size]
		last := &found[size-1]
		token := cursor{Version: cursorVersion, Of: fingerprintOf(ctx), AtUs: last.RequestedAt.UnixMicro(), Call: last.ID}.token()
		out.NextPageToken = &token
	}
	for i := range found {
		one, err := presentExport(&found[i])
		if err != nil {
			return nil, err
		}
		out.Exports = append(out.Exports, one)
	}
	return out, nil
}

// exportAfter tells whether a job comes after a place in the list: the newest first, by id among equals.
func exportAfter(j *report.Job, place *cursor) bool {
	at := j.RequestedAt.UnixMicro()
	return at < place.AtUs || (at == place.AtUs && j.ID > place.Call)
}

// GetExport shows one job with its accesses.
func (h *handlers) GetExport(ctx context.Context, request openapi.GetExportRequestObject) (openapi.GetExportResponseObject, error) {
	jobs, err := h.exportJobs()
	if err != nil {
		return nil, err
	}
	id := request.Id.String()
	job, err := jobs.Get(ctx, callerOf(ctx).about, id)
	if err != nil {
		return nil, exportError(err)
	}
	body, err := presentExport(&job)
	if err != nil {
		return nil, err
	}
	accesses, err := jobs.Accesses(ctx, job.Org, id)
	if err != nil {
		return nil, err //nolint:wrapcheck // it says what it did
	}
	shown := make([]openapi.ExportAccess, len(accesses))
	for i, a := range accesses {
		shown[i] = openapi.ExportAccess{By: a.By, At: a.At, File: a.File}
	}
	body.Accesses = &shown
	return openapi.GetExport200JSONResponse{ExportJSONResponse: openapi.ExportJSONResponse(body)}, nil
}

// changeExport does one thing to a job and shows what it is then.
func (h *handlers) changeExport(ctx context.Context, do func(jobs *report.Jobs, org, who string) (report.Job, error)) (openapi.ExportJSONResponse, error) {
	jobs, err := h.exportJobs()
	if err != nil {
		return openapi.ExportJSONResponse{}, err
	}
	who := callerOf(ctx)
	job, err := do(jobs, who.about, who.author())
	if err != nil {
		return openapi.ExportJSONResponse{}, exportError(err)
	}
	body, err := presentExport(&job)
	return openapi.ExportJSONResponse(body), err
}

// CancelExport cancels a job.
func (h *handlers) CancelExport(ctx context.Context, request openapi.CancelExportRequestObject) (openapi.CancelExportResponseObject, error) {
	body, err := h.changeExport(ctx, func(jobs *report.Jobs, org, who string) (report.Job, error) {
		return jobs.Cancel(ctx, org, request.Id.String(), who)
	})
	return openapi.CancelExport200JSONResponse{ExportJSONResponse: body}, err
}

// ResumeExport begins a job anew.
func (h *handlers) ResumeExport(ctx context.Context, request openapi.ResumeExportRequestObject) (openapi.ResumeExportResponseObject, error) {
	body, err := h.changeExport(ctx, func(jobs *report.Jobs, org, who string) (report.Job, error) {
		return jobs.Resume(ctx, org, request.Id.String(), who)
	})
	return openapi.ResumeExport200JSONResponse{ExportJSONResponse: body}, err
}

// ApproveExport is the second person's word.
func (h *handlers) ApproveExport(ctx context.Context, request openapi.ApproveExportRequestObject) (openapi.ApproveExportResponseObject, error) {
	body, err := h.changeExport(ctx, func(jobs *report.Jobs, org, who string) (report.Job, error) {
		return jobs.Approve(ctx, org, request.Id.String(), who, request.Body.Reason)
	})
	return openapi.ApproveExport200JSONResponse{ExportJSONResponse: body}, err
}

// GetExportFile hands out a file.
func (h *handlers) GetExportFile(ctx context.Context, request openapi.GetExportFileRequestObject) (openapi.GetExportFileResponseObject, error) {
	jobs, err := h.exportJobs()
	if err != nil {
		return nil, err
	}
	who := callerOf(ctx)
	file, content, err := jobs.Open(ctx, who.about, request.Id.String(), request.Name, who.author(), goesOn(requestIn(ctx)))
	if err != nil {
		return nil, exportError(err)
	}
	return download{ctx: ctx, name: file.Name, contentType: file.ContentType, sum: file.SHA256, content: content}, nil
}

// goesOn tells whether a part is asked for that isn't the beginning of the file.
func goesOn(r *http.Request) bool {
	if r == nil {
		return false
	}
	ranges := r.Header.Get("Range")
	return strings.HasPrefix(ranges, "bytes=") && !strings.HasPrefix(ranges, "bytes=0-") && !strings.Contains(ranges, ",")
}

func presentExport(j *report.Job) (openapi.Export, error) {
	id, err := uuid.Parse(j.ID)
	if err != nil {
		return openapi.Export{}, fmt.Errorf("read id of export: %w", err)
	}
	r := &j.Request
	out := openapi.Export{
		ExportId: id, Organization: j.Org, Kind: openapi.ExportKind(r.Kind), Region: textOrNil(r.Region), From: r.From.UTC(), To: r.To.UTC(),
		Classes: make([]openapi.RetentionClass, len(r.Classes)), Formats: make([]openapi.ExportFormat, len(r.Formats)), CsvBom: r.BOM,
		Reason: textOrNil(r.Reason), State: openapi.ExportState(j.State), Percent: j.Percent(), Rows: j.Rows(), RequestedBy: j.RequestedBy,
		RequestedAt: j.RequestedAt.UTC(), FinishedAt: inUTC(j.FinishedAt), ExpiresAt: inUTC(j.ExpiresAt), Failure: textOrNil(j.Failure()),
		Regions: []openapi.ExportRegion{}, Files: []openapi.ExportFile{},
	}
	out.Filter = presentCalls(r.Filter)
	for i, c := range r.Classes {
		out.Classes[i] = openapi.RetentionClass(c)
	}
	for i, f := range r.Formats {
		out.Formats[i] = openapi.ExportFormat(f)
	}
	for text, to := range map[string]**uuid.UUID{r.Meeting: &out.MeetingId, r.Resource: &out.ResourceId} {
		if parsed, err := uuid.Parse(text); err == nil {
			*to = &parsed
		}
	}
	if a := j.Approval; a != nil {
		out.Approval = &openapi.ExportApproval{By: a.By, At: a.At.UTC(), Reason: a.Reason}
	}
	for _, region := range j.Regions() {
		p := j.Parts[region]
		out.Regions = append(out.Regions, openapi.ExportRegion{Region: region, State: openapi.ExportRegionState(p.State), Percent: p.Percent, Rows: p.Rows})
	}
	for _, f := range j.AllFiles() {
		out.Files = append(out.Files, openapi.ExportFile{Name: f.Name, Bytes: f.Bytes, Sha256: f.SHA256, ContentType: f.ContentType})
	}
	return out, nil
}

func inUTC(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	at := t.UTC()
	return &at
}
