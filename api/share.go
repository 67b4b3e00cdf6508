package api

import (
	"net/http"
	"net/url"
	"path"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/anteroom/anteroom/identity"
)

// sharedRoute is a route that pages of a resource's registered origins may ask (CORS). Cookies are never part of it: such a page proves who asks
// by a token of its own.
type sharedRoute struct {
	method string
	// headers that the page may send.
	headers string
}

// sharedRouteOf is the part of the service that a resource's page needs beside the meeting's WebSocket, which has a check of its own.
func sharedRouteOf(route string) (sharedRoute, bool) {
	if route == "/v1/calls" {
		return sharedRoute{http.MethodPost, "Authorization, Content-Type"}, true
	}
	if route == collectPath {
		return sharedRoute{http.MethodPost, "Authorization, Content-Type"}, true
	}
	if ok, err := path.Match("/v1/meetings/*/messages", route); err == nil && ok {
		return sharedRoute{http.MethodGet, ParticipantTokenHeader}, true
	}
	return sharedRoute{}, false
}

// preflightAge is how long a browser may remember what it was allowed, seconds.
const preflightAge = "600"

// share answers a browser that asks beforehand, and allows a page of a registered origin to read what is answered. shared tells that the
// request comes from such a page; answered, that nothing is left to do.
func (s *Server) share(c echo.Context) (shared, answered bool) {
	r := c.Request()
	route, ok := sharedRouteOf(r.URL.Path)
	if !ok {
		return false, false
	}
	header := c.Response().Header()
	header.Add(echo.HeaderVary, echo.HeaderOrigin)
	origin := r.Header.Get(echo.HeaderOrigin)
	if origin == "" || ownOrigin(r, origin) || !s.registered(origin) {
		return false, false
	}
	asked := r.Header.Get(echo.HeaderAccessControlRequestMethod)
	if r.Method == http.MethodOptions && asked == route.method {
		header.Set(echo.HeaderAccessControlAllowOrigin, origin)
		header.Set(echo.HeaderAccessControlAllowMethods, route.method)
		header.Set(echo.HeaderAccessControlAllowHeaders, route.headers)
		header.Set(echo.HeaderAccessControlMaxAge, preflightAge)
		c.Response().WriteHeader(http.StatusNoContent)
		return true, true
	}
	if r.Method != route.method {
		return false, false
	}
	header.Set(echo.HeaderAccessControlAllowOrigin, origin)
	header.Set(echo.HeaderAccessControlExposeHeaders, "Retry-After, X-Request-Id")
	r.Header.Del(echo.HeaderCookie)
	return true, false
}

// ownOrigin tells whether an origin is the service's own, as the browser knows it.
func ownOrigin(r *http.Request, origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && u.Host == r.Host
}

// registered tells whether some resource has exactly this web origin.
func (s *Server) registered(origin string) bool {
	if s.directory == nil {
		return false
	}
	for _, r := range s.directory.Resources.All() {
		if r.Value.ID != identity.JoinPageResource && slices.Contains(r.Value.Origins, origin) {
			return true
		}
	}
	return false
}
