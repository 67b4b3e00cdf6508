package media

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/media/meeting"
	"github.com/anteroom/anteroom/media/protocol"
)

// Limits of join's fields that the protocol leaves to the server.
const (
	maxSecretBytes     = 256
	maxClientInfoRunes = 32
)

// Join proves who asks and lets them into the meeting's session, which it begins when there is none. Errors are *protocol.Error, or of ctx.
// The client gets events from the moment that the meeting knows it, possibly before Join returns.
func (n *Node) Join(ctx context.Context, j protocol.Join, remote Remote, client meeting.Client) (*Session, protocol.Joined, error) {
	s, joined, err := n.join(ctx, j, remote, client)
	n.count(ctx, protocol.TypeJoin, err)
	return s, joined, err
}

func (n *Node) join(ctx context.Context, j protocol.Join, remote Remote, client meeting.Client) (*Session, protocol.Joined, error) {
	none := protocol.Joined{}
	if !remote.Limited && !n.addresses.Allow(remote.Addr) {
		return nil, none, limited("Too many joins from this address.")
	}
	if err := checkJoin(j); err != nil {
		return nil, none, err
	}
	facts, err := n.find(ctx, j.Meeting, j.Secret)
	if err != nil {
		return nil, none, err
	}
	// Before anything is used up: the node that has the meeting does the rest.
	if err := n.own(ctx, facts.Meeting.ID); err != nil {
		return nil, none, err
	}
	entrant, err := n.prove(ctx, j, facts, remote)
	if err != nil {
		return nil, none, err
	}
	for range maxSessionsPerJoin {
		r, err := n.session(ctx, facts, meeting.Start, "started")
		if err != nil {
			return nil, none, err
		}
		if !r.limit(time.Now()) {
			return nil, none, limited("Too many people are joining this meeting at once.")
		}
		l := newLink(n, r, client)
		member, joined, err := r.meeting.Join(ctx, entrant, l)
		if err == nil {
			return n.seated(ctx, l, member, joined)
		}
		if reasonOf(err) != protocol.ReasonMeetingEnded {
			return nil, none, err
		}
		// The session ended just now (J13): the next one begins when all of this one is recorded.
		select {
		case <-r.gone:
		case <-ctx.Done():
			return nil, none, ctx.Err()
		}
	}
	return nil, none, refuse(protocol.ReasonMeetingEnded, "", "The meeting ended while you joined. Join again.")
}

// maxSessionsPerJoin is how many sessions may end under a join before it is given up.
const maxSessionsPerJoin = 3

func limited(what string) *protocol.Error {
	return refuse(protocol.ReasonRateLimited, "", what+" Wait a few seconds and try again.")
}

func checkJoin(j protocol.Join) error {
	wrong := func(field, message string) error { return refuse(protocol.ReasonInvalidField, field, message) }
	switch {
	case j.Meeting == "":
		return wrong("meeting", "The meeting's id is missing; it is a part of the meeting's link.")
	case j.Secret == "":
		return wrong("secret", "The link's secret is missing; it is the part after the # of the meeting's link.")
	case len(j.Secret) > maxSecretBytes:
		return wrong("secret", "The link's secret is too long.")
	case j.GuestToken != "" && j.UserToken != "":
		return wrong("guest_token", "Send a guest's token or a user's, not both.")
	}
	return checkClientInfo(j.Client)
}

// ClientKinds are what a client may say that it is.
func clientKinds() []string { return []string{"", "browser", "native", "bot", "room_device"} }

func checkClientInfo(c protocol.ClientInfo) error {
	if !slices.Contains(clientKinds(), c.Kind) {
		return refuse(protocol.ReasonInvalidField, "client.kind", "The kind of client is browser, native, bot or room_device.")
	}
	for field, value := range map[string]string{"client.family": c.Family, "client.version": c.Version, "client.os": c.OS} {
		if utf8.RuneCountInString(value) > maxClientInfoRunes {
			return refuse(protocol.ReasonInvalidField, field, "At most 32 characters are taken.")
		}
	}
	return nil
}

// find returns the meeting of a link. An id that isn't known takes the same path as a wrong secret, and gets the same answer.
func (n *Node) find(ctx context.Context, id, secret string) (meeting.Facts, error) {
	parsed, err := uuid.Parse(id)
	if err == nil {
		id = parsed.String()
	}
	facts, known := n.deps.Control.Meeting(id)
	if !known && n.deps.Owners != nil && n.deps.Links.CheckLinkSecret(id, 1, secret) {
		// Only the service makes such a secret: the meeting was made elsewhere just now, and is known here in a moment.
		facts, known = n.awaitMeeting(ctx, id)
	}
	version := max(facts.Meeting.LinkVersion, 1)
	right := n.deps.Links.CheckLinkSecret(id, version, secret)
	if !known || !right || err != nil {
		return meeting.Facts{}, refuse(protocol.ReasonMeetingNotFound, "", "There is no such meeting, or the link is not complete or not valid any more. Ask for a new link.")
	}
	if facts.Meeting.Cancelled {
		return meeting.Facts{}, refuse(protocol.ReasonMeetingEnded, "", "The meeting was cancelled.")
	}
	return facts, nil
}

// newsPatience is how long what another process wrote may take to be known here.
const newsPatience = 2 * time.Second

func (n *Node) awaitMeeting(ctx context.Context, id string) (meeting.Facts, bool) {
	ctx, cancel := context.WithTimeout(ctx, newsPatience)
	defer cancel()
	ticker := time.NewTicker(newsPatience / 40)
	defer ticker.Stop()
	for {
		if facts, known := n.deps.Control.Meeting(id); known {
			return facts, true
		}
		select {
		case <-ctx.Done():
			return meeting.Facts{}, false
		case <-ticker.C:
		}
	}
}

// prove tells who joins: by a token, or by who is signed in on the page.
func (n *Node) prove(ctx context.Context, j protocol.Join, facts meeting.Facts, remote Remote) (meeting.Entrant, error) {
	var (
		who identity.Principal
		err error
	)
	switch {
	case j.GuestToken != "":
		// A name that is wrong must not use up the token.
		if !protocol.ValidName(j.DisplayName) {
			return meeting.Entrant{}, invalidName()
		}
		who, err = n.deps.Authenticator.Guest(ctx, j.GuestToken)
	case j.UserToken != "":
		who, err = n.deps.Authenticator.User(ctx, j.UserToken)
	case remote.Session != nil:
		who = *remote.Session
	default:
		err = &identity.Error{Reason: identity.TokenMissing, Detail: "Send a guest's token or a user's token, or sign in."}
	}
	if err != nil {
		return meeting.Entrant{}, n.refusedToken(ctx, err)
	}
	var entrant meeting.Entrant
	if who.Resource != "" {
		region, known := n.deps.Control.Region(who.Resource)
		if !known {
			n.log.WarnContext(ctx, "a guest can't join: its application is in a region that is not here", slog.String("resource", who.Resource))
			return meeting.Entrant{}, refuse(protocol.ReasonUnavailable, "",
				"The application that you come from is registered in a region that this service doesn't have. Its operator has to change that.")
		}
		entrant = meeting.Entrant{Resource: who.Resource, Region: region, DisplayName: j.DisplayName, Client: j.Client}
		if who.Resource != identity.JoinPageResource {
			entrant.GuestID = who.Subject
		}
		if !protocol.ValidName(j.DisplayName) {
			return meeting.Entrant{}, invalidName()
		}
		if j.Client.Kind == "room_device" {
			return meeting.Entrant{}, refuse(protocol.ReasonInvalidField, "client.kind", "Room devices join as users of the organisation, not as guests.")
		}
	} else {
		if who.Org != facts.Organization.ID || !slices.Contains(who.Roles, identity.OrgUser) {
			return meeting.Entrant{}, refuse(protocol.ReasonWrongOrganization, "",
				"You are signed in, but not as a user of the organisation that hosts this meeting. Join as a guest.")
		}
		entrant = meeting.Entrant{OrgUser: true, UserID: who.Subject, DisplayName: who.Name, Client: j.Client, Network: networkOf(remote.Addr)}
	}
	return entrant, n.checkOrigin(facts, entrant, remote)
}

// networkOf is the network that an address is in, as finely as a site is told by, and no finer: /24, or of IPv6 /48.
func networkOf(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	bits := 48
	if addr.Is4() {
		bits = 24
	}
	prefix, err := addr.Prefix(bits)
	if err != nil {
		return ""
	}
	return prefix.String()
}

func invalidName() *protocol.Error {
	return refuse(protocol.ReasonInvalidName, "display_name",
		"Choose a name of 1 to 256 characters that can be seen, without characters that control how text is shown.")
}

// checkOrigin refuses pages of web origins that nobody registered.
func (n *Node) checkOrigin(facts meeting.Facts, entrant meeting.Entrant, remote Remote) error {
	if remote.Origin == "" || n.deps.Origins.OriginAllowed(facts.Organization.ID, entrant.Resource, remote.Origin) {
		return nil
	}
	return refuse(protocol.ReasonOriginNotAllowed, "",
		"The page that you join from is not registered. Its operator has to add its web origin to the application's allowed origins.")
}

// refusedToken maps identity's refusals; anything else is an error of the server.
func (n *Node) refusedToken(ctx context.Context, err error) error {
	var refused *identity.Error
	switch {
	case errors.As(err, &refused):
		return refuse(string(refused.Reason), "", refused.Sentence())
	case ctx.Err() != nil:
		return ctx.Err()
	default:
		n.log.ErrorContext(ctx, "token not checked", slog.Any("error", err))
		return refuse(protocol.ReasonInternal, "", "The token could not be checked. Try again in a moment.")
	}
}

// count counts what became of a join or a resume.
func (n *Node) count(ctx context.Context, request string, err error) {
	result := resultFailed
	switch reason := reasonOf(err); {
	case err == nil:
		result = resultOK
	case reason == protocol.ReasonRateLimited:
		result = resultLimited
	case reason == protocol.ReasonInternal, reason == protocol.ReasonUnavailable:
	case reason != "":
		result = resultRefused
		// Bounded by the limit on joins. Why somebody can't get in is what operators are asked first.
		n.log.InfoContext(ctx, "join refused", slog.String("request", request), slog.String("reason", reason))
	}
	if errors.As(err, new(*Elsewhere)) {
		return // it is counted there
	}
	n.metrics.joins.WithLabelValues(request, result).Inc()
	if err != nil && reasonOf(err) == "" && ctx.Err() == nil {
		n.log.ErrorContext(ctx, "join failed", slog.String("request", request), slog.Any("error", err))
	}
}

func reasonOf(err error) string {
	var told *protocol.Error
	if errors.As(err, &told) {
		return told.Reason
	}
	return ""
}
