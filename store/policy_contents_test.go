package store_test

import (
	"errors"
	"testing"

	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

func TestPolicyContents(t *testing.T) {
	s, _ := storetest.Reused(t)
	ctx := t.Context()
	if _, err := s.PolicyContent(ctx, "contoso", "d1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("of nothing: %v", err)
	}
	for _, draft := range []bool{true, false, false} {
		if err := s.PutPolicyContent(ctx, store.PolicyContent{Org: "contoso", Digest: "d1", Draft: draft, Files: `{"a.rego":"x"}`}); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.PolicyContent(ctx, "contoso", "d1"); err != nil || got != `{"a.rego":"x"}` {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := s.PolicyContent(ctx, "fabrikam", "d1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("another organisation's: %v", err)
	}
}
