package author

import (
	"context"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/policy"
)

// example is the policy of the repository that is shipped as a model.
func example(t *testing.T) Content {
	t.Helper()
	c := Content{Files: map[string]string{}}
	files := os.DirFS("../example/organization")
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, name)
		c.Files[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestExampleIsAModel: formatted, checked, with all of it tested, and each rule with what people look for.
func TestExampleIsAModel(t *testing.T) {
	base, c := newBase(t), example(t)
	checked := Check(context.Background(), base, c)
	if diff := cmp.Diff(CheckResult{OK: true, Diagnostics: []Diagnostic{}, Unformatted: []string{}}, checked); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	tested := Test(context.Background(), base, c, TestOptions{})
	if !tested.OK || tested.Coverage.Percent != 100 {
		t.Errorf("%+v", tested)
	}
	for _, r := range ReasonsOf(base, c) {
		if !strings.HasPrefix(r.File, "anteroom/") && (r.Rule == "" || r.Title == "" || !strings.HasPrefix(r.Reason, "acme_")) {
			t.Errorf("%s:%d has no rule, title or reason: %+v", r.File, r.Line, r)
		}
	}
	s := newStock(t, base)
	folder := s.put(c)
	if said, code := s.check(folder); code != 0 {
		t.Errorf("the stock check: %s", said)
	}
	if said, code := s.test(folder); code != 0 || !strings.Contains(said, "PASS: 14/14") {
		t.Errorf("the stock tests: %s", said)
	}
}

// TestReadmeNamesAllCodes: a code that an author meets is explained.
func TestReadmeNamesAllCodes(t *testing.T) {
	text, err := os.ReadFile("../example/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{
		policy.SizeErr, policy.DepthErr, policy.PackageErr, policy.EntryErr, policy.NumberErr, policy.CapabilityErr, policy.PeriodErr, policy.SchemaErr, policy.TestErr,
		FileErr, DataErr, LimitErr, InputErr,
	} {
		if !strings.Contains(string(text), "| `"+code+"` |") {
			t.Errorf("README.md doesn't explain %s", code)
		}
	}
}
