package embedded

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// ErrLocked is returned by Lock if another instance holds the data folder.
var ErrLocked = errors.New("data folder is in use")

const lockFile = "anteroom.lock"

// Lock is the right to use a data folder. The operating system takes it back
// when the process ends, however it ends, so there are no stale locks.
type Lock struct {
	file   *os.File
	holder holder
}

// holder is what the lock file says about who holds the folder.
type holder struct {
	Pid     int       `json:"pid"`
	Started time.Time `json:"started"`
	URL     string    `json:"url,omitempty"`
	// ClickHouse is where the instance's engine listens, host:port of the native protocol.
	ClickHouse string `json:"clickhouse,omitempty"`
	// Kafka is where its broker listens.
	Kafka string `json:"kafka,omitempty"`
}

// AcquireLock takes the data folder dir, which it makes with mode 0700 if
// missing. If another instance has it the error is ErrLocked and says who.
func AcquireLock(dir string) (*Lock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("lock data folder: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data folder: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s is held by %s: stop that one, or give another folder", ErrLocked, dir, readHolder(file))
		}
		return nil, fmt.Errorf("lock data folder %s: %w", dir, err)
	}
	lock := &Lock{file: file, holder: holder{Pid: os.Getpid(), Started: time.Now().UTC().Truncate(time.Second)}}
	if err := lock.write(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return lock, nil
}

// SetURL notes where this instance listens, for the error that a second one gets.
func (l *Lock) SetURL(url string) error {
	l.holder.URL = url
	return l.write()
}

// SetClickHouse notes where this instance's engine listens, for commands that look into the same folder meanwhile.
func (l *Lock) SetClickHouse(addr string) error {
	l.holder.ClickHouse = addr
	return l.write()
}

// SetKafka notes where this instance's broker listens, for commands that work beside it.
func (l *Lock) SetKafka(addr string) error {
	l.holder.Kafka = addr
	return l.write()
}

// Close gives the folder back. The file stays: removing it would let two
// processes hold locks on two files of the same name.
func (l *Lock) Close() error { return l.file.Close() }

func (l *Lock) write() error {
	raw, err := json.Marshal(l.holder)
	if err != nil {
		return fmt.Errorf("note who holds the data folder: %w", err)
	}
	// In place, not by rename: the lock is on this very file.
	if err := l.file.Truncate(0); err != nil {
		return fmt.Errorf("note who holds the data folder: %w", err)
	}
	if _, err := l.file.WriteAt(append(raw, '\n'), 0); err != nil {
		return fmt.Errorf("note who holds the data folder: %w", err)
	}
	return nil
}

func readHolder(file *os.File) string {
	raw, err := io.ReadAll(io.LimitReader(file, 4096))
	var by holder
	if err != nil || json.Unmarshal(raw, &by) != nil || by.Pid == 0 {
		return "another process" // it has not written the file yet
	}
	text := "process " + strconv.Itoa(by.Pid) + ", started " + by.Started.Format(time.RFC3339)
	if by.URL != "" {
		text += ", listening on " + by.URL
	}
	return text
}
