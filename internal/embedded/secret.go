package embedded

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

// secretBytes is the entropy of a generated secret: 256 bits.
const secretBytes = 32

// Secret returns the secret called name of the data folder dir. The first call
// makes it (32 random bytes, base64url without padding) in a file of mode 0600;
// later calls read it back. A file that others may read is refused, since a
// secret that was readable once has to be taken for known.
func Secret(dir, name string) (string, error) {
	path := filepath.Join(dir, name)
	secret, err := readSecret(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make folder for secret %s: %w", name, err)
	}
	raw := make([]byte, secretBytes)
	if _, err := rand.Read(raw); err != nil {
		return "", fmt.Errorf("generate secret %s: %w", name, err)
	}
	secret = base64.RawURLEncoding.EncodeToString(raw)
	err = createSecret(path, secret)
	if errors.Is(err, fs.ErrExist) { // somebody else made it in between: theirs counts
		return readSecret(path)
	}
	if err != nil {
		return "", fmt.Errorf("write secret %s: %w", name, err)
	}
	return secret, nil
}

// createSecret writes the secret so that the final name never shows a partial
// file: a crash in between must not leave an empty password behind.
func createSecret(path, secret string) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".secret-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.WriteString(secret + "\n")
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Link(tmp.Name(), path) // fails if path exists, unlike a rename
}

func readSecret(path string) (string, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("read secret: %s is not a regular file: move it away and start again", path)
	}
	if mode := info.Mode().Perm(); mode&^0o600 != 0 {
		return "", fmt.Errorf("read secret: %s has mode %04o and may have been read by others: "+
			"run chmod 600 on it, or delete it to have a new one made", path, mode)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	secret := strings.TrimSpace(string(raw))
	if secret == "" {
		return "", fmt.Errorf("read secret: %s is empty: delete it to have a new one made", path)
	}
	return secret, nil
}
