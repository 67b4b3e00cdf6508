package web

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestHandlerServesPagesAndAssetsOnly(t *testing.T) {
	t.Parallel()
	h := handler(fstest.MapFS{
		"home.html":                       {Data: []byte("<!doctype html>")},
		"join.html":                       {Data: []byte("<!doctype html>")},
		"assets/join-0123456789abcdef.js": {Data: []byte("export {}")},
		"placeholder.txt":                 {Data: []byte("-")},
	})
	const html, script = "text/html; charset=utf-8", "text/javascript; charset=utf-8"
	tests := []struct {
		name, method, path, wantType, wantCache string
		wantStatus                              int
	}{
		{name: "start page", method: "GET", path: "/", wantStatus: 200, wantType: html, wantCache: "no-cache"},
		{name: "page", method: "GET", path: "/join/5f0c", wantStatus: 200, wantType: html, wantCache: "no-cache"},
		{name: "page by HEAD", method: "HEAD", path: "/join/5f0c", wantStatus: 200, wantType: html, wantCache: "no-cache"},
		{name: "asset", method: "GET", path: "/assets/join-0123456789abcdef.js", wantStatus: 200, wantType: script, wantCache: "public, max-age=31536000, immutable"},
		{name: "unknown asset", method: "GET", path: "/assets/join-fedcba9876543210.js", wantStatus: 404},
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
	for _, path := range []string{"/", "/join/5f0c"} {
		t.Run(path, func(t *testing.T) { checkPage(t, path) })
	}
}

func checkPage(t *testing.T, path string) {
	t.Helper()
	answer := httptest.NewRecorder()
	Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
	page := answer.Body.String()
	if got := answer.Header().Get("Content-Security-Policy"); !strings.Contains(got, "script-src 'self';") || strings.Contains(got, "unsafe") {
		t.Errorf("policy %q allows more than scripts of this origin", got)
	}
	if inline := regexp.MustCompile(`<script[^>]*>[^<]|<style|\son\w+=|\sstyle=`).FindString(page); inline != "" {
		t.Errorf("the page has something inline: %q", inline)
	}
	named := regexp.MustCompile(`"(/assets/[^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(named) != 2 {
		t.Fatalf("the page names %d assets, want a script and a style", len(named))
	}
	for _, match := range named {
		asset := httptest.NewRecorder()
		Handler().ServeHTTP(asset, httptest.NewRequest(http.MethodGet, match[1], nil))
		if asset.Code != http.StatusOK {
			t.Errorf("%s answers %d", match[1], asset.Code)
		}
	}
}
