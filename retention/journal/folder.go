package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"
)

// What is in a journal's folder, beside the files with rows.
const (
	aboutFile = "journal.json"
	marksFile = "marks.json"
	lockFile  = "lock"
	rowsEnd   = ".rows"
)

var (
	// ErrNone: there is no journal in the folder.
	ErrNone = errors.New("there is no journal in the folder")
	// ErrLocked: a process writes the journal that is to be had alone, or has it alone.
	ErrLocked = errors.New("another process uses the journal")
	// ErrDamaged: a file isn't what was written.
	ErrDamaged = errors.New("the journal is damaged")
)

// About is what a journal is.
type About struct {
	Format string `json:"format"`
	Schema int    `json:"schema"`
	// ID is random: of two journals of a region, one began where the other knows nothing of.
	ID uuid.UUID `json:"id"`
	// Begins is since when it has all there is to know.
	Begins time.Time `json:"begins"`
}

const format, schema = "anteroom-journal", 1

// ReadAbout reads what the journal in a folder is. It fails with ErrNone where there is none.
func ReadAbout(dir string) (About, error) {
	var a About
	text, err := os.ReadFile(filepath.Join(dir, aboutFile))
	if errors.Is(err, fs.ErrNotExist) {
		return a, fmt.Errorf("%w: %s", ErrNone, dir)
	}
	if err == nil {
		err = json.Unmarshal(text, &a)
	}
	if err == nil && (a.Format != format || a.Schema != schema) {
		err = fmt.Errorf("format is %q, schema %d", a.Format, a.Schema)
	}
	if err != nil {
		return a, fmt.Errorf("read journal: %s: %w", aboutFile, err)
	}
	return a, nil
}

// writeFile writes a file so that it is there as a whole, on disk, or as it was. With fresh it may not be there yet (fs.ErrExist).
func writeFile(dir, name string, content any, fresh bool) error {
	text, err := json.Marshal(content)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	temp, err := os.CreateTemp(dir, ".making-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer func() { _ = os.Remove(temp.Name()) }()
	_, err = temp.Write(append(text, '\n'))
	if err := errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	place := os.Rename
	if fresh {
		place = os.Link
	}
	if err := place(temp.Name(), filepath.Join(dir, name)); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return syncFolder(dir)
}

// syncFolder makes the names in a folder last.
func syncFolder(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync journal: %w", err)
	}
	if err := errors.Join(folder.Sync(), folder.Close()); err != nil {
		return fmt.Errorf("sync journal: %w", err)
	}
	return nil
}

// rowFiles are the names of the files with rows, the oldest first.
func rowFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list journal: %w", err)
	}
	var out []string
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), rowsEnd) {
			out = append(out, entry.Name())
		}
	}
	slices.Sort(out)
	return out, nil
}

// lock takes the right to write, beside others or alone. The operating system takes it back when the process ends, however it ends.
func lock(dir string, alone bool) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock journal: %w", err)
	}
	how := syscall.LOCK_SH
	if alone {
		how = syscall.LOCK_EX
	}
	if err := syscall.Flock(int(file.Fd()), how|syscall.LOCK_NB); err != nil {
		defer file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s: while the region is restored, no process may have the role retention for it", ErrLocked, dir)
		}
		return nil, fmt.Errorf("lock journal: %w", err)
	}
	return file, nil
}
