package record

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/uuid"
)

// ErrLive: the recording runs in this process.
var ErrLive = errors.New("the recording still runs")

// Delete removes a recording with all its files, and returns when that is on the disk. What isn't there is deleted already. It fails with ErrLive while the
// recording runs, and touches nothing outside of the recording's folder, whatever that is a link to.
func (r *Recorder) Delete(ctx context.Context, org string, call, id uuid.UUID) error {
	if r.cfg.Dir == "" || !safe(org) {
		return nil // nothing of it was ever written
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mu.Lock()
	live := r.live[id] != nil
	r.mu.Unlock()
	if live {
		return ErrLive
	}
	root, err := os.OpenRoot(r.cfg.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete recording: %w", err)
	}
	defer func() { _ = root.Close() }() // only opened
	parent := filepath.Join(org, call.String())
	if err := root.RemoveAll(filepath.Join(parent, id.String())); err != nil {
		return fmt.Errorf("delete recording: %w", err)
	}
	err = syncDir(filepath.Join(r.cfg.Dir, parent))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
