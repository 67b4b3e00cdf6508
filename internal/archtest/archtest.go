// Package archtest keeps the import table of docs/architecture.md: which room may import which, and which third
// party is pinned to which rooms, each with its reason.
//
// The table is in rooms.go. A package that is in no row fails, and so does a third party that is in no row: both are
// decisions, and this is where they are written down. Imports made by test files are free, but packages that exist
// for tests may be imported by tests only.
package archtest

import (
	"fmt"
	"slices"
	"strings"
)

// Module is the import path that all rooms lie under.
const Module = "github.com/anteroom/anteroom"

// Room is one row of the table: a package and what its non-test code may import from this module.
type Room struct {
	Path string   // below [Module]
	May  []string // rooms that it may import
	All  bool     // it may import every room that isn't for tests
	Test bool     // it exists for tests: it may import anything, and only tests and rooms like it may import it
	Why  string   // why not more
}

// ThirdParty pins all packages under a prefix of the import path to rooms. The longest prefix that fits counts.
type ThirdParty struct {
	Prefix string
	Rooms  []string // where it may be imported; none: in tests only
	Any    bool     // everywhere
	Why    string
}

// Package is what is known of one package of the module.
type Package struct {
	Path    string   // full import path
	Imports []string // of its non-test files
}

// Table is the whole design.
type Table struct {
	Rooms        []Room
	ThirdParties []ThirdParty
}

// Check answers one sentence per broken rule, sorted, each once.
func (t Table) Check(packages []Package) []string {
	var broken []string
	for _, p := range packages {
		room, ok := t.room(p.Path)
		if !ok {
			broken = append(broken, fmt.Sprintf("%s is a new room: add it to the table in internal/archtest/rooms.go and to docs/architecture.md", p.Path))
			continue
		}
		for _, imported := range p.Imports {
			if complaint := t.checkImport(room, imported); complaint != "" {
				broken = append(broken, complaint)
			}
		}
	}
	slices.Sort(broken)
	return slices.Compact(broken)
}

func (t Table) checkImport(from Room, imported string) string {
	if from.Test || isStandard(imported) {
		return ""
	}
	if imported == Module || strings.HasPrefix(imported, Module+"/") {
		return t.checkRoom(from, imported)
	}
	return t.checkThirdParty(from, imported)
}

func (t Table) checkRoom(from Room, imported string) string {
	to, ok := t.room(imported)
	switch {
	case !ok:
		return "" // reported as a new room
	case to.Test:
		return fmt.Sprintf("%s imports %s outside of its tests: %s", from.Path, to.Path, to.Why)
	case from.All || slices.Contains(from.May, to.Path):
		return ""
	}
	return fmt.Sprintf("%s may not import %s: %s", from.Path, to.Path, from.Why)
}

func (t Table) checkThirdParty(from Room, imported string) string {
	var pin ThirdParty
	for _, p := range t.ThirdParties {
		if under(imported, p.Prefix) && len(p.Prefix) > len(pin.Prefix) {
			pin = p
		}
	}
	switch {
	case pin.Prefix == "":
		return fmt.Sprintf("%s imports %s, a new third party: add it to the table in internal/archtest/rooms.go with the rooms it is for", from.Path, imported)
	case pin.Any || slices.Contains(pin.Rooms, from.Path):
		return ""
	case len(pin.Rooms) == 0:
		return fmt.Sprintf("%s may not import %s outside of its tests: %s", from.Path, imported, pin.Why)
	}
	return fmt.Sprintf("%s may not import %s, which is only for %s: %s", from.Path, imported, strings.Join(pin.Rooms, ", "), pin.Why)
}

func (t Table) room(path string) (Room, bool) {
	i := slices.IndexFunc(t.Rooms, func(r Room) bool { return Module+"/"+r.Path == path })
	if i < 0 {
		return Room{}, false
	}
	return t.Rooms[i], true
}

func under(path, prefix string) bool {
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}

// isStandard relies on the rule that only paths of the standard library have no dot in their first element.
func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}
