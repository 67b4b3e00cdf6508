package api

import (
	"testing"

	"github.com/anteroom/anteroom/policy"
)

// Rules of the shipped policy are explained after it has changed, too: their ids stay. Where they stood is told of today's alone.
func TestWhyOfAnOlderBase(t *testing.T) {
	base, err := policy.NewBase(policy.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	p := &Policies{Base: base}
	for revision, placed := range map[string]bool{"base@" + base.Revision(): true, "base@0123": false} {
		known, err := p.reasonsOf(t.Context(), "contoso", revision)
		if err != nil {
			t.Fatal(err)
		}
		var found bool
		for _, r := range known {
			if r.Rule != "J9" {
				continue
			}
			found = true
			if r.Title != "Guests wait until a user of the organisation admits them" || (r.File != "") != placed || (r.Line > 0) != placed {
				t.Errorf("%s: %+v", revision, r)
			}
		}
		if !found {
			t.Errorf("%s: J9 is not explained", revision)
		}
	}
}
