package store

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Store is a pool of connections to the ClickHouse of one region. It is safe for concurrent use.
type Store struct {
	cfg   Config
	conn  driver.Conn
	feeds feeds

	mu       sync.Mutex
	replicas map[string]*Store // guarded by mu: nodes spoken to one by one, by address

	looks looks
}

// Open checks the configuration and makes the pool. It does not wait for the server, nor ask whether there is one: that is
// Ping's part.
func Open(cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	options, err := cfg.options()
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	conn, err := clickhouse.Open(options)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	return &Store{cfg: cfg, conn: conn}, nil
}

// Ping asks the server for an answer. It fails with ErrUnavailable when there is none, and when the database is missing.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.conn.Ping(ctx); err != nil {
		return wrap("ping ClickHouse", err)
	}
	// A connection that is there already is answered also after its database is gone.
	there := false
	err := s.scan(ctx, "ping ClickHouse", "SELECT name FROM system.databases WHERE name = {name:String}", func(driver.Rows) error {
		there = true
		return nil
	}, clickhouse.Named("name", s.cfg.Database))
	if err == nil && !there {
		err = fmt.Errorf("ping ClickHouse: %w: there is no database %s", ErrUnavailable, s.cfg.Database)
	}
	return err
}

// Close closes the connections. Queries that still run fail.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := []error{s.conn.Close()}
	for _, replica := range s.replicas {
		errs = append(errs, replica.conn.Close())
	}
	s.replicas = nil
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	return nil
}

// Database is the name of the database that the store uses.
func (s *Store) Database() string { return s.cfg.Database }

// local names the table that holds the rows of a sharded table on the node itself: what ALTER and OPTIMIZE have to speak to.
func (s *Store) local(table string) string {
	if s.cfg.Cluster == "" {
		return table
	}
	return table + "_local"
}

// settings of each query of the store, stated although some are the server's default: defaults have changed between versions
// and what depends on them are rows lost or doubled.
func settings() clickhouse.Settings {
	return clickhouse.Settings{
		"insert_deduplicate": 1,
		// An insert into a Distributed table is acknowledged when the shards have it, not when this node has queued it.
		"distributed_foreground_insert": 1,
		// A failed shard fails the query: half an answer looks like a whole one.
		"skip_unavailable_shards": 0,
		// Rows of one call are on one shard, but subqueries and joins must see all shards.
		"distributed_product_mode": "global",
		// Batches are made by ingest.
		"async_insert": 0,
	}
}

// repeated makes the insert that has these settings one of its own, however often its rows are inserted: for rows that do no harm when they are there twice,
// while to be taken for a repetition of rows that a crash lost, or that were removed since, would. A token that no other insert has is what does it: the
// setting insert_deduplicate = 0 is overridden by another one that older servers don't know.
func repeated(set clickhouse.Settings) clickhouse.Settings {
	set["insert_deduplication_token"] = "repeated:" + rand.Text()
	return set
}

// options translates the configuration for the driver.
func (c Config) options() (*clickhouse.Options, error) {
	password, err := c.password()
	if err != nil {
		return nil, err
	}
	var tlsConfig *tls.Config
	if c.TLS.Enabled {
		if tlsConfig, err = c.TLS.config(); err != nil {
			return nil, err
		}
	}
	return &clickhouse.Options{
		Addr:             c.Addresses,
		Auth:             clickhouse.Auth{Database: c.Database, Username: c.Username, Password: password},
		TLS:              tlsConfig,
		Settings:         settings(),
		Compression:      &clickhouse.Compression{Method: clickhouse.CompressionLZ4},
		DialTimeout:      c.DialTimeout,
		ReadTimeout:      c.ReadTimeout,
		MaxOpenConns:     c.MaxOpenConns,
		MaxIdleConns:     c.MaxIdleConns,
		ConnMaxLifetime:  c.ConnMaxLifetime,
		ConnOpenStrategy: clickhouse.ConnOpenInOrder,
		ClientInfo: clickhouse.ClientInfo{Products: []struct{ Name, Version string }{
			{Name: "anteroom", Version: "1"},
		}},
	}, nil
}
