package api

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	_ "embed" // for openapi.yaml

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/anteroom/anteroom/analytics/live"
	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/directory/registry"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/identity/apitoken"
	"github.com/anteroom/anteroom/quality"
	"github.com/anteroom/anteroom/retention"
	"github.com/anteroom/anteroom/retention/report"
	"github.com/anteroom/anteroom/store"
)

//go:embed openapi.yaml
var document []byte

// Check is one thing that the service needs to do its work.
type Check struct {
	Name string
	OK   bool
	// Reason why it is not, in plain English; empty when it is.
	Reason string
	// Side: the service does its work without it. Of a further region, which holds up nothing but what is its own.
	Side bool
}

// Deps are what the API works with.
type Deps struct {
	// Store is where calls are read. Required.
	Store *store.Store
	// Profiles are the thresholds to judge by. Default: the published ones.
	Profiles *quality.Profiles
	// Tracer makes a span of each request. Default: none.
	Tracer trace.Tracer
	// Importer takes files in. Without one, imports are refused.
	Importer Importer
	// Ready makes the checks of /readyz; it is asked per request and should answer within seconds. Without it the service is always
	// ready.
	Ready func(context.Context) []Check
	// Registry is what /metrics shows, and where the API registers its own. Default: a new one.
	Registry *prometheus.Registry
	// Logger. Default: none.
	Logger *slog.Logger
	// Version is what /version shows.
	Version string

	// Auth proves who asks. Without it all that is not public is refused.
	Auth identity.Authenticator
	// Resources prove themselves by it. Without it no resource is believed.
	Resources Resources
	// RegionStores are the stores of all regions, by name: logs of resources and usage are in the resources' own. Default: none of them can be read.
	RegionStores map[string]*store.Store
	// Sessions reads session cookies. Without it browsers' sessions are not known.
	Sessions Sessions
	// Tokens are those of organisations' scripts. Without it none is believed, and none can be made.
	Tokens *apitoken.Tokens
	// Login makes the flow by which browsers sign in; redirectURL is the absolute address of /callback as the browser knows it. Without it
	// /login is refused.
	Login func(redirectURL string) (Login, error)
	// JoinPage signs tokens for guests of the shipped join page. Without it they are refused.
	JoinPage GuestSigner
	// Links makes and checks meetings' links. Without it meetings can't be shown.
	Links Links
	// PageKey signs the places in lists that clients hand back; it is the same on all nodes. Default: one of this process.
	PageKey []byte
	// Directory has organisations, users, resources and meetings. Without it their routes are refused.
	Directory *registry.Registry
	// Live says how running calls are watched. Default: live.DefaultConfig.
	Live live.Config
	// Meetings are those that run. Without it what is asked of them is refused, media_unavailable.
	Meetings Meetings
	// Regions are those of the installation, the home region first: organisations are made in that one, resources in any. Default: not checked.
	Regions []string
	// Collector takes statistics of clients in. Without one they are refused, collect_unavailable.
	Collector Collector
	// Recordings of calls. Without it they are refused, recordings_unavailable.
	Recordings Recordings
	// Ledgers are the regions' transparency logs, to be read. Without it they are not found.
	Ledgers Ledgers
	// Exports are reports as jobs. Without it they are refused, exports_unavailable.
	Exports *report.Jobs
	// Retention changes retention policies and holds. Without it that is refused, retention_unavailable.
	Retention *retention.Rulebook
	// Policies are what organisations' own policies are made and tried with. Without it they are refused, policies_unavailable.
	Policies *Policies
	// Surveys takes ratings of those who were in a call. Without it they are refused, media_unavailable.
	Surveys Surveys
	// Mounts are served beside the document's routes: by path, or by what paths begin with if the key ends with "/".
	Mounts map[string]Mount
	// Remote allows to listen where other machines can reach the service. Set it only where Auth can't be talked into anything: never with
	// the development issuer.
	Remote bool
}

// Resources proves resources.
type Resources interface {
	// Resource proves a resource itself by a token that it has signed; each token works once. The errors are *identity.Error, or of the context.
	Resource(ctx context.Context, token string) (identity.Principal, error)
}

// Server is the HTTP service.
type Server struct {
	cfg Config
	log *slog.Logger
	// tracer is nil where nothing is traced.
	tracer trace.Tracer
	echo   *echo.Echo
	http   *http.Server

	auth      identity.Authenticator
	resources Resources
	sessions  Sessions
	tokens    *apitoken.Tokens
	directory *registry.Registry
	mounts    map[string]Mount
	metrics   *metrics
	origins   *http.CrossOriginProtection
	remote    bool
	proxies   proxies
	pace      pace
	// certificate is nil where http is served.
	certificate *certificate
	// page shows a problem to a person.
	page *template.Template
}

// handlers answer the operations of the document.
type handlers struct {
	cfg      Config
	reader   *store.Reader
	profiles *quality.Profiles
	importer Importer
	// collector is nil where statistics aren't taken in.
	collector Collector
	ready     func(context.Context) []Check
	registry  *prometheus.Registry
	version   string
	document  map[string]any
	// imports has a place for each import that may run.
	imports chan struct{}

	newLogin func(redirectURL string) (Login, error)
	// sessions is nil where browsers have none.
	sessions  Sessions
	tokens    *apitoken.Tokens
	joinPage  GuestSigner
	links     Links
	directory *registry.Registry
	meetings  Meetings
	// recordings is nil where there is no folder of them.
	recordings Recordings
	regions    []string
	pageKey    []byte
	// ledgers is nil where there are none.
	ledgers Ledgers
	// exports is nil where there is no folder of them.
	exports *report.Jobs
	// retention is nil where policies and holds can't be changed.
	retention *retention.Rulebook
	// regionReaders by region.
	regionReaders map[string]*store.Reader
	// live are running calls, for those who watch.
	live    *live.Hub
	limits  limits
	proxies proxies
	fresh   freshness
	judged  judged
	// store is where tags, views and sites are written.
	store *store.Store
	// surveys is nil where answers can't be taken.
	surveys Surveys
	// policies is nil where they can be neither made nor tried.
	policies *Policies
}

// New makes the service. It starts nothing. The error names each field of the configuration that is wrong.
func New(cfg Config, deps Deps) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("make API: %w", err)
	}
	cfg = cfg.withDefaults()
	if deps.Store == nil {
		return nil, errors.New("make API: no store")
	}
	if deps.Logger == nil {
		deps.Logger = slog.New(slog.DiscardHandler)
	}
	if len(deps.PageKey) == 0 {
		deps.PageKey = []byte(rand.Text())
	}
	if deps.Registry == nil {
		deps.Registry = prometheus.NewRegistry()
	}
	if deps.Profiles == nil {
		profiles, err := quality.NewProfiles(quality.DefaultConfig())
		if err != nil {
			return nil, fmt.Errorf("make API: %w", err)
		}
		deps.Profiles = profiles
	}
	doc, asJSON, err := readDocument()
	if err != nil {
		return nil, fmt.Errorf("make API: %w", err)
	}
	m, err := newMetrics(deps.Registry)
	if err != nil {
		return nil, fmt.Errorf("make API: %w", err)
	}
	s, err := newServer(cfg, deps, m)
	if err != nil {
		return nil, fmt.Errorf("make API: %w", err)
	}
	h := &handlers{
		cfg: cfg, reader: store.NewReader(deps.Store, cfg.Query), profiles: deps.Profiles, importer: deps.Importer, ready: deps.Ready,
		registry: deps.Registry, version: deps.Version, document: asJSON, imports: make(chan struct{}, cfg.MaxImports),
		newLogin: deps.Login, sessions: deps.Sessions, tokens: deps.Tokens, joinPage: deps.JoinPage, links: deps.Links, directory: deps.Directory, meetings: deps.Meetings, recordings: deps.Recordings,
		regions:   deps.Regions,
		collector: deps.Collector, exports: deps.Exports, ledgers: deps.Ledgers, retention: deps.Retention,
		limits:  limits{newLimiter(cfg.JoinPagePerMinute), newLimiter(cfg.JoinPagePerMinute), newLimiter(cfg.GuestCallsPerMinute)},
		proxies: newProxies(cfg.TrustedProxies), store: deps.Store, surveys: deps.Surveys, policies: deps.Policies, pageKey: deps.PageKey,
	}
	h.regionReaders = make(map[string]*store.Reader, len(deps.RegionStores))
	for region, s := range deps.RegionStores {
		h.regionReaders[region] = store.NewReader(s, cfg.Query)
	}
	if h.live, err = liveHub(deps.Live, h, deps); err != nil {
		return nil, fmt.Errorf("make API: %w", err)
	}
	s.route(h, doc, m)
	s.http = &http.Server{
		Handler: s, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		WriteTimeout: 6*cfg.Query.Timeout + 30*time.Second, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(quietHandler{deps.Logger.Handler()}, slog.LevelDebug),
	}
	s.http.RegisterOnShutdown(h.live.Close) // Who watches would else be waited for.
	return s, nil
}

// newServer makes the part that knows no routes.
func newServer(cfg Config, deps Deps, m *metrics) (*Server, error) {
	s := &Server{
		cfg: cfg, log: deps.Logger, tracer: deps.Tracer, echo: echo.New(), auth: deps.Auth, resources: deps.Resources, sessions: deps.Sessions, tokens: deps.Tokens, directory: deps.Directory, mounts: deps.Mounts,
		metrics: m, origins: http.NewCrossOriginProtection(), remote: deps.Remote && deps.Auth != nil,
		proxies: newProxies(cfg.TrustedProxies), pace: newPace(cfg),
	}
	var err error
	if cfg.TLS.on() {
		if s.certificate, err = newCertificate(cfg.TLS, deps.Logger); err != nil {
			return nil, err
		}
	}
	if s.page, err = newPage(); err != nil {
		return nil, err
	}
	if host, _, err := splitListen(cfg.Listen); err == nil && !s.remote {
		if err := loopbackOnly(cfg.Listen, host); err != nil {
			return nil, err
		}
	}
	if cfg.PublicURL != "" {
		if err := s.origins.AddTrustedOrigin(strings.TrimSuffix(cfg.PublicURL, "/")); err != nil {
			return nil, fmt.Errorf("public_url: %w", err)
		}
	}
	return s, nil
}

// route sets up the routes and what comes before them, from the outside in.
func (s *Server) route(h *handlers, doc *openapi3.T, m *metrics) {
	e := s.echo
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = s.writeError
	e.Pre(s.requestID, s.observe(m), s.recoverPanic, s.guard)
	e.Binder = bodies{operationsOf(doc)}
	// Parameters first: whoever is asked about is then told once and well-formed.
	e.Use(s.limitBody, s.checkParameters(doc), s.control(doc))
	strict := openapi.NewStrictHandler(h, []openapi.StrictMiddlewareFunc{withRequest(h.pageKey)})
	openapi.RegisterHandlers(e, strict)
}

// readDocument reads the embedded document, as the library's type and as plain values.
func readDocument() (*openapi3.T, map[string]any, error) {
	doc, err := openapi3.NewLoader().LoadFromData(document)
	if err != nil {
		return nil, nil, fmt.Errorf("read OpenAPI document: %w", err)
	}
	asJSON, err := plain(doc)
	if err != nil {
		return nil, nil, fmt.Errorf("write OpenAPI document: %w", err)
	}
	return doc, asJSON, nil
}

// ServeHTTP answers one request; for tests and for whoever brings a listener of their own.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.harden(w, r)
	if pattern, mount, ok := s.mountOf(r.URL.Path); ok {
		s.serveMount(w, r, pattern, mount)
		return
	}
	s.echo.ServeHTTP(w, oneTile(unversioned(r)))
}

// ClientOf is the address that a request comes from, as trusted proxies tell it; for mounts that limit addresses.
func (s *Server) ClientOf(r *http.Request) netip.Addr { return s.proxies.client(r) }

// Listen binds the configured address, before there is a Server: what the API stands on may need to know it. It fails with ErrNotLoopback for
// one that other machines can reach, unless remote allows it as in Deps.
func Listen(ctx context.Context, cfg Config, remote bool) (net.Listener, error) {
	address, err := resolveListen(ctx, cfg.withDefaults().Listen, remote)
	if err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", address.String())
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return listener, nil
}

// Serve answers on a listener until the context ends, then lets requests finish for StopTimeout. It closes the listener. A listener
// that is not on a loopback address is refused unless Deps.Remote allows it. It is called once.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	defer listener.Close() // Serve has closed it already, mostly.
	if address, err := netip.ParseAddrPort(listener.Addr().String()); !s.remote && (err != nil || !address.Addr().Unmap().IsLoopback()) {
		return fmt.Errorf("serve: %q %w", listener.Addr(), ErrNotLoopback)
	}
	// Requests end with the service, not with ctx: that one only says when to stop.
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	s.http.BaseContext = func(net.Listener) context.Context { return requests }
	failed := make(chan error, 1)
	scheme, serve := "http", s.http.Serve
	if s.certificate != nil {
		s.http.TLSConfig = s.certificate.config()
		scheme, serve = "https", func(l net.Listener) error { return s.http.ServeTLS(l, "", "") }
	}
	go func() { failed <- serve(listener) }()
	s.log.InfoContext(ctx, "API listens", slog.String("url", scheme+"://"+listener.Addr().String()))
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(requests, s.cfg.StopTimeout)
	defer cancel()
	if err := s.http.Shutdown(grace); err != nil {
		s.log.WarnContext(requests, "requests were cut off at stop")
		cut()
		if err := s.http.Close(); err != nil {
			return fmt.Errorf("stop serving: %w", err)
		}
	}
	return nil
}

// Run listens and serves until the context ends.
func (s *Server) Run(ctx context.Context) error {
	listener, err := Listen(ctx, s.cfg, s.remote)
	if err != nil {
		return err
	}
	return s.Serve(ctx, listener)
}

// quietHandler passes on that net/http had something to say, without the words, which have addresses in them.
type quietHandler struct{ slog.Handler }

func (h quietHandler) Handle(ctx context.Context, record slog.Record) error {
	return h.Handler.Handle(ctx, slog.NewRecord(record.Time, record.Level, "HTTP connection failed", record.PC)) //nolint:wrapcheck // passed through
}
