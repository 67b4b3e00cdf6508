package devissuer

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/anteroom/anteroom/identity"
)

const (
	// codeTTL is how long a code waits for its one use.
	codeTTL = time.Minute
	// maxCodes bounds the memory of codes; it is one machine's.
	maxCodes = 1000
)

// request is an authorization request that was checked.
type request struct {
	redirect, state, nonce, challenge string
}

// grant is what a code stands for.
type grant struct {
	request request
	person  person
	expires time.Time
}

// challenge is base64url of a SHA-256 (RFC 7636).
var challenge = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// proves tells whether verifier is what the challenge was made of.
func (r request) proves(verifier string) bool {
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(r.challenge)) == 1
}

// read checks an authorization request. Its errors are for the person, not for the client: where a redirect would lead isn't known to be right.
func (i *Issuer) read(form url.Values) (request, error) {
	r := request{redirect: form.Get("redirect_uri"), state: form.Get("state"), nonce: form.Get("nonce"), challenge: form.Get("code_challenge")}
	switch {
	case form.Get("client_id") != identity.DevelopmentClient:
		return r, errors.New("client_id is not this service's")
	case !slices.Contains(i.cfg.RedirectURLs, r.redirect):
		return r, errors.New("redirect_uri is not one of this service's")
	case form.Get("response_type") != "code":
		return r, errors.New("response_type must be code")
	case form.Get("code_challenge_method") != "S256" || !challenge.MatchString(r.challenge):
		return r, errors.New("a code_challenge of method S256 is required")
	case len(r.state) > 1000 || len(r.nonce) > 1000:
		return r, errors.New("state or nonce is too long")
	}
	return r, nil
}

//go:embed login.html
var loginHTML string

//go:embed login.css
var loginCSS string

// page is what login.html shows.
type page struct {
	// Failed says what can't work; there is no form then. Wrong says what to correct.
	Failed, Wrong string
	CSS           template.CSS
	Organizations []Organization
	Roles         []identity.Role
	// What was typed.
	Org, User, Name string
	Chosen          map[identity.Role]bool
	// Hidden are the request's parameters.
	Hidden map[string]string
}

// showLogin shows the form.
func (i *Issuer) showLogin(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if _, err := i.read(query); err != nil {
		i.show(w, r, http.StatusBadRequest, page{Failed: err.Error()})
		return
	}
	i.show(w, r, http.StatusOK, page{Org: query.Get("login_hint"), User: "dev", Hidden: hidden(query)})
}

// login takes the form and sends the browser back with a code.
func (i *Issuer) login(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		i.show(w, r, http.StatusBadRequest, page{Failed: "the form can't be read"})
		return
	}
	form := r.PostForm
	req, err := i.read(form)
	if err != nil {
		i.show(w, r, http.StatusBadRequest, page{Failed: err.Error()})
		return
	}
	p := person{org: form.Get("organization"), user: strings.TrimSpace(form.Get("user")), name: strings.TrimSpace(form.Get("name"))}
	if p.name == "" {
		p.name = p.user
	}
	for _, role := range form["role"] {
		p.roles = append(p.roles, identity.Role(role))
	}
	if p.org == "" {
		p.roles = []identity.Role{identity.Operator}
	}
	if err := p.check(); err != nil {
		i.show(w, r, http.StatusUnprocessableEntity, page{Wrong: err.Error(), Org: p.org, User: p.user, Name: p.name, Chosen: chosen(p.roles), Hidden: hidden(form)})
		return
	}
	code, ok := i.give(grant{request: req, person: p})
	if !ok {
		i.show(w, r, http.StatusServiceUnavailable, page{Failed: "too many logins are under way; try again in a minute"})
		return
	}
	back, err := url.Parse(req.redirect)
	if err != nil {
		i.show(w, r, http.StatusBadRequest, page{Failed: "redirect_uri can't be read"})
		return
	}
	query := back.Query()
	query.Set("code", code)
	query.Set("state", req.state)
	query.Set("iss", i.cfg.URL)
	back.RawQuery = query.Encode()
	http.Redirect(w, r, back.String(), http.StatusSeeOther)
}

func chosen(roles []identity.Role) map[identity.Role]bool {
	set := map[identity.Role]bool{}
	for _, role := range roles {
		set[role] = true
	}
	return set
}

func hidden(form url.Values) map[string]string {
	kept := map[string]string{}
	for _, name := range []string{"client_id", "redirect_uri", "response_type", "state", "nonce", "code_challenge", "code_challenge_method"} {
		kept[name] = form.Get(name)
	}
	return kept
}

func (i *Issuer) show(w http.ResponseWriter, r *http.Request, status int, p page) {
	orgs, err := i.deps.Organizations(r.Context())
	if err != nil {
		i.deps.Log.ErrorContext(r.Context(), "the development issuer can't list organisations", "error", err.Error())
		p, status = page{Failed: "the organisations can't be listed just now; try again"}, http.StatusServiceUnavailable
	}
	p.CSS, p.Organizations = template.CSS(loginCSS), orgs
	p.Roles = []identity.Role{identity.Admin, identity.Support, identity.Auditor, identity.PolicyAuthor}
	sum := sha256.Sum256([]byte(loginCSS))
	// A form's redirect counts as its action too, so the places to send browsers back to are named.
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+
		"'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"+i.redirectOrigins())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if err := template.Must(template.New("login").Parse(loginHTML)).Execute(w, p); err != nil {
		i.deps.Log.WarnContext(r.Context(), "the development issuer's page was not sent whole", "error", err.Error())
	}
}

func (i *Issuer) redirectOrigins() string {
	var origins strings.Builder
	for _, redirect := range i.cfg.RedirectURLs {
		if parsed, err := url.Parse(redirect); err == nil {
			origins.WriteString(" " + parsed.Scheme + "://" + parsed.Host)
		}
	}
	return origins.String()
}

// give makes a code for a grant; false when too many wait.
func (i *Issuer) give(g grant) (string, bool) {
	now := i.deps.Now()
	g.expires = now.Add(codeTTL)
	i.mu.Lock()
	defer i.mu.Unlock()
	for code, other := range i.codes {
		if !now.Before(other.expires) {
			delete(i.codes, code)
		}
	}
	if len(i.codes) >= maxCodes {
		return "", false
	}
	code := rand.Text()
	i.codes[code] = g
	return code, true
}

// take uses a code up, whether or not what comes with it is right.
func (i *Issuer) take(code string) (grant, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	g, ok := i.codes[code]
	delete(i.codes, code)
	return g, ok && i.deps.Now().Before(g.expires)
}
