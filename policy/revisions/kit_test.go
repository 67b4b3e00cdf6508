package revisions_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/policy/author"
	"github.com/anteroom/anteroom/policy/revisions"
	"github.com/anteroom/anteroom/policy/sandbox"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

const org = "contoso"

// refuses is a policy that lets guests in for a reason only that no meeting gives: n of them differ, and are covered by a test.
func refuses(reason string) author.Content {
	return author.Content{Files: map[string]string{
		"guests.rego": fmt.Sprintf(`package anteroom.organization

# METADATA
# title: No guests
# custom:
#   rule: ACME1
#   reason: %s
deny contains rego.metadata.rule().custom if input.participant.kind == "guest"
`, reason),
		"guests_test.rego": fmt.Sprintf(`package anteroom.organization_test

import data.anteroom.organization

test_guests_stay_out if {
	some refusal in organization.deny with input as {"participant": {"kind": "guest"}}
	refusal.reason == %q
}
`, reason),
	}}
}

// rig is what a process has: a service, and an engine that follows.
type rig struct {
	t        *testing.T
	store    *store.Store
	engine   *policy.Engine
	follower *revisions.Follower
	*revisions.Service
	log *syncBuffer
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// process starts one on a store, and ends it with the test, or when end is called.
func process(t *testing.T, s *store.Store, cfg policy.Config) (r *rig, end func()) {
	t.Helper()
	r = &rig{t: t, store: s, log: &syncBuffer{}}
	log := slog.New(slog.NewJSONHandler(r.log, nil))
	base, err := policy.NewBase(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if r.engine, err = policy.New(cfg, log); err != nil {
		t.Fatal(err)
	}
	if r.follower, err = revisions.NewFollower(revisions.FollowerDeps{Store: s, Engine: r.engine, Log: log}); err != nil {
		t.Fatal(err)
	}
	children, err := sandbox.New(sandbox.DefaultConfig(), cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	r.Service, err = revisions.New(revisions.Config{Budget: time.Second}, revisions.Deps{
		Store: s, Sandbox: children, Base: base, Follower: r.follower, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.follower.Run(ctx) }()
	end = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("follow: %v", err)
		}
	})
	t.Cleanup(end)
	return r, end
}

// start is a process that has read what is active.
func start(t *testing.T, s *store.Store) *rig {
	t.Helper()
	r, _ := process(t, s, policy.Config{Breaker: policy.Breaker{Failures: 3}})
	<-r.follower.Ready()
	return r
}

func newStore(t *testing.T) *store.Store {
	t.Helper()
	s, _ := storetest.Reused(t)
	return s
}

// make makes a revision.
func (r *rig) make(c author.Content) revisions.Revision {
	r.t.Helper()
	made, err := r.Create(r.t.Context(), org, revisions.NewRevision{Content: c, Message: "m", Author: "ada"})
	if err != nil {
		r.t.Fatal(err)
	}
	return made
}

// activate makes a revision decide.
func (r *rig) activate(number int, ifVersion uint64) revisions.Active {
	r.t.Helper()
	active, err := r.Activate(r.t.Context(), org, revisions.Change{Revision: number, IfVersion: ifVersion, Author: "ada"})
	if err != nil {
		r.t.Fatal(err)
	}
	return active
}

// says is what the engine answers a guest who joins.
func (r *rig) says() string {
	return strings.Join(append([]string{}, reasonsOf(r.decide("guest"))...), " ")
}

func (r *rig) decide(kind string) policy.Decision {
	return r.engine.Decide(context.Background(), org, policy.Input{
		Action: policy.ActionJoin, Organization: policy.Organization{Kind: "work", AnonymousJoin: true, LobbyBypass: policy.BypassEveryone},
		Meeting: policy.Meeting{Kind: "scheduled"}, Participant: policy.Participant{Kind: kind, State: "new"}, Session: policy.Session{OrgUsers: 1, Participants: 77},
	})
}

func reasonsOf(d policy.Decision) []string {
	out := []string{string(d.Effect)}
	for _, reason := range d.Reasons {
		out = append(out, string(reason))
	}
	return out
}

// awaits waits until the engine says so.
func (r *rig) awaits(want string) {
	r.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		got := r.says()
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("the engine says %q, want %q; log:\n%s", got, want, r.log)
		}
	}
}

func (r *rig) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(r.log, nil)) }
