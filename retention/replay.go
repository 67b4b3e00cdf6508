package retention

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
)

// Bounds of a replay.
const (
	// ReplayExamples is how many meetings a change names.
	ReplayExamples = 5
	// replayLot is how many questions are asked at a time.
	replayLot = 2000
	// replayCells is how many sums by question, region and day are kept in memory; some 100 MB.
	replayCells = 500_000
	// replayChanges are kept of a result, those of most things.
	replayChanges = 200
)

// ErrTooVaried: the things that are kept are of too many kinds to be counted in memory.
var ErrTooVaried = errors.New("what is kept is too varied to be replayed")

// Compare asks two policies how long things are kept: one pair for each input, in their order.
type Compare func(ctx context.Context, inputs []policy.RetentionInput) ([]policy.KeptPair, error)

// Replay is what another policy of the organisation's own would change, of what is kept and can be read now.
type Replay struct {
	At time.Time `json:"at"`
	// Complete: all regions could be asked.
	Complete bool            `json:"complete"`
	Regions  []PreviewRegion `json:"regions"`
	// Things that were decided on; Same and Changed are those together.
	Things  uint64 `json:"things"`
	Same    uint64 `json:"same"`
	Changed uint64 `json:"changed"`
	// Earlier and Later are Changed together. AtOnce of Earlier are due already by then: they would be gone with the activation. Held of AtOnce can't be read
	// then, and their bytes stay.
	Earlier uint64 `json:"earlier"`
	Later   uint64 `json:"later"`
	AtOnce  uint64 `json:"at_once"`
	Held    uint64 `json:"at_once_held"`
	// Undecided are in no other number: the rules of one of the two policies fail on them.
	Undecided uint64 `json:"undecided"`
	// Changes, those of most things first.
	Changes []ReplayChange `json:"changes"`
}

// ReplayChange are things that change in the same way because of the same rule.
type ReplayChange struct {
	Region string      `json:"region"`
	Class  proof.Class `json:"class"`
	// FromDays and ToDays are counted from sending; nil: for good.
	FromDays *int `json:"from_days"`
	ToDays   *int `json:"to_days"`
	// Rule and Reason are of the rule that has them go earlier, or that no longer does.
	Rule   string `json:"rule"`
	Reason string `json:"reason"`
	Things uint64 `json:"things"`
	AtOnce uint64 `json:"at_once"`
	// Held of Things are covered by a hold.
	Held uint64 `json:"held"`
	// Meetings are the ids of some that have such things, those of which they would be gone at once first.
	Meetings []string `json:"meetings"`
}

// Replay counts what would be due earlier or later if an organisation's own policy were another one. compare asks for the two policies; told, which may be nil, is
// called with how many things more were counted. It writes nothing, and fails with ErrTooVaried and what compare fails with. now is the moment that it speaks of.
func (r *Rulebook) Replay(ctx context.Context, org string, now time.Time, limits store.QueryLimits, compare Compare, told func(things uint64)) (Replay, error) {
	rows := r.deps.Directory
	if err := errors.Join(rows.RetentionPolicies.Refresh(ctx), rows.Holds.Refresh(ctx)); err != nil {
		return Replay{}, fmt.Errorf("replay: read policies and holds: %w", err)
	}
	b, err := newBook(org, rows, r.deps.Policy)
	if err != nil {
		return Replay{}, fmt.Errorf("replay: %w", err)
	}
	p := newReplaying(b, now.UTC())
	err = r.deps.Home.EachAttendance(ctx, org, nil, func(meeting uuid.UUID, users []string) error {
		p.attended(meeting, users)
		return nil
	})
	if err != nil {
		return Replay{}, fmt.Errorf("replay: %w", err)
	}
	out := Replay{At: p.now, Complete: true, Changes: []ReplayChange{}}
	for _, name := range slices.Sorted(maps.Keys(r.deps.Regions)) {
		reader := store.NewReader(r.deps.Regions[name], limits)
		p.begin(name)
		err := reader.EachKeptCount(ctx, org, p.now, false, func(c store.KeptCount) error {
			if told != nil {
				told(c.Things)
			}
			return p.count(&c)
		})
		switch {
		case err == nil:
		case name != r.deps.HomeRegion && errors.Is(err, store.ErrUnavailable) && ctx.Err() == nil:
			r.deps.Log.WarnContext(ctx, "a region can't be asked for a replay", slog.String("region", name), slog.String("error", err.Error()))
			p.giveUp()
			out.Complete = false
		default:
			return Replay{}, fmt.Errorf("replay: region %s: %w", name, err)
		}
		out.Regions = append(out.Regions, PreviewRegion{name, err == nil})
	}
	err = p.compare(ctx, compare, &out)
	return out, err
}

// replaying gathers sums before anybody is asked: what is decided depends on few things, so that few questions stand for many things.
type replaying struct {
	book *book
	now  time.Time
	// who is an index into attendances, by meeting.
	who         map[uuid.UUID]int32
	attendances []attendance
	known       map[string]int32 // attendances by what they are
	nobody      attendance

	questions []policy.RetentionInput
	asked     map[question]int32 // indexes of questions
	region    string
	cells     map[cell]*cellSum // of all regions
	begun     []cell            // those of the region that is being read
}

// cell are things that nothing tells apart but their meetings.
type cell struct {
	question int32
	region   string
	class    string
	day      int32 // since 1970
	early    bool
}

type cellSum struct {
	things   uint64
	meetings []uuid.UUID // at most ReplayExamples
}

func newReplaying(b *book, now time.Time) *replaying {
	return &replaying{
		book: b, now: now, who: map[uuid.UUID]int32{}, known: map[string]int32{}, nobody: b.nobody(uuid.Nil),
		asked: map[question]int32{}, cells: map[cell]*cellSum{},
	}
}

// attended keeps what matters of who was in a meeting; most meetings share it with others.
func (p *replaying) attended(meeting uuid.UUID, users []string) {
	a := p.book.attendanceOf(meeting, users)
	key := a.ways
	for _, h := range a.holds {
		key += " " + h.id
	}
	i, ok := p.known[key]
	if !ok {
		i = int32(len(p.attendances)) //nolint:gosec // fewer than meetings
		p.attendances = append(p.attendances, a)
		p.known[key] = i
	}
	p.who[meeting] = i
}

func (p *replaying) begin(region string) { p.region, p.begun = region, nil }

// giveUp forgets what was counted of a region that could not be read to its end.
func (p *replaying) giveUp() {
	for _, c := range p.begun {
		delete(p.cells, c)
	}
}

func (p *replaying) count(c *store.KeptCount) error {
	a := p.nobody
	if i, ok := p.who[c.MeetingID]; ok {
		a = p.attendances[i]
	} else if holds := p.book.holds[heldOn{"meeting", c.MeetingID.String()}]; len(holds) > 0 {
		a = p.book.nobody(c.MeetingID)
	}
	q, holds := p.book.question(&c.KeptKey, a)
	i, ok := p.asked[q]
	if !ok {
		in, _ := p.book.input(q, holds)
		i = int32(len(p.questions)) //nolint:gosec // fewer than cells
		p.questions = append(p.questions, in)
		p.asked[q] = i
	}
	at := cell{i, p.region, c.Class, int32(c.Day.Unix() / 86400), c.Early} //nolint:gosec // days of this era
	sum := p.cells[at]
	if sum == nil {
		if len(p.cells) >= replayCells {
			return ErrTooVaried
		}
		sum = &cellSum{}
		p.cells[at], p.begun = sum, append(p.begun, at)
	}
	sum.things += c.Things
	if c.MeetingID != uuid.Nil && len(sum.meetings) < ReplayExamples && !slices.Contains(sum.meetings, c.MeetingID) {
		sum.meetings = append(sum.meetings, c.MeetingID)
	}
	return nil
}

// compare asks, and sums up what changes.
func (p *replaying) compare(ctx context.Context, compare Compare, out *Replay) error {
	pairs := make([]policy.KeptPair, 0, len(p.questions))
	for lot := range slices.Chunk(p.questions, replayLot) {
		some, err := compare(ctx, lot)
		if err != nil {
			return fmt.Errorf("replay: %w", err)
		}
		pairs = append(pairs, some...)
	}
	if len(p.questions) == 0 { // once at least, so that policies that can't be replayed are told of
		if _, err := compare(ctx, nil); err != nil {
			return fmt.Errorf("replay: %w", err)
		}
	}
	changes := map[string]*ReplayChange{}
	for _, at := range p.ordered() {
		p.sum(out, changes, at, &pairs[at.question])
	}
	for _, key := range slices.Sorted(maps.Keys(changes)) {
		out.Changes = append(out.Changes, *changes[key])
	}
	slices.SortStableFunc(out.Changes, func(a, b ReplayChange) int {
		return cmp.Or(cmp.Compare(b.AtOnce, a.AtOnce), cmp.Compare(b.Things, a.Things))
	})
	out.Changes = out.Changes[:min(len(out.Changes), replayChanges)]
	return nil
}

// ordered has the oldest first, since those are due first.
func (p *replaying) ordered() []cell {
	return slices.SortedFunc(maps.Keys(p.cells), func(a, b cell) int {
		early := 0
		if a.early != b.early {
			early = map[bool]int{true: -1, false: 1}[a.early]
		}
		return cmp.Or(cmp.Compare(a.day, b.day), early, strings.Compare(a.region, b.region), cmp.Compare(a.question, b.question))
	})
}

// sum puts a cell's things where they belong.
func (p *replaying) sum(out *Replay, changes map[string]*ReplayChange, at cell, pair *policy.KeptPair) {
	n, before, after := p.cells[at].things, pair.Before, pair.After
	if before.Failed != "" || after.Failed != "" {
		out.Undecided += n
		return
	}
	out.Things += n
	direction := compareDays(after.Days, before.Days)
	if direction == 0 {
		out.Same += n
		return
	}
	out.Changed += n
	by := after
	if direction < 0 {
		out.Earlier += n
	} else {
		out.Later += n
		by = before
	}
	key := fmt.Sprint(at.region, " ", at.class, " ", daysText(before.Days), " ", daysText(after.Days), " ", by.Rule, " ", by.Reason)
	c := changes[key]
	if c == nil {
		c = &ReplayChange{
			Region: at.region, Class: proof.Class(at.class), FromDays: before.Days, ToDays: after.Days, Rule: by.Rule, Reason: string(by.Reason), Meetings: []string{},
		}
		changes[key] = c
	}
	c.Things += n
	if after.Held {
		c.Held += n
	}
	if p.due(at, after.Days) && !p.due(at, before.Days) {
		c.AtOnce, out.AtOnce = c.AtOnce+n, out.AtOnce+n
		if after.Held {
			out.Held += n
		}
	}
	for _, id := range p.cells[at].meetings {
		if len(c.Meetings) < ReplayExamples && !slices.Contains(c.Meetings, id.String()) {
			c.Meetings = append(c.Meetings, id.String())
		}
	}
}

// due tells whether a cell's things are due after so many days. Early are those that were sent at a time of day that has come today.
func (p *replaying) due(at cell, days *int) bool {
	if days == nil {
		return false
	}
	day, today := int64(at.day)+int64(*days), p.now.Unix()/86400
	return day < today || (day == today && at.early)
}

// compareDays is negative for fewer days; for good is more than any.
func compareDays(a, b *int) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return cmp.Compare(*a, *b)
}

func daysText(days *int) string {
	if days == nil {
		return "for good"
	}
	return fmt.Sprint(*days)
}
