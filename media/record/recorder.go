package record

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/media/forward"
)

// What callers branch on.
var (
	ErrNotConfigured = errors.New("recording has no directory")
	ErrNotFound      = errors.New("no such recording")
)

// Recorder keeps recordings under one directory. All methods are safe for concurrent use.
type Recorder struct {
	cfg Config
	log *slog.Logger

	mu   sync.Mutex
	live map[uuid.UUID]*Recording
}

// New checks the configuration; it opens nothing.
func New(cfg Config, log *slog.Logger) (*Recorder, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Recorder{cfg: cfg, log: log, live: map[uuid.UUID]*Recording{}}, nil
}

// Start begins a recording of a call. It fails if the disk can't take it.
func (r *Recorder) Start(ctx context.Context, call uuid.UUID, org, region string) (*Recording, error) {
	if r.cfg.Dir == "" {
		return nil, ErrNotConfigured
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !safe(org) {
		return nil, fmt.Errorf("start recording: organisation id is no directory name")
	}
	id := uuid.New()
	rec := &Recording{
		cfg: r.cfg, log: r.log, id: id, call: call, org: org, region: region, dir: r.path(org, call, id), started: time.Now().UTC(),
		queue: make(chan item, r.cfg.QueuePackets), stop: make(chan struct{}), done: make(chan struct{}), tracks: map[*track]struct{}{},
		failed: make(chan error, 1),
	}
	rec.free.New = func() any {
		b := make([]byte, 0, 1500)
		return &b
	}
	if err := os.MkdirAll(rec.dir, 0o700); err != nil {
		return nil, fmt.Errorf("start recording: %w", err)
	}
	if err := rec.manifest().write(rec.dir); err != nil {
		return nil, fmt.Errorf("start recording: %w", err)
	}
	r.mu.Lock()
	r.live[id] = rec
	r.mu.Unlock()
	go func() {
		defer close(rec.done)
		defer r.forget(id)
		rec.run()
	}()
	return rec, nil
}

func (r *Recorder) forget(id uuid.UUID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.live, id)
}

// Close stops what still runs.
func (r *Recorder) Close(ctx context.Context) error {
	r.mu.Lock()
	live := make([]*Recording, 0, len(r.live))
	for _, rec := range r.live {
		live = append(live, rec)
	}
	r.mu.Unlock()
	var errs []error
	for _, rec := range live {
		if _, err := rec.Stop(ctx); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// List has the recordings of a call, the oldest first.
func (r *Recorder) List(org string, call uuid.UUID) ([]Manifest, error) {
	if r.cfg.Dir == "" || !safe(org) {
		return nil, nil
	}
	entries, err := os.ReadDir(filepath.Join(r.cfg.Dir, org, call.String()))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list recordings: %w", err)
	}
	var out []Manifest
	for _, e := range entries {
		id, err := uuid.Parse(e.Name())
		if err != nil {
			continue
		}
		m, err := r.Manifest(org, call, id)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b Manifest) int { return a.StartedAt.Compare(b.StartedAt) })
	return out, nil
}

// Manifest of one recording; ErrNotFound.
func (r *Recorder) Manifest(org string, call, id uuid.UUID) (Manifest, error) {
	root, err := r.root(org, call, id)
	if err != nil {
		return Manifest{}, err
	}
	defer func() { _ = root.Close() }() // only read
	m, err := readManifest(root)
	if errors.Is(err, fs.ErrNotExist) {
		return Manifest{}, ErrNotFound
	}
	return m, err
}

// Open opens a file that the manifest of a recording names, or the manifest itself, for reading; ErrNotFound. The caller closes it.
func (r *Recorder) Open(org string, call, id uuid.UUID, file string) (io.ReadSeekCloser, error) {
	root, err := r.root(org, call, id)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }() // only read
	m, err := readManifest(root)
	if err != nil {
		return nil, ErrNotFound
	}
	named := func(t ManifestTrack) bool { return t.File == file || t.Timing == file }
	if file != manifestFile && !slices.ContainsFunc(m.Tracks, named) {
		return nil, ErrNotFound
	}
	f, err := root.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("open recording: %w", err)
	}
	return f, nil
}

func (r *Recorder) path(org string, call, id uuid.UUID) string {
	return filepath.Join(r.cfg.Dir, org, call.String(), id.String())
}

// root confines what is opened to the recording's directory.
func (r *Recorder) root(org string, call, id uuid.UUID) (*os.Root, error) {
	if r.cfg.Dir == "" || !safe(org) {
		return nil, ErrNotFound
	}
	root, err := os.OpenRoot(r.path(org, call, id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("open recording: %w", err)
	}
	return root, nil
}

// safe tells whether an organisation's id can be a directory's name.
func safe(org string) bool {
	return org != "" && len(org) <= 200 && org[0] != '.' && filepath.IsLocal(org) && filepath.Base(org) == org
}

// order puts tracks by their start.
func (m *Manifest) order() {
	slices.SortFunc(m.Tracks, func(a, b ManifestTrack) int {
		return cmp.Or(a.StartedAt.Compare(b.StartedAt), cmp.Compare(a.File, b.File))
	})
}

func (m *Manifest) result() Result {
	out := Result{
		ID: m.RecordingID, Started: m.StartedAt, Duration: time.Duration(m.DurationMs) * time.Millisecond,
		ContentType: "audio", ChannelType: "unmixed", Format: "webm", Chunks: uint32(len(m.Tracks)),
		DroppedPackets: m.DroppedPackets, Truncated: m.Truncated,
	}
	for _, t := range m.Tracks {
		if t.Kind == forward.Audio {
			out.AudioChannels += uint32(t.Channels)
		} else {
			out.ContentType = "audiovideo"
		}
		if filepath.Ext(t.File) == ".mkv" {
			out.Format = "mkv"
		}
	}
	return out
}
