package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

func TestLeavesWaitUntilTheyHaveAnEntry(t *testing.T) {
	s, ctx := storetest.New(t), t.Context()
	for i := range 5 {
		for range 2 { // again: harmless
			if err := s.PutLeaf(ctx, fmt.Sprint("leaf", i), fmt.Append(nil, "text", i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.PutLeaf(ctx, "leaf0", []byte("another text")); err != nil {
		t.Fatal(err)
	}
	waiting := func(f store.WaitingFilter) (ids []string) {
		t.Helper()
		f.Limit = 10
		leaves, err := s.WaitingLeaves(ctx, f)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range leaves {
			if l.ID == "leaf0" && string(l.Leaf) != "text0" {
				t.Errorf("the first leaf of an id doesn't count: %s", l.Leaf)
			}
			ids = append(ids, l.ID)
		}
		return ids
	}
	if diff := cmp.Diff([]string{"leaf0", "leaf1", "leaf2", "leaf3", "leaf4"}, waiting(store.WaitingFilter{})); diff != "" {
		t.Error(diff)
	}
	parts := append(waiting(store.WaitingFilter{Parts: 2}), waiting(store.WaitingFilter{Part: 1, Parts: 2})...)
	if len(parts) != 5 {
		t.Errorf("two parts have %v", parts)
	}

	at := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	entries := []store.LedgerEntry{
		{ID: "leaf0", Index: 0, LeafHash: [32]byte{1}, PublishedAt: at},
		{ID: "leaf1", Index: 1, LeafHash: [32]byte{2}, PublishedAt: at},
		{ID: "leaf3", Index: 2, LeafHash: [32]byte{3}, PublishedAt: at},
	}
	for range 2 {
		if err := s.PutLedgerEntries(ctx, entries); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"leaf2", "leaf4"}, waiting(store.WaitingFilter{})); diff != "" {
		t.Error(diff)
	}
	all, older, err := s.OutboxCounts(ctx, time.Now().Add(-time.Hour))
	if err != nil || all != 5 || older != 0 {
		t.Errorf("the outbox has %d leaves, %d of them old: %v", all, older, err)
	}
	if size, err := s.OutboxSize(ctx); err != nil || size != all {
		t.Errorf("the outbox has %d leaves: %v", size, err)
	}
	count, since, err := s.Waiting(ctx)
	if err != nil || count != 2 || since.Before(time.Now().Add(-time.Hour)) {
		t.Errorf("%d leaves wait since %v: %v", count, since, err)
	}

	found, err := s.LedgerEntries(ctx, []string{"leaf1", "leaf2"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]store.LedgerEntry{"leaf1": entries[1]}, found); diff != "" {
		t.Error(diff)
	}
	if count, highest, err := s.LedgerExtent(ctx); err != nil || count != 3 || highest != 2 {
		t.Errorf("%d entries up to %d: %v", count, highest, err)
	}
	var read []store.LedgerEntry
	if err := s.EachLedgerEntry(ctx, 1, func(e store.LedgerEntry) error { read = append(read, e); return nil }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(entries[1:], read); diff != "" {
		t.Error(diff)
	}
	outbox := map[string]int64{}
	err = s.EachOutboxLeaf(ctx, func(l store.OutboxLeaf, e *store.LedgerEntry) error {
		outbox[l.ID] = -1
		if e != nil {
			outbox[l.ID] = int64(e.Index)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int64{"leaf0": 0, "leaf1": 1, "leaf2": -1, "leaf3": 2, "leaf4": -1}, outbox); diff != "" {
		t.Error(diff)
	}
}

func TestBatchesAreReadInOrderOfIDs(t *testing.T) {
	s, ctx := storetest.New(t), t.Context()
	for name, each := range map[string]func(func(uuid.UUID) error) error{
		"evidence": func(do func(uuid.UUID) error) error {
			return s.EachEvidenceByBatch(ctx, func(e *store.Evidence) error { return do(e.BatchID) })
		},
		"stored": func(do func(uuid.UUID) error) error {
			return s.EachStoredByBatch(ctx, func(e *store.StoredThing) error { return do(e.BatchID) })
		},
	} {
		if err := each(func(uuid.UUID) error { t.Error("something is there"); return nil }); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
