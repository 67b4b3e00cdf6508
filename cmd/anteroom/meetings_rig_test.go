package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/identity/devissuer"
	"github.com/anteroom/anteroom/internal/config"
)

// The rules of meetings are tested on a whole Anteroom: what a test does goes over its HTTP API and its WebSocket, and what it looks at
// comes from there, from Kafka and from ClickHouse. One instance serves all of these tests, since each makes an organisation of its own.

// rigPatience bounds every wait of the rig; a test that waits so long has failed.
const rigPatience = 30 * time.Second

// rig is a running Anteroom that several tests share.
type rig struct {
	data, url string
	// issuer signs in its users; nil: the development issuer of its data folder.
	issuer *devissuer.Issuer
	sink   *sink // nil without one
	stderr *buffer
	cancel context.CancelFunc
	done   chan int
}

// lazyRig starts when the first test asks for it.
type lazyRig struct {
	environ []string
	// transcribes: there is a service that transcriptions go to.
	transcribes bool
	once        sync.Once
	rig         *rig  // set by once
	err         error // set by once
}

// wide limits: what a test does is never slowed down by what other tests do at the same time from the same address.
func wideLimits(more ...string) []string {
	return append([]string{
		"ANTEROOM_MEDIA_JOINS_PER_ADDRESS=10000", "ANTEROOM_MEDIA_JOIN_BURST_PER_ADDRESS=10000",
		"ANTEROOM_SIGNALLING_CONNECTIONS_PER_ADDRESS=10000", "ANTEROOM_SIGNALLING_CONNECTION_BURST_PER_ADDRESS=10000",
		"ANTEROOM_API_REQUESTS_PER_MINUTE=1000000", "ANTEROOM_API_ATTEMPTS_PER_MINUTE=1000000",
		"ANTEROOM_API_JOIN_PAGE_PER_MINUTE=10000", "ANTEROOM_API_GUEST_CALLS_PER_MINUTE=10000",
		"ANTEROOM_REVISIONS_BUDGET=5s", "ANTEROOM_SANDBOX_LIMITS_WALL=1m", "ANTEROOM_LOG_LEVEL=debug",
	}, more...)
}

var (
	// usualRig has the limits that everybody has.
	usualRig = &lazyRig{environ: wideLimits(), transcribes: true}
	// hastyRig loses rigPatience soon, for the rules that are about waiting.
	hastyRig = &lazyRig{environ: wideLimits(
		"ANTEROOM_MEDIA_MEETING_RECONNECT_GRACE=4s", "ANTEROOM_MEDIA_MEETING_LOBBY_TIMEOUT=4s", "ANTEROOM_MEDIA_MEETING_EMPTY_TIMEOUT=1s",
	)}
)

// withRigs runs the tests, and then stops the rigs that were started.
type withRigs struct{ *testing.M }

func (m withRigs) Run() int {
	code := m.M.Run()
	for _, lazy := range []*lazyRig{usualRig, hastyRig, narrowRig} {
		if lazy.rig == nil {
			continue
		}
		if ended := lazy.rig.stop(); ended != 0 {
			fmt.Fprintf(os.Stderr, "the rig ended with exit code %d\n%s", ended, lazy.rig.stderr)
			code = max(code, 1)
		}
	}
	return code
}

func (l *lazyRig) get(t *testing.T) *rig {
	t.Helper()
	l.once.Do(func() {
		var to *sink
		environ := l.environ
		if l.transcribes {
			to = startSink()
			environ = append(environ, "ANTEROOM_TRANSCRIPTION_URL=ws"+strings.TrimPrefix(to.server.URL, "http"))
		}
		l.rig, l.err = startRig(environ, to)
	})
	if l.err != nil {
		t.Fatal(l.err)
	}
	return l.rig
}

// startRig starts `anteroom run` in a folder of its own.
func startRig(environ []string, to *sink) (*rig, error) {
	dir, err := os.MkdirTemp("", "anteroom-rig-")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &rig{data: filepath.Join(dir, "data"), sink: to, stderr: new(buffer), cancel: cancel, done: make(chan int, 1)}
	args := []string{"run", "--no-demo", "--data", r.data, "--listen", "127.0.0.1:0"}
	go func() { r.done <- run(ctx, args, environ, strings.NewReader(""), new(buffer), r.stderr) }()
	ready := make(chan error, 1)
	go func() {
		url, err := awaitReady(r.data)
		r.url = url
		ready <- err
	}()
	select {
	case err = <-ready:
	case code := <-r.done:
		r.done <- code
		err = errors.New("it ended")
	}
	if err != nil {
		code := r.stop()
		return nil, fmt.Errorf("start rig (exit code %d): %w\n%s", code, err, r.stderr)
	}
	return r, nil
}

// stop ends it and takes everything away; the exit code.
func (r *rig) stop() int {
	code := r.end()
	r.remove()
	return code
}

// end ends it, and leaves its folder.
func (r *rig) end() int {
	r.cancel()
	return <-r.done
}

// remove takes away what an ended one has left.
func (r *rig) remove() {
	if r.sink != nil {
		r.sink.server.CloseClientConnections()
		r.sink.server.Close()
	}
	_ = os.RemoveAll(filepath.Dir(r.data))
}

// fields are a JSON object.
type fields = map[string]any

// answer is what the API said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// code is the problem's, "" without one.
func (a answer) code() string {
	var problem struct {
		Code string `json:"code"`
	}
	_ = json.Unmarshal(a.body, &problem)
	return problem.Code
}

// read decodes the body.
func (a answer) read(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal(a.body, into); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
}

// ask makes a request of the API. Header lines are given as pairs.
func (r *rig) ask(t *testing.T, token, method, path string, body any, header ...string) answer {
	t.Helper()
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), method, r.url+path, bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, got}
}

// must fails the test unless the request is answered so.
func (r *rig) must(t *testing.T, want int, token, method, path string, body any, header ...string) answer {
	t.Helper()
	got := r.ask(t, token, method, path, body, header...)
	if got.status != want {
		t.Fatalf("%s %s: %d, want %d: %s", method, path, got.status, want, got.body)
	}
	return got
}

// eventually asks a question again and again until its answer is yes, and fails with the last answer.
func eventually(t *testing.T, what string, question func() (bool, string)) {
	t.Helper()
	within(t, rigPatience, what, question)
}

// within is eventually for what may take longer where much else goes on: a sweep gathers for the longer, the slower it is.
func within(t *testing.T, patience time.Duration, what string, question func() (bool, string)) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(30 * time.Millisecond) {
		yes, last := question()
		if yes {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not so after %s; last: %s", what, patience, last)
		}
	}
}

// house is a test's own organisation, with an organiser.
type house struct {
	t   *testing.T
	rig *rig
	org string
	// admin's token.
	admin string
}

// organizer is the user who makes meetings.
const organizer = "olga"

// newHouse makes an organisation; more replaces fields of it.
func newHouse(t *testing.T, r *rig, more fields) *house {
	t.Helper()
	h := &house{t: t, rig: r, org: "org-" + strings.ToLower(rand.Text()[:12])}
	input := fields{"id": h.org, "name": "House of " + h.org, "region": config.Default().Ingest.Region}
	maps.Copy(input, more)
	r.must(t, http.StatusCreated, h.token("operator", "operator"), http.MethodPost, "/v1/organizations", input)
	h.admin = h.token("ann", "admin")
	h.user(organizer, nil)
	return h
}

// token of the development issuer, for a user of the organisation.
func (h *house) token(user string, roles ...string) string {
	h.t.Helper()
	if h.rig.issuer != nil {
		org := h.org
		if slices.Contains(roles, string(identity.Operator)) {
			org = ""
		}
		token, err := h.rig.issuer.Token(org, rolesOf(roles), user, time.Hour)
		if err != nil {
			h.t.Fatal(err)
		}
		return token
	}
	token, err := devToken(tokenOptions{data: h.rig.data, org: h.org, user: user, roles: roles, ttl: time.Hour})
	if err != nil {
		h.t.Fatal(err)
	}
	return token
}

func rolesOf(names []string) []identity.Role {
	roles := make([]identity.Role, len(names))
	for i, name := range names {
		roles[i] = identity.Role(name)
	}
	return roles
}

// user makes a user's row; the name is the id's.
func (h *house) user(id string, more fields) {
	h.t.Helper()
	input := fields{"name": id}
	maps.Copy(input, more)
	h.rig.must(h.t, http.StatusCreated, h.admin, http.MethodPut, "/v1/organizations/"+h.org+"/users/"+id, input)
}

// change patches a row with If-Match of what is there now.
func (h *house) change(path string, patch fields) {
	h.t.Helper()
	now := h.rig.must(h.t, http.StatusOK, h.admin, http.MethodGet, path, nil)
	h.rig.must(h.t, http.StatusOK, h.admin, http.MethodPatch, path, patch,
		"If-Match", now.header.Get("ETag"))
}

// changeUser replaces a user's row.
func (h *house) changeUser(id string, input fields) {
	h.t.Helper()
	path := "/v1/organizations/" + h.org + "/users/" + id
	now := h.rig.must(h.t, http.StatusOK, h.admin, http.MethodGet, path, nil)
	h.rig.must(h.t, http.StatusOK, h.admin, http.MethodPut, path, input, "If-Match", now.header.Get("ETag"))
}

// changeOrg patches the organisation.
func (h *house) changeOrg(patch fields) { h.t.Helper(); h.change("/v1/organizations/"+h.org, patch) }

// room is a meeting with the two parts of its link.
type room struct {
	house             *house
	id, secret, joins string
}

// meeting makes one of the organiser's; more sets fields of it.
func (h *house) meeting(more fields) *room {
	h.t.Helper()
	input := fields{"title": "Consultation"}
	maps.Copy(input, more)
	var made struct {
		ID      string `json:"id"`
		JoinURL string `json:"join_url"`
	}
	h.rig.must(h.t, http.StatusCreated, h.token(organizer, "org_user"), http.MethodPost, "/v1/meetings", input).read(h.t, &made)
	return h.room(made.ID, made.JoinURL)
}

// room takes a link apart.
func (h *house) room(id, link string) *room {
	h.t.Helper()
	_, secret, ok := strings.Cut(link, "#")
	if !ok || secret == "" {
		h.t.Fatalf("the link of meeting %s has no secret: %q", id, link)
	}
	return &room{house: h, id: id, secret: secret, joins: link}
}

// in is the meeting for a subtest.
func (m *room) in(t *testing.T) *room {
	h := *m.house
	h.t = t
	return &room{house: &h, id: m.id, secret: m.secret, joins: m.joins}
}

// change patches the meeting.
func (m *room) change(patch fields) { m.house.t.Helper(); m.house.change("/v1/meetings/"+m.id, patch) }

// application is a resource with its own key.
type application struct {
	t      *testing.T
	id     string
	signer jose.Signer
}

// application registers one; more replaces fields of it.
func (h *house) application(more fields) *application {
	h.t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		h.t.Fatal(err)
	}
	keys := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: public, KeyID: "k1", Algorithm: string(jose.EdDSA), Use: "sig"}}}
	input := fields{"name": "Patients' portal", "region": config.Default().Ingest.Region, "keys": keys}
	maps.Copy(input, more)
	app := &application{t: h.t}
	var made struct {
		ID string `json:"id"`
	}
	h.rig.must(h.t, http.StatusCreated, h.admin, http.MethodPost, "/v1/resources", input).read(h.t, &made)
	app.id = made.ID
	app.signer = signerOf(h.t, jose.EdDSA, private, "k1")
	return app
}

func signerOf(t *testing.T, algorithm jose.SignatureAlgorithm, key any, id string) jose.Signer {
	t.Helper()
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: id}}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// token for one of the application's users, good for one join; more replaces claims, nil takes them away.
func (a *application) token(subject string, more fields) string {
	a.t.Helper()
	return signed(a.t, a.signer, a.claims(subject, more))
}

func (a *application) claims(subject string, more fields) fields {
	now := time.Now()
	claims := fields{
		"iss": a.id, "aud": "anteroom", "sub": subject, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	}
	for name, value := range more {
		if value == nil {
			delete(claims, name)
			continue
		}
		claims[name] = value
	}
	return claims
}

func signed(t *testing.T, signer jose.Signer, claims fields) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	object, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	token, err := object.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}
