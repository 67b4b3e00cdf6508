package journal

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/anteroom/anteroom/store"
)

// Deps are what a journal works with.
type Deps struct {
	// Store is the region's: rows come from its tables.
	Store *store.Store
	// Region is its name.
	Region string
	// Log. Default: none.
	Log *slog.Logger
	// Metrics is where the journal's own are registered. Default: nowhere.
	Metrics prometheus.Registerer
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Alone: nobody else may write meanwhile. Default false: others may, each to files of its own.
	Alone bool
}

// Journal is a region's. All methods are safe for concurrent use; Run is called once.
type Journal struct {
	dir     string
	deps    Deps
	lock    *os.File
	metrics metrics
	// claimed: the region's tables know of this journal.
	claimed atomic.Bool
	// trouble is what came of the last look.
	trouble atomic.Pointer[error]

	mu    sync.Mutex
	about About           // guarded by mu
	file  *os.File        // guarded by mu: the one that is appended to; nil: a new one has to be begun
	size  int64           // guarded by mu
	began time.Time       // guarded by mu: when the file was
	tails map[string]tail // guarded by mu
	saved time.Time       // guarded by mu: the server's time at which the tails were written
}

const (
	// fileBytes and fileAge are at what size and age a new file is begun: files go as a whole.
	fileBytes = 64 << 20
	fileAge   = 6 * time.Hour
)

// Open makes a region's journal ready to be written. It fails with ErrLocked if that has to be alone, for this one or for another. It makes the folder (mode 0700) if there is none.
func Open(dir string, deps Deps) (*Journal, error) {
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	held, err := lock(dir, deps.Alone)
	if err != nil {
		return nil, err
	}
	j := &Journal{dir: dir, deps: deps, lock: held}
	if err := j.open(); err != nil {
		return nil, errors.Join(err, held.Close())
	}
	return j, nil
}

func (j *Journal) open() (err error) {
	if err := j.metrics.register(j.deps.Metrics, j.deps.Region); err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	j.about, err = ReadAbout(j.dir)
	if errors.Is(err, ErrNone) {
		if files, err := rowFiles(j.dir); err != nil || len(files) > 0 {
			return errors.Join(err, fmt.Errorf("open journal: %w: %s is missing in %s, but there are rows", ErrDamaged, aboutFile, j.dir))
		}
		j.about = About{Format: format, Schema: schema, ID: uuid.New(), Begins: j.deps.Now().UTC()}
		if err = writeFile(j.dir, aboutFile, j.about, true); errors.Is(err, fs.ErrExist) {
			j.about, err = ReadAbout(j.dir) // another was first
		}
	}
	if err != nil {
		return err
	}
	j.tails, err = j.readMarks()
	return err
}

// Close gives the folder back.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var errs []error
	if j.file != nil {
		errs = append(errs, j.file.Close())
		j.file = nil
	}
	if err := errors.Join(append(errs, j.lock.Close())...); err != nil {
		return fmt.Errorf("close journal: %w", err)
	}
	return nil
}

// About tells what the journal is.
func (j *Journal) About() About {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.about
}

// header is the line before a record's bytes.
type header struct {
	store.RowText
	At    time.Time `json:"at"`
	Bytes int       `json:"bytes"`
	// SHA256 is that of the bytes.
	SHA256 string `json:"sha256"`
	// Check is the SHA-256 of this line with "" here: a length that isn't true would hide what comes after.
	Check string `json:"check"`
}

// line is the header with its check, and the line end.
func (h header) line() ([]byte, error) {
	h.Check = ""
	line, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	h.Check = digest(line)
	line, err = json.Marshal(h)
	return append(line, '\n'), err
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// encode makes a record.
func encode(rows store.RowText, at time.Time) ([]byte, error) {
	var content bytes.Buffer
	w, err := gzip.NewWriterLevel(&content, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(rows.Text)
	if err := errors.Join(err, w.Close()); err != nil {
		return nil, err
	}
	h := header{RowText: rows, At: at.UTC(), Bytes: content.Len(), SHA256: digest(content.Bytes())}
	line, err := h.line()
	if err != nil {
		return nil, err
	}
	return append(append(line, content.Bytes()...), '\n'), nil
}

// write appends rows; sync makes them last. After a failure the file isn't written any more: its last record may have been cut short. The caller holds mu.
func (j *Journal) write(rows store.RowText) error {
	if rows.Rows == 0 {
		return nil
	}
	now := j.deps.Now()
	record, err := encode(rows, now)
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	if j.file != nil && (j.size > fileBytes || now.Sub(j.began) > fileAge) {
		if err := errors.Join(j.file.Sync(), j.file.Close()); err != nil {
			j.file = nil
			return fmt.Errorf("write journal: %w", err)
		}
		j.file = nil
	}
	if j.file == nil {
		if err := j.begin(now); err != nil {
			return err
		}
	}
	n, err := j.file.Write(record)
	j.size += int64(n)
	if err != nil {
		return j.broken(err)
	}
	j.metrics.rows.WithLabelValues(rows.Table).Add(float64(rows.Rows))
	return nil
}

// sync makes what was written last. The caller holds mu.
func (j *Journal) sync() error {
	if j.file == nil {
		return nil
	}
	if err := j.file.Sync(); err != nil {
		return j.broken(err)
	}
	return nil
}

func (j *Journal) broken(err error) error {
	err = errors.Join(err, j.file.Close())
	j.file = nil
	j.metrics.failures.Inc()
	return fmt.Errorf("write journal: %w", err)
}

// begin begins a new file, which is nobody else's. The caller holds mu.
func (j *Journal) begin(now time.Time) error {
	files, err := rowFiles(j.dir)
	if err != nil {
		return err
	}
	next := 1
	if len(files) > 0 {
		if _, err := fmt.Sscanf(files[len(files)-1], "%d", &next); err != nil {
			return fmt.Errorf("begin a file of the journal: %s is none: %w", files[len(files)-1], err)
		}
		next++
	}
	file, err := os.OpenFile(filepath.Join(j.dir, fmt.Sprintf("%08d%s", next, rowsEnd)), os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return j.begin(now) // another took the number
	}
	if err != nil {
		return fmt.Errorf("begin a file of the journal: %w", err)
	}
	if err := syncFolder(j.dir); err != nil {
		return errors.Join(err, file.Close())
	}
	j.file, j.size, j.began = file, 0, now
	return nil
}

// Prune removes files of which all was written before a moment. What is younger, and files that are written, stay.
func (j *Journal) Prune(ctx context.Context, before time.Time) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	files, err := rowFiles(j.dir)
	if err != nil {
		return err
	}
	for _, name := range files[:max(len(files)-1, 0)] {
		path := filepath.Join(j.dir, name)
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("prune journal: %w", err)
		}
		// A file is written for some hours at most. The files' times and the moments in them are of the same clock.
		if last := info.ModTime(); !last.Before(before) || j.deps.Now().Sub(last) < 2*fileAge {
			return nil
		}
		// From now on it is not all there any more.
		if last := info.ModTime().UTC(); last.After(j.about.Begins) {
			j.about.Begins = last
			if err := writeFile(j.dir, aboutFile, j.about, false); err != nil {
				return err
			}
		}
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("prune journal: %w", err)
		}
		j.deps.Log.InfoContext(ctx, "a file of the journal was removed: all backups are younger", "region", j.deps.Region, "file", name)
	}
	return nil
}
