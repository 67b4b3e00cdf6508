package report

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/store"
)

// KindExport is the kind of control row that a job is.
const KindExport = "export"

// Service is who the service itself writes as.
const Service = "service:exports"

// What can't be done to a job.
var (
	// ErrNotFound: the organisation has no such job, or the job has no such file.
	ErrNotFound = errors.New("no such export or file")
	// ErrState: the job is in a state in which that can't be done.
	ErrState = errors.New("the export is in another state")
	// ErrSamePerson: who asked for held content can't approve it.
	ErrSamePerson = errors.New("whoever asked can't approve")
	// ErrKeyReused: an Idempotency-Key came with another request before.
	ErrKeyReused = errors.New("the key was used for another request")
	// ErrGone: the files have expired.
	ErrGone = errors.New("the files have expired")
	// ErrTooMany: the organisation has as many exports under way as it may.
	ErrTooMany = errors.New("too many exports are under way")
)

// StateError is an ErrState that says which state it is, and which ones it takes.
type StateError struct {
	Is    State
	Takes []State
}

func (e *StateError) Error() string {
	return fmt.Sprintf("the export is %s, and this takes one that is %s", e.Is, e.OneOf())
}

// OneOf names the states that it takes, for a sentence.
func (e *StateError) OneOf() string {
	names := make([]string, len(e.Takes))
	for i, s := range e.Takes {
		names[i] = string(s)
	}
	return strings.Join(names, " or ")
}

func (*StateError) Unwrap() error { return ErrState }

// JobsDeps are what Jobs work with.
type JobsDeps struct {
	// Home has the control rows. Required.
	Home *store.Store
	// Regions there are, home first. Required.
	Regions []string
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Jobs are those of an installation: asked for, looked at and handed out here, made by a Worker. It is safe for concurrent use.
type Jobs struct {
	cfg     Config
	home    *store.Store
	regions []string
	now     func() time.Time
}

// NewJobs makes them.
func NewJobs(cfg Config, deps JobsDeps) (*Jobs, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("make exports: %w", err)
	}
	if cfg.Dir == "" || deps.Home == nil || len(deps.Regions) == 0 {
		return nil, errors.New("make exports: folder, store or regions are missing")
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	return &Jobs{cfg: cfg.withDefaults(), home: deps.Home, regions: slices.Clone(deps.Regions), now: deps.Now}, nil
}

// Create asks for a report. key is the Idempotency-Key, "" for none: the same person with the same key and request gets the job that is there
// already, and made tells that it is not. It fails with field errors (Fields) or ErrKeyReused.
func (s *Jobs) Create(ctx context.Context, org, who, key string, r Request) (job Job, made bool, err error) {
	r = r.normal()
	if err := r.check(s.cfg, s.regions); err != nil {
		return Job{}, false, fmt.Errorf("ask for export: %w", err)
	}
	job = Job{
		ID: idFor(org, who, key), Org: org, Request: r, State: Queued, RequestedBy: who,
		RequestedAt: s.now().UTC().Truncate(time.Microsecond),
	}
	if r.Kind == HeldContent {
		job.State = AwaitingApproval
	}
	job.begin(s.regionsFor(r))
	if err := s.roomFor(ctx, &job); err != nil {
		return Job{}, false, err
	}
	err = s.put(ctx, &job, 0, who)
	if !errors.Is(err, store.ErrConflict) {
		return job, err == nil, err
	}
	there, _, err := s.get(ctx, org, job.ID)
	if err != nil {
		return Job{}, false, err
	}
	if same, err := sameRequest(r, there.Request); err != nil || !same {
		return Job{}, false, errors.Join(ErrKeyReused, err)
	}
	return there, false, nil
}

// maxOpen is how many jobs of an organisation may be under way, so that one can't keep the others waiting for ever.
const maxOpen = 50

// roomFor refuses a new job where too many are under way.
func (s *Jobs) roomFor(ctx context.Context, job *Job) error {
	all, err := s.List(ctx, job.Org)
	if err != nil {
		return err
	}
	open := 0
	for i := range all {
		if all[i].ID == job.ID {
			return nil // it is there already
		}
		if !all[i].State.ended() {
			open++
		}
	}
	if open >= maxOpen {
		return ErrTooMany
	}
	return nil
}

// regionsFor are those that a request is about.
func (s *Jobs) regionsFor(r Request) []string {
	if r.Region != "" {
		return []string{r.Region}
	}
	return regionsOf(r.Kind, s.regions)
}

// idFor makes a job's id: random, or the same for the same person and key.
func idFor(org, who, key string) string {
	if key == "" {
		return uuid.NewString()
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "anteroom export key 1\n%d:%s%d:%s%s", len(org), org, len(who), who, key))
	id := uuid.UUID(sum[:16])
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // version 8: a hash of one's own (RFC 9562)
	return id.String()
}

func sameRequest(a, b Request) (bool, error) {
	texts := make([][]byte, 2)
	for i, r := range []Request{a, b.normal()} {
		var err error
		if texts[i], err = json.Marshal(r); err != nil {
			return false, fmt.Errorf("write request: %w", err)
		}
	}
	return bytes.Equal(texts[0], texts[1]), nil
}

// Get reads a job of an organisation, or fails with ErrNotFound.
func (s *Jobs) Get(ctx context.Context, org, id string) (Job, error) {
	job, _, err := s.get(ctx, org, id)
	job.expire(s.now())
	return job, err
}

func (s *Jobs) get(ctx context.Context, org, id string) (Job, uint64, error) {
	row, err := s.home.Get(ctx, KindExport, org, id)
	if errors.Is(err, store.ErrNotFound) {
		return Job{}, 0, ErrNotFound
	}
	if err != nil {
		return Job{}, 0, err //nolint:wrapcheck // the store says what it did
	}
	job, err := parseJob(row)
	return job, row.Version, err
}

func parseJob(row store.Control) (Job, error) {
	var job Job
	if err := json.Unmarshal(row.Value, &job); err != nil || job.ID != row.ID || job.Org != row.Org {
		return Job{}, fmt.Errorf("read export: version %d is not what it should be", row.Version)
	}
	return job, nil
}

// List has the jobs of an organisation, the newest first.
func (s *Jobs) List(ctx context.Context, org string) ([]Job, error) {
	rows, err := s.home.List(ctx, KindExport, org)
	if err != nil {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	jobs := make([]Job, 0, len(rows))
	for _, row := range rows {
		job, err := parseJob(row)
		if err != nil {
			return nil, err
		}
		job.expire(s.now())
		jobs = append(jobs, job)
	}
	slices.SortFunc(jobs, func(a, b Job) int {
		if c := b.RequestedAt.Compare(a.RequestedAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return jobs, nil
}

// Cancel ends a job that has not ended, or fails with ErrState.
func (s *Jobs) Cancel(ctx context.Context, org, id, who string) (Job, error) {
	return s.update(ctx, org, id, who, func(j *Job) error {
		if j.State.ended() {
			return &StateError{j.State, []State{AwaitingApproval, Queued, Running}}
		}
		j.finish(Cancelled, s.now())
		return nil
	})
}

// Resume begins a failed or cancelled job anew, or fails with ErrState. Held content is approved anew.
func (s *Jobs) Resume(ctx context.Context, org, id, who string) (Job, error) {
	return s.update(ctx, org, id, who, func(j *Job) error {
		if j.State != Failed && j.State != Cancelled {
			return &StateError{j.State, []State{Failed, Cancelled}}
		}
		j.State, j.Approval, j.Round = Queued, nil, j.Round+1
		if j.Request.Kind == HeldContent {
			j.State = AwaitingApproval
		}
		j.begin(j.Regions())
		return nil
	})
}

// Approve is the second person's word. It fails with ErrState where none is waited for, and with ErrSamePerson.
func (s *Jobs) Approve(ctx context.Context, org, id, who, reason string) (Job, error) {
	if strings.TrimSpace(reason) == "" {
		return Job{}, &FieldError{Field: "reason", Reason: "is missing; say why it is allowed"}
	}
	if wrong := checkReason(reason); wrong != "" {
		return Job{}, &FieldError{Field: "reason", Reason: wrong}
	}
	return s.update(ctx, org, id, who, func(j *Job) error {
		switch {
		case j.State != AwaitingApproval:
			return &StateError{j.State, []State{AwaitingApproval}}
		case who == "" || who == j.RequestedBy:
			return ErrSamePerson
		}
		j.Approval = &Approval{By: who, At: s.now().UTC().Truncate(time.Microsecond), Reason: reason}
		j.State = Queued
		return nil
	})
}

// updateAttempts bounds how often a change is made again because somebody else was first.
const updateAttempts = 20

// update reads a job, changes it and writes it, and begins again if somebody else wrote meanwhile. What do returns is handed back.
func (s *Jobs) update(ctx context.Context, org, id, author string, do func(*Job) error) (Job, error) {
	for range updateAttempts {
		job, version, err := s.get(ctx, org, id)
		if err != nil {
			return Job{}, err
		}
		if err := do(&job); err != nil {
			return job, err
		}
		if err = s.put(ctx, &job, version, author); !errors.Is(err, store.ErrConflict) {
			return job, err
		}
	}
	return Job{}, fmt.Errorf("change export: %w: too many do so at once", store.ErrConflict)
}

func (s *Jobs) put(ctx context.Context, j *Job, ifVersion uint64, author string) error {
	text, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("write export: %w", err)
	}
	_, err = s.home.Put(ctx, store.Control{Kind: KindExport, Org: j.Org, ID: j.ID, Value: text, Author: author}, ifVersion)
	return err //nolint:wrapcheck // the store says what it did
}
