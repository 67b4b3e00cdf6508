package media

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/media/forward"
	"github.com/anteroom/anteroom/media/meeting"
)

// Control is what is known of meetings, and of where guests come from, before anybody joins.
type Control interface {
	// Meeting by id; false: there is none.
	Meeting(id string) (meeting.Facts, bool)
	// Region of a resource whose guests join; false: it isn't known, or this installation doesn't have the region.
	Region(resource string) (string, bool)
	// Watch has changed called after each change that Meeting shows, with the id of the meeting, or "" when any may have changed (an
	// organisation, a user). It is called from any goroutine and doesn't block.
	Watch(changed func(meetingID string))
}

// Origins knows the web origins that applications registered.
type Origins interface {
	// OriginAllowed tells whether a page of this origin may connect: for a guest of resource, or, if resource is "", for a user of org with a
	// token that some resource of that organisation has brought.
	OriginAllowed(org, resource, origin string) bool
}

// Links checks what stands in a meeting's link.
type Links interface {
	// CheckLinkSecret takes the same time whether or not the secret is right.
	CheckLinkSecret(meetingID string, version int, secret string) bool
}

// Tokens seals the service's own tokens: nobody else can read or make one.
type Tokens interface {
	// Sign makes a token of a kind that carries v, as JSON, sealed.
	Sign(kind string, v any, ttl time.Duration) (string, error)
	// Open fills v, or fails when the token is of another kind, was changed, or its time is over.
	Open(kind, token string, v any) error
}

// Gone remembers, across the ends of processes, what no resume token may bring back.
type Gone interface {
	// Revoke returns once it is on disk that id, a participant or a call, is gone for good; after until it may be forgotten.
	Revoke(ctx context.Context, id string, until time.Time) error
	// Revoked tells whether id is gone.
	Revoked(id string) bool
}

// Owners tells which of several nodes has a meeting.
type Owners interface {
	// Take makes a meeting this node's, or returns where the node is that has it. It waits while that isn't known.
	Take(ctx context.Context, meetingID string) (elsewhere string, err error)
	// Holds tells whether nobody can have taken over this node's meetings.
	Holds() bool
}

// Elsewhere is the error of a join or a resume whose meeting another node has.
type Elsewhere struct {
	// URL is where the service's processes reach it.
	URL string
}

func (e *Elsewhere) Error() string { return "another node has the meeting" }

// Deps are what a node works with. Recordings, Transcriptions, Notifier, Owners, Log and Registry may be nil.
type Deps struct {
	// Decider to Notifier are the meetings'.
	Decider        meeting.Decider
	Recorder       meeting.Recorder
	Sealer         meeting.Sealer
	Forward        *forward.Server
	Recordings     meeting.Recordings
	Transcriptions meeting.Transcriptions
	Notifier       meeting.Notifier

	Authenticator identity.Authenticator
	Control       Control
	Origins       Origins
	Links         Links
	Tokens        Tokens
	// Gone may be nil: then another process that is started soon takes back who had left.
	Gone Gone
	// Owners may be nil: then this node has all meetings.
	Owners   Owners
	Log      *slog.Logger
	Registry prometheus.Registerer
}

// Remote is what a connection says of its far end.
type Remote struct {
	// Addr is the client's address, as far as proxies that are trusted tell. It is kept for the rate limit only, and of an org
	// user's the network (/24 or /48) for the call's records.
	Addr netip.Addr
	// Origin is the page's web origin; "" when the client is no browser, or the page is this service's own.
	Origin string
	// Limited: the rate of the address was looked at already.
	Limited bool
	// Session is who is signed in on this service's own pages; nil on connections of other origins.
	Session *identity.Principal
}
