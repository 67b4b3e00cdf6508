package api

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	"github.com/anteroom/anteroom/directory/registry"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/identity/apitoken"
)

// ResourceTokenHeader carries the token of a resource itself.
const ResourceTokenHeader = "Anteroom-Resource-Token" //nolint:gosec // the name of a header

// ParticipantTokenHeader carries the token of somebody who is in a meeting.
const ParticipantTokenHeader = "Anteroom-Participant-Token" //nolint:gosec // the name of a header

// target says which organisation a request is about.
type target int

const (
	// ofNone: it is about no organisation.
	ofNone target = iota
	// ofQuery: the one of the parameter org; without it the caller's own.
	ofQuery
	// ofPath: the one of the path's id.
	ofPath
	// ofOrg: the one of the path's org.
	ofOrg
	// ofMeeting and ofResource: the one that the path's id belongs to. What isn't there and what is another's answer alike.
	ofMeeting
	ofResource
)

// access is one row of the table: who may ask for an operation.
type access struct {
	// about is the organisation that a request is about.
	about target
	// own are the roles that may ask about the caller's own organisation.
	own []identity.Role
	// any are the roles that may ask about any organisation.
	any []identity.Role
	// public: nobody needs to say who asks.
	public bool
	// loopback: public from this machine itself.
	loopback bool
	// guest: a guest may ask, by a token of its resource.
	guest bool
	// resource: the resource of the path may ask, by a token of its own.
	resource bool
	// participant: whoever has a participant token may ask; what the token is good for, the meeting says.
	participant bool
	// bearer: whoever sends a token may ask; what it is good for, the handler says, since it is good for more than one request.
	bearer bool
}

// accessTable is the table role × route × organisation, by operation id of the document. What is not in it is refused.
func accessTable() map[string]access {
	const (
		admin, support, auditor  = identity.Admin, identity.Support, identity.Auditor
		author, operator, member = identity.PolicyAuthor, identity.Operator, identity.OrgUser
	)
	roles := func(r ...identity.Role) []identity.Role { return r }
	public := access{public: true}
	analytics := access{about: ofQuery, own: roles(admin, support, auditor)}
	evidence := access{about: ofQuery, own: roles(admin, auditor)}
	readers := roles(admin, support, auditor, author)
	// Policies decide about people of one's own organisation: the operator has no say in them.
	policies := access{about: ofOrg, own: roles(admin, auditor, author)}
	everybody := roles(admin, support, auditor, author, member)
	return map[string]access{
		"getHealth":    public,
		"getReadiness": public,
		"getVersion":   public,
		"getDocument":  public,
		"getMetrics":   {any: roles(operator), loopback: true},

		"login":         public,
		"loginCallback": public,
		"logout":        public,
		"getSession":    {own: everybody, any: roles(operator)},

		"listCalls":        analytics,
		"getCall":          analytics,
		"listParticipants": analytics,
		"listStreams":      analytics,
		"listSamples":      analytics,
		"listTimeline":     analytics,
		"listIssues":       analytics,
		"getLive":          analytics,
		"getLogs":          analytics,
		"getUsage":         evidence,
		// It has ids of guests: for the resource itself, and for those who answer for the organisation that registered it.
		"getResourceLogs": {about: ofResource, own: roles(admin, auditor), resource: true},
		"listNotices":     analytics,
		"listUserCalls":   analytics,
		"zoomSamples":     analytics,
		"listPresence":    analytics,
		"getQuality":      analytics,
		"getHeatmap":      analytics,
		"compareQuality":  analytics,
		"getQuantiles":    analytics,
		"listViews":       analytics,
		"createView":      analytics,
		"deleteView":      analytics,
		"getSites":        analytics,
		"putSites":        {about: ofQuery, own: roles(admin)},
		"putCallTags":     {about: ofQuery, own: roles(admin, support)},
		// Who was in the call says so by its token; a resource, for one of its own guests.
		"createSurvey": {guest: true, participant: true},
		// Microsoft Graph knows no parameter for an organisation: it is always the caller's own.
		"listCallRecords":            {own: roles(admin, support, auditor)},
		"getCallRecord":              {own: roles(admin, support, auditor)},
		"listCallRecordSessions":     {own: roles(admin, support, auditor)},
		"listCallRecordParticipants": {own: roles(admin, support, auditor)},
		// Org users for the calls of their own meetings; see organized.
		"listRecordings":   {about: ofQuery, own: roles(admin, auditor, member)},
		"getRecordingFile": {about: ofQuery, own: roles(admin, auditor, member)},
		// All of a region's log: organisations stand in it by tags that tell others nothing.
		"getLedgerKey":        {own: roles(admin, auditor), any: roles(operator)},
		"getLedgerCheckpoint": {own: roles(admin, auditor), any: roles(operator)},
		"getLedgerTile":       {own: roles(admin, auditor), any: roles(operator)},
		"createImport":        {about: ofQuery, own: roles(admin), any: roles(operator)},

		// Policies decide about chat of one's own organisation: the operator has no say in them.
		"listRetentionPolicies":     {about: ofQuery, own: roles(admin, auditor, author)},
		"createRetentionPolicy":     {about: ofQuery, own: roles(admin)},
		"getRetentionPolicy":        {about: ofQuery, own: roles(admin, auditor, author)},
		"updateRetentionPolicy":     {about: ofQuery, own: roles(admin)},
		"getRetentionPolicyHistory": {about: ofQuery, own: roles(admin, auditor, author)},
		"listHolds":                 {about: ofQuery, own: roles(admin, auditor, author)},
		"createHold":                {about: ofQuery, own: roles(admin)},
		"getHold":                   {about: ofQuery, own: roles(admin, auditor, author)},
		"updateHold":                {about: ofQuery, own: roles(admin)},
		"getHoldHistory":            {about: ofQuery, own: roles(admin, auditor, author)},
		"getRetentionState":         {about: ofQuery, own: roles(admin, auditor, author)},
		"previewRetention":          {about: ofQuery, own: roles(admin, author)},

		"listDecisions": policies,
		"getDecision":   policies,

		"createPolicyReplay": policies,
		"listPolicyReplays":  policies,
		"getPolicyReplay":    policies,
		"cancelPolicyReplay": policies,
		"listPolicyTokens":   policies,
		"createPolicyToken":  {about: ofOrg, own: roles(admin, author)},
		"revokePolicyToken":  {about: ofOrg, own: roles(admin, author)},

		// To try a policy changes nothing. Everybody who may write one may be wrong, so admins may take it back as well.
		"getActivePolicy":      policies,
		"listPolicyRevisions":  policies,
		"getPolicyRevision":    policies,
		"diffPolicies":         policies,
		"listPolicyDrafts":     policies,
		"getPolicyDraft":       policies,
		"checkPolicy":          policies,
		"formatPolicy":         policies,
		"testPolicy":           policies,
		"evaluatePolicy":       policies,
		"getPolicyReference":   policies,
		"createPolicyRevision": {about: ofOrg, own: roles(author)},
		"createPolicyDraft":    {about: ofOrg, own: roles(author)},
		"putPolicyDraft":       {about: ofOrg, own: roles(author)},
		"deletePolicyDraft":    {about: ofOrg, own: roles(author)},
		"activatePolicy":       {about: ofOrg, own: roles(author)},
		"rollBackPolicy":       {about: ofOrg, own: roles(admin, author)},

		// Of one's own organisation. Who approves held content must be another person than who asked: the job says so.
		"createExport":  evidence,
		"listExports":   evidence,
		"getExport":     evidence,
		"cancelExport":  evidence,
		"resumeExport":  evidence,
		"approveExport": evidence,
		"getExportFile": evidence,

		// Tokens of the organisation's scripts; who bears one can't make or end any.
		"listTokens":  {about: ofQuery, own: roles(admin, auditor)},
		"createToken": {about: ofQuery, own: roles(admin)},
		"revokeToken": {about: ofQuery, own: roles(admin)},

		"createOrganization": {any: roles(operator)},
		"listOrganizations":  {own: readers, any: roles(operator)},
		"getOrganization":    {about: ofPath, own: readers, any: roles(operator)},
		"updateOrganization": {about: ofPath, own: roles(admin), any: roles(operator)},
		"listUsers":          {about: ofPath, own: readers},
		"getUser":            {about: ofPath, own: readers},
		"putUser":            {about: ofPath, own: roles(admin)},
		"createResource":     {about: ofQuery, own: roles(admin), any: roles(operator)},
		"listResources":      {about: ofQuery, own: readers, any: roles(operator)},
		"getResource":        {about: ofResource, own: readers, any: roles(operator)},
		"updateResource":     {about: ofResource, own: roles(admin), any: roles(operator)},

		// A meeting is there only for those it concerns (see concerns), or who are in it (meetingInside). Changing and ending it is for its
		// organiser or an admin; see mayChange.
		"createMeeting":      {about: ofQuery, own: roles(member)},
		"listMeetings":       {about: ofQuery, own: roles(admin, member)},
		"getMeeting":         {about: ofMeeting, own: roles(admin, member)},
		"updateMeeting":      {about: ofMeeting, own: roles(admin, member)},
		"renewMeetingLink":   {about: ofMeeting, own: roles(admin, member)},
		"getMeetingCalendar": {about: ofMeeting, own: roles(admin, member)},
		"endMeeting":         {about: ofMeeting, own: roles(admin, member)},
		"getRoster":          {about: ofMeeting, own: roles(admin, member)},
		"listMessages":       {about: ofMeeting, own: roles(member), participant: true},
		"getOnlineMeeting":   {about: ofMeeting, own: roles(admin, member)},

		"startGuestCall":      {guest: true},
		"collectStatistics":   {bearer: true},
		"createJoinPageToken": public,
		"getJoinPageMeeting":  public,
	}
}

// caller is who asks, as far as the table let the request through.
type caller struct {
	identity.Principal
	// about is the organisation that the request is about; "" for none, or for all that an operator may see.
	about string
	// participant is the token of somebody in a meeting who did not say more.
	participant string
	// token is what a caller sent that nobody has looked at yet; see access.bearer.
	token string
	// base is the address of this service that the caller used, without a slash at the end.
	base string
	// secure: the caller came by https.
	secure bool
	// again tells whether the caller would be let through once more, for answers that go on for long.
	again func() error
}

func (c caller) has(r identity.Role) bool { return slices.Contains(c.Roles, r) }

// seesLess: addresses and device names are not for support, unless it is more than support.
func (c caller) seesLess() bool {
	return c.has(identity.Support) && !c.has(identity.Admin) && !c.has(identity.Auditor)
}

// author is who changes something, as control rows keep it.
func (c caller) author() string {
	if c.has(identity.Operator) {
		return "operator:" + c.Subject
	}
	return c.Subject
}

// callerKey is the context's key for the caller.
type callerKey struct{}

func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}

// control is the middleware that holds every request of a documented operation against the table.
func (s *Server) control(doc *openapi3.T) echo.MiddlewareFunc {
	operations, table := operationsOf(doc), accessTable()
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			op, ok := operations[c.Request().Method+" "+c.Path()]
			if !ok {
				return next(c) // No route: the framework says so.
			}
			row, ok := table[op.route.Operation.OperationID]
			if !ok {
				return &Error{Code: CodeForbidden}
			}
			who, err := s.paced(c, op.route.Operation.OperationID, row)
			if err != nil {
				return err
			}
			who.base, who.secure = s.baseOf(c.Request())
			who.again = s.stillMay(c, op.route.Operation.OperationID, row)
			c.SetRequest(c.Request().WithContext(context.WithValue(c.Request().Context(), callerKey{}, who)))
			return next(c)
		}
	}
}

// admit proves who asks and holds that against one row.
func (s *Server) admit(c echo.Context, operation string, row access) (caller, error) {
	request := c.Request()
	if row.public || (row.loopback && fromThisMachine(request)) {
		return caller{}, nil
	}
	if token := request.Header.Get(ParticipantTokenHeader); row.participant && token != "" {
		return caller{participant: token}, nil
	}
	if row.bearer {
		return presented(request.Header.Get(echo.HeaderAuthorization))
	}
	if token := request.Header.Get(ResourceTokenHeader); row.resource && token != "" {
		return s.admitResource(c, token)
	}
	p, err := s.principal(c, operation, row.guest)
	if err != nil {
		return caller{}, err
	}
	if row.guest {
		return caller{Principal: p}, nil
	}
	has := func(roles []identity.Role) bool {
		return slices.ContainsFunc(p.Roles, func(r identity.Role) bool { return slices.Contains(roles, r) })
	}
	everywhere, ownOnly := has(row.any), has(row.own) && p.Org != ""
	if !everywhere && !ownOnly {
		return caller{}, &Error{Code: CodeForbidden}
	}
	about, err := s.about(c, row.about, p)
	switch {
	case err != nil:
		return caller{}, err
	case everywhere || row.about == ofNone || about == p.Org:
		return caller{Principal: p, about: about}, nil
	case row.about == ofMeeting:
		return caller{}, &Error{Code: CodeMeetingNotFound}
	case row.about == ofResource:
		return caller{}, &Error{Code: CodeResourceNotFound}
	}
	return caller{}, &Error{Code: CodeOtherOrganization}
}

// admitResource proves that a resource itself asks, about itself.
func (s *Server) admitResource(c echo.Context, token string) (caller, error) {
	if s.resources == nil {
		return caller{}, &Error{Code: CodeIdentityUnavailable}
	}
	p, err := s.resources.Resource(c.Request().Context(), token)
	if err != nil {
		return caller{}, err //nolint:wrapcheck // the refusal is the answer
	}
	if p.Resource == "" || p.Resource != strings.ToLower(c.Param("id")) {
		return caller{}, &Error{Code: CodeResourceNotFound}
	}
	return caller{Principal: p}, nil
}

// about finds the organisation that a request is about.
func (s *Server) about(c echo.Context, t target, p identity.Principal) (string, error) {
	switch t {
	case ofQuery:
		if org := c.QueryParam("org"); org != "" {
			return org, nil
		}
		return p.Org, nil
	case ofPath:
		return c.Param("id"), nil
	case ofOrg:
		return c.Param("org"), nil
	case ofMeeting:
		if s.directory == nil {
			return "", &Error{Code: CodeDirectoryUnavailable}
		}
		facts, ok := s.directory.Meeting(strings.ToLower(c.Param("id")))
		if !ok {
			return "", &Error{Code: CodeMeetingNotFound}
		}
		return facts.Meeting.Org, nil
	case ofResource:
		if s.directory == nil {
			return "", &Error{Code: CodeDirectoryUnavailable}
		}
		r, ok, err := s.directory.Resource(c.Request().Context(), strings.ToLower(c.Param("id")))
		if errors.Is(err, registry.ErrNotReady) {
			return "", &Error{Code: CodeDirectoryUnavailable}
		}
		if err != nil || !ok {
			return "", &Error{Code: CodeResourceNotFound}
		}
		return r.Org, nil
	case ofNone:
	}
	return "", nil
}

// principal proves who asks: by a bearer token or, for users, by the session cookie.
func (s *Server) principal(c echo.Context, operation string, guest bool) (identity.Principal, error) {
	if s.auth == nil {
		return identity.Principal{}, &Error{Code: CodeIdentityUnavailable}
	}
	request := c.Request()
	ctx := request.Context()
	if header := request.Header.Get(echo.HeaderAuthorization); header != "" {
		token, err := bearer(header)
		if err != nil {
			return identity.Principal{}, err
		}
		if apitoken.Is(token) && !guest {
			return s.bearerToken(request, token, operation)
		}
		if guest {
			return s.auth.Guest(ctx, token) //nolint:wrapcheck // the refusal is the answer
		}
		return s.auth.User(ctx, token) //nolint:wrapcheck // the refusal is the answer
	}
	if p, ok, err := s.session(c.Response(), request); !guest && (ok || err != nil) {
		return p, err
	}
	return identity.Principal{}, &identity.Error{Reason: identity.TokenMissing, Detail: "Sign in at /login, or send a token as Authorization: Bearer …"}
}

// presented is whoever sent a token, which the handler will look at.
func presented(header string) (caller, error) {
	if header == "" {
		return caller{}, &identity.Error{Reason: identity.TokenMissing, Detail: "Send a token of the client's resource as Authorization: Bearer …"}
	}
	token, err := bearer(header)
	return caller{token: token}, err
}

// bearer is the token of an Authorization header (RFC 6750).
func bearer(header string) (string, error) {
	scheme, token, _ := strings.Cut(header, " ")
	if token = strings.TrimSpace(token); !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", &identity.Error{Reason: identity.TokenMalformed, Detail: "The Authorization header must be Bearer and a token."}
	}
	return token, nil
}

// fromThisMachine tells whether a request came from this machine and through no proxy that says so.
func fromThisMachine(r *http.Request) bool {
	for _, header := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if r.Header.Get(header) != "" {
			return false
		}
	}
	return remoteOf(r).IsLoopback()
}

// remoteOf is the address that a request came from.
func remoteOf(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	return address.Unmap().WithZone("")
}
