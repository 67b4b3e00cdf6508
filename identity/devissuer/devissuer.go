// Package devissuer is a small OpenID provider for the one-machine default: it believes whatever is typed into it. It serves loopback only and
// says so loudly. The service meets it like any other issuer: discovery, key set, code flow with PKCE.
package devissuer

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/anteroom/anteroom/identity"
)

// Config says where the issuer is.
type Config struct {
	// URL is the issuer identifier, on loopback: http://127.0.0.1:8480/dev-issuer. Its path is where Handler is mounted. Required.
	URL string `koanf:"url"`
	// Folder keeps the signing key, mode 0600; who can read it can sign in as anybody. Required.
	Folder string `koanf:"folder"`
	// RedirectURLs are where browsers may be sent back to, exactly. Default none: nobody can log in by a browser.
	RedirectURLs []string `koanf:"redirect_urls"`
}

// Validate reports each field that can't work.
func (c Config) Validate() error {
	var errs []error
	if err := onLoopback(c.URL); err != nil {
		errs = append(errs, fmt.Errorf("url: %w", err))
	}
	if c.Folder == "" {
		errs = append(errs, errors.New("folder: is missing"))
	}
	for i, redirect := range c.RedirectURLs {
		if err := onLoopback(redirect); err != nil {
			errs = append(errs, fmt.Errorf("redirect_urls[%d]: %w", i, err))
		}
	}
	return errors.Join(errs...)
}

func onLoopback(text string) error {
	if err := identity.CheckIssuerURL(text); err != nil {
		return err
	}
	parsed, err := url.Parse(text)
	if err != nil || !loopbackHost(parsed.Hostname()) {
		return fmt.Errorf("%q is not on loopback, and whoever reaches the development issuer can sign in as anybody", text)
	}
	return nil
}

func loopbackHost(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && address.Unmap().IsLoopback())
}

// Organization is one to pick on the login page.
type Organization struct{ ID, Name string }

// Deps are what the issuer works with.
type Deps struct {
	// Organizations to pick from; without an issuer of their own, since the service believes the development issuer for no others.
	Organizations func(context.Context) ([]Organization, error)
	Log           *slog.Logger
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Issuer is the provider. All methods are safe for concurrent use.
type Issuer struct {
	cfg    Config
	deps   Deps
	signer jose.Signer
	public jose.JSONWebKey

	mu    sync.Mutex
	codes map[string]grant // guarded by mu: by code; each is taken out by its first use
}

const keyFile = "development-issuer.key"

// Open reads the signing key of the folder or makes it. An Issuer that only makes tokens needs no Deps.
func Open(cfg Config, deps Deps) (*Issuer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configure development issuer: %w", err)
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Organizations == nil {
		deps.Organizations = func(context.Context) ([]Organization, error) { return nil, nil }
	}
	key, err := readKey(filepath.Join(cfg.Folder, keyFile))
	if err != nil {
		return nil, err
	}
	public := jose.JSONWebKey{Key: key.Public(), Algorithm: string(jose.ES256), Use: "sig"}
	if public.KeyID, err = keyID(public); err != nil {
		return nil, err
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: public.KeyID}}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, fmt.Errorf("make development issuer's signer: %w", err)
	}
	return &Issuer{cfg: cfg, deps: deps, signer: signer, public: public, codes: map[string]grant{}}, nil
}

func readKey(path string) (*ecdsa.PrivateKey, error) {
	text, err := identity.SecretFile(path, func() ([]byte, error) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
	})
	if err != nil {
		return nil, fmt.Errorf("read development issuer's key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("read development issuer's key: %s is not PEM; delete it to have a new one made", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("read development issuer's key: %s has no P-256 key; delete it to have a new one made", path)
	}
	return key, nil
}
