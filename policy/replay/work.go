package replay

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/policy/author"
	"github.com/anteroom/anteroom/policy/sandbox"
	"github.com/anteroom/anteroom/retention"
	"github.com/anteroom/anteroom/store"
)

// maxDifferences are kept of a result, those of most decisions.
const maxDifferences = 200

// Run works until the context ends. What isn't done then has failed.
func (s *Jobs) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	defer workers.Wait()
	workers.Go(func() { s.beat(ctx) })
	for range atOnce {
		workers.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case t := <-s.queue:
					s.work(ctx, t)
				}
			}
		})
	}
	<-ctx.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tasks {
		t.cancel()
	}
	return nil
}

// work does a job and says what came of it.
func (s *Jobs) work(ctx context.Context, t *task) {
	began := time.Now()
	working, cancel := context.WithCancel(t.ctx)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	t.mu.Lock()
	t.job.State = Running
	t.mu.Unlock()
	result, err := s.whole(working, t)
	var killed *sandbox.Killed
	var refused *sandbox.Refused
	switch {
	case err == nil:
		t.mu.Lock()
		t.job.Result = &result
		t.mu.Unlock()
		s.end(ctx, t, Done, "")
		s.deps.Log.InfoContext(ctx, "policy replayed", slog.Uint64("decisions", result.Decisions), slog.Uint64("distinct", result.Distinct),
			slog.Uint64("changed", result.Changed), slog.Duration("took", time.Since(began)))
	case t.ctx.Err() != nil:
		s.end(ctx, t, Cancelled, "")
	case ctx.Err() != nil:
		s.end(context.WithoutCancel(ctx), t, Failed, "The service was stopped. Ask for it again.")
	case errors.As(err, &killed):
		s.end(ctx, t, Failed, "One of the two policies was ended: "+killed.Detail)
	case errors.As(err, &refused):
		s.end(ctx, t, Failed, "One of the two policies can't be replayed: "+refused.Detail)
	case errors.Is(err, store.ErrQueryTimeout), errors.Is(err, store.ErrQueryTooLarge):
		s.end(ctx, t, Failed, "The window has more decisions, or there are more things kept, than can be read in one go. Ask for a shorter window.")
	case errors.Is(err, retention.ErrTooVaried):
		s.end(ctx, t, Failed, "What is kept is too varied to be counted: there are too many different answers, days and applications.")
	default:
		s.deps.Log.ErrorContext(ctx, "replay failed", slog.String("replay", t.job.ID), slog.String("error", err.Error()))
		s.end(ctx, t, Failed, "Something went wrong here; the log has more.")
	}
}

// whole replays decisions and, where one of the two policies speaks of it, how long things are kept.
func (s *Jobs) whole(ctx context.Context, t *task) (Result, error) {
	decided, err := s.replay(ctx, t)
	if err != nil {
		return Result{}, err
	}
	out := Result{ReplayResult: decided}
	if s.deps.Rulebook == nil || (!t.request.Before.SpeaksOfPeriods() && !t.request.After.SpeaksOfPeriods()) {
		return out, nil
	}
	compare := func(ctx context.Context, inputs []policy.RetentionInput) (pairs []policy.KeptPair, err error) {
		err = patiently(ctx, func() error {
			pairs, err = s.deps.Sandbox.Kept(ctx, t.request.Before, t.request.After, inputs)
			return err
		})
		return pairs, err
	}
	kept, err := s.deps.Rulebook.Replay(ctx, t.job.Org, time.Now(), s.deps.Query, compare, t.counted)
	out.Retention = &kept
	return out, err //nolint:wrapcheck // the rulebook says what it did
}

// replay decides on all inputs, a part at a time.
func (s *Jobs) replay(ctx context.Context, t *task) (author.ReplayResult, error) {
	f := store.DecisionFilter{Org: t.job.Org, From: t.request.From, To: t.request.To, Now: time.Now()}
	result := author.ReplayResult{NotReplayable: map[string]uint64{}, Differences: []author.Difference{}}
	counts, err := s.reader.CountDecisions(ctx, f)
	if err != nil {
		return result, err //nolint:wrapcheck // the store says what it did
	}
	t.advance(0, counts.Decisions)
	// What comes next is read while a lot is being decided on.
	reading, stop := context.WithCancel(ctx)
	defer stop()
	lots, read := make(chan []author.ReplayInput), make(chan error, 1)
	go func() {
		defer close(lots)
		read <- s.inputs(reading, f, counts.Distinct, lots)
	}()
	for inputs := range lots {
		var lotResult author.ReplayResult
		err := patiently(ctx, func() (err error) {
			lotResult, err = s.deps.Sandbox.Replay(ctx, t.request.Before, t.request.After, inputs)
			return err //nolint:wrapcheck // told to the author
		})
		if err != nil {
			return result, err
		}
		result.Add(lotResult)
		decisions := uint64(0)
		for i := range inputs {
			decisions += inputs[i].Count
		}
		t.advance(decisions, 0)
	}
	if err := <-read; err != nil {
		return result, err
	}
	forget(&result)
	return result, nil
}

// inputs hands the distinct inputs over in lots; one at least, so that policies that can't be replayed are told of.
func (s *Jobs) inputs(ctx context.Context, f store.DecisionFilter, distinct uint64, lots chan<- []author.ReplayInput) error {
	var next []author.ReplayInput
	handed := false
	hand := func() error {
		select {
		case lots <- next:
			next, handed = nil, true
			return nil
		case <-ctx.Done():
			return ctx.Err() //nolint:wrapcheck // cancelled
		}
	}
	parts := distinct/partOfInputs + 1
	for part := range parts {
		err := s.reader.DecidedInputs(ctx, f, part, parts, func(one store.DecidedInput) error {
			next = append(next, author.ReplayInput{Input: recorded(one.Input), Count: one.Count, Example: one.Example.String()})
			if len(next) < lot {
				return nil
			}
			return hand()
		})
		if err != nil {
			return err //nolint:wrapcheck // the store says what it did
		}
	}
	if len(next) > 0 || !handed {
		return hand()
	}
	return nil
}

// recorded is an input as JSON: null for one that wasn't kept, and what is no input for what is no JSON.
func recorded(text string) json.RawMessage {
	switch {
	case text == "":
		return json.RawMessage("null")
	case !json.Valid([]byte(text)):
		return json.RawMessage("0")
	}
	return json.RawMessage(text)
}

// patiently asks the sandbox as soon as it has room: authors who wait for a check go first.
func patiently(ctx context.Context, ask func() error) error {
	for {
		err := ask()
		if !errors.Is(err, sandbox.ErrBusy) {
			return err // told to the author
		}
		select {
		case <-ctx.Done():
			return ctx.Err() //nolint:wrapcheck // cancelled
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// forget drops the inputs, which are read again when the job is shown, and what is beyond the most that is kept.
func forget(r *author.ReplayResult) {
	r.Differences = r.Differences[:min(len(r.Differences), maxDifferences)]
	for i := range r.Differences {
		for k := range r.Differences[i].Examples {
			r.Differences[i].Examples[k].Input = nil
		}
	}
}

func (t *task) advance(done, total uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.job.Done += done
	t.job.Total = max(t.job.Total, total, t.job.Done)
}

// counted is told of things that are kept: how many there are is known when they are counted.
func (t *task) counted(things uint64) { t.advance(things, 0) }

// beat says of each job how far it is, and stops those that another process has cancelled.
func (s *Jobs) beat(ctx context.Context) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s.mu.Lock()
		var tasks []*task
		for _, t := range s.tasks {
			tasks = append(tasks, t)
		}
		s.mu.Unlock()
		for _, t := range tasks {
			t.mu.Lock()
			due := t.job.State == Running || time.Since(t.job.Beat) > silence/4
			if t.job.State.Final() || !due {
				t.mu.Unlock()
				continue
			}
			t.job.Beat = time.Now().UTC()
			err := s.save(ctx, &t.job, t.job.By)
			t.mu.Unlock()
			switch {
			case errors.Is(err, store.ErrConflict):
				t.cancel()
			case err != nil && ctx.Err() == nil:
				s.deps.Log.WarnContext(ctx, "progress of a replay is not written down", slog.String("error", err.Error()))
			}
		}
	}
}

// end writes down what came of a job; if somebody else has written meanwhile, it was cancelled, and stays so.
func (s *Jobs) end(ctx context.Context, t *task, state State, failure string) {
	t.cancel()
	t.mu.Lock()
	t.job.State, t.job.Failure, t.job.Beat = state, failure, time.Now().UTC()
	err := s.save(ctx, &t.job, t.job.By)
	t.mu.Unlock()
	if err != nil && !errors.Is(err, store.ErrConflict) {
		s.deps.Log.WarnContext(ctx, "the end of a replay is not written down", slog.String("error", err.Error()))
	}
	s.mu.Lock()
	delete(s.tasks, t.job.ID)
	s.mu.Unlock()
}
