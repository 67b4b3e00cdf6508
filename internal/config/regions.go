package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/internal/kafka"
	"github.com/anteroom/anteroom/store"
)

// Region is a further region, with engines of its own. What isn't said of it has the same defaults as the sections clickhouse and kafka.
type Region struct {
	// Name: 1 to 32 of a-z, 0-9, '-'; unique. Resources name it as theirs. Required.
	Name string `koanf:"name"`
	// ClickHouse is the region's ClickHouse. Its database may not be another region's as well.
	ClickHouse store.Config `koanf:"clickhouse"`
	// Kafka is the region's Kafka. Regions may share one, whose disks then hold the sealed text of all of them.
	Kafka kafka.Config `koanf:"kafka"`
}

// DefaultRegion is what an entry of regions starts from: where its engines are has to be said, so that no region's data ends up in another by
// an omission.
func DefaultRegion() Region {
	r := Region{ClickHouse: store.DefaultConfig(), Kafka: kafka.DefaultConfig()}
	r.ClickHouse.Addresses = nil
	return r
}

// Home is the region of the installation's organisations.
func (c Config) Home() Region {
	return Region{Name: c.Ingest.Region, ClickHouse: c.ClickHouse, Kafka: c.Kafka}
}

// AllRegions are the home region and the further ones, in this order.
func (c Config) AllRegions() []Region { return append([]Region{c.Home()}, c.Regions...) }

// validateRegions reports what can't work of the further regions, each complaint beginning with the entry's index.
func (c Config) validateRegions() error {
	var errs []error
	for i, r := range c.Regions {
		errs = append(errs, prefixed(fmt.Sprintf("[%d].kafka", i), r.Kafka.Validate())...)
	}
	return errors.Join(append(errs, c.validateDatabases())...)
}

// validateDatabases reports what can't work of the further regions' names and databases.
func (c Config) validateDatabases() error {
	var errs []error
	bad := func(i int, text string) { errs = append(errs, fmt.Errorf("[%d].%s", i, text)) }
	all := c.AllRegions()
	for i, r := range c.Regions {
		errs = append(errs, prefixed(fmt.Sprintf("[%d].clickhouse", i), r.ClickHouse.Validate())...)
		if !event.ValidRegion(r.Name) {
			bad(i, "name: must be 1 to 32 of a-z, 0-9, '-'")
			continue
		}
		for _, before := range all[:i+1] {
			if before.Name == r.Name {
				bad(i, "name: "+r.Name+" is there already; the home region is ingest.region")
			}
			if before.ClickHouse.Database == r.ClickHouse.Database && sharesAddress(before.ClickHouse, r.ClickHouse) {
				bad(i, "clickhouse.database: is that of the region "+before.Name)
			}
		}
	}
	return errors.Join(errs...)
}

func sharesAddress(a, b store.Config) bool {
	return slices.ContainsFunc(a.Addresses, func(address string) bool { return slices.Contains(b.Addresses, address) })
}

// validateEmbeddedRegions looks at the names of the further regions of `anteroom run`.
func (c Config) validateEmbeddedRegions() error {
	var errs []error
	for i, name := range c.Embedded.Regions {
		switch {
		case !event.ValidRegion(name):
			errs = append(errs, fmt.Errorf("[%d]: must be 1 to 32 of a-z, 0-9, '-'", i))
		case name == c.Ingest.Region:
			errs = append(errs, fmt.Errorf("[%d]: %s is the home region (ingest.region) already", i, name))
		case slices.Contains(c.Embedded.Regions[:i], name):
			errs = append(errs, fmt.Errorf("[%d]: %s is there already", i, name))
		}
	}
	return errors.Join(errs...)
}

// EmbeddedDatabase is the database of a further region of `anteroom run`.
func EmbeddedDatabase(region string) string {
	return "anteroom_" + strings.ReplaceAll(region, "-", "_")
}
