package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/store"
)

// Active is what decides for an organisation now.
type Active struct {
	// Name of it, another one with each activation.
	Name string
	// Revision is nil where the base decides alone.
	Revision *policy.Revision
}

// Policies knows what decides.
type Policies interface {
	// ActiveName is the name alone.
	ActiveName(ctx context.Context, org string) (string, error)
	Active(ctx context.Context, org string) (Active, error)
}

// Decider decides, as meetings have it.
type Decider interface {
	Decide(ctx context.Context, org string, in policy.Input) policy.Decision
}

// Deps are what the exchange works with. All but Key and Log are required.
type Deps struct {
	Store    *store.Store
	Tokens   *Tokens
	Base     *policy.Base
	Policies Policies
	Decider  Decider
	// Key signs bundles. Without one none are handed out.
	Key      *Key
	Registry prometheus.Registerer
	Log      *slog.Logger
}

// Exchange answers agents. Safe for concurrent use.
type Exchange struct {
	cfg     Config
	deps    Deps
	mux     *http.ServeMux
	metrics metrics
	// taking lets logs in.
	taking  *gate
	waiters waiters
	// bodyTime is how long a body may take to come.
	bodyTime time.Duration

	// stopped is closed when nobody is to wait any longer.
	stopped chan struct{}
	stop    sync.Once

	mu    sync.Mutex
	built map[string]built // guarded by mu: by organisation
	// looked is what was found for those who wait; guarded by mu.
	looked map[string]seen
}

// seen is the name of what was active at a time.
type seen struct {
	name string
	at   time.Time
}

// built is the bundle of a name.
type built struct {
	name string
	body []byte
}

// maxBuilt is of how many organisations bundles are remembered.
const maxBuilt = 64

// Paths are the addresses that it answers at, as http.ServeMux has them; one that ends with a slash stands for all that begins with it.
func Paths() []string { return []string{"/bundles/", "/logs", "/status", "/v1/data/"} }

// New makes an exchange.
func New(cfg Config, deps Deps) (*Exchange, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	e := &Exchange{
		cfg: cfg.withDefaults(), deps: deps, mux: http.NewServeMux(), stopped: make(chan struct{}),
		built: map[string]built{}, looked: map[string]seen{},
		taking: newGate(logsAtOnce, logsOfEach, logPatience), waiters: waiters{here: map[string]int{}}, bodyTime: bodyTime,
	}
	var err error
	if e.metrics, err = newMetrics(deps.Registry); err != nil {
		return nil, err
	}
	e.mux.HandleFunc("GET /bundles/{name}", e.proven(e.bundle))
	e.mux.HandleFunc("POST /logs", e.proven(e.logs))
	e.mux.HandleFunc("POST /logs/{partition}", e.proven(e.logs))
	e.mux.HandleFunc("POST /status", e.proven(e.status))
	e.mux.HandleFunc("POST /v1/data/{path...}", e.proven(e.data))
	return e, nil
}

// Close lets nobody wait any longer.
func (e *Exchange) Close() { e.stop.Do(func() { close(e.stopped) }) }

// ServeHTTP answers an agent.
func (e *Exchange) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	e.mux.ServeHTTP(w, r)
}

// proven has a request answered that an organisation's token came with.
func (e *Exchange) proven(answer func(w http.ResponseWriter, r *http.Request, org string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		org, err := e.prove(r)
		if err == nil {
			err = answer(w, r, org)
		}
		if err != nil {
			e.refuse(w, r, err)
		}
	}
}

func (e *Exchange) prove(r *http.Request) (string, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", ErrToken
	}
	return e.deps.Tokens.Prove(r.Context(), strings.TrimSpace(token))
}

// refusal is an answer in the form of OPA's errors.
type refusal struct {
	status        int
	code, message string
}

func (r *refusal) Error() string { return r.code }

func (e *Exchange) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var known *refusal
	switch {
	case errors.As(err, &known):
	case errors.Is(err, ErrToken):
		known = &refusal{http.StatusUnauthorized, "unauthorized", "Send a token of the organisation's agents as Authorization: Bearer …; it may have ended or been revoked."}
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrQueryTimeout):
		known = &refusal{http.StatusServiceUnavailable, "unavailable", "The database does not answer just now; try again."}
	case r.Context().Err() != nil:
		return
	default:
		e.deps.Log.ErrorContext(r.Context(), "agent could not be answered", "error", err)
		known = &refusal{http.StatusInternalServerError, "internal_error", "Something went wrong here; the log has more."}
	}
	switch known.status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "5")
	}
	e.write(w, r, known.status, map[string]string{"code": known.code, "message": known.message})
}

func (e *Exchange) write(w http.ResponseWriter, r *http.Request, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		e.deps.Log.DebugContext(r.Context(), "agent left before its answer", "error", err)
	}
}
