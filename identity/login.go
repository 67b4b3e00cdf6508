package identity

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// LoginTimeout is how long somebody may take to sign in; the lifetime of LoginCookie.
const LoginTimeout = 10 * time.Minute

// Login signs browsers in by the OpenID Connect code flow with PKCE. What a login must remember travels in LoginCookie, encrypted, so that any
// node can finish it.
type Login struct {
	verifier    *Verifier
	redirectURL string
}

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

// Sentence is the detail as it may be shown to people.
func (e *LoginError) Sentence() string { return sentence(e.Detail) }

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

// pendingLogin is the content of LoginCookie.
type pendingLogin struct {
	Org      string `json:"org,omitempty"`
	Issuer   string `json:"issuer"`
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"`
	ReturnTo string `json:"return_to"`
}

// Login makes the flow; redirectURL is the absolute URL of this service that issuers send browsers back to.
func (v *Verifier) Login(redirectURL string) (*Login, error) {
	parsed, err := url.Parse(redirectURL)
	if err != nil || parsed.Host == "" || (parsed.Scheme != "https" && parsed.Scheme != "http") || parsed.Fragment != "" {
		return nil, fmt.Errorf("make login: redirect URL %q is not an absolute http or https URL", redirectURL)
	}
	return &Login{verifier: v, redirectURL: redirectURL}, nil
}

// Begin starts a login at an organisation's issuer; org "" is the operator's, or else the development issuer. returnTo must be a path of this
// service ("/calls?x=1"); anything else becomes "/". ErrNoIssuer: nobody signs in there. Other errors are *Error or of the context.
func (l *Login) Begin(ctx context.Context, org, returnTo string) (LoginStart, error) {
	from, err := l.verifier.loginIssuer(ctx, org)
	if err != nil {
		return LoginStart{}, err
	}
	known, err := l.verifier.issuers.get(ctx, from.issuer, "")
	if err != nil {
		return LoginStart{}, err
	}
	if known.endpoint.AuthURL == "" || known.endpoint.TokenURL == "" {
		return LoginStart{}, ErrNoIssuer
	}
	if !LocalPath(returnTo) {
		returnTo = "/"
	}
	pending := pendingLogin{
		Org: org, Issuer: from.issuer, State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), ReturnTo: returnTo,
	}
	cookie, err := l.verifier.Sign(KindLogin, pending, LoginTimeout)
	if err != nil {
		return LoginStart{}, fmt.Errorf("begin login: %w", err)
	}
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(pending.Verifier), oidc.Nonce(pending.Nonce)}
	if from.development && org != "" {
		options = append(options, oauth2.SetAuthURLParam("login_hint", org)) // its login page picks the organisation
	}
	return LoginStart{RedirectURL: l.client(from, known).AuthCodeURL(pending.State, options...), Cookie: cookie}, nil
}

func (l *Login) client(from trust, known *provider) *oauth2.Config {
	return &oauth2.Config{
		ClientID: from.client, Endpoint: known.endpoint, RedirectURL: l.redirectURL, Scopes: []string{oidc.ScopeOpenID, "profile"},
	}
}

// loginIssuer is who signs in users of an organisation now.
func (v *Verifier) loginIssuer(ctx context.Context, id string) (trust, error) {
	if id == "" {
		if from := v.operators(); from.issuer != "" {
			return from, nil
		}
	} else {
		org, found, err := v.directory.Organization(ctx, id)
		switch {
		case err != nil:
			return trust{}, v.lookup(ctx, err)
		case !found:
			return trust{}, ErrNoIssuer
		case org.Issuer != nil:
			return trustOf(org), nil
		}
	}
	if from := v.development(); from.issuer != "" {
		return from, nil
	}
	return trust{}, ErrNoIssuer
}

// Finish exchanges the code and proves the user. The errors are *Error, *LoginError, ErrNoIssuer or of the context.
func (l *Login) Finish(ctx context.Context, back LoginReturn) (LoggedIn, error) {
	v := l.verifier
	var pending pendingLogin
	if err := v.Open(KindLogin, back.Cookie, &pending); err != nil {
		return LoggedIn{}, &LoginError{LoginExpired, "the login took too long, or was begun in another browser; sign in again"}
	}
	if subtle.ConstantTimeCompare([]byte(pending.State), []byte(back.State)) != 1 {
		return LoggedIn{}, &LoginError{LoginState, "the answer belongs to another login; sign in again"}
	}
	from, err := v.loginIssuer(ctx, pending.Org)
	if err != nil {
		return LoggedIn{}, err
	}
	known, err := v.issuers.get(ctx, from.issuer, "")
	if err != nil {
		return LoggedIn{}, err
	}
	// The answer of one issuer must not be taken for that of another (RFC 9207), nor for that of one which was replaced meanwhile.
	if from.issuer != pending.Issuer || (back.Issuer != "" && back.Issuer != from.issuer) || (back.Issuer == "" && known.statesIssuer) {
		return LoggedIn{}, &LoginError{LoginState, "the answer is of another issuer than the login; sign in again"}
	}
	if back.Error != "" || back.Code == "" {
		return LoggedIn{}, &LoginError{LoginDenied, "the identity provider did not sign you in; try again or ask its administrators"}
	}
	principal, err := l.exchange(ctx, from, known, back.Code, pending)
	if err != nil {
		return LoggedIn{}, err
	}
	session, err := v.newSession(principal, from)
	if err != nil {
		return LoggedIn{}, err
	}
	return LoggedIn{Principal: principal, Session: session, ReturnTo: pending.ReturnTo}, nil
}

// exchange turns the code into a proven user.
func (l *Login) exchange(ctx context.Context, from trust, known *provider, code string, pending pendingLogin) (Principal, error) {
	v := l.verifier
	token, err := l.client(from, known).Exchange(oidc.ClientContext(ctx, v.issuers.client), code, oauth2.VerifierOption(pending.Verifier))
	var refused *oauth2.RetrieveError
	switch {
	case ctx.Err() != nil:
		return Principal{}, fmt.Errorf("exchange code: %w", ctx.Err())
	case errors.As(err, &refused) && refused.Response.StatusCode < 500:
		return Principal{}, &LoginError{LoginCode, "the identity provider refused the login's code; sign in again"}
	case err != nil:
		v.log.WarnContext(ctx, "a login's code can't be exchanged", "issuer", from.issuer)
		return Principal{}, refuse(IssuerUnavailable, "the identity provider can't be reached just now; try again")
	}
	raw, _ := token.Extra("id_token").(string)
	p, err := parse(raw)
	if err != nil {
		return Principal{}, err
	}
	principal, err := v.proveUser(ctx, p, from)
	if err != nil {
		return Principal{}, err
	}
	if subtle.ConstantTimeCompare([]byte(p.claims.Nonce), []byte(pending.Nonce)) != 1 {
		return Principal{}, &LoginError{LoginState, "the identity provider's answer belongs to another login; sign in again"}
	}
	if p.claims.Authorized != "" && p.claims.Authorized != from.client {
		return Principal{}, refuse(TokenAudience, "the ID token was made for another client")
	}
	return l.userinfo(ctx, p, from, known, token, principal)
}

// LocalPath tells whether a browser that is sent to target stays on this service: a path from the root, nothing that browsers read as another host.
func LocalPath(target string) bool {
	if len(target) > 2000 || !strings.HasPrefix(target, "/") || strings.HasPrefix(target, "//") || strings.ContainsRune(target, '\\') {
		return false
	}
	for _, r := range target {
		if r <= ' ' || r == 0x7f { // browsers drop tabs and line ends, and "/\t/host" is then another host
			return false
		}
	}
	parsed, err := url.Parse(target)
	return err == nil && parsed.Scheme == "" && parsed.Host == "" && parsed.User == nil
}
