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

// Handler serves the start page at /, the join page at /join/{meeting}, the console at /console and below, and their files at /assets/. Everything else is 404. It
// may be mounted beside other handlers.
func Handler() http.Handler {
	return handler(Files())
}

func handler(files fs.FS) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { servePage(w, r, files, homePage) })
	mux.HandleFunc("GET /join/{meeting}", func(w http.ResponseWriter, r *http.Request) { servePage(w, r, files, joinPage) })
	// Which screen an address below it means, the console itself knows.
	mux.HandleFunc("GET /console", func(w http.ResponseWriter, r *http.Request) { servePage(w, r, files, consolePage) })
	mux.HandleFunc("GET /console/", func(w http.ResponseWriter, r *http.Request) { servePage(w, r, files, consolePage) })
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

// serveAsset serves a file whose name has a hash of its content: it never changes. Whoever takes it compressed gets it so.
func serveAsset(w http.ResponseWriter, r *http.Request, files fs.FS) {
	name := "assets/" + r.PathValue("name")
	kind, known := assetType(name)
	content, err := fs.ReadFile(files, name)
	if err != nil || !known {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	for _, coding := range []struct{ name, ending string }{{"br", ".br"}, {"gzip", ".gz"}} {
		if !accepts(r, coding.name) {
			continue
		}
		if packed, err := fs.ReadFile(files, name+coding.ending); err == nil {
			content = packed
			h.Set("Content-Encoding", coding.name)
			break
		}
	}
	h.Set("Content-Type", kind)
	h.Set("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
}

// assetType is the content type of a file. It is not left to the system's table of types, which may be wrong, and a script of the wrong type is not run. Files
// that are there as another's compressed form only are not known.
func assetType(name string) (kind string, known bool) {
	switch strings.ToLower(path.Ext(name)) {
	case ".js":
		return "text/javascript; charset=utf-8", true
	case ".css":
		return "text/css; charset=utf-8", true
	case ".br", ".gz":
		return "", false
	}
	return "application/octet-stream", true
}

// accepts tells whether a request takes a content coding (RFC 9110, section 12.5.3). A weight of zero is a no; other weights don't matter, since the smaller is
// offered first.
func accepts(r *http.Request, coding string) bool {
	for _, part := range strings.Split(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		name, weight, _ := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(name), coding) {
			continue
		}
		q, weighted := strings.CutPrefix(strings.ReplaceAll(weight, " ", ""), "q=")
		return !weighted || strings.Trim(q, "0.") != ""
	}
	return false
}
