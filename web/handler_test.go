package web

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestHandlerServesPagesAndAssetsOnly(t *testing.T) {
	t.Parallel()
	h := handler(fstest.MapFS{
		"home.html":                          {Data: []byte("<!doctype html>")},
		"join.html":                          {Data: []byte("<!doctype html>")},
		"console.html":                       {Data: []byte("<!doctype html>")},
		"assets/join-0123456789abcdef.js":    {Data: []byte("export {}")},
		"assets/join-0123456789abcdef.js.br": {Data: []byte("packed")},
		"placeholder.txt":                    {Data: []byte("-")},
	})
	const html, script = "text/html; charset=utf-8", "text/javascript; charset=utf-8"
	tests := []struct {
		name, method, path, wantType, wantCache string
		wantStatus                              int
	}{
		{name: "start page", method: "GET", path: "/", wantStatus: 200, wantType: html, wantCache: "no-cache"},
		{name: "page", method: "GET", path: "/join/5f0c", wantStatus: 200, wantType: html, wantCache: "no-cache"},
		{name: "page by HEAD", method: "HEAD", path: "/join/5f0c", wantStatus: 200, wantType: html, wantCache: "no-cache"},
		{name: "console", method: "GET", path: "/console", wantStatus: 200, wantType: html, wantCache: "no-cache"},
		{name: "screen of the console", method: "GET", path: "/console/calls/5f0c", wantStatus: 200, wantType: html, wantCache: "no-cache"},
		{name: "asset", method: "GET", path: "/assets/join-0123456789abcdef.js", wantStatus: 200, wantType: script, wantCache: "public, max-age=31536000, immutable"},
		{name: "unknown asset", method: "GET", path: "/assets/join-fedcba9876543210.js", wantStatus: 404},
		{name: "no asset compressed by its own name", method: "GET", path: "/assets/join-0123456789abcdef.js.br", wantStatus: 404},
		{name: "no folder above", method: "GET", path: "/assets/..%2fplaceholder.txt", wantStatus: 404},
		{name: "no list of assets", method: "GET", path: "/assets/", wantStatus: 404},
		{name: "page of no meeting", method: "GET", path: "/join/", wantStatus: 404},
		{name: "nothing else", method: "GET", path: "/placeholder.txt", wantStatus: 404},
		{name: "no writing", method: "POST", path: "/join/5f0c", wantStatus: 405},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			answer := httptest.NewRecorder()
			h.ServeHTTP(answer, httptest.NewRequest(test.method, test.path, nil))
			if answer.Code != test.wantStatus {
				t.Fatalf("status %d, want %d", answer.Code, test.wantStatus)
			}
			if test.wantStatus != http.StatusOK {
				return
			}
			got := []string{answer.Header().Get("Content-Type"), answer.Header().Get("Cache-Control")}
			if diff := cmp.Diff([]string{test.wantType, test.wantCache}, got); diff != "" {
				t.Errorf("type and cache (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAssetsAreServedCompressed(t *testing.T) {
	t.Parallel()
	h := handler(fstest.MapFS{
		"assets/a.js":    {Data: []byte("plain")},
		"assets/a.js.br": {Data: []byte("brotli")},
		"assets/a.js.gz": {Data: []byte("gzip")},
		"assets/b.css":   {Data: []byte("plain")},
	})
	tests := []struct{ path, accept, wantBody, wantEncoding string }{
		{path: "/assets/a.js", wantBody: "plain"},
		{path: "/assets/a.js", accept: "gzip, deflate, br", wantBody: "brotli", wantEncoding: "br"},
		{path: "/assets/a.js", accept: "gzip, br;q=0", wantBody: "gzip", wantEncoding: "gzip"},
		{path: "/assets/a.js", accept: "gzip;q=0.5", wantBody: "gzip", wantEncoding: "gzip"},
		{path: "/assets/a.js", accept: "br; q=0.0, identity", wantBody: "plain"},
		{path: "/assets/b.css", accept: "br", wantBody: "plain"},
	}
	for _, test := range tests {
		t.Run(test.path+" "+test.accept, func(t *testing.T) {
			t.Parallel()
			request := httptest.NewRequest(http.MethodGet, test.path, nil)
			request.Header.Set("Accept-Encoding", test.accept)
			answer := httptest.NewRecorder()
			h.ServeHTTP(answer, request)
			got := []string{answer.Body.String(), answer.Header().Get("Content-Encoding"), answer.Header().Get("Vary")}
			if diff := cmp.Diff([]string{test.wantBody, test.wantEncoding, "Accept-Encoding"}, got); diff != "" {
				t.Errorf("body, coding and what it varies by (-want +got):\n%s", diff)
			}
		})
	}
}

// What a browser has to load before the first screen of the console is there.
func TestTheConsoleStartsSmall(t *testing.T) {
	t.Parallel()
	const most = 400_000
	if !Built() {
		t.Skip("the pages are not built; scripts/web.sh builds them")
	}
	page, err := fs.ReadFile(Files(), consolePage)
	if err != nil {
		t.Fatal(err)
	}
	total := len(page)
	// The first screen is the list of calls, whose script is loaded by that of the page.
	named := regexp.MustCompile(`"/(assets/[^"]+)"`).FindAllStringSubmatch(string(page), -1)
	for _, match := range named {
		total += packedSize(t, match[1])
	}
	screens, err := fs.Glob(Files(), "assets/console-calls-*")
	if err != nil || len(screens) == 0 {
		t.Fatalf("the list of calls has no script of its own: %v", err)
	}
	for _, name := range screens {
		if ext := path.Ext(name); ext == ".js" || ext == ".css" {
			total += packedSize(t, name)
		}
	}
	if total > most {
		t.Errorf("the first load is %d bytes compressed by gzip, at most %d are wanted", total, most)
	}
}

// packedSize is the size of an asset as gzip leaves it.
func packedSize(t *testing.T, name string) int {
	t.Helper()
	content, err := fs.ReadFile(Files(), name+".gz")
	if err != nil {
		content, err = fs.ReadFile(Files(), name)
	}
	if err != nil {
		t.Fatal(err)
	}
	return len(content)
}

func TestHandlerSaysThatPagesAreMissing(t *testing.T) {
	t.Parallel()
	answer := httptest.NewRecorder()
	handler(fstest.MapFS{}).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/join/5f0c", nil))
	if answer.Code != http.StatusServiceUnavailable || !strings.Contains(answer.Body.String(), "make build") {
		t.Errorf("got %d %q, want 503 that names make build", answer.Code, answer.Body.String())
	}
}

// The pages that are in this binary have nothing inline, which the policy that they are served with would refuse, and all that they name.
func TestBuiltPagesFitTheirPolicy(t *testing.T) {
	t.Parallel()
	if !Built() {
		if os.Getenv("CI") == "true" {
			t.Fatal("the pages are not built: run scripts/web.sh before the tests")
		}
		t.Skip("the pages are not built; scripts/web.sh builds them")
	}
	for _, address := range []string{"/", "/join/5f0c", "/console/calls"} {
		t.Run(address, func(t *testing.T) { checkPage(t, address) })
	}
}

func checkPage(t *testing.T, address string) {
	t.Helper()
	answer := httptest.NewRecorder()
	Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, address, nil))
	page := answer.Body.String()
	if got := answer.Header().Get("Content-Security-Policy"); !strings.Contains(got, "script-src 'self';") || strings.Contains(got, "unsafe") {
		t.Errorf("policy %q allows more than scripts of this origin", got)
	}
	if inline := regexp.MustCompile(`<script[^>]*>[^<]|<style|\son\w+=|\sstyle=`).FindString(page); inline != "" {
		t.Errorf("the page has something inline: %q", inline)
	}
	named := regexp.MustCompile(`"(/assets/[^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(named) < 2 {
		t.Fatalf("the page names %d assets, want a script and a style at least", len(named))
	}
	for _, match := range named {
		asset := httptest.NewRecorder()
		Handler().ServeHTTP(asset, httptest.NewRequest(http.MethodGet, match[1], nil))
		if asset.Code != http.StatusOK {
			t.Errorf("%s answers %d", match[1], asset.Code)
		}
	}
}
