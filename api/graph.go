package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"
)

// skipToken is Graph's parameter for the place of a page.
const skipToken = "$skiptoken"

// graphVersion is what clients of Microsoft Graph put before its paths. It may be left out.
const graphVersion = "/v1.0"

// versionKey is the context's key for the version that a request's path began with.
type versionKey struct{}

// unversioned takes the version of Graph off a request's path.
func unversioned(r *http.Request) *http.Request {
	if !strings.HasPrefix(r.URL.Path, graphVersion+graphPrefix) {
		return r
	}
	out := r.WithContext(context.WithValue(r.Context(), versionKey{}, graphVersion))
	address := *r.URL
	address.Path, address.RawPath = strings.TrimPrefix(address.Path, graphVersion), strings.TrimPrefix(address.RawPath, graphVersion)
	out.URL = &address
	return out
}

// graphBase is the address of Graph as the caller knows it.
func graphBase(ctx context.Context) string {
	version, _ := ctx.Value(versionKey{}).(string)
	return callerOf(ctx).base + version
}

// graphAnswer is an answer in the shape of Graph's.
type graphAnswer struct {
	body any
	// applied is the page size that was asked for and kept to; 0 for none.
	applied int
}

func (g graphAnswer) write(w http.ResponseWriter) error {
	w.Header().Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	w.Header().Set("OData-Version", "4.0")
	if g.applied > 0 {
		w.Header().Set("Preference-Applied", "odata.maxpagesize="+strconv.Itoa(g.applied))
	}
	w.WriteHeader(http.StatusOK)
	return json.NewEncoder(w).Encode(g.body) //nolint:wrapcheck // the caller says what it did
}

// VisitListCallRecordsResponse and its like are what the generated code asks of an answer.
func (g graphAnswer) VisitListCallRecordsResponse(w http.ResponseWriter) error { return g.write(w) }

// VisitGetCallRecordResponse writes it.
func (g graphAnswer) VisitGetCallRecordResponse(w http.ResponseWriter) error { return g.write(w) }

// VisitListCallRecordSessionsResponse writes it.
func (g graphAnswer) VisitListCallRecordSessionsResponse(w http.ResponseWriter) error {
	return g.write(w)
}

// VisitListCallRecordParticipantsResponse writes it.
func (g graphAnswer) VisitListCallRecordParticipantsResponse(w http.ResponseWriter) error {
	return g.write(w)
}

// metadata is the address that says what an answer is of.
func metadata(ctx context.Context, of string) string {
	return graphBase(ctx) + "/$metadata#communications/" + of
}

// firstPage is the first page of a relation, and the address of the next, which is that of the relation's own list.
func firstPage[T any](ctx context.Context, all []T, size int, id func(T) string, path string, query url.Values) ([]T, string) {
	if len(all) <= size {
		return all, ""
	}
	last := cursor{Version: cursorVersion, Of: fingerprintAt(ctx, path, query), Call: id(all[size-1])}
	return all[:size], nextLink(ctx, path, query, last.token())
}

// nextPage is the page that a request asks for, and the address of the one after it.
func nextPage[T any](ctx context.Context, all []T, size int, id func(T) string, token *string) ([]T, string, error) {
	place, err := readPlace(token, skipToken, fingerprintOf(ctx))
	if err != nil {
		return nil, "", err
	}
	if place != nil {
		at := slices.IndexFunc(all, func(v T) bool { return id(v) == place.Call })
		if at < 0 {
			return nil, "", &Error{Code: CodeInvalidPageToken, Parameter: skipToken}
		}
		all = all[at+1:]
	}
	r := requestIn(ctx)
	page, next := firstPage(ctx, all, size, id, r.URL.EscapedPath(), r.URL.Query())
	return page, next, nil
}

// nextLink is the address of a further page, as the caller knows the service.
func nextLink(ctx context.Context, path string, query url.Values, token string) string {
	query.Set(skipToken, token)
	return graphBase(ctx) + path + "?" + strings.ReplaceAll(query.Encode(), "%24", "$")
}

// preferredSize is what the Prefer header asks for (odata.maxpagesize), at most most, which is the default; applied is 0 where it asks for none.
func preferredSize(prefer *string, most int) (size, applied int, err error) {
	for preference := range strings.SplitSeq(value(prefer), ",") {
		name, text, _ := strings.Cut(strings.TrimSpace(preference), "=")
		if name = strings.ToLower(strings.TrimSpace(name)); name != "odata.maxpagesize" && name != "maxpagesize" {
			continue
		}
		asked, err := strconv.Atoi(strings.Trim(strings.TrimSpace(text), `"`))
		if err != nil || asked < 1 {
			return 0, 0, invalidParameter("Prefer", fmt.Sprintf("odata.maxpagesize in the header Prefer must be a whole number from 1; at most %d are on a page.", most))
		}
		size = min(asked, most)
		return size, size, nil
	}
	return most, 0, nil
}
