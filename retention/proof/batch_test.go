package proof

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

func TestBatchesGiveTheRootOfTheirThings(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 32)
	sent := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	ids := map[string]bool{}
	for i := range 9 {
		id := ThingID(key, Copy, "emea", "contoso", "call", uuid.UUID{15: byte(i)}, uuid.Nil)
		ids[hex.EncodeToString(id[:])] = true
	}
	batch := NewBatch(LeafStored, "emea", "b1")
	var hashes []Hash
	for i, id := range sortedKeys(ids) {
		thing := StoredThing{Schema: Schema, ID: id, Organization: "contoso", Region: "emea", Class: Copy, SentAt: Time(sent.Add(time.Duration(i%4) * time.Hour))}
		if err := batch.Stored(&thing); err != nil {
			t.Fatal(err)
		}
		if err := batch.Stored(&thing); !errors.Is(err, ErrOrder) {
			t.Errorf("the same thing again: %v", err)
		}
		hash, err := thing.Hash()
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, hash)
	}
	leaf, err := batch.Leaf(sent)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := NewTree(hashes)
	if err != nil {
		t.Fatal(err)
	}
	first, last := Time(sent), Time(sent.Add(3*time.Hour))
	want := Leaf{
		Schema: Schema, Type: LeafStored, Region: "emea", ID: "b1", At: Time(sent), Organization: "contoso", Count: 9, Root: tree.Root(),
		FirstSent: &first, LastSent: &last,
	}
	if diff := cmp.Diff(want, leaf, cmp.Comparer(func(a, b Time) bool { return time.Time(a).Equal(time.Time(b)) })); diff != "" {
		t.Error(diff)
	}
	text, err := leaf.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := ParseLeaf(text); err != nil || again.Root != leaf.Root {
		t.Errorf("read back %+v: %v", again, err)
	}
}

func TestBatchesOfSeveralOrganisationsNameNone(t *testing.T) {
	batch := NewBatch(LeafDeleted, "emea", "b1")
	for i, org := range []string{"a", "b"} {
		if err := batch.Deleted(&Row{Schema: Schema, ID: strings.Repeat(string(rune('a'+i)), 64), Organization: org}); err != nil {
			t.Fatal(err)
		}
	}
	leaf, err := batch.Leaf(time.Now())
	if err != nil || leaf.Organization != "" {
		t.Errorf("the leaf is %+v: %v", leaf, err)
	}
	if _, err := NewBatch(LeafDeleted, "emea", "b2").Leaf(time.Now()); err == nil {
		t.Error("a batch of nothing has a leaf")
	}
}

func TestTagsStandForOrganisations(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 32)
	tag := func(region, org string) string {
		return OrganizationTag(OrganizationSalt(key, region, org), region, org)
	}
	seen := map[string]bool{}
	for _, t := range []string{tag("emea", "a"), tag("emea", "b"), tag("amer", "a")} {
		seen[t] = true
	}
	if len(seen) != 3 || !seen[tag("emea", "a")] || tag("emea", "") != "" {
		t.Errorf("tags are %v", seen)
	}
	// Length before each part: the border between two can't be moved.
	if ThingID(key, Copy, "emea", "a", "bc", uuid.Nil, uuid.Nil) == ThingID(key, Copy, "emea", "ab", "c", uuid.Nil, uuid.Nil) {
		t.Error("two things have one id")
	}
}

func TestAccumulatorsGoOn(t *testing.T) {
	a := NewAccumulator()
	for i := range 37 {
		if err := a.Add(LeafHash([]byte{byte(i)})); err != nil {
			t.Fatal(err)
		}
		b, err := ResumeAccumulator(a.Size(), a.Hashes())
		if err != nil {
			t.Fatal(err)
		}
		want, err := a.Root()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := b.Root(); err != nil || got != want {
			t.Errorf("size %d: root is %x, want %x: %v", a.Size(), got, want, err)
		}
	}
	if _, err := ResumeAccumulator(3, nil); err == nil {
		t.Error("took too few hashes")
	}
}

func TestCountsAreOfStates(t *testing.T) {
	const minute = 60_000
	var c Counts
	for _, l := range []Line{
		{Row: Row{State: Stored}},
		{Row: Row{State: Hidden, Lateness: ptr(int64(2 * minute))}},
		{Row: Row{State: Hidden, Lateness: ptr(int64(2 * minute)), Held: true}, Stored: ptr("b")},
		{Row: Row{State: Purged, Lateness: ptr(int64(2 * minute)), Purged: &Time{}}, Stored: ptr("b"), Deleted: ptr("d")},
		{Row: Row{State: Purged, Lateness: ptr(int64(minute)), Purged: &Time{}}, Stored: ptr("b"), Deleted: ptr("d")},
	} {
		if err := c.Add(&l, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	want := Counts{Rows: 5, Stored: 1, Hidden: 2, Purged: 2, Held: 1, Overdue: 1, Late: 1, Deleted: 2, Unlogged: 2}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
	if err := c.Add(&Line{Row: Row{State: "gone"}}, time.Minute); err == nil {
		t.Error("counted a state that there isn't")
	}
}

func TestCSVHoldsNoFormula(t *testing.T) {
	at := Time(time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC))
	line := Line{
		Row:    Row{ID: "ab", Organization: "=cmd", Class: Copy, State: Purged, SentAt: at, Purged: &at, Lateness: ptr(int64(-5)), Rule: AppliedAs{ID: `a,"b"`}},
		Stored: ptr("s"), Index: ptr(uint64(7)),
	}
	var b bytes.Buffer
	w := NewCSVWriter(&b, NewCSVForm(true))
	for _, step := range []func() error{w.Begin, func() error { return w.Write(&line) }, w.Flush} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	want := "\ufeff" + strings.Join(CSVHeader(), ",") + "\r\n" +
		`ab,'=cmd,,,copy,purged,false,2026-11-24T08:00:00.000000Z,,,2026-11-24T08:00:00.000000Z,,"a,""b""",0,,,'-5,0,,s,,7,` + "\r\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
	if cells := line.CSV(); len(cells) != len(CSVHeader()) {
		t.Errorf("%d cells under %d columns", len(cells), len(CSVHeader()))
	}
}

func ptr[T any](v T) *T { return &v }

func sortedKeys(m map[string]bool) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
