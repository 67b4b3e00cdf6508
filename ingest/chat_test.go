package ingest_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRule_S1_TheThreadIsStoredAtHome and the copies of guests where their resources are: of each guest one, of what it was shown last.
func TestRule_S1_S2_ThreadAtHomeAndOneCopyPerGuestInItsRegion(t *testing.T) {
	h := newHouse(t)
	h.home.start(t)
	h.far.start(t)
	m := h.meeting()
	near, far, late := h.guest(h.home), h.guest(h.far), h.guest(h.far)

	one, first := m.sent(t, "one", near, far)
	two, second := m.sent(t, "two", near, far, late)
	h.home.produce(t, first)
	h.home.caughtUp(t)
	h.far.caughtUp(t)
	expect := func(thread []string, copies map[guest]string) {
		t.Helper()
		h.home.caughtUp(t)
		h.far.caughtUp(t)
		if diff := cmp.Diff(thread, m.thread(t)); diff != "" {
			t.Errorf("thread (-want +got):\n%s", diff)
		}
		for g, want := range copies {
			if got := m.copied(t, g); got != want {
				t.Errorf("the copy of a guest of %s says %q, want %q", g.region, got, want)
			}
		}
	}
	expect([]string{"one"}, map[guest]string{near: "one", far: "one", late: ""})
	_, third := m.sent(t, "three", near)
	h.home.produce(t, second, third) // in one batch: the second is nobody's copy at home
	expect([]string{"one", "two", "three"}, map[guest]string{near: "three", far: "two", late: "two"})
	h.home.produce(t, m.edited(t, one, "one more"), m.edited(t, two, "two more"))
	expect([]string{"one more", "two more", "three"}, map[guest]string{near: "three", far: "two more", late: "two more"})
	h.home.produce(t, m.deleted(t, two))
	expect([]string{"one more", "three"}, map[guest]string{near: "three", far: "", late: ""})

	for query, want := range map[string]uint64{
		"SELECT count() FROM retained WHERE class = 'thread'":                                                   3,
		"SELECT count() FROM retained WHERE class = 'copy'":                                                     2, // of one and three
		"SELECT count() FROM copy_heads FINAL":                                                                  1,
		"SELECT count() FROM timeline WHERE kind = 5":                                                           6,
		"SELECT count() FROM retained WHERE class = 'copy' AND holder_id != toUUID('" + near.id.String() + "')": 0,
		"SELECT count() FROM dead_letters":                                                                      0,
	} {
		if got := h.home.count(t, query); got != want {
			t.Errorf("%s at home: got %d, want %d", query, got, want)
		}
	}
	for query, want := range map[string]uint64{
		"SELECT count() FROM texts WHERE class = 'thread'":    0,
		"SELECT count() FROM retained WHERE class != 'copy'":  0,
		"SELECT count() FROM retained":                        3, // far's of one and two, late's of two
		"SELECT count() FROM timeline":                        0,
		"SELECT count() FROM dead_letters":                    0,
		"SELECT count() FROM texts WHERE text LIKE '%three%'": 0,
	} {
		if got := h.far.count(t, query); got != want {
			t.Errorf("%s in the further region: got %d, want %d", query, got, want)
		}
	}
}
