package proof

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPathsLeadToTheRoot(t *testing.T) {
	for size := range uint64(20) {
		leaves := make([]Hash, size)
		for i := range leaves {
			leaves[i] = LeafHash(fmt.Append(nil, i))
		}
		tree, err := NewTree(leaves)
		if err != nil {
			t.Fatal(err)
		}
		for i := range size {
			path, err := tree.Path(i)
			if err != nil {
				t.Fatal(err)
			}
			if root, err := RootFromPath(leaves[i], i, size, path); err != nil || root != tree.Root() {
				t.Errorf("leaf %d of %d leads to %x, not to %x: %v", i, size, root, tree.Root(), err)
			}
			if root, err := RootFromPath(leaves[i], (i+1)%size, size, path); size > 1 && err == nil && root == tree.Root() {
				t.Errorf("the path of leaf %d of %d leads to the root from another place", i, size)
			}
		}
	}
}

func TestRowsHaveOneForm(t *testing.T) {
	at := Time(time.Date(2026, 11, 24, 8, 0, 0, 1000, time.UTC))
	row := Row{Schema: Schema, ID: "ab", Nonce: "cd", Organization: "org", Region: "emea", Class: Copy, State: Purged, SentAt: at, DueAt: &at, Rule: AppliedAs{ID: "<default>"}}
	text, err := row.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"schema":1,"copy_id":"ab","nonce":"cd","organization":"org","meeting":"","region":"emea","class":"copy","state":"purged","held":false,` +
		`"sent_at":"2026-11-24T08:00:00.000001Z","due_at":"2026-11-24T08:00:00.000001Z","hidden_at":null,"purged_at":null,` +
		`"rule":{"id":"<default>","version":0,"reason":"","revision":""},"why":"","lateness_ms":null,"attempts":0,"broker_expiry_at":null}`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Error(diff)
	}
	if back, err := ParseRow(text); err != nil || back.Rule != row.Rule {
		t.Errorf("read back %+v: %v", back, err)
	}
	for _, other := range []string{want + " ", " " + want, want[:10] + " " + want[10:], want[:len(want)-1] + `,"more":1}`} {
		if _, err := ParseRow([]byte(other)); err == nil {
			t.Errorf("took %s", other)
		}
	}
}
