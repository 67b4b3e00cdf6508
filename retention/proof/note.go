package proof

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

var (
	// ErrKey: what was given is no verifier key.
	ErrKey = errors.New("that is not a verifier key: name+hash+base64, as `anteroom ledger key` prints it")
	// ErrSignature: what is signed isn't by the key, or has been altered.
	ErrSignature = errors.New("no signature by the key")
)

// maxNote is the largest signed note that is read, in bytes.
const maxNote = 64 << 10

// Checkpoint is the state of a log at a moment (https://c2sp.org/tlog-checkpoint).
type Checkpoint struct {
	Origin string
	Size   uint64
	Root   Hash
}

// Text is what is signed.
func (c Checkpoint) Text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]))
}

// CheckKey fails with ErrKey if that is no verifier key.
func CheckKey(key string) error {
	if _, err := note.NewVerifier(key); err != nil {
		return ErrKey
	}
	return nil
}

// ParseCheckpoint reads a signed checkpoint and checks that it is by the key, whose name has to be the log's origin. Further signatures, of witnesses
// say, don't matter.
func ParseCheckpoint(signed []byte, key string) (Checkpoint, error) {
	text, name, err := openNote(signed, key)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("read checkpoint: %w", err)
	}
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return Checkpoint{}, errors.New("read checkpoint: it has not three lines")
	}
	size, err := strconv.ParseUint(lines[1], 10, 64)
	if err != nil {
		return Checkpoint{}, errors.New("read checkpoint: its size is no number")
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != len(Hash{}) {
		return Checkpoint{}, errors.New("read checkpoint: its root is no hash")
	}
	c := Checkpoint{Origin: lines[0], Size: size, Root: Hash(root)}
	switch {
	case c.Origin != name:
		return Checkpoint{}, errors.New("read checkpoint: it is of another log than the key")
	case c.Text() != text:
		return Checkpoint{}, errors.New("read checkpoint: it is not in canonical form")
	}
	return c, nil
}

// CheckManifest checks the signature of a manifest: exactly one, by the key.
func CheckManifest(manifest, signature []byte, key string) error {
	text, name, err := openNote(signature, key)
	if err != nil {
		return fmt.Errorf("check manifest's signature: %w", err)
	}
	if bytes.Count(signature, []byte("\n")) != strings.Count(text, "\n")+2 {
		return fmt.Errorf("check manifest's signature: %w alone", ErrSignature)
	}
	if text != ManifestNote(name, manifest) {
		return fmt.Errorf("check manifest's signature: %w: it is of another manifest", ErrSignature)
	}
	return nil
}

// openNote gives the text of a signed note, and the name of the key that has to have signed it.
func openNote(signed []byte, key string) (text, name string, err error) {
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return "", "", ErrKey
	}
	if len(signed) > maxNote {
		return "", "", errors.New("it is too large")
	}
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return "", "", ErrSignature
	}
	return opened.Text, verifier.Name(), nil
}
