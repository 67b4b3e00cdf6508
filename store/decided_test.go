package store_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

func TestDecisionMarks(t *testing.T) {
	s := storetest.New(t)
	ctx := t.Context()
	if _, err := s.DecisionMark(ctx); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("before anything was decided: %v", err)
	}
	for _, ago := range []time.Duration{0, time.Hour, -time.Hour} {
		if err := s.MarkDecisions(ctx, 7, ago); err != nil {
			t.Fatal(err)
		}
		mark, err := s.DecisionMark(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if fresh := mark.Fresh(time.Minute); mark.Seen != 7 || fresh != (ago == 0) {
			t.Errorf("marked %v ago: %+v, fresh %v", ago, mark, fresh)
		}
	}
}

func TestControlVersions(t *testing.T) {
	s := storetest.New(t)
	ctx := t.Context()
	want := func(n uint64, kinds ...string) {
		t.Helper()
		if got, err := s.ControlVersions(ctx, kinds...); err != nil || got != n {
			t.Errorf("%d versions of %v, want %d: %v", got, kinds, n, err)
		}
	}
	want(0, "hold", "policy")
	for i := range uint64(3) {
		if _, err := s.Put(ctx, store.Control{Kind: "hold", Org: "a", ID: "x", Value: json.RawMessage(`{}`)}, i); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Put(ctx, store.Control{Kind: "policy", Org: "b", ID: "x", Value: json.RawMessage(`{}`)}, 0); err != nil {
		t.Fatal(err)
	}
	want(3, "hold")
	want(4, "hold", "policy")
	if _, err := s.Delete(ctx, "hold", "a", "x", "me", 3); err != nil {
		t.Fatal(err)
	}
	want(5, "hold", "policy")
}
