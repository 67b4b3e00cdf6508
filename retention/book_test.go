package retention

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/store"
)

// world is an organisation with policies, holds, and people who were in a meeting.
type world struct {
	users    []directory.User
	policies []Policy
	holds    []Hold
	meeting  uuid.UUID
	inside   []string
	key      store.KeptKey
}

var (
	worldMeetings  = []uuid.UUID{uuid.MustParse("11111111-0000-8000-8000-000000000001"), uuid.MustParse("11111111-0000-8000-8000-000000000002")}
	worldResources = []uuid.UUID{uuid.MustParse("22222222-0000-8000-8000-000000000001"), uuid.MustParse("22222222-0000-8000-8000-000000000002")}
)

func anyWorld(t *rapid.T) world {
	people, groups := []string{"ada", "bob", "eve", "stranger"}, []string{"legal", "staff"}
	some := func(of []string, name string) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(of), 0, len(of), rapid.ID[string]).Draw(t, name)
	}
	w := world{meeting: rapid.SampledFrom(worldMeetings).Draw(t, "meeting"), inside: some(people, "inside")}
	for _, id := range people[:3] {
		u := directory.User{ID: id, Groups: some(groups, "groups of "+id), Attributes: map[string]string{}}
		if country := rapid.SampledFrom([]string{"", "DE", "FR"}).Draw(t, "country of "+id); country != "" {
			u.Attributes["country"] = country
		}
		w.users = append(w.users, u)
	}
	members := func(name string) *directory.Members {
		m := directory.Members{Users: some(people, name+" users"), Groups: some(groups, name+" groups")}
		if len(m.Users)+len(m.Groups) == 0 {
			return nil
		}
		return &m
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "policies") {
		p := directory.RetentionPolicy{ID: fmt.Sprintf("p%d", i), Enabled: rapid.IntRange(0, 3).Draw(t, "enabled") > 0}
		p.Action.Kind = rapid.SampledFrom([]string{directory.RetentionDelete, directory.RetentionRetain, directory.RetentionRetainThenDelete}).Draw(t, "action")
		p.Action.Days = rapid.IntRange(1, 5).Draw(t, "days")
		p.Scope.Kind = rapid.SampledFrom([]string{directory.ScopeOrganization, directory.ScopeSelected, directory.ScopeAdaptive}).Draw(t, "scope")
		switch p.Scope.Kind {
		case directory.ScopeSelected:
			p.Scope.Include, p.Scope.Exclude = members("include"), members("exclude")
		case directory.ScopeAdaptive:
			p.Scope.Query = `country != "DE"`
		}
		w.policies = append(w.policies, Policy{Value: p, Version: uint64(i + 1)}) //nolint:gosec // small
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "holds") {
		h := directory.Hold{ID: fmt.Sprintf("h%d", i)}
		switch rapid.IntRange(0, 2).Draw(t, "on") {
		case 0:
			h.Meeting = rapid.SampledFrom(worldMeetings).Draw(t, "held meeting").String()
		case 1:
			h.User = rapid.SampledFrom(people).Draw(t, "held user")
		default:
			h.Resource = rapid.SampledFrom(worldResources).Draw(t, "held resource").String()
		}
		if rapid.Bool().Draw(t, "released") {
			at := time.Unix(int64(i), 0)
			h.ReleasedAt = &at
		}
		w.holds = append(w.holds, Hold{Value: h, Version: 1})
	}
	w.key = store.KeptKey{Org: "contoso", MeetingID: w.meeting, Class: rapid.SampledFrom([]string{"thread", "copy"}).Draw(t, "class")}
	if w.key.Class == "copy" {
		w.key.ResourceID = rapid.SampledFrom(worldResources).Draw(t, "resource")
	}
	return w
}

func (w world) user(id string) directory.User {
	for _, u := range w.users {
		if u.ID == id {
			return u
		}
	}
	return directory.User{ID: id}
}

// rankOf tells how specifically a policy covers a user, from 1; 0: not at all.
func (w world) rankOf(p *directory.RetentionPolicy, id string) int {
	u := w.user(id)
	in := func(m *directory.Members) (byName, byGroup bool) {
		if m == nil {
			return false, false
		}
		for _, group := range u.Groups {
			byGroup = byGroup || slices.Contains(m.Groups, group)
		}
		return slices.Contains(m.Users, id), byGroup
	}
	if p.Scope.Kind == directory.ScopeAdaptive {
		if u.Attributes["country"] == "DE" {
			return 0
		}
		return 2
	}
	if name, group := in(p.Scope.Exclude); name || group {
		return 0
	}
	name, group := in(p.Scope.Include)
	switch {
	case p.Scope.Include == nil:
		return 1
	case name:
		return 4
	case group:
		return 3
	}
	return 0
}

// goneOn is the day on which the thing is deleted by rules R1 to R3; 0 for never.
func (w world) goneOn() int {
	best, day := 0, 0
	retained := 0
	for i := range w.policies {
		p := &w.policies[i].Value
		rank := 0
		for _, id := range w.inside {
			rank = max(rank, w.rankOf(p, id))
		}
		if rank == 0 || !p.Enabled {
			continue
		}
		if p.Action.Kind != directory.RetentionDelete {
			retained = max(retained, p.Action.Days)
		}
		if p.Action.Kind == directory.RetentionRetain {
			continue
		}
		if w.key.Class == "copy" {
			rank = 1 // How specific it is says nothing of copies.
		}
		if rank > best || (rank == best && p.Action.Days < day) {
			best, day = rank, p.Action.Days
		}
	}
	switch {
	case w.key.Class == "copy" && day == 0:
		return 30
	case w.key.Class == "copy" || day == 0:
		return day
	}
	return max(day, retained)
}

// heldUntil tells whether a hold covers the thing, and when the last that did was released. R4.
func (w world) heldUntil() (held bool, released *time.Time) {
	for _, h := range w.holds {
		v := h.Value
		covers := v.Meeting == w.meeting.String() || slices.Contains(w.inside, v.User) || (w.key.Class == "copy" && v.Resource == w.key.ResourceID.String())
		switch {
		case !covers:
		case v.ReleasedAt == nil:
			held = true
		case released == nil || v.ReleasedAt.After(*released):
			released = v.ReleasedAt
		}
	}
	return held, released
}

// TestBooksDecideByTheRules: whoever was there, whatever policies and holds there are.
func TestBooksDecideByTheRules(t *testing.T) {
	engine, err := policy.NewRetention(policy.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		w := anyWorld(rt)
		b, err := makeBook("contoso", w.policies, w.holds, engine.Of("contoso"), w.user)
		if err != nil {
			rt.Fatal(err)
		}
		got, err := b.decide(t.Context(), &w.key, b.attendanceOf(w.meeting, w.inside))
		if err != nil {
			rt.Fatal(err)
		}
		day := 0
		if got.Days != nil {
			day = *got.Days
		}
		held, released := w.heldUntil()
		if want := w.goneOn(); day != want || got.Held != held || (got.releasedAt == nil) != (released == nil) || (released != nil && !got.releasedAt.Equal(*released)) {
			rt.Fatalf("deleted on day %d, held %v, released %v; want day %d, held %v, released %v: %+v", day, got.Held, got.releasedAt, want, held, released, got)
		}
		// Who is named first says nothing, and what was decided is looked up.
		slices.Reverse(w.inside)
		again, err := b.decide(t.Context(), &w.key, b.attendanceOf(w.meeting, w.inside))
		if err != nil || again.basis != got.basis || got.basis == 0 {
			rt.Fatalf("again: %+v, %v", again, err)
		}
	})
}
