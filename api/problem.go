package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/policy/author"
	"github.com/anteroom/anteroom/store"
)

// Code is the stable name of a kind of error.
type Code string

// The kinds of errors.
const (
	CodeInvalidParameter  Code = "invalid_parameter"
	CodeUnknownParameter  Code = "unknown_parameter"
	CodeInvalidPageToken  Code = "invalid_page_token"
	CodeInvalidRequest    Code = "invalid_request"
	CodeRangeTooWide      Code = "range_too_wide"
	CodeInvalidSites      Code = "invalid_sites"
	CodeViewNotFound      Code = "view_not_found"
	CodeTooManyViews      Code = "too_many_views"
	CodeCrossOrigin       Code = "cross_origin"
	CodeNotFound          Code = "not_found"
	CodeCallNotFound      Code = "call_not_found"
	CodeStreamNotFound    Code = "stream_not_found"
	CodeMethodNotAllowed  Code = "method_not_allowed"
	CodeBodyTooLarge      Code = "body_too_large"
	CodeUnsupportedMedia  Code = "unsupported_media_type"
	CodeHostNotAllowed    Code = "host_not_allowed"
	CodeInvalidFile       Code = "invalid_file"
	CodeInternal          Code = "internal"
	CodeQueryTooLarge     Code = "query_too_large"
	CodeStoreUnavailable  Code = "store_unavailable"
	CodeImportUnavailable Code = "import_unavailable"
	CodeQueryTimeout      Code = "query_timeout"
	CodeImportTimeout     Code = "import_timeout"

	CodeRecordingNotFound     Code = "recording_not_found"
	CodeRecordingsUnavailable Code = "recordings_unavailable"
	CodeRangeNotSatisfiable   Code = "range_not_satisfiable"

	CodeExportNotFound     Code = "export_not_found"
	CodeExportState        Code = "export_state"
	CodeExportExpired      Code = "export_expired"
	CodeSamePerson         Code = "same_person"
	CodeKeyReused          Code = "idempotency_key_reused"
	CodeTooManyExports     Code = "too_many_exports"
	CodeExportsUnavailable Code = "exports_unavailable"

	CodeRetentionPolicyNotFound Code = "retention_policy_not_found"
	CodeHoldNotFound            Code = "hold_not_found"
	CodeHoldUnsettled           Code = "hold_unsettled"
	CodeRetentionUnavailable    Code = "retention_unavailable"
	CodeLedgerNotFound          Code = "ledger_not_found"
	CodeTileNotFound            Code = "tile_not_found"

	CodeDecisionNotFound       Code = "decision_not_found"
	CodePolicyReplayNotFound   Code = "policy_replay_not_found"
	CodeTooManyReplays         Code = "too_many_replays"
	CodePolicyTokenNotFound    Code = "policy_token_not_found"
	CodeTooManyTokens          Code = "too_many_tokens"
	CodePoliciesUnavailable    Code = "policies_unavailable"
	CodePolicyRefused          Code = "policy_refused"
	CodePolicyKilled           Code = "policy_killed"
	CodeSandboxBusy            Code = "sandbox_busy"
	CodePolicyRevisionNotFound Code = "policy_revision_not_found"
	CodePolicyDraftNotFound    Code = "policy_draft_not_found"
	CodeTooManyDrafts          Code = "too_many_drafts"

	CodeSequenceGap        Code = "sequence_gap"
	CodeNotAcknowledged    Code = "not_acknowledged"
	CodeCollectUnavailable Code = "collect_unavailable"

	CodeForbidden            Code = "forbidden"
	CodeOtherOrganization    Code = "other_organization"
	CodeNotOrganizer         Code = "not_organizer"
	CodeNotInMeeting         Code = "not_in_meeting"
	CodeOrganizationNotFound Code = "organization_not_found"
	CodeUserNotFound         Code = "user_not_found"
	CodeResourceNotFound     Code = "resource_not_found"
	CodeMeetingNotFound      Code = "meeting_not_found"
	CodeNoIssuer             Code = "no_issuer"
	CodeExists               Code = "exists"
	CodeNotRunning           Code = "meeting_not_running"
	CodePreconditionFailed   Code = "precondition_failed"
	CodeInvalidField         Code = "invalid_field"
	CodePreconditionRequired Code = "precondition_required"
	CodeTooManyRequests      Code = "too_many_requests"
	CodeIdentityUnavailable  Code = "identity_unavailable"
	CodeDirectoryUnavailable Code = "directory_unavailable"
	CodeMediaUnavailable     Code = "media_unavailable"
)

// kind is what all problems of one code have in common. Detail is said where the place of the error has nothing better to say.
type kind struct {
	status int
	title  string
	detail string
}

// kindOf is the one table from code to HTTP status.
func kindOf(code Code) kind {
	switch code {
	case CodeInvalidParameter:
		return kind{http.StatusBadRequest, "Invalid parameter", "A parameter has a value that it can't have."}
	case CodeUnknownParameter:
		return kind{http.StatusBadRequest, "Unknown parameter", "There is no such parameter here; see /openapi.json."}
	case CodeInvalidPageToken:
		return kind{
			http.StatusBadRequest, "Invalid page token",
			"Hand over next_page_token of the page before as it was, with the other parameters unchanged, or leave page_token out to begin again.",
		}
	case CodeInvalidRequest:
		return kind{http.StatusBadRequest, "Invalid request", "The request can't be read; see /openapi.json."}
	case CodeRangeTooWide:
		return kind{http.StatusBadRequest, "Range too wide", "The range is longer than what can be added up; ask for a shorter one."}
	case CodeCrossOrigin:
		return kind{http.StatusForbidden, "Request from another site", "A page of another site may not ask for this."}
	case CodeNotFound:
		return kind{http.StatusNotFound, "Not found", "There is nothing at this address; see /openapi.json."}
	case CodeCallNotFound:
		return kind{http.StatusNotFound, "Call not found", "No call of this id is known. It may not have been ingested yet."}
	case CodeStreamNotFound:
		return kind{http.StatusNotFound, "Stream not found", "The call has no stream of this id."}
	case CodeLedgerNotFound:
		return kind{http.StatusNotFound, "Ledger not found", "This process has no ledger of that region; ask one that runs where the ledger is."}
	case CodeTileNotFound:
		return kind{http.StatusNotFound, "Tile not found", "The ledger has no such tile (yet), or a fuller one has taken its place."}
	case CodeRecordingNotFound:
		return kind{http.StatusNotFound, "Recording not found", "The call has no recording of this id, or the recording has no such file (yet)."}
	case CodeRangeNotSatisfiable:
		return kind{http.StatusRequestedRangeNotSatisfiable, "Range not in the file", "The file is shorter than that; Content-Range says how long it is."}
	case CodeMethodNotAllowed:
		return kind{http.StatusMethodNotAllowed, "Method not allowed", "The address does not take this method; the Allow header has those it takes."}
	case CodeBodyTooLarge:
		return kind{http.StatusRequestEntityTooLarge, "Body too large", "The body is larger than this service takes."}
	case CodeUnsupportedMedia:
		return kind{http.StatusUnsupportedMediaType, "Unsupported media type", "Send the file as it is, as application/octet-stream."}
	case CodeHostNotAllowed:
		return kind{http.StatusMisdirectedRequest, "Host not allowed", "Address the service by a loopback address, by localhost, or by a name in allowed_hosts."}
	case CodeInvalidFile:
		return kind{http.StatusUnprocessableEntity, "Invalid file", "The file can't be imported. Nothing of it was kept."}
	case CodeQueryTooLarge:
		return kind{http.StatusServiceUnavailable, "Query too large", "The answer needs too much memory; ask for less, such as a shorter time."}
	case CodeStoreUnavailable:
		return kind{http.StatusServiceUnavailable, "Store unavailable", "The database does not answer just now; try again."}
	case CodeImportUnavailable:
		return kind{http.StatusServiceUnavailable, "Import unavailable", "This process does not import; ask one that has the role."}
	case CodeRecordingsUnavailable:
		return kind{http.StatusServiceUnavailable, "Recordings unavailable", "This process has no folder of recordings; ask one that has, or set recording.dir."}
	case CodeQueryTimeout:
		return kind{http.StatusGatewayTimeout, "Query timeout", "The answer takes too long; ask for less, such as a shorter time."}
	case CodeImportTimeout:
		return kind{
			http.StatusGatewayTimeout, "Import timeout",
			"The import took too long. Import the same file again: what is there already is not doubled.",
		}
	default:
		return kindOfAccess(code)
	}
}

// kindOfAccess is the part of the table about who may do what, and about the directory and meetings.
func kindOfAccess(code Code) kind {
	switch code {
	case CodeForbidden:
		return kind{http.StatusForbidden, "Forbidden", "You are signed in, and your roles don't allow this."}
	case CodeOtherOrganization:
		return kind{http.StatusForbidden, "Another organisation", "Your roles hold for your own organisation only."}
	case CodeNotOrganizer:
		return kind{http.StatusForbidden, "Not the organiser", "Only the meeting's organiser or an admin may do this."}
	case CodeNotInMeeting:
		return kind{http.StatusForbidden, "Not in the meeting", "Only who is in the meeting can do this, and only while being there."}
	case CodeOrganizationNotFound:
		return kind{http.StatusNotFound, "Organisation not found", "There is no organisation of this id."}
	case CodeUserNotFound:
		return kind{http.StatusNotFound, "User not found", "The organisation has no user of this id."}
	case CodeResourceNotFound:
		return kind{http.StatusNotFound, "Resource not found", "There is no resource of this id, or it is another organisation's."}
	case CodeMeetingNotFound:
		return kind{http.StatusNotFound, "Meeting not found", "There is no such meeting, or its link is not right. Ask for the link again."}
	case CodeNoIssuer:
		return kind{http.StatusNotFound, "Nobody signs in there", "There is no such organisation, or it has no OpenID provider. Check the parameter org."}
	case CodeExists:
		return kind{http.StatusConflict, "Exists already", "There is one of this id already; change that one, or choose another id."}
	case CodeNotRunning:
		return kind{http.StatusConflict, "Meeting does not run", "Nobody is in the meeting, so there is nothing to end."}
	case CodePreconditionFailed:
		return kind{http.StatusPreconditionFailed, "Changed meanwhile", "It has another version than If-Match names. Read it again and repeat the change."}
	case CodeInvalidField:
		return kind{http.StatusUnprocessableEntity, "Invalid field", "A field of the body has a value that it can't have."}
	case CodePreconditionRequired:
		return kind{http.StatusPreconditionRequired, "Version missing", "Say in If-Match which version is changed: the ETag of the answer to GET."}
	case CodeTooManyRequests:
		return kind{http.StatusTooManyRequests, "Too many requests", "Too many requests came from you or from your address. Wait as long as Retry-After says, and try again."}
	case CodeIdentityUnavailable:
		return kind{http.StatusServiceUnavailable, "Identity unavailable", "This process can't find out who is asking, so it refuses. Set up identity, or ask another one."}
	case CodeDirectoryUnavailable:
		return kind{http.StatusServiceUnavailable, "Directory unavailable", "Organisations and meetings have not been read yet; try again."}
	case CodeMediaUnavailable:
		return kind{http.StatusServiceUnavailable, "Media unavailable", "No meetings run in this process; ask one that has the role."}
	default:
		return kindOfExport(code)
	}
}

// kindOfExport is the part of the table about exports.
func kindOfExport(code Code) kind {
	switch code {
	case CodeExportNotFound:
		return kind{http.StatusNotFound, "Export not found", "There is no export of this id, or it has no such file."}
	case CodeExportState:
		return kind{http.StatusConflict, "Export in another state", "The export is in a state in which this can't be done; read it again."}
	case CodeExportExpired:
		return kind{http.StatusGone, "Export expired", "The files have expired; ask for the export again."}
	case CodeSamePerson:
		return kind{http.StatusForbidden, "Same person", "Whoever asked for held content can't approve it; another admin or auditor must."}
	case CodeKeyReused:
		return kind{http.StatusUnprocessableEntity, "Key used before", "This Idempotency-Key came with another request before; choose a new one."}
	case CodeTooManyExports:
		return kind{http.StatusTooManyRequests, "Too many exports", "The organisation has as many exports under way as it may; wait for them, or cancel some."}
	case CodeExportsUnavailable:
		return kind{http.StatusServiceUnavailable, "Exports unavailable", "This process has no folder of exports; ask one that has, or set exports.dir."}
	case CodeInvalidSites:
		return kind{http.StatusUnprocessableEntity, "Invalid table of sites", "The table can't be taken. Nothing was changed."}
	case CodeViewNotFound:
		return kind{http.StatusNotFound, "View not found", "There is no such view, or it is somebody else's."}
	case CodeTooManyViews:
		return kind{http.StatusConflict, "Too many views", "There are as many views as may be; forget one first."}
	default:
		return kindOfRetention(code)
	}
}

// kindOfRetention is the part of the table about retention policies and holds.
func kindOfRetention(code Code) kind {
	switch code {
	case CodeRetentionPolicyNotFound:
		return kind{http.StatusNotFound, "Retention policy not found", "There is no retention policy of this id."}
	case CodeHoldNotFound:
		return kind{http.StatusNotFound, "Hold not found", "There is no hold of this id."}
	case CodeHoldUnsettled:
		return kind{http.StatusServiceUnavailable, "Hold placed, purges not known to have ended", "Ask again with the same Idempotency-Key."}
	case CodeRetentionUnavailable:
		return kind{http.StatusServiceUnavailable, "Retention unavailable", "This process knows nothing of retention; ask another one."}
	default:
		return kindOfPolicy(code)
	}
}

// kindOfPolicy is the part of the table about organisations' policies.
func kindOfPolicy(code Code) kind {
	switch code {
	case CodePoliciesUnavailable:
		return kind{http.StatusServiceUnavailable, "Policies unavailable", "This process knows nothing of policies; ask another one."}
	case CodePolicyRefused:
		return kind{http.StatusUnprocessableEntity, "Policy refused", "The policy has mistakes. Nothing was changed."}
	case CodePolicyKilled:
		return kind{http.StatusUnprocessableEntity, "Policy ended", "The policy used more time or memory than it may."}
	case CodeSandboxBusy:
		return kind{http.StatusServiceUnavailable, "Too busy to try policies", "The service is too busy to try the policy now; try again in a moment."}
	case CodePolicyRevisionNotFound:
		return kind{http.StatusNotFound, "Revision not found", "The organisation's policy has no revision of this number."}
	case CodePolicyDraftNotFound:
		return kind{http.StatusNotFound, "Draft not found", "There is no draft of this id."}
	case CodeTooManyDrafts:
		return kind{http.StatusConflict, "Too many drafts", "There are as many drafts as may be; delete one first."}
	default:
		return kindOfDecision(code)
	}
}

// kindOfCollected is the part of the table about statistics that clients send.
func kindOfCollected(code Code) kind {
	switch code {
	case CodeSequenceGap:
		return kind{http.StatusConflict, "Batch missing", "A batch before this one has not come; send that one first."}
	case CodeNotAcknowledged:
		return kind{http.StatusServiceUnavailable, "Not known to be safe", "Send the same batch again, with the same number."}
	case CodeCollectUnavailable:
		return kind{http.StatusServiceUnavailable, "Not collecting", "This process takes no statistics in just now; try again, or ask another one."}
	default:
		return kindOfRefusal(code)
	}
}

// kindOfRefusal is the part of the table about tokens: their codes are identity's reasons.
func kindOfRefusal(code Code) kind {
	refused := kind{http.StatusUnauthorized, "Not signed in", "The token is refused. Sign in again."}
	switch identity.Reason(code) {
	case identity.TokenMissing, identity.TokenMalformed, identity.TokenSignature, identity.TokenAlgorithm, identity.TokenExpired, identity.TokenNotYet,
		identity.TokenTooLong, identity.TokenAudience, identity.TokenReplayed, identity.TokenIncomplete, identity.IssuerUnknown:
		return refused
	case identity.LoginExpired, identity.LoginState, identity.LoginDenied, identity.LoginCode:
		return kind{http.StatusUnauthorized, "Not signed in", "Signing in came to nothing. Begin again at /login."}
	case identity.IssuerUnavailable:
		return kind{http.StatusServiceUnavailable, "Issuer unavailable", "The OpenID provider does not answer just now; try again."}
	case identity.JournalUnavailable:
		return kind{http.StatusServiceUnavailable, "Token can't be taken", "That the token is used can't be written down just now; get a new one and try again."}
	default:
		return kind{http.StatusInternalServerError, "Internal error", "Something went wrong here. The log has more under the request id."}
	}
}

// Error is an error that has its problem.
type Error struct {
	Code Code
	// Parameter that is wrong, if one is.
	Parameter string
	// Detail, unless that of the code will do.
	Detail string
	// Wait is how long to wait before asking again, for too_many_requests; 0: a minute.
	Wait time.Duration
	// Line and Field of an imported file; 0 and "" for none.
	Line  int
	Field string
	// Errors and Diagnostics say why a policy is refused.
	Errors      []string
	Diagnostics []author.Diagnostic
}

func (e *Error) Error() string { return string(e.Code) }

func invalidParameter(name, detail string) error {
	return &Error{Code: CodeInvalidParameter, Parameter: name, Detail: detail}
}

// asError finds the problem of any error.
func asError(err error) *Error {
	var known *Error
	var bad *BadInput
	var tooLarge *http.MaxBytesError
	var framework *echo.HTTPError
	var refused *identity.Error
	var login *identity.LoginError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &refused):
		return &Error{Code: Code(refused.Reason), Detail: refused.Sentence()}
	case errors.As(err, &login):
		return &Error{Code: Code(login.Reason), Detail: login.Sentence()}
	case errors.As(err, &tooLarge):
		return &Error{Code: CodeBodyTooLarge}
	case errors.As(err, &bad):
		return &Error{Code: CodeInvalidFile, Detail: bad.Error(), Line: bad.Line, Field: bad.Field}
	case errors.Is(err, store.ErrQueryTimeout):
		return &Error{Code: CodeQueryTimeout}
	case errors.Is(err, store.ErrQueryTooLarge):
		return &Error{Code: CodeQueryTooLarge}
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrTooManyParts):
		return &Error{Code: CodeStoreUnavailable}
	case errors.As(err, &framework):
		return asFrameworkError(framework)
	}
	return &Error{Code: CodeInternal}
}

// asFrameworkError translates what echo and the generated code refuse by themselves.
func asFrameworkError(err *echo.HTTPError) *Error {
	switch err.Code {
	case http.StatusNotFound:
		return &Error{Code: CodeNotFound}
	case http.StatusMethodNotAllowed:
		return &Error{Code: CodeMethodNotAllowed}
	case http.StatusRequestEntityTooLarge:
		return &Error{Code: CodeBodyTooLarge}
	case http.StatusUnsupportedMediaType:
		return &Error{Code: CodeUnsupportedMedia}
	case http.StatusBadRequest:
		return &Error{Code: CodeInvalidRequest}
	}
	return &Error{Code: CodeInternal}
}

// problem is the answer that an error gets.
func (e *Error) problem(requestID string) openapi.Problem {
	k := kindOf(e.Code)
	p := openapi.Problem{
		Type: "urn:anteroom:problem:" + string(e.Code), Title: k.title, Status: k.status, Detail: e.Detail, Code: string(e.Code),
		Parameter: textOrNil(e.Parameter), Field: textOrNil(e.Field), RequestId: textOrNil(requestID),
	}
	if p.Detail == "" {
		p.Detail = k.detail
	}
	if e.Line > 0 {
		p.Line = &e.Line
	}
	if len(e.Errors) > 0 {
		p.Errors = &e.Errors
	}
	if len(e.Diagnostics) > 0 {
		p.Diagnostics = new([]openapi.PolicyDiagnostic)
		if err := inForm(e.Diagnostics, p.Diagnostics); err != nil {
			p.Diagnostics = nil // Texts and numbers can always be written.
		}
	}
	return p
}

// writeError is echo's error handler: every error of every route ends here.
func (s *Server) writeError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	known := asError(err)
	requestID := c.Response().Header().Get(echo.HeaderXRequestID)
	p := known.problem(requestID)
	ctx := c.Request().Context()
	if p.Status >= http.StatusInternalServerError && !errors.Is(err, context.Canceled) {
		s.log.ErrorContext(ctx, "request failed", slog.String("request_id", requestID), slog.String("code", p.Code), slog.String("error", err.Error()))
	}
	c.Set(codeKey, p.Code)
	header := c.Response().Header()
	switch p.Status {
	case http.StatusUnauthorized:
		header.Set(echo.HeaderWWWAuthenticate, challenge(known.Code))
	case http.StatusServiceUnavailable:
		header.Set(echo.HeaderRetryAfter, "5")
	case http.StatusTooManyRequests:
		header.Set(echo.HeaderRetryAfter, retryAfter(known.Wait))
	}
	write := writeProblem
	switch {
	case isGraph(c):
		write = writeGraphError
	case wantsPage(c):
		write = s.writePage
	}
	if err := write(c, p); err != nil {
		s.log.DebugContext(ctx, "write problem", slog.String("request_id", requestID))
	}
}

// retryAfter is the header's value: whole seconds, and never too few.
func retryAfter(wait time.Duration) string {
	if wait <= 0 {
		wait = time.Minute
	}
	return strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10)
}

func writeProblem(c echo.Context, p openapi.Problem) error {
	c.Response().Header().Set(echo.HeaderContentType, "application/problem+json")
	c.Response().WriteHeader(p.Status)
	return json.NewEncoder(c.Response()).Encode(p) //nolint:wrapcheck // the caller says what it did
}

// challenge says how to prove who asks (RFC 6750).
func challenge(code Code) string {
	if identity.Reason(code) == identity.TokenMissing {
		return `Bearer realm="anteroom"`
	}
	return `Bearer realm="anteroom", error="invalid_token", error_description="` + string(code) + `"`
}

func textOrNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
