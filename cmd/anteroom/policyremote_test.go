package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A folder goes to the server and comes back, is activated and taken back; exit codes tell a pipeline what became of it.
func TestPolicyPushAndPull(t *testing.T) {
	t.Parallel()
	h := newHouse(t, usualRig.get(t), nil)
	cli := func(code int, args ...string) string {
		t.Helper()
		out, told := new(buffer), new(buffer)
		args = append(append([]string{"policy"}, args...), "--server", h.rig.url, "--org", h.org, "--data", h.rig.data)
		if got := run(context.Background(), args, nil, strings.NewReader(""), out, told); got != code {
			t.Fatalf("%v: exit code %d, want %d\n%s%s", args, got, code, out, told)
		}
		return out.String() + told.String()
	}
	write := func(files fields) string {
		t.Helper()
		dir := t.TempDir()
		for name, text := range files {
			content, _ := text.(string)
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	good := write(guestsWait("acme_lobby", "scheduled"))
	says := func(want, got string) {
		t.Helper()
		if !strings.Contains(got, want) {
			t.Errorf("said %q, want %q", got, want)
		}
	}
	says("say why", cli(2, "push", good))
	says("has no policy of its own", cli(1, "pull", t.TempDir()))
	says("Made revision 1.\nIt decides now.", cli(0, "push", good, "--message", "First", "--activate"))
	says("Revision 1 is this policy, and active.", cli(0, "push", good, "--message", "Again"))
	broken := write(fields{"guests.rego": "package anteroom.organization\n\ndeny contains\n"})
	says(filepath.Join(broken, "guests.rego")+":4:", cli(1, "push", broken, "--message", "Broken"))
	red := write(fields{"guests.rego": guestsWait("acme_lobby", "scheduled")["guests.rego"], "guests_test.rego": "package anteroom.organization_test\n\ntest_never if 1 == 2\n"})
	says("test_never (guests_test.rego:3)", cli(1, "push", red, "--message", "Red", "--activate"))
	says("Revision 0 decides now.", cli(0, "activate", "0"))
	says("is not the number", cli(2, "activate", "one"))
	says("Revision 3 decides now.", cli(0, "rollback", "1", "--message", "Back"))
	there := t.TempDir()
	says("guests.rego", cli(0, "pull", there))
	for name := range guestsWait("", "") {
		want, errWant := os.ReadFile(filepath.Join(good, name))
		got, err := os.ReadFile(filepath.Join(there, name))
		if diff := cmp.Diff(string(want), string(got)); diff != "" || err != nil || errWant != nil {
			t.Errorf("%s came back otherwise: %v %v\n%s", name, err, errWant, diff)
		}
	}
	says("revision 3 is active, not 1", cli(1, "rollback", "0", "--expect", "1"))
	says("revision 3 is active, not 1", cli(1, "push", red, "--message", "Late", "--expect", "1"))
	says("Revision 4 decides now.", cli(0, "rollback", "0", "--expect", "3"))
	says("revision 4 of "+h.org+" has no policy of its own", cli(1, "pull", filepath.Join(t.TempDir(), "new")))
	says("is not in the revision", cli(0, "pull", "--revision", "3", write(fields{"mine.rego": "package x"})))
}
