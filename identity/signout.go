package identity

import (
	"context"
	"fmt"
	"net/url"
	"time"
)

// sessionEnded tells whether somebody signed out of a session, here or on another node.
func (v *Verifier) sessionEnded(ctx context.Context, s session) (bool, error) {
	if s.ID == "" || v.Revoked(sessionID(s)) {
		return true, nil
	}
	ended, err := v.directory.SessionEnded(ctx, s.Org, s.Subject, s.ID)
	if err != nil {
		return false, v.lookup(ctx, err)
	}
	return ended, nil
}

func sessionID(s session) string { return "session " + s.ID }

// EndSession ends the session of a cookie's value: from now on it is good for nothing in this process, after a crash neither, and within half a second
// nowhere. A value that is good for nothing already is no error. Errors are *Error, of the directory or of the context; the session has ended in this
// process all the same.
func (v *Verifier) EndSession(ctx context.Context, value string) error {
	var s session
	if v.Open(KindSession, value, &s) != nil || s.ID == "" {
		return nil //nolint:nilerr // there is nothing to end
	}
	ends := time.Unix(s.Ends, 0)
	if err := v.Revoke(ctx, sessionID(s), ends); err != nil {
		return err
	}
	if err := v.directory.EndSession(ctx, s.Org, s.Subject, s.ID, ends); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

// SignOutURL is where the browser of a session ends its session at the provider, and comes back to returnTo, a whole address that the provider has to know;
// "" where the provider offers none, or can't be asked just now (OpenID Connect RP-Initiated Logout 1.0). No ID token goes along: it has names, and would be in
// the address; by the client's id the provider knows whom it deals with.
func (v *Verifier) SignOutURL(ctx context.Context, value, returnTo string) string {
	var s session
	if v.Open(KindSession, value, &s) != nil {
		return ""
	}
	known, err := v.issuers.get(ctx, s.Issuer, "")
	if err != nil || known.endSession == "" {
		return ""
	}
	at, err := url.Parse(known.endSession)
	if err != nil {
		return ""
	}
	query := at.Query()
	query.Set("client_id", s.Client)
	query.Set("post_logout_redirect_uri", returnTo)
	at.RawQuery = query.Encode()
	return at.String()
}
