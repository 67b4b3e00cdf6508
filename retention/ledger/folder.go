package ledger

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/mod/sumdb/note"
)

// What is in a region's folder.
const (
	logFolder    = "log"
	signerFile   = "signer.key"
	idsFile      = "ids.key"
	lockFile     = "appender.lock"
	makingPrefix = ".making-"
	idKeyBytes   = 32
)

var (
	// ErrNone: there is no ledger in the folder.
	ErrNone = errors.New("there is no ledger in the folder")
	// ErrLocked: another process appends to the ledger.
	ErrLocked = errors.New("another process appends to the ledger")
)

// folder is a region's: its keys, and the log.
type folder struct {
	path string
	// signer is the private key as notes have it, ids what things' ids are made with.
	signer string
	ids    []byte
}

// openFolder reads the folder's keys, and makes what is missing if it may. A key file gets its name when it is complete and on disk: of two makers one
// succeeds, and both have its key.
func openFolder(dir, region, origin string, mayMake bool) (*folder, error) {
	if dir == "" {
		return nil, errors.New("dir: is empty; name a folder on this machine")
	}
	f := &folder{path: filepath.Join(dir, region)}
	if mayMake {
		if err := os.MkdirAll(f.path, 0o700); err != nil {
			return nil, fmt.Errorf("make folder of ledger: %w", err)
		}
	}
	info, err := os.Stat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: %s", ErrNone, f.path)
	case err != nil:
		return nil, fmt.Errorf("look at folder of ledger: %w", err)
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("dir: others may look into %s (mode %04o); make its mode 0700", f.path, info.Mode().Perm())
	}
	signer, err := f.secret(signerFile, mayMake, func() (string, error) {
		private, _, err := note.GenerateKey(rand.Reader, origin+"/"+region)
		return private, err
	})
	if err != nil {
		return nil, err
	}
	ids, err := f.secret(idsFile, mayMake, func() (string, error) {
		key := [idKeyBytes]byte{}
		_, err := rand.Read(key[:])
		return hex.EncodeToString(key[:]), err
	})
	if err != nil {
		return nil, err
	}
	f.signer = signer
	if f.ids, err = hex.DecodeString(ids); err != nil || len(f.ids) != idKeyBytes {
		return nil, fmt.Errorf("%s holds no key", filepath.Join(f.path, idsFile))
	}
	return f, nil
}

// secret reads a file that only the service may read, and makes it if it may.
func (f *folder) secret(name string, mayMake bool, generate func() (string, error)) (string, error) {
	path := filepath.Join(f.path, name)
	secret, err := readSecret(path)
	switch {
	case err == nil || !errors.Is(err, fs.ErrNotExist):
		return secret, err
	case !mayMake:
		return "", fmt.Errorf("%w: %s is missing", ErrNone, path)
	}
	if _, err := os.Stat(filepath.Join(f.path, logFolder)); err == nil {
		// With a new one the log would be another log, and its things other things.
		return "", fmt.Errorf("%s is missing, but the log is there: bring the file back from a backup", path)
	}
	if secret, err = generate(); err != nil {
		return "", fmt.Errorf("make key: %w", err)
	}
	if err := f.create(name, secret+"\n"); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("write %s: %w", path, err)
	}
	return readSecret(path)
}

// create writes a file that is not there yet (fs.ErrExist: it is), so that it is on disk as a whole or not at all.
func (f *folder) create(name, content string) error {
	temp, err := os.CreateTemp(f.path, makingPrefix+"*") // mode 0600
	if err != nil {
		return err //nolint:wrapcheck // the caller says what it wrote
	}
	defer func() { _ = os.Remove(temp.Name()) }()
	_, err = temp.WriteString(content)
	if err := errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	if err := os.Link(temp.Name(), filepath.Join(f.path, name)); err != nil {
		return err //nolint:wrapcheck // the caller says what it wrote
	}
	parent, err := os.Open(f.path)
	if err != nil {
		return err //nolint:wrapcheck // the caller says what it wrote
	}
	defer parent.Close()
	return parent.Sync() //nolint:wrapcheck // the caller says what it wrote
}

func readSecret(path string) (string, error) {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return "", fmt.Errorf("read key: %w", err)
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("read key: %s is not a regular file", path)
	case info.Mode().Perm()&0o077 != 0:
		return "", fmt.Errorf("read key: %s has mode %04o and may have been read by others", path, info.Mode().Perm())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read key: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// lock takes the right to append. The operating system takes it back when the process ends, however it ends.
func (f *folder) lock() (*os.File, error) {
	path := filepath.Join(f.path, lockFile)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock ledger: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s is held by %s", ErrLocked, path, holder(file))
		}
		return nil, fmt.Errorf("lock ledger: %w", err)
	}
	// In place, not by rename: the lock is on this very file.
	err = file.Truncate(0)
	if err == nil {
		_, err = file.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock ledger: %w", err), file.Close())
	}
	return file, nil
}

func holder(file *os.File) string {
	var pid int
	if _, err := fmt.Fscan(file, &pid); err != nil {
		return "another process" // it has not written the file yet
	}
	return fmt.Sprintf("process %d", pid)
}
