package identity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"syscall"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"
)

const (
	// keysFresh is how long keys are used without looking again.
	keysFresh = time.Hour
	// keysStale is how long keys are used while their issuer can't be reached.
	keysStale = 6 * time.Hour
	// fetchPause is between two fetches of one issuer, whoever presents unknown key ids and whatever fails.
	fetchPause = 5 * time.Second
	// maxIssuers is how many issuers' keys are kept; one is forgotten for each above.
	maxIssuers = 1000
)

// issuers knows the metadata and keys of OpenID providers. Only URLs that a row of the directory or the configuration names are ever fetched.
type issuers struct {
	client *http.Client
	now    func() time.Time
	log    *slog.Logger

	flights singleflight.Group
	mu      sync.Mutex
	known   map[string]*provider // guarded by mu; the values are never changed
	tried   map[string]time.Time // guarded by mu: the last fetch
}

// provider is what was fetched of one issuer.
type provider struct {
	keys     keySet
	endpoint oauth2.Endpoint
	// statesIssuer: its answers to logins say who it is (RFC 9207).
	statesIssuer bool
	// endSession is where browsers end their session there; "" if nowhere.
	endSession string
	// userinfo is where claims are that ID tokens don't have; "" if nowhere.
	userinfo string
	fetched  time.Time
}

func newIssuers(timeout time.Duration, now func() time.Time, log *slog.Logger) *issuers {
	dialer := &net.Dialer{Timeout: timeout, Control: refuseLinkLocal}
	return &issuers{
		client: &http.Client{
			Timeout:   timeout,
			Transport: bounded{&http.Transport{DialContext: dialer.DialContext, Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: timeout, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute}},
			// A redirect could lead to where the URL's check would not have let it.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		now: now, log: log, known: map[string]*provider{}, tried: map[string]time.Time{},
	}
}

// refuseLinkLocal keeps issuers' URLs, which administrators of organisations set, away from cloud metadata services.
func refuseLinkLocal(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("dial issuer: %w", err)
	}
	if ip := to.Addr().Unmap(); ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() {
		return errors.New("dial issuer: the address is link-local, multicast or unspecified")
	}
	return nil
}

// bounded cuts answers off at maxIssuerDocSize.
type bounded struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := b.next.RoundTrip(r)
	if err == nil {
		response.Body = limitedBody{http.MaxBytesReader(nil, response.Body, maxIssuerDocSize)}
	}
	return response, err
}

type limitedBody struct{ io.ReadCloser }

// get is what is known of an issuer; fetched if need be. kid, if not "", is a key id that ought to be known.
func (i *issuers) get(ctx context.Context, issuer, kid string) (*provider, error) {
	now := i.now()
	i.mu.Lock()
	known, tried := i.known[issuer], i.tried[issuer]
	i.mu.Unlock()
	fresh := known != nil && now.Sub(known.fetched) < keysFresh && known.keys.has(kid)
	paused := !tried.IsZero() && now.Sub(tried) < fetchPause
	if !fresh && !paused {
		fetched, err := i.fetchOnce(ctx, issuer)
		switch {
		case err == nil:
			known = fetched
		case ctx.Err() != nil:
			return nil, fmt.Errorf("fetch keys of issuer: %w", ctx.Err())
		}
	}
	if known == nil || now.Sub(known.fetched) > keysStale {
		return nil, refuse(IssuerUnavailable, "the keys of the token's issuer can't be fetched just now; try again, and check the issuer's URL")
	}
	return known, nil
}

// fetchOnce lets all who want an issuer at once wait for one fetch, which goes on when the first of them goes away.
func (i *issuers) fetchOnce(ctx context.Context, issuer string) (*provider, error) {
	flight := i.flights.DoChan(issuer, func() (any, error) {
		fetched, err := i.fetch(context.WithoutCancel(ctx), issuer)
		if err != nil {
			i.log.WarnContext(ctx, "an issuer's keys can't be fetched", "issuer", issuer, "error", err.Error())
		}
		i.keep(issuer, fetched)
		return fetched, err
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case result := <-flight:
		if result.Err != nil {
			return nil, result.Err
		}
		fetched, _ := result.Val.(*provider)
		return fetched, nil
	}
}

func (i *issuers) keep(issuer string, fetched *provider) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for other := range i.tried {
		if len(i.tried) < maxIssuers {
			break
		}
		if other != issuer {
			delete(i.tried, other)
			delete(i.known, other)
		}
	}
	i.tried[issuer] = i.now()
	if fetched != nil {
		i.known[issuer] = fetched
	}
}

func (i *issuers) fetch(ctx context.Context, issuer string) (*provider, error) {
	if err := CheckIssuerURL(issuer); err != nil {
		return nil, err
	}
	ctx = oidc.ClientContext(ctx, i.client)
	discovered, err := oidc.NewProvider(ctx, issuer) // refuses metadata of another issuer
	if err != nil {
		return nil, fmt.Errorf("fetch metadata: %w", withoutBody(err))
	}
	var metadata struct {
		KeysURL      string `json:"jwks_uri"`
		StatesIssuer bool   `json:"authorization_response_iss_parameter_supported"`
		EndSession   string `json:"end_session_endpoint"`
		Userinfo     string `json:"userinfo_endpoint"`
	}
	if err := discovered.Claims(&metadata); err != nil {
		return nil, errors.New("read metadata: it is not the JSON that it should be")
	}
	endpoint := discovered.Endpoint()
	for name, location := range map[string]string{
		"jwks_uri": metadata.KeysURL, "authorization_endpoint": endpoint.AuthURL, "token_endpoint": endpoint.TokenURL, "end_session_endpoint": metadata.EndSession,
		"userinfo_endpoint": metadata.Userinfo,
	} {
		if location == "" && name != "jwks_uri" {
			continue // an issuer of tokens only: nobody logs in there by a browser
		}
		if err := sameSafety(issuer, location); err != nil {
			return nil, fmt.Errorf("read metadata: %s: %w", name, err)
		}
	}
	keys, err := i.fetchKeys(ctx, metadata.KeysURL)
	if err != nil {
		return nil, fmt.Errorf("fetch keys: %w", err)
	}
	// The client id goes into the body; trying both styles in turn would spend a code's only use.
	endpoint.AuthStyle = oauth2.AuthStyleInParams
	return &provider{keys: keys, endpoint: endpoint, statesIssuer: metadata.StatesIssuer, endSession: metadata.EndSession, userinfo: metadata.Userinfo, fetched: i.now()}, nil
}

// withoutBody keeps answers of strangers, which go-oidc quotes, out of logs.
func withoutBody(err error) error {
	var mismatch *oidc.IssuerMismatchError
	var transport *url.Error
	switch {
	case errors.As(err, &mismatch):
		return errors.New("the metadata is of another issuer")
	case errors.As(err, &transport):
		return transport
	default:
		return errors.New("the answer is not OpenID metadata")
	}
}

// sameSafety wants what an issuer refers to at least as protected as the issuer itself: https, or loopback for an issuer on loopback.
func sameSafety(issuer, location string) error {
	from, err := url.Parse(issuer)
	if err != nil {
		return fmt.Errorf("read issuer: %w", err)
	}
	to, err := url.Parse(location)
	if err != nil || to.Host == "" || to.User != nil {
		return errors.New("is not an absolute URL")
	}
	if to.Scheme == "https" || (to.Scheme == "http" && loopbackHost(from.Hostname()) && loopbackHost(to.Hostname())) {
		return nil
	}
	return errors.New("is not https")
}

func (i *issuers) fetchKeys(ctx context.Context, location string) (keySet, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, location, nil)
	if err != nil {
		return keySet{}, err
	}
	response, err := i.client.Do(request)
	if err != nil {
		return keySet{}, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return keySet{}, fmt.Errorf("the answer is %d", response.StatusCode)
	}
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return keySet{}, fmt.Errorf("read answer: %w", err)
	}
	return parseIssuerKeys(raw)
}

// issuerKeys is one issuer's keySource.
type issuerKeys struct {
	issuers *issuers
	url     string
}

// keysFor implements keySource.
func (k issuerKeys) keysFor(ctx context.Context, kid string) (keySet, error) {
	known, err := k.issuers.get(ctx, k.url, kid)
	if err != nil {
		return keySet{}, err
	}
	return known.keys, nil
}
