package web

import (
	"bytes"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

// policy allows what the pages need and nothing else: scripts and styles of this origin, no inline ones; connections to this origin and, for
// the owner of a meeting in a cluster, to other nodes' WebSockets.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; " +
	"connect-src 'self' ws: wss:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// Handler serves the start page at /, the join page at /join/{meeting} and their files at /assets/. Everything else is 404. It may be mounted beside other handlers.
func Handler() http.Handler {
	return handler(Files())
}

func handler(files fs.FS) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { servePage(w, r, files, homePage) })
	mux.HandleFunc("GET /join/{meeting}", func(w http.ResponseWriter, r *http.Request) { servePage(w, r, files, joinPage) })
	mux.HandleFunc("GET /assets/{name}", func(w http.ResponseWriter, r *http.Request) { serveAsset(w, r, files) })
	return mux
}

// servePage serves an HTML page. It is asked for anew each time, since it names the assets of this version.
func servePage(w http.ResponseWriter, r *http.Request, files fs.FS, name string) {
	page, err := fs.ReadFile(files, name)
	if err != nil {
		http.Error(w, "The pages are not in this binary: build it with `make build`, which needs Node 20 or newer.", http.StatusServiceUnavailable)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-cache")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(self), microphone=(self), display-capture=(self), speaker-selection=(self), geolocation=()")
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(page))
}

// serveAsset serves a file whose name has a hash of its content: it never changes.
func serveAsset(w http.ResponseWriter, r *http.Request, files fs.FS) {
	name := "assets/" + r.PathValue("name")
	content, err := fs.ReadFile(files, name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	// Not left to the system's table of types, which may be wrong, and a script of the wrong type is not run.
	switch strings.ToLower(path.Ext(name)) {
	case ".js":
		h.Set("Content-Type", "text/javascript; charset=utf-8")
	case ".css":
		h.Set("Content-Type", "text/css; charset=utf-8")
	default:
		h.Set("Content-Type", "application/octet-stream")
	}
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
}
