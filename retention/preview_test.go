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
	"github.com/anteroom/anteroom/store"
)

const day = 24 * time.Hour

// preview tells what a draft would do at a moment.
func (h *house) preview(d retention.Draft, now time.Time) retention.Preview {
	h.t.Helper()
	out, err := h.book.Preview(h.t.Context(), "contoso", d, now)
	h.must(err)
	return out
}

// plan is what tests compare of a preview.
type plan struct {
	Totals    []retention.PreviewTotal
	Days      []retention.PreviewDay
	AfterDays uint64
}

func (h *house) plans(got retention.Preview, want plan) {
	h.t.Helper()
	diff := cmp.Diff(want, plan{got.Totals, got.Days, got.AfterDays}, cmpopts.EquateEmpty())
	if diff != "" {
		h.t.Errorf("preview (-want +got):\n%s", diff)
	}
	if !got.Complete || len(got.Regions) != 2 {
		h.t.Errorf("regions %+v", got.Regions)
	}
}

func TestPreviewOfAPolicy(t *testing.T) {
	h := newHouse(t)
	hers, his := h.chat("ada"), h.chat("bob")
	h.kept(hers, "thread", uuid.Nil, noon.Add(day))
	h.kept(hers, "copy", bank, noon.Add(-40*day))
	h.kept(hers, "recording", uuid.Nil, noon)
	// A copy that another has taken the place of, and a message that is hidden.
	h.superseded(hers)
	h.hidden(hers)
	h.pass()
	policy := draft(group("legal"), del, 7)
	policy.Locked = true
	got := h.preview(retention.Draft{Policy: &policy}, noon.Add(7*day))
	date := func(days int) string { return noon.AddDate(0, 0, days).Format(time.DateOnly) }
	h.plans(got, plan{
		Totals: []retention.PreviewTotal{
			{Class: proof.Thread, Things: 2, Deleted: 2, AtOnce: 1, Newly: 2},
			{Class: proof.Copy, Things: 2, Deleted: 2, AtOnce: 2, Sooner: 2},
		},
		Days: []retention.PreviewDay{{Day: date(8), Class: proof.Thread, Things: 1}},
	})
	first := date(7)
	want := []retention.PreviewMeeting{{MeetingID: hers.String(), Title: "x", Things: 4, Deleted: 4, AtOnce: 3, FirstDay: &first}}
	if diff := cmp.Diff(want, got.Meetings); diff != "" || got.MeetingCount != 1 {
		t.Errorf("meetings (-want +got):\n%s", diff)
	}
	// A microsecond earlier nothing but the old copy is due: it is a matter of the time of day.
	got = h.preview(retention.Draft{Policy: &policy}, noon.Add(7*day-time.Microsecond))
	h.plans(got, plan{
		Totals: []retention.PreviewTotal{
			{Class: proof.Thread, Things: 2, Deleted: 2, Newly: 2}, {Class: proof.Copy, Things: 2, Deleted: 2, AtOnce: 1, Sooner: 2},
		},
		Days: []retention.PreviewDay{
			{Day: date(7), Class: proof.Thread, Things: 1}, {Day: date(7), Class: proof.Copy, Things: 1}, {Day: date(8), Class: proof.Thread, Things: 1},
		},
	})
	// Longer than the copies' default; threads of everybody much later.
	all := draft(everybody(), retainThen, 400)
	h.plans(h.preview(retention.Draft{Policy: &all}, noon), plan{
		Totals: []retention.PreviewTotal{
			{Class: proof.Thread, Things: 3, Deleted: 3, Newly: 3}, {Class: proof.Copy, Things: 3, Deleted: 3, Later: 3},
		},
		Days:      []retention.PreviewDay{{Day: noon.AddDate(0, 0, 360).Format(time.DateOnly), Class: proof.Copy, Things: 1}},
		AfterDays: 5,
	})
	if n := len(h.rows.RetentionPolicies.Of("contoso")); n != 0 {
		t.Errorf("%d policies were written", n)
	}
	h.want(his, keptThread(), byDefault())
}

func TestPreviewOfAChange(t *testing.T) {
	h := newHouse(t)
	meeting := h.chat("ada", "bob")
	id := h.policy(everybody(), del, 7)
	h.pass()
	row, err := h.rows.RetentionPolicies.Get(t.Context(), "contoso", id)
	h.must(err)
	change := func(do func(*directory.RetentionPolicy)) retention.Preview {
		t.Helper()
		p := row.Value
		do(&p)
		return h.preview(retention.Draft{Policy: &p, IfVersion: row.Version}, noon)
	}
	day := func(days int, class proof.Class) retention.PreviewDay {
		return retention.PreviewDay{Day: noon.AddDate(0, 0, days).Format(time.DateOnly), Class: class, Things: 1}
	}
	h.plans(change(func(p *directory.RetentionPolicy) { p.Enabled = false }), plan{
		Totals: []retention.PreviewTotal{{Class: proof.Thread, Things: 1, NoLonger: 1}, {Class: proof.Copy, Things: 1, Deleted: 1, Later: 1}},
		Days:   []retention.PreviewDay{day(30, proof.Copy)},
	})
	h.plans(change(func(p *directory.RetentionPolicy) { p.Action.Days = 1 }), plan{
		Totals: []retention.PreviewTotal{{Class: proof.Thread, Things: 1, Deleted: 1, Sooner: 1}, {Class: proof.Copy, Things: 1, Deleted: 1, Sooner: 1}},
		Days:   []retention.PreviewDay{day(1, proof.Thread), day(1, proof.Copy)},
	})
	// What would not be taken is refused like the change itself.
	p := row.Value
	p.Action.Days = 0
	_, err = h.book.Preview(t.Context(), "contoso", retention.Draft{Policy: &p, IfVersion: row.Version}, noon)
	h.fields(err, "action.days")
	// A hold: what it covers, also what can't be read any more.
	h.superseded(meeting)
	hold := directory.Hold{ID: uuid.NewString(), User: "bob", Reason: "Case 7", PlacedBy: "admin"}
	h.plans(h.preview(retention.Draft{Hold: &hold}, noon), plan{
		Totals: []retention.PreviewTotal{{Class: proof.Thread, Things: 1, Deleted: 1, Held: 1}, {Class: proof.Copy, Things: 2, Deleted: 2, Held: 2}},
		Days:   []retention.PreviewDay{day(7, proof.Thread), {Day: day(7, "").Day, Class: proof.Copy, Things: 2}},
	})
	hold.User = "nobody"
	_, err = h.book.Preview(t.Context(), "contoso", retention.Draft{Hold: &hold}, noon)
	h.fields(err, "user")
	if n := len(h.rows.Holds.Of("contoso")); n != 0 {
		t.Errorf("%d holds were written", n)
	}
}

func TestPreviewWithoutARegion(t *testing.T) {
	h := newHouse(t)
	h.chat("ada")
	amer, lines := behind(t, h.configs["amer"])
	book, err := retention.NewRulebook(retention.DefaultConfig(), retention.RulebookDeps{
		Directory: h.rows, Home: h.home(), HomeRegion: "emea", Regions: map[string]*store.Store{"emea": h.home(), "amer": amer}, Policy: h.engine,
	})
	h.must(err)
	lines.set(true)
	policy := draft(everybody(), del, 1)
	got, err := book.Preview(t.Context(), "contoso", retention.Draft{Policy: &policy}, noon)
	h.must(err)
	want := []retention.PreviewRegion{{Region: "amer"}, {Region: "emea", Complete: true}}
	if diff := cmp.Diff(want, got.Regions); diff != "" || got.Complete || len(got.Totals) != 1 || got.Totals[0].Class != proof.Thread {
		t.Errorf("without amer: %+v", got)
	}
}
