package archtest_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/internal/archtest"
)

func TestImportsFollowTheTable(t *testing.T) {
	for _, goos := range archtest.Platforms() {
		t.Run(goos, func(t *testing.T) {
			packages := list(t, goos)
			for _, broken := range archtest.House().Check(packages) {
				t.Error(broken)
			}
		})
	}
}

// The check above could pass by seeing nothing.
func TestListSeesPackagesAndTheirImports(t *testing.T) {
	for _, p := range list(t, "linux") {
		if p.Path != archtest.Module+"/event" {
			continue
		}
		for _, imported := range p.Imports {
			if imported == archtest.Module+"/event/eventpb" {
				return
			}
		}
	}
	t.Error("the list lacks event's import of event/eventpb")
}

// Each row breaks one rule with an import that is made up.
func TestCheckFindsBrokenRules(t *testing.T) {
	table := archtest.Table{
		Rooms: []archtest.Room{
			{Path: "leaf", Why: "leaves stand alone"},
			{Path: "branch", May: []string{"leaf"}, Why: "branches hold leaves"},
			{Path: "branch/twig", Why: "a twig has a row of its own"},
			{Path: "helper", Test: true, Why: "for tests"},
			{Path: "cmd", All: true},
		},
		ThirdParties: []archtest.ThirdParty{
			{Prefix: "example.org/pinned", Rooms: []string{"leaf"}, Why: "leaves only"},
			{Prefix: "example.org/pinned/free", Any: true},
			{Prefix: "example.org/tool", Why: "a tool of tests"},
		},
	}
	const m = archtest.Module + "/"
	const rooms = "internal/archtest/rooms.go"
	for _, tc := range []struct {
		name, from, imports string
		want                []string
	}{
		{"standard library", "leaf", "net/http", nil},
		{"allowed room", "branch", m + "leaf", nil},
		{"refused room", "leaf", m + "branch", []string{"leaf may not import branch: leaves stand alone"}},
		{"a row is not for the packages below it", "branch", m + "branch/twig", []string{"branch may not import branch/twig: branches hold leaves"}},
		{"wiring imports any room", "cmd", m + "branch", nil},
		{"nor is wiring a test", "cmd", m + "helper", []string{"cmd imports helper outside of its tests: for tests"}},
		{"a test's room imports anything", "helper", "example.org/new", nil},
		{"new room", "attic", "fmt", []string{m + "attic is a new room: add it to the table in " + rooms + " and to docs/architecture.md"}},
		{"pinned, in its room", "leaf", "example.org/pinned/sub", nil},
		{"pinned, elsewhere", "branch", "example.org/pinned/sub", []string{"branch may not import example.org/pinned/sub, which is only for leaf: leaves only"}},
		{"pinned even for wiring", "cmd", "example.org/pinned", []string{"cmd may not import example.org/pinned, which is only for leaf: leaves only"}},
		{"the longest prefix counts", "branch", "example.org/pinned/free/x", nil},
		{"a prefix ends at a slash", "leaf", "example.org/pinnedtoo", []string{"leaf imports example.org/pinnedtoo, a new third party: add it to the table in " + rooms + " with the rooms it is for"}},
		{"a test's tool", "leaf", "example.org/tool", []string{"leaf may not import example.org/tool outside of its tests: a tool of tests"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := table.Check([]archtest.Package{{Path: m + tc.from, Imports: []string{tc.imports}}})
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("Check (-want +got):\n%s", diff)
			}
		})
	}
}

// A row that names a room which is in no row allows nothing, silently.
func TestTableNamesOnlyItsOwnRooms(t *testing.T) {
	house := archtest.House()
	known := map[string]bool{}
	for _, r := range house.Rooms {
		if known[r.Path] {
			t.Errorf("room %s has two rows", r.Path)
		}
		known[r.Path] = true
		if r.Why == "" {
			t.Errorf("room %s has no reason", r.Path)
		}
	}
	for _, r := range house.Rooms {
		for _, may := range r.May {
			if !known[may] {
				t.Errorf("room %s may import %s, which has no row", r.Path, may)
			}
		}
	}
	for _, p := range house.ThirdParties {
		if p.Why == "" {
			t.Errorf("third party %s has no reason", p.Prefix)
		}
		for _, room := range p.Rooms {
			if !known[room] {
				t.Errorf("third party %s is for %s, which has no row", p.Prefix, room)
			}
		}
	}
}

func list(t *testing.T, goos string) []archtest.Package {
	t.Helper()
	packages, err := archtest.List("../..", goos)
	if err != nil {
		t.Fatal(err)
	}
	return packages
}
