package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// A region has one sweeper at a time. Who it is, is a control row: its version is the sweeper's epoch, and whoever takes over writes the next. A sweeper
// shows that it lives (sweep_beats), and may be taken over from when it doesn't. One that only slept, and wakes after it was taken over from, must do no
// harm: each statement of its that deletes compares the epoch in the engine itself, at the moment of deletion (fence), and what it writes is either the
// same that its successor writes, or loses against it.

const (
	sweeperKind = "sweeper"
	sweeperID   = "region"
)

type sweeperRow struct {
	Owner uuid.UUID `json:"owner"`
}

// TakeSweep makes the owner the region's sweeper, or finds that it is, and returns its epoch. It is refused (false) while another one has shown a sign
// of life within the silence.
func (s *Store) TakeSweep(ctx context.Context, owner uuid.UUID, silence time.Duration) (uint64, bool, error) {
	current, err := s.newest(ctx, sweeperKind, "", sweeperID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return 0, false, err
	}
	if err == nil {
		var row sweeperRow
		if err := json.Unmarshal(current.Value, &row); err != nil {
			return 0, false, fmt.Errorf("take sweep: %w", err)
		}
		if row.Owner == owner {
			return current.Version, true, s.BeatSweep(ctx, current.Version, false)
		}
		silent, err := s.silent(ctx, current.Version, silence)
		if err != nil || !silent {
			return 0, false, err
		}
	}
	return s.takeOver(ctx, owner, current.Version)
}

func (s *Store) takeOver(ctx context.Context, owner uuid.UUID, from uint64) (uint64, bool, error) {
	value, err := json.Marshal(sweeperRow{owner})
	if err != nil {
		return 0, false, fmt.Errorf("take sweep: %w", err)
	}
	row, err := s.Put(ctx, Control{Kind: sweeperKind, ID: sweeperID, Value: value, Author: "retention"}, from)
	if errors.Is(err, ErrConflict) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	return row.Version, true, s.BeatSweep(ctx, row.Version, false)
}

// silent tells whether an epoch's sweeper has ended or shown no sign of life for so long, by the server's clock. Its first sign is that it took over.
func (s *Store) silent(ctx context.Context, epoch uint64, silence time.Duration) (bool, error) {
	silent := false
	err := s.scan(s.controlContext(ctx, ""), "look for the sweeper", `
		SELECT max(over) OR dateDiff('microsecond', max(at), now64(6, 'UTC')) > {silence:Int64} FROM (
			SELECT over, at FROM sweep_beats WHERE epoch = {epoch:UInt64} AND NOT marks
			UNION ALL
			SELECT false, inserted_at FROM control WHERE kind = {kind:String} AND org = '' AND id = {id:String} AND version = {epoch:UInt64}
		)`,
		func(rows driver.Rows) error { return rows.Scan(&silent) }, clickhouse.Named("epoch", epoch), clickhouse.Named("silence", silence.Microseconds()),
		clickhouse.Named("kind", sweeperKind), clickhouse.Named("id", sweeperID))
	return silent, err
}

// BeatSweep is a sign of life of the sweeper of an epoch. over tells that it has ended: nobody needs to wait before taking over.
func (s *Store) BeatSweep(ctx context.Context, epoch uint64, over bool) error {
	return s.replaceRows(ctx, "sweep_beats", "epoch, over", [][]any{{epoch, over}})
}

// SweepEpoch is the epoch of the region's sweeper, 0 before there was one.
func (s *Store) SweepEpoch(ctx context.Context) (uint64, error) {
	current, err := s.newest(ctx, sweeperKind, "", sweeperID)
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	return current.Version, err
}

// fence is the condition, for the engine to find out when it deletes, that nobody has taken over from the sweeper of an epoch.
func (s *Store) fence(epoch uint64) string {
	return fmt.Sprintf("(SELECT max(version) FROM %s.control WHERE kind = '%s' AND org = '' AND id = '%s') = %d", s.cfg.Database, sweeperKind, sweeperID, epoch)
}

// freshDecisions is the condition, for the engine to find out when it deletes, that the region's decisions were up to date within a time.
func (s *Store) freshDecisions(within time.Duration) string {
	return fmt.Sprintf("(SELECT count() FROM (SELECT dateDiff('microsecond', argMax(at, n), now64(6, 'UTC')) AS age FROM %s.decision_marks) WHERE age BETWEEN %d AND %d) > 0",
		s.cfg.Database, -clockSlack.Microseconds(), within.Microseconds())
}
