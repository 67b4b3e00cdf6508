package report

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/store"
)

const (
	// maxAttempts at one part of one round. A part that kills its worker each time must not do so for ever.
	maxAttempts = 4
	// lookEvery is the pause between two looks for what nobody tells of: expired files, and workers that went silent.
	lookEvery = 2 * time.Second
	// retryPause before a part that failed is tried again, times the attempts so far.
	retryPause = 2 * time.Second
)

// errLost: the part isn't this worker's any more.
var errLost = errors.New("the export was cancelled or taken over")

// permanentError is one that trying again won't mend. Its text is shown to whoever asked.
type permanentError struct{ text string }

func (e *permanentError) Error() string { return e.text }

// maker makes the bundle of a part in a folder that is there and empty.
type maker interface {
	make(ctx context.Context, job *Job, folder string, progress func(percent float64, rows int64)) (made, error)
}

// made is what came of it.
type made struct {
	rows       int64
	checkpoint string
	approval   *approvalLeaf
	files      []File
}

// WorkerDeps are what a Worker works with, besides what it makes bundles of.
type WorkerDeps struct {
	Jobs *Jobs
	// Metrics is where the worker's own are registered. Default: nowhere.
	Metrics prometheus.Registerer
	// Log. Default: none.
	Log *slog.Logger
}

// Worker makes reports, one part at a time. There is one in each process that has regions' ledgers. Several share the work: a part is made by whoever
// claims it first.
type Worker struct {
	jobs    *Jobs
	log     *slog.Logger
	metrics *workerMetrics
	id      string
	makers  map[string]maker // by region

	wake chan struct{}
	mu   sync.Mutex
	seen map[string]*seenJob // guarded by mu: by organisation and id
	// stopped ends the part that is being made, if it is lost; guarded by mu.
	running map[string]context.CancelCauseFunc
}

// seenJob is the newest that is known of a job.
type seenJob struct {
	Job
	// since is when the part's beat was first seen to be what it is, by this process's clock: other machines' clocks may be wrong.
	since map[string]time.Time
	// notBefore is when a part that failed here may be tried here again.
	notBefore map[string]time.Time
}

func newWorker(makers map[string]maker, deps WorkerDeps) (*Worker, error) {
	if deps.Jobs == nil || len(makers) == 0 {
		return nil, errors.New("make export worker: jobs or regions are missing")
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	m, err := newWorkerMetrics(deps.Metrics)
	if err != nil {
		return nil, fmt.Errorf("make export worker: %w", err)
	}
	return &Worker{
		jobs: deps.Jobs, log: deps.Log, metrics: m, id: uuid.NewString(), makers: makers, wake: make(chan struct{}, 1),
		seen: make(map[string]*seenJob), running: make(map[string]context.CancelCauseFunc),
	}, nil
}

// Run makes what is asked for until the context ends, which is no error. What it was making then is begun anew by whoever comes next.
func (w *Worker) Run(ctx context.Context) error {
	signed, err := signOn(w.jobs.cfg.Dir, w.id)
	if err != nil {
		return err
	}
	watching, stop := context.WithCancel(ctx)
	watched := make(chan error, 1)
	go func() { watched <- w.jobs.home.Watch(watching, KindExport, w.take) }()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for ctx.Err() == nil {
		if w.next(ctx) {
			continue
		}
		w.tidy(ctx)
		select {
		case <-ctx.Done():
		case err := <-watched:
			stop()
			return errors.Join(err, signed.off())
		case <-w.wake:
		case <-ticker.C:
		}
	}
	stop()
	return errors.Join(<-watched, signed.off())
}

// take notes a new version of a job.
func (w *Worker) take(row store.Control) error {
	key := row.Org + "/" + row.ID
	w.mu.Lock()
	defer w.mu.Unlock()
	if row.Deleted {
		delete(w.seen, key)
		return nil
	}
	job, err := parseJob(row)
	if err != nil {
		w.log.Warn("export can't be read", slog.String("export", row.ID), slog.Uint64("version", row.Version))
		return nil // one bad row must not stop the others
	}
	old := w.seen[key]
	fresh := &seenJob{Job: job, since: make(map[string]time.Time), notBefore: make(map[string]time.Time)}
	now := time.Now()
	for region, part := range job.Parts {
		fresh.since[region] = now
		if old == nil || old.Parts[region] == nil {
			continue
		}
		fresh.notBefore[region] = old.notBefore[region]
		if was := old.Parts[region]; was.Beat == part.Beat && was.Worker == part.Worker && was.Attempts == part.Attempts {
			fresh.since[region] = old.since[region]
		}
		if cancel := w.running[key+"/"+region]; cancel != nil && !w.mine(&job, region) {
			cancel(errLost)
		}
	}
	w.seen[key] = fresh
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return nil
}

// mine tells whether a part is being made here.
func (w *Worker) mine(j *Job, region string) bool {
	p := j.Parts[region]
	return p != nil && p.State == PartRunning && p.Worker == w.id && !j.State.ended()
}

// claimable tells whether somebody has to make a part, and nobody does.
func (w *Worker) claimable(j *Job, region string, since time.Time) bool {
	p := j.Parts[region]
	if p == nil || j.State.ended() || j.State == AwaitingApproval {
		return false
	}
	switch p.State {
	case PartWaiting:
		return true
	case PartRunning: // A worker that asks has nothing running: what has its name was left by an earlier call of next.
		return p.Worker == w.id || time.Since(since) > w.jobs.cfg.TakeOver || dead(w.jobs.cfg.Dir, p.Worker)
	case PartDone, PartFailed:
	}
	return false
}

// next claims one part, the oldest job's first, and makes it. It tells whether there was one.
func (w *Worker) next(ctx context.Context) bool {
	w.mu.Lock()
	var found *seenJob
	var region string
	for _, j := range w.seen {
		if found != nil && !j.RequestedAt.Before(found.RequestedAt) {
			continue
		}
		for _, r := range j.Regions() {
			if w.makers[r] != nil && time.Now().After(j.notBefore[r]) && w.claimable(&j.Job, r, j.since[r]) {
				found, region = j, r
				break
			}
		}
	}
	w.mu.Unlock()
	if found == nil {
		return false
	}
	job, err := w.claim(ctx, found, region)
	if err != nil {
		if !errors.Is(err, errLost) && ctx.Err() == nil {
			w.log.WarnContext(ctx, "export can't be claimed yet", slog.String("export", found.ID), slog.String("error", err.Error()))
			w.putOff(found.Org, found.ID, region, retryPause)
		}
		return !errors.Is(err, errLost)
	}
	w.work(ctx, job, region)
	return true
}

// claim makes a part this worker's.
func (w *Worker) claim(ctx context.Context, seen *seenJob, region string) (*Job, error) {
	asSeen := *seen.Parts[region]
	job, err := w.jobs.update(ctx, seen.Org, seen.ID, Service, func(j *Job) error {
		p := j.Parts[region]
		if p == nil || j.State.ended() || j.State == AwaitingApproval || j.Round != seen.Round || p.State != asSeen.State || p.Beat != asSeen.Beat ||
			p.Worker != asSeen.Worker || p.Attempts != asSeen.Attempts {
			return errLost
		}
		if p.Attempts >= maxAttempts {
			p.State, p.Failure = PartFailed, "it was given up after several attempts, of which the last ended without a word"
			j.settle(w.jobs.cfg, w.jobs.now())
			return nil
		}
		*p = Part{State: PartRunning, Worker: w.id, Attempts: p.Attempts + 1, Beat: p.Beat + 1}
		j.settle(w.jobs.cfg, w.jobs.now())
		return nil
	})
	if err == nil && !w.mine(&job, region) {
		err = errLost
	}
	return &job, err
}

// putOff keeps this worker from a part for a while.
func (w *Worker) putOff(org, id, region string, pause time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if j := w.seen[org+"/"+id]; j != nil {
		j.notBefore[region] = time.Now().Add(pause)
	}
}
