package store

import (
	"context"
	"time"
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
			if !stored[Origin{t.offsets.values[row], t.indexes.values[row]}] {
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
	from, to := t.times.values[0], t.times.values[0]
	for _, at := range t.times.values {
		if at.Before(from) {
			from = at
		}
		if at.After(to) {
			to = at
		}
	}
	rows, err := s.conn.Query(ctx, `SELECT _offset, _index FROM `+t.table+`
		WHERE _topic = ? AND _partition = ? AND _offset BETWEEN ? AND ? AND observed_at BETWEEN ? AND ?`,
		t.topic, t.partition, first, last, from.Truncate(time.Second), to.Add(time.Second).Truncate(time.Second))
	if err != nil {
		return nil, wrap("look for stored rows of "+t.table, err)
	}
	defer rows.Close()
	stored := make(map[Origin]bool, t.Len())
	for rows.Next() {
		var o Origin
		if err := rows.Scan(&o.Offset, &o.Index); err != nil {
			return nil, wrap("look for stored rows of "+t.table, err)
		}
		stored[o] = true
	}
	return stored, wrap("look for stored rows of "+t.table, rows.Err())
}
