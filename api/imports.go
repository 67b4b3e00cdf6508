package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/anteroom/anteroom/api/openapi"
)

// Importer takes files in. It returns when the rows can be queried.
type Importer interface {
	// Import reads the body to its end. A file that can't be read fails with a *BadInput, and nothing of it is kept; an error in reading
	// the body is wrapped. Importing the same file again changes nothing.
	Import(ctx context.Context, request ImportRequest) (ImportResult, error)
}

// ImportRequest is a file to import.
type ImportRequest struct {
	// Format is "acs", "rtcstats" or "webrtc-internals".
	Format string
	Org    string
	// As is "guest" or "org": whom the file's participants are taken for.
	As string
	// Filename is for messages only; empty if not known.
	Filename string
	Body     io.Reader
}

// ImportResult is what became of a file.
type ImportResult struct {
	CallIDs []string
	Events  int64
	// AlreadyImported: nothing was new.
	AlreadyImported bool
}

// BadInput says what is wrong with a file, in plain English and without its contents.
type BadInput struct {
	// Line, from 1; 0 where there is none to tell.
	Line int
	// Field is the place within the line; empty for none.
	Field  string
	Reason string
}

func (e *BadInput) Error() string {
	var out strings.Builder
	if e.Line > 0 {
		fmt.Fprintf(&out, "line %d: ", e.Line)
	}
	if e.Field != "" {
		out.WriteString(e.Field + ": ")
	}
	out.WriteString(e.Reason)
	return out.String()
}

// CreateImport imports a file.
func (h *handlers) CreateImport(ctx context.Context, request openapi.CreateImportRequestObject) (openapi.CreateImportResponseObject, error) {
	if h.importer == nil {
		return nil, &Error{Code: CodeImportUnavailable}
	}
	ctx, cancel := context.WithTimeout(ctx, h.cfg.ImportTimeout)
	defer cancel()
	select {
	case h.imports <- struct{}{}:
		defer func() { <-h.imports }()
	case <-ctx.Done():
		return nil, importFailed(ctx, ctx.Err())
	}
	in := ImportRequest{Format: string(request.Params.Format), Org: callerOf(ctx).about, As: "guest", Body: request.Body}
	if request.Params.As != nil {
		in.As = string(*request.Params.As)
	}
	if request.Params.Filename != nil {
		in.Filename = *request.Params.Filename
	}
	got, err := h.importer.Import(ctx, in)
	if err != nil {
		return nil, importFailed(ctx, err)
	}
	h.awaitSummaries(ctx, in.Org, got.CallIDs)
	out := openapi.CreateImport200JSONResponse{
		Calls: make([]openapi.ImportedCall, len(got.CallIDs)), Events: got.Events, AlreadyImported: got.AlreadyImported,
	}
	for i, id := range got.CallIDs {
		out.Calls[i].CallId = id
	}
	return out, nil
}

// awaitSummaries waits until the calls of a file are in lists, for as long as that takes where something makes summaries. Their own pages have them
// already.
func (h *handlers) awaitSummaries(ctx context.Context, org string, calls []string) {
	const patience, pause, some = 20 * time.Second, 100 * time.Millisecond, 1000
	calls = calls[:min(len(calls), some)]
	for begin := time.Now(); len(calls) > 0 && time.Since(begin) < patience; {
		left, err := h.reader.UnsummedOf(ctx, org, calls)
		if err != nil || left == 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// importFailed tells an import that ran out of its own time from one that failed.
func importFailed(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return fmt.Errorf("import: %w: %w", &Error{Code: CodeImportTimeout}, err)
	}
	return fmt.Errorf("import: %w", err)
}
