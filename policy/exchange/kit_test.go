package exchange

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

// own is an organisation's policy that uses all that there is.
const own = `package anteroom.organization

# METADATA
# title: No guests beside room devices
# custom:
#   rule: ACME1
#   reason: room_device_present
deny contains rego.metadata.rule().custom if {
	input.participant.kind == "guest"
	input.session.room_device
}

lobby contains "acme_lobby" if {
	input.participant.kind == "guest"
	not input.participant.admitted_by_org_user
}

withhold.shareScreen contains data.organization.reason if input.participant.kind == "guest"

withhold[capability] contains "acme_quiet" if {
	input.session.participants > 300
	some capability in {"sendChat", "raiseHand"}
}

grant contains "raiseHand" if input.meeting.kind == "scheduled"

grant contains "useReactions"

# This isn't a reason: whatever it touches is denied.
deny contains "Not A Reason" if input.session.participants == 999
`

// rig is an exchange with a store, for the organisation contoso.
type rig struct {
	t      *testing.T
	store  *store.Store
	engine *policy.Engine
	tokens *Tokens
	key    *Key
	url    string
	token  string
	exch   *Exchange

	mu     sync.Mutex
	active Active // guarded by mu
}

func (r *rig) ActiveName(context.Context, string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.active.Name, nil
}

func (r *rig) Active(context.Context, string) (Active, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.active, nil
}

// activate makes a policy the organisation's own.
func (r *rig) activate(number int, text string) {
	r.t.Helper()
	revision := policy.Revision{Modules: map[string]string{"own.rego": text}, Data: map[string]any{"reason": "acme_no_screens"}}
	if err := r.engine.Activate("contoso", revision); err != nil {
		r.t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.active = Active{Name: fmt.Sprintf("%s#%d", r.engine.Revision("contoso"), number), Revision: &revision}
}

func newRig(t *testing.T) *rig {
	t.Helper()
	cfg := policy.Config{Grantable: []string{"raiseHand", "useReactions"}}
	base, err := policy.NewBase(cfg)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := policy.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s, _ := storetest.Reused(t)
	r := &rig{t: t, store: s, engine: engine, tokens: NewTokens(s)}
	if r.key, err = EnsureKey(filepath.Join(t.TempDir(), "key.pem")); err != nil {
		t.Fatal(err)
	}
	r.activate(1, own)
	if _, r.token, err = r.tokens.Create(t.Context(), "contoso", "test", "ada", time.Hour); err != nil {
		t.Fatal(err)
	}
	r.exch, err = New(DefaultConfig(), Deps{
		Store: s, Tokens: r.tokens, Base: base, Policies: r, Decider: engine, Key: r.key, Registry: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(r.exch)
	t.Cleanup(func() { r.exch.Close(); server.Close() })
	r.url = server.URL
	return r
}

// send asks as an agent, and wants a status.
func (r *rig) send(status int, method, path, body string, headers ...string) (http.Header, string) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+r.token)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	if answer.StatusCode != status {
		r.t.Errorf("%s %s: status %d, want %d: %s", method, path, answer.StatusCode, status, text)
	}
	return answer.Header, string(text)
}

// decisions are those of agents, as they will be shown.
func (r *rig) decisions() []store.Decision {
	r.t.Helper()
	now := time.Now()
	list, err := store.NewReader(r.store, store.QueryLimits{}).Decisions(r.t.Context(), store.DecisionFilter{
		Org: "contoso", From: now.Add(-48 * time.Hour), To: now.Add(time.Hour), Now: now.Add(2 * time.Hour),
	}, nil, 5000)
	if err != nil {
		r.t.Fatal(err)
	}
	return list
}

// inputs are of all kinds, the same each time.
func inputs(n int) []policy.Input {
	random := rand.New(rand.NewPCG(1, 2))
	truth := func() bool { return random.IntN(3) == 0 }
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	all := policy.Capabilities()
	some := func() []policy.Capability {
		out := []policy.Capability{}
		for range random.IntN(3) {
			out = append(out, all[random.IntN(len(all))])
		}
		return out
	}
	bypass := func() policy.Bypass { return policy.Bypass(pick("", "everyone", "org_users", "invited", "organizers")) }
	out := make([]policy.Input, n)
	for i := range out {
		in := policy.Input{
			Action: policy.ActionJoin,
			Organization: policy.Organization{
				Kind: pick("work", "work", "work", "personal"), AnonymousJoin: !truth(), EnforceWebinarRoles: truth(), LobbyBypass: bypass(), Withdrawn: some(), RequireConsent: truth(),
			},
			Meeting: policy.Meeting{
				Kind: pick("scheduled", "scheduled", "channel", "webinar", "live_event", "guest_call"), OrganizerLobbyBypass: bypass(), LobbyBypass: bypass(), Withdrawn: some(),
				OrganizerWithdrawn: some(), Recording: truth(), Transcribing: truth(),
			},
			Participant: policy.Participant{
				Kind: pick("guest", "org_user"), State: pick("new", "waiting_for_host", "in_lobby", "admitted", "admitted", "admitted", "gone"), AdmittedByOrgUser: truth(),
				Organizer: truth(), Invited: truth(), Presenter: truth(), RoomDevice: truth(), Consented: truth(),
			},
			Session: policy.Session{
				OrgUsers: random.IntN(3), Participants: []int{0, 1, 2, 249, 250, 350, 999, 1000}[random.IntN(8)], ChatMembers: []int{0, 2, 250, 251}[random.IntN(4)], RoomDevice: truth(),
			},
		}
		if random.IntN(3) > 0 {
			in.Action, in.Capability = policy.ActionUse, all[random.IntN(len(all))]
		}
		out[i] = in
	}
	return out
}
