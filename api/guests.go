package api

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/identity"
)

// GuestSigner signs guests' tokens of the built-in resource of the join page.
type GuestSigner interface {
	SignGuest() (string, error)
}

// StartGuestCall makes a call that a guest started. Its host is the organisation that registered the guest's resource.
func (h *handlers) StartGuestCall(ctx context.Context, request openapi.StartGuestCallRequestObject) (openapi.StartGuestCallResponseObject, error) {
	r, err := h.rows()
	if err != nil {
		return nil, err
	}
	who := callerOf(ctx)
	res, ok, err := r.Resource(ctx, who.Resource)
	if err != nil {
		return nil, fmt.Errorf("find resource: %w: %w", &Error{Code: CodeDirectoryUnavailable}, err)
	}
	if !ok || res.ID == identity.JoinPageResource { // The built-in resource of the join page is of no organisation that could host.
		return nil, &Error{Code: CodeForbidden, Detail: "Guests of this resource can't start calls: no organisation hosts them."}
	}
	if !mayComeFrom(requestIn(ctx), res) {
		return nil, &Error{Code: CodeCrossOrigin, Detail: "The page's web origin is not one of those that the guest's resource has registered."}
	}
	if !h.limits.calls.allow(netip.Addr{}, who.Resource) {
		return nil, &Error{Code: CodeTooManyRequests}
	}
	m := directory.Meeting{ID: uuid.NewString(), Org: res.Org, Title: "Call", Kind: directory.MeetingGuestCall, Resource: res.ID, LinkVersion: 1}
	if request.Body != nil && request.Body.Title != nil {
		m.Title = *request.Body.Title
	}
	made, err := r.Meetings.Put(ctx, m, 0, "resource:"+res.ID)
	if err != nil {
		return nil, wrote(err)
	}
	link, err := h.joinURL(who, made.Value)
	if err != nil {
		return nil, err
	}
	return openapi.StartGuestCall201JSONResponse{MeetingId: uuid.MustParse(made.Value.ID), JoinUrl: link}, nil
}

// mayComeFrom tells whether a request comes from no web page of elsewhere, or from one of the resource's.
func mayComeFrom(r *http.Request, res directory.Resource) bool {
	if r == nil {
		return false
	}
	origin := r.Header.Get(echo.HeaderOrigin)
	return origin == "" || ownOrigin(r, origin) || slices.Contains(res.Origins, origin)
}

// CreateJoinPageToken makes a token for somebody who is about to type a name.
func (h *handlers) CreateJoinPageToken(ctx context.Context, _ openapi.CreateJoinPageTokenRequestObject) (openapi.CreateJoinPageTokenResponseObject, error) {
	if h.joinPage == nil {
		return nil, &Error{Code: CodeIdentityUnavailable}
	}
	if !h.limits.joinPage.allow(h.proxies.client(requestIn(ctx)), "") {
		return nil, &Error{Code: CodeTooManyRequests}
	}
	token, err := h.joinPage.SignGuest()
	if err != nil {
		return nil, fmt.Errorf("sign token of the join page: %w", err)
	}
	return openapi.CreateJoinPageToken201JSONResponse{GuestToken: token}, nil
}

// GetJoinPageMeeting shows whose meeting a link leads to. An unknown meeting and a wrong secret take the same way (rule J1).
func (h *handlers) GetJoinPageMeeting(ctx context.Context, request openapi.GetJoinPageMeetingRequestObject) (openapi.GetJoinPageMeetingResponseObject, error) {
	r, err := h.rows()
	if err != nil {
		return nil, err
	}
	if h.links == nil {
		return nil, &Error{Code: CodeIdentityUnavailable}
	}
	if !h.limits.lookups.allow(h.proxies.client(requestIn(ctx)), "") {
		return nil, &Error{Code: CodeTooManyRequests}
	}
	id := strings.ToLower(request.Id)
	facts, ok := r.Meeting(id)
	right := h.links.CheckLinkSecret(id, max(facts.Meeting.LinkVersion, 1), value(request.Params.AnteroomMeetingSecret))
	if !ok || !right || facts.Meeting.Cancelled {
		return nil, &Error{Code: CodeMeetingNotFound}
	}
	return openapi.GetJoinPageMeeting200JSONResponse{
		MeetingId: facts.Meeting.ID, Organization: facts.Organization.ID, OrganizationName: facts.Organization.Name, Kind: openapi.MeetingKind(facts.Meeting.Kind),
	}, nil
}
