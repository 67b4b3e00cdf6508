package directory

import (
	"slices"

	"github.com/anteroom/anteroom/event"
)

// Key names the meeting's control row.
func (m Meeting) Key() (org, id string) { return m.Org, m.ID }

// WithDefaults fills what is empty and has a default.
func (m Meeting) WithDefaults() Meeting {
	if m.Kind == "" {
		m.Kind = MeetingScheduled
	}
	if m.LinkVersion == 0 {
		m.LinkVersion = 1
	}
	return m
}

// IsInvited tells whether a user is; the organiser always is.
func (m Meeting) IsInvited(user string) bool {
	return user != "" && (user == m.Organizer || slices.Contains(m.Invited, user))
}

// IsPresenter tells whether a user is; the organiser always is.
func (m Meeting) IsPresenter(user string) bool {
	return user != "" && (user == m.Organizer || slices.Contains(m.Presenters, user))
}

// Validate names each field that can't be kept (*FieldError, joined). Defaults are to be filled in before.
func (m Meeting) Validate() error {
	var c check
	c.uuid("id", m.ID)
	if !event.ValidOrg(m.Org) {
		c.fail("organization", "is not the id of an organisation")
	}
	c.text("title", m.Title, true)
	c.oneOf("kind", m.Kind, MeetingScheduled, MeetingChannel, MeetingWebinar, MeetingLiveEvent, MeetingGuestCall)
	if m.Kind == MeetingGuestCall {
		if m.Organizer != "" {
			c.fail("organizer", "is set, and a call that a guest started has none")
		}
		c.uuid("resource", m.Resource)
	} else {
		c.id("organizer", m.Organizer)
		if m.Resource != "" {
			c.fail("resource", "is set, and only a call that a guest started has one")
		}
	}
	for _, at := range []struct {
		field string
		bad   bool
	}{
		{"starts_at", m.StartsAt != nil && !event.ValidTime(m.StartsAt.UnixMicro())},
		{"ends_at", m.EndsAt != nil && !event.ValidTime(m.EndsAt.UnixMicro())},
	} {
		if at.bad {
			c.fail(at.field, "must lie in the years 2000 to 2099")
		}
	}
	switch {
	case m.EndsAt != nil && m.StartsAt == nil:
		c.fail("ends_at", "is set without starts_at")
	case m.EndsAt != nil && !m.EndsAt.After(*m.StartsAt):
		c.fail("ends_at", "must be after starts_at")
	}
	c.bypass("lobby_bypass", m.LobbyBypass, true)
	c.capabilities("withdrawn_capabilities", m.WithdrawnCapabilities)
	c.ids("invited", m.Invited)
	c.ids("presenters", m.Presenters)
	if m.LinkVersion < 1 {
		c.fail("link_version", "must be at least 1")
	}
	return c.err()
}
