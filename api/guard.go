package api

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// guard refuses what a browser asks for on behalf of another site: by a name that was pointed here (DNS rebinding), or by a form or
// script of another origin, unless the origin is one that a resource has registered and the route is for such.
func (s *Server) guard(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !s.hostAllowed(c.Request()) {
			return &Error{Code: CodeHostNotAllowed}
		}
		shared, answered := s.share(c)
		if answered {
			return nil
		}
		if err := s.origins.Check(c.Request()); err != nil && !shared {
			return &Error{Code: CodeCrossOrigin}
		}
		return next(c)
	}
}

// hostAllowed tells whether a request names the service by a name of its own. The address that the connection itself came to can't be a name
// that somebody pointed here.
func (s *Server) hostAllowed(r *http.Request) bool {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if address, err := netip.ParseAddr(host); err == nil && (address.Unmap().IsLoopback() || address.Unmap() == localOf(r)) {
		return true
	}
	if public, err := url.Parse(s.cfg.PublicURL); err == nil && host != "" && strings.EqualFold(public.Hostname(), host) {
		return true
	}
	return host == "localhost" || slices.ContainsFunc(s.cfg.AllowedHosts, func(allowed string) bool { return strings.EqualFold(allowed, host) })
}

// localOf is the address of this machine that a request came to.
func localOf(r *http.Request) netip.Addr {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return netip.Addr{}
	}
	address, err := netip.ParseAddrPort(local.String())
	if err != nil {
		return netip.Addr{}
	}
	return address.Addr().Unmap()
}
