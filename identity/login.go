package identity

import (
	"context"
	"errors"
	"time"
)

// Cookies of browsers. Where the service is reached by https, CookieName adds the prefix that binds them to the host.
const (
	SessionCookie = "anteroom_session"
	LoginCookie   = "anteroom_login"
)

// LoginTimeout is how long somebody may take to sign in; the lifetime of LoginCookie.
const LoginTimeout = 10 * time.Minute

// CookieName is the cookie's name: with the prefix __Host- if secure, which wants Secure, Path=/ and no Domain. Both cookies want HttpOnly and SameSite=Lax.
func CookieName(name string, secure bool) string {
	if secure {
		return "__Host-" + name
	}
	return name
}

// Login signs browsers in by the OpenID Connect code flow with PKCE.
type Login struct{}

// LoginStart is where to send the browser, and the value of LoginCookie that it must bring back.
type LoginStart struct {
	RedirectURL string
	Cookie      string
}

// LoginReturn is what the browser came back with: the query's code, state, iss and error, and the value of LoginCookie.
type LoginReturn struct {
	Code, State, Issuer, Error string
	Cookie                     string
}

// LoggedIn is a finished login.
type LoggedIn struct {
	Principal Principal
	// Session is the value of SessionCookie.
	Session string
	// ReturnTo is a path of this service, with query.
	ReturnTo string
}

// Login makes the flow; redirectURL is the absolute URL of this service that issuers send browsers back to.
func (v *Verifier) Login(redirectURL string) (*Login, error) { return nil, errNotBuilt }

// Begin starts a login at an organisation's issuer; org "" is the operator's, or else the development issuer. returnTo must be a path of this
// service ("/calls?x=1"); anything else becomes "/". ErrNoIssuer: nobody signs in there.
func (l *Login) Begin(ctx context.Context, org, returnTo string) (LoginStart, error) {
	return LoginStart{}, errNotBuilt
}

// Finish exchanges the code and proves the user. The errors are *Error, *LoginError or of the context.
func (l *Login) Finish(ctx context.Context, back LoginReturn) (LoggedIn, error) {
	return LoggedIn{}, errNotBuilt
}

// ReadSession proves the bearer of a session cookie's value. renewed, if not "", is the value that replaces it, so that a session that is used
// doesn't end as idle. A session ends early when its organisation is gone or has another issuer. The errors are *Error or of the context.
func (v *Verifier) ReadSession(ctx context.Context, session string) (p Principal, renewed string, err error) {
	return Principal{}, "", errNotBuilt
}

// ErrNoIssuer: there is no such organisation, or nobody can sign in to it by a browser.
var ErrNoIssuer = errors.New("no issuer signs in there")

// LoginError is a login that came to nothing for a reason other than a token.
type LoginError struct {
	// Reason is a stable id.
	Reason Reason
	// Detail in plain English.
	Detail string
}

func (e *LoginError) Error() string { return string(e.Reason) + ": " + e.Detail }

// Reasons of a LoginError.
const (
	// LoginExpired: the login cookie is missing, expired or not ours.
	LoginExpired Reason = "login_expired"
	// LoginState: state or issuer of the answer are not those of the login.
	LoginState Reason = "login_state_mismatch"
	// LoginDenied: the issuer answered with an error.
	LoginDenied Reason = "login_denied"
	// LoginCode: the issuer refused the code.
	LoginCode Reason = "login_code_refused"
)
