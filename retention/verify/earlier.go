package verify

import (
	"fmt"
	"os"

	"github.com/anteroom/anteroom/retention/proof"
)

// Earlier is what is kept of a report, for the next one to be compared with.
type Earlier struct {
	// Checkpoint as it was signed.
	Checkpoint []byte
	// Query of the report; zero if only the checkpoint was kept.
	Query proof.Query
}

// ReadEarlier reads a checkpoint, or that of a bundle. It checks neither.
func ReadEarlier(path string) (*Earlier, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("open earlier checkpoint: %w", err)
	}
	if info.Mode().IsRegular() && info.Size() <= maxSmall {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read earlier checkpoint: %w", err)
		}
		if len(text) < 2 || string(text[:2]) != "PK" { // no zip
			return &Earlier{Checkpoint: text}, nil
		}
	}
	s, err := openSource(path)
	if err != nil {
		return nil, fmt.Errorf("open earlier bundle: %w", err)
	}
	defer func() { _ = s.close() }()
	out := &Earlier{}
	if out.Checkpoint, err = s.read(proof.CheckpointFile, maxSmall); err != nil {
		return nil, fmt.Errorf("read earlier checkpoint: %w", err)
	}
	text, err := s.read(proof.ManifestFile, maxManifest)
	if err != nil {
		return nil, fmt.Errorf("read earlier manifest: %w", err)
	}
	m, err := proof.ParseManifest(text)
	if err != nil {
		return nil, err //nolint:wrapcheck // it says what it read
	}
	out.Query = m.Query
	return out, nil
}
