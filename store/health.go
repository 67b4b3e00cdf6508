package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/anteroom/anteroom/migrations"
)

// NodeHealth is what one node of a region's ClickHouse says of itself.
type NodeHealth struct {
	// Address is host:port; empty without a cluster.
	Address string
	// Version as the server states it, as 26.7.2.1.
	Version string
	// Ahead is by how much the node's clock is ahead of this process's, give or take Uncertain.
	Ahead, Uncertain time.Duration
	Disks            []DiskHealth
	Replicas         []ReplicaHealth
	// Altered are settings of tables that aren't as the migrations made them.
	Altered []AlteredSetting
	// Err: the node couldn't be asked.
	Err error
}

// DiskHealth is a disk of a node, in bytes.
type DiskHealth struct {
	Name        string
	Free, Total uint64
}

// ReplicaHealth is a table's replica on a node.
type ReplicaHealth struct {
	Table    string
	ReadOnly bool
	// Delay is how far it is behind; Queue is how many entries wait.
	Delay time.Duration
	Queue uint64
	// Active of Total replicas of the table are there.
	Active, Total uint64
}

// AlteredSetting is a setting of a table that others rest on.
type AlteredSetting struct {
	Table, Setting string
	// Want is what the migrations set; Got is empty if it isn't set at all.
	Want, Got string
}

// Health asks each node of the region, and changes nothing. It fails only if not even the nodes are known.
func (s *Store) Health(ctx context.Context) ([]NodeHealth, error) {
	want, err := migrations.Settings(s.cfg.layout())
	if err != nil {
		return nil, err
	}
	if s.cfg.Cluster == "" {
		return []NodeHealth{s.health(ctx, want)}, nil
	}
	nodes, err := s.cfg.nodes(ctx, s.conn)
	if err != nil {
		return nil, err
	}
	out := make([]NodeHealth, 0, len(nodes))
	for _, n := range nodes {
		replica, err := s.replica(n)
		if err != nil {
			return nil, err
		}
		h := replica.health(ctx, want)
		h.Address = n.address
		out = append(out, h)
	}
	return out, nil
}

func (s *Store) health(ctx context.Context, want map[string]map[string]string) (h NodeHealth) {
	for _, step := range []func(context.Context, *NodeHealth) error{
		s.clockHealth, s.diskHealth, s.replicaHealth,
		func(ctx context.Context, h *NodeHealth) error { return s.settingsHealth(ctx, h, want) },
	} {
		if h.Err = step(ctx, &h); h.Err != nil {
			return h
		}
	}
	return h
}

func (s *Store) clockHealth(ctx context.Context, h *NodeHealth) error {
	if err := s.conn.Ping(ctx); err != nil { // a connection is there: what follows is one way there and one back
		return wrap("ask for the version", err)
	}
	asked := time.Now()
	return s.scan(ctx, "ask for the version", "SELECT version(), now64(6, 'UTC')", func(rows driver.Rows) error {
		var now time.Time
		if err := rows.Scan(&h.Version, &now); err != nil {
			return err
		}
		h.Uncertain = time.Since(asked) / 2
		h.Ahead = now.Sub(asked.Add(h.Uncertain))
		return nil
	})
}

func (s *Store) diskHealth(ctx context.Context, h *NodeHealth) error {
	// Disks without an end, as object stores are, tell the highest number that there is.
	return s.scan(ctx, "ask for disks", "SELECT name, unreserved_space, total_space FROM system.disks WHERE total_space > 0 AND total_space < 9e18 ORDER BY name", func(rows driver.Rows) error {
		var d DiskHealth
		err := rows.Scan(&d.Name, &d.Free, &d.Total)
		h.Disks = append(h.Disks, d)
		return err
	})
}

func (s *Store) replicaHealth(ctx context.Context, h *NodeHealth) error {
	const query = `SELECT table, is_readonly != 0, absolute_delay, toUInt64(queue_size), toUInt64(active_replicas), toUInt64(total_replicas)
FROM system.replicas WHERE database = currentDatabase() ORDER BY table`
	return s.scan(ctx, "ask for replicas", query, func(rows driver.Rows) error {
		var r ReplicaHealth
		var delay uint64
		err := rows.Scan(&r.Table, &r.ReadOnly, &delay, &r.Queue, &r.Active, &r.Total)
		const day = 24 * 3600
		r.Delay = time.Duration(min(delay, 365*day)) * time.Second //nolint:gosec // bounded
		h.Replicas = append(h.Replicas, r)
		return err
	})
}

// settingsHealth compares what tables are set to with what the migrations set them to: with a shorter memory of tokens a replay doubles rows, and with
// another lifetime of old parts what is deleted stays on the disk.
func (s *Store) settingsHealth(ctx context.Context, h *NodeHealth, want map[string]map[string]string) error {
	return s.scan(ctx, "ask for settings of tables", "SELECT name, engine_full FROM system.tables WHERE database = currentDatabase() ORDER BY name", func(rows driver.Rows) error {
		var table, engine string
		if err := rows.Scan(&table, &engine); err != nil {
			return err
		}
		got := map[string]string{}
		if _, list, found := strings.Cut(engine, " SETTINGS "); found {
			got = migrations.ParseSettings(list)
		}
		for setting, value := range want[table] {
			if got[setting] != value {
				h.Altered = append(h.Altered, AlteredSetting{table, setting, value, got[setting]})
			}
		}
		slices.SortFunc(h.Altered, func(a, b AlteredSetting) int {
			return strings.Compare(fmt.Sprint(a.Table, " ", a.Setting), fmt.Sprint(b.Table, " ", b.Setting))
		})
		return nil
	})
}
