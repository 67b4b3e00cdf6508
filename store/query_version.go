package store

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// CallVersion tells how much has been said of a call.
type CallVersion struct {
	// Batches that spoke of it. It rises as data arrives.
	Batches uint64
	// Changed is when the latest came.
	Changed time.Time
}

// CallVersions tells how much has been said of calls so far. A key that nothing speaks of is missing.
func (r *Reader) CallVersions(ctx context.Context, keys []CallKey) (map[CallKey]CallVersion, error) {
	out := make(map[CallKey]CallVersion, len(keys))
	if len(keys) == 0 {
		return out, nil
	}
	sql := "SELECT org, call_id, sum(batches), max(changed_at) FROM call_changes WHERE " + keysIn(keys) + " GROUP BY org, call_id"
	err := r.query(ctx, "read versions of calls", sql, keyArgs(keys), func(rows driver.Rows) error {
		var key CallKey
		var v CallVersion
		if err := rows.Scan(&key.Org, &key.CallID, &v.Batches, &v.Changed); err != nil {
			return err
		}
		v.Changed = v.Changed.UTC()
		out[key] = v
		return nil
	})
	return out, err
}
