package api

import (
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// Mount is a handler that is served beside the document's routes: pages, the development issuer, signalling.
type Mount struct {
	Handler http.Handler
	// OwnRules: the handler checks web origins by itself, limits what it reads and keeps its connections open. Neither the guard against
	// other sites nor the limits on body and time hold for it. The check of the Host header does.
	OwnRules bool
}

// mountOf finds the mount of a path: the same path, or the longest beginning that ends with a slash. "/" is the start page and the beginning of nothing.
func (s *Server) mountOf(path string) (string, Mount, bool) {
	if m, ok := s.mounts[path]; ok {
		return path, m, true
	}
	for end := strings.LastIndexByte(path, '/'); end > 0; end = strings.LastIndexByte(path[:end], '/') {
		if m, ok := s.mounts[path[:end+1]]; ok {
			return path[:end+1], m, true
		}
	}
	return "", Mount{}, false
}

// serveMount has a mount answer. What is logged and measured is its pattern: what stands behind may be secret.
func (s *Server) serveMount(w http.ResponseWriter, r *http.Request, pattern string, mount Mount) {
	begin := time.Now()
	answer := &watched{ResponseWriter: w}
	s.metrics.running.Inc()
	defer func() {
		s.metrics.running.Dec()
		if caught := recover(); caught != nil {
			if caught == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
				panic(caught)
			}
			s.log.ErrorContext(r.Context(), "handler panicked", slog.String("route", pattern), slog.String("type", fmt.Sprintf("%T", caught)),
				slog.String("stack", string(debug.Stack())))
			if answer.status == 0 {
				s.refuse(answer, r, &Error{Code: CodeInternal})
			}
		}
		status, method := max(answer.status, http.StatusOK), methodOf(r.Method)
		if answer.hijacked {
			status = http.StatusSwitchingProtocols
		}
		s.metrics.requests.WithLabelValues(pattern, method, fmt.Sprintf("%dxx", status/100)).Inc()
		s.log.InfoContext(r.Context(), "request", slog.String("method", method), slog.String("route", pattern), slog.Int("status", status),
			slog.Duration("took", time.Since(begin)))
	}()
	if !s.hostAllowed(r) {
		s.refuse(answer, r, &Error{Code: CodeHostNotAllowed})
		return
	}
	if mount.OwnRules {
		control := http.NewResponseController(w)
		if err := errors.Join(control.SetReadDeadline(time.Time{}), control.SetWriteDeadline(time.Time{})); err != nil && !errors.Is(err, http.ErrNotSupported) {
			s.refuse(answer, r, err)
			return
		}
	} else {
		if err := s.origins.Check(r); err != nil {
			s.refuse(answer, r, &Error{Code: CodeCrossOrigin})
			return
		}
		r.Body = http.MaxBytesReader(answer, r.Body, maxBody)
	}
	// Mounts prove who asks by themselves: what they refuse counts as what the table refuses.
	from := s.proxies.client(r)
	if err := s.pace.mayTry(from); err != nil && r.Header.Get(echo.HeaderAuthorization) != "" {
		s.refuse(answer, r, err)
		return
	}
	mount.Handler.ServeHTTP(answer, r)
	if answer.status == http.StatusUnauthorized && r.Header.Get(echo.HeaderAuthorization) != "" {
		_ = s.pace.attempts.take(from, "")
	}
}

// refuse answers with a problem where no route was found.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	s.writeError(err, s.echo.NewContext(r, w))
}

// watched knows what was answered, and lets a handler take the connection over.
type watched struct {
	http.ResponseWriter
	status   int
	hijacked bool
}

func (w *watched) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *watched) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p) //nolint:wrapcheck // passed through
}

// Unwrap is for http.ResponseController.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Hijack is for handlers that speak WebSocket.
func (w *watched) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.hijacked = true
	return http.NewResponseController(w.ResponseWriter).Hijack() //nolint:wrapcheck // passed through
}

// Flush is for handlers that stream.
func (w *watched) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }
