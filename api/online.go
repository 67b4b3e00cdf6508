package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/anteroom/anteroom/api/openapi"
)

// graphPrefix is where answers, errors too, have the shape of Microsoft Graph.
const graphPrefix = "/communications/"

// GetOnlineMeeting shows a meeting as Microsoft Graph does
// (https://learn.microsoft.com/graph/api/resources/onlinemeeting). Guests are never in it (rule M8).
func (h *handlers) GetOnlineMeeting(ctx context.Context, request openapi.GetOnlineMeetingRequestObject) (openapi.GetOnlineMeetingResponseObject, error) {
	found, err := h.ownMeeting(ctx, request.Id)
	if err != nil {
		return nil, err
	}
	who, m := callerOf(ctx), found.Value
	link, err := h.joinURL(who, m)
	if err != nil {
		return nil, err
	}
	out := openapi.GetOnlineMeeting200JSONResponse{
		Context: graphBase(ctx) + "/communications/$metadata#onlineMeetings/$entity", Id: m.ID, Subject: m.Title, StartDateTime: m.StartsAt, EndDateTime: m.EndsAt,
		JoinWebUrl: link,
	}
	names := map[string]string{}
	users := append(append([]string{}, m.Invited...), m.Presenters...)
	if h.meetings != nil {
		present, err := h.meetings.Roster(ctx, m.ID)
		if err != nil && !errors.Is(err, ErrNotRunning) {
			return nil, runningError(err)
		}
		for _, e := range present {
			if !e.Guest && e.UserID != "" {
				users = append(users, e.UserID)
				names[e.UserID] = e.DisplayName
			}
		}
	}
	participant := func(user string, role openapi.OnlineMeetingParticipantRole) openapi.OnlineMeetingParticipant {
		out := openapi.OnlineMeetingParticipant{Role: role}
		out.Identity.User.Id = user
		name := names[user]
		if row, ok := h.directory.Users.Find(m.Org, user); ok {
			name = row.Value.Name
		}
		out.Identity.User.DisplayName = textOrNil(name)
		return out
	}
	if m.Organizer != "" {
		organizer := participant(m.Organizer, openapi.Organizer)
		out.Participants.Organizer = &organizer
	}
	slices.Sort(users)
	out.Participants.Attendees = []openapi.OnlineMeetingParticipant{}
	for _, user := range slices.Compact(users) {
		if user == m.Organizer {
			continue
		}
		role := openapi.Attendee
		if m.IsPresenter(user) {
			role = openapi.Presenter
		}
		out.Participants.Attendees = append(out.Participants.Attendees, participant(user, role))
	}
	return out, nil
}

// isGraph tells whether errors of a request have the shape of Graph's.
func isGraph(c echo.Context) bool { return strings.HasPrefix(c.Path(), graphPrefix) }

// writeGraphError writes a problem in the shape of Graph's errors (https://learn.microsoft.com/graph/errors).
func writeGraphError(c echo.Context, p openapi.Problem) error {
	var out openapi.GraphError
	out.Error.Code, out.Error.Message = graphCode(p.Status), p.Detail
	now := time.Now().UTC()
	out.Error.InnerError = &struct {
		Code      *string    `json:"code,omitempty"`
		Date      *time.Time `json:"date,omitempty"`
		RequestID *string    `json:"request-id,omitempty"`
	}{Code: &p.Code, Date: &now, RequestID: p.RequestId}
	c.Response().Header().Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	c.Response().WriteHeader(p.Status)
	return json.NewEncoder(c.Response()).Encode(out) //nolint:wrapcheck // the caller says what it did
}

// graphCode is the name that Graph has for a status.
func graphCode(status int) string {
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return "BadRequest"
	case http.StatusUnauthorized:
		return "InvalidAuthenticationToken"
	case http.StatusForbidden:
		return "Forbidden"
	case http.StatusNotFound:
		return "NotFound"
	case http.StatusMethodNotAllowed:
		return "MethodNotAllowed"
	case http.StatusTooManyRequests:
		return "TooManyRequests"
	case http.StatusServiceUnavailable:
		return "ServiceUnavailable"
	}
	return "InternalServerError"
}
