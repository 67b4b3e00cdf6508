package doctor

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/anteroom/anteroom/migrations"
	"github.com/anteroom/anteroom/store"
)

// testedClickHouse is the oldest version that the tests run with.
const testedClickHouse = "26.7"

// What replicas and disks may be.
const (
	maxReplicaDelay = 5 * time.Minute
	maxReplicaQueue = 1000
	lowDisk         = 0.15
	fullDisk        = 0.05
)

// ClickHouse looks at a region's ClickHouse. skew is by how much its clock may differ before nothing is purged (sweep.clock_skew).
func ClickHouse(region string, cfg store.Config, skew time.Duration) Job {
	return Job{Name: "clickhouse", Region: region, look: func(ctx context.Context, s *subject) {
		if !migrated(ctx, s, cfg) {
			return
		}
		tables, err := store.Open(cfg)
		if err != nil {
			s.fail("clickhouse.reachable", "Mend the section clickhouse.", "%v", err)
			return
		}
		defer tables.Close()
		nodes, err := tables.Health(ctx)
		if err != nil {
			s.fail("clickhouse.reachable", doReach, "%v", err)
			return
		}
		judgeNodes(s, nodes, skew)
	}}
}

const doReach = "See that it runs, and check clickhouse.addresses, clickhouse.tls, username and password; the user needs to read system tables."

// migrated looks whether it answers and how far its tables are. It is false if there is nothing more to look at.
func migrated(ctx context.Context, s *subject, cfg store.Config) bool {
	states, err := store.MigrationStatus(ctx, cfg)
	switch {
	case errors.Is(err, store.ErrNoDatabase):
		s.fail("clickhouse.migrations", "Run `anteroom migrate`, or check clickhouse.database.", "there is no database %s", cfg.Database)
		return false
	case errors.Is(err, store.ErrRestoring):
		s.warn("clickhouse.migrations", "Wait for `anteroom restore`; if it was cut short, run it again.", "%v", err)
		return false
	case errors.Is(err, migrations.ErrAhead), errors.Is(err, migrations.ErrLayout):
		s.fail("clickhouse.migrations", "Use the program that made the tables or a newer one; clickhouse.cluster and clickhouse.replicated must be what they were made with.", "%v", err)
		return false
	case err != nil:
		s.fail("clickhouse.reachable", doReach, "%v", err)
		return false
	}
	s.ok("clickhouse.reachable", "it answers, %s", count(len(states), "node"))
	behind, newest := 0, ""
	for _, node := range states {
		for _, m := range node.Migrations {
			newest = m.File
			if !m.Applied {
				behind++
			}
		}
	}
	if behind > 0 {
		s.fail("clickhouse.migrations", "Run `anteroom migrate` before the service is started (docs/operations.md#upgrade).", "%s to apply, up to %s", count(behind, "migration"), newest)
		return behind == 0
	}
	s.ok("clickhouse.migrations", "up to date (%s)", newest)
	return true
}

func judgeNodes(s *subject, nodes []store.NodeHealth, skew time.Duration) {
	for i := range nodes {
		n := &nodes[i]
		at := ""
		if n.Address != "" {
			at = n.Address + ": "
		}
		if n.Err != nil {
			s.fail("clickhouse.node", "See that the node runs and is reached from here under the name that system.clusters has for it.", "%s%v", at, n.Err)
			continue
		}
		judgeVersion(s, at, n.Version)
		judgeClock(s, "clocks.clickhouse", at+"ClickHouse's clock", n.Ahead, n.Uncertain, skew, "while they differ by more than sweep.clock_skew, nothing is purged")
		for _, d := range n.Disks {
			judgeDisk(s, "clickhouse.disk", at+"disk "+d.Name, d.Free, d.Total)
		}
		judgeReplicas(s, at, n.Replicas)
		judgeSettings(s, at, n.Altered)
	}
}

func judgeVersion(s *subject, at, version string) {
	if older(version, testedClickHouse) {
		s.warn("clickhouse.version", "Upgrade ClickHouse; what is promised was tested with "+testedClickHouse+" and newer.", "%s%s is older than %s", at, version, testedClickHouse)
		return
	}
	s.ok("clickhouse.version", "%s%s", at, version)
}

// older compares versions of numbers and dots.
func older(version, than string) bool {
	a, b := strings.Split(version, "."), strings.Split(than, ".")
	for i := range min(len(a), len(b)) {
		x, _ := strconv.Atoi(a[i])
		y, _ := strconv.Atoi(b[i])
		if x != y {
			return x < y
		}
	}
	return false
}

// judgeClock tells of a clock that is ahead by so much; limit is what the service bears.
func judgeClock(s *subject, name, of string, ahead, uncertain, limit time.Duration, because string) {
	off := ahead.Abs() - uncertain // at least
	says := fmt.Sprintf("%s differs from this machine's by %v ± %v", of, ahead.Round(time.Millisecond), uncertain.Round(time.Millisecond))
	const do = "Have both machines follow one time service (chrony, systemd-timesyncd), and see that it is in step."
	switch {
	case off > limit:
		s.fail(name, do, "%s: %s", says, because)
	case off > time.Second:
		s.warn(name, do, "%s", says)
	default:
		s.ok(name, "%s", says)
	}
}

// judgeDisk tells how full a disk is.
func judgeDisk(s *subject, name, of string, free, total uint64) {
	if total == 0 {
		return
	}
	share := float64(free) / float64(total)
	says := fmt.Sprintf("%s has %.1f of %.1f GB free (%.0f %%)", of, float64(free)/1e9, float64(total)/1e9, 100*share)
	const do = "Make room or give it a larger disk: when it is full, nothing is stored, deleted or proven (docs/operations.md#a-full-disk)."
	switch {
	case share < fullDisk:
		s.fail(name, do, "%s", says)
	case share < lowDisk:
		s.warn(name, do, "%s", says)
	default:
		s.ok(name, "%s", says)
	}
}

func judgeReplicas(s *subject, at string, replicas []store.ReplicaHealth) {
	if len(replicas) == 0 {
		return
	}
	const doKeeper = "See that ClickHouse Keeper has a majority and that the node reaches it; SYSTEM RESTORE REPLICA brings back a table whose Keeper lost it."
	bad := 0
	for _, r := range replicas {
		switch {
		case r.ReadOnly:
			s.fail("clickhouse.replicas", doKeeper, "%s%s can't be written: its replica is read-only", at, r.Table)
		case r.Delay > maxReplicaDelay || r.Queue > maxReplicaQueue:
			s.warn("clickhouse.replicas", "Look at system.replication_queue of that node for what fails; purges wait for it, and reports say so.", "%s%s is %v behind, %d entries wait", at, r.Table, r.Delay, r.Queue)
		case r.Active < r.Total:
			s.warn("clickhouse.replicas", "Bring back the replica that is away, or drop it for good (SYSTEM DROP REPLICA): what has to be gone counts as gone when all have deleted it.", "%s%s has %d of %d replicas", at, r.Table, r.Active, r.Total)
		default:
			continue
		}
		bad++
	}
	if bad == 0 {
		s.ok("clickhouse.replicas", "%s%s in step", at, count(len(replicas), "replica"))
	}
}

func judgeSettings(s *subject, at string, altered []store.AlteredSetting) {
	for _, a := range altered {
		got := a.Got
		if got == "" {
			got = "the server's default"
		}
		s.fail("clickhouse.settings", fmt.Sprintf("ALTER TABLE %s MODIFY SETTING %s = %s.", a.Table, a.Setting, a.Want),
			"%s%s has %s = %s, not %s: that a record counts once, and that what is deleted leaves the disk in time, rests on it", at, a.Table, a.Setting, got, a.Want)
	}
	if len(altered) == 0 {
		s.ok("clickhouse.settings", "%stables are set as the migrations set them", at)
	}
}

// count is a number of things, as 1 node, 2 nodes.
func count(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}
