package api

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/labstack/echo/v4"
)

// pace bounds how often one caller asks, and how often one address tries to prove who asks.
type pace struct {
	// requests by caller: a user of an organisation, an operator, a resource; by address for those who are in a meeting.
	requests *limiter
	// attempts by address: sign-ins that are begun or ended, and requests whose proof was refused.
	attempts *limiter
}

func newPace(cfg Config) pace {
	// Each caller has a limit of its own and they have none together: nobody may use up what others have.
	requests, attempts := newLimiter(cfg.RequestsPerMinute), newLimiter(cfg.AttemptsPerMinute)
	requests.overall, attempts.overall = nil, nil
	return pace{requests, attempts}
}

// tooMany is the refusal with the time after which it may be tried again.
func tooMany(wait time.Duration) error { return &Error{Code: CodeTooManyRequests, Wait: wait} }

// signIn counts a sign-in of an address.
func (p pace) signIn(from netip.Addr) error {
	if wait := p.attempts.take(from, ""); wait > 0 {
		return tooMany(wait)
	}
	return nil
}

// mayTry refuses an address that was refused too often. What is right is refused with what is wrong, or else it could be told apart.
func (p pace) mayTry(from netip.Addr) error {
	if wait := p.attempts.wait(from); wait > 0 {
		return tooMany(wait)
	}
	return nil
}

// proven counts a request of a caller whom the table let through.
func (p pace) proven(who caller, from netip.Addr) error {
	var wait time.Duration
	switch {
	case who.Resource != "":
		wait = p.requests.take(netip.Addr{}, "resource "+who.Resource)
	case who.Subject != "":
		wait = p.requests.take(netip.Addr{}, "user "+who.Org+" "+who.Subject)
	default:
		wait = p.requests.take(from, "")
	}
	if wait > 0 {
		return tooMany(wait)
	}
	return nil
}

// paced proves who asks, as fast as the caller may ask.
func (s *Server) paced(c echo.Context, operation string, row access) (caller, error) {
	from := s.proxies.client(c.Request())
	switch {
	case operation == "login", operation == "loginCallback":
		if err := s.pace.signIn(from); err != nil {
			return caller{}, err
		}
	case !row.public:
		if err := s.pace.mayTry(from); err != nil {
			return caller{}, err
		}
	}
	who, err := s.admit(c, operation, row)
	if err != nil {
		if kindOf(asError(err).Code).status == http.StatusUnauthorized && c.Request().Header.Get(echo.HeaderAuthorization)+c.Request().Header.Get(ResourceTokenHeader) != "" {
			_ = s.pace.attempts.take(from, "") // Counted; the answer is the refusal.
		}
		return caller{}, err
	}
	if row.public || row.bearer || row.loopback { // Statistics have limits of their own, by session.
		return who, nil
	}
	return who, s.pace.proven(who, from)
}
