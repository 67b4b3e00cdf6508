package report

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// tidy lets files expire, and removes what belongs to no job that is to have files.
func (w *Worker) tidy(ctx context.Context) {
	now := w.jobs.now()
	for _, j := range w.snapshot() {
		if !j.expire(now) {
			continue
		}
		// Nobody can fetch them any more; once that is written down, they go.
		_, err := w.jobs.update(ctx, j.Org, j.ID, Service, func(j *Job) error {
			if !j.expire(now) {
				return ErrState
			}
			return nil
		})
		if err != nil && !errors.Is(err, ErrState) && ctx.Err() == nil {
			w.log.WarnContext(ctx, "export can't be let expire yet", slog.String("export", j.ID), slog.String("error", err.Error()))
		}
	}
	w.sweepFiles(ctx)
	named := map[string]bool{w.id: true}
	for _, j := range w.snapshot() {
		for _, p := range j.Parts {
			named[p.Worker] = true
		}
	}
	sweepSigns(w.jobs.cfg.Dir, func(worker string) bool { return named[worker] })
}

// snapshot copies what is known of all jobs.
func (w *Worker) snapshot() []Job {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]Job, 0, len(w.seen))
	for _, j := range w.seen {
		out = append(out, j.Job)
	}
	return out
}

// sweepFiles removes folders that no job has, and those that its attempts have left.
func (w *Worker) sweepFiles(ctx context.Context) {
	folders, err := os.ReadDir(w.jobs.cfg.Dir)
	if err != nil {
		return
	}
	jobs := map[string]Job{}
	for _, j := range w.snapshot() {
		jobs[j.ID] = j
	}
	for _, folder := range folders {
		// Of a job that isn't known yet nothing is removed.
		if job, known := jobs[folder.Name()]; known && folder.IsDir() {
			w.sweepJob(ctx, job, filepath.Join(w.jobs.cfg.Dir, folder.Name()))
		}
	}
}

// sweepJob removes what is of no use in a job's folder. What is known of the job may be a moment old, so that it is asked for before anything goes: a
// folder that was there before that, and isn't wanted after it, is of an attempt that has ended.
func (w *Worker) sweepJob(ctx context.Context, job Job, path string) {
	attempts, err := os.ReadDir(path)
	if err != nil {
		return
	}
	unwanted := func(e os.DirEntry) bool { return !wanted(&job, e.Name()) }
	if !slices.ContainsFunc(attempts, unwanted) && len(attempts) > 0 {
		return
	}
	if job, err = w.jobs.Get(ctx, job.Org, job.ID); err != nil {
		return
	}
	for _, attempt := range attempts {
		if unwanted(attempt) {
			w.remove(ctx, filepath.Join(path, attempt.Name()))
		}
	}
	if job.State == Expired || job.State == Cancelled || job.State == Failed {
		_ = os.Remove(path) // if it is empty
	}
}

// wanted tells whether a folder is of a part that is done, or of an attempt that may be running.
func wanted(j *Job, folder string) bool {
	if j.State == Expired || j.State == Cancelled || j.State == Failed {
		return false
	}
	return slices.ContainsFunc(j.Regions(), func(region string) bool {
		p := j.Parts[region]
		switch p.State {
		case PartDone:
			return folder == p.Folder
		case PartRunning:
			return strings.TrimSuffix(folder, unfinished) == folderName(j, region)
		case PartWaiting, PartFailed:
		}
		return false
	})
}

func (w *Worker) remove(ctx context.Context, path string) {
	if err := os.RemoveAll(path); err != nil {
		w.log.WarnContext(ctx, "files of an export can't be removed", slog.String("error", err.Error()))
	}
}
