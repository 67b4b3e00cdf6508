package identity

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// readMaster is the master key as configured; the default file is made when missing.
func readMaster(cfg Config) ([]byte, error) {
	if cfg.Master.Key != "" {
		return decodeMasterKey(cfg.Master.Key)
	}
	path, create := cfg.Master.File, func() ([]byte, error) { return nil, nil }
	if path == "" {
		path = filepath.Join(cfg.StateFolder, masterKeyFile)
		create = func() ([]byte, error) {
			key := make([]byte, masterKeyBytes)
			_, err := rand.Read(key)
			return []byte(base64.StdEncoding.EncodeToString(key) + "\n"), err
		}
	}
	text, err := SecretFile(path, create)
	if err != nil {
		return nil, fmt.Errorf("read master key: %w", err)
	}
	key, err := decodeMasterKey(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("read master key: %s %w", path, err)
	}
	return key, nil
}

// SecretFile reads a file that nobody else may read (mode 0600); one that others could read is refused, since it has to be taken for known. A
// missing file is made of what create returns, whole or not at all; whoever is first wins. If create returns nothing a missing file is an error.
func SecretFile(path string, create func() ([]byte, error)) ([]byte, error) {
	text, err := readSecretFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return text, err
	}
	made, createErr := create()
	if createErr != nil {
		return nil, fmt.Errorf("make content of %s: %w", path, createErr)
	}
	if made == nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if err := writeSecretFile(path, made); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return readSecretFile(path)
}

func readSecretFile(path string) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file; move it away and start again", path)
	}
	if mode := info.Mode().Perm(); mode&^0o600 != 0 {
		return nil, fmt.Errorf("%s has mode %04o and may have been read by others; make a new one, or chmod 600 it if you know better", path, mode)
	}
	return os.ReadFile(path)
}

// writeSecretFile shows the file under its name only when it is whole and on disk.
func writeSecretFile(path string, content []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".secret-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.Write(content)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), path); err != nil { // fails if path exists, unlike a rename
		return err
	}
	return syncFolder(filepath.Dir(path))
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}
