package report

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// workersFolder has a file for each worker, locked as long as its process lives: the operating system gives the lock back however that ends.
const workersFolder = ".workers"

// sign is a worker's sign of life to others that see the same folder.
type sign struct {
	path string
	file *os.File
}

// signOn makes the sign of a worker. The file gets its name once it is locked, so that nobody takes it for a dead one's before.
func signOn(dir, worker string) (*sign, error) {
	folder := filepath.Join(dir, workersFolder)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("sign on: %w", err)
	}
	file, err := os.CreateTemp(folder, "new-*")
	if err != nil {
		return nil, fmt.Errorf("sign on: %w", err)
	}
	path := filepath.Join(folder, worker)
	if err := errors.Join(syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), os.Rename(file.Name(), path)); err != nil {
		return nil, errors.Join(fmt.Errorf("sign on: %w", err), os.Remove(file.Name()), file.Close())
	}
	return &sign{path: path, file: file}, nil
}

// off takes the sign away.
func (s *sign) off() error {
	if err := errors.Join(os.Remove(s.path), s.file.Close()); err != nil {
		return fmt.Errorf("sign off: %w", err)
	}
	return nil
}

// dead tells whether a worker is known to be dead. Of one whose file is not here nothing is known: it may work on another machine.
func dead(dir, worker string) bool {
	file, err := os.Open(filepath.Join(dir, workersFolder, filepath.Base(worker)))
	if err != nil {
		return false
	}
	defer file.Close()
	return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

// keepSign is how long the file of a dead worker stays at least: jobs that name it may not have been read yet.
const keepSign = time.Hour

// sweepSigns removes the files of dead workers that no job names any more.
func sweepSigns(dir string, named func(worker string) bool) {
	entries, err := os.ReadDir(filepath.Join(dir, workersFolder))
	if err != nil {
		return
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && time.Since(info.ModTime()) > keepSign && !named(e.Name()) && dead(dir, e.Name()) {
			_ = os.Remove(filepath.Join(dir, workersFolder, e.Name())) // the next look tries again
		}
	}
}
