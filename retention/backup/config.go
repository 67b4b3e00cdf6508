package backup

import (
	"errors"
	"fmt"
	"time"

	"github.com/anteroom/anteroom/store"
)

// Config of backups.
type Config struct {
	// Destination is where backups lie, as each region's ClickHouse knows it, with {name} in the place of the backup's name, and {region} in that of the
	// region's: Disk('backups', '{region}/{name}'), S3(a_named_collection, '{name}'), AzureBlobStorage(a_named_collection, '{name}') or File('…/{name}').
	// Credentials belong into the server's configuration. Default "": under `anteroom run` the folder; `anteroom serve` needs one to make backups.
	Destination string `koanf:"destination"`
	// Folder is where `anteroom run` keeps backups, best on another disk. Default backups in the data folder.
	Folder string `koanf:"folder"`
	// Keep is how long a backup is kept: what is deleted meanwhile is in it for so long, and reports say so. Default 720h (30 days).
	Keep time.Duration `koanf:"keep"`
}

// DefaultConfig keeps backups for 30 days.
func DefaultConfig() Config { return Config{Keep: 30 * 24 * time.Hour} }

// Validate names every field that can't be.
func (c Config) Validate() error {
	var errs []error
	if c.Destination != "" {
		if err := store.Destination(c.Destination).Validate(); err != nil {
			errs = append(errs, fmt.Errorf("destination: %w", err))
		}
	}
	if c.Keep < time.Minute {
		errs = append(errs, fmt.Errorf("keep: is %v; give 1m or more", c.Keep))
	}
	return errors.Join(errs...)
}
