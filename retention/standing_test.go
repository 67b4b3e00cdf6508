package retention_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/retention"
	"github.com/anteroom/anteroom/retention/proof"
)

func TestStandingCountsAllThatIsKept(t *testing.T) {
	h := newHouse(t)
	hers, his := h.chat("ada"), h.chat("bob")
	h.policy(group("legal"), del, 7)
	h.superseded(hers)
	h.kept(hers, "copy", bank, noon.Add(-8*day))
	h.hold(directory.Hold{Meeting: his.String()})
	h.pass()
	// Of a meeting that nothing has been decided about yet.
	h.kept(uuid.New(), "recording", uuid.Nil, noon)
	got, err := h.book.Standing(t.Context(), "contoso", noon.Add(time.Minute))
	h.must(err)
	date := func(days int) string { return noon.AddDate(0, 0, days).Format(time.DateOnly) }
	want := retention.Standing{
		At: noon.Add(time.Minute), Complete: true, Regions: []retention.PreviewRegion{{Region: "amer", Complete: true}, {Region: "emea", Complete: true}},
		Classes: []retention.StandingClass{
			{Class: proof.Thread, Stored: 2, Held: 1, ForGood: 1},
			// One is due since a day; one gave way to a newer one a moment ago.
			{Class: proof.Copy, Stored: 2, Held: 1, Waiting: 1, Overdue: 1},
			{Class: proof.Recording, Stored: 1, Unknown: 1},
			{Class: proof.Notice},
			{Class: proof.Decision},
		},
		Days: []retention.StandingOfADay{
			{Day: date(7), Class: proof.Thread, Things: 1},
			{Day: date(7), Class: proof.Copy, Things: 1},
			{Day: date(30), Class: proof.Copy, Things: 1, Held: 1},
		},
		OverdueAfterS: 600,
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("standing (-want +got):\n%s", diff)
	}
	later, err := h.book.Standing(t.Context(), "contoso", noon.Add(time.Hour))
	h.must(err)
	if c := later.Classes[1]; c.Overdue != 2 || c.Waiting != 0 {
		t.Errorf("copies an hour later: %+v, want both that are on their way out to be overdue", c)
	}
}
