package report

import (
	"bytes"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestSpillSortsLikeMemory(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 40), 0, 200).Draw(t, "records")
		s := newSpill(dir, rapid.IntRange(1, 2000).Draw(t, "bound"))
		for _, r := range want {
			if err := s.add(r[:len(r)/2], r[len(r)/2:]); err != nil {
				t.Fatal(err)
			}
		}
		slices.SortStableFunc(want, bytes.Compare)
		var got [][]byte
		if err := s.each(func(r []byte) error { got = append(got, bytes.Clone(r)); return nil }); err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(want, got, bytes.Equal) {
			t.Fatalf("%q, want %q", got, want)
		}
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Fatalf("left behind: %v, %v", left, err)
		}
	})
}
