package directory

import (
	"encoding/json"
	"time"
)

// Kinds of organisations.
const (
	// KindWork hosts guests.
	KindWork = "work"
	// KindPersonal hosts none.
	KindPersonal = "personal"
)

// Organization hosts meetings.
type Organization struct {
	// ID is 1 to 63 of a-z, 0-9, '_', '.', '-' (event.ValidOrg).
	ID   string `json:"id"`
	Name string `json:"name"`
	// Kind is "work" or "personal".
	Kind string `json:"kind"`
	// Region is the home region; it can't be changed.
	Region   string               `json:"region"`
	Settings OrganizationSettings `json:"settings"`
	// Issuer signs in the organisation's users; nil: the development issuer only, where there is one.
	Issuer *Issuer `json:"issuer,omitempty"`
	// Webhooks get the organisation's meeting events.
	Webhooks []Webhook `json:"webhooks,omitempty"`
}

// OrganizationSettings are what an organisation decides.
type OrganizationSettings struct {
	// AnonymousJoin: guests may join at all. Default true; nil is the default.
	AnonymousJoin *bool `json:"anonymous_join,omitempty"`
	// LobbyBypass is "everyone", "org_users" (default), "invited" or "organizers".
	LobbyBypass string `json:"lobby_bypass,omitempty"`
	// EnforceWebinarRoles makes presenter and attendee roles hold for guests too. Default false.
	EnforceWebinarRoles bool `json:"enforce_webinar_roles,omitempty"`
	// RequireConsent: while recorded or transcribed, a guest sends no media before it consented. Default false.
	RequireConsent bool `json:"require_consent,omitempty"`
	// WithdrawnCapabilities that the organisation's guests don't have, by policy.Capability.
	WithdrawnCapabilities []string `json:"withdrawn_capabilities,omitempty"`
	// PolicyCoverageBar is how many percent of the organisation's policy its tests must cover for it to be activated, 0 to 100. Default 80; nil is the
	// default.
	PolicyCoverageBar *int `json:"policy_coverage_bar,omitempty"`
}

// Issuer is an OpenID provider.
type Issuer struct {
	// URL is the issuer identifier, https (http on loopback only).
	URL string `json:"url"`
	// ClientID is this service's client there; the audience that tokens must have.
	ClientID string `json:"client_id"`
	// RoleClaim names the claim with the user's roles, a list of text. Default "roles".
	RoleClaim string `json:"role_claim,omitempty"`
}

// User is a person of an organisation. ID is the subject that the organisation's issuer states.
type User struct {
	ID         string            `json:"id"`
	Org        string            `json:"organization"`
	Name       string            `json:"name"`
	Groups     []string          `json:"groups,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
	// LobbyBypass is the policy for meetings that this user organises; "" inherits the organisation's.
	LobbyBypass string `json:"lobby_bypass,omitempty"`
	// WithdrawnCapabilities that guests don't have in meetings that this user organises.
	WithdrawnCapabilities []string `json:"withdrawn_capabilities,omitempty"`
}

// Resource is an application that brings guests.
type Resource struct {
	// ID is UUID text.
	ID string `json:"id"`
	// Org is the organisation that registered it; its guests may join meetings of any.
	Org    string `json:"organization"`
	Name   string `json:"name"`
	Region string `json:"region"`
	// Keys is a JSON Web Key Set with the public keys that sign its guests' tokens. Exactly one of Keys and Issuer.
	Keys   json.RawMessage `json:"keys,omitempty"`
	Issuer *Issuer         `json:"issuer,omitempty"`
	// Origins are the web origins whose pages may connect; empty: any program, but no browser page other than our own.
	Origins  []string  `json:"origins,omitempty"`
	Webhooks []Webhook `json:"webhooks,omitempty"`
}

// Webhook is where events are sent.
type Webhook struct {
	URL string `json:"url"`
	// Secret signs the deliveries; it is given once and never shown again.
	Secret string `json:"secret,omitempty"`
	// Events that are wanted; empty: all.
	Events []string `json:"events,omitempty"`
}

// Kinds of meetings.
const (
	MeetingScheduled = "scheduled"
	MeetingChannel   = "channel"
	MeetingWebinar   = "webinar"
	MeetingLiveEvent = "live_event"
	// MeetingGuestCall is a call that a resource's guest started.
	MeetingGuestCall = "guest_call"
)

// Meeting is something that can be joined by its link, again and again; each time is a session (a call).
type Meeting struct {
	// ID is UUID text.
	ID    string `json:"id"`
	Org   string `json:"organization"`
	Title string `json:"title"`
	// Kind is "scheduled" (default), "channel", "webinar", "live_event" or "guest_call".
	Kind string `json:"kind"`
	// Organizer is the user's id; for a guest_call "".
	Organizer string     `json:"organizer"`
	StartsAt  *time.Time `json:"starts_at,omitempty"`
	EndsAt    *time.Time `json:"ends_at,omitempty"`
	// LobbyBypass is the meeting's own setting; "" inherits.
	LobbyBypass           string   `json:"lobby_bypass,omitempty"`
	WithdrawnCapabilities []string `json:"withdrawn_capabilities,omitempty"`
	// Invited and Presenters are users' ids; the organiser is both.
	Invited    []string `json:"invited,omitempty"`
	Presenters []string `json:"presenters,omitempty"`
	// LinkVersion rises when the link is made anew; older links then lead nowhere.
	LinkVersion int `json:"link_version"`
	// Resource that started a guest_call.
	Resource string `json:"resource,omitempty"`
	// Cancelled meetings can't be joined.
	Cancelled bool `json:"cancelled,omitempty"`
}

// Versioned is a value with what its control row says of it.
type Versioned[T any] struct {
	Value T
	// Version counts from 1; its ETag is the number in quotes.
	Version uint64
	Author  string
	At      time.Time
}
