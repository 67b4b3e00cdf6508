package devissuer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/anteroom/anteroom/identity"
)

// ErrNotLoopback: the issuer would be reachable from other machines.
var ErrNotLoopback = errors.New("the development issuer serves loopback addresses only")

// Handler serves discovery, keys, login page and token endpoint under the path of Config.URL (full paths, no prefix stripped). It refuses
// whoever is not on loopback, what came through a proxy, and names that a foreign name server could point here.
func (i *Issuer) Handler() http.Handler {
	i.deps.Log.Warn("the development issuer is on: whoever uses this machine can sign in as anybody; it is for development only", "url", i.cfg.URL)
	base := i.path()
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+base+"/.well-known/openid-configuration", i.metadata)
	mux.HandleFunc("GET "+base+"/keys", i.keys)
	mux.HandleFunc("GET "+base+"/authorize", i.showLogin)
	mux.HandleFunc("POST "+base+"/authorize", i.login)
	mux.HandleFunc("POST "+base+"/token", i.exchange)
	return onlyLoopback(http.NewCrossOriginProtection().Handler(mux))
}

func (i *Issuer) path() string {
	parsed, err := url.Parse(i.cfg.URL)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(parsed.Path, "/")
}

// Serve serves Handler until ctx ends; the listener, which it closes, must be on loopback.
func (i *Issuer) Serve(ctx context.Context, listener net.Listener) error {
	if !loopbackAddr(listener.Addr().String()) {
		return errors.Join(ErrNotLoopback, listener.Close())
	}
	server := &http.Server{Handler: i.Handler(), ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve development issuer: %w", err)
	}
	return nil
}

// onlyLoopback refuses requests that did not come from this machine, by its own name.
func onlyLoopback(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		forwarded := r.Header.Get("Forwarded") != "" || r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("X-Forwarded-Host") != "" || r.Header.Get("Via") != ""
		host := (&url.URL{Host: r.Host}).Hostname()
		if !loopbackAddr(r.RemoteAddr) || (local != nil && !loopbackAddr(local.String())) || forwarded || !loopbackHost(host) {
			http.Error(w, "The development issuer serves this machine only, by a loopback address, and not through a proxy.", http.StatusForbidden)
			return
		}
		header := w.Header()
		header.Set("Cache-Control", "no-store")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Referrer-Policy", "no-referrer")
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		next.ServeHTTP(w, r)
	})
}

func loopbackAddr(address string) bool {
	parsed, err := netip.ParseAddrPort(address)
	return err == nil && parsed.Addr().Unmap().IsLoopback()
}

func (i *Issuer) metadata(w http.ResponseWriter, _ *http.Request) {
	base := strings.TrimSuffix(i.cfg.URL, "/")
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer": i.cfg.URL, "jwks_uri": base + "/keys", "authorization_endpoint": base + "/authorize", "token_endpoint": base + "/token",
		"response_types_supported": []string{"code"}, "grant_types_supported": []string{"authorization_code"},
		"subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{string(jose.ES256)},
		"code_challenge_methods_supported": []string{"S256"}, "token_endpoint_auth_methods_supported": []string{"none"},
		"scopes_supported": []string{"openid", "profile"}, "claims_supported": []string{"sub", "name", "roles", "org"},
		"authorization_response_iss_parameter_supported": true,
	})
}

func (i *Issuer) keys(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{i.public}})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the far end is gone; nobody is left to tell
}

// tokenError is an answer of RFC 6749, section 5.2.
func tokenError(w http.ResponseWriter, id, detail string) {
	writeJSON(w, http.StatusBadRequest, map[string]string{"error": id, "error_description": detail})
}

// exchange is the token endpoint.
func (i *Issuer) exchange(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		tokenError(w, "invalid_request", "the form can't be read")
		return
	}
	form := r.PostForm
	if form.Get("grant_type") != "authorization_code" {
		tokenError(w, "unsupported_grant_type", "only authorization_code is")
		return
	}
	g, ok := i.take(form.Get("code"))
	switch {
	case !ok:
		tokenError(w, "invalid_grant", "the code is unknown, expired or used")
	case form.Get("client_id") != identity.DevelopmentClient || form.Get("redirect_uri") != g.request.redirect:
		tokenError(w, "invalid_grant", "the code was given to another client or redirect_uri")
	case !g.request.proves(form.Get("code_verifier")):
		tokenError(w, "invalid_grant", "code_verifier does not fit code_challenge")
	default:
		i.answer(w, g)
	}
}

func (i *Issuer) answer(w http.ResponseWriter, g grant) {
	id, err := i.sign(g.person, g.request.nonce, defaultTTL)
	if err == nil {
		var access string
		if access, err = i.sign(g.person, "", defaultTTL); err == nil {
			writeJSON(w, http.StatusOK, map[string]any{
				"access_token": access, "id_token": id, "token_type": "Bearer", "expires_in": int(defaultTTL.Seconds()),
			})
			return
		}
	}
	i.deps.Log.Error("the development issuer can't sign", "error", err.Error())
	writeJSON(w, http.StatusInternalServerError, map[string]string{"error": "server_error"})
}
