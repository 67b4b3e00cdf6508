package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/store"
)

// KindAccess is the kind of control row whose versions are the accesses to a job's files, under the job's id.
const KindAccess = "export_access"

// Access is one access to a file.
type Access struct {
	By   string    `json:"by"`
	At   time.Time `json:"at"`
	File string    `json:"file"`
}

// sameAccess is how long asking for further parts of a file counts as the access that it began with.
const sameAccess = 10 * time.Minute

// Open opens a file of a job that is done, and writes down who did: before the first byte is handed out, or nothing is. goesOn tells that a
// part of the file is asked for that isn't its beginning. It fails with ErrNotFound, ErrState or ErrGone. The caller closes the file.
func (s *Jobs) Open(ctx context.Context, org, id, name, who string, goesOn bool) (File, io.ReadSeekCloser, error) {
	job, err := s.Get(ctx, org, id)
	if err != nil {
		return File{}, nil, err
	}
	switch job.State {
	case Done:
	case Expired:
		return File{}, nil, ErrGone
	default:
		return File{}, nil, &StateError{job.State, []State{Done}}
	}
	for _, region := range job.Regions() {
		part := job.Parts[region]
		for _, f := range part.Files {
			if fileName(region, f.Name) != name {
				continue
			}
			opened, err := os.Open(filepath.Join(s.cfg.Dir, job.ID, filepath.Base(part.Folder), filepath.Base(f.Name)))
			if errors.Is(err, os.ErrNotExist) {
				return File{}, nil, ErrGone
			}
			if err != nil {
				return File{}, nil, fmt.Errorf("open export: %w", err)
			}
			if err := s.noteAccess(ctx, job, name, who, goesOn); err != nil {
				return File{}, nil, errors.Join(err, opened.Close())
			}
			f.Name = name
			return f, opened, nil
		}
	}
	return File{}, nil, ErrNotFound
}

// fileName is how a region's file is named among all files of a job. Regions have no dot in their names.
func fileName(region, name string) string { return region + "." + name }

// AllFiles lists the files of a job by the names that Open takes.
func (j *Job) AllFiles() []File {
	if j.State != Done {
		return nil
	}
	var out []File
	for _, region := range j.Regions() {
		for _, f := range j.Parts[region].Files {
			f.Name = fileName(region, f.Name)
			out = append(out, f)
		}
	}
	return out
}

func (s *Jobs) noteAccess(ctx context.Context, job Job, name, who string, goesOn bool) error {
	if goesOn {
		log, err := s.Accesses(ctx, job.Org, job.ID)
		if err != nil {
			return err
		}
		since := s.now().Add(-sameAccess)
		if slices.ContainsFunc(log, func(a Access) bool { return a.By == who && a.File == name && a.At.After(since) }) {
			return nil
		}
	}
	value, err := json.Marshal(struct {
		File string `json:"file"`
	}{name})
	if err != nil {
		return fmt.Errorf("note access: %w", err)
	}
	row := store.Control{Kind: KindAccess, Org: job.Org, ID: job.ID, Value: value, Author: who, WriteID: uuid.New(), At: s.now()}
	for range updateAttempts {
		newest, err := s.home.Get(ctx, KindAccess, job.Org, job.ID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err //nolint:wrapcheck // the store says what it did
		}
		if _, err = s.home.Put(ctx, row, newest.Version); !errors.Is(err, store.ErrConflict) {
			return err //nolint:wrapcheck // the store says what it did
		}
	}
	return fmt.Errorf("note access: %w: too many do so at once", store.ErrConflict)
}

// Accesses lists who had which file of a job and when, the oldest first.
func (s *Jobs) Accesses(ctx context.Context, org, id string) ([]Access, error) {
	rows, err := s.home.History(ctx, KindAccess, org, id)
	if err != nil {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	out := make([]Access, 0, len(rows))
	for _, row := range rows {
		a := Access{By: row.Author, At: row.At}
		if err := json.Unmarshal(row.Value, &a); err != nil {
			return nil, fmt.Errorf("read accesses: version %d is not what it should be", row.Version)
		}
		a.By, a.At = row.Author, row.At
		out = append(out, a)
	}
	return out, nil
}
