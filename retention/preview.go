package retention

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
)

// Limits of a preview: what comes later or further down is counted in sums only.
const (
	// PreviewDays are days from now, one by one.
	PreviewDays = 366
	// PreviewMeetings are those that the most is deleted of.
	PreviewMeetings = 20
)

// Draft is a change that isn't made. Exactly one of Policy and Hold is set.
type Draft struct {
	// Policy is a new one, or as an existing one of the same id would be.
	Policy *directory.RetentionPolicy
	// IfVersion is the version of the existing policy; 0 for a new one.
	IfVersion uint64
	// Hold is a new one.
	Hold *directory.Hold
}

// Preview is what a change would do to the things that are kept now. Things are those whose decision would be another one.
type Preview struct {
	At time.Time `json:"at"`
	// Complete: all regions could be asked.
	Complete bool            `json:"complete"`
	Regions  []PreviewRegion `json:"regions"`
	// Totals by class, of those that have things.
	Totals []PreviewTotal `json:"totals"`
	// Days on which things would be deleted, from today; without what would be at once.
	Days []PreviewDay `json:"days"`
	// AfterDays counts what would be deleted later than that.
	AfterDays uint64 `json:"after_days"`
	// Meetings that the most would be deleted of at once, then at all.
	Meetings []PreviewMeeting `json:"meetings"`
	// MeetingCount is how many meetings have things.
	MeetingCount int `json:"meeting_count"`
}

// PreviewRegion is one that was asked.
type PreviewRegion struct {
	Region   string `json:"region"`
	Complete bool   `json:"complete"`
}

// PreviewTotal sums up a class.
type PreviewTotal struct {
	Class proof.Class `json:"class"`
	// Things that the change touches. Deleted are those that would be deleted at some time, AtOnce those that would be when the change is made.
	Things  uint64 `json:"things"`
	Deleted uint64 `json:"deleted"`
	AtOnce  uint64 `json:"at_once"`
	// Sooner and Later than now; Newly: so far never. NoLonger: not any more.
	Sooner   uint64 `json:"sooner"`
	Later    uint64 `json:"later"`
	Newly    uint64 `json:"newly_deleted"`
	NoLonger uint64 `json:"no_longer_deleted"`
	// Held: a hold would cover them. Their bytes would stay.
	Held uint64 `json:"held"`
}

// PreviewDay is what would be deleted on a day (UTC).
type PreviewDay struct {
	Day    string      `json:"day"`
	Class  proof.Class `json:"class"`
	Things uint64      `json:"things"`
}

// PreviewMeeting is what would be deleted of a meeting.
type PreviewMeeting struct {
	// MeetingID is "" for what belongs to no meeting; Title is "" where the directory has none.
	MeetingID string `json:"meeting_id"`
	Title     string `json:"title"`
	Things    uint64 `json:"things"`
	Deleted   uint64 `json:"deleted"`
	AtOnce    uint64 `json:"at_once"`
	Held      uint64 `json:"held"`
	// FirstDay is the first day on which something would be deleted; null for none.
	FirstDay *string `json:"first_day"`
}

// Preview tells what a change would do, and writes nothing. It fails like the change itself would for what can't be kept. now is the moment that it speaks of.
func (r *Rulebook) Preview(ctx context.Context, org string, d Draft, now time.Time) (Preview, error) {
	before, after, err := r.books(ctx, org, d, now)
	if err != nil {
		return Preview{}, fmt.Errorf("preview: %w", err)
	}
	p := &previewing{
		before: before, after: after, now: now.UTC(), who: map[uuid.UUID][2]attendance{},
		totals: map[proof.Class]*PreviewTotal{}, days: map[PreviewDay]uint64{}, meetings: map[uuid.UUID]*PreviewMeeting{},
	}
	out := Preview{At: p.now, Complete: true}
	for _, name := range slices.Sorted(maps.Keys(r.deps.Regions)) {
		reader := store.NewReader(r.deps.Regions[name], r.deps.Query)
		region := *p.fork() // A region that fails halfway leaves nothing.
		meetings, err := reader.KeptMeetings(ctx, org)
		if err == nil {
			if err := p.attend(ctx, r.deps.Home, org, meetings); err != nil {
				return Preview{}, fmt.Errorf("preview: %w", err)
			}
			err = reader.EachKeptCount(ctx, org, p.now, d.Hold != nil, func(c store.KeptCount) error { return region.count(ctx, &c) })
		}
		switch {
		case err == nil:
			p.join(&region)
		case name != r.deps.HomeRegion && errors.Is(err, store.ErrUnavailable) && ctx.Err() == nil:
			r.deps.Log.WarnContext(ctx, "a region can't be asked for a preview", slog.String("region", name), slog.String("error", err.Error()))
			out.Complete = false
		default:
			return Preview{}, fmt.Errorf("preview: region %s: %w", name, err)
		}
		out.Regions = append(out.Regions, PreviewRegion{name, err == nil})
	}
	p.write(&out, func(id uuid.UUID) string {
		row, _ := r.deps.Directory.Meetings.Find(org, id.String())
		return row.Value.Title
	})
	return out, nil
}

// books are the organisation's policies and holds as they are, and as they would be.
func (r *Rulebook) books(ctx context.Context, org string, d Draft, now time.Time) (before, after *book, err error) {
	if (d.Policy == nil) == (d.Hold == nil) {
		return nil, nil, errors.New("a draft is a policy or a hold")
	}
	rows := r.deps.Directory
	if err := errors.Join(rows.RetentionPolicies.Refresh(ctx), rows.Holds.Refresh(ctx)); err != nil {
		return nil, nil, fmt.Errorf("read policies and holds: %w", err)
	}
	if r.deps.Own != nil {
		if _, err := r.deps.Own.Refresh(ctx); err != nil {
			return nil, nil, fmt.Errorf("read organisations' own rules: %w", err)
		}
	}
	if before, err = newBook(org, rows, r.deps.Policy); err != nil {
		return nil, nil, err
	}
	policies, holds := rows.RetentionPolicies.Of(org), rows.Holds.Of(org)
	if d.Policy != nil {
		p := *d.Policy
		p.Org, p.Nonce = org, newNonce()
		if _, err := r.checkPolicy(ctx, p, d.IfVersion); err != nil {
			return nil, nil, err
		}
		policies = slices.DeleteFunc(policies, func(other Policy) bool { return other.Value.ID == p.ID })
		policies = append(policies, Policy{Value: p.WithDefaults(), Version: d.IfVersion + 1})
		slices.SortFunc(policies, func(a, b Policy) int { return cmp.Compare(a.Value.ID, b.Value.ID) })
	} else {
		h := *d.Hold
		h.Org, h.Nonce, h.PlacedAt = org, newNonce(), now
		h.ReleasedAt, h.ReleasedBy, h.ReleaseReason = nil, "", ""
		if err := r.checkHold(ctx, h); err != nil {
			return nil, nil, err
		}
		holds = append(holds, Hold{Value: h, Version: 1})
	}
	after, err = makeBook(org, policies, holds, before.engine, userOf(rows, org))
	return before, after, err
}

// previewing gathers counts.
type previewing struct {
	before, after *book
	now           time.Time
	who           map[uuid.UUID][2]attendance

	totals    map[proof.Class]*PreviewTotal
	days      map[PreviewDay]uint64 // by day and class
	afterDays uint64
	meetings  map[uuid.UUID]*PreviewMeeting
}

// attend reads who was in some meetings. Attendance is kept for much longer than most of what is decided by it, so that of meetings that have nothing any
// more it is not read.
func (p *previewing) attend(ctx context.Context, home *store.Store, org string, meetings []uuid.UUID) error {
	meetings = slices.DeleteFunc(meetings, func(id uuid.UUID) bool { _, known := p.who[id]; return known })
	if len(meetings) == 0 { // Which would mean all of them.
		return nil
	}
	return home.EachAttendance(ctx, org, meetings, func(meeting uuid.UUID, users []string) error { //nolint:wrapcheck // the caller says what for
		p.who[meeting] = [2]attendance{p.before.attendanceOf(meeting, users), p.after.attendanceOf(meeting, users)}
		return nil
	})
}

// fork makes one with counts of its own, join adds them.
func (p *previewing) fork() *previewing {
	out := *p
	out.totals, out.days, out.meetings, out.afterDays = map[proof.Class]*PreviewTotal{}, map[PreviewDay]uint64{}, map[uuid.UUID]*PreviewMeeting{}, 0
	return &out
}

func (p *previewing) join(other *previewing) {
	for class, t := range other.totals {
		sum := p.total(class)
		for _, add := range []struct{ to, from *uint64 }{
			{&sum.Things, &t.Things},
			{&sum.Deleted, &t.Deleted},
			{&sum.AtOnce, &t.AtOnce},
			{&sum.Sooner, &t.Sooner},
			{&sum.Later, &t.Later},
			{&sum.Newly, &t.Newly},
			{&sum.NoLonger, &t.NoLonger},
			{&sum.Held, &t.Held},
		} {
			*add.to += *add.from
		}
	}
	for day, n := range other.days {
		p.days[day] += n
	}
	p.afterDays += other.afterDays
	for id, m := range other.meetings {
		sum := p.meeting(id)
		sum.Things, sum.Deleted, sum.AtOnce, sum.Held = sum.Things+m.Things, sum.Deleted+m.Deleted, sum.AtOnce+m.AtOnce, sum.Held+m.Held
		sum.FirstDay = earlier(sum.FirstDay, m.FirstDay)
	}
}

func (p *previewing) total(class proof.Class) *PreviewTotal {
	if p.totals[class] == nil {
		p.totals[class] = &PreviewTotal{Class: class}
	}
	return p.totals[class]
}

func (p *previewing) meeting(id uuid.UUID) *PreviewMeeting {
	if p.meetings[id] == nil {
		p.meetings[id] = &PreviewMeeting{}
	}
	return p.meetings[id]
}

func earlier(a, b *string) *string {
	if a == nil || (b != nil && *b < *a) {
		return b
	}
	return a
}

// count takes the things of a key that were sent on one day.
func (p *previewing) count(ctx context.Context, c *store.KeptCount) error {
	who, known := p.who[c.MeetingID]
	if !known {
		who = [2]attendance{p.before.nobody(c.MeetingID), p.after.nobody(c.MeetingID)}
	}
	was, err := p.before.decide(ctx, &c.KeptKey, who[0])
	if err != nil {
		return err
	}
	is, err := p.after.decide(ctx, &c.KeptKey, who[1])
	if err != nil || was.basis == is.basis {
		return err
	}
	t, m := p.total(proof.Class(c.Class)), p.meeting(c.MeetingID)
	t.Things, m.Things = t.Things+c.Things, m.Things+c.Things
	if is.Held {
		t.Held, m.Held = t.Held+c.Things, m.Held+c.Things
	}
	switch {
	case is.Days == nil && was.Days != nil:
		t.NoLonger += c.Things
	case is.Days != nil && was.Days == nil:
		t.Newly += c.Things
	case is.Days != nil && *is.Days < *was.Days:
		t.Sooner += c.Things
	case is.Days != nil && *is.Days > *was.Days:
		t.Later += c.Things
	}
	if is.Days == nil {
		return nil
	}
	t.Deleted, m.Deleted = t.Deleted+c.Things, m.Deleted+c.Things
	day := c.Day.UTC().AddDate(0, 0, *is.Days) // days of 24 hours: UTC has no others
	today := p.now.Truncate(24 * time.Hour)
	switch {
	case day.Before(today), day.Equal(today) && c.Early:
		day = today
		t.AtOnce, m.AtOnce = t.AtOnce+c.Things, m.AtOnce+c.Things
	case day.Before(today.AddDate(0, 0, PreviewDays)):
		p.days[PreviewDay{Day: day.Format(time.DateOnly), Class: proof.Class(c.Class)}] += c.Things
	default:
		p.afterDays += c.Things
	}
	name := day.Format(time.DateOnly)
	m.FirstDay = earlier(m.FirstDay, &name)
	return nil
}

// write puts the counts in order.
func (p *previewing) write(out *Preview, title func(uuid.UUID) string) {
	order := proof.Classes()
	out.Totals, out.Days, out.Meetings = []PreviewTotal{}, []PreviewDay{}, []PreviewMeeting{}
	for _, class := range order {
		if t := p.totals[class]; t != nil {
			out.Totals = append(out.Totals, *t)
		}
	}
	for day, n := range p.days {
		day.Things = n
		out.Days = append(out.Days, day)
	}
	slices.SortFunc(out.Days, func(a, b PreviewDay) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), slices.Index(order, a.Class)-slices.Index(order, b.Class))
	})
	out.AfterDays, out.MeetingCount = p.afterDays, len(p.meetings)
	for id, m := range p.meetings {
		if id != uuid.Nil {
			m.MeetingID, m.Title = id.String(), title(id)
		}
		out.Meetings = append(out.Meetings, *m)
	}
	slices.SortFunc(out.Meetings, func(a, b PreviewMeeting) int {
		return cmp.Or(cmp.Compare(b.AtOnce, a.AtOnce), cmp.Compare(b.Deleted, a.Deleted), cmp.Compare(b.Things, a.Things), cmp.Compare(a.MeetingID, b.MeetingID))
	})
	out.Meetings = out.Meetings[:min(len(out.Meetings), PreviewMeetings)]
}
