package author

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tested are contents whose tests pass, fail, err, are skipped, have cases, print and cover all or some of the rules.
func tested() map[string]Content {
	const rules = `import data.anteroom.meeting

# METADATA
# title: No guests beside room devices
# custom:
#   rule: ACME1
#   reason: room_device_present
deny contains rego.metadata.rule().custom if {
	meeting.guest
	input.session.room_device
}

lobby contains "acme_lobby" if {
	print("asked", input.participant.kind)
	input.participant.kind == "guest"
	not input.participant.admitted_by_org_user
}

withhold[capability] contains "acme_closed" if {
	some capability in data.organization.closed
	input.session.participants > 10
}

withhold.shareScreen contains "acme_short" if substring("abc", input.session.org_users, 1) == "b"
`
	with := func(tests string) Content {
		return own(rules).with(map[string]string{"data.json": "{\"closed\": [\"sendChat\"]}\n", "rules_test.rego": testHeader + tests})
	}
	return map[string]Content{
		"all pass": with(`test_room if {
	count(organization.deny) == 1 with input as {"participant": {"kind": "guest"}, "session": {"room_device": true}}
}

test_lobby if organization.lobby == {"acme_lobby"} with input.participant.kind as "guest"

test_closed if organization.withhold.sendChat == {"acme_closed"} with input.session.participants as 11

test_short if organization.withhold.shareScreen == {"acme_short"} with input.session.org_users as 1
`),
		"some of each": with(`test_lobby if {
	print("a test says", "this")
	organization.lobby == {"acme_lobby"} with input.participant.kind as "guest"
}

test_fails if organization.lobby == {"acme_lobby"} with input.participant.kind as "org_user"

test_is_false := false

test_errs if organization.withhold.shareScreen == {"acme_short"} with input.session.org_users as -1

test_two_values if pick == 2

pick := 1 if count(data.organization.closed) == 1

pick := 2 if count(data.organization.closed) > 0

todo_test_later if organization.deny == set()

test_kinds[kind] if {
	some kind in ["guest", "org_user"]
	organization.lobby == {"acme_lobby"} with input.participant.kind as kind
}

test_twice if organization.grant

test_twice if organization.deny == set()
`),
		"data of one's own": with(`test_data if organization.withhold.raiseHand == {"acme_closed"} with data.organization.closed as ["raiseHand"]
	with input.session.participants as 11
`),
	}
}

// TestStockTestsTheSame: each test has the outcome that the stock `opa test` gives it, and each module the lines that it covers.
func TestStockTestsTheSame(t *testing.T) {
	base := newBase(t)
	s := newStock(t, base)
	for name, c := range tested() {
		t.Run(name, func(t *testing.T) {
			folder := s.put(c)
			file := filepath.Join(folder, "organization")
			ours := Test(context.Background(), base, c, TestOptions{Trace: true})
			if len(ours.Diagnostics) > 0 {
				t.Fatalf("%+v", ours.Diagnostics)
			}
			said, code := s.test(folder, "--format", "json")
			if diff := cmp.Diff(outcomesOf(t, said, file), ours.outcomes()); diff != "" {
				t.Errorf("(-stock +ours):\n%s", diff)
			}
			if skipped := slices.ContainsFunc(ours.Tests, func(c TestCase) bool { return c.Outcome == Skip }); (code == 0) != (ours.OK && !skipped) {
				t.Errorf("the stock tool exits with %d; ours is OK: %v", code, ours.OK)
			}
			verbose, _ := s.test(folder, "-v")
			for _, test := range ours.Tests {
				for _, line := range test.Trace {
					if !strings.Contains(squeezed(verbose), squeezed(line[strings.IndexByte(line, ' '):])) {
						t.Errorf("%s: the stock tool's trace has no line %q:\n%s", test.Name, line, verbose)
					}
				}
				if test.Outcome == Fail && len(test.Trace) == 0 && test.Name != "test_is_false" {
					t.Errorf("%s has no trace", test.Name)
				}
			}
			if !ours.OK {
				return // the stock tool tells no coverage then
			}
			said, _ = s.test(folder, "--coverage", "--format", "json")
			if diff := cmp.Diff(coveredOf(t, said, file), ours.Coverage.Files["own.rego"]); diff != "" {
				t.Errorf("coverage (-stock +ours):\n%s", diff)
			}
		})
	}
}

// squeezed has one space where there are some, and one name for the compiler's variables, which it counts anew each time.
func squeezed(text string) string {
	return strings.Join(strings.Fields(regexp.MustCompile(`__local\d+__`).ReplaceAllString(text, "__local__")), " ")
}

// outcomes by place and name, cases of a test as one.
func (r TestResult) outcomes() map[string]string {
	all := map[string]string{}
	for _, c := range r.Tests {
		name, _, _ := strings.Cut(c.Name, "/")
		name = fmt.Sprintf("%s:%d %s.%s", c.File, c.Line, c.Package, name)
		if all[name] == "" || all[name] == Pass {
			all[name] = c.Outcome
		}
	}
	return all
}

func outcomesOf(t *testing.T, said, folder string) map[string]string {
	t.Helper()
	var results []struct {
		Location struct {
			File string
			Row  int
		}
		Package, Name string
		Fail, Skip    bool
		Error         json.RawMessage
	}
	if err := json.Unmarshal([]byte(said), &results); err != nil {
		t.Fatalf("%v in %s", err, said)
	}
	all := map[string]string{}
	for _, r := range results {
		name, err := filepath.Rel(folder, r.Location.File)
		if err != nil {
			t.Fatal(err)
		}
		outcome := Pass
		switch {
		case r.Skip:
			outcome = Skip
		case r.Error != nil:
			outcome = Error
		case r.Fail:
			outcome = Fail
		}
		all[fmt.Sprintf("%s:%d %s.%s", name, r.Location.Row, strings.TrimPrefix(r.Package, "data."), r.Name)] = outcome
	}
	return all
}

func coveredOf(t *testing.T, said, folder string) FileCoverage {
	t.Helper()
	type place struct{ Row int }
	type lines []struct{ Start, End place }
	var report struct {
		Files map[string]struct {
			Covered    lines
			NotCovered lines `json:"not_covered"`
			Coverage   float64
		}
	}
	if err := json.Unmarshal([]byte(said), &report); err != nil {
		t.Fatalf("%v in %s", err, said)
	}
	rows := func(of lines) [][2]int {
		joined := [][2]int{}
		for _, r := range of {
			if last := len(joined) - 1; last >= 0 && r.Start.Row <= joined[last][1]+1 {
				joined[last][1] = max(joined[last][1], r.End.Row)
				continue
			}
			joined = append(joined, [2]int{r.Start.Row, r.End.Row})
		}
		return joined
	}
	file := report.Files[filepath.Join(folder, "own.rego")]
	return FileCoverage{Percent: file.Coverage, Covered: rows(file.Covered), NotCovered: rows(file.NotCovered)}
}
