package store

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Missing makes the batch of those rows of b that the store does not have, nil when it has them all. It looks for the rows of the
// offsets first to last by their origin. Use it after each insert that repeats an earlier one: what is missing is to be inserted
// under another token.
func (s *Store) Missing(ctx context.Context, b *Batch, first, last int64) (*Batch, error) {
	var missing *Batch
	for i, t := range b.tables {
		if t.Len() == 0 {
			continue
		}
		stored, err := s.storedOrigins(ctx, t, first, last)
		if err != nil {
			return nil, err
		}
		keep := make([]bool, t.Len())
		lost := 0
		for row := range keep {
			if !stored[t.origin(row)] {
				keep[row] = true
				lost++
			}
		}
		if lost == 0 {
			continue
		}
		if missing == nil {
			missing = NewBatch()
			missing.Reset(t.topic, t.partition)
		}
		for c, from := range t.columns {
			from.pick(missing.tables[i].columns[c], keep)
		}
	}
	return missing, nil
}

// storedOrigins reads which rows of a range of offsets a table has. The times of the rows bound the partitions that are read.
func (s *Store) storedOrigins(ctx context.Context, t *Rows, first, last int64) (map[Origin]bool, error) {
	from, to := t.time(0), t.time(0)
	for row := range t.Len() {
		at := t.time(row)
		if at.Before(from) {
			from = at
		}
		if at.After(to) {
			to = at
		}
	}
	stored := make(map[Origin]bool, t.Len())
	err := s.scan(ctx, "look for stored rows of "+t.table, `SELECT _offset, _index FROM `+t.table+`
		WHERE _topic = ? AND _partition = ? AND _offset BETWEEN ? AND ? AND `+t.times.columnName()+` BETWEEN ? AND ?`,
		func(rows driver.Rows) error {
			var o Origin
			err := rows.Scan(&o.Offset, &o.Index)
			stored[o] = true
			return err
		}, t.topic, t.partition, first, last, from.Truncate(time.Second), to.Add(time.Second).Truncate(time.Second))
	if err != nil {
		return nil, err
	}
	return stored, nil
}
