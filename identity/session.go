package identity

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"
)

// Cookies of browsers. Where the service is reached by https, CookieName adds the prefix that binds them to the host.
const (
	SessionCookie = "anteroom_session"
	LoginCookie   = "anteroom_login"
)

// CookieName is the cookie's name: with the prefix __Host- if secure, which wants Secure, Path=/ and no Domain. Both cookies want HttpOnly and
// SameSite=Lax; LoginCookie's Max-Age is LoginTimeout, SessionCookie needs none.
func CookieName(name string, secure bool) string {
	if secure {
		return "__Host-" + name
	}
	return name
}

// session is the content of SessionCookie.
type session struct {
	// ID is random, and another one with each sign-in: by it the session is ended.
	ID      string `json:"id"`
	Roles   []Role `json:"roles"`
	Org     string `json:"org,omitempty"`
	Subject string `json:"sub"`
	Name    string `json:"name,omitempty"`
	// Issuer and Client that proved the user; the session ends when they are not the organisation's any more.
	Issuer string `json:"iss"`
	Client string `json:"client"`
	// Ends in any case, seconds since 1970.
	Ends int64 `json:"ends"`
	// Used when this value was made, seconds since 1970.
	Used int64 `json:"used"`
}

func (v *Verifier) newSession(p Principal, from trust) (string, error) {
	now := v.now()
	return v.signSession(session{
		ID: rand.Text(), Roles: p.Roles, Org: p.Org, Subject: p.Subject, Name: p.Name, Issuer: from.issuer, Client: from.client,
		Ends: now.Add(v.cfg.SessionMax).Unix(),
	}, now)
}

func (v *Verifier) signSession(s session, now time.Time) (string, error) {
	s.Used = now.Unix()
	token, err := v.Sign(KindSession, s, min(v.cfg.SessionIdle, time.Unix(s.Ends, 0).Sub(now)))
	if err != nil {
		return "", fmt.Errorf("make session: %w", err)
	}
	return token, nil
}

// ReadSession proves the bearer of a session cookie's value. renewed, if not "", is the value that replaces it, so that a session that is used
// doesn't end as idle. A session ends early when its organisation is gone or has another issuer. The errors are *Error or of the context.
func (v *Verifier) ReadSession(ctx context.Context, value string) (p Principal, renewed string, err error) {
	var s session
	if err := v.Open(KindSession, value, &s); err != nil {
		return Principal{}, "", err
	}
	now := v.now()
	ends := time.Unix(s.Ends, 0).UTC()
	if !now.Before(ends) {
		return Principal{}, "", refuse(TokenExpired, "the session has ended; sign in again")
	}
	from, err := v.loginIssuer(ctx, s.Org)
	if ReasonOf(err) == IssuerUnavailable || ctx.Err() != nil {
		return Principal{}, "", err
	}
	if err != nil || from.issuer != s.Issuer || from.client != s.Client {
		return Principal{}, "", refuse(IssuerUnknown, "the organisation's identity provider has changed; sign in again")
	}
	switch ended, err := v.sessionEnded(ctx, s); {
	case err != nil:
		return Principal{}, "", err
	case ended:
		return Principal{}, "", refuse(TokenExpired, "the session was signed out; sign in again")
	}
	// Writing a cookie with every answer would make them all uncacheable and different; a sixth of the idle time is near enough.
	if now.Sub(time.Unix(s.Used, 0)) > v.cfg.SessionIdle/6 {
		if renewed, err = v.signSession(s, now); err != nil {
			return Principal{}, "", err
		}
	}
	return Principal{Roles: slices.Clone(s.Roles), Org: s.Org, Subject: s.Subject, Name: s.Name, Expires: ends}, renewed, nil
}
