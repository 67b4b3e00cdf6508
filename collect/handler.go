package collect

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/coder/websocket"

	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/ingest/decode"
	"github.com/anteroom/anteroom/ingest/rtcstats"
)

// Path is where the rtcstats clients connect to. Jitsi's adds a name of its own to the address of the endpoint: the token goes there. The other
// one has a parameter for it.
const Path = "/v1/collect/rtcstats"

const tokenParameter = "rtcstats-token"

// Subprotocols of the clients.
const (
	protocolJitsi     = "3.1_STANDARD"
	protocolLegacy    = "3.1_LEGACY"
	protocolSuccessor = "rtcstats#5.0"
)

// Close codes that the clients know. After closeFinal Jitsi's does not come back.
const (
	closeLeft  websocket.StatusCode = 3001
	closeFinal websocket.StatusCode = 3002
)

// ServeHTTP takes a connection and returns when it is over.
func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h, err := helloOf(r)
	if err != nil {
		c.metrics.refused.WithLabelValues(reasonOf(err)).Inc()
		http.Error(w, detailOf(err), http.StatusForbidden)
		return
	}
	if !c.deps.Addresses.Allow(c.deps.AddressOf(r)) {
		c.metrics.refused.WithLabelValues("rate").Inc()
		w.Header().Set("Retry-After", "5")
		http.Error(w, "too many connections from this address; wait a few seconds", http.StatusTooManyRequests)
		return
	}
	// Origins are checked when it is known whose page may be there: with the token.
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols: []string{protocolJitsi, protocolSuccessor, protocolLegacy}, InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		c.metrics.refused.WithLabelValues("handshake").Inc()
		return
	}
	defer ws.CloseNow() //nolint:errcheck // mostly closed already
	ctx := context.WithoutCancel(r.Context())
	dialect := rtcstats.Jitsi
	switch ws.Subprotocol() {
	case protocolJitsi:
		h.dialect = dialectJitsi
	case protocolSuccessor:
		h.dialect, h.id, dialect = dialectSuccessor, "", rtcstats.Successor
	case protocolLegacy:
		c.metrics.refused.WithLabelValues("legacy").Inc()
		_ = ws.Close(closeFinal, "unsupported format: legacy goog* statistics; use "+protocolJitsi)
		return
	default:
		c.metrics.refused.WithLabelValues("subprotocol").Inc()
		_ = ws.Close(websocket.StatusProtocolError, "offer the subprotocol "+protocolJitsi+" or "+protocolSuccessor)
		return
	}
	s, err := c.session(ctx, h, func(opt decode.Options, source string) live {
		return rtcstats.NewLive(opt, source, dialect, h.userAgent)
	})
	if err != nil {
		c.refused(err)
		_ = ws.Close(refusedCode(err, h.dialect), closeText(reasonOf(err)+": "+detailOf(err)))
		return
	}
	defer c.leave(s)
	newConn(c, s, ws).run(ctx)
}

// refusedCode tells a client whether to come again.
func refusedCode(err error, dialect string) websocket.StatusCode {
	var refused *Refusal
	var token *identity.Error
	switch {
	case errors.As(err, &refused) && (refused.Reason == ReasonFull || refused.Reason == ReasonStopping):
		return websocket.StatusTryAgainLater
	case errors.As(err, &token) && (token.Reason == identity.IssuerUnavailable || token.Reason == identity.JournalUnavailable):
		return websocket.StatusTryAgainLater
	case !errors.As(err, &refused) && !errors.As(err, &token):
		return websocket.StatusInternalError
	case dialect == dialectJitsi:
		return closeFinal
	}
	return websocket.StatusPolicyViolation
}

// helloOf reads what a request says of its client. Most of it is in the address, since a browser can't send headers here.
func helloOf(r *http.Request) (hello, error) {
	h := hello{userAgent: r.UserAgent(), origin: r.Header.Get("Origin"), id: r.URL.Query().Get("statsSessionId")}
	const most = 128
	if len(h.id) > most {
		return h, &Refusal{Reason: ReasonInvalid, Detail: "The connection id is longer than 128 bytes."}
	}
	if h.origin != "" {
		u, err := url.Parse(h.origin)
		if err != nil || len(h.origin) > 512 {
			return h, &Refusal{Reason: ReasonOrigin, Detail: "The Origin header is not a web origin."}
		}
		h.own = u.Host != "" && strings.EqualFold(u.Host, r.Host)
	}
	scheme, bearer, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch inPath := strings.Trim(strings.TrimPrefix(r.URL.Path, Path), "/"); {
	case strings.EqualFold(scheme, "Bearer"):
		h.token = strings.TrimSpace(bearer)
	case r.URL.Query().Get(tokenParameter) != "":
		h.token = r.URL.Query().Get(tokenParameter)
	default:
		h.token = inPath
	}
	return h, nil
}
