package report

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/anteroom/anteroom/store"
)

// beatEvery is how often a worker says how far it is, if it has come further; without progress it does so four times per TakeOver.
const beatEvery = 2 * time.Second

// work makes a claimed part and says what came of it.
func (w *Worker) work(ctx context.Context, job *Job, region string) {
	began := time.Now()
	log := w.log.With(slog.String("export", job.ID), slog.String("kind", string(job.Request.Kind)), slog.String("region", region))
	making, cancel := context.WithCancelCause(ctx)
	key := job.Org + "/" + job.ID + "/" + region
	w.mu.Lock()
	w.running[key] = cancel
	w.mu.Unlock()
	out, err := w.makePart(making, job, region)
	w.mu.Lock()
	delete(w.running, key)
	w.mu.Unlock()
	if cause := context.Cause(making); err != nil && cause != nil {
		err = errors.Join(err, cause)
	}
	cancel(nil)
	switch {
	case err == nil:
		if err = w.deliver(ctx, job, region, out); err == nil {
			w.metrics.made.WithLabelValues(string(job.Request.Kind)).Inc()
			w.metrics.rows.Add(float64(out.rows))
			log.InfoContext(ctx, "export made", slog.Int64("rows", out.rows), slog.Duration("took", time.Since(began)))
			return
		}
		fallthrough
	default:
		w.failed(ctx, log, job, region, err)
	}
}

// makePart makes a part's files where nobody sees them and gives them their name once they are whole.
func (w *Worker) makePart(ctx context.Context, job *Job, region string) (made, error) {
	name := folderName(job, region)
	final := filepath.Join(w.jobs.cfg.Dir, job.ID, name)
	work := final + unfinished
	if err := errors.Join(os.RemoveAll(work), os.RemoveAll(final), os.MkdirAll(work, 0o700)); err != nil {
		return made{}, fmt.Errorf("make folder: %w", err)
	}
	state := &progress{}
	beating, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { w.beat(beating, job, region, state) })
	out, err := w.makers[region].make(ctx, job, work, state.set)
	stop()
	wg.Wait()
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = settleFiles(work, final)
	}
	if err != nil {
		return made{}, errors.Join(err, os.RemoveAll(work))
	}
	return out, nil
}

// unfinished ends the name of a folder that is being filled.
const unfinished = ".part"

// folderName is unique per attempt, so that two workers never write into one.
func folderName(j *Job, region string) string {
	p := j.Parts[region]
	return fmt.Sprintf("%s-%d-%d-%.8s", region, j.Round, p.Attempts, p.Worker)
}

// settleFiles makes sure that what is in a folder is on the disk, then gives it its name.
func settleFiles(work, final string) error {
	entries, err := os.ReadDir(work)
	if err != nil {
		return fmt.Errorf("settle files: %w", err)
	}
	for _, e := range entries {
		if err := syncPath(filepath.Join(work, e.Name())); err != nil {
			return err
		}
	}
	if err := syncPath(work); err != nil {
		return err
	}
	if err := os.Rename(work, final); err != nil {
		return fmt.Errorf("settle files: %w", err)
	}
	return syncPath(filepath.Dir(final))
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("settle files: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("settle files: %w", err)
	}
	return nil
}

// progress is how far a part is.
type progress struct {
	mu      sync.Mutex
	percent float64 // guarded by mu
	rows    int64   // guarded by mu
}

func (p *progress) set(percent float64, rows int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.percent, p.rows = max(p.percent, min(percent, 99)), max(p.rows, rows)
}

func (p *progress) get() (float64, int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.percent, p.rows
}

// beat says how far the part is until the context ends.
func (w *Worker) beat(ctx context.Context, job *Job, region string, state *progress) {
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	last, said := 0.0, time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		percent, rows := state.get()
		if percent < last+1 && time.Since(said) < w.jobs.cfg.TakeOver/4 {
			continue
		}
		_, err := w.jobs.update(ctx, job.Org, job.ID, Service, func(j *Job) error {
			if !w.mine(j, region) || j.Round != job.Round {
				return errLost
			}
			p := j.Parts[region]
			p.Percent, p.Rows, p.Beat = percent, rows, p.Beat+1
			return nil
		})
		switch {
		case err == nil:
			last, said = percent, time.Now()
		case errors.Is(err, errLost):
			w.lost(job, region)
			return
		}
	}
}

// lost ends the making of a part.
func (w *Worker) lost(job *Job, region string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if cancel := w.running[job.Org+"/"+job.ID+"/"+region]; cancel != nil {
		cancel(errLost)
	}
}

// deliver makes a part's files the job's. It fails with errLost if the part isn't this worker's any more; then the files are swept away.
func (w *Worker) deliver(ctx context.Context, job *Job, region string, out made) error {
	ctx = context.WithoutCancel(ctx) // the work is done: a stop now need not throw it away
	ctx, cancel := context.WithTimeout(ctx, w.jobs.cfg.TakeOver)
	defer cancel()
	for pause := retryPause / 8; ; pause *= 2 {
		_, err := w.jobs.update(ctx, job.Org, job.ID, Service, func(j *Job) error {
			if !w.mine(j, region) || j.Round != job.Round {
				return errLost
			}
			p := j.Parts[region]
			p.State, p.Percent, p.Rows, p.Beat = PartDone, 100, out.rows, p.Beat+1
			p.Folder, p.Files, p.Checkpoint, p.Approval = folderName(job, region), out.files, out.checkpoint, out.approval
			j.settle(w.jobs.cfg, w.jobs.now())
			return nil
		})
		if !errors.Is(err, store.ErrUnavailable) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// failed puts a part back for another attempt, or gives it up.
func (w *Worker) failed(ctx context.Context, log *slog.Logger, job *Job, region string, failure error) {
	if errors.Is(failure, errLost) {
		log.InfoContext(ctx, "export was cancelled or taken over")
		return
	}
	stopping := ctx.Err() != nil
	var permanent *permanentError
	text, final := "", errors.As(failure, &permanent)
	switch {
	case final:
		text = permanent.text
	case errors.Is(failure, store.ErrUnavailable), errors.Is(failure, store.ErrTooManyParts):
		text = "the database did not answer"
	default:
		text = "something went wrong here; the log has more under the export's id"
	}
	if !stopping {
		w.metrics.failed.Inc()
		log.WarnContext(ctx, "export attempt failed", slog.String("error", failure.Error()), slog.Bool("final", final))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookEvery)
	defer cancel()
	updated, err := w.jobs.update(ctx, job.Org, job.ID, Service, func(j *Job) error {
		if !w.mine(j, region) || j.Round != job.Round {
			return errLost
		}
		p := j.Parts[region]
		p.State, p.Worker, p.Percent, p.Rows, p.Beat, p.Failure = PartWaiting, "", 0, 0, p.Beat+1, text
		switch {
		case stopping: // no fault of the part
			p.Attempts, p.Failure = p.Attempts-1, ""
		case final || p.Attempts >= maxAttempts:
			p.State = PartFailed
		}
		j.settle(w.jobs.cfg, w.jobs.now())
		return nil
	})
	if err != nil && !errors.Is(err, errLost) {
		log.WarnContext(ctx, "what became of an export attempt can't be written down yet", slog.String("error", err.Error()))
	}
	w.putOff(job.Org, job.ID, region, retryPause*time.Duration(max(1, attempts(&updated, region))))
}

func attempts(j *Job, region string) int {
	if p := j.Parts[region]; p != nil {
		return p.Attempts
	}
	return 1
}
