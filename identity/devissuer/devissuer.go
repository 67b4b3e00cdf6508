// Package devissuer is a small OpenID provider for the one-machine default: it believes whatever is typed into it. It serves loopback only and
// says so loudly. The service meets it like any other issuer: discovery, key set, code flow with PKCE.
package devissuer

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/anteroom/anteroom/identity"
)

var errNotBuilt = errors.New("not built")

// Config says where the issuer is.
type Config struct {
	// URL is the issuer identifier, on loopback: http://127.0.0.1:8480/dev-issuer. Its path is where Handler is mounted. Required.
	URL string `koanf:"url"`
	// Folder keeps the signing key, mode 0600. Required.
	Folder string `koanf:"folder"`
	// RedirectURLs are where browsers may be sent back to, exactly. Required for logins.
	RedirectURLs []string `koanf:"redirect_urls"`
}

// Organization is one to pick on the login page.
type Organization struct{ ID, Name string }

// Deps are what the issuer works with.
type Deps struct {
	// Organizations to pick from.
	Organizations func(context.Context) ([]Organization, error)
	Log           *slog.Logger
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Issuer is the provider.
type Issuer struct{}

// Open reads the signing key of the folder or makes it. An Issuer that only makes tokens needs no Organizations.
func Open(cfg Config, deps Deps) (*Issuer, error) { return nil, errNotBuilt }

// Handler serves discovery, keys, login page and token endpoint under the path of Config.URL (full paths, no prefix stripped). It refuses
// whoever is not on loopback.
func (i *Issuer) Handler() http.Handler { return nil }

// Serve serves Handler until ctx ends; the listener must be on loopback.
func (i *Issuer) Serve(ctx context.Context, listener net.Listener) error { return errNotBuilt }

// Token makes a token as the login would: for a user of org with roles; identity.Operator alone wants org "".
func (i *Issuer) Token(org string, roles []identity.Role, user string, ttl time.Duration) (string, error) {
	return "", errNotBuilt
}
