package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// watchEvery is the pause between two looks at the versions of a kind: settings act within half a second.
const watchEvery = 400 * time.Millisecond

// Watch calls do with the newest version of every row of a kind, of all organisations, and then with each newer one as it
// appears, deletions too (rows deleted before the watch began are left out). Versions that follow each other within one look
// are one call. It blocks until the context ends, which is no error, or do returns one. While ClickHouse is away it goes on
// asking; what it last told stays the truth meanwhile.
func (s *Store) Watch(ctx context.Context, kind string, do func(Control) error) error {
	seen := map[ControlKey]uint64{}
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for first := true; ; {
		rows, err := s.Changed(ctx, kind, seen)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !errors.Is(err, ErrUnavailable):
			return err
		case err == nil:
			if err := tell(rows, seen, first, do); err != nil {
				return fmt.Errorf("watch %s: %w", kind, err)
			}
			first = false
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// ControlKey names a control row of a kind.
type ControlKey struct{ Org, ID string }

func tell(rows []Control, seen map[ControlKey]uint64, first bool, do func(Control) error) error {
	for _, row := range rows {
		if !first || !row.Deleted {
			if err := do(row); err != nil {
				return err
			}
		}
		seen[ControlKey{row.Org, row.ID}] = row.Version
	}
	return nil
}

// Changed returns the newest version of each row of a kind that is above the one seen, deletions too. It reads the versions of all rows, which
// are few, since the times of writers and servers are no order to rely on; values are read only of rows that changed.
func (s *Store) Changed(ctx context.Context, kind string, seen map[ControlKey]uint64) ([]Control, error) {
	action := "watch " + kind
	rows, err := s.conn.Query(s.controlContext(ctx, ""), `
		SELECT org, id, max(version) FROM control WHERE kind = {kind:String} GROUP BY org, id ORDER BY org, id`,
		clickhouse.Named("kind", kind))
	if err != nil {
		return nil, wrap(action, err)
	}
	defer rows.Close()
	var keys []ControlKey
	for rows.Next() {
		var key ControlKey
		var version uint64
		if err := rows.Scan(&key.Org, &key.ID, &version); err != nil {
			return nil, wrap(action, err)
		}
		if version > seen[key] {
			keys = append(keys, key)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, wrap(action, err)
	}
	var out []Control
	for _, key := range keys {
		row, err := s.newest(ctx, kind, key.Org, key.ID)
		if err != nil {
			return nil, err
		}
		out = append(out, row)
	}
	return out, nil
}
