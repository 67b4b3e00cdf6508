package author

import (
	"testing"

	"github.com/anteroom/anteroom/policy"
)

const (
	header     = "package anteroom.organization\n\n"
	testHeader = "package anteroom.organization_test\n\nimport data.anteroom.organization\n\n"
)

func newBase(t testing.TB) *policy.Base {
	t.Helper()
	base, err := policy.NewBase(policy.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	return base
}

// own is a content of one module.
func own(rules string) Content { return Content{Files: map[string]string{"own.rego": header + rules}} }

// with is the content with more files.
func (c Content) with(files map[string]string) Content {
	all := map[string]string{}
	for name, text := range c.Files {
		all[name] = text
	}
	for name, text := range files {
		all[name] = text
	}
	return Content{Files: all}
}
