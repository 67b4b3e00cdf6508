package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// Summaries of calls are made anew, as a whole, whenever rows of a call arrived; nothing is counted up at insert. What they say is for the caller to
// judge: the store only sees to it that of each call and profile there is one row, the newest.
//
// # Where a row is
//
// call_summaries is in order of time, so that a span of time is read and no more. When a call began may turn out to be another instant than was thought;
// then its row belongs elsewhere, and the one at the old place has to go. Whoever writes summaries therefore
//
//  1. reads how often the call has changed (OutdatedCalls), and then its rows,
//  2. notes in call_builds the place where the row will be, under a version (BeginBuilds),
//  3. reads all places that are noted of the call. If one is of a higher version, somebody knows more, and nothing is written,
//  4. writes the row, and at each other place one that is gone, under its version,
//  5. notes that it is done, and how many places it knew (FinishBuilds).
//
// Of two who do this at once, whoever has noted last sees the other's place: it either gives way to it or replaces what is there. Whoever is killed
// before step 5 leaves a call that is out of date. Where a note was not seen in step 3 (another replica had it), there are more places than the newest
// build knew, which makes the call out of date as well.

// SummaryPerson is a participant of a summary. UserID, Label and Network are those of org users only.
type SummaryPerson struct {
	ID            uuid.UUID
	UserID        string
	Label         string
	Client        string
	ClientVersion string
	OS            string
	Network       string
	Site          string
}

// SummaryStream is a stream of a summary. nil and "" are not known.
type SummaryStream struct {
	ID            uuid.UUID
	ParticipantID uuid.UUID
	Media         string
	Direction     string
	Verdict       string
	Counted       bool
	// Reason is the metric that is furthest over its threshold, and Side where its trouble likely is.
	Reason        string
	Side          string
	Client        string
	ClientVersion string
	Site          string
	LossRatio     *float64
	JitterMs      *float64
	RTTMs         *float64
	BitrateBps    *float64
}

// CallSummary is what a call comes to under one profile.
type CallSummary struct {
	CallKey
	Profile        string
	At             time.Time
	Version        uint64
	Gone           bool
	Region         string
	Source         SourceKind
	Kind           string
	MeetingID      string
	StartedAt      *time.Time
	EndedAt        *time.Time
	DurationMs     *int64
	EndReason      string
	State          string // "running", "partial" or "complete"
	Recorded       bool
	Participants   uint32
	Anonymous      uint32
	People         []SummaryPerson
	SetupFailures  uint32
	Drops          uint32
	Rating         string // "good", "average", "poor" or "unknown"
	RatingScore    *float64
	Verdict        string // "good", "poor" or "unknown"
	Good           uint32
	Poor           uint32
	Unknown        uint32
	Issues         uint32
	BadOperations  uint32
	UnexpectedEnds uint32
	Reasons        []string
	Sides          []string
	TopMetric      string
	Side           string
	Judgement      string
	Streams        []SummaryStream
	// Tags is the value of the call's row of tags, where a list was read. It is no part of the summary.
	Tags string
}

// OutdatedCall is a call whose summaries are out of date, with what they are to be built from.
type OutdatedCall struct {
	CallKey
	Batches, Turns uint64
	// ChangedAt is when rows of it last arrived, by the server's clock.
	ChangedAt time.Time
	// Version is what the build is to have.
	Version uint64
	// Changed: rows of it arrived, or it is due. Else it only has to be made with something else.
	Changed bool
}

// Outdated says which calls are looked at.
type Outdated struct {
	// Since: only calls of which rows arrived since, or that are due. Zero: all.
	Since time.Time
	// Digest stands for what summaries are made with; Digests are those of organisations where it is another.
	Digest  uint64
	Digests map[string]uint64
	Limit   int
}

// OutdatedCalls lists calls whose summaries are out of date: those that changed before those that are only made with something else, and of these the
// newest first. It also tells the server's time at which it looked.
func (s *Store) OutdatedCalls(ctx context.Context, o Outdated) ([]OutdatedCall, time.Time, error) {
	orgs, digests := []string{""}, []uint64{o.Digest}
	for org, digest := range o.Digests {
		orgs, digests = append(orgs, org), append(digests, digest)
	}
	const among = `(org, call_id) IN (SELECT org, call_id FROM call_changes WHERE changed_at >= fromUnixTimestamp64Micro({since:Int64}, 'UTC')
		UNION DISTINCT SELECT org, call_id FROM call_builds WHERE done AND due_at > toDateTime64(0, 6, 'UTC') AND due_at <= now64(6, 'UTC'))`
	where := "1"
	since := int64(0)
	if !o.Since.IsZero() {
		where, since = among, micros(o.Since)
	}
	sql := `SELECT c.org, c.call_id, c.batches, c.turns, c.changed_at, b.newest, now64(6, 'UTC') AS now,
			(c.batches, c.turns) != (b.built.1, b.built.2) AND (NOT b.built.4 OR c.turns != b.built.2 OR b.built.5 <= now)
				OR b.built.6 != b.known OR b.built.5 > toDateTime64(0, 6, 'UTC') AND b.built.5 <= now AND NOT b.built.4 AS changed
		FROM (
			SELECT org, call_id, sum(batches) AS batches, sum(turns) AS turns, max(changed_at) AS changed_at FROM call_changes
			WHERE ` + where + ` GROUP BY org, call_id
		) AS c LEFT JOIN (
			SELECT org, call_id, max(version) AS newest, toUInt32(uniqExact(at)) AS known,
				argMaxIf((batches, turns, digest, running, due_at, places), version, done) AS built
			FROM call_builds WHERE ` + where + ` GROUP BY org, call_id
		) AS b ON b.org = c.org AND b.call_id = c.call_id
		WHERE changed OR b.built.3 != transform(toString(c.org), {orgs:Array(String)}, {digests:Array(UInt64)}, {digest:UInt64})
		ORDER BY changed DESC, c.changed_at DESC LIMIT {limit:UInt64}`
	var out []OutdatedCall
	var now time.Time
	set := settings()
	// All of a call is on one shard, in both tables, so each shard looks among its own. (Where a subquery of a join has another one, the engine can't make it global.)
	set["distributed_product_mode"] = "local"
	err := s.scan(clickhouse.Context(ctx, clickhouse.WithSettings(set)), "look for calls that changed", sql, func(rows driver.Rows) error {
		var c OutdatedCall
		var newest uint64
		if err := rows.Scan(&c.Org, &c.CallID, &c.Batches, &c.Turns, &c.ChangedAt, &newest, &now, &c.Changed); err != nil {
			return err
		}
		c.ChangedAt = c.ChangedAt.UTC()
		c.Version = max(uint64(now.UnixMicro()), newest+1) //nolint:gosec // after 1970
		out = append(out, c)
		return nil
	}, clickhouse.Named("since", since), clickhouse.Named("orgs", orgs), clickhouse.Named("digests", digests), clickhouse.Named("digest", o.Digest),
		clickhouse.Named("limit", uint64(max(o.Limit, 0)))) //nolint:gosec // not negative
	return out, now.UTC(), err
}

// Build is a call's summaries being made.
type Build struct {
	OutdatedCall
	// At is where they go.
	At      time.Time
	Digest  uint64
	Running bool
	// DueAt is when to look again though nothing changed; zero for never.
	DueAt time.Time
	// Elsewhere are the other places that the call's summaries ever had; BeginBuilds sets it.
	Elsewhere []time.Time
}

// BeginBuilds notes where summaries are going to be written and returns the builds to go on with: without those of which somebody has begun a newer one.
func (s *Store) BeginBuilds(ctx context.Context, builds []Build) ([]Build, error) {
	if err := s.noteBuilds(ctx, builds, false); err != nil {
		return nil, err
	}
	keys := make([]CallKey, len(builds))
	for i := range builds {
		keys[i] = builds[i].CallKey
	}
	type places struct {
		at     []time.Time
		newest uint64
	}
	known := make(map[CallKey]places, len(builds))
	err := s.scan(clickhouse.Context(ctx, clickhouse.WithSettings(settings())), "read places of summaries",
		"SELECT org, call_id, groupUniqArray(at), max(version) FROM call_builds WHERE "+keysIn(keys)+" GROUP BY org, call_id", func(rows driver.Rows) error {
			var key CallKey
			var p places
			err := rows.Scan(&key.Org, &key.CallID, &p.at, &p.newest)
			known[key] = p
			return err
		}, keyArgs(keys)...)
	if err != nil {
		return nil, err
	}
	out := builds[:0:0]
	for _, b := range builds {
		p, ok := known[b.CallKey]
		if !ok || p.newest > b.Version {
			continue
		}
		for _, at := range p.at {
			if !at.Equal(b.At) {
				b.Elsewhere = append(b.Elsewhere, at.UTC())
			}
		}
		out = append(out, b)
	}
	return out, nil
}

// FinishBuilds notes that the summaries of builds are written.
func (s *Store) FinishBuilds(ctx context.Context, builds []Build) error {
	return s.noteBuilds(ctx, builds, true)
}

func (s *Store) noteBuilds(ctx context.Context, builds []Build, done bool) error {
	return s.insertColumns(ctx, "call_builds",
		col("org", builds, func(b *Build) string { return b.Org }),
		col("call_id", builds, func(b *Build) string { return b.CallID }),
		col("at", builds, func(b *Build) time.Time { return b.At }),
		col("done", builds, func(*Build) bool { return done }),
		col("version", builds, func(b *Build) uint64 { return b.Version }),
		col("batches", builds, func(b *Build) uint64 { return b.Batches }),
		col("turns", builds, func(b *Build) uint64 { return b.Turns }),
		col("digest", builds, func(b *Build) uint64 { return b.Digest }),
		col("running", builds, func(b *Build) bool { return b.Running }),
		col("due_at", builds, func(b *Build) time.Time {
			if b.DueAt.IsZero() {
				return time.Unix(0, 0).UTC()
			}
			return b.DueAt
		}),
		col("places", builds, func(b *Build) uint32 { return uint32(1 + len(b.Elsewhere)) }), //nolint:gosec // few
	)
}

// SyncReplicas waits until each replica has what was inserted before: rows that are known of by another table may not be at every replica yet.
func (s *Store) SyncReplicas(ctx context.Context, tables ...string) error {
	if s.cfg.Cluster == "" || !s.cfg.Replicated {
		return nil
	}
	return s.eachReplica(ctx, func(ctx context.Context, _ string, conn driver.Conn) error {
		for _, table := range tables {
			if err := conn.Exec(ctx, "SYSTEM SYNC REPLICA "+s.local(table)+" LIGHTWEIGHT"); err != nil {
				return wrap(fmt.Sprintf("wait for the replica of %s", table), err)
			}
		}
		return nil
	})
}
