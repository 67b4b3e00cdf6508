package api

import "net/http"

// nothingPolicy is the Content-Security-Policy of what is no page: a browser that shows it all the same runs, loads and frames nothing.
const nothingPolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// strictTransport has browsers come by https for a year. Names below this one may be somebody else's, so they are left out.
const strictTransport = "max-age=31536000"

// harden sets the headers that every answer has, errors and files too. Pages replace the policies by their own, which allow what they need.
func (s *Server) harden(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", nothingPolicy)
	h.Set("Permissions-Policy", "camera=(), microphone=(), display-capture=(), geolocation=()")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	// What registered origins may read they ask for by CORS, which this header doesn't touch.
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if _, secure := s.baseOf(r); secure {
		h.Set("Strict-Transport-Security", strictTransport)
	}
}
