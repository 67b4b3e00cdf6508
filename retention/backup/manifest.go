package backup

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/store"
)

// Manifest is what a backup tells of itself: it is in the table backups, which is in the backup.
type Manifest struct {
	Format string `json:"format"`
	Schema int    `json:"schema"`
	Name   string `json:"name"`
	Region string `json:"region"`
	// Database is where the tables were, SchemaVersion the last migration, Shards how many parts it has, each with the tables of a shard (0: one of all).
	Database      string `json:"database"`
	SchemaVersion int64  `json:"schema_version"`
	Shards        int    `json:"shards"`
	// MadeBy is the program's version.
	MadeBy    string    `json:"made_by"`
	StartedAt time.Time `json:"started_at"`
	ExpiresAt time.Time `json:"expires_at"`
	// Journal has what came after.
	Journal uuid.UUID `json:"journal"`
	// Ledger is how many leaves the region's tables knew of in its log, at least.
	Ledger uint64 `json:"ledger_size"`
	// Checkpoint is the log's signed checkpoint, if whoever made the backup could read it.
	Checkpoint string `json:"ledger_checkpoint,omitempty"`
	// Positions are the offsets that ingest had committed before.
	Positions []store.Position `json:"positions"`
}

const format, schema = "anteroom-backup", 1

// errManifest marks a manifest that can't be used.
var errManifest = errors.New("the backup's manifest can't be used")

func parseManifest(text string) (Manifest, error) {
	var m Manifest
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return m, fmt.Errorf("%w: %w", errManifest, err)
	}
	if m.Format != format || m.Schema != schema {
		return m, fmt.Errorf("%w: format is %q, schema %d", errManifest, m.Format, m.Schema)
	}
	return m, nil
}
