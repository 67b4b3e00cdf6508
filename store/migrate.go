package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/anteroom/anteroom/migrations"
)

// NodeState is how far one node is migrated.
type NodeState struct {
	// Address is host:port; empty without a cluster.
	Address    string             `json:"address,omitempty"`
	Migrations []migrations.State `json:"migrations"`
}

// Migrate makes the database if it is missing and brings each node of the cluster to the program's version. Repeating it, also
// at the same time, is harmless. All nodes have to be reachable; it stops at the first that isn't, and continues when called
// again. It returns the number of migrations applied now, over all nodes.
// It fails with migrations.ErrAhead on a database of a newer program, and with ErrRestoring while the database is being restored.
func Migrate(ctx context.Context, cfg Config) (int, error) {
	applied := 0
	err := notRestoring(ctx, cfg)
	if err != nil {
		return 0, wrap("migrate", err)
	}
	err = eachNode(ctx, cfg, true, func(_ node, db *sql.DB) error {
		versions, err := migrations.Run(ctx, db, cfg.layout())
		applied += len(versions)
		if err != nil {
			return err
		}
		return makeResourceLog(ctx, cfg, db)
	})
	if err != nil {
		return applied, wrap("migrate", err)
	}
	return applied, nil
}

// makeResourceLog makes the database of the resource log where it is missing although its migrations were run: the region's own database may be older
// than the server it is on, since it can be restored, and the log can't.
func makeResourceLog(ctx context.Context, cfg Config, db *sql.DB) error {
	made, err := migrations.ResourceLog(cfg.layout())
	if err != nil {
		return err
	}
	for _, statement := range made {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("make resource log: %w", err)
		}
	}
	return nil
}

// MigrationStatus tells how far each node is migrated. A missing database is ErrNoDatabase, or ErrRestoring while it is being restored.
func MigrationStatus(ctx context.Context, cfg Config) ([]NodeState, error) {
	var out []NodeState
	err := notRestoring(ctx, cfg)
	if err != nil {
		return nil, wrap("read state of migrations", err)
	}
	err = eachNode(ctx, cfg, false, func(n node, db *sql.DB) error {
		states, err := migrations.Status(ctx, db, cfg.layout())
		if states != nil {
			out = append(out, NodeState{Address: n.address, Migrations: states})
		}
		return err
	})
	if isCode(err, codeUnknownDatabase) { // nothing that passes: it isn't being restored
		return nil, fmt.Errorf("read state of migrations: %w: %w", ErrNoDatabase, err)
	}
	if err != nil {
		return out, wrap("read state of migrations", err)
	}
	return out, nil
}

func notRestoring(ctx context.Context, cfg Config) error {
	restoring, err := Restoring(ctx, cfg)
	if err == nil && restoring {
		err = fmt.Errorf("database %s: %w", cfg.Database, ErrRestoring)
	}
	return err
}

func (c Config) layout() migrations.Layout {
	return migrations.Layout{Cluster: c.Cluster, Replicated: c.Cluster != "" && c.Replicated, ResourceLog: c.resourceLog()}
}

// eachNode calls do for each node with a connection to the database there, made before if create says so.
func eachNode(ctx context.Context, cfg Config, create bool, do func(n node, db *sql.DB) error) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	// The database may be missing, and a connection to a missing database is refused: ask from one that always exists.
	system := cfg
	system.Database = "system"
	s, err := Open(system)
	if err != nil {
		return err
	}
	defer s.Close()
	nodes, err := cfg.nodes(ctx, s.conn)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if err := onNode(ctx, cfg, n, create, do); err != nil {
			if n.address != "" {
				return fmt.Errorf("node %s: %w", n.address, err)
			}
			return err
		}
	}
	return nil
}

func onNode(ctx context.Context, cfg Config, n node, create bool, do func(n node, db *sql.DB) error) error {
	cfg = cfg.at(n)
	if create {
		system := cfg
		system.Database = "system"
		s, err := Open(system)
		if err != nil {
			return err
		}
		// Validate has seen to it that the name needs no quoting.
		err = s.conn.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+cfg.Database)
		if err := s.Close(); err != nil {
			return err
		}
		if err != nil {
			return wrap("create database", err)
		}
	}
	options, err := cfg.options()
	if err != nil {
		return err
	}
	options.MaxOpenConns, options.MaxIdleConns = 1, 1
	db := clickhouse.OpenDB(options)
	defer db.Close()
	return do(n, db)
}
