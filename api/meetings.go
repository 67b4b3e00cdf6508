package api

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/store"
)

// Links makes and checks the unguessable part of a meeting's link.
type Links interface {
	LinkSecret(meetingID string, version int) string
	// CheckLinkSecret compares in constant time.
	CheckLinkSecret(meetingID string, version int, secret string) bool
}

type meeting = directory.Versioned[directory.Meeting]

// joinURL is a meeting's link. The secret is a fragment, which browsers send to nobody and no log has.
func (h *handlers) joinURL(who caller, m directory.Meeting) (string, error) {
	if h.links == nil {
		return "", &Error{Code: CodeIdentityUnavailable}
	}
	return who.base + "/join/" + m.ID + "#" + h.links.LinkSecret(m.ID, m.LinkVersion), nil
}

func (h *handlers) presentMeeting(who caller, m meeting) (json.RawMessage, error) {
	link, err := h.joinURL(who, m.Value)
	if err != nil {
		return nil, err
	}
	return present(m, map[string]any{"join_url": link})
}

// ListMeetings lists the caller's meetings.
func (h *handlers) ListMeetings(ctx context.Context, request openapi.ListMeetingsRequestObject) (openapi.ListMeetingsResponseObject, error) {
	r, err := h.rows()
	if err != nil {
		return nil, err
	}
	who := callerOf(ctx)
	list, err := r.Meetings.List(ctx, who.about)
	if err != nil {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	list = slices.DeleteFunc(list, func(m meeting) bool {
		return !concerns(who, m.Value)
	})
	page, next, err := pageOf(list, func(m directory.Meeting) string { return m.ID }, request.Params.PageToken, pageSize(request.Params.PageSize), fingerprintOf(ctx))
	if err != nil {
		return nil, err
	}
	meetings, err := presentAll(page, func(m meeting) (json.RawMessage, error) { return h.presentMeeting(who, m) })
	if err != nil {
		return nil, err
	}
	return openapi.ListMeetings200JSONResponse{Meetings: meetings, NextPageToken: next}, nil
}

// CreateMeeting makes a meeting.
func (h *handlers) CreateMeeting(ctx context.Context, request openapi.CreateMeetingRequestObject) (openapi.CreateMeetingResponseObject, error) {
	who := callerOf(ctx)
	if _, err := h.organization(ctx, who.about); err != nil {
		return nil, err
	}
	var m directory.Meeting
	if err := json.Unmarshal(*request.Body, &m); err != nil {
		return nil, &Error{Code: CodeInvalidRequest}
	}
	if m.Organizer == "" {
		m.Organizer = who.Subject
	}
	if m.Organizer != who.Subject && !who.has(identity.Admin) {
		return nil, &Error{Code: CodeForbidden, Field: "organizer", Detail: "Only an admin makes meetings for somebody else."}
	}
	m.ID, m.Org, m.LinkVersion = uuid.NewString(), who.about, 1
	made, err := h.directory.Meetings.Put(ctx, m, 0, who.author())
	if err != nil {
		return nil, wrote(err)
	}
	body, err := h.presentMeeting(who, made)
	if err != nil {
		return nil, err
	}
	return openapi.CreateMeeting201JSONResponse{
		Body: body, Headers: openapi.CreateMeeting201ResponseHeaders{ETag: etag(made.Version), Location: "/v1/meetings/" + made.Value.ID},
	}, nil
}

// meeting reads one; the middleware has found its organisation.
func (h *handlers) meeting(ctx context.Context, id uuid.UUID) (meeting, error) {
	r, err := h.rows()
	if err != nil {
		return meeting{}, err
	}
	found, err := r.Meetings.Get(ctx, callerOf(ctx).about, id.String())
	if errors.Is(err, store.ErrNotFound) {
		return meeting{}, &Error{Code: CodeMeetingNotFound}
	}
	return found, err //nolint:wrapcheck // the store says what it did
}

// concerns tells whether a meeting is one of the caller's: organiser, invited, presenter, or an admin of its organisation. No other role makes
// it one, not support either: who sees a meeting sees its link.
func concerns(who caller, m directory.Meeting) bool {
	return who.has(identity.Admin) || m.IsInvited(who.Subject) || m.IsPresenter(who.Subject)
}

// ownMeeting reads a meeting that concerns the caller. To others it is as if there were none.
func (h *handlers) ownMeeting(ctx context.Context, id uuid.UUID) (meeting, error) {
	found, err := h.meeting(ctx, id)
	if err == nil && !concerns(callerOf(ctx), found.Value) {
		return meeting{}, &Error{Code: CodeMeetingNotFound}
	}
	return found, err
}

// meetingInside is ownMeeting, for whoever is in the running session besides: by the link, uninvited.
func (h *handlers) meetingInside(ctx context.Context, id uuid.UUID) (meeting, error) {
	found, err := h.meeting(ctx, id)
	who := callerOf(ctx)
	if err != nil || concerns(who, found.Value) {
		return found, err
	}
	inside, err := h.isInside(ctx, found.Value.ID, who.Subject)
	if err == nil && !inside {
		err = &Error{Code: CodeMeetingNotFound}
	}
	if err != nil {
		return meeting{}, err
	}
	return found, nil
}

// mayChange holds the caller to be the meeting's organiser or an admin.
func mayChange(who caller, m directory.Meeting) error {
	if who.has(identity.Admin) || (m.Organizer != "" && m.Organizer == who.Subject) {
		return nil
	}
	return &Error{Code: CodeNotOrganizer}
}

// GetMeeting shows one meeting.
func (h *handlers) GetMeeting(ctx context.Context, request openapi.GetMeetingRequestObject) (openapi.GetMeetingResponseObject, error) {
	found, err := h.ownMeeting(ctx, request.Id)
	if err != nil {
		return nil, err
	}
	body, err := h.presentMeeting(callerOf(ctx), found)
	if err != nil {
		return nil, err
	}
	return openapi.GetMeeting200JSONResponse{Body: body, Headers: openapi.GetMeeting200ResponseHeaders{ETag: etag(found.Version)}}, nil
}

// UpdateMeeting changes one meeting.
func (h *handlers) UpdateMeeting(ctx context.Context, request openapi.UpdateMeetingRequestObject) (openapi.UpdateMeetingResponseObject, error) {
	old, err := h.ownMeeting(ctx, request.Id)
	if err != nil {
		return nil, err
	}
	who := callerOf(ctx)
	if err := mayChange(who, old.Value); err != nil {
		return nil, err
	}
	version, err := ifMatch(request.Params.IfMatch, old.Version)
	if err != nil {
		return nil, err
	}
	changed, err := merge(old.Value, *request.Body)
	if err != nil {
		return nil, err
	}
	if (old.Value.Kind == directory.MeetingGuestCall) != (changed.Kind == directory.MeetingGuestCall) {
		return nil, &Error{Code: CodeInvalidField, Field: "kind", Detail: "The field kind of a call that a guest started can't be changed."}
	}
	now, err := h.directory.Meetings.Put(ctx, changed, version, who.author())
	if err != nil {
		return nil, wrote(err)
	}
	body, err := h.presentMeeting(who, now)
	if err != nil {
		return nil, err
	}
	return openapi.UpdateMeeting200JSONResponse{Body: body, Headers: openapi.UpdateMeeting200ResponseHeaders{ETag: etag(now.Version)}}, nil
}

// linkAttempts bounds how often a new link is tried while others change the same meeting.
const linkAttempts = 5

// RenewMeetingLink makes the link anew. It needs no If-Match: whatever else has changed, the old link is to be void.
func (h *handlers) RenewMeetingLink(ctx context.Context, request openapi.RenewMeetingLinkRequestObject) (openapi.RenewMeetingLinkResponseObject, error) {
	who := callerOf(ctx)
	for attempt := 1; ; attempt++ {
		old, err := h.ownMeeting(ctx, request.Id)
		if err != nil {
			return nil, err
		}
		if err := mayChange(who, old.Value); err != nil {
			return nil, err
		}
		changed := old.Value
		changed.LinkVersion++
		now, err := h.directory.Meetings.Put(ctx, changed, old.Version, who.author())
		if errors.Is(err, store.ErrConflict) && attempt < linkAttempts {
			continue
		}
		if err != nil {
			return nil, wrote(err)
		}
		body, err := h.presentMeeting(who, now)
		if err != nil {
			return nil, err
		}
		return openapi.RenewMeetingLink200JSONResponse{Body: body, Headers: openapi.RenewMeetingLink200ResponseHeaders{ETag: etag(now.Version)}}, nil
	}
}
