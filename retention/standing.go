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

	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
)

// StandingDays are the days from today on that Standing tells one by one.
const StandingDays = 45

// Standing is what is kept of an organisation, and when it falls due.
type Standing struct {
	At time.Time `json:"at"`
	// Complete: all regions could be asked.
	Complete bool             `json:"complete"`
	Regions  []PreviewRegion  `json:"regions"`
	Classes  []StandingClass  `json:"classes"`
	Days     []StandingOfADay `json:"days"`
	// AfterDays counts what falls due later than that.
	AfterDays uint64 `json:"after_days"`
	// OverdueAfterS is after how many seconds what had to be gone is overdue.
	OverdueAfterS int64 `json:"overdue_after_s"`
}

// StandingClass is how the things of a class stand.
type StandingClass struct {
	Class proof.Class `json:"class"`
	// Stored can be read; Held are those, and others whose bytes are there, that a hold covers.
	Stored uint64 `json:"stored"`
	Held   uint64 `json:"held"`
	// Waiting have to be gone, and their bytes are on the way out; Overdue are so for too long.
	Waiting uint64 `json:"waiting"`
	Overdue uint64 `json:"overdue"`
	// Unknown: nothing has been decided about them.
	Unknown  uint64 `json:"unknown"`
	DueToday uint64 `json:"due_today"`
	// ForGood: a rule says that they are kept.
	ForGood         uint64 `json:"for_good"`
	PurgedThisMonth uint64 `json:"purged_this_month"`
}

// StandingOfADay is what falls due on a day (UTC).
type StandingOfADay struct {
	Day    string      `json:"day"`
	Class  proof.Class `json:"class"`
	Things uint64      `json:"things"`
	// Held of them stay, as it is now.
	Held uint64 `json:"held"`
}

// Standing tells how an organisation's things stand at a moment. A region that can't be asked is left out, and told of.
func (r *Rulebook) Standing(ctx context.Context, org string, now time.Time) (Standing, error) {
	now = now.UTC()
	out := Standing{At: now, Complete: true, OverdueAfterS: int64(r.deps.PurgeWindow / time.Second)}
	sum := newStands(now)
	for _, name := range slices.Sorted(maps.Keys(r.deps.Regions)) {
		region := newStands(now) // A region that fails halfway leaves nothing.
		err := region.ask(ctx, store.NewReader(r.deps.Regions[name], r.deps.Query), org, r.deps.PurgeWindow)
		switch {
		case err == nil:
			sum.join(region)
		case name != r.deps.HomeRegion && errors.Is(err, store.ErrUnavailable) && ctx.Err() == nil:
			r.deps.Log.WarnContext(ctx, "a region can't be asked how its things stand", slog.String("region", name), slog.String("error", err.Error()))
			out.Complete = false
		default:
			return Standing{}, fmt.Errorf("standing: region %s: %w", name, err)
		}
		out.Regions = append(out.Regions, PreviewRegion{name, err == nil})
	}
	sum.write(&out)
	return out, nil
}

// stands gathers counts.
type stands struct {
	now       time.Time
	classes   map[proof.Class]*StandingClass
	days      map[dueDay]*StandingOfADay
	afterDays uint64
}

// dueDay is a day on which things of a class fall due.
type dueDay struct {
	day   string
	class proof.Class
}

func newStands(now time.Time) *stands {
	return &stands{now: now, classes: map[proof.Class]*StandingClass{}, days: map[dueDay]*StandingOfADay{}}
}

// ask counts what a region has, and what was purged there since the month began (UTC).
func (s *stands) ask(ctx context.Context, reader *store.Reader, org string, window time.Duration) error {
	err := reader.EachStanding(ctx, org, s.now, window, func(st store.Standing) error {
		s.count(st)
		return nil
	})
	if err != nil {
		return err //nolint:wrapcheck // the caller names the region
	}
	month := time.Date(s.now.Year(), s.now.Month(), 1, 0, 0, 0, 0, time.UTC)
	return reader.EachPurged(ctx, org, month, func(class string, things uint64) error { //nolint:wrapcheck // the caller names the region
		s.class(proof.Class(class)).PurgedThisMonth += things
		return nil
	})
}

func (s *stands) class(class proof.Class) *StandingClass {
	if s.classes[class] == nil {
		s.classes[class] = &StandingClass{Class: class}
	}
	return s.classes[class]
}

func (s *stands) count(st store.Standing) {
	c := s.class(proof.Class(st.Class))
	if st.Held {
		c.Held += st.Things
	}
	switch {
	case st.Overdue:
		c.Overdue += st.Things
	case st.Gone && !st.Held:
		c.Waiting += st.Things
	}
	if st.Gone {
		return
	}
	c.Stored += st.Things
	switch today := s.now.Truncate(24 * time.Hour); {
	case !st.Decided:
		c.Unknown += st.Things
	case st.Due == nil:
		c.ForGood += st.Things
	case !st.Due.Before(today.AddDate(0, 0, StandingDays)):
		s.afterDays += st.Things
	default:
		if !st.Due.After(today) && !st.Held {
			c.DueToday += st.Things
		}
		day := s.day(dueDay{st.Due.Format(time.DateOnly), c.Class})
		day.Things += st.Things
		if st.Held {
			day.Held += st.Things
		}
	}
}

func (s *stands) day(d dueDay) *StandingOfADay {
	if s.days[d] == nil {
		s.days[d] = &StandingOfADay{Day: d.day, Class: d.class}
	}
	return s.days[d]
}

func (s *stands) join(other *stands) {
	for class, c := range other.classes {
		sum := s.class(class)
		for _, add := range []struct{ to, from *uint64 }{
			{&sum.Stored, &c.Stored},
			{&sum.Held, &c.Held},
			{&sum.Waiting, &c.Waiting},
			{&sum.Overdue, &c.Overdue},
			{&sum.Unknown, &c.Unknown},
			{&sum.DueToday, &c.DueToday},
			{&sum.ForGood, &c.ForGood},
			{&sum.PurgedThisMonth, &c.PurgedThisMonth},
		} {
			*add.to += *add.from
		}
	}
	for key, d := range other.days {
		sum := s.day(key)
		sum.Things, sum.Held = sum.Things+d.Things, sum.Held+d.Held
	}
	s.afterDays += other.afterDays
}

// write puts the counts in order; each class is told, also when nothing is kept of it.
func (s *stands) write(out *Standing) {
	order := proof.Classes()
	for _, class := range order {
		out.Classes = append(out.Classes, *s.class(class))
	}
	out.Days, out.AfterDays = []StandingOfADay{}, s.afterDays
	for _, d := range s.days {
		out.Days = append(out.Days, *d)
	}
	slices.SortFunc(out.Days, func(a, b StandingOfADay) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), slices.Index(order, a.Class)-slices.Index(order, b.Class))
	})
}
