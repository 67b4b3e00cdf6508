package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// node is one ClickHouse server.
type node struct {
	address string
	shard   uint32
	replica uint32
}

// nodes lists the servers of the store's cluster in order of shard and replica. Without a cluster it is the one that answers at
// the configured addresses. Hosts and ports are those by which the servers know each other (system.clusters): the program must
// reach them under the same names, with the same credentials and TLS settings as the configured addresses.
func (c Config) nodes(ctx context.Context, conn driver.Conn) ([]node, error) {
	if c.Cluster == "" {
		return []node{{shard: 1, replica: 1}}, nil
	}
	rows, err := conn.Query(ctx, `
		SELECT host_name, port, shard_num, replica_num FROM system.clusters
		WHERE cluster = ? ORDER BY shard_num, replica_num`, c.Cluster)
	if err != nil {
		return nil, wrap("list nodes of the cluster", err)
	}
	defer rows.Close()
	var out []node
	for rows.Next() {
		var n node
		var host string
		var port uint16
		if err := rows.Scan(&host, &port, &n.shard, &n.replica); err != nil {
			return nil, wrap("list nodes of the cluster", err)
		}
		n.address = net.JoinHostPort(host, strconv.Itoa(int(port)))
		out = append(out, n)
	}
	if err := rows.Err(); err != nil {
		return nil, wrap("list nodes of the cluster", err)
	}
	return out, c.checkNodes(out)
}

func (c Config) checkNodes(nodes []node) error {
	if len(nodes) == 0 {
		return fmt.Errorf("cluster %q is not known to the server: name it in its remote_servers, or correct clickhouse.cluster", c.Cluster)
	}
	if c.Replicated {
		return nil
	}
	if i := slices.IndexFunc(nodes, func(n node) bool { return n.replica > 1 }); i >= 0 {
		return fmt.Errorf("cluster %q has several replicas in shard %d, which takes clickhouse.replicated: true", c.Cluster, nodes[i].shard)
	}
	return nil
}

// at is the configuration for one node of the cluster.
func (c Config) at(n node) Config {
	if n.address != "" {
		c.Addresses = []string{n.address}
	}
	return c
}

// eachShard calls do once per shard with a connection to a replica of it, in turn, and stops at the first error. On one node do
// gets the store's own connection. It is for statements that Distributed tables can't take: ALTER, SYSTEM, and INSERT SELECT
// between local tables. The next replica is asked when the first can't be reached; do may then run twice for a shard.
func (s *Store) eachShard(ctx context.Context, do func(ctx context.Context, conn driver.Conn) error) error {
	return s.eachShardAt(ctx, func(ctx context.Context, _ string, conn driver.Conn) error { return do(ctx, conn) })
}

// eachShardAt is eachShard that tells the replica's address as well; "" without a cluster.
func (s *Store) eachShardAt(ctx context.Context, do func(ctx context.Context, address string, conn driver.Conn) error) error {
	if s.cfg.Cluster == "" {
		return do(ctx, "", s.conn)
	}
	nodes, err := s.cfg.nodes(ctx, s.conn)
	if err != nil {
		return err
	}
	for len(nodes) > 0 {
		n := slices.IndexFunc(nodes, func(n node) bool { return n.shard != nodes[0].shard })
		if n < 0 {
			n = len(nodes)
		}
		if err := s.anyReplica(ctx, nodes[:n], do); err != nil {
			return fmt.Errorf("shard %d: %w", nodes[0].shard, err)
		}
		nodes = nodes[n:]
	}
	return nil
}

// eachReplica calls do for each node of the cluster, in turn, and stops at the first error: a node that can't be reached is one. Without a cluster the
// address is "".
func (s *Store) eachReplica(ctx context.Context, do func(ctx context.Context, address string, conn driver.Conn) error) error {
	if s.cfg.Cluster == "" {
		return do(ctx, "", s.conn)
	}
	nodes, err := s.cfg.nodes(ctx, s.conn)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		replica, err := s.replica(n)
		if err != nil {
			return err
		}
		if err := do(ctx, n.address, replica.conn); err != nil {
			return fmt.Errorf("node %s: %w", n.address, err)
		}
	}
	return nil
}

func (s *Store) anyReplica(ctx context.Context, replicas []node, do func(ctx context.Context, address string, conn driver.Conn) error) error {
	var errs []error
	for _, n := range replicas {
		replica, err := s.replica(n)
		if err != nil {
			return err
		}
		err = do(ctx, n.address, replica.conn)
		if !errors.Is(err, ErrUnavailable) || ctx.Err() != nil {
			return err
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// replica gives the store of one node, opened once and closed with this one.
func (s *Store) replica(n node) (*Store, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if replica := s.replicas[n.address]; replica != nil {
		return replica, nil
	}
	cfg := s.cfg.at(n)
	cfg.MaxOpenConns, cfg.MaxIdleConns = 2, 1
	replica, err := Open(cfg)
	if err != nil {
		return nil, err
	}
	if s.replicas == nil {
		s.replicas = map[string]*Store{}
	}
	s.replicas[n.address] = replica
	return replica, nil
}
