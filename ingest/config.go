package ingest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/internal/kafka"
)

// Config says what is ingested and how batches are cut.
type Config struct {
	// Region is the region whose topics are ingested. Default "emea".
	Region string `koanf:"region"`
	// Group is the consumer group. Default "anteroom-ingest".
	Group string `koanf:"group"`
	// FlushRows, FlushBytes (of Kafka records) and FlushInterval cut a batch, whichever comes first.
	// Records that are no stream reports count five times. Defaults 100,000 rows, 12 MiB, 500ms.
	FlushRows     int           `koanf:"flush_rows"`
	FlushBytes    int           `koanf:"flush_bytes"`
	FlushInterval time.Duration `koanf:"flush_interval"`
	// MemoryBytes bounds the bytes of Kafka records held by all partitions together; fetching waits when it is reached.
	// Rows of stream reports take about twice as much; other records count five times, and take some twenty times as much. Default 48 MiB.
	MemoryBytes int `koanf:"memory_bytes"`
	// Partitions, Replication and Retention are given to topics that ingest has to create. Defaults 4, the broker's, 7 days.
	Partitions  int           `koanf:"partitions"`
	Replication int           `koanf:"replication"`
	Retention   time.Duration `koanf:"retention"`
	// Sources are topics of other systems. Default none.
	Sources []SourceConfig `koanf:"sources"`
}

// SourceConfig names topics of another system.
type SourceConfig struct {
	// Name tells sources apart in logs and metrics; unique. Required.
	Name string `koanf:"name"`
	// Kind of records: "acs". Required.
	Kind string `koanf:"kind"`
	// Org is the organisation that the records belong to. Required.
	Org string `koanf:"org"`
	// Topics to read. Required.
	Topics []string `koanf:"topics"`
	// Group is the consumer group there. Default "anteroom-ingest".
	Group string `koanf:"group"`
	// Kafka says how to reach the cluster; empty brokers mean Anteroom's own.
	Kafka kafka.Config `koanf:"kafka"`
}

// DefaultConfig ingests region emea.
func DefaultConfig() Config {
	return Config{
		Region:        "emea",
		Group:         "anteroom-ingest",
		FlushRows:     100_000,
		FlushBytes:    12 << 20,
		FlushInterval: 500 * time.Millisecond,
		MemoryBytes:   48 << 20,
		Partitions:    4,
		Retention:     7 * 24 * time.Hour,
	}
}

// Validate refuses a configuration that can't work, naming each field.
func (c Config) Validate() error {
	var errs []error
	refuse := func(text string) { errs = append(errs, errors.New(text)) }
	if !event.ValidRegion(c.Region) {
		refuse("region: must be 1 to 32 of a-z, 0-9, '-'")
	}
	if c.Group == "" {
		refuse("group: must not be empty")
	}
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"flush_rows", int64(c.FlushRows)},
		{"flush_bytes", int64(c.FlushBytes)},
		{"flush_interval", int64(c.FlushInterval)},
		{"memory_bytes", int64(c.MemoryBytes)},
		{"partitions", int64(c.Partitions)},
	} {
		if f.value <= 0 {
			refuse(f.name + ": must be above zero")
		}
	}
	if c.MemoryBytes < 2*maxRecordWeight {
		refuse("memory_bytes: must be at least 4 MiB")
	}
	if c.FlushBytes > c.MemoryBytes {
		refuse("flush_bytes: must not be above memory_bytes")
	}
	if c.Retention < 0 || c.Replication < 0 {
		refuse("retention and replication: must not be negative")
	}
	return errors.Join(append(errs, validateSources(c.Sources))...)
}

func validateSources(sources []SourceConfig) error {
	seen := map[string]bool{}
	for i, s := range sources {
		at := func(field, why string) error { return fmt.Errorf("sources[%d].%s: %s", i, field, why) }
		switch {
		case s.Name == "":
			return at("name", "must not be empty")
		case seen[s.Name]:
			return at("name", "is used twice")
		case strings.HasPrefix(s.Name, "copies-"), strings.HasPrefix(s.Name, "copier-"):
			return at("name", "must not begin with copies- or copier-: groups of regions are named so")
		case s.Kind != "acs":
			return at("kind", `must be "acs"`)
		case !event.ValidOrg(s.Org):
			return at("org", "must be 1 to 63 of a-z, 0-9, '_', '.', '-'")
		case len(s.Topics) == 0:
			return at("topics", "name at least one")
		}
		seen[s.Name] = true
		if len(s.Kafka.Brokers) > 0 {
			if err := s.Kafka.Validate(); err != nil {
				return at("kafka", err.Error())
			}
		}
	}
	return nil
}
