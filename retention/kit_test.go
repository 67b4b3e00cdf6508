package retention_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/directory/registry"
	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/retention"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

// clinic and bank are applications whose guests hold copies, both in amer.
var (
	clinic = uuid.MustParse("22222222-0000-8000-8000-000000000001")
	bank   = uuid.MustParse("22222222-0000-8000-8000-000000000002")
)

// house has two regions, emea (home) and amer, and the organisation contoso with a few users.
type house struct {
	t       testing.TB
	regions map[string]*store.Store
	configs map[string]store.Config
	conns   map[string]driver.Conn
	rows    *registry.Registry
	engine  *policy.Retention
	decider *retention.Decider
	book    *retention.Rulebook
}

// newHouse makes one whose directory runs until the test ends.
func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{t: t, regions: map[string]*store.Store{}, configs: map[string]store.Config{}, conns: map[string]driver.Conn{}}
	for _, name := range []string{"emea", "amer"} {
		s, cfg := storetest.NewConfig(t)
		h.regions[name], h.configs[name], h.conns[name] = s, cfg, dial(t, cfg)
	}
	var err error
	h.rows, err = registry.New(registry.Deps{Store: h.home()})
	h.must(err)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- h.rows.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("run registry: %v", err)
		}
	})
	<-h.rows.Ready()
	h.engine, err = policy.NewRetention(policy.DefaultConfig())
	h.must(err)
	h.decider = h.newDecider(h.regions)
	h.book, err = retention.NewRulebook(retention.DefaultConfig(), retention.RulebookDeps{
		Directory: h.rows, Home: h.home(), HomeRegion: "emea", Regions: h.regions, Policy: h.engine,
		Resources: []string{clinic.String(), bank.String()},
	})
	h.must(err)
	_, err = h.rows.Organizations.Put(t.Context(), directory.Organization{ID: "contoso", Name: "Contoso", Region: "emea"}, 0, "test")
	h.must(err)
	for id, user := range map[string]directory.User{
		"ada": {Groups: []string{"legal"}, Attributes: map[string]string{"country": "DE"}}, "bob": {Groups: []string{"staff"}}, "eve": {},
	} {
		user.ID, user.Org, user.Name = id, "contoso", id
		h.user(user)
	}
	return h
}

func dial(t testing.TB, cfg store.Config) driver.Conn {
	t.Helper()
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr: cfg.Addresses, Auth: clickhouse.Auth{Database: cfg.Database, Username: cfg.Username, Password: cfg.Password},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func (h *house) newDecider(regions map[string]*store.Store) *retention.Decider {
	h.t.Helper()
	d, err := retention.NewDecider(retention.DefaultConfig(), retention.DeciderDeps{
		Directory: h.rows, Home: h.home(), Regions: regions, Policy: h.engine, Log: slog.New(slog.NewTextHandler(h.t.Output(), nil)),
	})
	h.must(err)
	return d
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) home() *store.Store { return h.regions["emea"] }

func (h *house) user(u directory.User) {
	h.t.Helper()
	old, err := h.rows.Users.Get(h.t.Context(), u.Org, u.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		h.t.Fatal(err)
	}
	_, err = h.rows.Users.Put(h.t.Context(), u, old.Version, "test")
	h.must(err)
}

// meeting makes one of contoso.
func (h *house) meeting() uuid.UUID {
	h.t.Helper()
	id := uuid.New()
	_, err := h.rows.Meetings.Put(h.t.Context(), directory.Meeting{ID: id.String(), Org: "contoso", Title: "x", Organizer: "ada"}, 0, "test")
	h.must(err)
	return id
}

// joined notes that users were in a meeting.
func (h *house) joined(meeting uuid.UUID, users ...string) {
	h.t.Helper()
	for _, user := range users {
		h.must(h.conns["emea"].Exec(h.t.Context(), `INSERT INTO attendance (org, meeting_id, user_id, call_id, joined_at)
			VALUES ('contoso', $1, $2, 'call', fromUnixTimestamp64Micro($3, 'UTC'))`, meeting, user, noon.UnixMicro()))
	}
}

// kept notes that a thing is kept: of class copy in amer, others in emea.
func (h *house) kept(meeting uuid.UUID, class string, resource uuid.UUID, sent time.Time) {
	h.t.Helper()
	region, holder := "emea", uuid.Nil
	if class == "copy" {
		region, holder = "amer", uuid.New()
	}
	item := uuid.New()
	h.must(h.conns[region].Exec(h.t.Context(), `INSERT INTO retained (class, org, meeting_id, call_id, item_id, holder_id, resource_id, sent_at)
		VALUES ($1, 'contoso', $2, 'call', $3, $4, $5, fromUnixTimestamp64Micro($6, 'UTC'))`, class, meeting, item, holder, resource, sent.UnixMicro()))
	if class == "copy" {
		h.must(h.conns[region].Exec(h.t.Context(), `INSERT INTO copy_heads (org, meeting_id, call_id, holder_id, message_id, sent_at)
			VALUES ('contoso', $1, 'call', $2, $3, fromUnixTimestamp64Micro($4, 'UTC'))`, meeting, holder, item, sent.UnixMicro()))
	}
}

// superseded notes that a copy is kept of a message that its guest was shown another one after.
func (h *house) superseded(meeting uuid.UUID) {
	h.t.Helper()
	h.must(h.conns["amer"].Exec(h.t.Context(), `INSERT INTO retained (class, org, meeting_id, call_id, item_id, holder_id, resource_id, sent_at)
		SELECT 'copy', org, meeting_id, call_id, generateUUIDv4(), holder_id, $2, sent_at - 1 FROM copy_heads WHERE meeting_id = $1 LIMIT 1`, meeting, clinic))
}

// hidden notes that a message of the thread is kept and can't be read any more.
func (h *house) hidden(meeting uuid.UUID) {
	h.t.Helper()
	item := uuid.New()
	for _, table := range []string{"retained", "hidden"} {
		h.must(h.conns["emea"].Exec(h.t.Context(), `INSERT INTO `+table+` (class, org, meeting_id, call_id, item_id, sent_at)
			VALUES ('thread', 'contoso', $1, 'call', $2, fromUnixTimestamp64Micro($3, 'UTC'))`, meeting, item, noon.UnixMicro()))
	}
}

// chat is a meeting with a thread and a copy of a guest of the clinic, that users were in.
func (h *house) chat(users ...string) uuid.UUID {
	h.t.Helper()
	meeting := h.meeting()
	h.joined(meeting, users...)
	h.kept(meeting, "thread", uuid.Nil, noon)
	h.kept(meeting, "copy", clinic, noon)
	return meeting
}

// pass has everything decided on that there is to decide on.
func (h *house) pass() int {
	h.t.Helper()
	n, err := h.decider.Pass(h.t.Context(), noon)
	h.must(err)
	return n
}

// answer is a decision as tests compare it. Days is 0 for good.
type answer struct {
	Days   int64
	Rule   string
	Reason string
	Held   bool
}

// decided reads the newest decision; the zero answer for none.
func (h *house) decided(meeting uuid.UUID, class string, resource uuid.UUID) answer {
	h.t.Helper()
	a, _ := h.decision(meeting, class, resource)
	return a
}

func (h *house) decision(meeting uuid.UUID, class string, resource uuid.UUID) (answer, *time.Time) {
	h.t.Helper()
	region := "emea"
	if class == "copy" {
		region = "amer"
	}
	rows, err := h.conns[region].Query(h.t.Context(), `SELECT coalesce(period_s, 0), rule_id, reason, held, released_at FROM retention_decisions FINAL
		WHERE org = 'contoso' AND meeting_id = $1 AND class = $2 AND resource_id = $3`, meeting, class, resource)
	h.must(err)
	defer rows.Close()
	var out answer
	var released *time.Time
	for rows.Next() {
		var seconds int64
		h.must(rows.Scan(&seconds, &out.Rule, &out.Reason, &out.Held, &released))
		if out.Days = seconds / 86400; seconds%86400 != 0 {
			h.t.Errorf("%d seconds are no days", seconds)
		}
	}
	h.must(rows.Err())
	return out, released
}

// policy makes one that is on and returns its id.
func (h *house) policy(scope directory.RetentionScope, kind string, days int) string {
	h.t.Helper()
	p, err := h.book.PutPolicy(h.t.Context(), directory.RetentionPolicy{
		ID: uuid.NewString(), Org: "contoso", Name: "x", Scope: scope, Action: directory.RetentionAction{Kind: kind, Days: days}, Enabled: true,
	}, 0, "admin")
	h.must(err)
	return p.Value.ID
}

// change changes a policy.
func (h *house) change(id string, change func(*directory.RetentionPolicy)) {
	h.t.Helper()
	old, err := h.rows.RetentionPolicies.Get(h.t.Context(), "contoso", id)
	h.must(err)
	p := old.Value
	change(&p)
	_, err = h.book.PutPolicy(h.t.Context(), p, old.Version, "admin")
	h.must(err)
}

// deciding runs the decider until the returned function is called.
func (h *house) deciding() (stop func()) {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.decider.Run(ctx) }()
	return func() {
		cancel()
		h.must(<-ended)
	}
}

// hold places one; meanwhile decisions go on, since a hold is acknowledged once they know of it.
func (h *house) hold(on directory.Hold) retention.Hold {
	h.t.Helper()
	defer h.deciding()()
	on.ID, on.Org, on.Reason = uuid.NewString(), "contoso", "Case 7"
	placed, err := h.book.PlaceHold(h.t.Context(), on, "admin")
	h.must(err)
	return placed
}

func (h *house) release(hold retention.Hold) retention.Hold {
	h.t.Helper()
	out, err := h.book.ReleaseHold(h.t.Context(), hold, "", "admin")
	h.must(err)
	return out
}

func everybody() directory.RetentionScope {
	return directory.RetentionScope{Kind: directory.ScopeOrganization}
}

func group(ids ...string) directory.RetentionScope {
	return directory.RetentionScope{Kind: directory.ScopeSelected, Include: &directory.Members{Groups: ids}}
}

func only(users ...string) directory.RetentionScope {
	return directory.RetentionScope{Kind: directory.ScopeSelected, Include: &directory.Members{Users: users}}
}

func query(text string) directory.RetentionScope {
	return directory.RetentionScope{Kind: directory.ScopeAdaptive, Query: text}
}
