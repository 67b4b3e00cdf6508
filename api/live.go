package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/api/openapi"
)

// Meetings is what the API asks of running meetings.
type Meetings interface {
	// End ends the running session for everybody; by is the user who ended it. ErrNotRunning: there is none.
	End(ctx context.Context, org, meetingID, by string) error
	// Roster lists who is in the running session. ErrNotRunning: there is none.
	Roster(ctx context.Context, meetingID string) ([]RosterEntry, error)
	// Messages lists what somebody who is in the running session was present and allowed for. ErrNotInMeeting: the asker is not in it, or
	// there is none. *identity.Error: the participant token proves nobody.
	Messages(ctx context.Context, query MessageQuery) (MessagePage, error)
}

var (
	// ErrNotRunning: no session of the meeting runs.
	ErrNotRunning = errors.New("the meeting does not run")
	// ErrNotInMeeting: whoever asks is not in the running session.
	ErrNotInMeeting = errors.New("not in the meeting")
)

// RosterEntry is one participant of a running session.
type RosterEntry struct {
	Participant uuid.UUID
	DisplayName string
	Guest       bool
	// UserID of an org user; "" for guests, or where it is not known.
	UserID string
	// Connected is false while the participant may still come back.
	Connected bool
}

// MessageQuery asks for messages: by a participant token, or for a user of an organisation.
type MessageQuery struct {
	MeetingID string
	// ParticipantToken, or Org and UserID.
	ParticipantToken string
	Org, UserID      string
	// Before a message id; "": the newest.
	Before string
	// Limit is 1 to 200.
	Limit int
}

// MessagePage is in order of time, oldest first.
type MessagePage struct {
	Messages []Message
	// More: there are older ones.
	More bool
}

// Message is one chat message.
type Message struct {
	ID          string
	Participant uuid.UUID
	DisplayName string
	External    bool
	Text        string
	SentAt      time.Time
	// EditedAt is zero for a message that was never edited.
	EditedAt time.Time
}

// defaultMessages is how many messages a page has unless asked.
const defaultMessages = 50

// running are the meetings that run here, or a problem where none can.
func (h *handlers) running() (Meetings, error) {
	if h.meetings == nil {
		return nil, &Error{Code: CodeMediaUnavailable}
	}
	return h.meetings, nil
}

// runningError translates what running meetings say.
func runningError(err error) error {
	switch {
	case errors.Is(err, ErrNotRunning):
		return &Error{Code: CodeNotRunning}
	case errors.Is(err, ErrNotInMeeting):
		return &Error{Code: CodeNotInMeeting}
	}
	return fmt.Errorf("ask running meeting: %w", err)
}

// isInside tells whether a user of the organisation is in the running session. Where no meetings run, nobody is.
func (h *handlers) isInside(ctx context.Context, id, user string) (bool, error) {
	if h.meetings == nil || user == "" {
		return false, nil
	}
	entries, err := h.meetings.Roster(ctx, id)
	if errors.Is(err, ErrNotRunning) {
		return false, nil
	}
	if err != nil {
		return false, runningError(err)
	}
	return slices.ContainsFunc(entries, func(e RosterEntry) bool { return !e.Guest && e.UserID == user }), nil
}

// EndMeeting ends the running session, for the organiser or an admin. Everybody else who may ends it from within, where policy decides.
func (h *handlers) EndMeeting(ctx context.Context, request openapi.EndMeetingRequestObject) (openapi.EndMeetingResponseObject, error) {
	found, err := h.meetingInside(ctx, request.Id)
	if err != nil {
		return nil, err
	}
	who := callerOf(ctx)
	if err := mayChange(who, found.Value); err != nil {
		return nil, err
	}
	m, err := h.running()
	if err != nil {
		return nil, err
	}
	if err := m.End(ctx, who.about, request.Id.String(), who.Subject); err != nil {
		return nil, runningError(err)
	}
	return openapi.EndMeeting204Response{}, nil
}

// GetRoster lists who is in the running session.
func (h *handlers) GetRoster(ctx context.Context, request openapi.GetRosterRequestObject) (openapi.GetRosterResponseObject, error) {
	if _, err := h.meetingInside(ctx, request.Id); err != nil {
		return nil, err
	}
	m, err := h.running()
	if err != nil {
		return nil, err
	}
	entries, err := m.Roster(ctx, request.Id.String())
	if errors.Is(err, ErrNotRunning) {
		return openapi.GetRoster200JSONResponse{Participants: []openapi.RosterEntry{}}, nil
	}
	if err != nil {
		return nil, runningError(err)
	}
	out := openapi.GetRoster200JSONResponse{Running: true, Participants: make([]openapi.RosterEntry, len(entries))}
	for i, e := range entries {
		kind := openapi.RosterEntryKindOrgUser
		if e.Guest {
			kind = openapi.RosterEntryKindGuest
		}
		out.Participants[i] = openapi.RosterEntry{
			ParticipantId: e.Participant, DisplayName: e.DisplayName, Kind: kind, External: e.Guest, Connected: e.Connected,
		}
	}
	return out, nil
}

// ListMessages lists messages of the running session for somebody who is in it.
func (h *handlers) ListMessages(ctx context.Context, request openapi.ListMessagesRequestObject) (openapi.ListMessagesResponseObject, error) {
	who := callerOf(ctx)
	if who.participant == "" { // A participant's token is held against the session itself.
		if _, err := h.meetingInside(ctx, request.Id); err != nil {
			return nil, err
		}
	}
	m, err := h.running()
	if err != nil {
		return nil, err
	}
	query := MessageQuery{
		MeetingID: request.Id.String(), ParticipantToken: who.participant, Org: who.Org, UserID: who.Subject,
		Before: value(request.Params.Before), Limit: defaultMessages,
	}
	if request.Params.Limit != nil {
		query.Limit = *request.Params.Limit
	}
	page, err := m.Messages(ctx, query)
	if err != nil {
		return nil, runningError(err)
	}
	out := openapi.ListMessages200JSONResponse{Messages: make([]openapi.Message, len(page.Messages)), More: page.More}
	for i, msg := range page.Messages {
		out.Messages[i] = openapi.Message{
			MessageId: msg.ID, ParticipantId: msg.Participant, DisplayName: msg.DisplayName, External: msg.External, Text: msg.Text, SentAt: msg.SentAt.UTC(),
		}
		if !msg.EditedAt.IsZero() {
			edited := msg.EditedAt.UTC()
			out.Messages[i].EditedAt = &edited
		}
	}
	return out, nil
}
