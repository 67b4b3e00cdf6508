package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/anteroom/anteroom/internal/tracing"

	"github.com/anteroom/anteroom/api/openapi"
)

// codeKey is where the error handler leaves the code of a problem for the log.
const codeKey = "anteroom.code"

// maxBody is the largest body that anything but an import takes, bytes.
const maxBody = 256 << 10

const importsPath = "/v1/imports"

// collectPath takes batches of statistics, which may be larger than other bodies.
const (
	collectPath    = "/v1/collect"
	maxCollectBody = 2 << 20
)

// policiesPath takes whole policies: 8 MiB of text, which JSON writes longer.
const (
	policiesPath  = "/v1/policies/"
	maxPolicyBody = 12 << 20
)

// requestID gives each request an id of the service's own: what a client sends could be anything.
func (*Server) requestID(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		var id [12]byte
		if _, err := rand.Read(id[:]); err != nil {
			return fmt.Errorf("make request id: %w", err)
		}
		header := c.Response().Header()
		header.Set(echo.HeaderXRequestID, hex.EncodeToString(id[:]))
		header.Set("Cache-Control", "no-store")
		return next(c)
	}
}

// observe logs and measures each request by its route, never by its address or query.
func (s *Server) observe(m *metrics) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			begin := time.Now()
			m.running.Inc()
			defer m.running.Dec()
			ctx, span := tracing.Start(c.Request().Context(), s.tracer, "request", trace.WithSpanKind(trace.SpanKindServer))
			if span.IsRecording() {
				c.SetRequest(c.Request().WithContext(ctx))
				defer func() { endSpan(span, c) }()
			}
			if err := next(c); err != nil {
				c.Error(err)
			}
			route, method, took := routeOf(c), methodOf(c.Request().Method), time.Since(begin)
			status := c.Response().Status
			m.requests.WithLabelValues(route, method, fmt.Sprintf("%dxx", status/100)).Inc()
			m.seconds.WithLabelValues(route, method).Observe(took.Seconds())
			code, _ := c.Get(codeKey).(string)
			s.log.InfoContext(c.Request().Context(), "request", slog.String("request_id", c.Response().Header().Get(echo.HeaderXRequestID)),
				slog.String("method", method), slog.String("route", route), slog.Int("status", status), slog.String("code", code),
				slog.Duration("took", took), slog.Int64("bytes", c.Response().Size))
			return nil
		}
	}
}

// endSpan tells of a request what metrics tell: never its path, which names things.
func endSpan(span trace.Span, c echo.Context) {
	status := c.Response().Status
	span.SetName(methodOf(c.Request().Method) + " " + routeOf(c))
	span.SetAttributes(
		attribute.String("http.request.method", methodOf(c.Request().Method)), attribute.String("http.route", routeOf(c)), attribute.Int("http.response.status_code", status),
		attribute.String("anteroom.request_id", c.Response().Header().Get(echo.HeaderXRequestID)),
	)
	if status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// routeOf is the pattern of the request's route; "none" for an address that has none.
func routeOf(c echo.Context) string {
	for _, route := range c.Echo().Routes() {
		if route.Path == c.Path() {
			return route.Path
		}
	}
	return "none"
}

// methodOf is the method, or "other": the label's values are a closed set.
func methodOf(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// recoverPanic makes a problem of a panic. What was said in panic stays here: it may quote data.
func (s *Server) recoverPanic(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			if caught := recover(); caught != nil {
				if caught == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
					panic(caught)
				}
				s.log.ErrorContext(c.Request().Context(), "handler panicked", slog.String("type", fmt.Sprintf("%T", caught)), slog.String("stack", string(debug.Stack())))
				err = &Error{Code: CodeInternal}
			}
		}()
		return next(c)
	}
}

// limitBody bounds the body, and gives an import the time that its upload takes.
func (s *Server) limitBody(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		request := c.Request()
		most := int64(maxBody)
		if c.Path() == collectPath {
			most = maxCollectBody
		}
		if strings.HasPrefix(c.Path(), policiesPath) {
			most = maxPolicyBody
		}
		if c.Path() == importsPath && request.Method == http.MethodPost {
			if strings.HasPrefix(strings.ToLower(request.Header.Get(echo.HeaderContentType)), "multipart/") {
				return &Error{Code: CodeUnsupportedMedia}
			}
			most = s.cfg.MaxImportBytes
			control := http.NewResponseController(c.Response())
			until := time.Now().Add(s.cfg.ImportTimeout + time.Minute)
			if err := errors.Join(control.SetReadDeadline(until), control.SetWriteDeadline(until)); err != nil && !errors.Is(err, http.ErrNotSupported) {
				return fmt.Errorf("give import its time: %w", err)
			}
		}
		if request.ContentLength > most {
			return &Error{Code: CodeBodyTooLarge, Detail: fmt.Sprintf("The body has %d bytes; at most %d are taken.", request.ContentLength, most)}
		}
		request.Body = http.MaxBytesReader(c.Response(), request.Body, most)
		return next(c)
	}
}

// withRequest hands the generated handlers, which see no request, the request and what the places in its list are signed with.
func withRequest(pageKey []byte) openapi.StrictMiddlewareFunc {
	return func(next openapi.StrictHandlerFunc, _ string) openapi.StrictHandlerFunc {
		return func(c echo.Context, request any) (any, error) {
			r := c.Request()
			who := callerOf(r.Context())
			ctx := context.WithValue(r.Context(), listerKey{}, lister{pageKey, who.Org, who.about})
			c.SetRequest(r.WithContext(context.WithValue(ctx, requestKey{}, r)))
			return next(c, request)
		}
	}
}
