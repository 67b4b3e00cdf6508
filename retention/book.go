package retention

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/directory/registry"
	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/store"
)

// book is what one organisation's policies and holds come to, at one moment. What is decided depends on few things, so that many meetings share one
// decision: it is made once and then looked up. Not safe for concurrent use.
type book struct {
	org      string
	policies []bookPolicy
	holds    map[heldOn][]bookHold
	engine   *policy.KeptBy
	user     func(id string) directory.User

	// ways are users' ways into each policy's scope.
	ways map[string]string
	made map[question]*verdict
}

// bookPolicy is a policy that is on.
type bookPolicy struct {
	directory.Versioned[directory.RetentionPolicy]
	coverage directory.Coverage
}

// heldOn is what a hold is on: "meeting", "user" or "resource", and its id.
type heldOn struct{ field, id string }

// bookHold is a hold; released ones are kept in mind for when that was.
type bookHold struct {
	id       string
	on       heldOn
	released *time.Time
}

// question is all that a decision depends on.
type question struct {
	class, resource string
	// ways has a byte per policy of the book: the ways by which users who were in the meeting are in its scope.
	ways string
	// holds are ids of those on the meeting, its users and the resource.
	holds string
}

// verdict is a decision without what it is about.
type verdict struct {
	policy.RetentionDecision
	releasedAt *time.Time
	// basis is a digest of it: what comes to the same needs no new decision.
	basis uint64
}

// newBook reads policies and holds of an organisation. One that can't be read fails it: to leave it out would decide otherwise.
func newBook(org string, rows *registry.Registry, engine *policy.Retention) (*book, error) {
	if ids := append(rows.RetentionPolicies.Unreadable(org), rows.Holds.Unreadable(org)...); len(ids) > 0 {
		return nil, fmt.Errorf("retention policies or holds can't be read: %s", strings.Join(ids, ", "))
	}
	return makeBook(org, rows.RetentionPolicies.Of(org), rows.Holds.Of(org), engine.Of(org), userOf(rows, org))
}

// userOf looks users of an organisation up in the snapshot. Somebody the directory has no row of is nothing but an id.
func userOf(rows *registry.Registry, org string) func(id string) directory.User {
	return func(id string) directory.User {
		row, ok := rows.Users.Find(org, id)
		if !ok {
			return directory.User{ID: id, Org: org}
		}
		return row.Value
	}
}

func makeBook(
	org string, policies []directory.Versioned[directory.RetentionPolicy], holds []directory.Versioned[directory.Hold], engine *policy.KeptBy,
	user func(id string) directory.User,
) (*book, error) {
	b := &book{
		org: org, engine: engine, user: user, holds: map[heldOn][]bookHold{}, ways: map[string]string{}, made: map[question]*verdict{},
	}
	for _, p := range policies {
		if !p.Value.Enabled {
			continue
		}
		coverage, err := p.Value.Scope.Coverage()
		if err != nil {
			return nil, fmt.Errorf("read scope of retention policy %s: %w", p.Value.ID, err)
		}
		b.policies = append(b.policies, bookPolicy{p, coverage})
	}
	for _, h := range holds {
		field, id := h.Value.On()
		on := heldOn{field, id}
		b.holds[on] = append(b.holds[on], bookHold{h.Value.ID, on, h.Value.ReleasedAt})
	}
	return b, nil
}

// The ways into a scope as bits, from the least specific.
func allWays() []directory.Why {
	return []directory.Why{directory.WhyOrganization, directory.WhyAdaptive, directory.WhyGroup, directory.WhyUser}
}

// waysOf has a byte per policy with the bit of the user's way into its scope; 0 for not in it.
func (b *book) waysOf(user string) string {
	if ways, ok := b.ways[user]; ok {
		return ways
	}
	u := b.user(user)
	out := make([]byte, len(b.policies))
	for i := range b.policies {
		if why, ok := b.policies[i].coverage.Covers(&u); ok {
			out[i] = 1 << slices.Index(allWays(), why)
		}
	}
	ways := string(out)
	b.ways[user] = ways
	return ways
}

// attendance is what matters of who was in a meeting.
type attendance struct {
	ways string
	// holds on the meeting or on its users, by id.
	holds []bookHold
}

// attendanceOf sums up who was in a meeting.
func (b *book) attendanceOf(meeting uuid.UUID, users []string) attendance {
	ways := make([]byte, len(b.policies))
	a := attendance{holds: b.holds[heldOn{"meeting", meeting.String()}]}
	own := false // holds is still a list of the book, which must stay as it is
	for _, user := range users {
		for i, way := range []byte(b.waysOf(user)) {
			ways[i] |= way
		}
		if more := b.holds[heldOn{"user", user}]; len(more) > 0 {
			if !own {
				a.holds, own = slices.Clone(a.holds), true
			}
			a.holds = append(a.holds, more...)
		}
	}
	a.ways = string(ways)
	return a
}

// nobody is the attendance of a meeting that no user of the organisation is known to have been in.
func (b *book) nobody(meeting uuid.UUID) attendance { return b.attendanceOf(meeting, nil) }

// decide answers for one key.
func (b *book) decide(ctx context.Context, k *store.KeptKey, a attendance) (*verdict, error) {
	q, holds := b.question(k, a)
	if v, ok := b.made[q]; ok {
		return v, nil
	}
	v, err := b.ask(ctx, q, holds)
	if err != nil {
		return nil, err
	}
	b.made[q] = v
	return v, nil
}

// question is what the decision for a key depends on, and the holds that it names.
func (b *book) question(k *store.KeptKey, a attendance) (question, []bookHold) {
	q := question{class: k.Class, ways: a.ways}
	holds := a.holds
	if k.ResourceID != uuid.Nil {
		q.resource = k.ResourceID.String()
		if more := b.holds[heldOn{"resource", q.resource}]; len(more) > 0 {
			holds = append(slices.Clone(holds), more...)
		}
	}
	if len(holds) > 0 {
		holds = slices.Clone(holds)
		slices.SortFunc(holds, func(a, b bookHold) int { return strings.Compare(a.id, b.id) })
		ids := make([]string, len(holds))
		for i, h := range holds {
			ids[i] = h.id
		}
		q.holds = strings.Join(ids, " ")
	}
	return q, holds
}

// input is the question as policy is asked it, and when the holds were released.
func (b *book) input(q question, holds []bookHold) (policy.RetentionInput, map[string]*time.Time) {
	in := policy.RetentionInput{Class: q.class, Resource: q.resource}
	for i, p := range b.policies {
		if q.ways[i] == 0 {
			continue
		}
		rule := policy.RetentionPolicy{
			ID: p.Value.ID, Version: int(p.Version), Action: p.Value.Action.Kind, Days: p.Value.Action.Days, //nolint:gosec // versions count changes
			Locked: p.Value.Locked,
		}
		for bit, why := range allWays() {
			if q.ways[i]&(1<<bit) != 0 {
				rule.Why = append(rule.Why, string(why))
			}
		}
		in.Policies = append(in.Policies, rule)
	}
	releases := map[string]*time.Time{}
	for _, h := range holds {
		hold := policy.RetentionHold{ID: h.id, On: h.on.field, Released: h.released != nil}
		if hold.On == "resource" {
			hold.Resource = h.on.id
		}
		in.Holds, releases[h.id] = append(in.Holds, hold), h.released
	}
	return in, releases
}

func (b *book) ask(ctx context.Context, q question, holds []bookHold) (*verdict, error) {
	in, releases := b.input(q, holds)
	d, err := b.engine.Decide(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("organisation %s: %w", b.org, err)
	}
	v := &verdict{RetentionDecision: d}
	for _, id := range d.Released {
		if at := releases[id]; v.releasedAt == nil || at.After(*v.releasedAt) {
			v.releasedAt = at
		}
	}
	v.basis, err = v.digest(b.engine.Revision())
	return v, err
}

// digest is of all that is decided, never 0.
func (v *verdict) digest(revision string) (uint64, error) {
	text, err := json.Marshal(struct {
		Decision policy.RetentionDecision
		Revision string
		Released *time.Time
	}{v.RetentionDecision, revision, v.releasedAt})
	if err != nil {
		return 0, fmt.Errorf("encode decision: %w", err)
	}
	sum := sha256.Sum256(text)
	if digest := binary.BigEndian.Uint64(sum[:]); digest != 0 {
		return digest, nil
	}
	return 1, nil
}

// row is the verdict as it is stored.
func (v *verdict) row(k store.KeptKey, revision string) store.RetentionDecision {
	out := store.RetentionDecision{
		KeptKey: k, Held: v.Held, ReleasedAt: v.releasedAt, RuleID: v.Rule, RuleVersion: v.Version, Reason: string(v.Reason), Revision: revision, Basis: v.basis,
	}
	if period := v.Period(); period != nil {
		s := int64(period.Seconds())
		out.PeriodS = &s
	}
	return out
}
