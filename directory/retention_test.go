package directory_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/directory"
)

const someNonce = "00112233445566778899aabbccddeeff"

func groups(ids ...string) *directory.Members { return &directory.Members{Groups: ids} }
func users(ids ...string) *directory.Members  { return &directory.Members{Users: ids} }

func selected(include, exclude *directory.Members) directory.RetentionScope {
	return directory.RetentionScope{Kind: directory.ScopeSelected, Include: include, Exclude: exclude}
}

func adaptive(query string) directory.RetentionScope {
	return directory.RetentionScope{Kind: directory.ScopeAdaptive, Query: query}
}

var everybody = directory.RetentionScope{Kind: directory.ScopeOrganization}

func goodPolicy() directory.RetentionPolicy {
	return directory.RetentionPolicy{
		ID: someID, Org: "contoso", Name: "Legal", Scope: everybody, Enabled: true, Nonce: someNonce,
		Action: directory.RetentionAction{Kind: directory.RetentionDelete, Days: 1},
	}.WithDefaults()
}

func TestRetentionPolicy(t *testing.T) {
	type p = directory.RetentionPolicy
	run(t, goodPolicy, []row[p]{
		{"100 years", func(v *p) { v.Action.Days = 36500 }, nil},
		{"include", func(v *p) { v.Scope = selected(groups("legal"), users("ada")) }, nil},
		{"exclude only", func(v *p) { v.Scope = selected(nil, users("ada")) }, nil},
		{"adaptive", func(v *p) { v.Scope = adaptive(`department == "Legal"`) }, nil},
		{"locked", func(v *p) { v.Locked = true }, nil},
		{"id", func(v *p) { v.ID = "canary" }, []string{"id"}},
		{"organization", func(v *p) { v.Org = "Canary" }, []string{"organization"}},
		{"no name", func(v *p) { v.Name = "" }, []string{"name"}},
		{"zero days", func(v *p) { v.Action.Days = 0 }, []string{"action.days"}},
		{"negative days", func(v *p) { v.Action.Days = -1 }, []string{"action.days"}},
		{"more than 100 years", func(v *p) { v.Action.Days = 36501 }, []string{"action.days"}},
		{"action", func(v *p) { v.Action.Kind = "canary" }, []string{"action.kind"}},
		{"scope", func(v *p) { v.Scope.Kind = "canary" }, []string{"scope.kind"}},
		{"nobody", func(v *p) { v.Scope = selected(&directory.Members{}, nil) }, []string{"scope.include"}},
		{"members of everybody", func(v *p) { v.Scope.Exclude = users("canary") }, []string{"scope.exclude"}},
		{"query of everybody", func(v *p) { v.Scope.Query = "canary" }, []string{"scope.query"}},
		{"user twice", func(v *p) { v.Scope = selected(users("a", "a"), nil) }, []string{"scope.include.users[1]"}},
		{"group", func(v *p) { v.Scope = selected(nil, groups(" canary")) }, []string{"scope.exclude.groups[0]"}},
		{"no query", func(v *p) { v.Scope = adaptive("") }, []string{"scope.query"}},
		{"query", func(v *p) { v.Scope = adaptive(`canary = "x"`) }, []string{"scope.query"}},
		{"locked while off", func(v *p) { v.Locked, v.Enabled = true, false }, []string{"enabled"}},
		{"nonce", func(v *p) { v.Nonce = "canary" }, []string{"nonce"}},
	})
}

func TestHold(t *testing.T) {
	type h = directory.Hold
	noon := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	later, before := noon.Add(time.Hour), noon.Add(-time.Hour)
	good := func() h {
		return h{ID: someID, Org: "contoso", Meeting: someID, Reason: "Case 7", PlacedBy: "ada", PlacedAt: noon, Nonce: someNonce}
	}
	run(t, good, []row[h]{
		{"user", func(v *h) { v.Meeting, v.User = "", "ada@contoso" }, nil},
		{"resource", func(v *h) { v.Meeting, v.Resource = "", someID }, nil},
		{"released", func(v *h) { v.ReleasedAt, v.ReleasedBy, v.ReleaseReason = &later, "bob", "settled" }, nil},
		{"on nothing", func(v *h) { v.Meeting = "" }, []string{"meeting"}},
		{"on two", func(v *h) { v.User = "ada" }, []string{"user"}},
		{"on three", func(v *h) { v.User, v.Resource = "ada", someID }, []string{"user", "resource"}},
		{"meeting", func(v *h) { v.Meeting = "canary" }, []string{"meeting"}},
		{"resource that is none", func(v *h) { v.Meeting, v.Resource = "", "canary" }, []string{"resource"}},
		{"no reason", func(v *h) { v.Reason = "" }, []string{"reason"}},
		{"by nobody", func(v *h) { v.PlacedBy = "" }, []string{"placed_by"}},
		{"never placed", func(v *h) { v.PlacedAt = time.Time{} }, []string{"placed_at"}},
		{"released before", func(v *h) { v.ReleasedAt, v.ReleasedBy = &before, "bob" }, []string{"released_at"}},
		{"released by nobody", func(v *h) { v.ReleasedAt = &later }, []string{"released_by"}},
		{"half released", func(v *h) { v.ReleasedBy = "bob" }, []string{"released_at"}},
	})
}

func TestCoverage(t *testing.T) {
	ada := directory.User{ID: "ada", Groups: []string{"legal", "staff"}, Attributes: map[string]string{"country": "DE"}}
	stranger := directory.User{ID: "eve"}
	for _, test := range []struct {
		name          string
		scope         directory.RetentionScope
		ada, stranger directory.Why
	}{
		{"everybody", everybody, directory.WhyOrganization, directory.WhyOrganization},
		{"by name", selected(users("ada"), nil), directory.WhyUser, ""},
		{"by group", selected(groups("legal"), nil), directory.WhyGroup, ""},
		{"by both", selected(&directory.Members{Users: []string{"ada"}, Groups: []string{"legal"}}, nil), directory.WhyUser, ""},
		{"excluded", selected(users("ada", "eve"), groups("staff")), "", directory.WhyUser},
		{"everybody else", selected(nil, groups("staff")), "", directory.WhyOrganization},
		{"adaptive", adaptive(`country == "DE"`), directory.WhyAdaptive, ""},
		{"no attributes", adaptive(`country != "DE"`), "", directory.WhyAdaptive},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := test.scope.Coverage()
			if err != nil {
				t.Fatal(err)
			}
			for user, want := range map[*directory.User]directory.Why{&ada: test.ada, &stranger: test.stranger} {
				if why, ok := c.Covers(user); ok != (want != "") || (ok && why != want) {
					t.Errorf("%s is covered %v %q, want %q", user.ID, ok, why, want)
				}
			}
		})
	}
}

func TestLockedPoliciesOnlyGrow(t *testing.T) {
	type p = directory.RetentionPolicy
	legal := selected(groups("legal"), users("ada", "bob"))
	for _, test := range []struct {
		name   string
		action string
		scope  directory.RetentionScope
		change func(*p)
		want   []string
	}{
		{"nothing", directory.RetentionRetain, everybody, func(*p) {}, nil},
		{"name", directory.RetentionRetain, everybody, func(v *p) { v.Name = "x" }, nil},
		{"unlock", directory.RetentionRetain, everybody, func(v *p) { v.Locked = false }, []string{"locked"}},
		{"turn off", directory.RetentionRetain, everybody, func(v *p) { v.Enabled = false }, []string{"enabled"}},
		{"retain longer", directory.RetentionRetain, everybody, func(v *p) { v.Action.Days++ }, nil},
		{"retain shorter", directory.RetentionRetain, everybody, func(v *p) { v.Action.Days-- }, []string{"action.days"}},
		{"retain, then delete later", directory.RetentionRetainThenDelete, everybody, func(v *p) { v.Action.Days++ }, nil},
		{"retain, then delete sooner", directory.RetentionRetainThenDelete, everybody, func(v *p) { v.Action.Days-- }, []string{"action.days"}},
		{"delete later", directory.RetentionDelete, everybody, func(v *p) { v.Action.Days++ }, []string{"action.days"}},
		{"delete sooner", directory.RetentionDelete, everybody, func(v *p) { v.Action.Days-- }, []string{"action.days"}},
		{"delete after all", directory.RetentionRetain, everybody, func(v *p) { v.Action.Kind = directory.RetentionRetainThenDelete }, []string{"action.kind"}},
		{"retain no more", directory.RetentionRetainThenDelete, everybody, func(v *p) { v.Action.Kind = directory.RetentionDelete }, []string{"action.kind"}},
		{"delete no more", directory.RetentionRetainThenDelete, everybody, func(v *p) { v.Action.Kind = directory.RetentionRetain }, []string{"action.kind"}},
		{"to everybody", directory.RetentionRetain, legal, func(v *p) { v.Scope = everybody }, nil},
		{"from everybody", directory.RetentionRetain, everybody, func(v *p) { v.Scope = selected(nil, users("x")) }, []string{"scope"}},
		{"include more", directory.RetentionDelete, legal, func(v *p) { v.Scope.Include = groups("legal", "staff") }, nil},
		{"include fewer", directory.RetentionRetain, legal, func(v *p) { v.Scope.Include = groups("staff") }, []string{"scope"}},
		{"exclude fewer", directory.RetentionRetain, legal, func(v *p) { v.Scope.Exclude = users("bob") }, nil},
		{"exclude more", directory.RetentionRetain, legal, func(v *p) { v.Scope.Exclude = users("ada", "bob", "eve") }, []string{"scope"}},
		{"all but the excluded", directory.RetentionRetain, legal, func(v *p) { v.Scope.Include = nil }, nil},
		{"no more all but", directory.RetentionRetain, selected(nil, users("x")), func(v *p) { v.Scope.Include = groups("staff") }, []string{"scope"}},
		{"query wider", directory.RetentionRetain, adaptive(`has a`), func(v *p) { v.Scope.Query = `has a or has b` }, nil},
		{"another query", directory.RetentionRetain, adaptive(`has a`), func(v *p) { v.Scope.Query = `has b` }, []string{"scope"}},
		{"query to groups", directory.RetentionRetain, adaptive(`has a`), func(v *p) { v.Scope = legal }, []string{"scope"}},
		{"everything", directory.RetentionRetain, legal, func(v *p) { *v = p{} }, []string{"locked", "enabled", "action.kind", "scope"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			old := goodPolicy()
			old.Locked, old.Scope, old.Action = true, test.scope, directory.RetentionAction{Kind: test.action, Days: 30}
			now := old
			test.change(&now)
			err := now.Grows(old)
			if diff := cmp.Diff(test.want, fields(err)); diff != "" {
				t.Errorf("fields (-want +got):\n%s\n%v", diff, err)
			}
		})
	}
}

func TestContradictions(t *testing.T) {
	kinds := []string{directory.RetentionDelete, directory.RetentionRetain, directory.RetentionRetainThenDelete}
	// That one deletes what the other still retains, by kind of the one with fewer days, kind of the one with more.
	contradict := [][2]string{
		{"delete", "retain"}, {"delete", "retain_then_delete"}, {"retain_then_delete", "retain"}, {"retain_then_delete", "retain_then_delete"},
	}
	for _, few := range kinds {
		for _, many := range kinds {
			a, b := directory.RetentionAction{Kind: few, Days: 1}, directory.RetentionAction{Kind: many, Days: 2}
			want := slices.Contains(contradict, [2]string{few, many})
			if a.Contradicts(b) != want || b.Contradicts(a) != want {
				t.Errorf("%s after 1 day and %s after 2 contradict: %v", few, many, !want)
			}
			if b.Days = 1; a.Contradicts(b) {
				t.Errorf("%s and %s after the same days contradict", few, many)
			}
		}
	}
}

func TestOverlaps(t *testing.T) {
	for _, test := range []struct {
		name string
		a, b directory.RetentionScope
		want bool
	}{
		{"everybody", everybody, adaptive(`has a`), true},
		{"everybody else twice", selected(nil, users("a")), selected(nil, users("b")), true},
		{"same group", selected(groups("a"), nil), selected(groups("a", "b"), nil), true},
		{"same group, excluded", selected(groups("a"), nil), selected(groups("a", "b"), groups("a")), false},
		{"other groups", selected(groups("a"), nil), selected(groups("b"), nil), false},
		{"same user", selected(users("a"), nil), selected(users("a"), groups("b")), true},
		{"all but those of the other", selected(nil, groups("a")), selected(groups("a"), nil), false},
		{"all but others", selected(nil, groups("b")), selected(groups("a"), nil), true},
		{"same query", adaptive(`has a or has b`), adaptive(`(has a) or has b`), true},
		{"other query", adaptive(`has a`), adaptive(`has b`), false},
		{"query and group", adaptive(`has a`), selected(groups("a"), nil), false},
	} {
		if test.a.Overlaps(test.b) != test.want || test.b.Overlaps(test.a) != test.want {
			t.Errorf("%s: overlap is %v one way and %v the other, want %v", test.name, test.a.Overlaps(test.b), test.b.Overlaps(test.a), test.want)
		}
	}
}
