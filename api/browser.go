package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/identity"
)

// Sessions reads the session cookies that browsers bring.
type Sessions interface {
	// ReadSession proves the bearer of a cookie's value; renewed, if not "", replaces it.
	ReadSession(ctx context.Context, session string) (p identity.Principal, renewed string, err error)
	// EndSession ends the session of a cookie's value everywhere; a value that is good for nothing is no error.
	EndSession(ctx context.Context, session string) error
	// SignOutURL is where the browser signs out at the session's provider, to come back to returnTo; "" if it can't.
	SignOutURL(ctx context.Context, session, returnTo string) string
}

// Login is the flow by which browsers sign in.
type Login interface {
	Begin(ctx context.Context, org, returnTo string) (identity.LoginStart, error)
	Finish(ctx context.Context, back identity.LoginReturn) (identity.LoggedIn, error)
}

// cookie makes a cookie of this service; an empty value takes it away.
func cookie(name, value string, secure bool) *http.Cookie {
	out := &http.Cookie{
		Name: identity.CookieName(name, secure), Value: value, Path: "/", HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode,
	}
	switch {
	case value == "":
		out.MaxAge = -1
	case name == identity.LoginCookie:
		out.MaxAge = int(identity.LoginTimeout.Seconds())
	}
	return out
}

// session proves who bears the session cookie; ok is false when there is none.
func (s *Server) session(w http.ResponseWriter, r *http.Request) (p identity.Principal, ok bool, err error) {
	_, secure := s.baseOf(r)
	found, err := r.Cookie(identity.CookieName(identity.SessionCookie, secure))
	if err != nil || s.sessions == nil || found.Value == "" {
		return identity.Principal{}, false, nil //nolint:nilerr // no cookie, no session
	}
	p, renewed, err := s.sessions.ReadSession(r.Context(), found.Value)
	if err != nil {
		return identity.Principal{}, false, err //nolint:wrapcheck // the refusal is the answer
	}
	if renewed != "" && w != nil {
		http.SetCookie(w, cookie(identity.SessionCookie, renewed, secure))
	}
	return p, true, nil
}

// SessionOf is who is signed in on the page that a request comes from; nil for nobody. It is for handlers in Deps.Mounts.
func (s *Server) SessionOf(r *http.Request) *identity.Principal {
	p, ok, err := s.session(nil, r)
	if err != nil || !ok {
		return nil
	}
	return &p
}

// baseOf is the address of this service as the one who asks knows it, without a slash at the end, and whether it is https.
func (s *Server) baseOf(r *http.Request) (base string, secure bool) {
	if s.cfg.PublicURL != "" {
		return strings.TrimSuffix(s.cfg.PublicURL, "/"), strings.HasPrefix(s.cfg.PublicURL, "https://")
	}
	if r.TLS != nil {
		return "https://" + r.Host, true
	}
	return "http://" + r.Host, false
}

// redirect sends a browser on and sets cookies; the generated answers have room for one only.
type redirect struct {
	location string
	cookies  []*http.Cookie
	status   int
}

func (a redirect) write(w http.ResponseWriter) error {
	for _, c := range a.cookies {
		http.SetCookie(w, c)
	}
	if a.location != "" {
		w.Header().Set("Location", a.location)
	}
	w.WriteHeader(a.status)
	return nil
}

func (a redirect) VisitLoginResponse(w http.ResponseWriter) error         { return a.write(w) }
func (a redirect) VisitLoginCallbackResponse(w http.ResponseWriter) error { return a.write(w) }

// login makes the flow whose way back leads to the address that the browser used.
func (h *handlers) login(who caller) (Login, error) {
	if h.newLogin == nil {
		return nil, &Error{Code: CodeIdentityUnavailable}
	}
	flow, err := h.newLogin(who.base + "/callback")
	if err != nil {
		return nil, err
	}
	return flow, nil
}

// Login sends a browser to where it signs in.
func (h *handlers) Login(ctx context.Context, request openapi.LoginRequestObject) (openapi.LoginResponseObject, error) {
	who := callerOf(ctx)
	flow, err := h.login(who)
	if err != nil {
		return nil, err
	}
	start, err := flow.Begin(ctx, value(request.Params.Org), value(request.Params.ReturnTo))
	if errors.Is(err, identity.ErrNoIssuer) {
		return nil, &Error{Code: CodeNoIssuer, Parameter: "org"}
	}
	if err != nil {
		return nil, err //nolint:wrapcheck // the refusal is the answer
	}
	return redirect{start.RedirectURL, []*http.Cookie{cookie(identity.LoginCookie, start.Cookie, who.secure)}, http.StatusFound}, nil
}

// LoginCallback takes a browser back from where it signed in.
func (h *handlers) LoginCallback(ctx context.Context, request openapi.LoginCallbackRequestObject) (openapi.LoginCallbackResponseObject, error) {
	who := callerOf(ctx)
	flow, err := h.login(who)
	if err != nil {
		return nil, err
	}
	p := request.Params
	back := identity.LoginReturn{
		Code: value(p.Code), State: value(p.State), Issuer: value(p.Iss), Error: value(p.Error), Cookie: cookieOf(ctx, identity.LoginCookie, who.secure),
	}
	in, err := flow.Finish(ctx, back)
	if err != nil {
		return nil, err //nolint:wrapcheck // the refusal is the answer
	}
	// Whoever signs in anew has one session: the one from before, which somebody else may have had a look at, ends.
	if old := cookieOf(ctx, identity.SessionCookie, who.secure); old != "" && h.sessions != nil {
		if err := h.sessions.EndSession(ctx, old); err != nil {
			return nil, fmt.Errorf("end the session from before: %w", err)
		}
	}
	return redirect{in.ReturnTo, []*http.Cookie{
		cookie(identity.SessionCookie, in.Session, who.secure), cookie(identity.LoginCookie, "", who.secure),
	}, http.StatusFound}, nil
}

// signedOut takes the session cookie away, and says where the browser signs out at the provider, if anywhere.
type signedOut struct {
	cookie *http.Cookie
	at     string
}

func (a signedOut) VisitLogoutResponse(w http.ResponseWriter) error {
	http.SetCookie(w, a.cookie)
	if a.at == "" {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return openapi.Logout200JSONResponse{SignOutUrl: a.at}.VisitLogoutResponse(w) //nolint:wrapcheck // passed through
}

// Logout ends the session, so that a copy of its cookie is good for nothing, and takes the cookie away.
func (h *handlers) Logout(ctx context.Context, _ openapi.LogoutRequestObject) (openapi.LogoutResponseObject, error) {
	who := callerOf(ctx)
	out := signedOut{cookie: cookie(identity.SessionCookie, "", who.secure)}
	session := cookieOf(ctx, identity.SessionCookie, who.secure)
	if session == "" || h.sessions == nil {
		return out, nil
	}
	out.at = h.sessions.SignOutURL(ctx, session, who.base+"/")
	if err := h.sessions.EndSession(ctx, session); err != nil {
		return nil, fmt.Errorf("sign out: %w", err)
	}
	return out, nil
}

// GetSession tells who asks.
func (*handlers) GetSession(ctx context.Context, _ openapi.GetSessionRequestObject) (openapi.GetSessionResponseObject, error) {
	who := callerOf(ctx)
	out := openapi.GetSession200JSONResponse{
		Subject: who.Subject, Name: who.Name, Organization: textOrNil(who.Org), Roles: make([]openapi.Role, len(who.Roles)), ExpiresAt: who.Expires,
	}
	for i, r := range who.Roles {
		out.Roles[i] = openapi.Role(r)
	}
	return out, nil
}

// requestKey is the context's key for the HTTP request, which generated handlers don't see.
type requestKey struct{}

// requestIn is the HTTP request that a handler's context is of; nil if it is of none.
func requestIn(ctx context.Context) *http.Request {
	r, _ := ctx.Value(requestKey{}).(*http.Request)
	return r
}

func cookieOf(ctx context.Context, name string, secure bool) string {
	r := requestIn(ctx)
	if r == nil {
		return ""
	}
	found, err := r.Cookie(identity.CookieName(name, secure))
	if err != nil {
		return ""
	}
	return found.Value
}
