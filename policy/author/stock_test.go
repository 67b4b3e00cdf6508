package author

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/internal/opatest"
	"github.com/anteroom/anteroom/policy"
)

// stock is the stock tool over the base's files as they are given to authors, and contents beside them.
type stock struct {
	t       *testing.T
	program string
	folder  string
}

func newStock(t *testing.T, base *policy.Base) *stock {
	t.Helper()
	s := &stock{t, opatest.Program(t), t.TempDir()}
	files, err := base.Files()
	if err != nil {
		t.Fatal(err)
	}
	// Only the base's modules and data are loaded; the other files are named by flags.
	place := map[string]string{}
	for name, text := range files {
		switch {
		case name == policy.CapabilitiesFile || name == policy.SchemaFile:
			place[name] = text
		case !policy.IsTest(name):
			place["base/"+name] = text
		}
	}
	opatest.Write(t, s.folder, place)
	return s
}

// put writes a content to a folder of its own, which the tools see as data.organization's place.
func (s *stock) put(c Content) string {
	s.t.Helper()
	folder := s.t.TempDir()
	files := map[string]string{}
	for name, text := range c.Files {
		files["organization/"+name] = text
	}
	opatest.Write(s.t, folder, files)
	return folder
}

// run is the tool's answer on standard output or error, and its exit code.
func (s *stock) run(args ...string) (string, int) {
	s.t.Helper()
	cmd := exec.Command(s.program, args...)
	cmd.Dir = s.folder
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

func (s *stock) check(folder string) (string, int) {
	return s.run("check", "--strict", "--max-errors", "100", "--format", "json", "--capabilities", policy.CapabilitiesFile, "--schema", policy.SchemaFile, "base", folder)
}

func (s *stock) test(folder string, flags ...string) (string, int) {
	return s.run(append(append([]string{"test", "--capabilities", policy.CapabilitiesFile, "--schema", policy.SchemaFile}, flags...), "base", folder)...)
}

// TestStockChecksTheSame: what the stock tool refuses is refused here at the same place with the same code, and beyond that only what the house's own
// codes stand for.
func TestStockChecksTheSame(t *testing.T) {
	base := newBase(t)
	s := newStock(t, base)
	for name, c := range checked() {
		// What can't be files, and what the stock tool works on for minutes.
		if _, ok := c.content.Files["../x.rego"]; ok || len(c.content.Files) == 0 || name == "very deep" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			folder := s.put(c.content)
			said, code := s.check(folder)
			var theirs, ours []string
			if code != 0 {
				theirs = placesOf(t, said, folder)
			}
			house := false // the house's codes are about what the stock tool doesn't know
			for _, d := range Check(context.Background(), base, c.content).Diagnostics {
				if strings.HasPrefix(d.Code, "policy_") {
					house = true
					continue
				}
				ours = append(ours, fmt.Sprintf("%s:%d %s", d.File, d.Line, d.Code))
			}
			if diff := cmp.Diff(theirs, ours); diff != "" && !house {
				t.Errorf("the stock tool exits with %d (-stock +ours):\n%s\n%s", code, diff, said)
			}
			if house && len(theirs) > 0 {
				t.Errorf("the house's rules hide what the stock tool finds: %v", theirs)
			}
		})
	}
}

// placesOf are the errors that `opa check --format json` tells, as file:line and code, in the order of their places.
func placesOf(t *testing.T, said, folder string) []string {
	t.Helper()
	var report struct {
		Errors []struct {
			Code, Message string
			Location      struct {
				File string
				Row  int
				Col  int
			}
		}
	}
	if err := json.Unmarshal([]byte(said), &report); err != nil {
		t.Fatalf("%v in %s", err, said)
	}
	var list []string
	for _, e := range report.Errors {
		file, err := filepath.Rel(filepath.Join(folder, "organization"), e.Location.File)
		if err != nil {
			file = e.Location.File
		}
		list = append(list, fmt.Sprintf("%s:%d %s", file, max(1, e.Location.Row), e.Code))
	}
	slices.Sort(list)
	return list
}
