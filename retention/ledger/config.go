package ledger

import (
	"errors"
	"fmt"
	"regexp"
	"time"
)

// Config of the regions' ledgers.
type Config struct {
	// Dir is the folder of the ledgers, with a folder for each region. It has to be on a local file system, and its keys have to be in the backups.
	// Default "": under `anteroom run` it is in the data folder; `anteroom serve` with the role retention requires one.
	Dir string `koanf:"dir"`
	// Origin is what the names of ledgers begin with; "/" and the region follow. It is part of each key, and so stays what it was when the ledger was
	// made. Choose one that nobody else has: a domain of yours, say. Default "anteroom".
	Origin string `koanf:"origin"`
	// CheckpointInterval is how often at most a checkpoint is signed while leaves come; without new leaves none is. Default 1s.
	CheckpointInterval time.Duration `koanf:"checkpoint_interval"`
	// PollInterval is how often the outbox is looked at. Default 500ms.
	PollInterval time.Duration `koanf:"poll_interval"`
	// Batch is how many leaves are appended at once, at most. Default 1024.
	Batch int `koanf:"batch"`
}

// DefaultConfig has no folder.
func DefaultConfig() Config {
	return Config{Origin: "anteroom", CheckpointInterval: time.Second, PollInterval: 500 * time.Millisecond, Batch: 1024}
}

// originPattern leaves out what notes and paths can't have.
var originPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9._/-]{0,126}[a-z0-9])?$`)

// maxBatch is as many leaves as memory and one file's rewriting bear.
const maxBatch = 65_536

// Validate names every field that can't be. A folder is asked for by Open.
func (c Config) Validate() error {
	var errs []error
	if !originPattern.MatchString(c.Origin) {
		errs = append(errs, errors.New("origin: must be 1 to 128 lower-case letters, digits, '.', '_', '/' and '-', beginning and ending with a letter or digit"))
	}
	if c.CheckpointInterval < 100*time.Millisecond || c.CheckpointInterval > time.Minute {
		errs = append(errs, fmt.Errorf("checkpoint_interval: is %v; give 100ms to 1m", c.CheckpointInterval))
	}
	if c.PollInterval < 10*time.Millisecond || c.PollInterval > time.Minute {
		errs = append(errs, fmt.Errorf("poll_interval: is %v; give 10ms to 1m", c.PollInterval))
	}
	if c.Batch < 1 || c.Batch > maxBatch {
		errs = append(errs, fmt.Errorf("batch: is %d; give 1 to %d", c.Batch, maxBatch))
	}
	return errors.Join(errs...)
}
