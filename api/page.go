package api

import (
	"fmt"
	"html/template"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/anteroom/anteroom/api/openapi"
)

// problemPage is a problem for somebody in front of a browser. It needs nothing but itself.
const problemPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title>
<style>
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { margin: 15vh auto; max-width: 36rem; padding: 0 1rem; }
small { opacity: .75; }
</style>
</head>
<body>
<main>
<h1>{{.Title}}</h1>
<p>{{.Detail}}</p>
<p>Go back to the page that you came from and sign in from there, or <a href="/login">sign in here</a>.</p>
<p><small>For support: {{.Code}}{{with .RequestId}}, request {{.}}{{end}}</small></p>
</main>
</body>
</html>
`

// wantsPage tells whether a browser shows the answer to a person: where it is sent to sign in, and comes back to.
func wantsPage(c echo.Context) bool {
	if path := c.Path(); path != "/login" && path != "/callback" {
		return false
	}
	for _, kind := range strings.Split(c.Request().Header.Get(echo.HeaderAccept), ",") {
		if kind, _, _ = strings.Cut(kind, ";"); strings.EqualFold(strings.TrimSpace(kind), echo.MIMETextHTML) {
			return true
		}
	}
	return false
}

// writePage writes a problem as a page.
func (s *Server) writePage(c echo.Context, p openapi.Problem) error {
	header := c.Response().Header()
	header.Set(echo.HeaderContentType, echo.MIMETextHTMLCharsetUTF8)
	header.Set(echo.HeaderContentSecurityPolicy, "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	c.Response().WriteHeader(p.Status)
	if err := s.page.Execute(c.Response(), p); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

// newPage reads the page's template.
func newPage() (*template.Template, error) {
	page, err := template.New("problem").Parse(problemPage)
	if err != nil {
		return nil, fmt.Errorf("read page: %w", err)
	}
	return page, nil
}
