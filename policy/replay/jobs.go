package replay

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/policy/author"
	"github.com/anteroom/anteroom/retention"
	"github.com/anteroom/anteroom/store"
)

// Sandbox decides again, away from this process.
type Sandbox interface {
	Replay(ctx context.Context, before, after author.Content, inputs []author.ReplayInput) (author.ReplayResult, error)
	Kept(ctx context.Context, before, after author.Content, inputs []policy.RetentionInput) ([]policy.KeptPair, error)
}

// Deps are what jobs work with. All but Rulebook and Log are required.
type Deps struct {
	// Store is the home region's; Query bounds each question to it.
	Store   *store.Store
	Query   store.QueryLimits
	Sandbox Sandbox
	// Rulebook counts what is kept, for policies that speak of how long. Default: that part is left out.
	Rulebook *retention.Rulebook
	Log      *slog.Logger
}

const (
	// atOnce is how many jobs of this process run at a time, underWay how many an organisation may have that have not ended.
	atOnce, underWay = 1, 10
	// lot is how many distinct inputs are decided on at a time, partOfInputs about how many are read at a time.
	lot, partOfInputs = 20_000, 60_000
	// beatEvery is how often a job says how far it is.
	beatEvery = 2 * time.Second
)

// Jobs are the replays of an installation. Run does the work. Safe for concurrent use.
type Jobs struct {
	deps   Deps
	reader *store.Reader
	queue  chan *task

	mu    sync.Mutex
	tasks map[string]*task // guarded by mu: those of this process that have not ended, by id
}

// task is a job of this process. The worker alone writes the job's row, once it has begun.
type task struct {
	request Request
	cancel  context.CancelFunc
	ctx     context.Context //nolint:containedctx // ends with the job

	mu  sync.Mutex
	job Job // guarded by mu
}

// New makes jobs.
func New(deps Deps) (*Jobs, error) {
	if deps.Store == nil || deps.Sandbox == nil {
		return nil, errors.New("make replays: a dependency is missing")
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	return &Jobs{deps: deps, reader: store.NewReader(deps.Store, deps.Query), queue: make(chan *task, 1000), tasks: map[string]*task{}}, nil
}

// Create takes a job. It fails with ErrTooMany.
func (s *Jobs) Create(ctx context.Context, org, who string, r Request) (Job, error) {
	jobs, err := s.List(ctx, org)
	if err != nil {
		return Job{}, err
	}
	if jobs = slices.DeleteFunc(jobs, func(j Job) bool { return j.State.Final() }); len(jobs) >= underWay {
		return Job{}, ErrTooMany
	}
	now := time.Now().UTC()
	t := &task{request: r, job: Job{ID: uuid.NewString(), Org: org, By: who, At: now, State: Queued, From: r.From.UTC(), To: r.To.UTC(), Beat: now}}
	t.ctx, t.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := s.save(ctx, &t.job, who); err != nil {
		return Job{}, err
	}
	out := t.job
	s.mu.Lock()
	s.tasks[t.job.ID] = t
	s.mu.Unlock()
	select {
	case s.queue <- t:
		return out, nil
	default:
		s.end(ctx, t, Failed, "Too many replays wait here. Ask for it again later.")
		return Job{}, ErrTooMany
	}
}

// List gives an organisation's jobs, the newest first, without results.
func (s *Jobs) List(ctx context.Context, org string) ([]Job, error) {
	rows, err := s.deps.Store.List(ctx, Kind, org)
	if err != nil {
		return nil, fmt.Errorf("list replays: %w", err)
	}
	now := time.Now()
	out := make([]Job, 0, len(rows))
	for _, row := range rows {
		j, err := jobOf(row)
		if err != nil {
			return nil, err
		}
		j.Result = nil
		out = append(out, j.seen(now))
	}
	slices.SortFunc(out, func(a, b Job) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.ID, b.ID)) })
	return out, nil
}

// Get gives one job, its examples with the inputs that may be shown now. It fails with ErrNotFound.
func (s *Jobs) Get(ctx context.Context, org, id string) (Job, error) {
	j, err := s.read(ctx, org, id)
	if err != nil || j.Result == nil {
		return j.seen(time.Now()), err
	}
	var ids []uuid.UUID
	for _, d := range j.Result.Differences {
		for _, e := range d.Examples {
			if id, err := uuid.Parse(e.DecisionID); err == nil {
				ids = append(ids, id)
			}
		}
	}
	inputs, err := s.reader.InputsOf(ctx, org, ids, time.Now())
	if err != nil {
		return j, err //nolint:wrapcheck // the store says what it did
	}
	for i := range j.Result.Differences {
		d := &j.Result.Differences[i]
		shown := []author.Example{}
		for _, e := range d.Examples {
			id, _ := uuid.Parse(e.DecisionID)
			if text, ok := inputs[id]; ok {
				e.Input = json.RawMessage(text)
				shown = append(shown, e)
			}
		}
		d.Examples = shown
	}
	return j, nil
}

// Cancel ends a job that has not ended; one that has stays as it is. It fails with ErrNotFound.
func (s *Jobs) Cancel(ctx context.Context, org, id, who string) (Job, error) {
	s.mu.Lock()
	t := s.tasks[id]
	s.mu.Unlock()
	if t != nil {
		t.cancel()
	}
	for range 5 {
		j, err := s.read(ctx, org, id)
		if err != nil || j.seen(time.Now()).State.Final() {
			return j.seen(time.Now()), err
		}
		// Its worker, if it is another process, finds the row changed and stops.
		j.State = Cancelled
		if err = s.save(ctx, &j, who); !errors.Is(err, store.ErrConflict) {
			return j, err
		}
	}
	return Job{}, fmt.Errorf("cancel replay: %w", store.ErrConflict)
}

func (s *Jobs) read(ctx context.Context, org, id string) (Job, error) {
	row, err := s.deps.Store.Get(ctx, Kind, org, id)
	if errors.Is(err, store.ErrNotFound) {
		return Job{}, ErrNotFound
	}
	if err != nil {
		return Job{}, fmt.Errorf("get replay: %w", err)
	}
	return jobOf(row)
}

// save writes the next version of a job.
func (s *Jobs) save(ctx context.Context, j *Job, who string) error {
	value, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("save replay: %w", err)
	}
	row, err := s.deps.Store.Put(ctx, store.Control{Kind: Kind, Org: j.Org, ID: j.ID, Value: value, Author: who, WriteID: uuid.New(), At: time.Now()}, j.version)
	if err != nil {
		return fmt.Errorf("save replay: %w", err)
	}
	j.version = row.Version
	return nil
}
