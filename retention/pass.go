package retention

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/store"
)

// flushRows is how many decisions are stored at a time.
const flushRows = 20_000

// seqBits of a decision's order are time; those above are how many versions of policies and holds it knows of.
const seqBits = 32

// seqEpoch is what the time in a decision's order counts from: it fits for 136 years.
const seqEpoch = 1_577_836_800 // 2020-01-01

// errBehind: another process has decided by newer policies or holds. The next pass knows them.
var errBehind = errors.New("another process knows of newer policies or holds")

// pass is one round of decisions.
type pass struct {
	*Decider
	// seen is how many versions of policies and holds are known.
	seen  uint64
	now   time.Time
	began time.Time
	// books by organisation.
	books map[string]*book
	// of is the organisation that everybody has attendance of; the regions share it.
	of       string
	everyone map[uuid.UUID]attendance
	// wentBack: the home region's control rows are older than decisions that were made by them, as after a restore.
	wentBack bool
}

// region decides on what there is to do in one region, and marks it as up to date.
func (p *pass) region(ctx context.Context, r *region) (int, error) {
	now, err := p.look(ctx, r)
	if err != nil {
		return 0, err
	}
	decided := 0
	var errs []error
	do := func(org string, meetings []uuid.UUID, kept bool) {
		n, err := p.organization(ctx, r, org, meetings, kept)
		if decided += n; err != nil {
			errs = append(errs, fmt.Errorf("organisation %s: %w", org, err))
		}
	}
	if r.todo.everything {
		orgs, err := r.store.KeptOrgs(ctx)
		if err != nil {
			return 0, err //nolint:wrapcheck // the store says what it did
		}
		for _, org := range orgs {
			do(org, nil, true)
		}
	} else {
		for org := range r.todo.orgs {
			do(org, nil, false)
		}
		for org := range r.todo.meetings {
			do(org, r.todo.of(org), true)
		}
	}
	if err := errors.Join(errs...); err != nil { // All of it is done again, and the region isn't marked: another organisation waits rather than lose.
		return decided, err
	}
	r.todo, r.keptUntil = newWork(), now
	return decided, p.mark(ctx, r)
}

// look adds the meetings of new things to what there is to do, and tells until when it looked.
func (p *pass) look(ctx context.Context, r *region) (time.Time, error) {
	now, since, err := lookBack(ctx, r.store, r.keptUntil)
	if err != nil {
		return now, err
	}
	if r.keptUntil.IsZero() {
		r.todo.everything = true
		return now, nil
	}
	keys, err := r.store.KeptSince(ctx, since)
	if err != nil {
		return now, err //nolint:wrapcheck // the store says what it did
	}
	for _, k := range keys {
		if _, again := r.seen[k]; !again {
			r.todo.meeting(k.Org, k.MeetingID)
		}
		r.seen[k] = now
	}
	forget(r.seen, since)
	return now, nil
}

// mark says that the region's decisions are up to date: at once when policies or holds have changed, else now and then.
func (p *pass) mark(ctx context.Context, r *region) error {
	if r.marked == p.seen && !r.markedAt.IsZero() && time.Since(r.markedAt) < p.cfg.MaxDecisionAge/6 {
		return nil
	}
	if err := r.store.MarkDecisions(ctx, p.seen, time.Since(p.began)); err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	r.marked, r.markedAt = p.seen, p.began
	return nil
}

// organization decides on the things of an organisation; with meetings, of those only. kept: also of those that were never decided on.
func (p *pass) organization(ctx context.Context, r *region, org string, meetings []uuid.UUID, kept bool) (int, error) {
	b := p.books[org]
	if b == nil {
		var err error
		if b, err = newBook(org, p.deps.Directory, p.deps.Policy); err != nil {
			return 0, err
		}
		p.books[org] = b
	}
	who, err := p.attendanceOf(ctx, b, meetings)
	if err != nil {
		return 0, err
	}
	decided := 0
	var rows []store.RetentionDecision
	flush := func() error {
		if err := r.store.PutRetentionDecisions(ctx, rows); err != nil {
			return err //nolint:wrapcheck // the store says what it did
		}
		decided += len(rows)
		rows = rows[:0]
		return nil
	}
	err = r.store.EachDecided(ctx, org, meetings, kept, func(d store.Decided) error {
		a, known := who[d.MeetingID]
		if !known {
			a = b.nobody(d.MeetingID)
		}
		v, err := b.decide(ctx, &d.KeptKey, a)
		if err != nil {
			return err
		}
		if v.basis == d.Basis {
			return nil
		}
		row := v.row(d.KeptKey, b.engine.Revision())
		row.DecidedAt = p.now
		if row.Seq, err = p.seq(ctx, d.Seq); err != nil {
			return err
		}
		if rows = append(rows, row); len(rows) >= flushRows {
			return flush()
		}
		return nil
	})
	if err != nil {
		return decided, fmt.Errorf("decide: %w", err)
	}
	return decided, flush()
}

// attendanceOf sums up who was in the meetings of an organisation. Meetings without any of its users are left out.
func (p *pass) attendanceOf(ctx context.Context, b *book, meetings []uuid.UUID) (map[uuid.UUID]attendance, error) {
	if len(meetings) == 0 && p.everyone != nil && p.of == b.org {
		return p.everyone, nil
	}
	who := make(map[uuid.UUID]attendance, len(meetings))
	err := p.deps.Home.EachAttendance(ctx, b.org, meetings, func(meeting uuid.UUID, users []string) error {
		who[meeting] = b.attendanceOf(meeting, users)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("home region: %w", err)
	}
	if len(meetings) == 0 {
		p.of, p.everyone = b.org, who
	}
	return who, nil
}

// seq is the order of a decision that takes the place of one of the order before. Who knows less than that one did must not undo it; but when the
// home region itself knows less, it was set back, and counts as it is now.
func (p *pass) seq(ctx context.Context, before uint64) (uint64, error) {
	if before>>seqBits > p.seen && !p.wentBack {
		known, err := p.deps.Home.ControlVersions(ctx, controlKinds()...)
		if err != nil {
			return 0, fmt.Errorf("home region: %w", err)
		}
		if before>>seqBits <= known {
			return 0, errBehind
		}
		p.wentBack = true
		p.deps.Log.WarnContext(ctx, "decisions know of policies or holds that the home region has not: was it restored from a backup?")
	}
	at := min(max(p.began.Unix()-seqEpoch, 0), 1<<seqBits-1)
	return max(p.seen<<seqBits|uint64(at), before+1), nil //nolint:gosec // not negative
}
