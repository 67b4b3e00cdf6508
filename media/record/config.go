package record

import (
	"errors"
	"fmt"
	"time"
)

// Config of recordings.
type Config struct {
	// Dir is where recordings are kept. Default "": recording is not configured, and Start answers ErrNotConfigured.
	Dir string `koanf:"dir"`
	// MaxBytes bounds one recording; above it nothing more is written, and its manifest says so. Default 50 GB; 0: no bound.
	MaxBytes int64 `koanf:"max_bytes"`
	// QueuePackets is how many packets of one recording may wait for the disk, at about 1.5 kB each. Default 8192 (some 3 s of ten 3 Mbit/s videos).
	QueuePackets int `koanf:"queue_packets"`
	// ClusterInterval is how often a track's media is written out; a killed process loses about that much. Default 1s.
	ClusterInterval time.Duration `koanf:"cluster_interval"`
}

// DefaultConfig has no directory.
func DefaultConfig() Config {
	return Config{MaxBytes: 50e9, QueuePackets: 8192, ClusterInterval: time.Second}
}

// Validate names every field that can't be.
func (c Config) Validate() error {
	var errs []error
	if c.MaxBytes < 0 {
		errs = append(errs, fmt.Errorf("max_bytes: is %d; give a number of bytes, or 0 for no bound", c.MaxBytes))
	}
	if c.QueuePackets < 16 {
		errs = append(errs, fmt.Errorf("queue_packets: is %d; give at least 16", c.QueuePackets))
	}
	if c.ClusterInterval < 100*time.Millisecond || c.ClusterInterval > 20*time.Second {
		errs = append(errs, fmt.Errorf("cluster_interval: is %v; give 100ms to 20s", c.ClusterInterval))
	}
	return errors.Join(errs...)
}
