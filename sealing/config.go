package sealing

import (
	"errors"
	"fmt"
	"time"
)

// Config of the keys that chat text is sealed to. All nodes of a region need the same one.
type Config struct {
	// Dir is the folder of keys, with a folder for each region; the nodes of a region share it. Its mode must be 0700. Default "": under
	// `anteroom run` it is in the data folder; `anteroom serve` with the role ingest requires one.
	Dir string `koanf:"dir"`
	// Interval is how long a key is sealed to. Default 10m.
	Interval time.Duration `koanf:"interval"`
	// Slack is how long after its interval a key is kept at least, for clocks that differ and records that are on their way to Kafka. It must be
	// longer than media.meeting.record_timeout. Default 2m.
	Slack time.Duration `koanf:"slack"`
	// LostFolders are the ids (file folder.id) of key folders that are lost for good: what was sealed to their keys is given up, for without the
	// keys nobody can open it. Until then ingest waits for the folder. Default none.
	LostFolders []string `koanf:"lost_folders"`
}

// DefaultConfig has no folder.
func DefaultConfig() Config { return Config{Interval: 10 * time.Minute, Slack: 2 * time.Minute} }

// Validate names every field that can't be. A folder is asked for by NewKeeper.
func (c Config) Validate() error {
	var errs []error
	if c.Interval < time.Second || c.Interval > time.Hour || c.Interval%time.Second != 0 {
		errs = append(errs, fmt.Errorf("interval: is %v; give whole seconds from 1s to 1h", c.Interval))
	}
	if c.Slack < time.Second || c.Slack > time.Hour {
		errs = append(errs, fmt.Errorf("slack: is %v; give 1s to 1h", c.Slack))
	}
	for i, id := range c.LostFolders {
		if !validFolderID(id) {
			errs = append(errs, fmt.Errorf("lost_folders[%d]: is not the id of a folder: 16 of 0-9, a-f", i))
		}
	}
	return errors.Join(errs...)
}
